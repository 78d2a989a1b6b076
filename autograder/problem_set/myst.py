"""MyST notebooks, the form in which authors write problem sets and their banks."""

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
        There is no such file, or it is no MyST notebook.
    """
    if not path.is_file():
        raise ProblemSetError(f"{path} is missing.")
    try:
        return jupytext.read(path, fmt="md:myst")
    except Exception as error:  # jupytext raises what its parsers raise
        raise ProblemSetError(f"{path} is not a MyST notebook: {' '.join(str(error).split())}") from error
