"""The functions with which test cells judge: right forms pass, wrong ones are explained, hidden checks reveal nothing."""

import ast
import linecache
import math
import warnings
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from mpmath import mp

from tests.support.judging import message


def test_no_sentence_is_written_twice(course):
    """Whoever rewords or translates a message finds it in one place."""
    code = ast.parse((course / "solutions" / "checks.py").read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(code) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    sentences = Counter(text for text in texts if len(text.split()) >= 6)
    assert len(sentences) > 100
    assert [text for text, times in sentences.items() if times > 1] == []


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


# ---- a mistake that is easily recognised is named


@pytest.mark.parametrize(
    ("answer", "expected", "named"),
    [
        (lambda x: -x, [1.0, 2.5], "That is right but for the sign."),
        (lambda x: x * np.log(2), [1.0, 2.5], "That would be right in nats; bits are expected."),
        (lambda x: x / np.log(2), [1.0, 2.5], "That would be right in bits; nats are expected."),
        (lambda x: 1 - x, [0.25, 0.625], "That is 1 minus the right value."),
        (lambda x: 2 * x, [1.0, 2.5], "That is 2 times the right value."),
        (lambda x: x / 2, [1.0, 2.5], "That is the right value divided by 2."),
        (lambda x: 3 * x, [1.0, 2.5, 3.0], "That is 3 times the right value: a sum where a mean is expected?"),
        (lambda x: x / 3, [1.0, 2.5, 3.0], "That is the right value divided by 3: a mean where a sum is expected?"),
        (lambda x: x**2, [1.0, 2.5], "That is the square of the right value."),
        (np.sqrt, [1.0, 2.5], "That is the root of the right value."),
        (np.log, [1.0, 2.5], "That is the logarithm of the right value."),
        (np.exp, [1.0, 2.5], "is a logarithm missing?"),
        (lambda x: 1 / x, [1.0, 2.5], "That is 1 divided by the right value."),
        (lambda x: x.T, [[1.0, 2.5], [0.0, 3.0]], "Rows and columns are exchanged."),
        (lambda x: x.T, [[1.0, 2.5, 4.0], [0.0, 3.0, 5.0]], "Rows and columns are exchanged."),
        (lambda x: x[:, None], [1.0, 2.5], "An axis of length 1 is left over"),
        (lambda x: x.sum(), [1.0, 2.5], "One number for everything"),
        (lambda x: x - x[:, None], [1.0, 2.5], "A row met a column, and broadcast to a table of all pairs."),
        (lambda x: x / (1 + 2e-8), [1.0, 2.5], "That is right to 7 digits only: was a small number added"),
        (lambda x: x > 2, [1.0, 2.5], "True and False are no numbers here"),
    ],
)
def test_a_common_mistake_is_named_by_a_visible_check_alone(check, answer, expected, named):
    expected = np.array(expected)
    told = message(check(answer).gives, expected, expected)
    assert named in told.split("\n")[2]
    assert told.split("\n")[3].startswith("Look again at")
    assert named not in message(check(answer, hidden=True).gives, expected, expected)


def without_a_name(text: str) -> str:
    """Return a message without the line that names a mistake."""
    lines = text.split("\n")
    return "\n".join([*lines[:2], *lines[-1:]])


@pytest.mark.parametrize("answer", [lambda x: 9.0, lambda x: 3.1, lambda x: -2.0])
def test_a_result_that_looks_like_no_mistake_or_like_several_gets_no_name(check, answer):
    """Nine is three times three, and the square of three; a whole number may be met by chance."""
    assert len(message(check(answer).gives, 3.0, [1.0, 1.0, 1.0]).split("\n")) == 3
    assert len(message(check(lambda x: 25.0).gives, 5.0, 2).split("\n")) == 3


@pytest.mark.parametrize(("answer", "says"), [(np.nan, "nan comes of 0 * inf"), (-np.inf, "the logarithm of 0")])
def test_an_answer_without_bounds_is_told_where_such_a_thing_comes_from(check, answer, says):
    judge, part = check(lambda x: [1.0, answer]), check(lambda x: {"w": [1.0, answer]})
    for text in (
        message(judge.gives, [1.0, 2.0], 0),
        message(judge.gives_between, [1.0, 2.0], [3.0, 4.0], 0),
        message(part.gives_entries, {"w": [1.0, 2.0]}, 0),
    ):
        assert says in text.splitlines()[2]
    assert says not in message(check(lambda x: [1.0, answer], hidden=True).gives, [1.0, 2.0], 0)
    assert "comes of" not in message(check(lambda x: [1.0, answer]).gives, [2.0, answer], 0), "it is expected there"


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
    assert "work of rounding" in message(check(lambda x: -1e-16).gives_between, 0.0, 1.0, 0)
    assert "work of rounding" not in message(check(lambda x: -0.1).gives_between, 0.0, 1.0, 0)


def test_only_a_value_error_refuses(check):
    def strict(x):
        raise ValueError("x must be positive")

    def clumsy(x):
        raise TypeError("no")

    check(strict).refuses(-1)
    assert "raised TypeError: no" in message(check(clumsy).refuses, -1)
    assert "np.asarray" in message(check(lambda x: x - 1).refuses, [1])
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
    text = message(judge.keeps_arguments, given)
    assert "changed its argument number 1 to [2, 4]" in text
    assert "what doubling means" not in text, "whatever the check is about, here it is what changes in place"
    assert text.endswith("np.asarray makes no copy of an array (chapter Broadcasting, Nothing is copied).")
    assert "Broadcasting" not in message(check(greedy, hidden=True).keeps_arguments, given)
    check(lambda x: 2 * x).keeps_arguments(given)


# ---- each way of judging: right answers in every accepted form, and each kind of wrong one with its message

EXPECTED = {"w": [1.0, 2.0], "b": 3.0}
SHAPES = {"w": (2,), "b": ()}

#: Each way of judging and what it asks for; the following tests apply to all of them.
WAYS = {
    "gives": 2.0,
    "gives_exactly": 2.0,
    "gives_no_minus_zero": 2.0,
    "gives_integers": 2,
    "gives_silently": 2.0,
    "gives_bool": True,
    "gives_parts": EXPECTED,
    "gives_entries": EXPECTED,
    "gives_entries_of_shape": SHAPES,
}
SAYS_FIRST = "Look again at what doubling means (chapter Doubling)."


@pytest.mark.parametrize(("way", "expected"), WAYS.items())
def test_every_way_of_judging_tells_first_what_keeps_a_result_from_being_one(check, way, expected):
    def stub(x):
        raise NotImplementedError

    def broken(x):
        raise KeyError("x")

    def judged(function, **options):
        return message(getattr(check(function, **options), way), expected, 1)

    assert judged(stub) == "double: not attempted."
    assert judged(lambda x: None) == "double returned None: is a return statement missing?"
    wanted = {True: "True", 2: "2"}.get(expected if np.isscalar(expected) else None, "a result: this input is valid")
    wanted = {"gives_parts": "2 parts, (w, b)", "gives_entries": "a dict with the keys 'w', 'b'"}.get(way, wanted)
    cause = "A dictionary lacks this key: print its keys, and compare them with the docstring."
    assert judged(broken) == f"double(1) raised KeyError: 'x'.\nExpected: {wanted}.\n{cause}\n{SAYS_FIRST}"
    assert "(type str)" in judged(lambda x: "text")
    assert judged(lambda x: "text", hidden=True).startswith("double: a hidden test failed. Look again at what doubling")


@pytest.mark.parametrize("answer", [True, np.True_, np.array([1, 2]).any()])
def test_a_truth_value_passes_in_every_form(check, answer):
    check(lambda x: answer).gives_bool(True, 0)


@pytest.mark.parametrize(
    ("answer", "received", "expected"),
    [
        (False, "double(0) returned False", "True"),
        (np.False_, "double(0) returned False", "True"),
        (1, "double(0) returned 1 (type int)", "True or False"),
        ("True", "double(0) returned 'True' (type str)", "True or False"),
        ([True], "double(0) returned [True] (type list)", "True or False"),
    ],
)
def test_what_is_not_the_truth_value_is_told(check, answer, received, expected):
    text = message(check(lambda x: answer).gives_bool, True, 0)
    assert without_a_name(text) == f"{received}.\nExpected: {expected}.\n{SAYS_FIRST}"


def test_a_warning_matters_only_where_silence_is_asked_for(check, capsys):
    def loud(x):
        warnings.warn("careful", RuntimeWarning, stacklevel=1)
        return 2 * x

    assert "double(1) gave RuntimeWarning: careful.\nExpected: no warning." in message(check(loud).gives_silently, 2, 1)
    check(loud).gives(2, 1)
    check(lambda x: 2 * x).gives_silently([2, 4], np.array([1, 2]))
    assert "returned 2.\nExpected: 3." in message(check(lambda x: 2 * x).gives_silently, 3, 1)
    assert "careful" not in message(check(loud, hidden=True).gives_silently, 2, 1)


@pytest.mark.parametrize("whole", [tuple, list])
@pytest.mark.parametrize("w", [[1, 2], (1.0, 2.0), np.array([1.0, 2.0 + 1e-10]), [Fraction(1), Fraction(2)]])
@pytest.mark.parametrize("b", [3, np.float64(3), np.array(3.0)])
def test_right_parts_pass_in_every_form(check, whole, w, b):
    check(lambda x: whole([w, b])).gives_parts(EXPECTED, 0)


def test_a_part_that_is_not_asked_for_may_be_anything(check):
    check(lambda x: ([1, 2], object())).gives_parts({"w": [1, 2], "cache": None}, 0)
    assert "double(0): w is 2 at index 0" in message(
        check(lambda x: ([2, 2], object())).gives_parts, {"w": [1, 2], "cache": None}, 0
    )


@pytest.mark.parametrize(
    ("answer", "received", "expected"),
    [
        (np.array([1.0, 2.0]), "double(0) returned [1, 2] (type ndarray of float64)", "2 parts, (w, b)"),
        (([1, 2],), "double(0) returned 1 parts", "2 parts, (w, b)"),
        (([1, 2], 3, 4), "double(0) returned 3 parts", "2 parts, (w, b)"),
        (("one", 3), "double(0): w is 'one' (type str)", "a real number, or an array of real numbers"),
        (([1, 2], None), "double(0): b is None (type NoneType)", "a real number, or an array of real numbers"),
        (([[1, 2]], 3), "double(0): w is an array of shape (1, 2)", "an array of shape (2,)"),
        (([1, 2], [3]), "double(0): b is an array of shape (1,)", "a single number"),
        ((3, [1, 2]), "double(0): w is a single number", "an array of shape (2,)"),
        (([1, 2.5], 3), "double(0): w is 2.5 at index 1", "2 there"),
        (([1, np.nan], 3), "double(0): w is nan at index 1", "2 there"),
        (([1, 2], np.float32(3.3)), "double(0): b is 3.3 (computed in float32; use float64)", "3"),
    ],
)
def test_what_is_wrong_with_the_parts_is_told(check, answer, received, expected):
    text = message(check(lambda x: answer).gives_parts, EXPECTED, 0)
    assert without_a_name(text) == f"{received}.\nExpected: {expected}.\n{SAYS_FIRST}"


@pytest.mark.parametrize("w", [[1, 2], (1.0, 2.0), np.array([1.0, 2.0 + 1e-10]), [Fraction(1), Fraction(2)]])
@pytest.mark.parametrize("more", [{}, {"unasked": "anything"}])
def test_right_entries_pass_in_every_form(check, w, more):
    check(lambda x: {"b": 3, "w": w} | more).gives_entries(EXPECTED, 0)
    check(lambda x: {"b": 3, "w": w} | more).gives_entries_of_shape(SHAPES, 0)


@pytest.mark.parametrize(
    ("answer", "received", "expected"),
    [
        ([1, 2], "double(0) returned [1, 2] (type list)", "a dict with the keys 'w', 'b'"),
        ({"w": [1, 2], "db": 3}, "double(0) returned a dict with 'w', 'db'", "the keys 'w', 'b'"),
        ({}, "double(0) returned a dict with no keys", "the keys 'w', 'b'"),
        ({"w": "one", "b": 3}, "double(0)['w'] is 'one' (type str)", "a real number, or an array of real numbers"),
        ({"w": [1, 2], "b": True}, "double(0)['b'] is True (type bool)", "a real number, or an array of real numbers"),
        ({"w": [[1], [2]], "b": 3}, "double(0)['w'] is an array of shape (2, 1)", "an array of shape (2,)"),
        ({"w": [1, 2], "b": [3]}, "double(0)['b'] is an array of shape (1,)", "a single number"),
        ({"w": [1, 2], "b": 3.5}, "double(0)['b'] is 3.5", "3"),
        ({"w": [1, np.nan], "b": 3}, "double(0)['w'] is nan at index 1", "2 there"),
    ],
)
def test_what_is_wrong_with_the_entries_is_told(check, answer, received, expected):
    text = message(check(lambda x: answer).gives_entries, EXPECTED, 0)
    assert without_a_name(text) == f"{received}.\nExpected: {expected}.\n{SAYS_FIRST}"


def test_entries_that_are_right_are_named_beside_a_wrong_one(check):
    text = message(check(lambda x: {"w": [1, 2], "b": 3.5, "c": 0}).gives_entries, {"w": [1, 2], "b": 3, "c": 0}, 0)
    assert text.split("\n")[2] == "Right: 'w', 'c'."
    assert "Right" not in message(check(lambda x: {"w": 0, "b": 0}).gives_entries, EXPECTED, 0)


def test_a_list_of_another_length_is_shown_itself(check):
    """A function that returns the shape (3,) where (2, 3) is right was told about an array of shape (1,)."""
    text = message(check(lambda x: (3,)).gives, (2, 3), 0)
    assert "double(0) returned (3,).\nExpected: (2, 3)." in text
    text = message(check(lambda x: list(range(14))).gives, [0] * 13, 0)
    assert "returned a list of 14 numbers.\nExpected: a list of 13 numbers." in text
    text = message(check(lambda x: [1 / 3] * 5).gives, [1 / 3] * 4, 0)
    assert "returned a list of 5 numbers.\nExpected: a list of 4 numbers." in text
    text = message(check(lambda x: x[0]).gives, (10**12, 4), (0,))
    assert "returned a single number" in text

    def fails(x):
        raise ValueError

    assert "Expected: (1000000000000, 4)." in message(check(fails).gives, (10**12, 4), 0)


def test_entries_are_compared_with_the_tolerances_of_the_contract(check):
    check(lambda x: {"w": [1 + 9e-10, 2], "b": 3}).gives_entries(EXPECTED, 0)
    assert "1.000000003" in message(check(lambda x: {"w": [1 + 3e-9, 2], "b": 3}).gives_entries, EXPECTED, 0)


def test_entries_of_a_shape_come_back_as_arrays_of_floats(check):
    arrays = check(lambda x: {"w": [1, 2], "b": Fraction(3), "more": "words"}).gives_entries_of_shape(
        {"w": (2,), "b": None}, 0
    )
    assert list(arrays) == ["w", "b"]
    assert arrays["w"].dtype == arrays["b"].dtype == float
    assert arrays["w"].tolist() == [1.0, 2.0]
    assert check(lambda x: {"w": np.ones((4, 5))}).gives_entries_of_shape({"w": None}, 0)["w"].shape == (4, 5)


@pytest.mark.parametrize(
    ("answer", "received", "expected"),
    [
        ([1, 2], "double(0) returned [1, 2] (type list)", "a dict with the keys 'w', 'b'"),
        ({"w": [1, 2]}, "double(0) returned {'w': [1, 2]} (type dict)", "a dict with the keys 'w', 'b'"),
        ({"w": "one", "b": 3}, "double(0)['w'] is 'one' (type str)", "a finite number, or an array of finite numbers"),
        (
            {"w": [1, 2], "b": np.inf},
            "double(0)['b'] is inf (type float)",
            "a finite number, or an array of finite numbers",
        ),
        ({"w": [1, 2, 3], "b": 3}, "double(0)['w'] is an array of shape (3,)", "an array of shape (2,)"),
        ({"w": [1, 2], "b": [3]}, "double(0)['b'] is an array of shape (1,)", "a single number"),
    ],
)
def test_what_is_wrong_with_the_shapes_of_entries_is_told(check, answer, received, expected):
    text = message(check(lambda x: answer).gives_entries_of_shape, SHAPES, 0)
    assert without_a_name(text) == f"{received}.\nExpected: {expected}.\n{SAYS_FIRST}"


@pytest.mark.parametrize(
    ("way", "expected", "answer"),
    [
        ("gives_parts", EXPECTED, ([1, 2], 3)),
        ("gives_entries", EXPECTED, {"w": [1, 2], "b": 3}),
        ("gives_entries_of_shape", SHAPES, {"w": [1, 2], "b": 3}),
    ],
)
def test_a_warning_beside_right_parts_and_entries_is_reported(check, capsys, way, expected, answer):
    def loud(x):
        warnings.warn("careful", RuntimeWarning, stacklevel=1)
        return answer

    getattr(check(loud), way)(expected, 0)
    assert capsys.readouterr().out == "Note (no points lost): double(0) gave RuntimeWarning: careful.\n"
    getattr(check(loud, hidden=True), way)(expected, 31337)
    assert capsys.readouterr().out == "Note (no points lost): double gave a warning in a hidden test.\n"


def test_long_texts_are_cut(check):
    def wordy(x):
        raise RuntimeError("x" * 200)

    assert "RuntimeError: " + "x" * 159 + "….\n" in message(check(wordy).gives, 1, 0)
    assert "returned '" + "x" * 58 + "… (type str)" in message(check(lambda x: "x" * 200).gives, 1, 0)


# ---- what a message prints can be pasted


@pytest.mark.parametrize(
    "argument",
    [
        3,
        3.0,
        -0.0,
        float("inf"),
        float("-inf"),
        True,
        None,
        "fog",
        np.float64(0.1),
        np.int64(3),
        [1, 2.0],
        (3,),
        (1, [2, 3]),
        {"W1": np.array([[1.0, -np.inf]]), "b1": 2},
        np.array([1.0, 1 / 3, 1e9 + 1]),
        np.array([1, 2, 3]),
        np.array([True, False]),
        np.array([3, 90], dtype=np.uint8),
        np.array(5.0),
        np.zeros((0, 3)),
        np.zeros((2, 5)),
        np.full((3, 2), -0.0),
        np.full(7, 0.1),
        np.array([np.nan, 1.0]),
    ],
)
def test_an_argument_is_written_as_code_that_makes_it(checks, argument):
    written = checks._check_code(argument)
    again = eval(written, {"np": np})
    assert type(again) is type(argument)
    assert repr(again) == repr(argument)
    if isinstance(argument, np.ndarray):
        assert again.dtype == argument.dtype
        np.testing.assert_array_equal(np.signbit(again), np.signbit(argument))


def test_a_large_array_is_written_as_the_expression_that_makes_it(check, checks):
    X = checks.check_made("np.random.default_rng(1).normal(size=(1000, 2))")
    text = message(check(lambda X: 0.0).gives, 1.0, X.copy())
    assert text.startswith("double(np.random.default_rng(1).normal(size=(1000, 2))) returned 0.")
    halved = checks.check_made("X[::2] + offset", X=X, offset=1)
    assert checks._check_code(halved) == "X[::2] + offset"
    assert checks._check_code(X + 1e-9) == "an array of shape (1000, 2)"
    square = checks.check_made("lambda x: x**2")
    assert square(3) == 9
    assert "double(lambda x: x**2) returned 0" in message(check(lambda f: 0.0).gives, 1.0, square)


def test_a_call_is_written_as_the_test_says(check):
    first = check(lambda *args: 0.0, call="double({})[0]")
    assert "double([1, 2], 3)[0] returned 0" in message(first.gives, 1.0, [1, 2], 3)
    pair = check(lambda *args: 0.0, call="Doubling({1}).fit({0})")
    assert "Doubling(0.5).fit({'a': [1]}) returned 0" in message(pair.gives, 1.0, {"a": [1]}, 0.5)


# ---- an error leads to its cause


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("x - 1", "np.asarray"),
        ("x.shape", "np.asarray"),
        ("(2).shape", "np.asarray"),
        ("(2).data", "an object of a class is meant"),
        ("(2.5).exp()", "an object of a class is meant"),
        ("np.log(2.0, 2)", "is no base"),
        ("np.ones((2, 2)).sum(axis=[0, 1])", "axis=(1, 2)"),
        ("np.ones(2)[np.array([0.0, 1.0])]", ".astype(int)"),
        ("x[float(0)]", ".astype(int)"),
        ("int(np.ones(2))", ".astype(int)"),
        ("math.exp(type('Value', (), {})())", "call a method of the object"),
        ("math.exp(None)", "without a return statement"),
        ("type('Value', (), {})() > 0", "compare the numbers in them"),
        ("0 < type('Value', (), {})()", "compare the numbers in them"),
        ("double(x)", "calls itself, without end or once for each of many"),
        ("math.cos", "import"),
        ("math.exp(np.array([1.0, 2.0]))", "The functions of math take one number"),
        ("1 if np.array(x) > 0 else 2", "np.minimum choose for each entry"),
        ("2 ** -np.array([1, 2])", "An array of integers stays one"),
        ("len(None)", "without a return statement"),
        ("missing", "misspelt"),
        ("np.ones(2, dtype=int).__isub__(0.5)", "write x = x - 0.5"),
        ("(1, 2).grad", "one of its entries is meant"),
        ("[1, 2].grad", "one of its entries is meant"),
        ("x.sum()", "np.asarray"),
        ("(1, 2).shape", "np.asarray"),
        ("max(np.float64(2))", "A single number has no entries"),
        ("max(0.0, np.array(x))", "np.maximum"),
        ("type('Value', (), {})().data", "without self."),
        ("x(2)", "are square brackets meant"),
        ("(max := 3) and max(x)", "give the name of a function"),
        ("{[1]: 2}", "__eq__ without __hash__"),
        ("np.ones(2)[np.array([0.0])]", "Places and counts are integers"),
        ("x[0.5]", "Places and counts are integers"),
        ("list(range(2.0))", "Places and counts are integers"),
        ("np.bincount(np.array([1.0]))", "Places and counts are integers"),
        ("x['w']", "np.asarray"),
        ("np.ones(2).append(3)", "other methods than a list"),
        ("(lambda a, b: a)(*x, 3)", "called as its docstring says"),
        ("(lambda broadcast_shape: broadcast_shape)()", "called as its docstring says"),
        ("2 ** type('Value', (), {})()", "such as __radd__"),
        ("type('Value', (), {})() ** 2", "no method for this operator"),
        ("type('Value', (), {})().backward()", "run that cell again"),
    ],
)
def test_an_error_comes_with_what_usually_causes_it(check, body, says):
    names = {"np": np, "__name__": "__main__"} | ({} if body == "math.cos" else {"math": math})
    exec(f"def double(x):\n    return {body}", names)
    text = message(check(names["double"]).gives, [np.inf, 1.0], [1, 2])
    assert says in text.splitlines()[-1]
    assert "Expected: [inf, 1]." in text
    assert "what doubling means" not in text, "the idea is for wrong values"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("np.ones(2) + np.ones(3)", "print the shape"),
        ("np.ones((2, 3)) @ np.ones(2)", "print the shape"),
        ("np.ones(2)[0, 0]", "fewer axes or entries"),
        ("np.ones(3).sum(axis=1)", "fewer axes or entries"),
        ("np.ones(6).reshape(4)", "print the shape of the array before it"),
        ("(lambda: [(a, b) for a, b in [(1, 2, 3)]])()", "names on the left"),
        ("{'w': 1}['b']", "lacks this key"),
        ("max([])", "default=0"),
        ("int('one')", "Paste the call"),
        ("math.exp(1000)", "beyond all floats"),
        ("math.log(0)", "math.log has no value at 0"),
        ("math.log(-2.0)", "0 and below"),
        ("1 / 0", "A divisor is 0"),
    ],
)
def test_an_error_that_is_as_good_as_a_wrong_value_comes_with_its_cause_and_the_idea(check, body, says):
    names = {"math": math, "np": np}
    exec(f"def double(x):\n    return {body}", names)
    *_, cause, idea = message(check(names["double"]).gives, 1.0, 1).splitlines()
    assert says in cause
    assert idea == "Look again at what doubling means (chapter Doubling)."


