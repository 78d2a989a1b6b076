"""Blackboard: ``Problem Set 0_ada_attempt_2026-10-12-23-50-10_file.ipynb``, and a text about each attempt."""

from __future__ import annotations

import re
from collections.abc import Mapping

from autograder.classroom.collecting.platforms.hand_in import Platform, by_pattern, time_of_digits

_TIME = r"\d{4}(?:-\d\d){5}"


def _named(groups: Mapping[str, str | None]) -> dict:
    pieces = groups["name"].split("_")
    # The assignment's title comes before the login, and either may contain an underscore.
    logins = tuple("_".join(pieces[count:]) for count in range(len(pieces) - 1, 0, -1))
    return {"logins": logins, "moment": time_of_digits(groups["time"])}


PLATFORM = Platform(
    "Blackboard",
    by_pattern(rf"(?P<name>(?:(?!_attempt_{_TIME})[^/])+)_attempt_(?P<time>{_TIME})_(?P<file>.+)", _named),
    own_files=re.compile(rf"(?:(?!_attempt_{_TIME})[^/])+_attempt_{_TIME}\.txt"),
)
