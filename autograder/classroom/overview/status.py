"""Where each student stands with each set: handed in, late, graded, awaiting a person, failed, given back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from autograder.classroom.collecting.marked_late import marked_late
from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.grading.current_results import state_of_class
from autograder.classroom.grading.gradebook import (
    item_grades,
    read_comments,
    read_hours_late,
    read_penalties,
    read_scores,
    read_waiting,
)
from autograder.classroom.overview.given_back import page_shows, read_given, shown_digest
from autograder.classroom.result.submission_folder import handed_in_at
from autograder.classroom.roster import Roster, with_missing
from autograder.problem_set.source import ProblemSet


@dataclass(frozen=True)
class Standing:
    """Where a student stands with a set.

    Attributes
    ----------
    outcome : str
        As in `directory.Outcome`, as it is now.
    reason : str
        Why it failed or has no grade.
    handed_in : datetime or None
        When (UTC), where that is known.
    hours_late : float
        Hours after the date that holds for the student; 0 where it was in time or has no date.
    score : float or None
        The points so far, less what lateness costs; None where there is no grade.
    by_hand : int
        How many answers and tests await a person.
    marked_late : bool
        Whether the platform marks it as late, and nothing tells by how much.
    feedback : str
        ``given`` where a page that shows the grade as it is went out, ``ready`` where there is one, ``outdated`` where it
        shows another grade, else empty.
    """

    outcome: str
    reason: str = ""
    handed_in: datetime | None = None
    hours_late: float = 0.0
    score: float | None = None
    by_hand: int = 0
    marked_late: bool = False
    feedback: str = ""


def class_status(
    directory: ClassDirectory, problem_sets: list[ProblemSet], roster: Roster | None
) -> dict[Submission, Standing]:
    """Return where everybody stands with every set that was given out, sorted by student and set."""
    by_name = {problem_set.name: problem_set for problem_set in problem_sets}
    outcomes = with_missing(directory, roster, list(by_name), state_of_class(directory, problem_sets))
    graded = {s.problem_set for s, outcome in outcomes.items() if outcome.outcome not in ("missing", "not-graded")}
    late = {name: read_hours_late(directory, name) for name in graded}
    waiting = {name: read_waiting(directory, name) for name in graded}
    scores = {name: read_scores(directory, by_name[name]) for name in graded}
    items = {name: item_grades(by_name[name], scores[name]) for name in graded}
    penalties = {name: read_penalties(directory, by_name[name]) for name in graded}
    comments = {name: read_comments(directory, by_name[name]) for name in graded}
    given, standings = read_given(directory), {}
    for submission, outcome in sorted(outcomes.items()):
        name, student = submission.problem_set, submission.student
        known = outcome.outcome in ("graded", "needs-manual-grading")
        points = items[name].get(student, {}) if known else {}
        penalty = penalties.get(name, {}).get(student, 0.0)
        shown = shown_digest(
            outcome, scores.get(name, {}).get(student, {}), comments.get(name, {}).get(student, {}), penalty
        )
        standings[submission] = Standing(
            outcome.outcome,
            outcome.reason,
            handed_in_at(directory.submission_folder(submission)),
            late.get(name, {}).get(student, 0.0) if known else 0.0,
            max(0.0, sum(value or 0.0 for value in points.values()) - penalty) if known else None,
            len(waiting[name].get(student, ())) if known else 0,
            known and marked_late(directory, submission),
            _feedback(directory, submission, outcome, shown, given.get(submission, {})),
        )
    return standings


def _feedback(
    directory: ClassDirectory, submission: Submission, outcome: Outcome, shown: str, ways: dict[str, str]
) -> str:
    if outcome.outcome == "missing" or not directory.feedback_page(submission).is_file():
        return ""
    if page_shows(directory, submission) != shown:
        return "outdated"
    return "given" if shown in ways.values() else "ready"
