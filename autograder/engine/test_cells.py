"""Which cells of a set the examiner runs."""

from __future__ import annotations

from nbformat import NotebookNode

from autograder.problem_set.source import grade_id, is_graded, is_solution


def is_support(cell: NotebookNode) -> bool:
    """Whether a cell is locked, ungraded code, as the one that holds the checks: the examiner runs it too."""
    locked = grade_id(cell) is not None and bool(cell.metadata.nbgrader.get("locked", False))
    return cell.cell_type == "code" and locked and not is_graded(cell) and not is_solution(cell)
