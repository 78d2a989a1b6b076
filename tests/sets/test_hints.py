"""What stands around an answer: its docstring, and three folded hints, from the idea to the first line."""

import ast
import contextlib
import io
import re

import numpy as np
import pytest
from nbformat import NotebookNode

from autograder.authoring.leaks import REGION
from autograder.problem_set.source import ProblemSet, find_problem_sets, grade_id, is_prose, is_solution
from tests.support import ROOT

SETS = find_problem_sets(ROOT)
WIDTH = 88
FOLD = re.compile(r"<details><summary>(.+?)</summary>\n\n(.+?)\n\n</details>", re.DOTALL)
TITLES = ["1. The idea", "2. The functions", "3. The first line"]
#: A fourth fold, beside the items that ask for something new.
EXAMPLE = "A worked example of the same kind"
IN_PROSE = ["1. The idea", "2. What to look at", "3. A way to begin"]


def items(problem_set: ProblemSet) -> list[tuple[NotebookNode, str]]:
    """Return the cells that the student writes, each with the text before it."""
    cells = problem_set.notebook.cells
    found = [
        (cell, before.source if before.cell_type == "markdown" and grade_id(before) is None else "")
        for before, cell in zip(cells, cells[1:], strict=False)
        if is_solution(cell)
    ]
    assert len(found) == len(problem_set.items)
    return found


def written_lines(code: str) -> list[str]:
    """Return the lines of code that only the reference solution has."""
    parts = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", code, re.DOTALL)
    lines = [line.strip() for part in parts for line in part.splitlines()]
    return [line.partition("  #")[0] for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("problem_set", SETS, ids=lambda problem_set: problem_set.name)
def test_each_item_has_three_hints(problem_set):
    for cell, text in items(problem_set):
        folds = [(title, hint) for title, hint in FOLD.findall(text) if title != EXAMPLE]
        assert [title for title, _ in folds] == (IN_PROSE if is_prose(cell) else TITLES), grade_id(cell)
        assert all(len(hint) < 500 for _, hint in folds), f"{grade_id(cell)}: a hint is no chapter"
        assert text.rstrip().endswith("</details>"), f"{grade_id(cell)}: what follows the hints is easily overlooked"


@pytest.mark.parametrize("problem_set", SETS, ids=lambda problem_set: problem_set.name)
def test_the_length_is_about_that_of_the_reference_solution(problem_set):
    for cell, text in items(problem_set):
        if not is_prose(cell):
            stated = int(re.search(r"^\*About (\d+) lines?\.\* Hints", text, re.MULTILINE)[1])
            needed = len(written_lines(cell.source))
            assert abs(stated - needed) <= max(1, needed / 5), f"{grade_id(cell)}: {needed} lines, not {stated}"


@pytest.mark.parametrize("problem_set", SETS, ids=lambda problem_set: problem_set.name)
def test_the_first_line_is_code_and_not_the_whole_answer(problem_set):
    for cell, text in items(problem_set):
        if is_prose(cell):
            continue
        line = re.fullmatch(r"`([^`]+)`", FOLD.findall(text)[2][1])
        assert line, f"{grade_id(cell)}: one line of code, between backticks"
        compile(line[1].replace("…", "..."), "<hint>", "exec")
        code = line[1].partition("  #")[0]
        assert set(written_lines(cell.source)) - {code}, f"{grade_id(cell)}: the hint is the answer"


@pytest.mark.parametrize("problem_set", SETS, ids=lambda problem_set: problem_set.name)
def test_what_students_read_in_an_answer_cell_fits_into_a_window(problem_set):
    for cell, _ in items(problem_set):
        if not is_prose(cell):
            long = [line for line in REGION.sub("", cell.source).splitlines() if len(line) > WIDTH]
            assert not long, f"{grade_id(cell)}: JupyterLab cuts lines of more than {WIDTH} characters at 1280 pixels"


def examples() -> dict[str, dict]:
    """Run the worked examples, and return the names that each defines and the value of its last line."""
    found = {}
    for problem_set in SETS:
        for cell, text in items(problem_set):
            for title, content in FOLD.findall(text):
                if title == EXAMPLE:
                    tree = ast.parse(re.search(r"```python\n(.*?)```", content, re.DOTALL)[1])
                    names = found[f"{problem_set.name}: {grade_id(cell)}"] = {"np": np}
                    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
                    exec(compile(tree, "<example>", "exec"), names)
                    names["shown"] = last and eval(compile(ast.Expression(last.value), "<example>", "eval"), names)
    return found


def test_the_worked_examples_give_what_they_say():
    found = examples()
    names = (
        "ps3-bugfix: softmax_test",
        "ps4-graphs: Value",
        "ps5-arrays: unbroadcast",
        "ps7-neural-networks: backward",
    )
    assert tuple(found) == names
    mean, value, shapes, network = found.values()
    assert mean["shown"] == (True, False, False)
    assert value["shown"] == (5, 4)
    assert [shapes[name].tolist() for name in ("row", "column", "number")] == [[5, 7, 9], [[6], [15]], 21]
    for name, gradient in (("W1", network["gradient_1"]), ("W2", network["gradient_2"])):
        assert np.allclose(gradient, central_differences(network, name))


def central_differences(network: dict, name: str) -> np.ndarray:
    """The gradient of the example's mean squared error in one of its weight matrices."""
    gradient = np.zeros_like(network[name])
    for place in np.ndindex(gradient.shape):
        errors = []
        for step in (1e-5, -1e-5):
            W = {key: network[key].copy() for key in ("W1", "W2")}
            W[name][place] += step
            errors.append(np.mean((network["X"] @ W["W1"] @ W["W2"] - network["Y"]) ** 2))
        gradient[place] = (errors[0] - errors[1]) / 2e-5
    return gradient


def test_inputs_that_a_hint_calls_right_show_no_fault():
    """A hint begins the search for a failing input, and does not end it."""
    [ps3] = [problem_set for problem_set in SETS if problem_set.name == "ps3-bugfix"]
    names: dict = {"np": np}
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        for cell in ps3.notebook.cells:
            if (grade_id(cell) or "").startswith("faulty_"):
                exec(cell.source, names)
    right = {"np": np}
    called_right = 0
    for cell, text in items(ps3):
        name = grade_id(cell).removesuffix("_failing_input")
        if name == grade_id(cell):
            continue
        line = FOLD.findall(text)[2][1].strip("`")
        if "# right here" not in line:
            assert "…" in line or "now samples" in line, f"{name}: the hint may be the answer"
            continue
        exec(ps3.reference_answers[name], right)
        values: dict = {}
        exec(line, values)
        parameters = re.search(r"in order: \((.+?),?\)\.", cell.source)[1].split(", ")
        arguments = [values[parameter] for parameter in parameters]
        with np.errstate(all="ignore"):
            assert np.allclose(names[f"faulty_{name}"](*arguments), right[name](*arguments)), f"{name}: {line}"
        called_right += 1
    assert called_right >= 7
