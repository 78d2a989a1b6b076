"""Moodle: its grading worksheet of an assignment, filled in; or a table for the gradebook's own import.

In a worksheet only the grades of those who have one are changed: everything else goes back as Moodle wrote it.
"""

from __future__ import annotations

from autograder.classroom.collecting.moodle_worksheet import EMAIL, GRADE, IDENTIFIER, MAXIMUM, number_of, place
from autograder.classroom.collecting.platform_numbers import platform_numbers
from autograder.classroom.collecting.platforms import moodle
from autograder.classroom.roster import cells_of_table, delimiter_of
from autograder.common.errors import AutograderError
from autograder.common.text import number
from autograder.problem_set.source import ProblemSet
from autograder.reports.formats.form import Export, Format, Sheet, Sheets


def _write(export: Export) -> Sheets:
    if export.table:
        return _filled_in(export, export.only_set("A grading worksheet is of one assignment"))
    made = Sheets()
    for problem_set in export.problem_sets:
        scores = export.scores(problem_set.name)
        if not scores:
            continue
        rows = [["username", *(["email"] if export.roster else []), problem_set.name]]
        for student, score in scores.items():
            known = export.student(student)
            about = [known.moodle_username or known.login or student, *([known.email] if export.roster else [])]
            rows.append([*about, number(score)])
        made.sheets.append(Sheet(f"grades-moodle-{problem_set.name}.csv", rows))
    return made


def _filled_in(export: Export, problem_set: ProblemSet) -> Sheets:
    header, *rows = [cells for _, cells in cells_of_table(export.table, "grading worksheet")]
    identifier, grade = place(header, IDENTIFIER), place(header, GRADE)
    email, full = place(header, EMAIL), place(header, MAXIMUM)
    if grade is None or (identifier is None and email is None):
        raise AutograderError("The grading worksheet has no columns for an identifier and a grade; is it Moodle's?")
    made, scores = Sheets(), export.scores(problem_set.name)
    numbers = platform_numbers(export.directory, moodle.PLATFORM, problem_set.name)
    by_number = {theirs: student for student, theirs in numbers.items()}
    by_email: dict[str, str] = {}
    for known in export.roster.students.values() if export.roster else ():
        by_number |= dict.fromkeys(known.moodle_id, known.student_id)
        by_email |= {known.email.casefold(): known.student_id} if known.email else {}
    placed: set[str] = set()
    same = other = 0
    for row in rows:
        row += [""] * (len(header) - len(row))
        theirs = number_of(row[identifier]) if identifier is not None else ""
        student = by_number.get(theirs) if theirs else None
        addressee = by_email.get(row[email].casefold()) if email is not None else None
        if theirs and addressee in numbers:
            same += numbers[addressee] == theirs
            other += numbers[addressee] != theirs
        if student is None:
            student = addressee
        if student not in scores:
            continue
        comma = full is not None and "," in row[full]
        points = number(scores[student])
        row[grade] = points.replace(".", ",") if comma else points
        placed.add(student)
    if other and not same:
        raise AutograderError(
            f"The grading worksheet is that of another assignment: its numbers are not those under which "
            f"{problem_set.name} was handed in. Download that assignment's."
        )
    if lost := [student for student in scores if student not in placed]:
        made.notices.append(
            f"{problem_set.name}: not in the worksheet: {', '.join(lost)}; the roster's column moodle_id, or email, "
            "tells who they are."
        )
    most = {row[full].replace(",", ".") for row in rows} - {""} if full is not None else set()
    if any(_value(text) != problem_set.max_score for text in most):
        made.notices.append(
            f"{problem_set.name}: the maximum grade in Moodle is {', '.join(sorted(most))}; "
            f"the set has {number(problem_set.max_score)} points."
        )
    sheet = Sheet(f"grades-moodle-{problem_set.name}.csv", [header, *rows], delimiter_of(export.table), theirs=True)
    made.sheets.append(sheet)
    return made


def _value(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


FORMAT = Format("moodle", _write, reads="the grading worksheet of the assignment, as Moodle exports it")
