"""Attacks on the grading engine: what a hostile student puts into a notebook, and how it ends."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

#: An honest, wrong answer to the warm-up: whatever an attack adds must not earn the point that this one loses.
WRONG = "def nats_to_bits(x):\n    return x * 0.5\n"


@dataclass(frozen=True)
class Attack:
    """One attack on the warm-up, as a submission.

    Attributes
    ----------
    kind : str
        The group that it belongs to.
    name : str
        What it does.
    code : str
        The solution cell's code in addition to a wrong answer.
    ends : str
        How it ends: ``graded``, or part of the reason given to the student.
    answer : str
        The answer that precedes the code.
    quick : bool
        Whether it runs with short limits, because it uses up time or memory.
    idle : bool
        Whether its time on the clock is short too, because it only waits.
    """

    kind: str
    name: str
    code: str
    ends: str = "graded"
    answer: str = WRONG
    quick: bool = False
    idle: bool = False

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"

    @property
    def cell(self) -> str:
        """The text of the solution cell."""
        return self.answer + "\n" + textwrap.dedent(self.code)