def of_a_cell(tmp_path, source: str, name: str = "double"):
    """Return a function of a cell whose lines can be read, as IPython's can."""
    cell = tmp_path / "cell.py"
    cell.write_text(source)
    linecache.checkcache(str(cell))
    names = {"__name__": "__main__"}
    exec(compile(source, str(cell), "exec"), names)
    return names[name]


@pytest.mark.parametrize("line", ["raise ValueError('no')", "if x: raise ValueError('no')", "assert not x, 'no'"])
def test_who_refuses_valid_input_is_sent_to_the_own_condition(check, tmp_path, line):
    refusing = of_a_cell(tmp_path, f"def double(x):\n    {line}\n")
    text = message(check(refusing).gives, 2.0, 1)
    assert (
        text.splitlines()[-1]
        == "Your function refuses this input itself: which of its conditions is met here, and should it be?"
    )
    assert "Expected: 2." in text


def test_a_condition_that_fails_itself_is_no_refusal(check, tmp_path):
    asking = of_a_cell(
        tmp_path, "def double(x):\n    if x < 0: raise ValueError('x must be positive')\n    return 2 * x\n"
    )
    text = message(check(asking).gives, [2.0, 4.0], np.array([1, 2]))
    assert "np.any and np.all make one" in text.splitlines()[-1]
    far = ValueError("The truth value of an array with more than one element is ambiguous.")
    far.line_of_submission = "if x < 0: raise ValueError('x must be positive')"

    def remote(x):
        raise far

    assert "np.any and np.all make one" in message(check(remote).gives, 2.0, 1)


