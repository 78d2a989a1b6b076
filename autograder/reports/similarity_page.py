"""The page that shows the pairs of similar answers side by side, for the instructor alone."""

from __future__ import annotations

from pathlib import Path

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.overview.similarity import Passages, Similarity
from autograder.common.atomic_files import write_text
from autograder.problem_set.source import ProblemSet
from autograder.reports.page_templates import page_template

#: Lines around what is in common that are shown.
AROUND = 3
#: Part of a text, and whether it is in common with the other.
_Part = tuple[str, bool]


def write_similarity(directory: ClassDirectory, problem_set: ProblemSet, found: Similarity) -> Path:
    """Write the page of a set, and return where it is."""
    template = page_template("similarity.html.j2")
    path = directory.similar / f"{problem_set.name}.html"
    write_text(template.render(problem_set=problem_set, found=found, parts=parts), path)
    return path


def parts(passages: Passages, side: int) -> list[_Part]:
    """Cut a text into what it has in common with the other and the lines around it.

    Parameters
    ----------
    passages : Passages
        What two texts have in common.
    side : int
        0 for the first text, 1 for the second.
    """
    text, end, cut = passages.texts[side], 0, []
    for start, stop in sorted(passages.places[side]):
        start, stop = max(start, end), min(stop, len(text))
        if start >= stop:
            continue
        cut += [(_near(text[end:start], bool(end), True), False), (text[start:stop], True)]
        end = stop
    cut.append((_near(text[end:], bool(end), False), False))
    return [part for part in cut if part[0]]


def _near(text: str, after: bool, before: bool) -> str:
    """Shorten what is not in common to the lines next to what is."""
    lines = text.split("\n")
    keep = AROUND + 1
    if len(lines) <= keep * (after + before) + 1:
        return text
    head, tail = (lines[:keep] if after else []), (lines[-keep:] if before else [])
    return "\n".join([*head, "…", *tail])
