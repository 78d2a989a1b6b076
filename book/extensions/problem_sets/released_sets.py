"""The released problem sets, as their notebooks describe themselves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = "exercises"


@dataclass(frozen=True)
class ReleasedSet:
    """What a chapter says about a released problem set.

    Attributes
    ----------
    name : str
        Its folder, for example ``ps1-information``.
    title : str
        As in the metadata of the notebook.
    chapters : tuple of str
        For example ``information/entropy``.
    minutes : int
        How long a student can expect to need.
    points, by_hand : int
        All points, and those of them that a person gives.
    """

    name: str
    title: str
    chapters: tuple[str, ...]
    minutes: int
    points: int
    by_hand: int


def read_released(notebook: Path) -> ReleasedSet:
    """Read what a released notebook says about itself.

    Parameters
    ----------
    notebook : Path
        ``exercises/<ps>/<ps>.ipynb``.

    Returns
    -------
    ReleasedSet
        Its metadata, and the sums of its points.

    Raises
    ------
    ValueError
        If it is not a notebook, or its metadata lacks what a chapter needs.
    """
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        about = content["metadata"]["autograder"]
        graded = [
            cell["metadata"]["nbgrader"]
            for cell in content["cells"]
            if cell["metadata"].get("nbgrader", {}).get("grade")
        ]
        points = [(int(marks["points"]), bool(marks["solution"])) for marks in graded]
        return ReleasedSet(
            notebook.parent.name,
            str(about["title"]),
            tuple(about["chapters"]),
            int(about["minutes"]),
            sum(value for value, _ in points),
            sum(value for value, manual in points if manual),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{notebook}: not a released problem set ({type(error).__name__}: {error}); release it again."
        ) from error


def released(root: Path) -> Iterator[Path]:
    """Yield the released notebooks, in the order of their names."""
    for folder in sorted((root / FOLDER).glob("*/")):
        notebook = folder / f"{folder.name}.ipynb"
        if notebook.is_file():
            yield notebook