def test_who_breaks_on_invalid_input_by_chance_is_told_to_refuse_it(check):
    for broken in (lambda x: [0, 1][x], lambda x: {0: 1}[x], lambda x: 1 / (x - 2)):
        assert 'Refuse it by raise ValueError("…"), before that line.' in message(check(broken).refuses, 2)


def test_lists_that_alone_make_a_result_wrong_are_named(check):
    def compares(x, scale=1):
        return np.where(x == 1, 2 * scale, 0)

    blame = "With arrays in the place of the lists it is right: begin with x = np.asarray(x)."
    assert blame in message(check(compares).gives, [2, 0], [1, 0])
    assert blame not in message(check(compares).gives, [2, 0], np.array([0, 1]))
    assert blame not in message(check(compares).gives, [2, 1], [1, 0])
    assert blame not in message(check(compares, hidden=True).gives, [2, 0], [1, 0])


def test_a_long_call_stands_below_what_is_wrong(check, checks):
    many = np.arange(25) / 7
    text = message(check(lambda *args: 0.0).gives, 1.0, many)
    first, *_, last = text.splitlines()
    assert first == "double(…) returned 0."
    assert last == f"The call: double({checks._check_code(many)})"
    assert "The call" not in message(check(lambda *args: 0.0).gives, 1.0, many[:5])
    raised = message(check(lambda x: x["b"]).gives, 1.0, {"w": many})
    assert raised.startswith("double(…) raised KeyError: 'b'")
    assert "\nThe call: double({'w': np.array([0.0, " in raised


