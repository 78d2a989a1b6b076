"""ILIAS: ``Lovelace_Ada_alove_4711/20261012235010_file.ipynb``, last and first name, login, number, and the time."""

from __future__ import annotations

from collections.abc import Mapping

from autograder.classroom.platforms.hand_in import HandIn, Platform, Reading, by_pattern, time_of_digits


def _named(groups: Mapping[str, str | None]) -> dict:
    return {
        "names": (f"{groups['first']} {groups['last']}",),
        "logins": (groups["login"],),
        "number": groups["id"],
        "moment": time_of_digits(groups["time"]),
    }


_by_name = by_pattern(
    r"(?P<last>[^/_]+)_(?P<first>[^/_]+)_(?P<login>[^/]+)_(?P<id>\d+)/(?P<time>\d{14})_(?P<file>.+)", _named
)


def _read(path: str, reading: Reading) -> HandIn | None:
    return _by_name(path, reading)


PLATFORM = Platform("ILIAS", _read)
