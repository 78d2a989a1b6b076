"""What ps3 says about an input on which a faulty function is to fail."""

import numpy as np
import pytest

from autograder.problem_set.source import find_problem_sets, grade_id
from autograder.problem_set.versions import student_version


@pytest.fixture(scope="module")
def show(course):
    """What students call: `show_failing_input`."""
    (problem_set,) = find_problem_sets(course, ["ps3-bugfix"])
    names: dict = {"__name__": "__main__"}
    for cell in student_version(problem_set).cells:
        if grade_id(cell) in ("checks", "failing_inputs"):
            exec(cell.source, names)
    return names["show_failing_input"]


def faulty_logarithm(x):
    return np.log(x) + np.log(x)


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ("(1.0,)", "faulty_logarithm(1.0)\nreturns 0.0\n"),
        ("None", "logarithm_failing_input returned None: is a return statement missing?\n"),
        ("[1.0]", "This is no tuple of arguments, but a list."),
        ("(1.0, 2.0)", "Your tuple has the length 2."),
        ("(x,)", "logarithm_failing_input raises NameError: name 'x' is not defined\n"),
        ("(None,)", "Are these arguments valid? The docstring of logarithm says which are.\n"),
    ],
)
def test_what_comes_of_an_input_is_shown(show, capsys, returned, says):
    names: dict = {}
    exec(f"def logarithm_failing_input():\n    return {returned}", names)
    show(names["logarithm_failing_input"], faulty_logarithm)
    assert says in capsys.readouterr().out


def test_a_warning_that_comes_twice_is_shown_once(show, capsys):
    show(lambda: (0.0,), faulty_logarithm)
    assert capsys.readouterr().out.count("and warns: divide by zero") == 1


def test_nan_is_no_change_of_an_argument(show, capsys):
    show(lambda: ([np.nan, 1.0],), faulty_logarithm)
    assert "changes its arguments" not in capsys.readouterr().out
