"""Naming the submissions that have no score at this moment: those of one set and one reason in one line."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.classroom.directory import Outcome, Submission

#: Students whom one line names; a set that nobody has graded yet has a hundred.
MAX_NAMED = 10


def some_of(students: list[str]) -> str:
    """Name students, and count those for whom a line has no room."""
    more = len(students) - MAX_NAMED
    return ", ".join(students[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def name_without_score(outcomes: Mapping[Submission, Outcome]) -> bool:
    """Print the submissions that failed or were not graded, and what to do.

    Parameters
    ----------
    outcomes : mapping of Submission to Outcome
        Those that a command has looked at, whatever came of them.

    Returns
    -------
    bool
        Whether there are any: the command then ends with the exit code for that.
    """
    remedies = {
        "failed": "What failed has no score; its feedback page tells the student what to do.",
        "not-graded": "What is not graded has no score here; run: autograder grade",
    }
    found = False
    for kind, remedy in remedies.items():
        together = defaultdict(list)
        for submission, outcome in outcomes.items():
            if outcome.outcome == kind:
                together[submission.problem_set, outcome.reason.rstrip(".")].append(submission.student)
        for (name, reason), students in sorted(together.items()):
            print(f"{kind.replace('-', ' ')}: {name}: {some_of(students)}: {reason}.", file=sys.stderr)
        if together:
            print(remedy, file=sys.stderr)
            found = True
    return found
