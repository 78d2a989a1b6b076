"""Symbolic answers cross as data, keep the meaning SymPy gives them, and are judged alike in notebooks and grading."""

import io
import json
import subprocess
import sys
import time
from contextlib import redirect_stdout
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st
from mpmath import mp

from autograder.common.answer_digest import canonical
from autograder.engine.shared import expressions
from autograder.engine.shared.expression_values import FUNCTIONS
from autograder.engine.shared.expressions import Expression, encode
from autograder.engine.shared.wire import Decoder, Encoder, WireError
from autograder.problem_set.source import find_problem_sets
from tests.support import ROOT, TEST_ALL

x, y = sp.symbols("x y")
p = sp.Symbol("p", positive=True)


class Elsewhere:
    """Stands for an object that does not cross."""


def crossed(value):
    """Return a value as it arrives where answers are judged."""
    encoder = Encoder(lambda _: {"object": 1})
    document = json.loads(json.dumps(encoder.encode(value)))
    return Decoder([memoryview(part) for part in encoder.buffers], lambda _: Elsewhere()).decode(document)


# ---- what an expression means


@pytest.mark.parametrize(
    "expression",
    [
        sp.log((1 - x) / x, 2), sp.log(x, 2, evaluate=False), sp.sqrt(x) / 3, x ** sp.Rational(-7, 3), sp.Rational(1, 3) * sp.exp(-x),
        sp.pi * sp.E + sp.EulerGamma - sp.GoldenRatio * sp.Catalan, sp.Float("0.1", 60) * x, sp.Integer(10) ** 30 * x, 2**x,
        sp.Max(x, sp.Rational(1, 3), 0), sp.Min(x, 1), sp.Abs(x - 1), sp.sign(x - 1), sp.floor(9 * x), sp.floor(9 * x + sp.I * x),sp.ceiling(9 * x), sp.frac(9 * x),
        sp.Mod(9 * x, 2), sp.Heaviside(x - 1), sp.Heaviside(x), sp.re(x + sp.I), sp.im(sp.log(-x)), sp.arg(-x), sp.conjugate(x + sp.I),
        sp.Piecewise((x, x < 0), (x**2, (x > 0) & (x < 1)), (1, True)), sp.Piecewise((1, sp.Eq(x, 2)), (2, sp.Ne(x, 2))),
        sp.Piecewise((1, (x > 3) | (x < 0)), (x, True)), sp.Piecewise((x, ~((x > 3) & (x < 4)))), sp.Piecewise((1, x >= 3), (x, x <= 3)),
        *(getattr(sp, name)(x) for name in ["sin", "cos", "tan", "cot", "sec", "csc", "sinc", "asin", "acos", "atan", "acot", "asec", "acsc"]),
        *(getattr(sp, name)(x) for name in ["sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh", "acoth"]),
        sp.asech(x), sp.acsch(x), sp.atan2(x, x - 1), sp.gamma(x), sp.loggamma(x), sp.digamma(x), sp.polygamma(2, x), sp.factorial(x),
        sp.binomial(5 * x, x), sp.beta(x, 2), sp.erf(x), sp.erfc(x), sp.LambertW(x), sp.LambertW(-x / 9, -1), sp.trigamma(x),
        sp.Derivative(sp.log(x) * x, x), sp.Sum(x**y, (y, 1, 3)), sp.Product(x + y, (y, 1, 3)), sp.Subs(y**2, y, x),
        sp.Integral(y**2, (y, 0, x)), sp.Limit((sp.exp(x * y) - 1) / y, y, 0), sp.Derivative(sp.Abs(x), x), sp.diff(sp.Abs(x), x),
        sp.UnevaluatedExpr(x) + 1, sp.log(x - 1) - sp.log(-x), (x - 1) ** sp.Rational(1, 3), sp.cbrt(x), sp.Add(x, -x, evaluate=False),
        sp.Derivative(sp.log(sp.Symbol("x", positive=True)), sp.Symbol("x", real=True)), sp.exp(x).rewrite(sp.sinh), sp.I * x,
    ],
)  # fmt: skip
def test_an_expression_has_the_same_value_as_in_sympy(expression, checks):
    plain = {symbol: sp.Symbol(symbol.name, real=True) for symbol in expression.atoms(sp.Symbol)}
    point = Fraction(2, 7)
    at = {sp.Symbol("x", real=True): sp.Rational(2, 7)}
    expected = mp.mpmathify(sp.N(expression.xreplace(plain).doit().subs(at), 40))
    for answer in (crossed(expression), checks._CheckSymbolic(expression)):
        assert not answer.outside
        value = answer.value_at({"x": point}, 40)
        assert abs(value - expected) <= mp.mpf(10) ** -38 * max(1, abs(expected))


