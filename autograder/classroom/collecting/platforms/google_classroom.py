"""Google Classroom, downloaded from Drive: ``Ada Lovelace - file.ipynb``, where every student got a copy."""

from __future__ import annotations

from autograder.classroom.collecting.platforms.hand_in import Platform, by_pattern

PLATFORM = Platform(
    "Google Classroom",
    by_pattern(r"(?P<name>[^/]+?) - (?P<file>[^/]+)", lambda groups: {"names": (groups["name"],)}),
)
