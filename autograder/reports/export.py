"""Grades as CSV: a plain table, and the forms that platforms import."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from autograder.common.atomic_files import write_text
from autograder.reports.formats import canvas, moodle, plain
from autograder.reports.formats.form import Export, Format

#: Each format by the name that ``--format`` has for it.
FORMATS: dict[str, Format] = {form.name: form for form in (plain.FORMAT, canvas.FORMAT, moodle.FORMAT)}
#: Where a spreadsheet would begin to read a formula; a number is none.
_FORMULA = re.compile(r"((?:^|[;\t\r\n])\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


def write_grades(export: Export, form: Format) -> tuple[list[Path], list[str]]:
    """Write the grades of a class to its directory.

    Parameters
    ----------
    export : Export
        The grades.
    form : Format
        Who reads them.

    Returns
    -------
    tuple of (list of Path, list of str)
        The files written, and notices for the instructor.
    """
    made, root = form.write(export), export.directory.root
    paths = []
    for sheet in made.sheets:
        text = io.StringIO()
        table = csv.writer(text, delimiter=sheet.delimiter, lineterminator="\n")
        table.writerows(row if sheet.theirs else [_safe(cell) for cell in row] for row in sheet.rows)
        paths.append(root / sheet.name)
        write_text(text.getvalue(), paths[-1])
    # What an earlier run wrote of a set that has no score now would be imported as if it still held.
    for problem_set in export.problem_sets:
        left = root / f"grades-{form.name}-{problem_set.name}.csv"
        if left not in paths:
            left.unlink(missing_ok=True)
    return paths, made.notices


def _safe(cell: str) -> str:
    # A student's name such as "=1+1" would be run as a formula by a spreadsheet. Where the list separator is a semicolon,
    # a spreadsheet begins a new cell there, whatever separator the file has.
    return cell if _NUMBER.fullmatch(cell) else _FORMULA.sub(r"\1'", cell)
