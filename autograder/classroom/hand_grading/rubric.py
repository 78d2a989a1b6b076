"""Takes a reference answer in words apart: the answer, and the rubric below it."""

from __future__ import annotations

import re

_RUBRIC = re.compile(r"^\*\*Rubric\b", re.MULTILINE)
#: The words above a reference answer.
_TITLE = re.compile(r"^\*\*A reference answer\.\*\*")


def answer_and_rubric(reference: str) -> tuple[str, str]:
    """Split a reference answer into the answer and the rubric, which may be empty."""
    found = _RUBRIC.search(reference)
    end = found.start() if found else len(reference)
    return _TITLE.sub("", reference[:end].strip()).strip(), reference[end:].strip()
