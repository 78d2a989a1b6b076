"""nbgrader: its tree ``<student>/<set>/``, and its exchange ``<student>+<set>+<time>+<random text>/``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from autograder.classroom.collecting.platforms.hand_in import HandIn, Platform, Reading

_EXCHANGE = re.compile(
    r"(?P<key>(?P<login>[^/+]+)\+(?P<set>[^/+]+)\+(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC(?:\+[^/]*)?/)(?P<file>.+)"
)


def _read_tree(path: str, reading: Reading) -> HandIn | None:
    parts = path.split("/", 2)
    if len(parts) < 3 or parts[1] not in reading.sets:
        return None
    return HandIn(f"{parts[0]}/{parts[1]}/", parts[2], logins=(parts[0],))


def _read_exchange(path: str, reading: Reading) -> HandIn | None:
    match = _EXCHANGE.fullmatch(path)
    if match is None or match["set"] not in reading.sets:
        return None
    try:
        moment = datetime.fromisoformat(match["time"]).replace(tzinfo=UTC)
    except ValueError:  # everybody may make a folder there, with any name
        return None
    return HandIn(match["key"], match["file"], logins=(match["login"],), moment=moment)


TREE = Platform("nbgrader's tree", _read_tree, keeps_times=True)
EXCHANGE = Platform("nbgrader's exchange", _read_exchange, keeps_times=True)
