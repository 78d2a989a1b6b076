"""nbgrader's gradebook: the one place that writes scores into it and reads them from it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import nbgrader.api
from alembic.script import ScriptDirectory
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import BaseCell, Grade, Gradebook, InvalidEntry, MissingEntry, Student
from nbgrader.dbutil import ALEMBIC_DIR
from nbgrader.preprocessors import SaveCells
from sqlalchemy import select
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from autograder.classroom.directory import ClassDirectory, Submission, database_address
from autograder.classroom.grading.second_look import Seen, answer_digests, read_seen, write_seen
from autograder.classroom.roster import Roster
from autograder.common.atomic_files import DiskFullError, write_text
from autograder.common.errors import AutograderError, MachineError
from autograder.engine.score import Graded
from autograder.problem_set.source import ProblemSet

# nbgrader 0.9.6 makes objects before it adds them to the session; SQLAlchemy 2 remarks on it, and all is well.
warnings.filterwarnings("ignore", category=SAWarning, module=r"nbgrader\.api")

#: PostgreSQL's code for a full disk; what its codes for other shortages and for faults of its system begin with.
_DISK_FULL, _SERVER_FAILS = "53100", ("53", "58")


def _version_of_tables() -> str:
    return ScriptDirectory(ALEMBIC_DIR).get_current_head()


# For each new gradebook nbgrader would start `alembic`, which takes seconds, by a name that need not be on PATH.
nbgrader.api.get_alembic_version = _version_of_tables


@contextlib.contextmanager
def open_gradebook(directory: ClassDirectory) -> Iterator[Gradebook]:
    """Open the gradebook of a class.

    Raises
    ------
    AutograderError
        The database cannot be read or written.
    MachineError
        The disk that it is on is full, or fails.
    """
    if database_address(directory.database_url) is None:
        raise AutograderError(f"The gradebook {directory.shown_database} cannot be used: it is not a database URL.")
    try:
        gradebook = Gradebook(directory.database_url)
    except (SQLAlchemyError, InvalidEntry, ImportError) as error:  # no database there, or no driver for it here
        raise _unusable(directory, error) from None
    try:
        with gradebook:
            yield gradebook
    except (SQLAlchemyError, InvalidEntry) as error:
        raise _unusable(directory, error) from None


def _unusable(directory: ClassDirectory, error: Exception) -> AutograderError | MachineError:
    driver = getattr(error, "orig", None) or error
    reason = str(driver).strip().splitlines() or [type(error).__name__]
    what = f"The gradebook {directory.shown_database} cannot be used: {reason[0].rstrip('.')}"
    code, state = getattr(driver, "sqlite_errorcode", 0), getattr(driver, "sqlstate", None) or ""
    if code == sqlite3.SQLITE_FULL or state == _DISK_FULL:
        return DiskFullError(what)
    if code & 0xFF == sqlite3.SQLITE_IOERR or state[:2] in _SERVER_FAILS:
        return MachineError(what)
    return AutograderError(f"{what}.")


def record_source(directory: ClassDirectory, name: str, source: NotebookNode) -> None:
    """Tell nbgrader's gradebook what cells a set has and what they are worth.

    Submissions that were graded by a source with other cells are taken out, with what a person gave kept beside each,
    until it is graded again.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    name : str
        Name of the set.
    source : NotebookNode
        The instructor's version of the set.

    Raises
    ------
    AutograderError
        The database cannot be read or written.
    """
    resources = ResourcesDict(nbgrader={"notebook": name, "assignment": name, "db_url": directory.database_url})
    with open_gradebook(directory) as gradebook:
        gradebook.update_or_create_assignment(name)
    try:
        try:
            SaveCells().preprocess(source, resources)
        except RuntimeError:  # nbgrader changes no cells of a set while it has submissions
            with open_gradebook(directory) as gradebook:
                for submission in gradebook.assignment_submissions(name):
                    own = Submission(submission.student.id, name)
                    remove_grades(gradebook, own, directory.work_by_hand(own))
            SaveCells().preprocess(source, resources)
    except (SQLAlchemyError, InvalidEntry) as error:
        raise _unusable(directory, error) from None


def record_students(gradebook: Gradebook, roster: Roster) -> None:
    """Write the students of a roster to the gradebook, those included who hand in nothing.

    Parameters
    ----------
    gradebook : Gradebook
        Open for writing.
    roster : Roster
        The students. What the roster does not tell stays as it is in the gradebook.
    """
    known = {student.id: student for student in gradebook.students}
    for student in roster.students.values():
        if student.student_id not in known:
            known[student.student_id] = Student(id=student.student_id)
            gradebook.db.add(known[student.student_id])
        told = {
            "first_name": student.first_name,
            "last_name": student.last_name,
            "email": student.email,
            "lms_user_id": student.canvas_id,
        }
        for name, value in told.items():
            if value and getattr(known[student.student_id], name) != value:
                setattr(known[student.student_id], name, value)
    gradebook.db.commit()


@contextlib.contextmanager
def _one_transaction(gradebook: Gradebook) -> Iterator[None]:
    """Write what follows at once or not at all: nbgrader's own calls would each commit their part."""
    session = gradebook.db
    session.commit = session.flush
    try:
        yield
    except BaseException:
        session.rollback()
        raise
    finally:
        del session.commit
    session.commit()


