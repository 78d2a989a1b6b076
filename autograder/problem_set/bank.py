"""A problem set's known answers, the points that they must lose, and how they share notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class BankEntry:
    """A known answer to one solution cell: a misconception, or a correct alternative.

    Attributes
    ----------
    name, kind, replaces : str
        Name of the entry, ``misconception`` or ``alternative``, and the grade_id of the cell it answers.
    code : str
        Text of the whole solution cell.
    loses : frozenset of str
        grade_ids of exactly the test cells that it fails; empty for a misconception whose losses are not known yet.
    diagnosis, revisit : str
        How such an answer behaves, and the idea that its student should revisit.
    """

    name: str
    kind: str
    replaces: str
    code: str
    loses: frozenset[str] = field(default_factory=frozenset)
    diagnosis: str = ""
    revisit: str = ""

    @property
    def is_draft(self) -> bool:
        """Whether it is a misconception whose losses are not known yet: `release` measures them."""
        return self.kind == "misconception" and not self.loses

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.replaces}"


def promised_losses(entries: Iterable[BankEntry]) -> set[str]:
    """Return the grade_ids of the test cells that these entries fail, together in one notebook."""
    return set().union(*(entry.loses for entry in entries))


def deal_out(answers: Iterable[Answer], may_share: Callable[[Answer, Answer], bool]) -> list[list[Answer]]:
    """Deal out answers to notebooks, each to the first notebook that it may share with all answers already there."""
    mixes: list[list[Answer]] = []
    for answer in answers:
        for mix in mixes:
            if all(may_share(answer, other) for other in mix):
                mix.append(answer)
                break
        else:
            mixes.append([answer])
    return mixes
