"""Checks the format of a source notebook: its header, nbgrader's metadata, and the marks around solutions and tests.

A set's author learns of a mistake here, in a sentence that names the cell. nbgrader's own preprocessors stop at the
same mistakes with a traceback, and do not say where.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator

#: A line meant as one of nbgrader's marks, whether spelt correctly or not.
_MARK = re.compile(r"^[ \t]*#+[ \t]*(BEGIN|END)\b[ \t]*([A-Z][A-Z \t]*?)[ \t]*$", re.MULTILINE)
_MARKED = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
#: Where a test, the question before a prose answer, and its rubric state their points.
_STATED = re.compile(r"(?:\(|\bRubric, )(\d+(?:\.\d+)?) points?\b")
#: The line below a set's title that states all its points.
_STATED_BELOW_TITLE = re.compile(
    r"^\*.*?\b(\w+) points?(?:: (\w+) (?:is|are) graded by tests, (\w+) by hand)?\.\*$", re.MULTILINE
)
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
#: The metadata version that nbgrader writes today.
_VERSION = MetadataValidator.schema_version
#: Cells that this process has already validated: nbgrader checks its own schema again for each.
_FAULTLESS: set[tuple[str, str, str]] = set()


def faults_of_source(notebook: NotebookNode) -> Iterator[str]:
    """Say what is wrong with a source notebook, as read from its file.

    Parameters
    ----------
    notebook : NotebookNode
        The source.

    Yields
    ------
    str
        A clause that says where the fault is.
    """
    faults = [*_faults_of_header(notebook.metadata), *_faults_of_cells(notebook.cells)]
    yield from faults or _faults_of_points(notebook.cells)


def _faults_of_cells(cells: Iterable[NotebookNode]) -> Iterator[str]:
    for index, cell in enumerate(cells):
        for fault in (_fault_of_metadata(cell), _fault_of_marks(cell.source)):
            if fault:
                metadata = cell.metadata.get("nbgrader")
                name = metadata.get("grade_id") if isinstance(metadata, dict) else None
                yield f"cell {name or index!r}: {fault}"


def _faults_of_header(header: NotebookNode) -> Iterator[str]:
    kernel, options = header.get("kernelspec"), header.get("autograder", {})
    if not isinstance(kernel, dict):
        yield "its header names no kernel; start the file with the same header as other sets"
    elif kernel.get("language") != "python":
        yield f"the language of the kernel in its header is {kernel.get('language')!r}, but must be python"
    if not isinstance(options, dict):
        yield "autograder in its header must be a mapping of keys; give it title, chapters and minutes"
    elif not isinstance(options.get("title", ""), str):
        yield f"the title in its header is {options['title']!r}, but must be text"
    elif not _is_list_of_text(options.get("packages", [])):
        yield f"packages in its header is {options['packages']!r}, but must be a list of names"


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _fault_of_metadata(cell: NotebookNode) -> str:
    options = cell.metadata.get("autograder", {})
    if not isinstance(options, dict):
        return "autograder in its metadata must be a mapping of keys"
    if not isinstance(options.get("include", ""), str) or not isinstance(options.get("gives", []), list):
        return "include in its metadata must be the name of a file, and gives a list of names"
    metadata = cell.metadata.get("nbgrader", {})
    if not isinstance(metadata, dict):
        return "nbgrader in its metadata must be a mapping of keys"
    if not metadata:
        return ""
    if metadata.get("schema_version") != _VERSION:
        return f"its metadata needs schema_version: {_VERSION}"
    points = metadata.get("points", 0)
    if isinstance(points, bool) or not isinstance(points, int | float) or not 0 <= points < math.inf:
        return f"its points are {points!r}, but must be a number, 0 or more"
    known = (cell.cell_type, cell.source, repr(metadata))
    if known in _FAULTLESS:
        return ""
    try:
        MetadataValidator().validate_cell(cell)
    except Exception as error:  # a jsonschema error has a short message, but pages of text
        place = "".join(f"{key}: " for key in getattr(error, "path", ()))
        # Some of nbgrader's messages end with the whole cell.
        message = getattr(error, "message", str(error)).removesuffix(cell.source).rstrip(": ")
        return f"its metadata is not nbgrader's: {place}{message}"
    _FAULTLESS.add(known)
    return ""


def _fault_of_marks(text: str) -> str:
    """Say which mark is misspelt or unpaired."""
    open_mark = ""
    for found in _MARK.finditer(text):
        line = found[0].strip()
        edge, what = found.groups()
        if line not in {f"### {edge} {known}" for known in _MARKED}:
            known = ", ".join(f"### {edge} {known}" for known in _MARKED)
            return f"{line!r} is not one of nbgrader's marks, which are {known}"
        if edge == "BEGIN" and open_mark:
            return f"{line!r} comes before '### END {open_mark}'"
        if edge == "END" and open_mark != what:
            return f"{line!r} has no '### BEGIN {what}' before it"
        open_mark = what if edge == "BEGIN" else ""
    return f"'### BEGIN {open_mark}' has no '### END {open_mark}' after it" if open_mark else ""


# ---- points, which authors also write where students read them


def _faults_of_points(cells: Iterable[NotebookNode]) -> Iterator[str]:
    """Say where the points that students read differ from those that a cell carries."""
    before = below_title = ""
    by_tests = by_hand = 0.0
    for cell in cells:
        options = cell.metadata.get("nbgrader", {})
        if options.get("grade"):
            name, carried = options.get("grade_id"), options["points"]
            if options.get("solution"):
                by_hand += carried
                places = {"the text before it": _STATED.findall(before)[-1:], "its text": _STATED.findall(cell.source)}
            else:
                by_tests += carried
                first = cell.source.lstrip().partition("\n")[0]
                places = {"its first line": _STATED.findall(first)[:1] if first.startswith("#") else []}
                if carried and not places["its first line"]:
                    yield f"cell {name!r}: its first line lacks points; write ({_points(carried)}) there, in a comment"
            for place, stated in places.items():
                if stated and float(stated[0]) != carried:
                    yield f"cell {name!r}: it carries {_points(carried)} in its metadata, but {place} says {stated[0]}"
        if cell.cell_type == "markdown":
            before = cell.source
            below_title = below_title or (before if before.startswith("# ") else "")
    for found in _STATED_BELOW_TITLE.finditer(below_title):
        carried = (by_tests + by_hand, by_tests, by_hand)
        for stated, points, what in zip(found.groups(), carried, ("cells", "tests", "prose answers"), strict=True):
            number = _number(stated or "")
            if number is not None and number != points:
                yield f"the line below its title says {stated}, but its {what} carry {_points(points)}"


def _number(word: str) -> float | None:
    """Read a number written in digits, or a small one in letters."""
    if word.isdecimal():
        return float(word)
    return float(_WORDS.index(word.lower())) if word.lower() in _WORDS else None


def _points(number: float) -> str:
    return f"{number:g} point{'' if number == 1 else 's'}"
