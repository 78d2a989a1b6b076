"""What every set tells its students before the first item."""

import pytest

from autograder.problem_set.source import find_problem_sets, grade_id
from book.extensions.downloads.problem_set_archive import STUDENT_PACKAGES
from tests.support.known_sets import SETS


@pytest.mark.parametrize("name", SETS)
def test_a_set_says_which_packages_are_there_when_it_is_graded(course, name):
    (problem_set,) = find_problem_sets(course, [name])
    first = next(i for i, cell in enumerate(problem_set.notebook.cells) if grade_id(cell) not in (None, "checks"))
    text = "\n".join(cell.source for cell in problem_set.notebook.cells[:first] if cell.cell_type == "markdown")
    [sentence] = [line for line in text.splitlines() if "Import no other package" in line]
    named = sentence.partition(" are there")[0].lower()
    for package in set(STUDENT_PACKAGES) - {"jupyterlab", "nbgrader"}:  # programs, not for answers
        assert package in named
    assert "standard library" in named
    assert "the tests that need it fail" in sentence
    assert problem_set.notebook.metadata["autograder"]["packages"] == sorted(
        set(STUDENT_PACKAGES) - {"jupyterlab", "nbgrader"}
    )
