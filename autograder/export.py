"""Grades as CSV: a plain table, and the forms that Canvas and Moodle import."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from autograder.class_directory import ClassDirectory, Outcome, Submission
from autograder.gradebook import read_grades
from autograder.problem_set import ProblemSet
from autograder.whole_files import write_text

FORMATS = {"plain": "grades.csv", "canvas": "grades-canvas.csv", "moodle": "grades-moodle.csv"}

#: Score by (student, set): None for a submission that could not be graded.
Grades = dict[str, dict[str, dict[str, float | None] | None]]


def class_grades(
    directory: ClassDirectory, problem_sets: list[ProblemSet], outcomes: dict[Submission, Outcome]
) -> Grades:
    """Read the grades of these submissions.

    Returns
    -------
    dict
        Student, set and item, to points. A set is None for a student whose submission failed; an item is None where
        a person has yet to grade it.
    """
    by_set = {problem_set.name: read_grades(directory, problem_set) for problem_set in problem_sets}
    grades: Grades = {}
    for submission, outcome in sorted(outcomes.items()):
        found = None if outcome.outcome == "failed" else by_set[submission.problem_set].get(submission.student)
        grades.setdefault(submission.student, {})[submission.problem_set] = found
    return grades


def total(items: dict[str, float | None] | None) -> float | None:
    """Return the points given so far; None for a submission that failed."""
    return None if items is None else sum(points for points in items.values() if points is not None)


def number(value: float | None) -> str:
    """Write points without needless zeros; nothing for None."""
    return "" if value is None else f"{value:.10g}"


def plain_table(grades: Grades, problem_sets: list[ProblemSet]) -> list[list[str]]:
    """One row a submission: student_id, assignment, score, max_score, and a column for each item of each set."""
    columns = [(problem_set, item) for problem_set in problem_sets for item in problem_set.items]
    rows = [["student_id", "assignment", "score", "max_score", *(f"{ps.name}:{item}" for ps, item in columns)]]
    for student, sets in grades.items():
        for problem_set in problem_sets:
            if problem_set.name not in sets:
                continue
            items = sets[problem_set.name]
            cells = [number(items.get(item)) if items is not None and ps is problem_set else "" for ps, item in columns]
            rows.append([student, problem_set.name, number(total(items)), number(problem_set.max_score), *cells])
    return rows


def canvas_table(grades: Grades, problem_sets: list[ProblemSet]) -> list[list[str]]:
    """One row a student, as Canvas imports it: five columns about the student, then a column for each set."""
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(ps.name for ps in problem_sets)]]
    rows.append(["    Points Possible", "", "", "", "", *(number(ps.max_score) for ps in problem_sets)])
    for student, sets in grades.items():
        rows.append([student, "", "", student, "", *(number(total(sets.get(ps.name))) for ps in problem_sets)])
    return rows


def moodle_table(grades: Grades, problem_sets: list[ProblemSet]) -> list[list[str]]:
    """One row a student, as Moodle imports it: the user name, then one column a set."""
    rows = [["username", *(ps.name for ps in problem_sets)]]
    for student, sets in grades.items():
        rows.append([student, *(number(total(sets.get(ps.name))) for ps in problem_sets)])
    return rows


def write_grades(directory: ClassDirectory, grades: Grades, problem_sets: list[ProblemSet], form: str) -> Path:
    """Write the grades of a class to its directory.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    grades : dict
        As `class_grades` returns them.
    problem_sets : list of ProblemSet
        The sets to export.
    form : {"plain", "canvas", "moodle"}
        Who reads the file.

    Returns
    -------
    Path
        The file written.
    """
    table = {"plain": plain_table, "canvas": canvas_table, "moodle": moodle_table}[form]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [_safe(cell) for cell in row] for row in table(grades, problem_sets)
    )
    path = directory.root / FORMATS[form]
    write_text(text.getvalue(), path)
    return path


def _safe(cell: str) -> str:
    # A student's name such as "=1+1" would be run as a formula by a spreadsheet.
    return f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell


def summary_table(grades: Grades, problem_sets: list[ProblemSet]) -> list[list[str]]:
    """One row a student with the score of each set, for a look: ``-`` for no submission, ``failed`` for no score."""
    rows = [["student", *(f"{ps.name} (of {number(ps.max_score)})" for ps in problem_sets)]]
    for student, sets in grades.items():
        scores = ("-" if ps.name not in sets else number(total(sets[ps.name])) or "failed" for ps in problem_sets)
        rows.append([student, *scores])
    return rows