@pytest.mark.parametrize(
    "expression",
    [1 / (x - sp.Rational(2, 7)), sp.log(7 * x - 2), sp.Piecewise((1, x > 1)), sp.zoo, sp.nan, sp.oo, sp.zeta(x), sp.Function("f")(x),
     sp.Integral(sp.Function("f")(x), x), sp.exp(10**7 * x), sp.gamma(10**9 * x), sp.sin(sp.Integer(2) ** 400), 2 ** (2 ** (99 * x))],
)  # fmt: skip
def test_an_expression_without_a_value_gives_none(expression):
    assert crossed(expression).value_at({"x": Fraction(2, 7)}, 40) is None


def test_a_branch_without_value_gives_none(checks):
    broken = sp.Piecewise((x, x < 0), (sp.Heaviside(sp.log(-x)), True))
    for answer in (crossed(broken), checks._CheckSymbolic(broken)):
        assert answer.value_at({"x": Fraction(2, 7)}, 40) is None


def test_a_part_without_value_does_not_matter_if_it_is_not_needed():
    answer = crossed(
        sp.Piecewise((x, x < 1), (sp.Integral(sp.Function("f")(x), x) + 1 / (x - sp.Rational(1, 2)), True))
    )
    assert answer.value_at({"x": Fraction(1, 2)}, 20) == 0.5
    assert answer.outside == ("Integral",)


def test_an_expression_knows_its_symbols_floats_and_digits():
    answer = crossed(sp.Symbol("p", real=True) * p + sp.Float(0.5) * sp.Symbol("θ") + sp.Rational(22, 7))
    assert answer.symbols == {"p", "θ"}
    assert [float(number) for number in answer.floats] == [0.5]
    assert answer.digits == 4
    assert repr(crossed(sp.sqrt(x) / 3)) in ("(1/3)*x**(1/2)", "x**(1/2)*(1/3)")
    assert len(repr(crossed((x + 1) ** 30 * sp.expand((x + y) ** 40)))) == 200


@pytest.mark.parametrize(
    "value", [sp.Integer(3), sp.Rational(1, 3), sp.Float(0.1), sp.Float("0.1", 40), sp.Integer(10) ** 300]
)
def test_a_plain_number_behaves_as_a_number(value):
    number = crossed(value)
    assert abs(number - value) == 0
    assert abs(number - float(value)) <= 1e-9 * float(value)
    assert float(number) == float(value)
    assert np.asarray([number, number], dtype=float).tolist() == [float(value)] * 2
    assert canonical(number) == canonical(float(value))


def test_matrices_and_tuples_cross_entry_by_entry():
    matrix = crossed(sp.Matrix([[1, sp.Rational(1, 2)], [x, sp.pi]]))
    assert matrix.shape == (2, 2)
    assert matrix[0].tolist() == [1, Fraction(1, 2)]
    assert float(matrix[1, 1]) == np.pi
    assert crossed(sp.Tuple(1, 2)) == (1, 2)
    assert type(crossed(sp.Lambda(x, x**2))) is Elsewhere  # tests call it in its own process


