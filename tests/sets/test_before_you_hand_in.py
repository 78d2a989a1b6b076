"""The last cell of each set, in a kernel, beside the notebook's file: what it lists, and what it warns of."""

import ast
import re

import nbformat
import pytest
from nbclient import NotebookClient

from autograder.engine.score import grade
from autograder.engine.shared.limits import Limits
from autograder.problem_set.source import answered, find_problem_sets, grade_id
from autograder.problem_set.versions import student_version
from book.extensions.downloads.problem_set_archive import STUDENT_PACKAGES
from tests.support import ROOT

SOURCE = (ROOT / "solutions" / "before_you_hand_in.py").read_text(encoding="utf-8")


def is_last_cell(cell) -> bool:
    return cell.cell_type == "code" and "def before_you_hand_in" in cell.source


def printed(folder, saved, ran) -> str:
    """Run cells in a kernel while the file beside it holds `saved`, and return what the last cell prints."""
    nbformat.write(saved, folder / "set.ipynb")
    ran = nbformat.from_dict(ran)
    for cell in ran.cells:
        cell.metadata.pop("tags", None)
    client = NotebookClient(ran, resources={"metadata": {"path": str(folder)}}, allow_errors=True, timeout=300)
    client.execute()
    [last] = [cell for cell in ran.cells if is_last_cell(cell)]
    assert all(output.output_type == "stream" and output.name == "stdout" for output in last.outputs), last.outputs
    return "".join(output.text for output in last.outputs)


@pytest.fixture
def solved(warmup):
    """The warm-up as a student hands it in."""
    return answered(student_version(warmup), warmup.reference_answers)


def test_each_set_ends_with_it_and_it_is_not_run_by_programs():
    for problem_set in find_problem_sets(ROOT):
        [cell] = [cell for cell in student_version(problem_set).cells if is_last_cell(cell)]
        assert cell.source == SOURCE.rstrip("\n")
        assert cell.metadata["tags"] == ["skip-execution"]  # Validate and nbconvert leave it out
        assert cell.metadata["jupyter"]["source_hidden"]
        assert grade_id(cell) is None


def test_the_name_of_a_test_tells_its_answer():
    for problem_set in find_problem_sets(ROOT):
        for item in problem_set.items.values():
            if not item.by_hand:
                assert {test.rpartition("-")[0] for test in item.tests} == {item.name}


def test_a_solved_notebook_is_as_it_is_graded(solved, tmp_path):
    text = printed(tmp_path, solved, solved)
    assert re.search(r"^nats_to_bits +1  passes$", text, re.MULTILINE)
    assert text.rstrip().endswith("Nothing found that would be different when your work is graded.")


