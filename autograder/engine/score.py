"""Grades as a pure function: from a set's source and a submission to a graded notebook and its scores."""

from __future__ import annotations

from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum, determine_grade

from autograder.engine.execution import Executor
from autograder.engine.restore import handed_in_pictures, restore
from autograder.engine.shared.outputs import HANDED_IN, NOT_DRAWN
from autograder.problem_set.known_behaviour import HIDDEN_TESTS
from autograder.problem_set.source import grade_id, is_graded, is_prose, is_solution, is_test


@dataclass
class Graded:
    """The result of grading one submission.

    Attributes
    ----------
    notebook : NotebookNode
        The submission with its locked cells restored and the outputs of the run.
    scores : dict of str to (float or None)
        Points of each graded cell; None if a person has to award them.
    not_attempted : list of str
        grade_ids of the cells that the student left as released.
    notices : list of str
        Repairs and oddities, in sentences for the student.
    behaviour : dict of str to str
        For each test cell, a digest of what the submission's functions answered.
    awaiting : dict of str to str
        For each test cell that the engine could not judge, a sentence saying why; it has no score.
    pictures : dict of str to str
        For each of the set's figure cells that the student left unchanged, by id, the picture that it showed when she
        handed it in: PNG in base64, which nobody has checked.
    measured : dict of str to dict of str to float
        For each test cell that measures, the processor time of its calls in seconds.
    """

    notebook: NotebookNode
    scores: dict[str, float | None]
    not_attempted: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    behaviour: dict[str, str] = field(default_factory=dict)
    awaiting: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    measured: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Sum of the points awarded so far."""
        return sum(score for score in self.scores.values() if score is not None)

    def lost(self, tests: dict[str, float]) -> set[str]:
        """Return the grade_ids of the test cells, given with their points, that did not earn full points."""
        return {name for name, full in tests.items() if self.scores.get(name) != full}

    @property
    def needs_manual_grading(self) -> bool:
        """Whether a person has to grade part of it."""
        return None in self.scores.values()


def clear_outputs(notebook: NotebookNode) -> None:
    """Remove the outputs from when the student ran the notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def grade(
    source: NotebookNode,
    submitted: NotebookNode,
    execute: Executor,
    reference: dict[str, dict[str, float]] | None = None,
    draw: bool = True,
) -> Graded:
    """Grade a submission against its set.

    Parameters
    ----------
    source : NotebookNode
        The instructor's version of the set, with hidden tests.
    submitted : NotebookNode
        The submission, as `read_submission` returns it.
    execute : Executor
        Runs the notebook.
    reference : dict, optional
        `Graded.measured` of the reference solution, graded in the same run.
    draw : bool
        Whether figures are drawn. The set's own figure cells, if the student left them unchanged, always show the
        picture that she handed in, if there is one, and it is marked as such.

    Returns
    -------
    Graded
        Scores follow nbgrader's rules with one exception: what a test cell writes to stderr (a warning) is reported
        but costs nothing.

    Raises
    ------
    SubmissionError
        The submission cannot be graded; the text says why.
    """
    notebook, notices = restore(source, submitted)
    pictures = handed_in_pictures(source, submitted)
    clear_outputs(notebook)
    undrawn = pictures.keys() if draw else [cell.get("id") for cell in notebook.cells]
    executed = execute(notebook, reference, undrawn)
    _put_in(pictures, executed.notebook)
    notices += executed.notices
    awaiting = executed.awaiting
    found: dict[str, float | None] = {}
    untouched = set()
    for cell in executed.notebook.cells:
        name = grade_id(cell)
        if is_solution(cell) and cell.metadata.nbgrader["checksum"] == compute_checksum(cell):
            untouched.add(name)
        if is_graded(cell):
            found[name] = None if name in awaiting else cell_score(cell)
            # Students do not learn of warnings in hidden tests: a warning could depend on the hidden arguments.
            if (
                not is_prose(cell)
                and HIDDEN_TESTS.search(cell.source) is None
                and any(_is_stderr(output) for output in cell.get("outputs", ()))
            ):
                notices.append(f"Your code gave a warning in the cell {name!r}; this costs no points, but have a look.")
    scores = {grade_id(cell): found[grade_id(cell)] for cell in source.cells if is_graded(cell)}
    not_attempted = [name for name in _without_points(source, scores) if name in untouched]
    return Graded(
        executed.notebook, scores, not_attempted, notices, executed.behaviour, awaiting, pictures, executed.measured
    )


def _without_points(source: NotebookNode, scores: dict[str, float | None]) -> list[str]:
    """Return the names of answers that earned nothing: one with points was attempted, even if in another cell."""
    earned: dict[str, bool] = {}
    item = None
    for cell in source.cells:
        if is_solution(cell):
            item = grade_id(cell)
            earned[item] = False
        elif is_test(cell) and item is not None:
            earned[item] |= bool(scores[grade_id(cell)])
    return [name for name, has in earned.items() if not has]


def _put_in(pictures: dict[str, str], notebook: NotebookNode) -> None:
    """Insert the pictures handed in where figures were not drawn."""
    for cell in notebook.cells:
        picture = pictures.get(cell.get("id"))
        for output in cell.get("outputs", ()) if picture else ():
            if output.get("metadata") == NOT_DRAWN:
                output.data["image/png"] = picture
                output.metadata = nbformat.from_dict(HANDED_IN)
                break


def _is_stderr(output: NotebookNode) -> bool:
    return output.output_type == "stream" and output.name == "stderr"


def cell_score(cell: NotebookNode) -> float | None:
    """Return the points of a graded cell that was run; None if a person awards them."""
    if cell.cell_type == "code":
        outputs = [output for output in cell.outputs if not _is_stderr(output)]
        cell = NotebookNode({**cell, "outputs": outputs})
    try:
        return determine_grade(cell)[0]
    except (ValueError, KeyError):  # more points than the cell has, or a result that is not text
        return 0.0
