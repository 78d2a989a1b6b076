"""What students must not see: the solutions, hidden tests and banks, and where a file shows a piece of one.

A canary is a piece of a solution, a hidden test or a bank entry that occurs in no published text. Only its letters,
digits and underscores are compared, so that it is found however it got out: on a page, in a notebook, in an archive,
with or without nbgrader's marks.
"""

from __future__ import annotations

import gzip
import html
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.problem_set.source import ProblemSet, find_problem_sets, grade_id

#: What a source contains and no released notebook does.
REGION = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)[^\n]*\n(.*?)[^\S\n]*### END \1", re.DOTALL)
#: Characters; a shorter text may occur somewhere by chance.
SHORTEST = 20
#: Characters of what follows the visible part of a cell.
LONGEST = 80


def squeezed(text: str) -> str:
    """Remove what differs between source, notebook and page: spaces, punctuation, escapes and non-ASCII characters."""
    return re.sub(r"\W+", "", re.sub(r"\\+(?:u[0-9a-fA-F]{4}|[nrt])", " ", text), flags=re.ASCII)


@dataclass(frozen=True)
class Secret:
    """Something that must not be published, and the pieces by which it is recognised.

    Attributes
    ----------
    where : str
        Problem set and cell, or bank entry.
    canaries : frozenset of str
        The pieces, squeezed.
    """

    where: str
    canaries: frozenset[str]


def find_secrets(course: Path) -> tuple[Secret, ...]:
    """Return every solution, hidden test and bank entry of a course, with its canaries."""
    sets = find_problem_sets(course)
    found: list[tuple[str, set[str]]] = []
    for problem_set in sets:
        for cell in problem_set.notebook.cells:
            for number, region in enumerate(REGION.finditer(cell.source), start=1):
                kind = region[1].lower().removesuffix("s")
                where = f"{problem_set.name}: the {kind} of {grade_id(cell)}, part {number}"
                found.append((where, _pieces(region[2], cell.source[: region.start()], f"BEGIN {region[1]}")))
        found += [(f"{problem_set.name}: {entry}", _pieces(entry.code)) for entry in problem_set.bank]
    index = _by_beginning(piece for _, pieces in found for piece in pieces)
    public = set(_occurring(index, _public_text(course, sets)))
    return tuple(Secret(where, frozenset(pieces - public)) for where, pieces in found)


def _pieces(secret: str, before: str = "", mark: str = "") -> set[str]:
    """Return a secret's lines, and its start joined to the visible text before it: a short answer has no long line."""
    lines = {squeezed(line) for line in secret.splitlines()}
    start, end = squeezed(before)[-SHORTEST:], squeezed(secret)[:LONGEST]
    return {piece for piece in lines | {start + end, start + squeezed(mark) + end} if len(piece) >= SHORTEST}


def _public_text(course: Path, sets: list[ProblemSet]) -> str:
    """Return all that may be published, squeezed: the book's sources, and the problem sets without their secrets."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((course / "book").rglob("*.md"))]
    for problem_set in sets:
        texts += [REGION.sub("# YOUR CODE HERE", cell.source) for cell in problem_set.notebook.cells]
    return "\n".join(map(squeezed, texts))


def _by_beginning(texts: Iterable[str]) -> dict[str, list[str]]:
    """Index texts by their first characters."""
    index: dict[str, list[str]] = {}
    for text in set(texts):
        index.setdefault(text[:SHORTEST], []).append(text)
    return index


def _occurring(index: dict[str, list[str]], text: str) -> Iterator[str]:
    """Yield the texts of an index that occur in a text."""
    for place in range(len(text) - SHORTEST + 1):
        for wanted in index.get(text[place : place + SHORTEST], ()):
            if text.startswith(wanted, place):
                yield wanted


def _texts_of(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the texts in a file: its own, a page's without tags, and those of the files in an archive."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from _texts_of(f"{name}/{member}", archive.read(member))
        return
    if data.startswith(b"\x1f\x8b"):  # gzip; a tar file contains text unchanged
        yield from _texts_of(f"{name}/", gzip.decompress(data))
        return
    text = data.decode("ascii", "ignore")
    yield name, squeezed(text)
    if name.endswith((".html", ".svg", ".xml")):
        yield name, squeezed(html.unescape(re.sub(r"<[^<>]*>", "", text)))


def leaks(files: Iterable[tuple[str, bytes]], secrets: Iterable[Secret]) -> list[str]:
    """Say which secrets are in which files.

    Parameters
    ----------
    files : iterable of tuple of (str, bytes)
        Names, whose endings identify pages, and contents.
    secrets : iterable of Secret
        From `find_secrets`.

    Returns
    -------
    list of str
        A sentence for each, without its full stop.
    """
    places: dict[str, list[str]] = {}
    for secret in secrets:
        for canary in secret.canaries:
            places.setdefault(canary, []).append(secret.where)
    index = _by_beginning(places)
    found = set()
    for file, data in files:
        for name, text in _texts_of(file, data):
            found |= {f"{name} has {where}" for canary in _occurring(index, text) for where in places[canary]}
    return sorted(found)


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name, beginning with the folder's own, and the content of every file in a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder.parent).as_posix(), path.read_bytes()
