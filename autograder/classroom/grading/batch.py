"""Grading a class: which submissions are due, grading them side by side, and recording each result."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Collection, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from autograder.classroom import result as result_room
from autograder.classroom.directory import ClassDirectory, Outcome, Submission, unwritable
from autograder.classroom.due_dates import DueDates, LatePenalties
from autograder.classroom.grading.current_results import set_digest, with_hand_grades
from autograder.classroom.grading.gradebook import (
    open_gradebook,
    record_grades,
    record_source,
    record_students,
    remove_grades,
)
from autograder.classroom.result.diagnosis import diagnose
from autograder.classroom.result.submission_folder import find_notebook, fingerprint, handed_in_at, time_problem
from autograder.classroom.roster import Roster
from autograder.common.atomic_files import NO_ROOM, UnwritableError, write_notebook, write_text
from autograder.common.errors import AutograderError, MachineError, ProblemSetError, SubmissionError, UsageError
from autograder.engine.execution import Executor
from autograder.engine.score import Graded, grade
from autograder.problem_set.known_behaviour import behaviour_path, known_behaviour, known_messages
from autograder.problem_set.source import ProblemSet, answered
from autograder.problem_set.versions import instructor_version, without_hidden_tests

#: Characters of a sentence about a submission, and how many notices of one are kept.
MAX_SENTENCE, MAX_NOTICES = 1_000, 50


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
    refused : dict of str to str
        Sets of which nothing was graded, each with the reason: its reference solution loses points here, or it has other
        cells than before.
    unread_times : dict of Submission to str
        Those whose time of handing in is written in a form that is not read, and what is wrong with it.
    """

    outcomes: dict[Submission, Outcome]
    graded_now: int
    changed_sets: list[str]
    refused: dict[str, str] = field(default_factory=dict)
    unread_times: dict[Submission, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Set:
    """A problem set as this run grades it.

    Attributes
    ----------
    problem_set : ProblemSet
        The set.
    source : NotebookNode
        What submissions are graded against.
    digest, way : str
        Hashes of the source, and of everything but the submission that decides a result.
    behaviour : dict
        How known misconceptions answer; empty if the set has changed since its release.
    """

    problem_set: ProblemSet
    source: NotebookNode
    digest: str
    way: str
    behaviour: dict[str, dict[str, dict[str, str]]]

    @classmethod
    def of(cls, problem_set: ProblemSet, execute: Executor, gradebook: str) -> _Set:
        """Prepare a set for grading in this way, for this gradebook."""
        source = instructor_version(problem_set)
        way = _way(problem_set, source, execute, gradebook)
        return cls(problem_set, source, set_digest(source), way, known_behaviour(problem_set))


@dataclass(frozen=True)
class _Task:
    """A submission that is due, the hash of all that decides its result, and those of what is graded: files and set."""

    submission: Submission
    fingerprint: str
    files: str
    of_set: str


def grade_class(
    directory: ClassDirectory,
    problem_sets: list[ProblemSet],
    execute: Executor,
    jobs: int,
    started: Callable[[int], None] = lambda total: None,
    finished: Callable[[Submission, Outcome], None] = lambda submission, outcome: None,
    roster: Roster | None = None,
    due_dates: DueDates | None = None,
    again: Collection[str] | None = None,
) -> Batch:
    """Grade what a class handed in, and record it in the gradebook.

    Submissions are left alone where nothing has changed that decides their result: what was handed in, the set with its
    bank, and the way of execution. One that cannot be graded stops no other; where the machine failed, the next call
    tries again.

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
        When the sets are due; without it, the gradebook's dates stay.
    again : collection of str, optional
        Students whose submissions are graded even if they have not changed; all students if empty.

    Raises
    ------
    UsageError
        A student of `again` handed in none of these sets.
    AutograderError
        Nothing was handed in, or the class directory cannot be used; a `ProblemSetError` where no set with work to grade
        can be used, as its reference solution does not get full marks on this machine.
    MachineError
        The disk is full, or the machine failed at the reference solution of each set with work to grade.
    """
    directory.require_existing()
    names = [problem_set.name for problem_set in problem_sets]
    submissions = directory.submissions(names)
    if not submissions:
        raise AutograderError(
            f"Nothing to grade: {directory.submitted} holds no submission of {' or '.join(names)}; "
            "submissions belong in submitted/<student>/<problem set>/."
        )
    anew = _students_again(submissions, names, again)
    directory.prepare()
    sets = {problem_set.name: _Set.of(problem_set, execute, directory.other_database) for problem_set in problem_sets}
    due, outcomes = _due(directory, submissions, sets, anew)
    graded_sets = {task.submission.problem_set for task in due}
    if due:
        execute.start(min(jobs, len(due)))
    # Both take their seconds, so they go side by side: making a new gradebook, and the first reference solution.
    with (
        ThreadPoolExecutor(jobs) as pool,
        _checks(pool, [known for name, known in sets.items() if name in graded_sets], execute) as checks,
        open_gradebook(directory) as gradebook,
    ):
        references, refused = _prepare_sets(directory, sets, checks)
        if refused and not graded_sets - set(refused):
            raise next(iter(refused.values()))
        due = [task for task in due if task.submission.problem_set not in refused]
        started(len(due))
        if roster is not None:
            record_students(gradebook, roster)
        penalties = LatePenalties(directory, gradebook, due_dates)

        def begin(task: _Task) -> Future:
            name = task.submission.problem_set
            return pool.submit(_grade_files, directory, task.submission, sets[name].source, execute, references[name])

        with contextlib.closing(_when_done(due, begin, jobs)) as done:
            for task, future in done:
                known = sets[task.submission.problem_set]
                outcome = _record(directory, gradebook, task, future, known, penalties)
                outcomes[task.submission] = outcome
                finished(task.submission, outcome)
        # Those of submissions that were not graded anew: dates, the plugin and grades given by hand may have changed.
        for name in names:
            penalties.apply(name)
    changed = [name for name, known in sets.items() if not known.behaviour]
    sentences = {name: str(error) for name, error in refused.items()}
    times = {submission: time_problem(directory.submission_folder(submission)) for submission in sorted(outcomes)}
    unread = {submission: problem for submission, problem in times.items() if problem}
    return Batch(with_hand_grades(directory, dict(sorted(outcomes.items()))), len(due), changed, sentences, unread)


def _due(
    directory: ClassDirectory, submissions: list[Submission], sets: dict[str, _Set], anew: Collection[str]
) -> tuple[list[_Task], dict[Submission, Outcome]]:
    """Return the submissions to grade, and the outcomes of those of which nothing has changed that decides the result."""
    due: list[_Task] = []
    outcomes: dict[Submission, Outcome] = {}
    for submission in submissions:
        known, files = sets[submission.problem_set], fingerprint(directory.submission_folder(submission))
        task = _Task(submission, _hash(known.way, files), files, known.digest)
        earlier = directory.outcome(submission)
        if earlier and earlier.fingerprint == task.fingerprint and submission.student not in anew:
            outcomes[submission] = earlier
        else:
            due.append(task)
    return due, outcomes


def _prepare_sets(
    directory: ClassDirectory, sets: dict[str, _Set], checks: dict[str, Future]
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, ProblemSetError | MachineError]]:
    """Write into the class what nbgrader needs of each set; return what reference solutions measured, and sets refused."""
    references: dict[str, dict[str, dict[str, float]]] = {}
    refused: dict[str, ProblemSetError | MachineError] = {}
    for name, known in sets.items():
        write_notebook(known.problem_set.notebook, directory.source / name / f"{name}.ipynb")
        # nbgrader's own feedback button knows the class alone.
        messages = json.dumps(known_messages(known.problem_set), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_text(messages, directory.fixed_messages(name))
        if name in checks:
            try:
                references[name] = checks[name].result()
            except (ProblemSetError, MachineError) as error:
                refused[name] = error
            else:
                record_source(directory, name, known.source)
    return references, refused


def _when_done(
    due: list[_Task], begin: Callable[[_Task], Future], jobs: int
) -> Generator[tuple[_Task, Future], None, None]:
    """Begin each task, and yield it when it is done."""
    waiting: dict[Future, _Task] = {}
    queue = iter(due)
    try:
        while True:
            # One more than run at once is handed over, so that no worker waits while results are recorded; an
            # interrupt ends after those that run.
            while len(waiting) <= jobs and (task := next(queue, None)):
                waiting[begin(task)] = task
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future
    finally:
        for future in waiting:
            future.cancel()


@contextlib.contextmanager
def _checks(pool: ThreadPoolExecutor, sets: list[_Set], execute: Executor) -> Iterator[dict[str, Future]]:
    """Start to grade the reference solutions of these sets."""
    checks = {
        known.problem_set.name: pool.submit(_require_full_marks, known.problem_set, known.source, execute)
        for known in sets
    }
    try:
        yield checks
    finally:
        for check in checks.values():
            check.cancel()


def _students_again(submissions: list[Submission], names: list[str], again: Collection[str] | None) -> Collection[str]:
    """Return the students whose submissions are graded even if unchanged."""
    there = {submission.student for submission in submissions}
    if again is None:
        return ()
    for student in again:
        if student not in there:
            raise UsageError(f"There is no submission of {student!r} for {' or '.join(names)} to grade again.")
    return set(again) or there


def _way(problem_set: ProblemSet, source: NotebookNode, execute: Executor, gradebook: str) -> str:
    """Name everything but the submission that decides a result, and the gradebook that records it: another one has no results yet."""
    here, result = Path(__file__), Path(result_room.__file__).parent
    # This module, and the room of what it calls to decide. That room imports only rooms that the executor's name covers
    # (a contract in pyproject.toml), so that nothing else can decide.
    deciding = [path.read_text(encoding="utf-8") for path in (here, *sorted(result.rglob("*.py")))]
    bank = [(entry.name, entry.replaces, sorted(entry.loses), entry.code) for entry in problem_set.bank]
    try:
        recorded = behaviour_path(problem_set).read_text(encoding="utf-8")
    except OSError:
        recorded = ""
    return _hash(execute.name, nbformat.writes(source), *deciding, json.dumps(bank), recorded, gradebook)


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()


def _require_full_marks(
    problem_set: ProblemSet, source: NotebookNode, execute: Executor
) -> dict[str, dict[str, float]]:
    """Grade the reference solution: if that loses points, this machine would take points from everybody.

    Returns
    -------
    dict
        What its tests measured, to compare submissions with.
    """
    reference = answered(without_hidden_tests(source), problem_set.reference_answers)
    try:
        graded = grade(source, reference, execute)
    except SubmissionError as error:
        raise ProblemSetError(
            f"{problem_set.name}: the reference solution does not run here ({error}); nothing of it was graded."
        ) from None
    except MachineError as error:
        raise MachineError(
            f"{problem_set.name}: the reference solution could not be graded ({_clause(error)}), so nothing of it was."
        ) from None
    lost = sorted(graded.lost(problem_set.tests))
    if lost:
        raise ProblemSetError(
            f"{problem_set.name}: the reference solution loses points here in {', '.join(lost)}, so the set or this "
            "machine's Python is broken; nothing of it was graded. Run: autograder release"
        )
    return graded.measured


def _grade_files(
    directory: ClassDirectory,
    submission: Submission,
    source: NotebookNode,
    execute: Executor,
    reference: dict[str, dict[str, float]],
) -> Graded:
    try:
        folder = directory.submission_folder(submission)
        notebook, notices = find_notebook(folder, submission.problem_set, source)
        graded = grade(source, notebook, execute, reference)
    except (SubmissionError, MachineError, AutograderError):
        raise
    except Exception as error:  # whatever it is, the student did not promise to avoid it, and the others wait
        raise MachineError(f"the autograder stopped with {type(error).__name__}: {error}") from error
    graded.notices[:0] = notices
    return graded


def _record(
    directory: ClassDirectory,
    gradebook: Gradebook,
    task: _Task,
    future: Future,
    known: _Set,
    penalties: LatePenalties,
) -> Outcome:
    """Write what came of a submission: its outcome last, so that a run that is killed before tries again."""
    submission = task.submission
    try:
        earlier = directory.outcome(submission)
        directory.forget_outcome(submission)
        try:
            graded = future.result()
        except SubmissionError as error:
            _take_out(directory, gradebook, submission)
            reason = str(error)[:MAX_SENTENCE]
            outcome = Outcome("failed", reason, fingerprint=task.fingerprint, files=task.files, of_set=task.of_set)
        except MachineError as error:
            outcome = _not_graded(directory, gradebook, task, earlier, _clause(error))
        else:
            outcome = _record_graded(directory, gradebook, task, graded)
            outcome.diagnoses = diagnose(known.problem_set, graded, known.behaviour)
            # With the grade, for this run may be killed before its end; a plugin that fails stops it there.
            with contextlib.suppress(AutograderError):
                penalties.apply(submission.problem_set, submission.student)
        directory.record_outcome(submission, outcome)
        return outcome
    except OSError as error:
        if error.errno in NO_ROOM:
            raise unwritable(error) from None
        return Outcome("not-graded", f"its result cannot be written: {error.strerror}: {error.filename}")
    except UnwritableError as error:
        return Outcome("not-graded", f"its result cannot be written: {_clause(error)}")


def _record_graded(directory: ClassDirectory, gradebook: Gradebook, task: _Task, graded: Graded) -> Outcome:
    submission = task.submission
    # First what may not be writable, then the gradebook, which would otherwise hold a grade without its notebook.
    write_notebook(graded.notebook, directory.graded_notebook(submission))
    record_grades(
        gradebook,
        submission,
        graded,
        handed_in_at(directory.submission_folder(submission)),
        directory.work_by_hand(submission),
        directory.seen_by_hand(submission),
    )
    awaiting = {name: str(text)[:MAX_SENTENCE] for name, text in graded.awaiting.items()}
    return Outcome(
        "needs-manual-grading" if graded.needs_manual_grading else "graded",
        notices=[notice[:MAX_SENTENCE] for notice in graded.notices[:MAX_NOTICES]],
        not_attempted=graded.not_attempted,
        awaiting=awaiting,
        fingerprint=task.fingerprint,
        files=task.files,
        of_set=task.of_set,
    )


def _not_graded(
    directory: ClassDirectory, gradebook: Gradebook, task: _Task, earlier: Outcome | None, reason: str
) -> Outcome:
    """Note that the machine failed. A grade that the gradebook holds stays if it is of the same work by the same set."""
    if earlier is None or (earlier.files, earlier.of_set) != (task.files, task.of_set):
        _take_out(directory, gradebook, task.submission)
        return Outcome("not-graded", reason)
    return Outcome("not-graded", reason, files=earlier.files, of_set=earlier.of_set)


def _take_out(directory: ClassDirectory, gradebook: Gradebook, submission: Submission) -> None:
    directory.graded_notebook(submission).unlink(missing_ok=True)
    remove_grades(gradebook, submission, directory.work_by_hand(submission))


def _clause(error: Exception) -> str:
    return str(error).strip().rstrip(".")[:MAX_SENTENCE]
