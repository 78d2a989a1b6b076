"""The reference solution of ps4-graphs agrees with autograd, SciPy and scikit-learn on random inputs and extremes."""

import math
import re
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


#: The cells in which the class grows, and the visible tests of each.
STEPS = {
    "Value": ["Value-data", "Value-numbers"],
    "Value_left": ["Value_left-data"],
    "Value_backward": [f"Value_backward-{test}" for test in ("slopes", "fan_out", "order", "again", "chain")],
    "Value_functions": [f"Value_functions-{test}" for test in ("powers", "values", "stability")],
}


def cells_of_ps4(course) -> dict[str, str]:
    """The code of each cell that has a name, as students receive it, with the reference solution."""
    (problem_set,) = find_problem_sets(course, ["ps4-graphs"])
    return {grade_id(cell): cell.source for cell in problem_set.notebook.cells if cell.cell_type == "code"}


def names_of_the_start(cells) -> dict:
    names: dict = {"__name__": "__main__", "math": math, "np": np}
    for cell in ("checks", "formulas"):
        exec(cells[cell], names)
    return names


@pytest.mark.parametrize("step", STEPS)
def test_each_step_of_value_earns_its_points_before_the_next_is_written(course, step):
    """What a student has after a step passes that step's tests: none of them needs a later cell."""
    cells, steps = cells_of_ps4(course), list(STEPS)
    names = names_of_the_start(cells)
    for done in steps[: steps.index(step) + 1]:
        exec(cells[done], names)
    for test in STEPS[step]:
        exec(cells[test], names)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_value_that_is_not_written_yet_is_called_so(course, step):
    cells, steps = cells_of_ps4(course), list(STEPS)
    names = names_of_the_start(cells)
    for done in steps[: steps.index(step)]:
        exec(cells[done], names)
    exec(
        re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "raise NotImplementedError()", cells[step], flags=re.S), names
    )
    for test in STEPS[step]:
        with pytest.raises(AssertionError, match="not attempted"):
            exec(cells[test], names)


def test_a_class_that_was_defined_anew_says_why_it_lacks_the_later_steps(course):
    cells = cells_of_ps4(course)
    names = names_of_the_start(cells)
    for step in [*STEPS, "Value"]:  # the student went back to step 1, and ran its cell alone
        exec(cells[step], names)
    for step in ["Value_left", "Value_backward", "Value_functions"]:
        for test in STEPS[step]:
            with pytest.raises(AssertionError, match="run that cell again"):
                exec(cells[test], names)


#: The class in the manner of engines whose nodes keep a function that passes their gradient on.
CLOSURES = {
    "Value": """
def lift(x):
    return x if isinstance(x, Value) else Value(x)

class Value:
    def __init__(self, data, _children=()):
        self.data, self.grad = data, 0.0
        self._children, self._backward = _children, lambda: None

    def _made(self, data, *edges):
        out = Value(data, [parent for parent, _ in edges])
        def _backward():
            for parent, slope in edges:
                parent.grad += slope * out.grad
        out._backward = _backward
        return out

    def __add__(self, other):
        return self._made(self.data + lift(other).data, (self, 1), (lift(other), 1))

    def __mul__(self, other):
        other = lift(other)
        return self._made(self.data * other.data, (self, other.data), (other, self.data))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-lift(other))

    def __truediv__(self, other):
        other = lift(other)
        return self * other._made(1 / other.data, (other, -1 / other.data**2))
""",
    "Value_left": """
class Value(Value):
    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return other + (-self)

    def __rtruediv__(self, other):
        return lift(other) / self
""",
    "Value_backward": """
class Value(Value):
    def backward(self):
        topo, visited, stack = [], set(), [(self, False)]
        while stack:
            v, ready = stack.pop()
            if ready:
                topo.append(v)
            elif v not in visited:
                visited.add(v)
                stack += [(v, True), *((child, False) for child in v._children)]
        for v in topo:
            v.grad = 0.0
        self.grad = 1.0
        for v in reversed(topo):
            v._backward()
""",
    "Value_functions": """
import math

class Value(Value):
    def __pow__(self, other):
        if isinstance(other, Value):
            return (self.log() * other).exp()
        return self._made(self.data**other, (self, other * self.data ** (other - 1)))

    def __rpow__(self, other):
        return lift(other) ** self

    def exp(self):
        e = math.exp(self.data) if self.data < 709 else math.inf
        return self._made(e, (self, e))

    def log(self):
        return self._made(math.log(self.data), (self, 1 / self.data))

    def sigmoid(self):
        p = 0.5 * (1 + math.tanh(self.data / 2))
        return self._made(p, (self, p * (1 - p)))
""",
}


@pytest.mark.parametrize("in_one_cell", [False, True])
def test_a_class_that_remembers_its_parents_in_another_form_is_right(course, in_one_cell):
    """In four cells; or whole in the first, with nothing left in the others."""
    cells = cells_of_ps4(course)
    names = names_of_the_start(cells)
    whole = "\n".join(CLOSURES.values())
    answers = dict.fromkeys(STEPS, "class Value(Value):\n    pass") | {"Value": whole} if in_one_cell else CLOSURES
    for name, code in cells.items():
        if name and name.partition("-")[0] in (*STEPS, "logistic_loss"):
            exec(answers.get(name, code), names)
