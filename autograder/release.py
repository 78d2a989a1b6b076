"""From a set's source to its instructor's and its student's version, by nbgrader's own preprocessors."""

from __future__ import annotations

import copy

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)

from autograder.problem_set import ProblemSet, grade_id


def _preprocess(notebook: NotebookNode, *steps: type) -> NotebookNode:
    notebook, resources = copy.deepcopy(notebook), ResourcesDict()
    for step in steps:
        notebook, resources = step().preprocess(notebook, resources)
    return notebook


def instructor_version(problem_set: ProblemSet) -> NotebookNode:
    """Return the set without solutions but with hidden tests: what a submission is graded against.

    It is what nbgrader stores in its gradebook as the source cells of an assignment.
    """
    return _preprocess(
        problem_set.notebook, LockCells, ClearSolutions, ClearOutput, CheckCellMetadata, ComputeChecksums
    )


def student_version(problem_set: ProblemSet) -> NotebookNode:
    """Return the set as students receive it: no solutions, no hidden tests."""
    return without_hidden_tests(instructor_version(problem_set))


def released_texts(notebook: NotebookNode) -> dict[str, str]:
    """Return the text of each cell that has a grade_id, as an instructor's version shows it to students."""
    shown = _preprocess(notebook, ClearHiddenTests, ClearMarkScheme)
    return {grade_id(cell): cell.source for cell in shown.cells if grade_id(cell)}


def without_hidden_tests(notebook: NotebookNode) -> NotebookNode:
    """Return an instructor's version without its hidden tests."""
    return _preprocess(notebook, ClearHiddenTests, ClearMarkScheme, ComputeChecksums, CheckCellMetadata)
