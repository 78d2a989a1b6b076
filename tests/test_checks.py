"""The functions by which test cells judge: every right form passes, every wrong one is told why, hidden ones tell nothing."""

import warnings
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp


@pytest.fixture(scope="module")
def checks(course):
    """The names of solutions/checks.py, read as a notebook reads them."""
    defined: dict = {}
    exec((course / "solutions" / "checks.py").read_text(encoding="utf-8"), defined)
    return SimpleNamespace(**defined)


@pytest.fixture
def check(checks):
    def make(function, **options):
        return checks.Check(function, "double", "what doubling means", "chapter Doubling", **options)

    return make


def message(judge, *args, **kwargs) -> str:
    with pytest.raises(AssertionError) as caught:
        judge(*args, **kwargs)
    return str(caught.value)


# ---- what is right passes, in every form


@pytest.mark.parametrize(
    "answer", [2, 2.0, np.float64(2), np.int64(2), np.array(2.0), Fraction(2), 2 + 1e-10, np.float32(2)]
)
def test_a_right_number_passes_in_every_form(check, answer):
    check(lambda x: answer).gives(2.0, 1)


@pytest.mark.parametrize("answer", [[2, 4], (2.0, 4.0), np.array([2, 4]), [Fraction(2), Fraction(4)]])
def test_right_numbers_pass_in_every_form(check, answer):
    check(lambda x: answer).gives([2, 4], [1, 2])


def test_infinities_and_nans_are_compared_as_values(check):
    check(lambda x: [np.inf, np.nan, -np.inf]).gives([np.inf, np.nan, -np.inf], 0)
    assert "nan (not a number)" in message(check(lambda x: np.nan).gives, 1.0, 0)


def test_warnings_and_prints_cost_nothing_and_are_reported_once(check, capsys):
    def loud(x):
        warnings.warn("careful", RuntimeWarning, stacklevel=1)
        print("thinking")
        return 2 * x

    judge = check(loud)
    judge.gives(2, 1)
    judge.gives(4, 2)
    shown = capsys.readouterr()
    assert shown.out.count("Note (no points lost)") == 1
    assert "careful" in shown.out
    assert shown.err == ""


# ---- what is wrong is told: received, expected, where to look


@pytest.mark.parametrize(
    ("answer", "received", "expected"),
    [
        (3.0, "double(1) returned 3", "Expected: 2."),
        ([2.0], "returned an array of shape (1,)", "Expected: a single number."),
        ("two", "returned 'two' (type str)", "Expected: a real number"),
        (2 + 0j, "type complex", "Expected: a real number"),
        (True, "type bool", "Expected: a real number"),
        ({2.0}, "type set", "Expected: a real number"),
    ],
)
def test_a_wrong_result_is_told_with_what_was_expected(check, answer, received, expected):
    text = message(check(lambda x: answer).gives, 2.0, 1)
    assert received in text
    assert expected in text
    assert "Look again at what doubling means (chapter Doubling)." in text


def test_nothing_returned_and_nothing_written_are_told_apart(check):
    def stub(x):
        raise NotImplementedError

    assert "returned None: is a return statement missing?" in message(check(lambda x: None).gives, 2.0, 1)
    assert message(check(stub).gives, 2.0, 1) == "double: not attempted."
    assert message(check(stub).refuses, -1) == "double: not attempted."


def test_an_error_on_valid_input_is_told_in_a_line(check):
    def broken(x):
        return x / 0

    text = message(check(broken).gives, 2.0, 1)
    assert "double(1) raised ZeroDivisionError: division by zero" in text


def test_the_first_wrong_place_of_an_array_is_named_with_enough_digits(check):
    text = message(check(lambda x: [1.0, 2.0000001]).gives, [1.0, 2.0], 0)
    assert "at index 1" in text
    assert "2.0000001" in text


def test_single_precision_is_recognised(check):
    text = message(check(lambda x: np.float32(0.1) * np.ones(2, np.float32)).gives, [0.1, 0.1], 0)
    assert "computed in float32" in text


def test_tolerances_are_those_of_the_contract(check):
    check(lambda x: 1 + 9e-10).gives(1.0, 0)
    message(check(lambda x: 1 + 3e-9).gives, 1.0, 0)
    check(lambda x: 9e-13).gives(0.0, 0)
    message(check(lambda x: 3e-12).gives, 0.0, 0)
    message(check(lambda x: 1e-300).gives_exactly, 0.0, 0)


def test_minus_zero_is_noticed_only_where_it_is_asked_for(check):
    check(lambda x: -0.0).gives(0.0, 0)
    assert "returned -0.0" in message(check(lambda x: -0.0).gives_no_minus_zero, 0.0, 0)
    check(lambda x: 0.0).gives_no_minus_zero(0.0, 0)


