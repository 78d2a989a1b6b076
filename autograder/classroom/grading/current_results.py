"""The results of a class, compared with the class as it is now: its files, the sets of the course, and the gradebook.

An outcome is written when a submission is graded. Since then a student may have handed in again, an author may have
changed the set, and a person may have given points. A score that no longer belongs to what is in `submitted/` is not
shown: the submission counts as not graded, with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import nbformat
from nbformat import NotebookNode

from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.due_dates import LatePenalties
from autograder.classroom.grading.gradebook import open_gradebook, read_waiting
from autograder.classroom.result.submission_folder import fingerprint
from autograder.common.errors import AutograderError
from autograder.problem_set.source import ProblemSet
from autograder.problem_set.versions import instructor_version

#: Why a submission has no score at this moment, though nothing went wrong with it.
NOT_YET = "it has not been graded, or grading it was interrupted"
HANDED_IN_ANEW = "what was handed in has changed since it was graded"
SET_CHANGED = "the set has changed since it was graded"
NOT_IN_GRADEBOOK = "the gradebook holds no grade of it"
_WITH_POINTS = ("graded", "needs-manual-grading")


def set_digest(source: NotebookNode) -> str:
    """Hash the instructor's version of a set, which decides what a submission is graded by."""
    return hashlib.sha256(nbformat.writes(source).encode("utf-8", "replace")).hexdigest()


def current_outcomes(directory: ClassDirectory, problem_sets: list[ProblemSet]) -> dict[Submission, Outcome]:
    """Return what came of each submission, as far as it still holds.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_sets : list of ProblemSet
        The sets.

    Returns
    -------
    dict of Submission to Outcome
        Of everything in `submitted/`. One is ``graded`` as soon as nothing awaits a person any longer, and ``not-graded``,
        with the reason, where the gradebook's score is of other work, of another set, or missing.

    Raises
    ------
    AutograderError
        Nothing was graded yet, or the gradebook or the class's plugin for late work cannot be used.
    """
    outcomes = state_of_class(directory, problem_sets)
    if not any(directory.outcome(submission) for submission in outcomes):
        raise AutograderError(f"Nothing was graded in {directory.root}; run: autograder grade --class {directory.root}")
    return outcomes


def state_of_class(directory: ClassDirectory, problem_sets: list[ProblemSet]) -> dict[Submission, Outcome]:
    """Return the same as `current_outcomes`, of a class in which nothing needs to be graded yet.

    Late penalties are brought up to date first: a person may have changed the points that they were taken from.
    """
    directory.require_existing()
    names = [problem_set.name for problem_set in problem_sets]
    recorded = {submission: directory.outcome(submission) for submission in directory.submissions(names)}
    sets = {submission.problem_set for submission, outcome in recorded.items() if outcome}
    if sets:
        renew_penalties(directory, sorted(sets))
    digests = {ps.name: set_digest(instructor_version(ps)) for ps in problem_sets if ps.name in sets}
    still = {
        submission: _held_against_files(directory, submission, outcome, digests.get(submission.problem_set, ""))
        for submission, outcome in recorded.items()
    }
    return with_hand_grades(directory, still)


def renew_penalties(directory: ClassDirectory, names: Iterable[str]) -> None:
    """Compute the late penalties of these sets from the points and dates that the gradebook has now."""
    with open_gradebook(directory) as gradebook:
        penalties = LatePenalties(directory, gradebook, None)
        for name in names:
            penalties.apply(name)


def with_hand_grades(directory: ClassDirectory, outcomes: dict[Submission, Outcome]) -> dict[Submission, Outcome]:
    """Return outcomes in which what a person has graded no longer awaits one.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    outcomes : dict of Submission to Outcome
        As grading left them.
    """
    waiting = {name: read_waiting(directory, name) for name in _sets_with_points(outcomes)}
    settled = {}
    for submission, outcome in outcomes.items():
        if outcome.outcome in _WITH_POINTS:
            cells = waiting[submission.problem_set].get(submission.student)
            if cells is None:
                outcome = Outcome("not-graded", NOT_IN_GRADEBOOK)
            else:
                now = "needs-manual-grading" if cells else "graded"
                awaiting = {test: why for test, why in outcome.awaiting.items() if test in cells}
                outcome = replace(outcome, outcome=now, awaiting=awaiting)
        settled[submission] = outcome
    return settled


def _sets_with_points(outcomes: dict[Submission, Outcome]) -> set[str]:
    return {submission.problem_set for submission, outcome in outcomes.items() if outcome.outcome in _WITH_POINTS}


def _held_against_files(
    directory: ClassDirectory, submission: Submission, outcome: Outcome | None, digest: str
) -> Outcome:
    if outcome is None:
        return Outcome("not-graded", NOT_YET)
    if outcome.outcome == "not-graded":
        return outcome
    if outcome.files != fingerprint(directory.submission_folder(submission)):
        return Outcome("not-graded", HANDED_IN_ANEW)
    if outcome.of_set != digest:
        return Outcome("not-graded", SET_CHANGED)
    return outcome
