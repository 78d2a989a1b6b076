"""Naming the submissions that have no grade at this moment: those of one set and one reason in one line."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.classroom.directory import Outcome, Submission

#: Students whom one line names; a set that nobody has graded yet has a hundred.
MAX_NAMED = 10


def reasons_of(outcomes: Mapping[Submission, Outcome]) -> dict[Submission, str]:
    """Return the submissions without a grade, each with the reason."""
    return {submission: o.reason for submission, o in outcomes.items() if o.outcome == "not-graded"}


def some_of(students: list[str]) -> str:
    """Name students, and count those for whom a line has no room."""
    more = len(students) - MAX_NAMED
    return ", ".join(students[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def name_not_graded(reasons: Mapping[Submission, str]) -> None:
    """Print the submissions without a grade, and what to do.

    Parameters
    ----------
    reasons : mapping of Submission to str
        Each with the reason.
    """
    together = defaultdict(list)
    for submission, reason in reasons.items():
        together[submission.problem_set, reason.rstrip(".")].append(submission.student)
    for (name, reason), students in sorted(together.items()):
        print(f"not graded: {name}: {some_of(students)}: {reason}.", file=sys.stderr)
    if together:
        print("What is not graded has no score here; run: autograder grade", file=sys.stderr)
