"""Grades as CSV: a plain table, and the forms that platforms import."""

from __future__ import annotations

from pathlib import Path

from autograder.common.atomic_files import write_text
from autograder.reports.csv_text import csv_text
from autograder.reports.formats import canvas, moodle, plain
from autograder.reports.formats.form import Export, Format

#: Each format by the name that ``--format`` has for it.
FORMATS: dict[str, Format] = {form.name: form for form in (plain.FORMAT, canvas.FORMAT, moodle.FORMAT)}


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
        paths.append(root / sheet.name)
        write_text(csv_text(sheet.rows, sheet.delimiter, sheet.theirs), paths[-1])
    # What an earlier run wrote of a set that has no score now would be imported as if it still held.
    for problem_set in export.problem_sets:
        left = root / f"grades-{form.name}-{problem_set.name}.csv"
        if left not in paths:
            left.unlink(missing_ok=True)
    return paths, made.notices