def test_an_error_shows_the_line_that_led_to_it_too(check, tmp_path):
    double = of_a_cell(tmp_path, "def half(x):\n    return x.y\n\ndef double(x):\n    return 4 * half(x)\n")
    text = message(check(double).gives, 2.0, 1)
    assert "in your line `return x.y`, which `return 4 * half(x)` called.\n" in text


def test_an_error_shows_the_line_of_the_answer(check, tmp_path):
    double = of_a_cell(tmp_path, "def double(x):\n    return x - 1\n")
    text = message(check(double).gives, 2.0, [1])
    assert "unsupported operand type(s) for -: 'list' and 'int', in your line `return x - 1`." in text
    assert "in your line" in message(check(double).refuses, [1])
    assert "return" not in message(check(double, hidden=True).gives, 2.0, [1])
    far = TypeError("no")
    far.line_of_submission = "return z"

    def remote(x):
        raise far

    assert "in your line `return z`" in message(check(remote).gives, 2.0, [1])


def test_a_notebook_shows_the_message_and_no_traceback(checks, check):
    with pytest.raises(AssertionError) as caught:
        check(lambda x: 3).gives(2.0, 1)
    assert type(caught.value).__name__ == "AssertionError"
    [shown] = caught.value._render_traceback_()
    assert shown == f"AssertionError: {caught.value}"
    with pytest.raises(AssertionError) as caught:
        checks.check_that(np.bool_(False), "no")
    assert caught.value._render_traceback_() == ["AssertionError: no"]
    checks.check_that(1 < 2, "yes")


