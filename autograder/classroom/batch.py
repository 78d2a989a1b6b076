"""Grading a class: which submissions are due, grading them side by side, and recording each result."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.utils import parse_utc

from autograder.classroom.diagnosis import diagnose
from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.due_dates import DueDates, LatePenalties
from autograder.classroom.gradebook import open_gradebook, record_grades, record_source, record_students, remove_grades
from autograder.classroom.roster import Roster
from autograder.common.atomic_files import write_notebook
from autograder.common.errors import AutograderError, SubmissionError
from autograder.common.text import printable
from autograder.common.untrusted_files import reached_by_link, read_regular_file, require_no_links, walk
from autograder.engine.execution import Executor
from autograder.engine.score import Graded, grade
from autograder.engine.submitted_notebook import read_submission
from autograder.problem_set.known_behaviour import known_behaviour
from autograder.problem_set.source import ProblemSet, answered, grade_id
from autograder.problem_set.versions import instructor_version, without_hidden_tests

#: Larger files are not read: a notebook with its figures has a few hundred kilobytes.
MAX_SUBMISSION_BYTES = 20_000_000
#: Among more notebooks than these, none is looked for: each takes time to read.
MAX_NOTEBOOKS = 20


@dataclass(frozen=True)
class Batch:
    """What one run of `grade` came to.

    Attributes
    ----------
    outcomes : dict of Submission to Outcome
        Every submission of the sets asked for.
    graded_now : int
        How many of them this run graded; the others were up to date.
    changed_sets : list of str
        Sets that have changed since their release, so that no misconception could be named.
    """

    outcomes: dict[Submission, Outcome]
    graded_now: int
    changed_sets: list[str]


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
    ways = {name: f"{execute.name}\n{nbformat.writes(source)}" for name, source in sources.items()}
    for submission in submissions:
        fingerprint = _fingerprint(directory, submission, ways[submission.problem_set])
        earlier = directory.outcome(submission)
        if earlier and earlier.fingerprint == fingerprint:
            outcomes[submission] = earlier
        else:
            due.append((submission, fingerprint))

    known = {problem_set.name: (problem_set, known_behaviour(problem_set)) for problem_set in problem_sets}
    graded_sets = {submission.problem_set for submission, _ in due}
    if due:
        execute.start(min(jobs, len(due)))
    # Both take their seconds, so they go side by side: making a new gradebook, and the first reference solution.
    with (
        ThreadPoolExecutor(jobs) as pool,
        _checks(pool, problem_sets, sources, graded_sets, execute) as checks,
        open_gradebook(directory) as gradebook,
    ):
        for problem_set in problem_sets:
            write_notebook(problem_set.notebook, directory.source / problem_set.name / f"{problem_set.name}.ipynb")
            if problem_set.name in checks:
                checks[problem_set.name].result()
                record_source(directory, problem_set.name, sources[problem_set.name])
        started(len(due))
        if roster is not None:
            record_students(gradebook, roster)
        penalties = LatePenalties(directory, gradebook, due_dates)
        waiting: dict[Future, tuple[Submission, str]] = {}
        queue = iter(due)
        try:
            while True:
                # One more than run at once is handed over, so that no worker waits while results are recorded; an
                # interrupt ends after those that run.
                while len(waiting) <= jobs and (task := next(queue, None)):
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
                        # With the grade, for this run may be killed before its end; a plugin that fails stops it there.
                        with contextlib.suppress(AutograderError):
                            penalties.apply(submission.problem_set, submission.student)
                    directory.record_outcome(submission, outcome)
                    outcomes[submission] = outcome
                    finished(submission, outcome)
        finally:
            for future in waiting:
                future.cancel()
        # Those of submissions that were not graded anew: dates, the plugin and grades given by hand may have changed.
        for name in names:
            penalties.apply(name)
    changed = [name for name, (_, behaviour) in known.items() if not behaviour]
    return Batch(dict(sorted(outcomes.items())), len(due), changed)


@contextlib.contextmanager
def _checks(
    pool: ThreadPoolExecutor,
    problem_sets: list[ProblemSet],
    sources: dict[str, NotebookNode],
    names: set[str],
    execute: Executor,
) -> Iterator[dict[str, Future]]:
    """Start to grade the reference solutions of the sets with these names."""
    checks = {
        problem_set.name: pool.submit(_require_full_marks, problem_set, sources[problem_set.name], execute)
        for problem_set in problem_sets
        if problem_set.name in names
    }
    try:
        yield checks
    finally:
        for check in checks.values():
            check.cancel()


def _fingerprint(directory: ClassDirectory, submission: Submission, way: str) -> str:
    """Hash what a result follows from: the way of execution with the set's source, and what was handed in."""
    hashed = hashlib.sha256(way.encode())
    folder = directory.submission_folder(submission)
    for path, status in [] if reached_by_link(folder) else walk(folder):
        if stat.S_ISDIR(status.st_mode):
            continue
        hashed.update(os.fsencode(path.name) + f"\0{status.st_size}\0{stat.S_IFMT(status.st_mode)}\0".encode())
        if status.st_size <= MAX_SUBMISSION_BYTES:
            with contextlib.suppress(OSError):
                hashed.update(read_regular_file(path, MAX_SUBMISSION_BYTES))
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
    require_no_links(folder)
    expected = folder / f"{name}.ipynb"
    if expected.is_file():
        return _read_file(expected), []
    others = sorted(
        path for path in folder.rglob("*.ipynb") if path.is_file() and ".ipynb_checkpoints" not in path.parts
    )
    if not others:
        raise SubmissionError(f"No notebook was handed in: the folder holds no {name}.ipynb.")
    if len(others) == 1:
        return _read_file(others[0]), [
            f"The file is called {printable(others[0].name)}; it was graded as {name}.ipynb."
        ]
    known = {grade_id(cell) for cell in source.cells} - {None}
    matching = []
    for path in others if len(others) <= MAX_NOTEBOOKS else []:
        try:
            notebook = _read_file(path)
        except SubmissionError:
            continue
        if known & {grade_id(cell) for cell in notebook.cells}:
            matching.append((path, notebook))
    if len(matching) != 1:
        listed = ", ".join(printable(path.name) for path in ([path for path, _ in matching] or others)[:10])
        raise SubmissionError(
            f"Several notebooks were handed in and none is called {name}.ipynb ({listed}); hand in one."
        )
    path, notebook = matching[0]
    return notebook, [f"Of several notebooks, {printable(path.name)} was graded as {name}.ipynb."]


def _read_file(path: Path) -> NotebookNode:
    name = printable(path.name)
    try:
        content = read_regular_file(path, MAX_SUBMISSION_BYTES)
        if len(content) > MAX_SUBMISSION_BYTES:
            raise SubmissionError(
                f"{name} has more than {MAX_SUBMISSION_BYTES // 1_000_000} MB; clear its outputs and hand it in again."
            )
        return read_submission(content)
    except OSError as error:
        raise SubmissionError(f"{name} cannot be read: {error.strerror}.") from None


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
        text = read_regular_file(directory.submission_folder(submission) / "timestamp.txt", 100).decode()
        return parse_utc(text.strip())
    except (OSError, ValueError, OverflowError):
        return None