def test_an_expression_converts_to_a_number_only_if_it_is_one():
    assert float(crossed(sp.sqrt(2))) == 2**0.5
    assert int(crossed(sp.sqrt(10))) == 3
    assert complex(crossed(sp.sqrt(-2))) == 1j * 2**0.5
    assert bool(crossed(sp.true)) is True
    assert crossed(sp.false) == False  # noqa: E712
    for wrong in (lambda: float(crossed(x)), lambda: float(crossed(sp.I * sp.pi)), lambda: int(crossed(sp.exp(5000))),
                  lambda: bool(crossed(x > 1)), lambda: float(crossed(sp.zoo)), lambda: abs(crossed(x) - 1)):  # fmt: skip
        with pytest.raises(TypeError):
            wrong()


# ---- bounds


def test_shared_parts_are_written_once():
    deep = x
    for _ in range(60):
        deep = sp.sin(deep, evaluate=False) + sp.sin(deep, evaluate=False) * deep
    again = x  # the same, made of other objects
    for _ in range(60):
        again = sp.sin(again, evaluate=False) + sp.sin(again, evaluate=False) * again
    whole = deep + sp.cos(again)
    assert len(encode(whole)["expression"]) < 400  # written out, it would have more parts than could be counted
    assert not crossed(whole).too_long


@pytest.mark.parametrize(
    "make",
    [
        lambda: sp.Add(*(sp.Symbol(f"x{i}") for i in range(2_000))),
        lambda: sp.Rational(1, 3**3_000) * x,
        lambda: sp.Float("1e-9000") * x,
        lambda: sp.Float("1e-9000"),
        lambda: sp.Add(*(sp.gamma(x + i) for i in range(60))),
    ],
)
def test_an_expression_that_exceeds_the_bounds_is_too_long(make, checks):
    answer = make()
    assert crossed(answer).too_long
    assert checks._CheckSymbolic(answer).too_long


def test_an_expression_nested_too_deeply_is_too_long():
    answer = x
    for _ in range(400):
        answer = sp.exp(answer, evaluate=False)
    assert crossed(answer).too_long


def test_a_symbol_whose_name_is_not_a_word_has_no_value():
    answer = crossed(sp.Symbol("a b") + x)
    assert answer.outside == ("symbol",)


@pytest.mark.parametrize(
    "nodes",
    [
        None, [], 7, "x", [["symbol", "__import__('os')"]], [["symbol", "x" * 41]], [["symbol", 1]], [["symbol"]], [["symbol", "x", "y"]],
        [["integer", "1_0"]], [["integer", "1" * 2_000]], [["integer", 5]], [["integer", "٣"], ["Pow", 0, 0, 0]], [["rational", "1"]],
        [["float", "1", 10**9]], [["float", "1", "2"]], [["float", "0x1", 1]], [["constant", "exit"]], [["constant", ["pi"]]],
        [["eval", 0]], [["exp", 0]], [["integer", "1"], ["exp", 1]], [["integer", "1"], ["exp", -1]], [["integer", "1"], ["exp", True]],
        [["integer", "1"], ["exp", 0.0]], [["integer", "1"], ["exp"]], [["integer", "1"], ["exp", 0, 0]], [["integer", "1"], ["And", 0]],
        [["constant", "true"], ["exp", 0]], [["integer", "1"], ["Piecewise", 0, 0]], [["integer", "1"], ["Piecewise", 0]],
        [["integer", "1"]] * 1_501, [["integer", "1"], ["Add", *[0] * 10_001]], [["integer", "9" * 999]] * 2, [["__class__", 0]],
        [["integer", "1"], *(["exp", i] for i in range(400))], [[]], [[["symbol"]]], [{"symbol": "x"}], {"symbol": "x"},
    ],
)  # fmt: skip
def test_malformed_nodes_are_refused(nodes):
    with pytest.raises(WireError):
        Decoder([], lambda _: None).decode({"expression": nodes})


def test_an_alarm_during_doit_is_not_swallowed():
    class TimeIsOverError(BaseException):
        pass

    class Slow(sp.Function):
        def doit(self, **hints):
            raise TimeIsOverError

    with pytest.raises(TimeIsOverError):
        expressions.encode(sp.Derivative(Slow(x), x))


