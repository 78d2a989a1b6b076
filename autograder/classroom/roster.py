"""The roster: who belongs to a class, and what the learning platforms call them.

A CSV file whose first line names its columns. Only `student_id` is needed; columns not listed here are named in a notice and
ignored. The headers that Canvas's gradebook and Moodle's list of participants have are known, too, in English, German
and Chinese: there, a student's id in the class is the login, the ID number or the address.

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
`moodle_id`                   Moodle's number in the names of its files, "Participant 1234567" in its grading worksheet,
                              which can be the roster; Moodle uses another for each assignment: list them with spaces
                              between
`other_ids`                   numbers by which any other platform names the student, with spaces between
`groups`                      names of groups that hand in together, with `;` between them
============================  ==========================================================================================
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autograder.classroom.directory import MAX_LENGTH, ClassDirectory, Outcome, Submission, folder_problem
from autograder.common.atomic_files import write_text
from autograder.common.errors import AutograderError, UsageError

#: Columns that hold one value each, which no two students may share.
UNIQUE = ("student_id", "email", "login", "canvas_id", "canvas_sis_id", "canvas_login", "moodle_username")
#: Columns that hold several values, and their separators.
SEVERAL = {"names": ";", "groups": ";", "moodle_id": None, "other_ids": None}
COLUMNS = (*UNIQUE, "first_name", "last_name", *SEVERAL)
#: What platforms and spreadsheets call these columns. `name` is a whole name, and `last, first` one that is turned around.
ALIASES = {
    "first_name": ("first name", "given name", "vorname", "名"),
    "last_name": ("last name", "surname", "family name", "nachname", "familienname", "姓", "姓氏"),
    "email": (
        "email address",
        "e-mail",
        "e-mail address",
        "e-mail-adresse",
        "mail",
        "邮箱",
        "电子邮件",
        "电子邮件地址",
        "邮件地址",
    ),
    "login": ("username", "user name", "benutzername", "anmeldename", "用户名"),
    "student_id": ("student id", "matrikelnummer", "id number", "id-nummer", "学号", "id号"),
    "groups": ("group", "gruppe", "gruppen", "team", "teams", "小组", "组"),
    "name": ("full name", "vollständiger name", "姓名", "全名"),
    "moodle_id": ("identifier", "标识符"),
    "canvas_id": ("id",),
    "canvas_sis_id": ("sis user id",),
    "canvas_login": ("sis login id",),
    "last, first": ("student",),
}
_ALIAS = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
#: Which of the columns is a student's id in the class, where none is called so.
_IDS = ("login", "canvas_login", "moodle_username", "email", "canvas_id")
#: Numbers as spreadsheets write them once they have taken them for quantities: digits are lost.
_DAMAGED = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d+")
#: "Participant 1234567", the word in the site's language.
_PARTICIPANT = re.compile(r"[^\d;,]+(\d+)")
#: The same in Moodle's worksheet in German, whose column is called "ID", as Canvas's is. There, a number is one of digits, or
#: where grading is anonymous five letters and digits.
_PARTICIPANT_AS_ID = re.compile(r"[^\d;,]{6,}(\d+)")
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
    names, moodle_id, other_ids, groups : tuple of str
        Other ways to write the name, Moodle's numbers, those of other platforms, and the groups.
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
    other_ids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def numbers(self, column: str) -> tuple[str, ...]:
        """Return the numbers that a column of the roster gives the student."""
        value = getattr(self, column)
        return value if isinstance(value, tuple) else (value,) if value else ()

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
    ignored : tuple of str
        Columns of the file that mean nothing here.
    """

    students: dict[str, Student]
    ignored: tuple[str, ...] = ()
    _by_number: dict[tuple[str, str], set[str]] = field(init=False, repr=False)
    _by_group: dict[str, set[str]] = field(init=False, repr=False)
    _by_identifier: dict[str, set[str]] = field(init=False, repr=False)
    _by_name: dict[str, set[str]] = field(init=False, repr=False)

    def __post_init__(self):
        self._by_number, self._by_group = defaultdict(set), defaultdict(set)
        self._by_identifier, self._by_name = defaultdict(set), defaultdict(set)
        for who, student in self.students.items():
            for column in ("canvas_id", "moodle_id", "other_ids"):
                for number in student.numbers(column):
                    self._by_number[column, number].add(who)
            for group in student.groups:
                self._by_group[name_key(group)].add(who)
            for value in (who, student.login, student.canvas_login, student.canvas_sis_id):
                self._by_identifier[value.casefold()].add(who)
            for value in (student.email, student.moodle_username):
                self._by_identifier[value.casefold()].add(who)
            first, last = student.first_name, student.last_name
            for value in (first + last, last + first, *student.names):
                self._by_name[name_key(value)].add(who)
        for table in (self._by_identifier, self._by_name, self._by_group):
            table.pop("", None)

    def with_number(self, column: str, number: str) -> set[str]:
        """Return the student_id of those to whom a column gives this number."""
        return self._by_number.get((column, number), set())

    def in_group(self, name: str) -> set[str]:
        """Return the student_id of those in the group of this name."""
        return self._by_group.get(name_key(name), set())

    def with_identifier(self, text: str) -> set[str]:
        """Return the student_id of those with this id, login or address."""
        return self._by_identifier.get(unicodedata.normalize("NFC", text).casefold(), set())

    def only(self, text: str) -> str:
        """Return the student_id of the one student whom a person means by an id, an address or a name.

        Raises
        ------
        UsageError
            Nobody, or several.
        """
        found = self.with_identifier(text) or self.with_name(text)
        if len(found) > 1:
            raise UsageError(f"Several students are called {text!r}; name one by the id: {', '.join(sorted(found))}.")
        if not found:
            raise UsageError(f"Nobody on the roster has the id or the name {text!r}.")
        return next(iter(found))

    def with_name(self, text: str) -> set[str]:
        """Return the student_id of those who bear this name."""
        return self._by_name.get(name_key(text), set())


