"""A test cell that uses more than it may is refused, with its line."""

import pytest

from autograder.authoring.proof.test_cell_lint import faults_of_test_cells
from autograder.problem_set.source import ProblemSet
from tests.support.copied_sets import copy_set


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("assert np.isfinite(nats_to_bits(1))", "no earlier solution cell or locked cell defines 'np'"),
        ("x = 1\nassert math.isclose(nats_to_bits(0), 0)", "line 4: import 'math' in the test cell itself"),
        ("assert helper", "no earlier solution cell or locked cell defines 'helper'"),
        ("%timeit nats_to_bits(1)", "not plain Python"),
        ("assert isinstance(1, nats_to_bits)", "isinstance with the student's 'nats_to_bits'"),
        ("In[0]", "no earlier solution cell or locked cell defines 'In'"),
    ],
)
def test_a_test_cell_that_uses_too_much_is_refused_with_its_line(course, tmp_path, cell, says):
    folder = copy_set(course, "ps0-warmup", tmp_path / "solutions" / "ps0-warmup")
    text = (folder / "ps0-warmup.md").read_text(encoding="utf-8")
    begin = text.index("### BEGIN HIDDEN TESTS")
    end = text.index("### END HIDDEN TESTS")
    text = f"{text[:begin]}### BEGIN HIDDEN TESTS\n{cell}\n{text[end:]}"
    (folder / "ps0-warmup.md").write_text(text, encoding="utf-8")
    faults = faults_of_test_cells(ProblemSet(folder))
    assert any(says in fault and "nats_to_bits-hidden" in fault for fault in faults), faults
