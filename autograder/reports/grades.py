"""What each student has for each set, as reports and exports show it."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.classroom.collecting.marked_late import marked_late
from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.grading.gradebook import read_grades, read_hours_late, read_penalties
from autograder.common.text import number
from autograder.problem_set.source import ProblemSet


@dataclass(frozen=True)
class Result:
    """What a student has for a set.

    Attributes
    ----------
    outcome : str
        As in `directory.Outcome`.
    items : dict of str to (float or None), optional
        Points of each item, None where a person has yet to give them; None as a whole where nothing could be graded.
    penalty : float
        Points that are taken off for handing in late.
    hours_late : float
        Hours after the date that holds for the student, whether or not they cost points.
    marked_late : bool
        Whether the platform marks it as late, and nothing tells by how much.
    """

    outcome: str
    items: dict[str, float | None] | None = None
    penalty: float = 0.0
    hours_late: float = 0.0
    marked_late: bool = False

    @property
    def score(self) -> float | None:
        """The points given so far, less the penalty, and not below 0; None where nothing could be graded."""
        if self.items is None:
            return None
        return max(0.0, sum(points for points in self.items.values() if points is not None) - self.penalty)


#: Result by student and set.
Grades = dict[str, dict[str, Result]]


def class_grades(
    directory: ClassDirectory, problem_sets: list[ProblemSet], outcomes: dict[Submission, Outcome]
) -> Grades:
    """Read the grades of these submissions.

    Returns
    -------
    dict
        Student and set, to result.
    """
    items = {problem_set.name: read_grades(directory, problem_set) for problem_set in problem_sets}
    penalties = {problem_set.name: read_penalties(directory, problem_set) for problem_set in problem_sets}
    late = {problem_set.name: read_hours_late(directory, problem_set.name) for problem_set in problem_sets}
    grades: Grades = {}
    for submission, outcome in sorted(outcomes.items()):
        student, name = submission.student, submission.problem_set
        if outcome.outcome in ("failed", "not-graded", "missing"):
            result = Result(outcome.outcome)
        else:
            penalty, hours = penalties[name].get(student, 0.0), late[name].get(student, 0.0)
            marked = marked_late(directory, submission)
            result = Result(outcome.outcome, items[name].get(student), penalty, hours, marked)
        grades.setdefault(student, {})[name] = result
    return grades


def given_out(grades: Grades, problem_sets: list[ProblemSet]) -> list[ProblemSet]:
    """Return the sets that at least one student has handed in, or should have."""
    names = {name for sets in grades.values() for name in sets}
    return [problem_set for problem_set in problem_sets if problem_set.name in names]


def summary_rows(grades: Grades, problem_sets: list[ProblemSet]) -> list[list[str]]:
    """Return a row for each student with the score of each set, or why there is none: ``failed``, ``not graded``, ``missing``."""
    return [[student, *(_in_short(sets.get(ps.name)) for ps in problem_sets)] for student, sets in grades.items()]


def _in_short(result: Result | None) -> str:
    if result is None:
        return "-"
    if result.score is None:
        return result.outcome.replace("-", " ")
    return number(result.score) + (" so far" if result.outcome == "needs-manual-grading" else "")