def text_of_table(path: Path, what: str) -> str:
    """Read a text file that a spreadsheet wrote: UTF-8, UTF-16, or the Windows code page of Western Europe.

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
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # No name holds a control character; text in another encoding does.
        if not any(unicodedata.category(character) == "Cc" and character not in "\t\r\n" for character in text):
            return text
    good = data.decode("utf-8", "surrogateescape")
    line = 1 + next((good[:place].count("\n") for place, c in enumerate(good) if "\udc80" <= c <= "\udcff"), 0)
    raise AutograderError(f"{path}, line {line}: this is not UTF-8; save the {what} as CSV UTF-8.")


def read_table(path: Path, what: str) -> Iterator[tuple[int, list[str]]]:
    """Read a CSV file that a person or a spreadsheet wrote: number of the line, and its cells, empty lines left out.

    Parameters
    ----------
    path : Path
        UTF-8, UTF-16 or Windows-1252, with commas, semicolons or tabs; Excel's line ``sep=;`` is understood.
    what : str
        What it is, for messages.

    Raises
    ------
    AutograderError
        It cannot be read.
    """
    yield from cells_of_table(text_of_table(path, what), str(path))


def _declared(text: str) -> re.Match[str] | None:
    return re.fullmatch(r'"?sep=(.)"?', text.partition("\n")[0].strip("\r"))


def delimiter_of(text: str) -> str:
    """Return what stands between the cells of a CSV text: what its first line declares, else what its header has most of."""
    declared = _declared(text)
    return declared[1] if declared else max(",;\t", key=text.partition("\n")[0].count)


def cells_of_table(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Read a CSV text as `read_table` does; `where` names it in messages."""
    delimiter, before = delimiter_of(text), 0
    if _declared(text):
        text, before = text.partition("\n")[2], 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    offset = before
    try:
        for row in reader:
            # A quoted cell may hold several lines; a message names the first of them.
            line, before = before + 1, offset + reader.line_num
            cells = [unicodedata.normalize("NFC", cell).strip() for cell in row]
            if any(cells):
                yield line, cells
    except csv.Error as error:
        raise AutograderError(f"{where}, line {offset + reader.line_num}: this is not CSV ({error}).") from None


def _plain(header: str) -> str:
    return header.casefold().replace(" ", "_")


