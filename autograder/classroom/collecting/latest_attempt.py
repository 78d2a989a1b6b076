"""Attempts at a set: of several the latest counts, and what an archive tells again may correct the time of one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autograder.classroom.directory import Submission


@dataclass(frozen=True)
class Attempt:
    """A notebook whose student and set are known.

    Attributes
    ----------
    submission : Submission
        Whose it is, and of which set.
    where : str
        Where it was found.
    sha256 : str
        Hash of its bytes.
    upload : int
        The platform's number of the upload, which grows with time; 0 elsewhere.
    moment : str
        When it was handed in, or else packed; ISO 8601 in UTC, or empty.
    handed_in : str
        When it was handed in, where the archive tells; as `moment`.
    order : int
        Its place in the order of reading.
    path : str
        Its path as the platform wrote it; empty where no platform did.
    late : bool
        Whether the platform marks it as late.
    """

    submission: Submission
    where: str
    sha256: str
    upload: int = 0
    moment: str = ""
    handed_in: str = ""
    order: int = 0
    path: str = ""
    late: bool = False


def latest_of(attempts: list[Attempt]) -> Attempt:
    """Return the latest of several attempts: by the platform's numbers of uploads, else by time."""
    if all(attempt.upload for attempt in attempts):
        return max(attempts, key=lambda a: (a.upload, a.moment, a.order))
    return max(attempts, key=lambda a: (a.moment, a.upload, a.order))


def told_again(taken: Attempt, attempts: list[Attempt]) -> Attempt:
    """Return the attempt that is there, with what these archives tell about it.

    Handed in again without a change, it counts as handed in the first time. The same file, read with another zone or with
    Moodle's worksheet, corrects the time.
    """
    same = [attempt for attempt in attempts if attempt.sha256 == taken.sha256]
    again = [attempt for attempt in same if attempt.where == taken.where]
    if again:
        told = replace(again[-1], handed_in=again[-1].handed_in or taken.handed_in)
        return told if (told.handed_in, told.late) != (taken.handed_in, taken.late) else taken
    # A time after the one at which it was packed is that of a second hand-in.
    times = [a.handed_in for a in same if a.handed_in and (not taken.moment or a.handed_in <= taken.moment)]
    return replace(taken, handed_in=min(times)) if times and not taken.handed_in else taken
