"""The engines of the two chapters on gradients agree with autograd, for numbers and for arrays."""

import ast

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.book_pages import source_of

CLOSE = {"rtol": 1e-9, "atol": 1e-9}
LARGEST = 50.0  # of an intermediate value: beyond it, rounding hides what is tested


def engine_of(page: str, prefix: str) -> dict[str, object]:
    """Run the definitions in a page's engine cells, in order."""
    wanted = (ast.ClassDef, ast.FunctionDef, ast.Import, ast.ImportFrom, ast.Assign)
    names: dict[str, object] = {}
    for cell in source_of(page).cells:
        if str(cell.metadata.get("name", "")).startswith(prefix):
            body = [statement for statement in ast.parse(cell.source).body if isinstance(statement, wanted)]
            exec(compile(ast.Module(body, []), page, "exec"), names)
    return names


NUMBERS = engine_of("book/gradients/computation-graphs", "engine-")
RECAP = engine_of("book/gradients/backpropagation", "engine-recap")
ARRAYS = engine_of("book/gradients/backpropagation", "engine-")

# A formula is a list of steps; each takes earlier results by their index, so fan-out comes by itself.
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "multiply", "divide", "exp", "log"]), st.integers(0, 30), st.integers(0, 30)),
    min_size=1,
    max_size=12,
)
INPUTS = st.lists(st.floats(0.2, 2.0), min_size=3, max_size=3)


def follow(steps, results, operations):
    """Compute a formula with the given operations."""
    for name, i, j in steps:
        x, y = results[i % len(results)], results[j % len(results)]
        results = [*results, operations[name](x) if name in ("exp", "log") else operations[name](x, y)]
    return results[-1]


PLAIN = {
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "exp": anp.exp,
    "log": anp.log,
}


def is_tame(steps, inputs) -> bool:
    """Whether every intermediate value can be computed and is of ordinary size."""
    results = list(inputs)
    with np.errstate(all="ignore"):
        for step in steps:
            value = float(follow([step], results, PLAIN))
            # Checked at every step: the next one may divide by this value.
            if not 1 / LARGEST < abs(value) < LARGEST:
                return False
            results.append(value)
    return True


@pytest.mark.parametrize("engine", [NUMBERS, RECAP], ids=["computation-graphs", "backpropagation"])
@given(steps=STEPS, inputs=INPUTS)
def test_the_engine_for_numbers_agrees_with_autograd(engine, steps, inputs):
    assume(is_tame(steps, inputs))
    nodes = [engine["Node"](value) for value in inputs]
    J = follow(steps, nodes, engine)
    slopes = engine["backward"](J)
    # Adding zero keeps an input that the formula does not use.
    expected = autograd.grad(lambda x: follow(steps, [x[0], x[1], x[2]], PLAIN) + 0 * anp.sum(x))(np.array(inputs))
    assert J.value == pytest.approx(float(follow(steps, inputs, PLAIN)), rel=1e-12)
    np.testing.assert_allclose([slopes.get(node, 0.0) for node in nodes], expected, **CLOSE)


def test_fan_out_adds_up():
    x = NUMBERS["Node"](7.0)
    assert NUMBERS["backward"](x + x)[x] == 2
    assert NUMBERS["backward"](x * x * x)[x] == 3 * 49


SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
    lambda full: st.lists(
        st.tuples(st.sampled_from([1, full[0]]), st.sampled_from([1, full[1]])), min_size=3, max_size=3
    )
)
ENTRIES = st.floats(-1.5, 1.5)


@given(data=st.data(), shapes=SHAPES)
def test_the_way_back_of_broadcasting_agrees_with_autograd(data, shapes):
    values = [data.draw(arrays(float, shape, elements=ENTRIES)) for shape in shapes]
    nodes = [ARRAYS["Node"](value) for value in values]

    def formula(x, y, z, tanh, mean):
        return mean(tanh(x * y + z) * x + y)

    slopes = ARRAYS["backward"](formula(*nodes, ARRAYS["tanh"], ARRAYS["mean"]))
    expected = autograd.grad(lambda xs: formula(*xs, anp.tanh, anp.mean))(values)
    for node, value, wanted in zip(nodes, values, expected, strict=True):
        assert slopes[node].shape == value.shape
        np.testing.assert_allclose(slopes[node], wanted, **CLOSE)


@given(data=st.data(), n=st.integers(1, 5), d=st.integers(1, 4), k=st.integers(1, 4))
def test_a_network_agrees_with_autograd(data, n, d, k):
    def draw(*shape):
        return data.draw(arrays(float, shape, elements=ENTRIES))

    values = [draw(n, d), draw(d, k), draw(1, k), draw(k, 1), draw(1, 1)]
    Y = data.draw(arrays(float, (n, 1), elements=st.sampled_from([0.0, 1.0])))

    def cost(X, W1, b1, W2, b2, tanh, loss):
        return loss(tanh(X @ W1 + b1) @ W2 + b2)

    nodes = [ARRAYS["Node"](value) for value in values]
    J = cost(*nodes, ARRAYS["tanh"], lambda Z: ARRAYS["mean"](ARRAYS["cross_entropy_of_logits"](Z, Y)))
    slopes = ARRAYS["backward"](J)

    def plain(xs):
        return cost(*xs, anp.tanh, lambda Z: anp.mean(anp.logaddexp(0.0, Z) - Y * Z))

    assert J.value.item() == pytest.approx(float(plain(values)), rel=1e-12)
    for node, wanted in zip(nodes, autograd.grad(plain)(values), strict=True):
        np.testing.assert_allclose(slopes[node], wanted, **CLOSE)


@pytest.mark.parametrize("z", [-1000.0, 1000.0])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_the_fused_loss_is_right_where_the_sigmoid_saturates(z, y):
    Z = ARRAYS["Node"](z)
    J = ARRAYS["cross_entropy_of_logits"](Z, np.array([[y]]))
    assert J.value.item() == (1000.0 if (z > 0) != (y > 0) else 0.0)
    assert ARRAYS["backward"](J)[Z].item() == float(z > 0) - y


def definitions(page: str, prefix: str) -> dict[str, str]:
    """The classes and functions of the cells with this prefix; of two with one name, the later one."""
    return {
        node.name: ast.unparse(node)
        for cell in source_of(page).cells
        if str(cell.metadata.get("name", "")).startswith(prefix)
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }


def test_the_chapter_on_networks_repeats_the_engine_without_a_change():
    engine = definitions("book/gradients/backpropagation", "engine-")
    repeated = definitions("book/models/neural-networks", "network-engine")
    assert {"Node", "order", "backward", "matmul", "add", "tanh", "mean"} <= set(repeated)
    assert repeated == {name: engine[name] for name in repeated}
