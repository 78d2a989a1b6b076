"""The plain table: everything that is known, for people and for their own programs."""

from __future__ import annotations

from autograder.common.text import number
from autograder.reports.formats.form import Export, Format, Sheet, Sheets

#: What the table has of a student besides the id.
ABOUT = ("last_name", "first_name", "email")


def _write(export: Export) -> Sheets:
    """One row a submission, and one for each that is missing.

    Columns: student_id, assignment, score, max_score; one for each item of each set; outcome, late_penalty, hours_late,
    marked_late; of last_name, first_name and email those that the roster has. Whatever is new comes last, for programs that
    count columns.
    """
    about = [name for name in ABOUT if any(getattr(export.student(student), name) for student in export.grades)]
    columns = [(problem_set, item) for problem_set in export.problem_sets for item in problem_set.items]
    head = ["student_id", "assignment", "score", "max_score"]
    tail = ["outcome", "late_penalty", "hours_late", "marked_late", *about]
    rows = [[*head, *(f"{ps.name}:{item}" for ps, item in columns), *tail]]
    for student, sets in export.grades.items():
        for problem_set in export.problem_sets:
            if problem_set.name not in sets:
                continue
            result = sets[problem_set.name]
            items = result.items or {}
            cells = [number(items.get(item)) if ps is problem_set else "" for ps, item in columns]
            row = [student, problem_set.name, number(result.score), number(problem_set.max_score), *cells]
            late = f"{result.hours_late:.2f}" if result.hours_late else ""
            row += [result.outcome, number(result.penalty) if result.penalty else "", late]
            row.append("yes" if result.marked_late else "")
            rows.append([*row, *(getattr(export.student(student), name) for name in about)])
    return Sheets([Sheet("grades.csv", rows)])


FORMAT = Format("plain", _write)
