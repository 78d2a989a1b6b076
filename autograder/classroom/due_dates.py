"""Due dates, as `due.csv` states them, and nbgrader's penalties for late work.

`due.csv` has the columns `assignment`, `due` and `student_id`. A line without a student gives the date of the set; a line
with one gives that student another date, earlier or later. A date has a time and a zone: ``2026-10-12T23:59+02:00``,
``2026-10-12 23:59 Europe/Berlin``, or without a zone where a column `zone` names it.

The gradebook gets them as nbgrader keeps them: the set's due date in UTC, and a student's other date as an extension.
Penalties are those of the plugin that the class's `nbgrader_config.py` chooses (`AssignLatePenalties.plugin_class` and
`LateSubmissionPlugin.penalty_method`); nbgrader's default gives none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties
from traitlets.config.loader import PyFileConfigLoader

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.result.moments import moment
from autograder.classroom.roster import Roster, named_rows, text_of_table
from autograder.common.atomic_files import write_text
from autograder.common.errors import AutograderError


@dataclass
class DueDates:
    """When the sets of a class are due.

    Attributes
    ----------
    sets : dict of str to datetime
        Name of the set, and its date in UTC, without a zone as nbgrader keeps it.
    students : dict of (str, str) to datetime
        Set and student, and the date that holds for that student.
    """

    sets: dict[str, datetime] = field(default_factory=dict)
    students: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def extension(self, name: str, student: str) -> timedelta | None:
        """Return how much later than the set's date a student may hand in; None where the set's date holds."""
        own = self.students.get((name, student))
        return None if own is None or own == self.sets[name] else own - self.sets[name]


def read_due_dates(path: Path, known: Iterable[str], roster: Roster | None = None) -> DueDates:
    """Read due dates.

    Parameters
    ----------
    path : Path
        The file.
    known : iterable of str
        Names of the course's sets.
    roster : Roster, optional
        Where the class has one, every student named has to be on it.

    Raises
    ------
    AutograderError
        It cannot be read, or a line is wrong; the text names the line.
    """
    known, due = set(known), DueDates()
    lines: dict[tuple[str, str], int] = {}
    for line, row in named_rows(path, "list of due dates", ("assignment", "due")):
        name, student = row["assignment"], row.get("student_id", "")
        where = f"{path}, line {line}"
        if name not in known:
            raise AutograderError(f"{where}: there is no problem set {name!r}; there are {', '.join(sorted(known))}.")
        if student and roster is not None and student not in roster.students:
            raise AutograderError(f"{where}: the student {student!r} is not on the roster.")
        if (name, student) in lines:
            raise AutograderError(f"{where}: the date of line {lines[name, student]} is given a second time.")
        lines[name, student] = line
        try:
            date = moment(row["due"], row.get("zone", ""))
        except ValueError as error:
            raise AutograderError(f"{where}: {error}.") from None
        if student:
            due.students[name, student] = date
        else:
            due.sets[name] = date
    for name, student in due.students:
        if name not in due.sets:
            raise AutograderError(
                f"{path}, line {lines[name, student]}: {name} has a date for {student} but none for the class; "
                "add a line without a student."
            )
    return due


def remember_due_dates(
    directory: ClassDirectory, path: Path | None, known: Iterable[str], roster: Roster | None
) -> DueDates | None:
    """Return the due dates of a class: those of the file named, which the class then remembers, or those it remembers.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    path : Path or None
        The file named.
    known : iterable of str
        Names of the course's problem sets.
    roster : Roster or None
        The students whom the file may name.

    Returns
    -------
    DueDates or None
        None if the class has no `due.csv`: the gradebook's dates then stay.

    Raises
    ------
    AutograderError
        The file cannot be read, or a line is wrong.
    """
    kept = directory.root / "due.csv"
    if path is None:
        return read_due_dates(kept, known, roster) if kept.is_file() else None
    due = read_due_dates(path, known, roster)
    write_text(text_of_table(path, "list of due dates"), kept)
    return due


def load_penalties(directory: ClassDirectory) -> AssignLatePenalties:
    """Return nbgrader's step that assigns penalties, with the plugin that the class's configuration chooses.

    Raises
    ------
    AutograderError
        The configuration, or the plugin it names, cannot be loaded.
    """
    path = directory.root / "nbgrader_config.py"
    sys.path.append(str(directory.root))  # the class may keep a plugin next to its configuration
    try:
        config = PyFileConfigLoader(path.name, path=str(path.parent)).load_config() if path.is_file() else None
        step = AssignLatePenalties(config=config)
        step.init_plugin()
    except Exception as error:  # the configuration is a Python file: it raises what it likes
        raise AutograderError(f"{path} cannot be used: {type(error).__name__}: {error}.") from None
    finally:
        sys.path.remove(str(directory.root))
    return step


class LatePenalties:
    """Writes due dates, extensions and late penalties to the gradebook, and only what differs.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    gradebook : Gradebook
        Open for writing.
    due : DueDates or None
        For the sets that it names, it decides; for others the dates in the gradebook stay.
    """

    def __init__(self, directory: ClassDirectory, gradebook: Gradebook, due: DueDates | None):
        self.directory, self.gradebook, self.due = directory, gradebook, due
        self._step: AssignLatePenalties | None = None

    def apply(self, name: str, student: str | None = None) -> None:
        """Write those of a set.

        Parameters
        ----------
        name : str
            The set.
        student : str, optional
            Only this student's; all by default.

        Raises
        ------
        AutograderError
            The class's plugin fails.
        """
        try:
            assignment = self.gradebook.find_assignment(name)
            submissions = assignment.submissions if student is None else [self.gradebook.find_submission(name, student)]
        except MissingEntry:
            return
        listed = self.due is not None and name in self.due.sets
        if listed and assignment.duedate != self.due.sets[name]:
            assignment.duedate = self.due.sets[name]
        if assignment.duedate is None:
            return
        self._step = self._step or load_penalties(self.directory)
        for submission in submissions:
            if listed and submission.extension != self.due.extension(name, submission.student.id):
                submission.extension = self.due.extension(name, submission.student.id)
            late = submission.total_seconds_late
            for notebook in submission.notebooks:
                penalty = _penalty(self._step, submission.student.id, notebook.score, late) if late > 0 else None
                if notebook.late_submission_penalty != penalty:
                    notebook.late_submission_penalty = penalty
        self.gradebook.db.commit()


def _penalty(step: AssignLatePenalties, student: str, score: float, seconds: float) -> float | None:
    """Ask the plugin. As in nbgrader, a penalty is neither below 0 nor above the score."""
    try:
        penalty = step.plugin_inst.late_submission_penalty(student, score, seconds)
        return None if penalty is None else min(max(float(penalty), 0.0), score)
    except Exception as error:  # the plugin is the class's own code
        raise AutograderError(
            f"The late-submission plugin {type(step.plugin_inst).__name__} fails for {student}: "
            f"{type(error).__name__}: {error}."
        ) from None