NUMBERS = st.one_of(
    st.integers(-9, 9).map(lambda n: ["integer", str(n)]),
    st.integers(1, 300).map(lambda n: ["integer", "9" * n]),
    st.tuples(st.integers(-99, 99), st.integers(0, 99)).map(lambda r: ["rational", str(r[0]), str(r[1])]),
    st.tuples(st.integers(-99, 99), st.integers(-20_000, 20_000)).map(lambda r: ["float", str(r[0]), r[1]]),
    st.sampled_from(expressions.CONSTANTS[:-2]).map(lambda name: ["constant", name]),
    st.just(["symbol", "x"]),
)


@st.composite
def hostile(draw):
    nodes = [["symbol", "x"], ["constant", "I"], *draw(st.lists(NUMBERS, min_size=1, max_size=6))]
    names = sorted(FUNCTIONS)
    conditions = []
    for _ in range(draw(st.integers(1, 60))):
        name = draw(st.sampled_from([*names, *expressions.RELATIONS, "Piecewise"]))
        if name == "Piecewise":
            if conditions:
                nodes.append([name, len(nodes) - 1 - (len(nodes) - 1 in conditions), draw(st.sampled_from(conditions))])
            continue
        if name in expressions.RELATIONS:
            parts = [draw(st.integers(0, len(nodes) - 1).filter(lambda i: i not in conditions)) for _ in range(2)]
            conditions.append(len(nodes))
            nodes.append([name, *parts])
            continue
        count = min(FUNCTIONS[name].most, max(FUNCTIONS[name].least, draw(st.integers(1, 3))))
        last = len(nodes) - 1
        near = [i for i in range(max(0, last - 8), last + 1) if i not in conditions] or [0]
        nodes.append([name, *(draw(st.sampled_from(near)) for _ in range(count))])
    return nodes


WORST = {"seconds": 0.0}


@given(nodes=hostile(), digits=st.sampled_from([50, 200, 400]))
@example(nodes=[["symbol", "x"], *(["gamma", i] for i in range(50))], digits=400)
@example(nodes=[["constant", "I"], *(["exp", i] for i in range(250))], digits=400)
@example(nodes=[["integer", "9" * 900], *(["Mul", i, i] for i in range(250))], digits=400)
@example(nodes=[["integer", "9" * 900], *(["Pow", i, 0] for i in range(250))], digits=400)
def test_no_expression_takes_long_to_evaluate(nodes, digits):
    try:
        answer = Expression(nodes)
    except ValueError:
        reject()
    start = time.process_time()
    answer.value_at({"x": Fraction(5, 7)}, digits)
    repr(answer)
    taken = time.process_time() - start
    if taken > WORST["seconds"]:
        WORST.update(seconds=taken, nodes=nodes, digits=digits)
    assert taken < 10


# ---- nothing runs


PROGRAM = '1))))\nopen("/tmp/expression-ran", "w").write("ran")\n#'


def attack():
    """Return the answer that once ran a program on the judging side, where it was printed as Python code."""
    n, m = sp.Symbol("n", integer=True), sp.Symbol(PROGRAM)
    inner = sp.Sum(sp.exp(-(m**2)), (m, 1, sp.oo))
    return sp.Sum(inner**n / (sp.factorial(n) * (n**3 + n + 1)), (n, 0, sp.oo))


def test_a_program_in_a_name_stays_a_name(checks):
    for answer in (
        attack(),
        sp.Symbol(PROGRAM),
        sp.Sum(sp.Symbol(PROGRAM) ** y, (y, 0, sp.oo)),
        sp.Function(PROGRAM)(x),
    ):
        document = json.dumps(expressions.encode(answer))
        assert "open(" not in document
        arrived = crossed(answer)
        assert arrived.value_at({}, 40) is None
        for use in (
            lambda a=arrived: float(a),
            lambda a=arrived: abs(a - 1) < 1e-9,
            lambda a=arrived: np.asarray(a, dtype=float),
        ):
            with pytest.raises(TypeError):
                use()
        with pytest.raises(AssertionError, match="has no numerical value"):
            checks.check_expression(lambda a=arrived: a, "top", ["1/2"], [{}], "the top", "chapter Entropy")