def record_grades(
    gradebook: Gradebook,
    submission: Submission,
    graded: Graded,
    timestamp: datetime | None = None,
    by_hand: Path | None = None,
    seen_by_hand: Path | None = None,
) -> None:
    """Write the scores of one submission. What a person gave or wrote stays; a changed answer is marked for another look.

    Parameters
    ----------
    gradebook : Gradebook
        Open for writing.
    submission : Submission
        Whose work it is.
    graded : Graded
        What grading it gave.
    timestamp : datetime, optional
        When it was handed in (UTC).
    by_hand : Path, optional
        Where `remove_grades` kept what a person gave; it comes back, and the file goes.
    seen_by_hand : Path, optional
        Keeps which answers a person has graded. Without it, every grade given by hand is marked.
    """
    name = submission.problem_set
    with _one_transaction(gradebook):
        gradebook.update_or_create_student(submission.student)
        gradebook.update_or_create_submission(name, submission.student, timestamp=timestamp)
        notebook = gradebook.find_submission_notebook(name, name, submission.student)
        kept, seen, answers = _read_work_by_hand(by_hand), read_seen(seen_by_hand), answer_digests(graded)
        # One query names all cells, and one statement writes all grades: asked for its cell, each grade would make two.
        cells = select(BaseCell.id, BaseCell.name).where(BaseCell.notebook_id == notebook.notebook_id)
        names = {cell.id: cell.name for cell in gradebook.db.execute(cells)}
        looked_at = {}
        with gradebook.db.no_autoflush:
            for grade in notebook.grades:
                cell = names[grade.cell_id]
                earlier, before = kept["grades"].get(cell, {}), seen.get(cell, {})
                if grade.manual_score is None and earlier.get("manual_score") is not None:
                    grade.manual_score = earlier["manual_score"]
                    grade.needs_manual_grade = earlier.get("needs_manual_grade", True)
                if grade.extra_credit is None:
                    grade.extra_credit = earlier.get("extra_credit")
                reviewed = None
                if grade.manual_score is not None:
                    # A person who gives points in the formgrader takes the flag away; other tools may change the points alone.
                    now = grade.needs_manual_grade is False or grade.manual_score != before.get("points")
                    reviewed = before.get("answer" if now else "seen")
                grade.auto_score = score = graded.scores[cell]
                grade.needs_manual_grade = score is None if grade.manual_score is None else reviewed != answers[cell]
                looked_at[cell] = {"answer": answers[cell], "seen": reviewed, "points": grade.manual_score}
            for comment in notebook.comments:
                cell = names[comment.cell_id]
                comment.auto_comment = "Not attempted." if cell in graded.not_attempted else None
                if comment.manual_comment is None:
                    comment.manual_comment = kept["comments"].get(cell)
    # After the grades: a run that is killed in between has flagged too much, never too little.
    if seen_by_hand is not None:
        write_seen(looked_at, seen_by_hand)
    if by_hand is not None:
        by_hand.unlink(missing_ok=True)


def remove_grades(gradebook: Gradebook, submission: Submission, by_hand: Path) -> None:
    """Take a submission out of the gradebook: it failed, and the grade of an earlier attempt must not count for it.

    Parameters
    ----------
    gradebook : Gradebook
        Open for writing.
    submission : Submission
        Whose work it is.
    by_hand : Path
        Keeps what a person gave and wrote, until the submission can be graded again.
    """
    name = submission.problem_set
    try:
        notebook = gradebook.find_submission_notebook(name, name, submission.student)
    except MissingEntry:
        return
    grades = {
        grade.cell.name: {
            "manual_score": grade.manual_score,
            "extra_credit": grade.extra_credit,
            "needs_manual_grade": grade.needs_manual_grade,
        }
        for grade in notebook.grades
        if grade.manual_score is not None or grade.extra_credit
    }
    comments = {c.cell.name: c.manual_comment for c in notebook.comments if c.manual_comment is not None}
    if grades or comments:
        write_text(json.dumps({"grades": grades, "comments": comments}, ensure_ascii=False) + "\n", by_hand)
    with contextlib.suppress(MissingEntry):
        gradebook.remove_submission(name, submission.student)


