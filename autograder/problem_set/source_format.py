"""What a source notebook must keep to: its header, nbgrader's metadata, and the marks around solutions and tests.

Whoever writes a set learns of a slip here, in a sentence that names the cell. nbgrader's own preprocessors would stop at
the same slips, with a traceback and without the place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import jsonschema
from nbformat import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator

#: A line that is meant as one of nbgrader's marks, rightly spelt or not.
_MARK = re.compile(r"^[ \t]*#+[ \t]*(BEGIN|END)\b[ \t]*([A-Z][A-Z \t]*?)[ \t]*$", re.MULTILINE)
_MARKED = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
#: The version of the metadata that nbgrader writes today.
_VERSION = MetadataValidator.schema_version
#: nbgrader's own schema; its validator would check the schema itself anew for each cell.
_SCHEMA = MetadataValidator().schema
_VALIDATOR = jsonschema.validators.validator_for(_SCHEMA)(_SCHEMA)


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
    if not isinstance(notebook.metadata.get("kernelspec"), dict):
        yield "its header names no kernel; begin the file with the header that other sets have"
    if not isinstance(notebook.metadata.get("autograder", {}), dict):
        yield "autograder in its header holds no keys; give it title, chapters and minutes"
    for index, cell in enumerate(notebook.cells):
        for fault in (_fault_of_metadata(cell), _fault_of_marks(cell.source)):
            if fault:
                metadata = cell.metadata.get("nbgrader")
                name = metadata.get("grade_id") if isinstance(metadata, dict) else None
                yield f"cell {name or index!r}: {fault}"


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
    error = jsonschema.exceptions.best_match(_VALIDATOR.iter_errors(metadata))
    if error is None:
        return ""
    place = "".join(f"{key}: " for key in error.path)
    return f"its metadata is not nbgrader's: {place}{error.message}"


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
