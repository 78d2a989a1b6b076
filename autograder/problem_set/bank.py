"""Known answers of a problem set, the points that they must lose, and how they share notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class BankEntry:
    """A known answer to one solution cell: a misconception, or an alternative that is right.

    Attributes
    ----------
    name, kind, replaces : str
        Name of the entry, ``misconception`` or ``alternative``, and the grade_id of the cell it answers.
    code : str
        Text of the whole solution cell.
    loses : frozenset of str
        grade_ids of exactly those test cells that it fails. A misconception of which that is not said yet has none.
    diagnosis, revisit : str
        How such an answer behaves, and the idea its student should look at again.
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
        """Whether it is a misconception whose losses are not said yet: `release` measures them."""
        return self.kind == "misconception" and not self.loses

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.replaces}"


def promised_losses(entries: Iterable[BankEntry]) -> set[str]:
    """Return the grade_ids of the test cells that these entries, together in one notebook, fail."""
    return set().union(*(entry.loses for entry in entries))


def bank_mixes(bank: list[BankEntry]) -> list[list[BankEntry]]:
    """Deal the entries of a bank out, one per cell, to as few notebooks as hold them all."""
    return deal_out(bank, lambda one, other: one.replaces != other.replaces)


def deal_out(answers: Iterable[Answer], may_share: Callable[[Answer, Answer], bool]) -> list[list[Answer]]:
    """Deal answers out to notebooks, each to the first in which it may be together with those that are there."""
    mixes: list[list[Answer]] = []
    for answer in answers:
        for mix in mixes:
            if all(may_share(answer, other) for other in mix):
                mix.append(answer)
                break
        else:
            mixes.append([answer])
    return mixes
