"""MyST notebooks, the form in which authors write problem sets and their banks."""

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
        There is no such file, or it is no MyST notebook.
    """
    if not path.is_file():
        raise ProblemSetError(f"{path} is missing.")
    try:
        return copy.deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except Exception as error:  # jupytext raises what its parsers raise
        raise ProblemSetError(f"{path} is not a MyST notebook: {' '.join(str(error).split())}") from error


@lru_cache(maxsize=256)
def _parsed(text: str) -> NotebookNode:
    """Parse a text once, however often it is read; who changes the notebook changes a copy."""
    return jupytext.reads(text, fmt="md:myst")
