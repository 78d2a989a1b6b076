"""The reference solution of ps4-graphs agrees with autograd, SciPy and scikit-learn on random inputs and extremes."""

import math
from types import SimpleNamespace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import log_loss

from autograder.problem_set.source import find_problem_sets, grade_id

NUMBERS = st.floats(-50, 50)
POSITIVE = st.floats(0.2, 4)


@pytest.fixture(scope="module")
def ps4(course):
    """The names that the reference solution defines."""
    (problem_set,) = find_problem_sets(course, ["ps4-graphs"])
    defined = {"math": math, "np": np, "sp": sp}
    for name, answer in problem_set.reference_answers.items():
        if not problem_set.items[name].by_hand:
            exec(answer, defined)
    return SimpleNamespace(**defined)


def close(received, expected):
    np.testing.assert_allclose(received, expected, rtol=1e-9, atol=1e-12)


@given(a=NUMBERS, b=NUMBERS, c=NUMBERS)
def test_the_panel_is_autograds(ps4, a, b, c):
    forward, backward = ps4.forward(a, b, c), ps4.backward(a, b, c)
    close(forward["J"], 3 * (a + b * c))
    gradient = autograd.grad(lambda x: 3 * (x[0] + x[1] * x[2]))(np.array([a, b, c]))
    close([backward["da"], backward["db"], backward["dc"]], gradient)
    close([backward["du"], backward["dv"]], [3, 3])


#: Formulas in x and y that mean the same for a Value and for autograd's numbers; f has exp, log and sigmoid.
FORMULAS = [
    lambda x, y, f: 3 * (x + x * y) - y / x,
    lambda x, y, f: (1 - x) ** 3 / (2 + y) ** 2 - 2**x,
    lambda x, y, f: x**y + y**x - x**-1.5,
    lambda x, y, f: f.log(f.exp(x) + f.exp(y) + 1) * (x - y),
    lambda x, y, f: f.sigmoid(x - 3 * y) * x + 1 / (1 + f.exp(-x * y)),
    lambda x, y, f: -(f.log(x * y) ** 2) + f.sigmoid(-x) ** y,
]


@pytest.mark.parametrize("formula", FORMULAS)
@settings(max_examples=20)
@given(a=POSITIVE, b=POSITIVE)
def test_gradients_of_values_are_autograds(ps4, formula, a, b):
    methods = SimpleNamespace(exp=lambda v: v.exp(), log=lambda v: v.log(), sigmoid=lambda v: v.sigmoid())
    functions = SimpleNamespace(exp=anp.exp, log=anp.log, sigmoid=lambda x: 1 / (1 + anp.exp(-x)))
    x, y = ps4.Value(a), ps4.Value(b)
    J = formula(x, y, methods)
    for _ in range(2):
        J.backward()
        close(J.data, formula(a, b, functions))
        close([x.grad, y.grad], autograd.grad(lambda z: formula(z[0], z[1], functions))(np.array([a, b])))


@given(z=st.one_of(st.floats(-1000, 1000), st.sampled_from([-1000, -745, -37, 0, 37, 709.8, 1000])))
def test_functions_are_scipys_at_extremes(ps4, z):
    x = ps4.Value(z)
    with np.errstate(over="ignore"):
        close(x.exp().data, np.exp(z))
    p = x.sigmoid()
    p.backward()
    close(p.data, scipy.special.expit(z))
    close(x.grad, scipy.special.expit(z) * scipy.special.expit(-z))


@settings(max_examples=30)
@given(
    boxes=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=25),
    numbers=st.lists(st.floats(-1.2, 1.2), min_size=1, max_size=4),
)
def test_graphs_with_shared_nodes_are_autograds(ps4, boxes, numbers):
    def wired(nodes):
        nodes = list(nodes)
        for kind, i, j in boxes:
            x, y = nodes[-1 - i % min(4, len(nodes))], nodes[j % len(nodes)]
            # 0.4 keeps the numbers of a long chain of products and sums in bounds.
            nodes.append(0.4 * (x + y) if kind == 0 else 0.4 * (x - y) if kind == 1 else 0.4 * x * y)
        return nodes[-1]

    inputs = [ps4.Value(number) for number in numbers]
    J = wired(inputs)
    J.backward()
    close(J.data, wired(numbers))
    close(
        [node.grad for node in inputs], autograd.grad(lambda x: wired([x[i] for i in range(len(x))]))(np.array(numbers))
    )


def test_a_chain_of_many_nodes_and_a_graph_of_many_paths(ps4):
    first = node = ps4.Value(1.0)
    for _ in range(50_000):
        node = node + 1
    node.backward()
    assert first.grad == 1
    first = node = ps4.Value(1.0)
    for _ in range(500):
        node = (node + node) * 0.5
    node.backward()
    assert first.grad == 1


