"""Makes a set's instructor version and student version from its source, with nbgrader's own preprocessors.

nbgrader's check of the cells' metadata is not among them: whoever reads a source makes it once (see `source_format`).
"""

from __future__ import annotations

import copy

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import (
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)

from autograder.problem_set.source import ProblemSet, grade_id


def _preprocess(notebook: NotebookNode, *steps: type) -> NotebookNode:
    notebook, resources = copy.deepcopy(notebook), ResourcesDict()
    for step in steps:
        notebook, resources = step().preprocess(notebook, resources)
    return notebook


def instructor_version(problem_set: ProblemSet) -> NotebookNode:
    """Return the set without solutions but with hidden tests: what a submission is graded against.

    nbgrader stores it in its gradebook as an assignment's source cells.
    """
    return from_source(problem_set.notebook)


def from_source(notebook: NotebookNode) -> NotebookNode:
    """Return the instructor's version of a source notebook, such as one in a class's `source/`."""
    return _preprocess(notebook, LockCells, ClearSolutions, ClearOutput, ComputeChecksums)


def student_version(problem_set: ProblemSet) -> NotebookNode:
    """Return the set as students receive it: no solutions, no hidden tests."""
    return without_hidden_tests(instructor_version(problem_set))


def released_texts(notebook: NotebookNode) -> dict[str, str]:
    """Return the text of each cell of an instructor's version that has a grade_id, as students see it."""
    named = [cell for cell in notebook.cells if grade_id(cell)]
    # Students see every cell unchanged, except those with one of nbgrader's marks.
    marked = NotebookNode(cells=[cell for cell in named if "### BEGIN" in cell.source], metadata=notebook.metadata)
    shown = _preprocess(marked, ClearHiddenTests, ClearMarkScheme)
    return {grade_id(cell): cell.source for cell in [*named, *shown.cells]}


def without_hidden_tests(notebook: NotebookNode) -> NotebookNode:
    """Return an instructor's version without its hidden tests."""
    return _preprocess(notebook, ClearHiddenTests, ClearMarkScheme, ComputeChecksums)
