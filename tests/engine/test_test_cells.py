"""A test cell's names: those of the locked cells, each test with its own copy of their data."""

import pytest

from autograder.engine.examiner.locked_cells import definitions
from autograder.engine.examiner.test_cell import run_test_cell


@pytest.mark.parametrize(
    "change",
    [
        "table[0] = 9",
        "table += [9]",
        "table[1].append(9)",
        "def change():\n    table.clear()\nchange()",
        "def change():\n    global table\n    table += [9]\nchange()",
    ],
)
def test_no_test_sees_what_another_has_changed(change):
    known = definitions("table = [1, [2]]", "data")
    assert run_test_cell(change, "first", known, None) == []
    assert run_test_cell("assert table == [1, [2]], table", "second", known, None) == []


def test_only_what_a_test_names_is_copied():
    known = definitions(
        "class Row:\n    def __deepcopy__(self, memo):\n        raise RuntimeError('copied')\ntable = [Row()]", "data"
    )
    assert run_test_cell("assert 1 == 1", "without", known, None) == []
    (output,) = run_test_cell("assert table", "with", known, None)
    assert output["ename"] == "RuntimeError"


def test_a_name_that_no_cell_defines_is_told_in_a_sentence():
    (output,) = run_test_cell("x = 1\nassert entropy(x) == 0", "missing", {}, None)
    assert output["ename"] == "NameError"
    assert output["evalue"] == "entropy is not defined: its cell does not define it, or stopped before it did."
    assert output["traceback"] == [f"NameError: {output['evalue']}"]


def test_another_name_error_is_the_tests_own():
    (output,) = run_test_cell("def of_test():\n    del x\n    return x\nof_test()", "own", {}, None)
    assert "x" in output["evalue"]
    assert len(output["traceback"]) > 1


def test_a_cell_that_is_no_python_fails_with_that_error():
    (output,) = run_test_cell("assert (", "broken", {}, None)
    assert output["ename"] == "SyntaxError"
