"""nbgrader's gradebook: the one place that writes scores into it and reads them from it."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import SaveCells
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from autograder.class_directory import ClassDirectory, Submission
from autograder.errors import AutograderError
from autograder.grading import Graded
from autograder.problem_set import ProblemSet

# nbgrader 0.9.6 makes objects before it adds them to the session; SQLAlchemy 2 remarks on it, and all is well.
warnings.filterwarnings("ignore", category=SAWarning, module=r"nbgrader\.api")


@contextlib.contextmanager
def open_gradebook(directory: ClassDirectory) -> Iterator[Gradebook]:
    """Open the gradebook of a class.

    Raises
    ------
    AutograderError
        The database cannot be read or written.
    """
    # nbgrader calls `alembic` by its name; it lies beside the interpreter, which need not be on PATH.
    beside = str(Path(sys.executable).parent)
    if beside not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])
    try:
        with Gradebook(directory.database_url) as gradebook:
            yield gradebook
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or error
        raise AutograderError(f"The gradebook {directory.database_url} cannot be used: {reason}.") from None


def record_source(directory: ClassDirectory, name: str, source: NotebookNode) -> None:
    """Tell nbgrader's gradebook what cells a set has and what they are worth.

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
        Submissions were graded by a source with other cells.
    """
    resources = ResourcesDict(nbgrader={"notebook": name, "assignment": name, "db_url": directory.database_url})
    with open_gradebook(directory) as gradebook:
        gradebook.update_or_create_assignment(name)
    try:
        SaveCells().preprocess(source, resources)
    except RuntimeError:
        raise AutograderError(
            f"{name} has gained or lost graded cells since submissions were graded in {directory.root}; "
            "grade in a new class directory, or take the source back to the cells it had."
        ) from None
    except SQLAlchemyError as error:
        raise AutograderError(f"The gradebook {directory.database_url} cannot be used: {error.orig}.") from None


def record_grades(
    gradebook: Gradebook, submission: Submission, graded: Graded, timestamp: datetime | None = None
) -> None:
    """Write the scores of one submission. What a person gave or wrote stays, and is marked for another look.

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
    """
    name = submission.problem_set
    gradebook.update_or_create_student(submission.student)
    gradebook.update_or_create_submission(name, submission.student, timestamp=timestamp)
    notebook = gradebook.find_submission_notebook(name, name, submission.student)
    for grade in notebook.grades:
        score = graded.scores[grade.cell.name]
        grade.auto_score = score
        grade.needs_manual_grade = score is None or grade.manual_score is not None
    for comment in notebook.comments:
        comment.auto_comment = "Not attempted." if comment.cell.name in graded.not_attempted else None
    gradebook.db.commit()


def remove_grades(gradebook: Gradebook, submission: Submission) -> None:
    """Take a submission out of the gradebook: it failed, and no grade of an earlier attempt may stand for it."""
    with contextlib.suppress(MissingEntry):
        gradebook.remove_submission(submission.problem_set, submission.student)


def read_grades(directory: ClassDirectory, problem_set: ProblemSet) -> dict[str, dict[str, float | None]]:
    """Read the scores of all graded submissions of a set.

    Returns
    -------
    dict of str to dict of str to (float or None)
        Student, then item and points, those given by hand included; None where a person has yet to give them.
    """
    grades: dict[str, dict[str, float | None]] = {}
    with open_gradebook(directory) as gradebook:
        for submission in gradebook.assignment_submissions(problem_set.name):
            cells = {
                grade.name: None if grade.auto_score is None and grade.manual_score is None else grade.score
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            grades[submission.student.id] = {
                item.name: None
                if any(cells.get(name) is None for name in item.tests)
                else sum(cells[name] for name in item.tests)
                for item in problem_set.items.values()
            }
    return dict(sorted(grades.items()))
