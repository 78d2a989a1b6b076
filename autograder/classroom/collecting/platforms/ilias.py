"""ILIAS: ``Lovelace_Ada_alove_4711/20261012235010_file.ipynb``, last and first name, login, number, and the time."""

from __future__ import annotations

from collections.abc import Mapping

from autograder.classroom.collecting.platforms.hand_in import Platform, by_pattern, time_of_digits


def _named(groups: Mapping[str, str | None]) -> dict:
    return {
        "names": (f"{groups['first']} {groups['last']}",),
        "logins": (groups["login"],),
        "number": groups["id"],
        "moment": time_of_digits(groups["time"]),
    }


PLATFORM = Platform(
    "ILIAS",
    by_pattern(
        r"(?P<last>[^/_]+)_(?P<first>[^/_]+)_(?P<login>[^/]+)_(?P<id>\d+)/(?P<time>\d{14})_(?P<file>.+)", _named
    ),
)
