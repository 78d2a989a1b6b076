"""Reads what students hand in: follows no links, opens no pipes, and reads nothing beyond a limit.

A link may lead to the reference solution or to another student's work, which would then be graded, and shown, as this
student's own; reading a pipe would never end.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.common.errors import SubmissionError

#: Maximum values in a JSON text: strings, numbers, lists and objects. A notebook with two thousand cells and twenty
#: thousand lines has some fifty thousand; a small file can hold millions, which take gigabytes and minutes to examine.
MAX_VALUES = 300_000
#: A string, or the rest of the text after an unclosed quote, so that one pass is always enough.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
#: An escaped half of a surrogate pair: valid in JSON, but impossible to encode. Whole pairs match too.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def holds_too_much(text: str) -> bool:
    """Whether a JSON text has more values than a notebook needs, counted in one pass before parsing."""
    if sum(map(text.count, ",[{")) <= MAX_VALUES:  # even counting those in strings: true of nearly all notebooks
        return False
    outside = _STRING.sub("", text)
    return sum(map(outside.count, ",[{")) > MAX_VALUES


def read_json(content: bytes | str) -> Any:
    """Parse a student's JSON file.

    Parameters
    ----------
    content : bytes or str
        The file. UTF-8, UTF-16 and UTF-32 are recognised, with or without a byte-order mark: Windows editors write them
        all.

    Raises
    ------
    SubmissionError
        The file is not text, not JSON, or holds more values than a notebook needs.
    """
    if isinstance(content, bytes):
        try:
            content = content.decode(json.detect_encoding(content))
        except UnicodeDecodeError:
            raise SubmissionError(
                "The file is not a notebook: it is not text in UTF-8. Download it again from Jupyter and hand that in."
            ) from None
    content = content.removeprefix("\ufeff")
    if holds_too_much(content):
        raise SubmissionError(
            f"The notebook holds more than {MAX_VALUES} values; clear its outputs and hand it in again."
        )
    try:
        found = json.loads(content)
        if _SURROGATE.search(content) or not _writable(content):
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except ValueError:
        raise SubmissionError(
            "The file is not a notebook: it is not valid JSON. Download it again from Jupyter and hand that in."
        ) from None
    except RecursionError:
        raise SubmissionError(
            "The file is not a notebook: its JSON is nested too deeply. Download it again from Jupyter and hand that in."
        ) from None
    return found


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_regular_file(path: Path, most: int) -> bytes:
    """Read a regular file, and nothing else.

    Parameters
    ----------
    path : Path
        The file.
    most : int
        Bytes to read at most, plus one that shows that there are more.

    Raises
    ------
    OSError
        The file cannot be read, or is a link, a pipe or anything else but a regular file.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, "it is not a regular file")
        return file.read(most + 1)


def walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield everything below a folder, including links and pipes, always in the same order."""
    for path, names, files in os.walk(folder):
        names.sort()
        for name in sorted([*names, *files]):
            entry = Path(path, name)
            yield entry, entry.lstat()


def reached_by_link(folder: Path) -> bool:
    """Whether the folder ``submitted/<student>/<set>``, or its parent, is a link.

    Links further up are the grader's own.
    """
    return folder.is_symlink() or folder.parent.is_symlink()