def test_integers_and_bounds(check):
    check(lambda x: [1, 2]).gives_integers([1, 2], 0)
    assert "integers, of type int" in message(check(lambda x: [1.0, 2.0]).gives_integers, [1, 2], 0)
    check(lambda x: 0.7).gives_between(0.69, 1.01, 0)
    assert "a number from 0.69 to 1.01" in message(check(lambda x: 2.0).gives_between, 0.69, 1.01, 0)
    message(check(lambda x: np.nan).gives_between, 0, np.inf, 0)


def test_only_a_value_error_refuses(check):
    def strict(x):
        raise ValueError("x must be positive")

    def clumsy(x):
        raise TypeError("no")

    check(strict).refuses(-1)
    assert "raised TypeError: no" in message(check(clumsy).refuses, -1)
    assert "returned 2" in message(check(lambda x: 2).refuses, -1)
    check(lambda x: 1.0).accepts(0)
    message(check(strict).accepts, 0)


def test_a_changed_argument_is_noticed_and_spoils_no_other_check(check):
    def greedy(x):
        x *= 2
        return x

    given = np.array([1.0, 2.0])
    judge = check(greedy)
    judge.gives([2.0, 4.0], given)
    assert given.tolist() == [1.0, 2.0]
    assert "changed its argument number 1 to [2, 4]" in message(judge.keeps_arguments, given)
    check(lambda x: 2 * x).keeps_arguments(given)


# ---- hidden checks give the idea and nothing else


def test_hidden_checks_leak_neither_arguments_nor_values(check, capsys):
    def chatty(x):
        print("argument", x)
        warnings.warn(f"got {x}", stacklevel=1)
        raise ValueError(f"secret {x}")

    def wrong(x):
        print("argument", x)
        return 123.456

    for function in (chatty, wrong, lambda x: None, lambda x: [1, 2], lambda x: "text"):
        text = message(check(function, hidden=True).gives, 987.5, 31337)
        for secret in ("31337", "987.5", "123.456", "secret"):
            assert secret not in text
    assert "Look again at what doubling means (chapter Doubling)" in text
    assert "31337" not in capsys.readouterr().out


# ---- SymPy answers, by meaning


P = sp.Symbol("p")
RIGHT = sp.log((1 - P) / P, 2)


@pytest.fixture
def judge(checks):
    points = checks.check_points(p=(0, 1))

    def judge_expression(answer, **options):
        def get():
            if isinstance(answer, Exception):
                raise answer
            return answer

        return checks.check_expression(get, "slope", RIGHT, points, "the slope of H", "chapter Entropy", **options)

    return judge_expression


def test_points_lie_inside_their_interval_and_are_the_same_each_time(checks):
    points = checks.check_points(p=(0, 1), x=(-2, 3))
    assert len(points) == 20
    assert points == checks.check_points(p=(0, 1), x=(-2, 3))
    assert all(0 < point["p"] < 1 and -2 < point["x"] < 3 for point in points)
    assert len({point["p"] for point in points}) == 20


@pytest.mark.parametrize(
    "answer",
    [
        RIGHT,
        sp.log(1 - P, 2) - sp.log(P, 2),
        -sp.log(P / (1 - P)) / sp.log(2),
        sp.log((1 - sp.Symbol("p", positive=True)) / sp.Symbol("p", positive=True)) / sp.log(2),
        sp.diff(-P * sp.log(P, 2) - (1 - P) * sp.log(1 - P, 2), P),
        sp.Derivative(-P * sp.log(P, 2) - (1 - P) * sp.log(1 - P, 2), P),
    ],
)
def test_every_equivalent_form_is_right(judge, answer):
    judge(answer)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (NameError("slope"), "not attempted"),
        (None, "not attempted"),
        (Ellipsis, "not attempted"),
        (sp.log((1 - P) / P), "slope"),
        (-RIGHT, "slope"),
        (1.0, "a float"),
        (sp.log((1 - P) / P) / 0.6931471805599453, "contains the float"),
        (sp.log((1 - P) / P) * sp.Rational(14426950408889634, 10**16), "slope"),
        (sp.Symbol("q") + RIGHT, "contains the symbol q"),
        ("log2((1-p)/p)", "SymPy expression"),
        ([RIGHT], "Take the element"),
    ],
)
def test_a_wrong_expression_is_told_why(judge, answer, says):
    assert says in message(judge, answer)


def test_a_hidden_expression_check_leaks_nothing(judge):
    text = message(judge, sp.log((1 - P) / P), hidden=True)
    assert "hidden test failed" in text
    assert "log" not in text
