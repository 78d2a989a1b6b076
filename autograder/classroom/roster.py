"""The roster: who belongs to a class, and what the learning platforms call them.

A CSV file whose first line names its columns. Only `student_id` is needed; columns that are not listed here are ignored.

============================  ==========================================================================================
column                        what it holds
============================  ==========================================================================================
`student_id`                  the student's name in this class: of the folder in `submitted/`, and in every export
`first_name`, `last_name`     the name
`email`, `login`              the address, and the user name at the institution
`names`                       other ways in which a platform writes the name, with `;` between them
`canvas_id`                   Canvas' number of the student: "ID" in its exports, and in the names of its files
`canvas_sis_id`               "SIS User ID" in Canvas' exports
`canvas_login`                "SIS Login ID" in Canvas' exports
`moodle_username`             the user name in Moodle
`moodle_id`                   Moodle's number in the names of its files, "Participant 1234567" in its grading worksheet;
                              Moodle may use another for each assignment: list them with spaces between
============================  ==========================================================================================
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autograder.classroom.directory import MAX_LENGTH, ClassDirectory, Outcome, Submission, folder_problem
from autograder.common.atomic_files import write_text
from autograder.common.errors import AutograderError

#: Columns that hold one value each, which no two students may share.
UNIQUE = ("student_id", "email", "login", "canvas_id", "canvas_sis_id", "canvas_login", "moodle_username")
COLUMNS = (*UNIQUE, "first_name", "last_name", "names", "moodle_id")
#: Bytes of the largest table that is read; a roster of ten thousand students has about one million.
MAX_TABLE_BYTES = 20_000_000


@dataclass(frozen=True)
class Student:
    """A line of the roster.

    Attributes
    ----------
    student_id : str
        The student's name in this class.
    first_name, last_name, email, login, canvas_id, canvas_sis_id, canvas_login, moodle_username : str
        As the module's text says; empty where the roster does not tell.
    names, moodle_id : tuple of str
        Other ways to write the name, and Moodle's numbers.
    """

    student_id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    login: str = ""
    canvas_id: str = ""
    canvas_sis_id: str = ""
    canvas_login: str = ""
    moodle_username: str = ""
    names: tuple[str, ...] = ()
    moodle_id: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """First and last name, or the id where the roster has no name."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.student_id

    @property
    def sortable_name(self) -> str:
        """The name as Canvas sorts it: ``Lovelace, Ada``."""
        return ", ".join(part for part in (self.last_name, self.first_name) if part) or self.student_id


def name_key(text: str) -> str:
    """Return what remains of a name when case, accents, spaces and punctuation are taken away.

    Platforms write one name in many ways: Canvas ``lovelaceada``, Moodle ``Ada Lovelace``.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(character for character in folded if character.isalnum())


@dataclass
class Roster:
    """The students of a class.

    Attributes
    ----------
    students : dict of str to Student
        By student_id, in the order of the file.
    """

    students: dict[str, Student]
    _by_canvas_id: dict[str, set[str]] = field(init=False, repr=False)
    _by_moodle_id: dict[str, set[str]] = field(init=False, repr=False)
    _by_identifier: dict[str, set[str]] = field(init=False, repr=False)
    _by_name: dict[str, set[str]] = field(init=False, repr=False)

    def __post_init__(self):
        tables = self._by_canvas_id, self._by_moodle_id, self._by_identifier, self._by_name = [
            defaultdict(set) for _ in range(4)
        ]
        canvas, moodle, identifiers, names = tables
        for who, student in self.students.items():
            canvas[student.canvas_id].add(who)
            for number in student.moodle_id:
                moodle[number].add(who)
            for value in (who, student.login, student.canvas_login, student.canvas_sis_id):
                identifiers[value.casefold()].add(who)
            for value in (student.email, student.moodle_username):
                identifiers[value.casefold()].add(who)
            first, last = student.first_name, student.last_name
            for value in (first + last, last + first, *student.names):
                names[name_key(value)].add(who)
        for table in tables:
            table.pop("", None)

    def with_canvas_id(self, number: str) -> set[str]:
        """Return the student_id of whom Canvas gave this number."""
        return self._by_canvas_id.get(number, set())

    def with_moodle_id(self, number: str) -> set[str]:
        """Return the student_id of those to whom Moodle gave this number."""
        return self._by_moodle_id.get(number, set())

    def with_identifier(self, text: str) -> set[str]:
        """Return the student_id of those with this id, login or address."""
        return self._by_identifier.get(unicodedata.normalize("NFC", text).casefold(), set())

    def with_name(self, text: str) -> set[str]:
        """Return the student_id of those who bear this name."""
        return self._by_name.get(name_key(text), set())


def read_table(path: Path, what: str) -> Iterator[tuple[int, list[str]]]:
    """Read a CSV file that a person or a spreadsheet wrote: number of the line, and its cells, empty lines left out.

    Parameters
    ----------
    path : Path
        UTF-8, with commas, semicolons or tabs.
    what : str
        What it is, for messages.

    Raises
    ------
    AutograderError
        It cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AutograderError(f"The {what} {path} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_TABLE_BYTES:
        raise AutograderError(
            f"The {what} {path} has more than {MAX_TABLE_BYTES // 1_000_000} MB; is it the right file?"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise AutograderError(f"{path}, line {line}: this is not UTF-8; save the {what} as CSV UTF-8.") from None
    header = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), strict=True)
    before = 0
    try:
        for row in reader:
            # A quoted cell may hold several lines; a message names the first of them.
            line, before = before + 1, reader.line_num
            cells = [unicodedata.normalize("NFC", cell).strip() for cell in row]
            if any(cells):
                yield line, cells
    except csv.Error as error:
        raise AutograderError(f"{path}, line {reader.line_num}: this is not CSV ({error}).") from None


