"""Gradescope: ``submission_123456789/file.ipynb``, and `submission_metadata.yml`, which names the submitters."""

from __future__ import annotations

import functools
import re
from datetime import datetime
from typing import Any

import yaml

from autograder.classroom.collecting.platforms.hand_in import HandIn, Platform, Reading

_METADATA = "submission_metadata.yml"
_PATH = re.compile(r"(?P<key>(?P<name>submission_\d+)/)(?P<file>.+)", re.DOTALL)


@functools.lru_cache(maxsize=4)
def _submissions(metadata: bytes) -> dict[str, Any]:
    try:
        read = yaml.load(metadata, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _text(of: Any, key: str) -> str:
    value = of.get(key, "") if isinstance(of, dict) else ""
    return str(value) if isinstance(value, str | int) else ""


def _read(path: str, reading: Reading) -> HandIn | None:
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    entry = _submissions(reading.metadata).get(match["name"])
    submitters = entry.get(":submitters") if isinstance(entry, dict) else None
    moment = entry.get(":created_at") if isinstance(entry, dict) else None
    if not isinstance(submitters, list) or len(submitters) != 1:
        return HandIn(match["key"], match["file"], number=match["name"].removeprefix("submission_"))
    logins = tuple(filter(None, (_text(submitters[0], ":sid"), _text(submitters[0], ":email"))))
    names = tuple(filter(None, (_text(submitters[0], ":name"),)))
    return HandIn(
        match["key"],
        match["file"],
        names=names,
        logins=logins,
        moment=moment if isinstance(moment, datetime) else None,
    )


PLATFORM = Platform("Gradescope", _read, own_files=re.compile(re.escape(_METADATA)), metadata=_METADATA)