@settings(max_examples=30)
@given(x=hnp.arrays(float, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4), elements=st.floats(-3, 3)))
def test_numerical_gradient_is_autograds(ps4, x):
    def f(x):
        return anp.sum(anp.sin(x) * anp.cos(2 * x)) + anp.sum(x) ** 2

    before = x.copy()
    np.testing.assert_allclose(ps4.numerical_gradient(f, x), autograd.grad(f)(x), atol=1e-6)
    np.testing.assert_array_equal(x, before)
    if x.ndim == 1:
        forward = scipy.optimize.approx_fprime(x, f, 1e-7)
        np.testing.assert_allclose(ps4.numerical_gradient(f, x), forward, atol=1e-3)


@given(
    pair=hnp.array_shapes(min_dims=0, max_dims=3, max_side=4).flatmap(
        lambda shape: st.tuples(*[hnp.arrays(float, shape, elements=st.floats(-1e6, 1e6))] * 2)
    )
)
def test_relative_error_is_by_the_formula(ps4, pair):
    a, b = pair
    size = max([1e-12, *np.abs(a).ravel(), *np.abs(b).ravel()])
    close(ps4.relative_error(a, b), max(np.abs(a - b).ravel()) / size)
    assert ps4.relative_error(a, a) == 0


@given(
    sample=st.integers(1, 6).flatmap(lambda d: st.tuples(*[st.lists(st.floats(-12, 12), min_size=d, max_size=d)] * 2)),
    b=st.floats(-100, 100),
    y=st.sampled_from([0, 1]),
)
def test_logistic_loss_is_scipys_and_autograds(ps4, sample, b, y):
    w, x = sample
    weights, bias = [ps4.Value(number) for number in w], ps4.Value(b)
    loss = ps4.logistic_loss(weights, bias, x, y)
    loss.backward()
    z = math.fsum(u * v for u, v in zip(w, x, strict=True)) + b
    np.testing.assert_allclose(loss.data, -scipy.special.log_expit(z if y else -z), rtol=1e-9, atol=1e-11)

    def cost(parameters):
        z = anp.dot(parameters[:-1], np.array(x)) + parameters[-1]
        return anp.logaddexp(0, z) - y * z

    gradient = autograd.grad(cost)(np.array([*w, b]))
    np.testing.assert_allclose([node.grad for node in [*weights, bias]], gradient, rtol=1e-9, atol=1e-11)
    if abs(z) < 20:
        p = scipy.special.expit(z)
        np.testing.assert_allclose(loss.data, log_loss([y], [[1 - p, p]], labels=[0, 1]), rtol=1e-6)


def test_d_loss_d_z_is_the_derivative_of_the_loss_by_its_probability(ps4):
    z, y = sp.symbols("z y", real=True)
    p = 1 / (1 + sp.exp(-z))
    loss = -y * sp.log(p) - (1 - y) * sp.log(1 - p)
    answer = ps4.d_loss_d_z
    for at in ({z: sp.Rational(-7, 3), y: 1}, {z: 2, y: 0}, {z: sp.Rational(1, 9), y: sp.Rational(1, 2)}):
        assert abs((sp.diff(loss, z) - answer).subs(at).evalf(40)) < sp.Float("1e-30")


STEPS = {
    "Value-data": [],
    "Value-numbers": ["__radd__", "__rsub__", "__rmul__", "__rtruediv__"],
    "Value-slopes": ["backward"],
    "Value-fan_out": [],
    "Value-order": [],
    "Value-powers": ["__pow__", "__rpow__"],
    "Value-functions": ["exp", "log", "sigmoid"],
}


@pytest.mark.parametrize("test", STEPS)
def test_each_step_of_value_earns_its_points_before_the_next_is_written(course, test):
    """What a student has after a step passes that step's test: no test needs a method of a later step."""
    (problem_set,) = find_problem_sets(course, ["ps4-graphs"])
    names: dict = {"__name__": "__main__"}
    for cell in problem_set.notebook.cells:
        if (
            cell.cell_type == "code"
            and (cell.source.startswith("import ") or grade_id(cell) in ("checks", "formulas"))
            or grade_id(cell) == "Value"
        ):
            exec(cell.source, names)
        elif grade_id(cell) == test:
            judged = cell.source

    def later(*_):
        raise NotImplementedError

    tests = list(STEPS)
    for method in sum((STEPS[name] for name in tests[tests.index(test) + 1 :]), []):
        setattr(names["Value"], method, later)
    exec(judged, names)
    for method in STEPS[test]:
        setattr(names["Value"], method, later)
    if STEPS[test]:
        with pytest.raises(AssertionError, match="not attempted"):
            exec(judged, names)