@pytest.mark.parametrize("named", ["__vsc_ipynb_file__ = {!r}", "import os\nos.environ['JPY_SESSION_NAME'] = {!r}"])
def test_it_reads_the_file_that_the_editor_names(solved, warmup, tmp_path, named):
    """VS Code and Jupyter's server name it; a kernel need not run in its folder, which may hold copies."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    nbformat.write(student_version(warmup), elsewhere / "copy.ipynb")
    ran = nbformat.from_dict(solved)
    ran.cells.insert(0, nbformat.v4.new_code_cell(named.format(str(elsewhere / "copy.ipynb"))))
    text = printed(tmp_path, solved, ran)
    assert "is not in the saved file" in text, "it read the other file"


def test_an_untouched_notebook_is_not_attempted(warmup, tmp_path):
    blank = student_version(warmup)
    assert re.search(r"^nats_to_bits .* not attempted$", printed(tmp_path, blank, blank), re.MULTILINE)


def test_whatever_would_be_different_is_named(solved, tmp_path):
    code = nbformat.v4.new_code_cell
    wrong = [
        "import pandas as pd",
        "total = weight + 1",
        "weight = 2",
        'open("/home/me/data.csv")',
        'name = input("?")',
    ]
    wrong.append("forgotten(3)")
    answer = next(cell for cell in solved.cells if grade_id(cell) == "nats_to_bits")
    test = next(cell for cell in solved.cells if grade_id(cell) == "nats_to_bits-values")
    saved = nbformat.from_dict(solved)
    saved.cells[-1:-1] = [code(text) for text in wrong]
    next(cell for cell in saved.cells if grade_id(cell) == "nats_to_bits-values").source = test.source + "\n# mine"
    saved.cells.insert(4, nbformat.from_dict({**answer, "id": "copy"}))
    ran = nbformat.from_dict(solved)
    ran.cells.insert(0, code("def forgotten(x):\n    return x"))
    next(cell for cell in ran.cells if grade_id(cell) == "nats_to_bits").source = "def nats_to_bits(x):\n    return x"
    text = printed(tmp_path, saved, ran)
    assert re.search(r"^nats_to_bits .* open: values$", text, re.MULTILINE)
    for expected in (
        "nats_to_bits occurs more than once",
        "The test nats_to_bits-values was changed",
        "The cell that defined nats_to_bits is not in the saved file",
        "No cell defines forgotten",
        "weight is used before the cell that defines it, in the cell that begins “total = weight + 1”",
        "pandas is missing when you are graded",
        "input() fails when you are graded",
        "'/home/me/data.csv' is a place on this computer only",
    ):
        assert expected in text, f"{expected}\n{text}"


def test_a_class_that_was_defined_anew_without_what_later_cells_add_is_named(solved, tmp_path):
    code = nbformat.v4.new_code_cell
    steps = ["class Tool:\n    pass", "class Tool(Tool):\n    x = 1", "class Tool(Tool):\n    y = 2"]
    solved.cells[1:1] = [code(step) for step in steps]
    assert "Tool" not in printed(tmp_path, solved, solved)
    ran = nbformat.from_dict(solved)
    ran.cells.insert(4, code(steps[0]))
    text = printed(tmp_path, solved, ran)
    assert (
        "Tool was defined anew without what later cells add: run them again, from the cell that begins “class Tool(Tool):”"
    ) in text


def checks_cell():
    """The cell of the checks, which the warm-up does without."""
    [ps1] = find_problem_sets(ROOT, ["ps1-information"])
    return next(cell for cell in student_version(ps1).cells if grade_id(cell) == "checks")


def test_a_cell_of_the_students_own_that_takes_long_is_named(solved, tmp_path):
    solved.cells[1:1] = [checks_cell(), nbformat.v4.new_code_cell("total = sum(range(3_000_000))")]
    for cell in solved.cells:
        if is_last_cell(cell):
            cell.source = cell.source.replace("limit = 20", "limit = 0.02")
    text = printed(tmp_path, solved, solved)
    assert re.search(r"It took \d+ s to run the cell that begins “total = sum", text), text


def test_a_cell_that_stopped_and_left_what_an_earlier_run_made_is_named(solved, tmp_path):
    code = nbformat.v4.new_code_cell
    solved.cells[1:1] = [checks_cell(), code("rate = 1 / 0")]
    ran = nbformat.from_dict(solved)
    ran.cells[2:2] = [code("rate = 1")]
    text = printed(tmp_path, solved, ran)
    assert "The cell of rate stopped when it last ran: rate is still what an earlier run made of it." in text


def test_a_name_with_which_an_answer_has_done_is_not_named(solved, tmp_path):
    code = nbformat.v4.new_code_cell
    solved.cells[1:1] = [checks_cell()]
    ran = nbformat.from_dict(solved)
    ran.cells[2:2] = [code("rate = 1"), code("rate = 1 / 0")]
    assert "rate" not in printed(tmp_path, solved, ran)


def test_a_magic_command_that_defines_nothing_hides_no_missing_name(solved, tmp_path):
    code = nbformat.v4.new_code_cell
    solved.cells[1:1] = [code("%precision 3\nforgotten"), code("%%time\nlater = 1")]
    text = printed(tmp_path, solved, solved)
    assert "forgotten" not in text, "the other magic command may define it"
    solved.cells[2].source = "later = 1"
    assert "No cell defines forgotten" in printed(tmp_path, solved, solved)


def test_a_deleted_answer_is_missed(solved, tmp_path):
    solved.cells = [cell for cell in solved.cells if grade_id(cell) != "nats_to_bits"]
    assert "The cell for your answer nats_to_bits is missing" in printed(tmp_path, solved, solved)


def test_a_cell_that_takes_long_is_named(solved, tmp_path):
    for cell in solved.cells:
        if is_last_cell(cell):
            cell.source = cell.source.replace("limit = 20", "limit = 0.02")
        if grade_id(cell) == "nats_to_bits":
            cell.source = "def nats_to_bits(x):\n    sum(range(3_000_000))\n    return x / 0.6931471805599453"
    assert "The test nats_to_bits-values took" in printed(tmp_path, solved, solved)


def test_it_says_nothing_when_it_is_graded(warmup, source, solved, executor):
    graded = grade(source, solved, executor)
    assert graded.score == warmup.max_score
    outputs = [cell.outputs for cell in graded.notebook.cells if is_last_cell(cell)]
    assert outputs == [[]]


def test_it_knows_the_limit_and_the_packages():
    [function] = [node for node in ast.parse(SOURCE).body if isinstance(node, ast.FunctionDef)]
    named = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in function.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("packages", "limit")
    }
    assert named["limit"] == Limits().cell_seconds
    assert {"numpy", "sympy", "matplotlib"} == named["packages"] & set(STUDENT_PACKAGES)
