"""A hand-in as a platform names it, and what a module says about its platform."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

#: A name, as a platform writes it before a number of its own. A name that holds such a number itself would let a student
#: who chooses file names pass for another.
NAME = r"(?P<name>(?:(?!_\d+_)[^/])+?)"


@dataclass(frozen=True)
class HandIn:
    """What a platform wrote about one hand-in.

    Attributes
    ----------
    key : str
        The part of the path that the platform wrote. Files with the same key belong together.
    rest : str
        The part that the student chose.
    names : tuple of str
        The student's name, or the group's. If something else may precede it, each way to read it.
    number : str
        The platform's number of the student.
    logins : tuple of str
        User names, ids or addresses at the institution. Where an underscore may be part of it, each way to read it.
    moment : datetime or None
        When it was handed in; without a zone, in that of the class.
    upload : int
        The platform's number of the upload, which grows with time.
    late : bool
        Whether the platform marks it as late.
    hidden : bool
        Whether the platform hides the name.
    """

    key: str
    rest: str
    names: tuple[str, ...] = ()
    number: str = ""
    logins: tuple[str, ...] = ()
    moment: datetime | None = None
    upload: int = 0
    late: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class Reading:
    """What a platform's module needs in addition to the path.

    Attributes
    ----------
    sets : frozenset of str
        Names of the course's problem sets.
    metadata : bytes
        Content of the platform's own list of hand-ins, where it writes one.
    """

    sets: frozenset[str] = frozenset()
    metadata: bytes = b""


@dataclass(frozen=True)
class Platform:
    """A platform.

    Attributes
    ----------
    name : str
        As its users call it.
    read : callable
        Takes a path, and a `Reading`; returns the `HandIn`, or None where the platform writes no such path.
    column : str
        The roster's column for its numbers.
    numbers_differ : bool
        Whether it gives a student another number for each assignment.
    numbers_in : str
        Where an instructor finds them, in words that follow what to do.
    packs_times : bool
        Whether the times in its archives are those of packing.
    own_files : re.Pattern
        Files that it adds itself.
    metadata : str
        Name of its own list of hand-ins.
    keeps_times : bool
        Whether it writes a `timestamp.txt` beside what was handed in; elsewhere, a file of that name is the student's.
    remedy : str
        What to do where it hides names.
    """

    name: str
    read: Callable[[str, Reading], HandIn | None]
    column: str = "other_ids"
    numbers_differ: bool = False
    numbers_in: str = ""
    packs_times: bool = False
    own_files: re.Pattern = re.compile(r"(?!)")
    metadata: str = ""
    keeps_times: bool = False
    remedy: str = ""


def time_of_digits(text: str) -> datetime | None:
    """Read a time of twelve or fourteen digits, whatever separates them: year, month, day, hour, minute, second."""
    digits = re.sub(r"\D", "", text)
    if len(digits) not in (12, 14):
        return None
    try:
        return datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None


def by_pattern(
    pattern: str, make: Callable[[Mapping[str, str | None]], dict]
) -> Callable[[str, Reading], HandIn | None]:
    """Return a reader for paths that match a pattern whose group `file` is what the student chose.

    Parameters
    ----------
    pattern : str
        A regular expression for the whole path.
    make : callable
        Makes the other attributes of the `HandIn` from the groups.
    """
    compiled = re.compile(pattern, re.DOTALL)

    def read(path: str, reading: Reading) -> HandIn | None:
        match = compiled.fullmatch(path)
        if match is None:
            return None
        rest = match["file"] or ""
        key = path[: match.start("file")] if match["file"] is not None else path
        return HandIn(key, rest, **make(match.groupdict()))

    return read