def _read_work_by_hand(path: Path | None) -> dict[str, dict]:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path is not None else {"grades": {}, "comments": {}}
    except FileNotFoundError:
        return {"grades": {}, "comments": {}}


def read_penalties(directory: ClassDirectory, problem_set: ProblemSet) -> dict[str, float]:
    """Read the penalties for late work.

    Returns
    -------
    dict of str to float
        Student, and the points that are taken off; only of those who lose some.
    """
    with open_gradebook(directory) as gradebook:
        penalties = {
            submission.student.id: sum(notebook.late_submission_penalty or 0.0 for notebook in submission.notebooks)
            for submission in gradebook.assignment_submissions(problem_set.name)
        }
    return {student: penalty for student, penalty in penalties.items() if penalty}


def read_hours_late(directory: ClassDirectory, name: str) -> dict[str, float]:
    """Read by how much the submissions of a set were late, whether or not that costs points.

    Returns
    -------
    dict of str to float
        Student and hours after the due date, or after the student's own; only of those who were late.
    """
    with open_gradebook(directory) as gradebook:
        late = {s.student.id: s.total_seconds_late / 3600 for s in gradebook.assignment_submissions(name)}
    return {student: hours for student, hours in late.items() if hours > 0}


def read_waiting(directory: ClassDirectory, name: str) -> dict[str, set[str]]:
    """Read which cells of the graded submissions of a set await a person.

    Returns
    -------
    dict of str to set of str
        Student, and grade_id of each such cell: one without points, or one whose answer has changed since a person gave
        them.
    """
    waiting: dict[str, set[str]] = {}
    with open_gradebook(directory) as gradebook:
        for submission in gradebook.assignment_submissions(name):
            seen = read_seen(directory.seen_by_hand(Submission(submission.student.id, name)))
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            waiting[submission.student.id] = {grade.name for grade in grades if _waits(grade, seen)}
    return waiting


def _waits(grade: Grade, seen: Seen) -> bool:
    if grade.manual_score is None:
        return grade.auto_score is None
    # Other tools than the formgrader change the points and leave the flag.
    return bool(grade.needs_manual_grade) and grade.manual_score == seen.get(grade.name, {}).get("points")


def read_comments(directory: ClassDirectory, problem_set: ProblemSet) -> dict[str, dict[str, str]]:
    """Read what people wrote about the answers of a set.

    Returns
    -------
    dict of str to dict of str to str
        Student, then grade_id of the answer and the comment; only where there is one.
    """
    with open_gradebook(directory) as gradebook:
        return {
            submission.student.id: {
                comment.cell.name: comment.manual_comment
                for notebook in submission.notebooks
                for comment in notebook.comments
                if comment.manual_comment
            }
            for submission in gradebook.assignment_submissions(problem_set.name)
        }


def read_scores(directory: ClassDirectory, problem_set: ProblemSet) -> dict[str, dict[str, float | None]]:
    """Read the scores of all cells of the graded submissions of a set.

    Returns
    -------
    dict of str to dict of str to (float or None)
        Student, then grade_id and points, those given by hand included; None where a person has yet to give them.
    """
    with open_gradebook(directory) as gradebook:
        return {
            submission.student.id: {
                grade.name: None if grade.auto_score is None and grade.manual_score is None else grade.score
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in gradebook.assignment_submissions(problem_set.name)
        }


def read_corrections(directory: ClassDirectory, problem_set: ProblemSet) -> dict[str, dict[str, float]]:
    """Read which tests of a set a person has graded otherwise than the machine.

    Returns
    -------
    dict of str to dict of str to float
        Student, then grade_id of the test and the points that the machine had given.
    """
    with open_gradebook(directory) as gradebook:
        return {
            submission.student.id: {
                grade.name: grade.auto_score
                for notebook in submission.notebooks
                for grade in notebook.grades
                if grade.auto_score is not None and grade.score != grade.auto_score
            }
            for submission in gradebook.assignment_submissions(problem_set.name)
        }


def item_grades(
    problem_set: ProblemSet, scores: dict[str, dict[str, float | None]]
) -> dict[str, dict[str, float | None]]:
    """Add up the scores of cells to those of items.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    scores : dict
        As `read_scores` returns them.

    Returns
    -------
    dict of str to dict of str to (float or None)
        Student, then item and points; None where a person has yet to give them.
    """
    return {
        student: {
            item.name: None
            if any(cells.get(name) is None for name in item.tests)
            else sum(cells[name] for name in item.tests)
            for item in problem_set.items.values()
        }
        for student, cells in sorted(scores.items())
    }


def read_grades(directory: ClassDirectory, problem_set: ProblemSet) -> dict[str, dict[str, float | None]]:
    """Read the scores of all graded submissions of a set, as `item_grades` adds them up."""
    return item_grades(problem_set, read_scores(directory, problem_set))
