"""What students must not see: the lines that only solutions, hidden tests and banks hold, and where a folder shows them."""

from __future__ import annotations

import html
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from autograder.problem_set import ProblemSet, find_problem_sets
from autograder.release import student_version

#: Letters and digits that make a line distinctive; shorter ones (`return result`) stand in public code too.
DISTINCTIVE = 24
#: The words that it has at least: a single name may be that of a cell, which the released notebook shows.
WORDS = 3
_NOTEBOOKS = (".ipynb", ".json")
_PAGES = (".html", ".htm", ".svg", ".xml")
_ARCHIVES = (".zip", ".whl")


def fingerprint(line: str) -> str:
    """Return a line's letters and digits: what no indentation, comment sign or escape changes."""
    return re.sub(r"[\W_]+", "", line)


def is_distinctive(line: str) -> bool:
    """Whether a line says enough to be known again."""
    return len(fingerprint(line)) >= DISTINCTIVE and len(re.findall(r"\w+", line)) >= WORDS


def concealed_lines(course: Path) -> dict[str, str]:
    """Return what must not be shown.

    Parameters
    ----------
    course : Path
        The course's root.

    Returns
    -------
    dict of str to str
        The fingerprint of each distinctive line of a solution, a hidden test or a bank that neither a released notebook
        nor a page of the book holds; and where the line stands.
    """
    sets = find_problem_sets(course)
    public = {
        fingerprint(line)
        for problem_set in sets
        for cell in student_version(problem_set).cells
        for line in cell.source.splitlines()
    }
    for page in (course / "book").rglob("*.md"):
        public.update(map(fingerprint, page.read_text(encoding="utf-8").splitlines()))
    found: dict[str, str] = {}
    for problem_set in sets:
        for where, text in _instructors_texts(problem_set):
            for line in text.splitlines():
                mark = fingerprint(line)
                if is_distinctive(line) and mark not in public:
                    found.setdefault(mark, f"{where}: {line.strip()}")
    return found


def _instructors_texts(problem_set: ProblemSet) -> Iterator[tuple[str, str]]:
    """Yield the cells of a set's source and of its bank, each with its place."""
    for cell in problem_set.notebook.cells:
        yield f"{problem_set.source_path.name}, cell {cell.id}", cell.source
    for entry in problem_set.bank:
        yield f"{problem_set.name}, {entry}", entry.code


def shown_lines(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the lines that a file shows: those of a page without its tags, of a notebook's cells, of an archive's files.

    Parameters
    ----------
    name : str
        The file's name, by whose ending it is read.
    data : bytes
        Its content.

    Yields
    ------
    tuple of (str, str)
        The file, inside an archive too, and the line.
    """
    ending = PurePosixPath(name).suffix.lower()
    if ending in _ARCHIVES and zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from shown_lines(f"{name}/{member}", archive.read(member))
        return
    text = data.decode("utf-8", errors="ignore")
    if ending in _PAGES:
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
    elif ending in _NOTEBOOKS:
        try:
            texts = list(_strings(json.loads(text)))
        except ValueError:
            texts = [text]
        text = "\n".join(texts)
    for line in text.splitlines():
        yield name, line


def _strings(value: object) -> Iterator[str]:
    """Yield the strings of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def leaks(folder: Path, concealed: dict[str, str]) -> list[str]:
    """Name each file below a folder that shows a concealed line, with the first such line.

    Parameters
    ----------
    folder : Path
        What would be published.
    concealed : dict of str to str
        What `concealed_lines` returned.
    """
    found: dict[str, str] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        for name, line in shown_lines(str(file.relative_to(folder)), file.read_bytes()):
            if name not in found and (where := concealed.get(fingerprint(line))):
                found[name] = f"{name} shows {where}"
    return list(found.values())
