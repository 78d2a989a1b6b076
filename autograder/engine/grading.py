"""Grading as a pure function: the set's source and a submission go in, a graded notebook and its scores come out."""

from __future__ import annotations

import copy
import json
import warnings
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum, determine_grade

from autograder.common.errors import SubmissionError
from autograder.common.text import printable
from autograder.common.untrusted_files import MAX_VALUES, holds_too_much
from autograder.engine.execution import Executor
from autograder.problem_set.source import grade_id, is_graded, is_prose, is_solution
from autograder.problem_set.versions import released_texts

#: A set has a hundred cells at most; each cell that is run takes a message, and may take its time.
MAX_CELLS = 2_000
#: Characters of a code cell.
MAX_CODE = 500_000


@dataclass
class Graded:
    """What came of one submission.

    Attributes
    ----------
    notebook : NotebookNode
        The submission with its locked cells restored and with the outputs of the run.
    scores : dict of str to (float or None)
        Points of each graded cell; None where a person has to give them.
    not_attempted : list of str
        grade_ids of the cells that the student left as they were released.
    notices : list of str
        What was repaired or looked unusual, in sentences for the student.
    behaviour : dict of str to str
        For each test cell, a digest of what the submission's functions answered.
    """

    notebook: NotebookNode
    scores: dict[str, float | None]
    not_attempted: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    behaviour: dict[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Sum of the points given so far."""
        return sum(score for score in self.scores.values() if score is not None)

    def lost(self, tests: dict[str, float]) -> set[str]:
        """Return the grade_ids of those test cells, given with their points, that did not earn all of them."""
        return {name for name, full in tests.items() if self.scores.get(name) != full}

    @property
    def needs_manual_grading(self) -> bool:
        """Whether a person has to grade a part."""
        return None in self.scores.values()


def read_submission(text: str) -> NotebookNode:
    """Read the text of a submitted file as a notebook of the current format.

    Raises
    ------
    SubmissionError
        It is not a notebook, or one without cells.
    """
    if holds_too_much(text):
        raise SubmissionError(
            f"The notebook holds more than {MAX_VALUES} values; clear its outputs and hand it in again."
        )
    try:
        # A lone surrogate is valid in JSON, and nothing that a file can hold.
        content = json.loads(json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace"))
    except ValueError:
        raise SubmissionError(
            "The file is not a notebook: it is not valid JSON. Download it again from Jupyter and hand that in."
        ) from None
    except RecursionError:
        raise SubmissionError("The file is not a notebook: its JSON is nested too deeply.") from None
    if not isinstance(content, dict) or "nbformat" not in content:
        raise SubmissionError("The file is JSON but not a Jupyter notebook. Hand in the .ipynb file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what nbformat remarks on is mended in the next lines
            _keep_what_counts(content)
            notebook = nbformat.reads(json.dumps(content), as_version=4)
            if content["nbformat"] != 4:
                _keep_what_counts(notebook)
            notebook.nbformat_minor = 5
            _, notebook = nbformat.validator.normalize(notebook)  # gives every cell an id of its own
        nbformat.validate(notebook)
    except SubmissionError:
        raise
    except Exception as error:  # nbformat raises AttributeError, KeyError, TypeError and its own on broken notebooks
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SubmissionError(f"The file is not a valid Jupyter notebook ({printable(reason[:200])}).") from None
    if not notebook.cells:
        raise SubmissionError("The notebook has no cells.")
    return notebook


def _keep_what_counts(content: dict) -> None:
    """Drop outputs, attachments that are no images, and metadata: anything may stand there, of any size and depth."""
    cells = content.get("cells")
    if not isinstance(cells, list):
        return
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"The notebook has more than {MAX_CELLS} cells.")
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        if cell.get("cell_type") == "code" and sum(map(len, cell.get("source") or "")) > MAX_CODE:
            raise SubmissionError(
                f"A code cell has more than {MAX_CODE} characters; what it holds belongs into a file."
            )
        if isinstance(cell.get("outputs"), list):
            cell["outputs"] = []
        if isinstance(cell.get("metadata"), dict):
            cell["metadata"] = _flat(cell["metadata"], "nbgrader")
        if isinstance(cell.get("attachments"), dict):
            cell["attachments"] = {
                name: {
                    kind: data for kind, data in bundle.items() if kind.startswith("image/") and isinstance(data, str)
                }
                for name, bundle in cell["attachments"].items()
                if isinstance(bundle, dict)
            }
    if isinstance(content.get("metadata"), dict):
        content["metadata"] = _flat(content["metadata"], "autograder", "kernelspec")


def _flat(metadata: dict, *names: str) -> dict:
    """Return the entries with these names, and of each what is a plain value."""
    return {
        name: {key: value for key, value in metadata[name].items() if not isinstance(value, dict | list)}
        for name in names
        if isinstance(metadata.get(name), dict)
    }


def restore(source: NotebookNode, submitted: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Return the submission with every cell the set locks as it was released, hidden tests included.

    A deleted test cell comes back where it stood, cells that changed places go back to the set's order, of a cell that
    occurs twice the first counts and the others do not run, and cells the set does not know lose their nbgrader metadata.

    Parameters
    ----------
    source : NotebookNode
        The instructor's version of the set.
    submitted : NotebookNode
        What a student handed in.

    Returns
    -------
    tuple of (NotebookNode, list of str)
        The notebook to execute, and notices of what was repaired.

    Raises
    ------
    SubmissionError
        No cell of the notebook belongs to the set.
    """
    known = {grade_id(cell): cell for cell in source.cells if grade_id(cell) is not None}
    notebook, notices = copy.deepcopy(submitted), []
    notebook.metadata["kernelspec"] = source.metadata["kernelspec"]
    released = released_texts(source)
    seen: dict[str, int] = {}
    for index, cell in enumerate(notebook.cells):
        name = grade_id(cell)
        if name not in known:
            cell.metadata.pop("nbgrader", None)
        elif name in seen:
            notice = f"The cell {name!r} occurs more than once; the first counts, the others were not run."
            notices += [notice] if notice not in notices else []
            notebook.cells[index] = nbformat.v4.new_raw_cell(cell.source, id=cell.id)
        else:
            seen[name] = index
            changed = not is_solution(known[name]) and cell.source.rstrip() != released[name].rstrip()
            _restore_cell(cell, known[name])
            if changed:
                notices.append(f"The cell {name!r} had been changed; it was restored.")
    if not seen:
        raise SubmissionError(
            f"None of the notebook's cells belongs to {source.metadata['autograder']['problem_set']}. "
            "Hand in the notebook you received, with your answers in it."
        )
    # A test uses what the locked cells before it define, and asks the student's process for everything else: a locked cell
    # that a student has moved behind a test would leave its names, the checks themselves, for the student to define.
    places, order = sorted(seen.values()), [name for name in known if name in seen]
    if [seen[name] for name in order] != places:
        own = [notebook.cells[seen[name]] for name in order]
        for place, cell in zip(places, own, strict=True):
            notebook.cells[place] = cell
        notices.append("Cells of the problem set had changed places; they were put back into its order.")
    missing = [name for name in known if name not in seen]
    for name in missing:
        _insert(notebook, name, list(known), copy.deepcopy(known[name]))
        what = "the cell for your answer" if is_solution(known[name]) else "the cell"
        notices.append(f"{what[0].upper()}{what[1:]} {name!r} was missing; it was put back as it was released.")
    return notebook, notices


def _restore_cell(cell: NotebookNode, original: NotebookNode) -> None:
    """Give a submitted cell the metadata, type and, where it is locked, the text of the original."""
    if cell.cell_type != original.cell_type:
        changed = nbformat.from_dict({**copy.deepcopy(original), "source": cell.source, "id": cell.id})
        cell.clear()
        cell.update(changed)
    if is_solution(original):
        cell.metadata["nbgrader"] = copy.deepcopy(original.metadata["nbgrader"])
    else:  # all of it: what a test may observe stands there too
        cell.metadata = copy.deepcopy(original.metadata)
        cell.source = original.source


def _insert(notebook: NotebookNode, name: str, order: list[str], cell: NotebookNode) -> None:
    """Put a cell after the nearest of its predecessors in the set that the notebook has."""
    before = set(order[: order.index(name)])
    position = max((i + 1 for i, other in enumerate(notebook.cells) if grade_id(other) in before), default=0)
    if any(cell.id == other.id for other in notebook.cells):
        cell["id"] = nbformat.v4.new_raw_cell().id
    notebook.cells.insert(position, cell)


def clear_outputs(notebook: NotebookNode) -> None:
    """Remove what a notebook's cells showed when the student ran them."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def grade(
    source: NotebookNode,
    submitted: NotebookNode,
    execute: Executor,
    reference: dict[str, dict[str, float]] | None = None,
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

    Returns
    -------
    Graded
        Scores follow nbgrader's rules, but for one: what a test cell writes to stderr (a warning) is reported and
        costs nothing.

    Raises
    ------
    SubmissionError
        The submission cannot be graded; the text says why.
    """
    notebook, notices = restore(source, submitted)
    clear_outputs(notebook)
    ran = execute(notebook, reference)
    executed, behaviour = ran.notebook, ran.behaviour
    notices += ran.notices
    scores: dict[str, float | None] = {}
    not_attempted: list[str] = []
    for cell in executed.cells:
        name = grade_id(cell)
        if is_solution(cell) and cell.metadata.nbgrader["checksum"] == compute_checksum(cell):
            not_attempted.append(name)
        if is_graded(cell):
            scores[name] = cell_score(cell)
            if not is_prose(cell) and any(_is_stderr(output) for output in cell.get("outputs", ())):
                notices.append(f"Your code warned in the cell {name!r}; this costs no points, but have a look.")
    order = [grade_id(cell) for cell in source.cells]
    return Graded(
        executed, dict(sorted(scores.items(), key=lambda s: order.index(s[0]))), not_attempted, notices, behaviour
    )


def _is_stderr(output: NotebookNode) -> bool:
    return output.output_type == "stream" and output.name == "stderr"


def cell_score(cell: NotebookNode) -> float | None:
    """Return the points of a graded cell that was run; None where a person gives them."""
    judged = copy.deepcopy(cell)
    if judged.cell_type == "code":
        judged.outputs = [output for output in judged.outputs if not _is_stderr(output)]
    try:
        return determine_grade(judged)[0]
    except (ValueError, KeyError):  # more points than the cell has, or a result that is no text
        return 0.0
