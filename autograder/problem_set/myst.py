"""Reads MyST notebooks, the format in which authors write problem sets and their banks."""

from __future__ import annotations

import copy
from functools import lru_cache
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
        return copy.deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except Exception as error:  # jupytext lets its parsers' errors through
        raise ProblemSetError(f"{path} is not a MyST notebook: {' '.join(str(error).split())}") from error


@lru_cache(maxsize=256)
def _parsed(text: str) -> NotebookNode:
    """Parse a text only once, however often it is read; callers get copies that they may change."""
    return jupytext.reads(text, fmt="md:myst")
