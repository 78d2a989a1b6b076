"""Files written whole or not at all, so that an interrupted command leaves none half-written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.common.errors import AutograderError


def write_notebook(notebook: NotebookNode, path: Path) -> bool:
    """Write a notebook whole or not at all; leave a file that holds the same bytes alone.

    Returns
    -------
    bool
        Whether the file changed.
    """
    return write_text(nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n", path)


def write_text(text: str, path: Path) -> bool:
    """Write a text file whole or not at all; leave a file that holds the same bytes alone.

    Returns
    -------
    bool
        Whether the file changed.

    Raises
    ------
    AutograderError
        The file cannot be written.
    """
    return write_bytes(text.encode(), path)


def write_bytes(data: bytes, path: Path) -> bool:
    """Write a file whole or not at all; leave one that holds the same bytes alone.

    Returns
    -------
    bool
        Whether the file changed.

    Raises
    ------
    AutograderError
        The file cannot be written.
    """
    try:
        return _replace(path, data)
    except OSError as error:
        raise AutograderError(f"Cannot write {path}: {error.strerror}.") from None


def _replace(path: Path, data: bytes) -> bool:
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True