def test_the_side_that_judges_imports_no_sympy(course):
    program = f"""
import json, sys
from autograder.engine.shared.wire import Decoder
from autograder.common.answer_digest import canonical
answer = Decoder([], None).decode(json.loads({json.dumps(json.dumps(expressions.encode(sp.log((1 - p) / p, 2))))!s}))
checks = {{}}
exec(open("solutions/checks.py").read(), checks)
from mpmath import mp
checks["check_expression"](lambda: answer, "slope", lambda p: mp.log((1 - p) / p, 2), checks["check_points"](p=(0, 1)), "i", "w")
checks["check_expression"](lambda: 3, "top", [3], [{{}}], "i", "w")
canonical(answer), repr(answer)
assert "sympy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], cwd=course, check=True)


def test_sending_an_answer_without_sympy_does_not_import_it(course):
    program = """
import sys
from autograder.engine.shared.wire import Encoder
class Own: pass
Encoder(lambda _: {"object": 1}).encode([1, 2.0, Own()])
assert "sympy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], cwd=course, check=True)


# ---- notebook and grader judge alike


@pytest.mark.parametrize("seed", range(6 if TEST_ALL else 2))
def test_an_unsimplified_derivative_is_judged_quickly(course, seed):
    program = """
import time
import sympy as sp
theta, k, n = sp.symbols("theta k n")
L = theta ** k * (1 - theta) ** (n - k)
score = sp.diff(sp.log(L), theta)
from autograder.engine.shared.expressions import decode, encode
checks = {}
exec(open("solutions/checks.py").read(), checks)
points = checks["check_points"](theta=(0, 1), k=(0, 10), n=(10, 30))
for answer in (score, decode(encode(score)["expression"])):
    start = time.process_time()
    checks["check_expression"](lambda: answer, "score", lambda theta, k, n: k / theta - (n - k) / (1 - theta), points, "i", "w")
    assert time.process_time() - start < 2  # it took up to 21 s
"""
    environment = {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(course), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", program], cwd=course, check=True, env=environment)


SETS = ["ps1-information", "ps2-likelihood", "ps4-graphs", "ps6-logistic-regression", "ps7-neural-networks"]


def answers_of_a_bank(course):
    for problem_set in find_problem_sets(course, SETS):
        tests: dict = {}
        for cell in problem_set.notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            if "check_expression(" in cell.source and cell.metadata.get("nbgrader", {}).get("grade"):
                tests[name] = problem_set.authored.get(name, cell.source)
        for item, contents in problem_set.items.items():
            mine = {name: tests[name] for name in contents.tests if name in tests}
            if mine:
                yield pytest.param(mine, item, problem_set.reference_answers[item], frozenset(), id=f"{item}-reference")
                for entry in problem_set.bank:
                    if entry.replaces == item:
                        yield pytest.param(mine, item, entry.code, entry.loses, id=f"{item}-{entry.name}")


def pytest_generate_tests(metafunc):
    if "tests_of_item" in metafunc.fixturenames:
        metafunc.parametrize(("tests_of_item", "item", "code", "loses"), list(answers_of_a_bank(ROOT)))


def test_each_answer_of_the_banks_is_judged_alike(checks, tests_of_item, item, code, loses):
    names = {"sp": sp, "np": np}
    try:
        exec(code, names)
    except Exception:
        names.pop(item, None)
    for name, source in tests_of_item.items():
        verdicts = []
        for answer in (lambda value: value, crossed):
            given_names = {**vars(checks), **({item: answer(names[item])} if item in names else {})}
            try:
                with redirect_stdout(io.StringIO()):
                    exec(source, given_names)
                verdicts.append("")
            except AssertionError as error:
                verdicts.append(str(error))
        assert [bool(verdict) for verdict in verdicts] == [name in loses] * 2, verdicts
        if "type" not in verdicts[0]:
            assert verdicts[0] == verdicts[1]


@st.composite
def symbolic(draw, depth=3):
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from([x, x, y, sp.Integer(2), sp.Rational(-1, 3), sp.pi, sp.I, sp.Float(0.5)]))
    inner = symbolic(depth - 1)
    one = [
        "exp",
        "log",
        "sin",
        "tanh",
        "atanh",
        "Abs",
        "sqrt",
        "floor",
        "gamma",
        "re",
        "sign",
        "acos",
        "erf",
        "Heaviside",
    ]
    kind = draw(st.sampled_from(["Add", "Mul", "Pow", "Piecewise", "Max", *one]))
    if kind == "Piecewise":
        return sp.Piecewise((draw(inner), sp.re(draw(inner)) < sp.re(draw(inner))), (draw(inner), True))
    if kind == "Max":
        return sp.Max(sp.re(draw(inner)), sp.im(draw(inner)))
    if kind in one:
        return getattr(sp, kind)(draw(inner))
    return getattr(sp, kind)(draw(inner), draw(inner))


