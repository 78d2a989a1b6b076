"""What came of a collection, for the command to tell."""

from __future__ import annotations

from dataclasses import dataclass, field

from autograder.classroom.directory import Submission


@dataclass
class Collected:
    """What came of a collection.

    Attributes
    ----------
    placed, replaced, unchanged : list of Submission
        Newly placed; placed instead of an earlier attempt; as they were.
    refused : list of Submission
        Known to be of a student and a set, but no notebook that can be read.
    ungradable : list of (str, str)
        Where each of those is, and why it cannot be read.
    unplaced : list of (str, str)
        What could not be placed, and why.
    timed : list of Submission
        As they were, but it is now known when they were handed in.
    untimed : list of str
        Times of handing in that cannot be read, and where each is written.
    late : list of Submission
        Marked as late by the platform, which does not tell when they were handed in.
    notices : list of str
        What an instructor should know.
    ignored : int
        Files that systems and Jupyter leave by themselves.
    """

    placed: list[Submission] = field(default_factory=list)
    replaced: list[Submission] = field(default_factory=list)
    unchanged: list[Submission] = field(default_factory=list)
    refused: list[Submission] = field(default_factory=list)
    ungradable: list[tuple[str, str]] = field(default_factory=list)
    unplaced: list[tuple[str, str]] = field(default_factory=list)
    timed: list[Submission] = field(default_factory=list)
    untimed: list[str] = field(default_factory=list)
    late: list[Submission] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    ignored: int = 0