def named_rows(path: Path, what: str, required: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a CSV file whose first line names the columns.

    Raises
    ------
    AutograderError
        A required column is missing, a column occurs twice, or a line has more cells than there are columns.
    """
    rows = read_table(path, what)
    line, header = next(rows, (1, []))
    columns = [name.casefold().replace(" ", "_") for name in header]
    for name in required:
        if name not in columns:
            raise AutograderError(f"{path}, line {line}: the {what} has no column {name!r}; its first line names them.")
    for name in filter(None, columns):
        if columns.count(name) > 1:
            raise AutograderError(f"{path}, line {line}: the column {name!r} occurs twice.")
    for line, cells in rows:
        if any(cells[len(columns) :]):
            raise AutograderError(
                f"{path}, line {line}: it has {len(cells)} cells for {len(columns)} columns; "
                "put a cell with a comma between double quotes."
            )
        yield line, dict(zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=False))


def read_roster(path: Path) -> Roster:
    """Read a roster.

    Raises
    ------
    AutograderError
        It cannot be read, or a line is wrong; the text names the line.
    """
    students: dict[str, Student] = {}
    seen: dict[tuple[str, str], int] = {}
    for line, row in named_rows(path, "roster", ("student_id",)):
        row = {name: row.get(name, "") for name in COLUMNS}
        problem = folder_problem(row["student_id"])
        if problem:
            raise AutograderError(f"{path}, line {line}: the student_id {row['student_id']!r} {problem}.")
        for name in COLUMNS:
            if name != "names" and len(row[name]) > MAX_LENGTH and name != "moodle_id":
                raise AutograderError(f"{path}, line {line}: {name} is longer than {MAX_LENGTH} characters.")
            if name in ("first_name", "last_name", "email") and {"<", ">"} & set(row[name]):
                raise AutograderError(
                    f"{path}, line {line}: {name} holds < or >, which nbgrader's formgrader takes for markup."
                )
        numbers = row["moodle_id"].replace(";", " ").split()
        values = [(name, row[name].casefold()) for name in UNIQUE] + [("moodle_id", number) for number in numbers]
        for key in values:
            if key[1] and key in seen:
                raise AutograderError(f"{path}, line {line}: the {key[0]} {key[1]!r} is that of line {seen[key]} too.")
            seen[key] = line
        names = tuple(name.strip() for name in row["names"].split(";") if name.strip())
        students[row["student_id"]] = Student(**{**row, "names": names, "moodle_id": tuple(numbers)})
    if not students:
        raise AutograderError(f"{path}, line 1: the roster names no student.")
    return Roster(students)


def remember_roster(directory: ClassDirectory, path: Path | None) -> Roster | None:
    """Return the roster of a class: the file named, which the class then remembers, or the one it remembers.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    path : Path or None
        From the command line.

    Returns
    -------
    Roster or None
        None where the class has none.
    """
    kept = directory.root / "roster.csv"
    if path is None:
        return read_roster(kept) if kept.is_file() else None
    roster = read_roster(path)
    write_text(path.read_bytes().decode("utf-8-sig"), kept)
    return roster


def with_missing(
    directory: ClassDirectory, roster: Roster | None, names: Iterable[str], outcomes: dict[Submission, Outcome]
) -> dict[Submission, Outcome]:
    """Add the outcome ``missing`` for every student of the roster who handed in nothing.

    A set that nobody has handed in yet is left out: it was not given out, or is not due.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    roster : Roster or None
        Who should have handed in.
    names : iterable of str
        Names of the sets.
    outcomes : dict of Submission to Outcome
        What came of those who did.
    """
    if roster is None:
        return outcomes
    handed_in = set(directory.submissions(list(names)))
    sets = sorted({submission.problem_set for submission in handed_in})
    expected = {Submission(student, name) for name in sets for student in roster.students}
    return dict(sorted({**{s: Outcome("missing") for s in expected - handed_in}, **outcomes}.items()))


def strangers(roster: Roster | None, submissions: Iterable[Submission]) -> list[str]:
    """Return who handed in without being on the roster."""
    if roster is None:
        return []
    return sorted({submission.student for submission in submissions} - set(roster.students))
