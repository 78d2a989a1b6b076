"""Grades as CSV: a plain table, and the forms that Canvas and Moodle import."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.gradebook import read_grades, read_penalties
from autograder.classroom.roster import Roster, Student
from autograder.common.atomic_files import write_text
from autograder.common.text import number
from autograder.problem_set.source import ProblemSet

#: Where a spreadsheet would begin to read a formula.
_FORMULA = re.compile(r"((?:^|[;\t\r\n])\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


@dataclass(frozen=True)
class Result:
    """What a student has for a set.

    Attributes
    ----------
    outcome : str
        As in `directory.Outcome`, but ``graded`` as soon as nothing awaits a person any longer.
    items : dict of str to (float or None), optional
        Points of each item, None where a person has yet to give them; None as a whole where nothing could be graded.
    penalty : float
        Points that are taken off for handing in late.
    """

    outcome: str
    items: dict[str, float | None] | None = None
    penalty: float = 0.0

    @property
    def score(self) -> float | None:
        """The points given so far, less the penalty; None where nothing could be graded."""
        if self.items is None:
            return None
        return sum(points for points in self.items.values() if points is not None) - self.penalty


#: Result by student and set.
Grades = dict[str, dict[str, Result]]


def class_grades(
    directory: ClassDirectory, problem_sets: list[ProblemSet], outcomes: dict[Submission, Outcome]
) -> Grades:
    """Read the grades of these submissions.

    Returns
    -------
    dict
        Student and set, to result.
    """
    items = {problem_set.name: read_grades(directory, problem_set) for problem_set in problem_sets}
    penalties = {problem_set.name: read_penalties(directory, problem_set) for problem_set in problem_sets}
    grades: Grades = {}
    for submission, outcome in sorted(outcomes.items()):
        student, name = submission.student, submission.problem_set
        if outcome.outcome in ("failed", "not-graded", "missing"):
            result = Result(outcome.outcome)
        else:
            points = items[name].get(student)
            complete = points is not None and None not in points.values()
            result = Result("graded" if complete else outcome.outcome, points, penalties[name].get(student, 0.0))
        grades.setdefault(student, {})[name] = result
    return grades


def plain_table(grades: Grades, problem_sets: list[ProblemSet], roster: Roster | None) -> list[list[str]]:
    """One row a submission, and one for each that is missing.

    Columns: student_id, assignment, score, max_score; one for each item of each set; outcome and late_penalty.
    """
    columns = [(problem_set, item) for problem_set in problem_sets for item in problem_set.items]
    head, tail = ["student_id", "assignment", "score", "max_score"], ["outcome", "late_penalty"]
    rows = [[*head, *(f"{ps.name}:{item}" for ps, item in columns), *tail]]
    for student, sets in grades.items():
        for problem_set in problem_sets:
            if problem_set.name not in sets:
                continue
            result = sets[problem_set.name]
            items = result.items or {}
            cells = [number(items.get(item)) if ps is problem_set else "" for ps, item in columns]
            score = number(result.score)
            row = [student, problem_set.name, score, number(problem_set.max_score), *cells, result.outcome]
            rows.append([*row, number(result.penalty) if result.penalty else ""])
    return rows


def _scores(sets: dict[str, Result], problem_sets: list[ProblemSet]) -> list[str]:
    return [number(sets[ps.name].score) if ps.name in sets else "" for ps in problem_sets]


def canvas_table(grades: Grades, problem_sets: list[ProblemSet], roster: Roster | None) -> list[list[str]]:
    """One row a student, as Canvas imports it: five columns about the student, then a column for each set."""
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(ps.name for ps in problem_sets)]]
    rows.append(["    Points Possible", "", "", "", "", *(number(ps.max_score) for ps in problem_sets)])
    for student, sets in grades.items():
        known = _known(roster, student)
        login = known.canvas_login or known.login or student
        about = [known.sortable_name, known.canvas_id, known.canvas_sis_id, login, ""]
        rows.append([*about, *_scores(sets, problem_sets)])
    return rows


def moodle_table(grades: Grades, problem_sets: list[ProblemSet], roster: Roster | None) -> list[list[str]]:
    """One row a student, as Moodle imports it: the user name, the address from the roster, then one column a set.

    Moodle asks which column identifies the user: choose the user name, or the address.
    """
    rows = [["username", *(["email"] if roster else []), *(ps.name for ps in problem_sets)]]
    for student, sets in grades.items():
        known = _known(roster, student)
        about = [known.moodle_username or known.login or student, *([known.email] if roster else [])]
        rows.append([*about, *_scores(sets, problem_sets)])
    return rows


def _known(roster: Roster | None, student: str) -> Student:
    return (roster.students if roster else {}).get(student) or Student(student)


#: Each format by the name that ``--format`` has for it: the file that it is written to, and what makes its rows.
FORMATS = {
    "plain": ("grades.csv", plain_table),
    "canvas": ("grades-canvas.csv", canvas_table),
    "moodle": ("grades-moodle.csv", moodle_table),
}


def write_grades(
    directory: ClassDirectory,
    grades: Grades,
    problem_sets: list[ProblemSet],
    form: str,
    roster: Roster | None = None,
) -> Path:
    """Write the grades of a class to its directory.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    grades : dict
        As `class_grades` returns them.
    problem_sets : list of ProblemSet
        The sets to export.
    form : str
        Who reads the file: a key of `FORMATS`.
    roster : Roster, optional
        Knows what the platforms call each student.

    Returns
    -------
    Path
        The file written.
    """
    name, table = FORMATS[form]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [_safe(cell) for cell in row] for row in table(grades, problem_sets, roster)
    )
    path = directory.root / name
    write_text(text.getvalue(), path)
    return path


def _safe(cell: str) -> str:
    # A student's name such as "=1+1" would be run as a formula by a spreadsheet. Where the list separator is a semicolon,
    # a spreadsheet begins a new cell there, whatever separator the file has.
    return _FORMULA.sub(r"\1'", cell)


def summary_table(grades: Grades, problem_sets: list[ProblemSet]) -> list[list[str]]:
    """One row a student with the score of each set, for a look: ``failed``, ``not graded`` or ``missing`` where there is none."""
    rows = [["student", *(f"{ps.name} (of {number(ps.max_score)})" for ps in problem_sets)]]
    for student, sets in grades.items():
        results = [sets.get(ps.name) for ps in problem_sets]
        rows.append([student, *("-" if r is None else number(r.score) or r.outcome.replace("-", " ") for r in results)])
    return rows