def test_a_notebook_knows_the_functions_and_bounds_of_the_grader(checks):
    here = checks._CheckSymbolic
    conditions = {"Piecewise", *expressions.RELATIONS, *expressions.CONNECTIVES}
    assert {*here._plain, *here._special, *here._others} == FUNCTIONS.keys() | conditions
    assert set(here._special) == {name for name, function in FUNCTIONS.items() if function.special}
    assert {*here._constants, "-oo"} == set(expressions.CONSTANTS)
    assert here._unevaluated == list(expressions.UNEVALUATED)
    for count in (expressions.MAX_NODES - 10, expressions.MAX_NODES + 10):
        answer = sp.Add(*(sp.Symbol(f"x{i}") for i in range(count)))
        assert checks._CheckSymbolic(answer).too_long == crossed(answer).too_long == (count > expressions.MAX_NODES)


@given(st.data())
def test_a_notebook_evaluates_as_the_grader_does(checks, data):
    try:
        expression = data.draw(symbolic())
    except (TypeError, ValueError, RecursionError):  # SymPy itself refuses it
        reject()
    assume(isinstance(expression, sp.Expr) and not isinstance(expression, sp.Number))
    there, here = crossed(expression), checks._CheckSymbolic(expression)
    assert (there.symbols, sorted(there.outside)) == (set(here.symbols), sorted(here.outside))
    point = {"x": Fraction(3, 7), "y": Fraction(-5, 3)}
    values = [answer.value_at(point, 40) for answer in (there, here)]
    if None in values and values != [None, None]:
        assert not 1e-9 < abs(next(value for value in values if value is not None)) < 1e9  # it exceeds the bounds there
    elif values[0] is not None:
        assert abs(values[0] - values[1]) <= mp.mpf(10) ** -35 * max(1, abs(values[0]))


# ---- exactly


@pytest.fixture
def judge(checks):
    def judged(answer, expected, points=({},), **options):
        for arrived in (answer, crossed(answer)):
            checks.check_expression(
                lambda a=arrived: a, "top", expected, list(points), "the top", "chapter Entropy", **options
            )

    return judged


@pytest.mark.parametrize("digits", [35, 60, 300, 450])
def test_a_long_fraction_does_not_pass_for_a_logarithm(judge, digits):
    near = sp.Rational(sp.N(sp.log(2), digits + 10))
    with pytest.raises(AssertionError, match="agrees with the right value in .* digits and then no longer|longer than"):
        judge(near, lambda: mp.log(2))
    judge(near, lambda: mp.log(2), exact=False)
    judge(sp.log(2), lambda: mp.log(2))
    judge(sp.log(4) / 2, lambda: mp.log(2))
    with pytest.raises(AssertionError, match="and then no longer|longer than"):
        judge(sp.log(2) + sp.Rational(1, 10**digits), lambda: mp.log(2))
    with pytest.raises(AssertionError, match="and then no longer|longer than"):
        judge(sp.Rational(1, 3) + sp.Rational(1, 10**digits), ["1/3"])