def named_rows(
    path: Path, what: str, required: tuple[str, ...], column: Callable[[str], str] = _plain
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a CSV file whose first line names the columns.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it is, for messages.
    required : tuple of str
        Columns that it must have.
    column : callable
        Returns the column that a header means.

    Raises
    ------
    AutograderError
        A required column is missing, a column occurs twice, or a line has more cells than there are columns.
    """
    rows = read_table(path, what)
    line, header = next(rows, (1, []))
    columns = [column(name) for name in header]
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


def column_meant(header: str) -> str:
    """Return the column of the roster that a header of a platform or a spreadsheet means; else the header, in lower case."""
    plain = _plain(header)
    return plain if plain in COLUMNS else _ALIAS.get(header.casefold(), _ALIAS.get(plain.replace("_", " "), plain))


def read_roster(path: Path) -> Roster:
    """Read a roster.

    Raises
    ------
    AutograderError
        It cannot be read, or a line is wrong; the text names the line.
    """
    _, header = next(read_table(path, "roster"), (1, []))
    columns = [column_meant(name) for name in header]
    identifier = next((name for name in ("student_id", *_IDS) if name in columns), "")
    if not identifier:
        raise AutograderError(
            f"{path}, line 1: the roster has no column 'student_id', nor one for a login, an address or a number."
        )
    # What a platform calls an id may be blank; who wrote the header student_id meant each line to have one.
    others = () if "student_id" in map(_plain, header) else _IDS
    known = (*COLUMNS, "name", "last, first")
    ignored = [title for title, name in zip(header, columns, strict=True) if name and name not in known]
    students: dict[str, Student] = {}
    seen: dict[tuple[str, str], int] = {}
    for line, read in named_rows(path, "roster", (), column_meant):
        if _is_no_student(read):
            continue
        row = {name: read.get(name, "") for name in COLUMNS}
        row["student_id"] = next((read[name] for name in (identifier, *others) if read.get(name)), "")
        if not row["first_name"] and not row["last_name"]:
            row |= _split_name(read)
        problem = folder_problem(row["student_id"])
        if problem:
            raise AutograderError(f"{path}, line {line}: the {identifier} {row['student_id']!r} {problem}.")
        for name in COLUMNS:
            if name not in SEVERAL and len(row[name]) > MAX_LENGTH:
                raise AutograderError(f"{path}, line {line}: {name} is longer than {MAX_LENGTH} characters.")
            if name in ("first_name", "last_name", "email") and {"<", ">"} & set(row[name]):
                raise AutograderError(
                    f"{path}, line {line}: {name} holds < or >, which nbgrader's formgrader takes for markup."
                )
            if name not in ("first_name", "last_name", "names", "groups") and _DAMAGED.fullmatch(row[name]):
                raise AutograderError(
                    f"{path}, line {line}: {name} is {row[name]}: a spreadsheet has rounded the number; "
                    "format the column as text and enter it again."
                )
        if participant := _PARTICIPANT.fullmatch(row["moodle_id"]):
            row["moodle_id"] = participant[1]
        elif participant := _PARTICIPANT_AS_ID.fullmatch(row["canvas_id"]):
            row["moodle_id"], row["canvas_id"] = participant[1], ""
        several = {name: _several(row[name], mark) for name, mark in SEVERAL.items()}
        values = [(name, row[name].casefold()) for name in UNIQUE]
        values += [(name, number) for name in ("moodle_id", "other_ids") for number in several[name]]
        for key in values:
            if key[1] and key in seen:
                raise AutograderError(f"{path}, line {line}: the {key[0]} {key[1]!r} is that of line {seen[key]} too.")
            seen[key] = line
        students[row["student_id"]] = Student(**{**row, **several})
    if not students:
        raise AutograderError(f"{path}, line 1: the roster names no student.")
    return Roster(students, tuple(ignored))


def _is_no_student(row: dict[str, str]) -> bool:
    """Whether a line of Canvas's gradebook is of nobody: the points possible, or the test student."""
    name = row.get("last, first", "")
    return name in ("Points Possible", "Student, Test") or (bool(name) and not any(row.get(i) for i in _IDS))


def _split_name(row: dict[str, str]) -> dict[str, str]:
    if name := row.get("last, first", ""):
        last, _, first = name.partition(",")
        return {"first_name": first.strip(), "last_name": last.strip()}
    first, _, last = row.get("name", "").rpartition(" ")
    return {"first_name": first.strip(), "last_name": last.strip()}


def _several(text: str, mark: str | None) -> tuple[str, ...]:
    parts = text.split(mark) if mark else text.replace(";", " ").replace(",", " ").split()
    return tuple(part.strip() for part in parts if part.strip())


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

    Raises
    ------
    AutograderError
        It cannot be read, or shares no id with the one before, under which students have handed in.
    """
    kept = directory.root / "roster.csv"
    if path is None:
        return read_roster(kept) if kept.is_file() else None
    roster = read_roster(path)
    _refuse_other_ids(directory, kept, roster, path)
    write_text(text_of_table(path, "roster"), kept)
    return roster


def _refuse_other_ids(directory: ClassDirectory, kept: Path, roster: Roster, path: Path) -> None:
    """Refuse a roster that calls everybody by another id than the class does: all work would be that of strangers."""
    if not kept.is_file() or not directory.submitted.is_dir() or not any(directory.submitted.iterdir()):
        return
    try:
        before = read_roster(kept).students
    except AutograderError:
        return  # the new one repairs it
    if before.keys().isdisjoint(roster.students):
        raise AutograderError(
            f"{path} has nobody under the id that the class's {kept.name} has: there, the first is {next(iter(before))!r}, "
            f"here {next(iter(roster.students))!r}. Copy the column that you need into the class's roster instead."
        )


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