# ---- points for arguments are for functions that answer


def test_a_dictionary_of_arrays_answers_too_and_the_entry_that_changed_is_named(check):
    def halves(x):
        x["a"] /= 2
        return x

    def adds(x):
        x["new"] = 0
        return {"a": x["a"]}

    given = {"a": np.ones(2), "b": np.ones(3)}
    check(lambda x: {"a": 2 * x["a"]}).keeps_arguments(given)
    check(lambda x: {"a": 2 * x["a"]}).answers((given,), ({"a": np.zeros(2)},))
    text = message(check(halves).keeps_arguments, given)
    assert "changed its argument number 1, the entry 'a' to [0.5, 0.5]." in text
    assert "changed its argument number 1: its keys are now 'a', 'b', 'new'." in message(
        check(adds).keeps_arguments, given
    )
    assert "returned the same" in message(check(lambda x: {}).answers, (given,), ({"a": np.zeros(2)},))


def test_a_function_answers_if_its_results_depend_on_the_arguments(check):
    check(lambda x: [y - 1 for y in x]).answers(([1, 2],), ([2, 2],))
    text = message(check(lambda x: [0, 0]).answers, ([1, 2],), ([2, 2],))
    assert text.startswith("double([1, 2]) and double([2, 2]) returned the same.\nExpected: results that depend on")
    message(check(lambda x: None).answers, ([1, 2],), ([2, 2],))


