"""What a student sees of a failing test: in a notebook, and from the engine."""

import re

import pytest
from IPython.core.interactiveshell import InteractiveShell

from autograder.engine.score import grade
from autograder.problem_set.source import answered, find_problem_sets, grade_id, is_test
from autograder.problem_set.versions import instructor_version, student_version
from autograder.reports.hidden_tests import is_hidden

WRONG = {
    "nats_to_bits": "def nats_to_bits(x):\n    return 2 * x",
    "entropy": "import numpy as np\n\ndef entropy(p, base=2):\n    scaled = p - 1\n    return scaled",
    "survival_table": "import numpy as np\n\ndef survival_table(counts, attribute):\n    return np.zeros((2, 2))",
}


@pytest.mark.parametrize("name", ["ps0-warmup", "ps1-information"])
def test_a_notebook_shows_at_most_the_students_line_and_the_message(course, name, capsys):
    (problem_set,) = find_problem_sets(course, [name])
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    seen = 0
    for cell in problem_set.notebook.cells:
        own = grade_id(cell)
        item = next((item.name for item in problem_set.items.values() if own in item.tests), "")
        judged = is_test(cell) and not is_hidden(cell) and item in WRONG
        if cell.cell_type == "code" and (judged or not is_test(cell)) and (own or cell.source.startswith("import ")):
            capsys.readouterr()
            shell.run_cell(WRONG.get(own, cell.source))
            shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).strip()
            if judged:
                assert shown.startswith("AssertionError: "), own
                assert len(shown.splitlines()) <= 5, shown
                assert "hidden test" not in shown
                assert "test_of_this_cell" not in shown
                seen += 1
            if own == "entropy-values":
                assert "TypeError: unsupported operand type(s) for -: 'list' and 'int'" in shown
                assert "in your line `scaled = p - 1`." in shown
                assert "np.asarray" in shown
    assert seen


def test_the_engine_shows_the_line_of_the_answer_too(course, executor):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    notebook = answered(student_version(problem_set), {"entropy": WRONG["entropy"]})
    graded = grade(instructor_version(problem_set), notebook, executor)
    said = {
        grade_id(cell): "".join(output.evalue for output in cell.outputs if output.output_type == "error")
        for cell in graded.notebook.cells
        if cell.cell_type == "code"
    }
    assert "'list' and 'int', in your line `scaled = p - 1`." in said["entropy-values"]
    assert "scaled" not in said["entropy-hidden"]
