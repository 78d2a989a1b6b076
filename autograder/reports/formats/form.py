"""What a format gets, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.roster import Roster, Student
from autograder.common.atomic_files import write_text
from autograder.common.errors import UsageError
from autograder.problem_set.source import ProblemSet
from autograder.reports.grades import Grades


@dataclass(frozen=True)
class Export:
    """The grades of a class, and what is known about those who will read them.

    Attributes
    ----------
    directory : ClassDirectory
        The class.
    grades : dict
        As `class_grades` returns them.
    problem_sets : list of ProblemSet
        The sets that were given out.
    roster : Roster, optional
        Knows what the platforms call each student.
    table : str
        Text of the platform's own table; empty if none was given.
    column : str
        The title that the platform has for the set, where its name does not tell.
    provisional : bool
        Whether the points so far are exported of what still awaits a person.
    """

    directory: ClassDirectory
    grades: Grades
    problem_sets: list[ProblemSet]
    roster: Roster | None = None
    table: str = ""
    column: str = ""
    provisional: bool = False

    def student(self, student: str) -> Student:
        """Return what the roster tells about a student."""
        return (self.roster.students if self.roster else {}).get(student) or Student(student)

    def scores(self, name: str) -> dict[str, float]:
        """Return the scores of a set that a platform may take over, by student.

        A platform takes an empty cell for a change, and would erase the grade that it has: whoever has no score here has
        no row either.
        """
        ready = ("graded", "needs-manual-grading") if self.provisional else ("graded",)
        results = {student: sets[name] for student, sets in self.grades.items() if name in sets}
        return {s: r.score for s, r in results.items() if r.outcome in ready and r.score is not None}

    def only_set(self, why: str) -> ProblemSet:
        """Return the set if only one is exported; otherwise raise UsageError, with `why` as its first words."""
        if len(self.problem_sets) != 1:
            raise UsageError(f"{why}: name one problem set.")
        return self.problem_sets[0]


@dataclass(frozen=True)
class Sheet:
    """A table to be written.

    Attributes
    ----------
    name : str
        Name of the file.
    rows : list of list of str
        Its cells.
    delimiter : str
        Between them.
    theirs : bool
        Whether the table is the platform's own, whose cells stay as they are.
    """

    name: str
    rows: list[list[str]]
    delimiter: str = ","
    theirs: bool = False


@dataclass
class Sheets:
    """What a format makes of an export.

    Attributes
    ----------
    sheets : list of Sheet
        The tables.
    notices : list of str
        What an instructor should know.
    """

    sheets: list[Sheet] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Format:
    """A form in which grades leave.

    Attributes
    ----------
    name : str
        As ``--format`` has it.
    write : callable
        Makes the tables of an export.
    reads : str
        What the platform's own table is, which it can make use of; empty where it reads none.
    kept : str
        Name under which the class remembers that table; empty where it is needed once.
    """

    name: str
    write: Callable[[Export], Sheets]
    reads: str = ""
    kept: str = ""

    def remembered(self, directory: ClassDirectory, text: str) -> str:
        """Return the platform's own table: the one given, which the class then remembers, or the one it remembers."""
        if not self.kept:
            return text
        path = directory.root / self.kept
        if text:
            write_text(text, path)
            return text
        return path.read_text(encoding="utf-8") if path.is_file() else ""