def test_a_hidden_test_of_tests_says_which_way_it_failed(check):
    told = {True: "a right candidate was refused", False: "a wrong candidate was accepted"}
    says = message(check(lambda f: False, hidden=True, told=told).gives_bool, True, abs)
    assert says.startswith("double: a hidden test failed: a right candidate was refused. Look again at what doubling")
    says = message(check(lambda f: True, hidden=True, told=told).gives_bool, False, abs)
    assert says.startswith("double: a hidden test failed: a wrong candidate was accepted. Look again")
    assert "refused" not in message(check(lambda f: None, hidden=True, told=told).gives_bool, True, abs)
    says = message(check(lambda f: False, told=told).gives_bool, True, abs)
    assert "Expected: True.\nA right candidate was refused.\nLook again at" in says


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

        return checks.check_expression(
            get, "slope", lambda p: mp.log((1 - p) / p, 2), points, "the slope of H", "chapter Entropy", **options
        )

    return judge_expression


def test_points_lie_inside_their_interval_and_are_the_same_each_time(checks):
    points = checks.check_points(p=(0, 1), x=(-2, 3))
    assert len(points) == 40
    assert points == checks.check_points(p=(0, 1), x=(-2, 3))
    assert all(0 < point["p"] < 1 and -2 < point["x"] < 3 for point in points)
    assert len({point["p"] for point in points}) == 40


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


