"""Checks the format of a source notebook: its header, nbgrader's metadata, and the marks around solutions and tests.

A set's author learns of a mistake here, in a sentence that names the cell. nbgrader's own preprocessors stop at the
same mistakes with a traceback, and do not say where.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator

#: A line meant as one of nbgrader's marks, whether spelt correctly or not.
_MARK = re.compile(r"^[ \t]*#+[ \t]*(BEGIN|END)\b[ \t]*([A-Z][A-Z \t]*?)[ \t]*$", re.MULTILINE)
_MARKED = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
#: The metadata version that nbgrader writes today.
_VERSION = MetadataValidator.schema_version


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
    if not isinstance(notebook.metadata.get("kernelspec"), dict):
        yield "its header names no kernel; start the file with the same header as other sets"
    if not isinstance(notebook.metadata.get("autograder", {}), dict):
        yield "autograder in its header must be a mapping of keys; give it title, chapters and minutes"
    for index, cell in enumerate(notebook.cells):
        for fault in (_fault_of_metadata(cell), _fault_of_marks(cell.source)):
            if fault:
                metadata = cell.metadata.get("nbgrader")
                name = metadata.get("grade_id") if isinstance(metadata, dict) else None
                yield f"cell {name or index!r}: {fault}"


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
    try:
        MetadataValidator().validate_cell(cell)
    except Exception as error:  # a jsonschema error has a short message, but pages of text
        place = "".join(f"{key}: " for key in getattr(error, "path", ()))
        return f"its metadata is not nbgrader's: {place}{getattr(error, 'message', error)}"
    return ""


def _fault_of_marks(text: str) -> str:
    """Say which mark is misspelt or unpaired."""
    open_mark = ""
    for found in _MARK.finditer(text):
        line = found[0].strip()
        edge, what = found.groups()
        if line not in {f"### {edge} {known}" for known in _MARKED}:
            known = ", ".join(f"### {edge} {known}" for known in _MARKED)
            return f"{line!r} is not one of nbgrader's marks; these are {known}"
        if edge == "BEGIN" and open_mark:
            return f"{line!r} comes before '### END {open_mark}'"
        if edge == "END" and open_mark != what:
            return f"{line!r} has no '### BEGIN {what}' before it"
        open_mark = what if edge == "BEGIN" else ""
    return f"'### BEGIN {open_mark}' has no '### END {open_mark}' after it" if open_mark else ""