@pytest.mark.parametrize("near", [Fraction(1, 3) + Fraction(1, 10**35), Fraction(1, 3)])
def test_whether_an_answer_is_exact_must_not_depend_on_the_number_of_digits(judge, checks, near):
    near = sp.Rational(near.numerator, near.denominator)
    same = sp.Eq(sp.Integer(0), sp.Rational(1, 10**65), evaluate=False)  # equal to fifty digits
    with pytest.raises(checks.Undecided, match="a value to few digits and none to many"):
        judge(sp.Piecewise((near, same), evaluate=False), ["1/3"])
    # At a listed point, the value next to it counts, to many digits too.
    gap = sp.sin(x, evaluate=False) / x - 1
    judge(sp.Rational(1, 3) + gap, ["1/3"], [{"x": 0}])
    with pytest.raises(AssertionError, match="and then no longer"):
        judge(sp.Rational(1, 3) + sp.Rational(1, 10**35) + gap, ["1/3"], [{"x": 0}])


def test_a_value_next_to_a_gap_counts_if_the_point_is_listed(judge):
    judge(sp.sin(x, evaluate=False) / x + (1 - sp.cos(x)) / x**2, ["3/2"], [{"x": 0}])
    with pytest.raises(AssertionError, match="no numerical value|Expected: 1.5"):
        judge(1 / x, ["3/2"], [{"x": 0}])


def test_points_without_a_value_are_skipped_if_there_are_others(judge, checks):
    points = checks.check_points(x=(0, 1))
    gap = {i: sp.Rational(point["x"].numerator, point["x"].denominator) for i, point in enumerate(points)}

    def with_gaps(count):
        return sp.Piecewise((x, sp.And(*(sp.Ne(x, gap[i]) for i in range(count)))))

    judge(with_gaps(20), lambda x: x, points)
    with pytest.raises(AssertionError, match="has no numerical value"):
        judge(with_gaps(21), lambda x: x, points)
    judge(x, lambda x: mp.fdiv(1, 0) if x < mp.mpf(1) / 3 else x, points)


def test_the_message_shows_enough_digits_to_tell_values_apart(judge):
    with pytest.raises(AssertionError, match=r"top is 0\.333333333343333\.\nExpected: 0\.333333333333333\."):
        judge(sp.Rational(1, 3) + sp.Rational(1, 10**11), ["1/3"])


def test_short_decimals_are_compared_to_the_same_digits_as_long_ones(judge):
    judge(sp.Rational(1, 4), ["0.25"])
    judge(sp.Rational(1, 4) + sp.Rational(1, 10**10), ["0.25"], exact=False)
    with pytest.raises(AssertionError, match=r"Expected: 0\.25\."):
        judge(sp.Rational(1, 4) + sp.Rational(1, 10**8), ["0.25"], exact=False)
    with pytest.raises(AssertionError, match=r"Expected: 0\.25\."):
        judge(sp.Rational(1, 4) + sp.Rational(1, 10**29), ["0.25"])


def test_an_expected_function_without_values_passes_no_answer(judge):
    with pytest.raises(AssertionError, match="no numerical value"):
        judge(x, lambda x: mp.fdiv(1, 0), [{"x": 1}])


def test_what_cannot_be_judged_is_reported(judge):
    with pytest.raises(AssertionError, match="zeta is not among the functions that can be judged"):
        judge(sp.zeta(x), lambda x: x, [{"x": 3}])
    with pytest.raises(AssertionError, match="Take the element"):
        judge(sp.FiniteSet(1, 2), ["1"])
    with pytest.raises(AssertionError, match="longer than what can be judged"):
        judge(sp.Add(*(sp.Symbol("x") ** i for i in range(2_000))), lambda x: x, [{"x": 3}])


def test_equal_answers_have_one_digest_however_they_are_written():
    forms = [sp.log((1 - p) / p, 2), sp.log(1 - p, 2) - sp.log(p, 2), 2 * sp.atanh(1 - 2 * p) / sp.log(2)]
    assert len({canonical(crossed(form)) for form in forms}) == 1
    assert canonical(crossed(forms[0])) != canonical(crossed(1.0 * forms[0] + sp.Float(1e-20)))
    assert canonical(crossed(forms[0])) != canonical(crossed(-forms[0]))
