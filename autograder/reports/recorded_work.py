"""What a class has recorded of a problem set, and of one student's work on it, for those who show it."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.grading.gradebook import (
    item_grades,
    read_comments,
    read_corrections,
    read_penalties,
    read_scores,
)
from autograder.problem_set.source import ProblemSet
from autograder.reports.hidden_tests import FixedMessages, read_fixed_messages
from autograder.reports.translation import Wording, wording_of


@dataclass(frozen=True)
class Work:
    """What is recorded of a student's work on a set.

    Attributes
    ----------
    recorded : Recorded
        What is recorded of the set.
    submission : Submission
        Whose work it is.
    outcome : Outcome
        The outcome of grading it.
    scores, items : dict of str to (float or None)
        Points by grade_id and by item; None where they await a person.
    penalty : float
        Points deducted because it was late.
    comments : dict of str to str
        By grade_id.
    corrections : dict of str to float
        Points that a person gave in place of the machine's, by grade_id.
    """

    recorded: Recorded
    submission: Submission
    outcome: Outcome
    scores: dict[str, float | None]
    items: dict[str, float | None]
    penalty: float
    comments: dict[str, str]
    corrections: dict[str, float]


@dataclass(frozen=True)
class Recorded:
    """What is recorded of a set.

    Attributes
    ----------
    problem_set : ProblemSet
        The set.
    scores, items, penalties, comments, corrections : dict
        By student, as in `Work`.
    messages : FixedMessages
        The texts that its hidden tests may show.
    say : Wording
        The sentences of its pages, in its language.
    """

    problem_set: ProblemSet
    scores: dict[str, dict[str, float | None]]
    items: dict[str, dict[str, float | None]]
    penalties: dict[str, float]
    comments: dict[str, dict[str, str]]
    corrections: dict[str, dict[str, float]]
    messages: FixedMessages
    say: Wording

    @classmethod
    def read(cls, directory: ClassDirectory, problem_set: ProblemSet) -> Recorded:
        """Read it from a class."""
        scores = read_scores(directory, problem_set)
        return cls(
            problem_set=problem_set,
            scores=scores,
            items=item_grades(problem_set, scores),
            penalties=read_penalties(directory, problem_set),
            comments=read_comments(directory, problem_set),
            corrections=read_corrections(directory, problem_set),
            messages=read_fixed_messages(directory, problem_set.name),
            say=wording_of(problem_set),
        )

    def of(self, submission: Submission, outcome: Outcome) -> Work:
        """Return what is recorded of one submission."""
        student = submission.student
        return Work(
            recorded=self,
            submission=submission,
            outcome=outcome,
            scores=self.scores.get(student, {}),
            items=self.items.get(student, {}),
            penalty=self.penalties.get(student, 0.0),
            comments=self.comments.get(student, {}),
            corrections=self.corrections.get(student, {}),
        )
