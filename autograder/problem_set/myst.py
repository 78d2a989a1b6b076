"""Reads MyST notebooks, the format in which authors write problem sets and their banks."""

from __future__ import annotations

from pathlib import Path

import jupytext
from nbformat import NotebookNode

from autograder.common.errors import ProblemSetError


def read_myst(path: Path) -> NotebookNode:
    """Read a MyST notebook.

    Raises
    ------
    ProblemSetError
        The file is missing or is not a MyST notebook.
    """
    if not path.is_file():
        raise ProblemSetError(f"{path} is missing.")
    try:
        return jupytext.read(path, fmt="md:myst")
    except Exception as error:  # jupytext lets its parsers' errors through
        raise ProblemSetError(f"{path} is not a MyST notebook: {' '.join(str(error).split())}") from error
