"""Canvas: ``lovelaceada_LATE_123_456_file.ipynb``, the name, a mark, the numbers of the student and of the upload.

Where grading is anonymous: ``anon_x7y8z_456_file.ipynb``, with the mark before or behind the first word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autograder.classroom.collecting.platforms.hand_in import NAME, HandIn, Platform, Reading, by_pattern

_UPLOAD = r"(?P<upload>\d{1,18})_(?P<file>[^/]+(?:/.*)?)"
_LATE = r"(?:(?P<late>LATE|late)_)?"


def _named(groups: Mapping[str, str | None]) -> dict:
    return {
        "names": (groups["name"],) if groups["name"] else (),
        "number": groups["id"],
        "upload": int(groups["upload"]),
        "late": bool(groups["late"]),
    }


def _anonymous(groups: Mapping[str, str | None]) -> dict:
    late = bool(groups["late"] or groups["late_first"])
    return {"number": f"anon_{groups['id']}", "upload": int(groups["upload"]), "late": late, "hidden": True}


_READERS = (
    by_pattern(rf"(?:(?P<late_first>LATE)_)?anon_{_LATE}(?P<id>[^\W_]+)_{_UPLOAD}", _anonymous),
    by_pattern(rf"(?:{NAME}_)?{_LATE}(?P<id>\d+)_{_UPLOAD}", _named),
)


def _read(path: str, reading: Reading) -> HandIn | None:
    for read in _READERS:
        if found := read(path, reading):
            # Whatever is in a zip that a student uploads, the student packed.
            file, slash, inner = found.rest.partition("/")
            return replace(found, rest=inner or file) if slash else found
    return None


PLATFORM = Platform(
    "Canvas",
    _read,
    column="canvas_id",
    packs_times=True,
    remedy="switch anonymous grading off and download again, or write the part after anon_ into the roster's "
    "column canvas_id",
)
