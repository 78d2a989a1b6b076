"""Writes files atomically, so that an interrupted command leaves none half-written."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.common.errors import AutograderError, MachineError

#: Errors that mean a full disk, an exhausted quota or a file size limit.
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class UnwritableError(AutograderError):
    """A file cannot be written."""


class DiskFullError(MachineError):
    """The disk is full: no other file could be written either, so the command stops.

    Parameters
    ----------
    what : str
        What cannot be written, and the system's error message.
    """

    def __init__(self, what: str):
        super().__init__(f"{what}; finished work is kept: free some space and run the same command again.")


def write_notebook(notebook: NotebookNode, path: Path) -> bool:
    """Write a notebook atomically; leave the file alone if it already holds the same bytes.

    Returns
    -------
    bool
        Whether the file changed.
    """
    return write_text(nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n", path)


def write_text(text: str, path: Path, private: bool = False) -> bool:
    """Write a text file atomically; leave the file alone if it already holds the same bytes.

    Parameters
    ----------
    text : str
        The new content.
    path : Path
        The file.
    private : bool
        Whether only the owner may ever read it; otherwise everybody may read a new file, and an existing one keeps its
        permissions.

    Returns
    -------
    bool
        Whether the file changed.

    Raises
    ------
    UnwritableError
        The file cannot be written.
    DiskFullError
        Nor could any other.
    """
    # A lone surrogate is valid in a Python string, but cannot be encoded.
    return write_bytes(text.encode("utf-8", "replace"), path, private)


def write_bytes(data: bytes, path: Path, private: bool = False) -> bool:
    """Write a file atomically, as `write_text` does.

    Returns
    -------
    bool
        Whether the file changed.

    Raises
    ------
    UnwritableError
        The file cannot be written.
    DiskFullError
        Nor could any other.
    """
    try:
        return _replace(path, data, private)
    except OSError as error:
        what = f"Cannot write {path}: {error.strerror}"
        raise (DiskFullError(what) if error.errno in NO_ROOM else UnwritableError(f"{what}.")) from None


def _replace(path: Path, data: bytes, private: bool) -> bool:
    mode = 0o600 if private else 0o644
    if path.is_file():
        kept = stat.S_IMODE(path.stat().st_mode)
        if path.read_bytes() == data and not (private and kept != mode):
            return False
        if not private:
            mode = kept  # a file that its owner made private stays private
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True
