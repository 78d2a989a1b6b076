"""Brightspace: ``397063-2557369 - Ada Lovelace - Sep 24, 2026 926 PM/file.ipynb``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from autograder.classroom.collecting.platforms.hand_in import Platform, by_pattern

_TIME = r"(?P<time>[A-Z][a-z]{2,8} \d{1,2}, \d{4} \d{3,4} [AP]M)"
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}


def _named(groups: Mapping[str, str | None]) -> dict:
    return {"names": (groups["name"],), "number": groups["id"], "moment": _moment(groups["time"])}


def _moment(text: str) -> datetime | None:
    month, day, year, clock, half = text.replace(",", "").split()
    hour, minute = int(clock[:-2]) % 12 + 12 * (half == "PM"), int(clock[-2:])
    try:
        return datetime(int(year), _MONTHS[month[:3]], int(day), hour, minute)
    except (KeyError, ValueError):
        return None


PLATFORM = Platform(
    "Brightspace",
    by_pattern(rf"\d+-(?P<id>\d+) ?- ?(?P<name>[^/]+?) ?- ?{_TIME}/(?P<file>.+)", _named),
    own_files=re.compile(r"index\.html"),
)
