"""Grading a class: which submissions are due, grading them side by side, and recording each result."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.utils import parse_utc

from autograder.class_directory import ClassDirectory, Outcome, Submission
from autograder.diagnosis import diagnose, known_behaviour
from autograder.due_dates import DueDates, apply_due_dates
from autograder.errors import AutograderError, SubmissionError
from autograder.execution import Executor
from autograder.gradebook import open_gradebook, record_grades, record_source, record_students, remove_grades
from autograder.grading import Graded, grade, read_submission
from autograder.problem_set import ProblemSet, answered, grade_id
from autograder.release import instructor_version, without_hidden_tests
from autograder.roster import Roster
from autograder.whole_files import write_notebook

#: Larger files are not read: a notebook with its figures has a few hundred kilobytes.
MAX_SUBMISSION_BYTES = 20_000_000


@dataclass(frozen=True)
class Batch:
    """What one run of `grade` came to.

    Attributes
    ----------
    outcomes : dict of Submission to Outcome
        Every submission of the sets asked for.
    graded_now : int
        How many of them this run graded; the others were up to date.
    """

    outcomes: dict[Submission, Outcome]
    graded_now: int


def grade_class(
    directory: ClassDirectory,
    problem_sets: list[ProblemSet],
    execute: Executor,
    jobs: int,
    started: Callable[[int], None] = lambda total: None,
    finished: Callable[[Submission, Outcome], None] = lambda submission, outcome: None,
    roster: Roster | None = None,
    due_dates: DueDates | None = None,
) -> Batch:
    """Grade what a class handed in, and record it in the gradebook.

    Submissions whose file, set and way of execution have not changed since they were graded are left alone. One that
    cannot be graded stops no other.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_sets : list of ProblemSet
        The sets to grade.
    execute : Executor
        Runs the notebooks.
    jobs : int
        How many submissions to run at once.
    started, finished : callable
        Told how many submissions are due, and what came of each.
    roster : Roster, optional
        The students of the class; their names go into the gradebook.
    due_dates : DueDates, optional
        When the sets are due. Without, dates that stand in the gradebook stay.

    Raises
    ------
    AutograderError
        Nothing was handed in, the class directory cannot be used, or a set's reference solution does not get full
        marks on this machine.
    """
    directory.require_existing()
    names = [problem_set.name for problem_set in problem_sets]
    submissions = directory.submissions(names)
    if not submissions:
        raise AutograderError(
            f"Nothing to grade: {directory.submitted} holds no submission of {' or '.join(names)}; "
            "submissions lie in submitted/<student>/<problem set>/."
        )
    directory.prepare()
    due: list[tuple[Submission, str]] = []
    outcomes: dict[Submission, Outcome] = {}
    sources = {problem_set.name: instructor_version(problem_set) for problem_set in problem_sets}
    for submission in submissions:
        fingerprint = _fingerprint(directory, submission, sources[submission.problem_set], execute)
        earlier = directory.outcome(submission)
        if earlier and earlier.fingerprint == fingerprint:
            outcomes[submission] = earlier
        else:
            due.append((submission, fingerprint))

    known = {problem_set.name: (problem_set, known_behaviour(problem_set)) for problem_set in problem_sets}
    graded_sets = {submission.problem_set for submission, _ in due}
    for problem_set in problem_sets:
        write_notebook(problem_set.notebook, directory.source / problem_set.name / f"{problem_set.name}.ipynb")
        if problem_set.name in graded_sets:
            _require_full_marks(problem_set, sources[problem_set.name], execute)
            record_source(directory, problem_set.name, sources[problem_set.name])

    started(len(due))
    with open_gradebook(directory) as gradebook, ThreadPoolExecutor(jobs) as pool:
        if roster is not None:
            record_students(gradebook, roster)
        waiting: dict[Future, tuple[Submission, str]] = {}
        queue = iter(due)
        try:
            while True:
                # Only as many as run at once are handed over, so that an interrupt ends after these.
                while len(waiting) < jobs and (task := next(queue, None)):
                    submission, _ = task
                    source = sources[submission.problem_set]
                    waiting[pool.submit(_grade_files, directory, submission, source, execute)] = task
                if not waiting:
                    break
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    submission, fingerprint = waiting.pop(future)
                    problem_set, behaviour = known[submission.problem_set]
                    outcome = _record(directory, gradebook, submission, future, fingerprint)
                    if future.exception() is None:
                        outcome.diagnoses = diagnose(problem_set, future.result(), behaviour)
                    directory.record_outcome(submission, outcome)
                    outcomes[submission] = outcome
                    finished(submission, outcome)
        finally:
            for future in waiting:
                future.cancel()
        apply_due_dates(directory, gradebook, names, due_dates)
    return Batch(dict(sorted(outcomes.items())), len(due))


def _fingerprint(directory: ClassDirectory, submission: Submission, source: NotebookNode, execute: Executor) -> str:
    """Hash what a result follows from."""
    hashed = hashlib.sha256(f"{execute.name}\n{nbformat.writes(source)}".encode())
    for path in sorted(directory.submission_folder(submission).rglob("*")):
        if path.is_file() and path.stat().st_size <= MAX_SUBMISSION_BYTES:
            hashed.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            hashed.update(path.read_bytes())
    return hashed.hexdigest()


def _require_full_marks(problem_set: ProblemSet, source: NotebookNode, execute: Executor) -> None:
    """Grade the reference solution: if that loses points, this machine would take points from everybody."""
    reference = answered(without_hidden_tests(source), problem_set.reference_answers)
    try:
        lost = sorted(grade(source, reference, execute).lost(problem_set.tests))
    except SubmissionError as error:
        raise AutograderError(
            f"{problem_set.name}: the reference solution does not run here ({error}); nothing was graded."
        ) from None
    if lost:
        raise AutograderError(
            f"{problem_set.name}: the reference solution loses points here in {', '.join(lost)}, so the set or this "
            "machine's Python is broken; nothing was graded. Run: autograder release"
        )


def _grade_files(directory: ClassDirectory, submission: Submission, source: NotebookNode, execute: Executor) -> Graded:
    notebook, notices = _find_notebook(directory, submission, source)
    graded = grade(source, notebook, execute)
    graded.notices[:0] = notices
    return graded


def _find_notebook(
    directory: ClassDirectory, submission: Submission, source: NotebookNode
) -> tuple[NotebookNode, list[str]]:
    """Read the notebook a student handed in, whatever its file is called."""
    folder, name = directory.submission_folder(submission), submission.problem_set
    expected = folder / f"{name}.ipynb"
    if expected.is_file():
        return _read_file(expected), []
    others = sorted(
        path for path in folder.rglob("*.ipynb") if path.is_file() and ".ipynb_checkpoints" not in path.parts
    )
    if not others:
        raise SubmissionError(f"No notebook was handed in: the folder holds no {name}.ipynb.")
    if len(others) == 1:
        return _read_file(others[0]), [f"The file is called {others[0].name}; it was graded as {name}.ipynb."]
    known = {grade_id(cell) for cell in source.cells} - {None}
    matching = []
    for path in others:
        try:
            notebook = _read_file(path)
        except SubmissionError:
            continue
        if known & {grade_id(cell) for cell in notebook.cells}:
            matching.append((path, notebook))
    if len(matching) != 1:
        listed = ", ".join(path.name for path, _ in matching) or ", ".join(path.name for path in others)
        raise SubmissionError(
            f"Several notebooks were handed in and none is called {name}.ipynb ({listed}); hand in one."
        )
    path, notebook = matching[0]
    return notebook, [f"Of several notebooks, {path.name} was graded as {name}.ipynb."]


def _read_file(path: Path) -> NotebookNode:
    try:
        if path.stat().st_size > MAX_SUBMISSION_BYTES:
            raise SubmissionError(
                f"{path.name} has more than {MAX_SUBMISSION_BYTES // 1_000_000} MB; clear its outputs and hand it in "
                "again."
            )
        return read_submission(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SubmissionError(f"{path.name} is not a notebook: it is not UTF-8 text.") from None
    except OSError as error:
        raise SubmissionError(f"{path.name} cannot be read: {error.strerror}.") from None


def _record(
    directory: ClassDirectory, gradebook: Gradebook, submission: Submission, future: Future, fingerprint: str
) -> Outcome:
    directory.forget_outcome(submission)
    try:
        graded = future.result()
    except SubmissionError as error:
        directory.graded_notebook(submission).unlink(missing_ok=True)
        remove_grades(gradebook, submission, directory.work_by_hand(submission))
        outcome = Outcome("failed", str(error), fingerprint=fingerprint)
    else:
        record_grades(
            gradebook, submission, graded, _timestamp(directory, submission), directory.work_by_hand(submission)
        )
        write_notebook(graded.notebook, directory.graded_notebook(submission))
        outcome = Outcome(
            "needs-manual-grading" if graded.needs_manual_grading else "graded",
            notices=graded.notices,
            not_attempted=graded.not_attempted,
            fingerprint=fingerprint,
        )
    return outcome


def _timestamp(directory: ClassDirectory, submission: Submission) -> datetime | None:
    """Read when a submission was handed in from nbgrader's timestamp.txt."""
    try:
        return parse_utc((directory.submission_folder(submission) / "timestamp.txt").read_text().strip())
    except (OSError, ValueError, OverflowError):
        return None
