"""A platform that nobody thought of: the instructor says by a pattern what its paths look like.

``{last}_{first}_{login}/{time}_{file}`` stands for ``Lovelace_Ada_alove/20261012235010_ps0.ipynb``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from autograder.classroom.collecting.platforms.hand_in import Platform, by_pattern, time_of_digits
from autograder.common.errors import UsageError

_FIELDS = {
    "name": r"(?P<name>[^/]+?)",
    "first": r"(?P<first>[^/]+?)",
    "last": r"(?P<last>[^/]+?)",
    "login": r"(?P<login>[^/]+?)",
    "number": r"(?P<number>[^/_ ]+?)",
    "upload": r"(?P<upload>\d{1,18})",
    "time": r"(?P<time>\d[\d\-_:. T]{10,24}\d)",
    "file": r"(?P<file>.+)",
    "*": r"[^/]*?",
}
_WHO = {"name", "first", "last", "login", "number"}


def _made(groups: Mapping[str, str | None]) -> dict:
    name = groups.get("name") or " ".join(filter(None, (groups.get("first"), groups.get("last"))))
    return {
        "names": (name,) if name else (),
        "logins": (groups["login"],) if groups.get("login") else (),
        "number": groups.get("number") or "",
        "upload": int(groups.get("upload") or 0),
        "moment": time_of_digits(groups.get("time") or ""),
    }


def platform_of(pattern: str) -> Platform:
    """Return the platform whose paths look like this.

    Parameters
    ----------
    pattern : str
        Text with the fields {name}, or {first} and {last}, {login}, {number}, {upload}, {time}, {*} for what does not
        matter, and at its end {file}.

    Raises
    ------
    UsageError
        It has an unknown field, the same twice, none that says whose a file is, or does not end with {file}.
    """
    known = ", ".join(f"{{{name}}}" for name in _FIELDS)
    parts, seen = re.split(r"\{([^{}]*)\}", pattern), []
    expression = re.escape(parts[0])
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        if name not in _FIELDS or (name in seen and name != "*"):
            problem = "a second time" if name in seen else "and there is no such field"
            raise UsageError(f"The --pattern has {{{name}}}, {problem}; it knows {known}.")
        seen.append(name)
        expression += _FIELDS[name] + re.escape(text)
    if not _WHO & set(seen) or not pattern.endswith("{file}"):
        raise UsageError(
            f"The --pattern {pattern!r} has to say whose a file is, and to end with {{file}}, "
            "as {last}_{first}_{number}/{file} does."
        )
    return Platform("the --pattern", by_pattern(expression, _made))
