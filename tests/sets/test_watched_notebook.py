"""What the checks see of a notebook in which a student works: cells that stopped, and errors that have a plain reason."""

import re

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbgrader.validator import Validator

from autograder.common.cell_names import is_hidden
from autograder.problem_set.source import answered, find_problem_sets, grade_id, is_test, points
from autograder.problem_set.versions import student_version
from tests.support import ROOT

ANSWER = "def double(x):\n    return 2 * x"
STUB = "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
TEST = """@lambda test: test()
def test_of_this_cell():
    from checks_of_this_notebook import Check

    check = Check(double, "double", "what doubling means", "chapter Doubling")
    check.gives(4, 2)
del test_of_this_cell"""


@pytest.fixture(scope="module")
def cell_of_checks():
    """The cell of the checks as students receive it."""
    [ps1] = find_problem_sets(ROOT, ["ps1-information"])
    return next(cell.source for cell in ps1.notebook.cells if grade_id(cell) == "checks")


@pytest.fixture
def run(cell_of_checks, capsys):
    """A function that runs a cell and returns what the notebook shows."""
    InteractiveShell.clear_instance()  # another test's may hold names of its own
    shell = InteractiveShell.instance()

    def run(cell):
        shell.run_cell(cell)
        shown = capsys.readouterr()
        return re.sub(r"\x1b\[[0-9;]*m", "", shown.out + shown.err)

    assert run(cell_of_checks) == ""
    yield run
    InteractiveShell.clear_instance()


def test_a_test_of_what_is_not_defined_says_so_in_a_sentence(run):
    assert run(TEST).strip() == "NameError: double is not defined yet: write it in its cell, and run that cell."


def test_a_function_that_is_not_written_says_so_in_a_sentence_wherever_it_is_called(run):
    run(STUB)
    assert run("print(double(3))").strip() == "NotImplementedError: double is not written yet."
    run("class Value:\n    def twice(self):\n        raise NotImplementedError()")
    assert run("Value().twice()").strip() == "NotImplementedError: Value.twice is not written yet."
    assert run("# YOUR CODE HERE\nraise NotImplementedError()").strip() == (
        "NotImplementedError: Nothing is written in this cell yet."
    )


def test_a_test_names_the_other_function_that_is_not_written(run):
    run(STUB.replace("double", "twice"))
    run("def double(x):\n    return twice(x)")
    assert "double: not attempted. It needs twice, which is not written yet." in run(TEST)


def test_other_errors_are_shown_with_their_lines(run):
    shown = run("x = 1\nx + missing")
    assert "name 'missing' is not defined" in shown
    assert "x + missing" in shown


@pytest.mark.parametrize("broken", ["1 / 0\n" + ANSWER, "def double(x:\n    return 2 * x", "double = 1 / 0"])
def test_a_test_says_that_it_judges_what_an_earlier_run_made(run, cell_of_checks, broken):
    note = "Note: the cell of double stopped when it last ran. This test judges what an earlier run made of double."
    run(ANSWER)
    assert run(TEST) == ""
    run(broken)
    assert run(TEST).strip() == note
    run(cell_of_checks)  # which may run again
    assert run(TEST).strip() == note
    run(ANSWER)
    assert run(TEST) == ""


def test_a_cell_that_stopped_after_it_made_the_function_is_no_earlier_run(run):
    run(ANSWER)
    run(ANSWER + "\n1 / 0")
    assert run(TEST) == ""


@pytest.mark.parametrize("graded", [False, True])
def test_where_work_is_graded_nothing_is_watched(run, cell_of_checks, monkeypatch, graded):
    if graded:
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    shell = InteractiveShell.instance()
    shell.set_custom_exc((), None)
    run(cell_of_checks)
    assert bool(shell.custom_exceptions) != graded


def test_validate_counts_the_visible_points(tmp_path):
    """nbgrader shows failing tests alone; below each stand the points that are left, so the last one tells the score."""
    [ps1] = find_problem_sets(ROOT, ["ps1-information"])
    answers = {name: ps1.reference_answers[name] for name in ("information_content", "code_lengths")}
    answers["code_lengths"] = answers["code_lengths"].replace("ceil", "floor")
    nbformat.write(answered(student_version(ps1), answers), tmp_path / "ps1-information.ipynb")
    failed = Validator().validate(str(tmp_path / "ps1-information.ipynb"))["failed"]
    visible = {cell.source: points(cell) for cell in ps1.notebook.cells if is_test(cell) and not is_hidden(cell.source)}
    left = sum(visible.values())
    for cell in [cell for cell in failed if cell["source"] in visible]:  # the answer in words is no test
        left -= visible[cell["source"]]
        said = f"Visible points: {left:g} of {sum(visible.values()):g}, unless a test below fails, too."
        assert cell["raw_error"].rstrip().endswith(said)
    earned = {source for source in visible if source not in {cell["source"] for cell in failed}}
    assert 0 < left == sum(visible[source] for source in earned)
