"""What a source notebook must keep to: its header, nbgrader's metadata, and the marks around solutions and tests.

Whoever writes a set learns of a slip here, in a sentence that names the cell. nbgrader's own preprocessors would stop at
the same slips, with a traceback and without the place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator

#: A line that is meant as one of nbgrader's marks, rightly spelt or not.
_MARK = re.compile(r"^[ \t]*#+[ \t]*(BEGIN|END)\b[ \t]*([A-Z][A-Z \t]*?)[ \t]*$", re.MULTILINE)
_MARKED = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
#: Where a test, the question before an answer in words, and its rubric say what they carry.
_STATED = re.compile(r"(?:\(|\bRubric, )(\d+(?:\.\d+)?) points?\b")
#: The line below the title of a set that says what all of it carries.
_STATED_BELOW_TITLE = re.compile(
    r"^\*.*?\b(\w+) points?(?:: (\w+) (?:is|are) graded by tests, (\w+) by hand)?\.\*$", re.MULTILINE
)
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
#: The version of the metadata that nbgrader writes today.
_VERSION = MetadataValidator.schema_version


def faults_of_source(notebook: NotebookNode) -> Iterator[str]:
    """Say what is wrong with a source notebook, as its file was read.

    Parameters
    ----------
    notebook : NotebookNode
        The source.

    Yields
    ------
    str
        A clause that names the place.
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
        yield "its header names no kernel; begin the file with the header that other sets have"
    elif kernel.get("language") != "python":
        yield f"the language of the kernel in its header is {kernel.get('language')!r}, and must be python"
    if not isinstance(options, dict):
        yield "autograder in its header holds no keys; give it title, chapters and minutes"
    elif not isinstance(options.get("title", ""), str):
        yield f"the title in its header is {options['title']!r}, and must be a text"


def _fault_of_metadata(cell: NotebookNode) -> str:
    options = cell.metadata.get("autograder", {})
    if not isinstance(options, dict):
        return "autograder in its metadata holds no keys"
    if not isinstance(options.get("include", ""), str) or not isinstance(options.get("gives", []), list):
        return "include in its metadata is the name of a file, and gives a list of names"
    metadata = cell.metadata.get("nbgrader", {})
    if not isinstance(metadata, dict):
        return "nbgrader in its metadata holds no keys"
    if not metadata:
        return ""
    if metadata.get("schema_version") != _VERSION:
        return f"its metadata needs schema_version: {_VERSION}"
    points = metadata.get("points", 0)
    if isinstance(points, bool) or not isinstance(points, int | float) or not 0 <= points < math.inf:
        return f"its points are {points!r}, and must be a number of at least 0"
    try:
        MetadataValidator().validate_cell(cell)
    except Exception as error:  # what jsonschema finds has a message, and its text is pages long
        place = "".join(f"{key}: " for key in getattr(error, "path", ()))
        # Some of nbgrader's messages repeat the whole cell at their end.
        message = getattr(error, "message", str(error)).removesuffix(cell.source).rstrip(": ")
        return f"its metadata is not nbgrader's: {place}{message}"
    return ""


def _fault_of_marks(text: str) -> str:
    """Say which mark is misspelt, or has no other half."""
    open_mark = ""
    for found in _MARK.finditer(text):
        line = found[0].strip()
        edge, what = found.groups()
        if line not in {f"### {edge} {known}" for known in _MARKED}:
            known = ", ".join(f"### {edge} {known}" for known in _MARKED)
            return f"{line!r} is no mark of nbgrader's; there are {known}"
        if edge == "BEGIN" and open_mark:
            return f"{line!r} stands before '### END {open_mark}'"
        if edge == "END" and open_mark != what:
            return f"{line!r} has no '### BEGIN {what}' before it"
        open_mark = what if edge == "BEGIN" else ""
    return f"'### BEGIN {open_mark}' has no '### END {open_mark}' after it" if open_mark else ""


# ---- points, which authors write for students to read, too


def _faults_of_points(cells: Iterable[NotebookNode]) -> Iterator[str]:
    """Say where points that a student reads are not those that a cell carries."""
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
                    yield f"cell {name!r}: its first line says no points; write ({_points(carried)}) there, in a comment"
            for place, stated in places.items():
                if stated and float(stated[0]) != carried:
                    yield f"cell {name!r}: it carries {_points(carried)} in its metadata, but {place} says {stated[0]}"
        if cell.cell_type == "markdown":
            before = cell.source
            below_title = below_title or (before if before.startswith("# ") else "")
    for found in _STATED_BELOW_TITLE.finditer(below_title):
        carried = (by_tests + by_hand, by_tests, by_hand)
        for stated, points, what in zip(found.groups(), carried, ("cells", "tests", "answers in words"), strict=True):
            number = _number(stated or "")
            if number is not None and number != points:
                yield f"the line below its title says {stated} where its {what} carry {_points(points)}"


def _number(word: str) -> float | None:
    """Read a number in digits or a small one in letters."""
    if word.isdecimal():
        return float(word)
    return float(_WORDS.index(word.lower())) if word.lower() in _WORDS else None


def _points(number: float) -> str:
    return f"{number:g} point{'' if number == 1 else 's'}"
