"""Files written whole or not at all, so that an interrupted command leaves none half-written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode


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
    """
    data = text.encode()
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
