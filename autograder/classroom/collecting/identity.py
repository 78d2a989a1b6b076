"""Whose work it is: what a platform wrote about a hand-in, against the roster and what earlier collections saw.

Nothing is guessed. What a platform's number stood for is remembered in `collected/identities.json`, so that tomorrow's
archive is compared with today's: of two students with one name, neither takes the other's place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from autograder.classroom.collecting.platforms.hand_in import HandIn, Platform
from autograder.classroom.collecting.platforms.registry import MAX_PATH
from autograder.classroom.directory import folder_problem
from autograder.classroom.roster import Roster, name_key
from autograder.common.atomic_files import write_text
from autograder.common.text import printable


class UnplacedError(Exception):
    """A hand-in cannot be placed; the text says why, in words that follow its name."""


@dataclass
class Identities:
    """What platforms' numbers have stood for in this class.

    Attributes
    ----------
    names : dict of (str, str, str) to str
        Platform, problem set (empty where the number is the same for all) and number, and the name that went with it.
    """

    names: dict[tuple[str, str, str], str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Identities:
        """Read what earlier collections saw; nothing where there were none."""
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            return cls({(row["platform"], row["set"], row["number"]): row["name"] for row in rows})
        except (OSError, ValueError, TypeError, KeyError):
            return cls()

    def write(self, path: Path) -> None:
        """Keep it for later collections, if it says more than what was kept before."""
        if self == Identities.read(path):
            return
        rows = [
            {"platform": platform, "set": name, "number": number, "name": seen}
            for (platform, name, number), seen in sorted(self.names.items())
        ]
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        write_text(f"[\n{lines}\n]\n", path)

    def see(self, platform: Platform, problem_set: str, hand_in: HandIn) -> None:
        """Remember a number and the name beside it."""
        if hand_in.number and hand_in.names:
            scope = problem_set if platform.numbers_differ else ""
            self.names.setdefault((platform.name, scope, hand_in.number), hand_in.names[0])

    def numbers(self, platform: Platform, problem_set: str, name: str) -> list[str]:
        """Return the numbers of all whom a platform calls by this name."""
        scope, key = problem_set if platform.numbers_differ else "", name_key(name)
        return sorted(
            number
            for (other, of, number), seen in self.names.items()
            if (other, of) == (platform.name, scope) and name_key(seen) == key
        )

    def of_another_set(self, platform: Platform, problem_set: str, number: str) -> bool:
        """Whether a number was seen with hand-ins of other sets and none of this one."""
        sets = {of for other, of, seen in self.names if (other, seen) == (platform.name, number)}
        return bool(sets) and not sets & {problem_set, ""}

    def name(self, platform: Platform, problem_set: str, number: str) -> str:
        """Return the name that went with a number when it was first seen; empty where it was not."""
        return self.names.get((platform.name, problem_set if platform.numbers_differ else "", number), "")


def students_of(
    platform: Platform, hand_in: HandIn, problem_set: str, roster: Roster | None, identities: Identities
) -> tuple[list[str], str]:
    """Say who handed something in.

    Parameters
    ----------
    platform : Platform
        It came from.
    hand_in : HandIn
        What the platform wrote.
    problem_set : str
        Name of the set; empty where that is not known.
    roster : Roster or None
        The students of the class.
    identities : Identities
        What numbers have stood for, in this collection and earlier ones.

    Returns
    -------
    tuple of (list of str, str)
        The students, several where a group handed in, and a notice, which may be empty.

    Raises
    ------
    UnplacedError
        Nobody, or several, or two clues contradict each other.
    """
    if hand_in.hidden and (roster is None or not _with_number(roster, platform, hand_in.number)):
        if roster is None and platform.column == "canvas_id":  # the same for all sets: it serves as a name
            return [_as_folder(hand_in.number)], ""
        raise UnplacedError(f"{platform.name} hides the name behind {hand_in.number!r}; {platform.remedy}")
    if hand_in.number and hand_in.names:
        before = identities.name(platform, problem_set, hand_in.number)
        if before and name_key(before) != name_key(hand_in.names[0]) and roster is None:
            raise UnplacedError(
                f"{platform.name}'s number {hand_in.number} was that of {printable(before)!r} before; name a --roster"
            )
    if roster is None:
        return [_without_roster(platform, hand_in, problem_set, identities)], ""
    return _on_roster(platform, hand_in, roster)


def _with_number(roster: Roster, platform: Platform, number: str) -> set[str]:
    column = platform.column
    return roster.with_number(column, number) | roster.with_number(column, number.removeprefix("anon_"))


def _without_roster(platform: Platform, hand_in: HandIn, problem_set: str, identities: Identities) -> str:
    if hand_in.logins:
        return _as_folder(hand_in.logins[0])
    if not hand_in.names:
        if hand_in.number and not platform.numbers_differ:
            return _as_folder(hand_in.number)
        raise UnplacedError(f"{platform.name} does not say whose it is; name a --roster")
    name = hand_in.names[0]
    if platform.column == "canvas_id":  # Canvas's number is the same for all sets, and tells two of one name apart
        return _as_folder(f"{name}_{hand_in.number}")
    numbers = identities.numbers(platform, problem_set, name)
    if len(numbers) > 1:
        raise UnplacedError(
            f"{platform.name} has several students called {printable(name)!r} (its numbers {', '.join(numbers)}); "
            f"name a --roster with the column {platform.column}"
        )
    return _as_folder(name)


def _on_roster(platform: Platform, hand_in: HandIn, roster: Roster) -> tuple[list[str], str]:
    shown, number = printable(hand_in.names[0]) if hand_in.names else "", printable(hand_in.number)
    by_name = next((found for name in hand_in.names if (found := roster.with_name(name))), set())
    group = next((found for name in hand_in.names if (found := roster.in_group(name))), set())
    by_number = _with_number(roster, platform, hand_in.number) if hand_in.number else set()
    by_login: set[str] = next((found for login in hand_in.logins if (found := roster.with_identifier(login))), set())
    exact, clue = (by_number, f"{platform.name}'s number {number}") if by_number else (by_login, "the login")
    if len(exact) > 1:
        raise UnplacedError(f"{clue} is that of {' and '.join(sorted(exact))}; correct the roster")
    if exact:
        (student,) = exact
        if student in group:
            return sorted(group), ""
        if by_name and student not in by_name:
            raise UnplacedError(
                f"{clue} is that of {student}, but the name {shown!r} is that of {' and '.join(sorted(by_name))}"
            )
        if not shown or by_name:
            return [student], ""
        return [student], (
            f"given to {student} by {clue}; the roster does not have the name {shown!r}. If a group of that name "
            "handed in, write it into its members' column groups."
        )
    if group:
        return sorted(group), ""
    if len(by_name) == 1:
        (student,) = by_name
        known = roster.students[student].numbers(platform.column)
        if known and hand_in.number and not platform.numbers_differ:
            raise UnplacedError(
                f"{platform.name}'s name {shown!r} is that of {student}, but its number {number} is not"
            )
        return [student], ""
    if by_name:
        raise UnplacedError(
            f"several students are called {shown!r} ({', '.join(sorted(by_name))}); "
            f"put {platform.name}'s numbers into the roster's column {platform.column}{platform.numbers_in}"
        )
    clues = [f"the name {shown!r}"] if shown else []
    clues += [f"{platform.name}'s number {number}"] if number else []
    clues += [f"the login {printable(hand_in.logins[0])!r}"] if hand_in.logins else []
    neither = f"neither {' nor '.join(clues)} is" if len(clues) > 1 else f"{''.join(clues)} is not"
    raise UnplacedError(
        f"{neither} on the roster; a name that the platform writes in another way belongs in the roster's column names, "
        "that of a group in the column groups"
    )


def student_of_path(trail: tuple[str, ...], roster: Roster | None) -> str:
    """Find a student where no platform wrote the names: in those of folders, of the file, and of the archive.

    Parameters
    ----------
    trail : tuple of str
        The archive's name and the path in it. What a zip within it holds was named by a student.
    roster : Roster or None
        The students of the class.

    Raises
    ------
    UnplacedError
        There is no roster, or nobody, or several.
    """
    if roster is None:
        raise UnplacedError("nothing says whose it is; name a --roster, or the --student")
    found: set[str] = set()
    parts = [part for path in trail if len(path) <= MAX_PATH for part in PurePosixPath(path).parts]
    for part in parts:
        stem = re.sub(r"\.(ipynb|zip)$", "", part, flags=re.IGNORECASE)
        pieces = stem.split("_")
        for text in {stem, *("_".join(pieces[:count]) for count in range(1, len(pieces)))}:
            found |= roster.with_identifier(text) or roster.with_name(text)
    if len(found) > 1:
        raise UnplacedError(f"its path names several students: {', '.join(sorted(found))}")
    if not found:
        raise UnplacedError("nothing in its path is a student of the roster; name the --student")
    return found.pop()


def _as_folder(name: str) -> str:
    """Return a name from an archive if it can be a student's folder."""
    problem = folder_problem(name)
    if problem or not name_key(name):
        raise UnplacedError(f"the student's name {printable(name)!r} {problem or 'has no letter'}; name a --roster")
    return name
