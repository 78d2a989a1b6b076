"""What one hand-in holds: its notebooks by set, and what is wrong with its other files."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from autograder.classroom.collecting.platforms.hand_in import HandIn, Platform
from autograder.common.text import printable

#: Where no platform wrote the names, those of folders say whose work it is.
FOLDERS = Platform("the folder", lambda path, reading: None)
#: Files of one hand-in that a message names.
NAMED = 5


@dataclass
class Notebook:
    """A notebook of a hand-in: its place, its hash, its name if it is at the top, and whether it was worked."""

    where: str
    sha256: str
    stem: str
    worked: bool
    time: datetime | None


@dataclass
class HandInFiles:
    """The files of one hand-in.

    Attributes
    ----------
    platform, hand_in : Platform, HandIn
        What is known about it.
    trail : tuple of str
        The archive's name, and the path of its first file.
    notebooks : dict of str to list of Notebook
        By set.
    refused : list of (str, str)
        Other files, and what is wrong with each.
    guess : str
        The set that it is of if it holds no notebook; empty where that is not known.
    owner : str
        Whose its folder is on this computer, if it is one of nbgrader's exchange; empty where that is not known. There,
        everybody may make a folder with anybody's name.
    """

    platform: Platform
    hand_in: HandIn
    trail: tuple[str, ...]
    notebooks: dict[str, list[Notebook]] = field(default_factory=lambda: defaultdict(list))
    refused: list[tuple[str, str]] = field(default_factory=list)
    guess: str = ""
    owner: str = ""

    @property
    def sets(self) -> list[str]:
        """The sets that it is of; an empty name for one that is not known."""
        return list(self.notebooks) or [self.guess]

    @property
    def path(self) -> str:
        """Its path as the platform wrote it; empty where no platform did."""
        return "" if self.platform is FOLDERS else self.hand_in.key + self.hand_in.rest

    @property
    def where(self) -> str:
        """How messages name it."""
        if self.platform is FOLDERS or len(self.trail) < 2 or not self.hand_in.rest:
            return printable(": ".join(self.trail))
        return printable(f"{self.trail[0]}: {self.hand_in.key.rstrip('/')}")


def listed_refusals(refused: list[tuple[str, str]]) -> str:
    """Name the first few files and what is wrong with each; first the limit that was reached, if one was."""
    shown = [f"{path} ({why})" for path, why in sorted(refused, key=lambda item: not item[1].endswith("was not read"))]
    more = f" and {len(shown) - NAMED} more" if len(shown) > NAMED else ""
    return ", ".join(shown[:NAMED]) + more