@pytest.mark.parametrize("answer", [2, sp.Integer(2), Fraction(4, 2), sp.Symbol("p") - sp.Symbol("p") + 2])
def test_a_right_number_is_an_expression_too(checks, answer):
    checks.check_expression(lambda: answer, "top", lambda p: 2, [{"p": 1}], "the top", "chapter Entropy")


def test_values_at_the_points_may_stand_for_the_right_expression(checks):
    points = [{"p": "1/4"}, {"p": Fraction(1, 2)}]

    def judged(answer):
        return checks.check_expression(
            lambda: answer, "slope", ["0.1", Fraction(1, 5)], points, "the slope", "chapter Entropy"
        )

    assert [mp.nstr(value, 30) for value in judged(2 * P / 5)] == ["0.1", "0.2"]
    assert "At p = 1/2, slope is 0.1.\nExpected: 0.2." in message(judged, sp.Rational(1, 10))


def test_floats_and_nine_digits_are_enough_where_exactness_is_not_asked_for(checks):
    def judged(answer, **options):
        checks.check_expression(lambda: answer, "top", ["1/3"], [{}], "the top", "chapter Entropy", **options)

    judged(1 / 3, exact=False)
    judged(sp.Float("0.3333333331"), exact=False)
    assert "top is 0.333333335" in message(judged, sp.Float("0.333333335"), exact=False)
    assert "top is 0.333333333, a float.\nExpected: an exact expression: write sp.Rational(1, 3), not" in message(
        judged, 1 / 3
    )
    assert "write 2, not 2.0" in message(judged, 2.0 * P)
    assert "write sp.Rational(1, 3) and sp.log(3)" in message(judged, sp.pi.evalf())
    assert "Expected: an exact number of SymPy." in message(judged, "1/3")
    assert "contains the float" in message(judged, sp.Float("0.3333333333"))
    assert "top is 0.333333333" in message(judged, sp.Rational(1, 3) + sp.Rational(1, 10**29))
    assert "agrees with the right value in 40 digits" in message(judged, sp.Rational(1, 3) + sp.Rational(1, 10**40))
    judged(sp.Rational(1, 3) + sp.Rational(1, 10**40), exact=False)


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
        ([{P: RIGHT}], "sp.solve chose for which symbol to solve"),
        (RIGHT / (P - P), "has no numerical value"),
        (sp.Integral(sp.Function("f")(P), P), "has no numerical value"),
    ],
)
def test_a_wrong_expression_is_told_why(judge, answer, says):
    assert says in message(judge, answer)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (-RIGHT, "right but for the sign"),
        (RIGHT * sp.log(2), "right in nats; bits are expected"),
        (RIGHT / sp.log(2), "right in bits; nats are expected"),
    ],
)
def test_an_expression_that_is_wrong_in_a_common_way_is_told_how(judge, answer, says):
    assert says in message(judge, answer).splitlines()[2]
    assert says not in message(judge, answer, hidden=True)
    assert len(message(judge, answer + P).splitlines()) == 3


def test_a_hidden_expression_check_leaks_nothing(judge):
    text = message(judge, sp.log((1 - P) / P), hidden=True)
    assert "hidden test failed" in text
    assert "log" not in text
