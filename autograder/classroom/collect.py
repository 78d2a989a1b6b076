"""Getting work in: what learning platforms export is sorted into `submitted/<student>/<set>/`.

Which set a notebook belongs to is read from its own cells and metadata, never from its name. Whose it is follows from the
names that Canvas and Moodle give to files and folders, from nbgrader's layout, and from the roster. Of several attempts the
latest counts. Nothing that was handed in is executed, and no file is written under a name that an archive chose.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path, PurePosixPath

from autograder.classroom.archives import Member, members
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.roster import Roster, folder_problem, name_key
from autograder.common.atomic_files import NO_ROOM, DiskFullError, UnwritableError, write_bytes, write_text
from autograder.common.errors import SubmissionError
from autograder.common.text import printable
from autograder.engine.submitted_notebook import read_submission
from autograder.problem_set.source import ProblemSet, grade_id

#: A platform that writes the time of packing into a zip packs a class within minutes; students take longer.
PACKING_TIME = timedelta(minutes=10)

#: `lovelaceada_LATE_123_456_file.ipynb`: name, mark, number of the student, number of the upload, name of the file.
#: Where students are anonymous: `anon_x7y8z_456_file.ipynb`.
_CANVAS = re.compile(
    r"(?:(?P<name>[^/]*?)_)?(?:(?P<late>LATE|late)_)?(?P<id>\d+|anon_[^\W_]+)_(?P<upload>\d+)_(?P<file>[^/]+)"
)
_CANVAS_LATE_FIRST = re.compile(r"(?P<late>LATE|late)_(?P<rest>(?:\d+|anon_).*)")
#: `Ada Lovelace_1234567_assignsubmission_file_`, as a folder or before the name of a file.
#: The name ends at the first number that Moodle marks so: what follows is the name of a file, which a student chose.
_MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<file>[^/]*))?")
#: What platforms, browsers and Jupyter append to a name that is taken: `-2`, ` (1)`, `-Copy1`.
_ATTEMPT = re.compile(r"(?:-(\d{1,4})|[ _]?\((\d{1,4})\)|-Copy(\d{1,4}))$")


class _UnplacedError(Exception):
    """A file cannot be placed; the text says why."""


class _UnknownStudentError(_UnplacedError):
    """The names that a platform made are of nobody; the folders may still say who it is."""


@dataclass(frozen=True)
class Attempt:
    """A notebook whose student and set are known.

    Attributes
    ----------
    submission : Submission
        Whose it is, and of which set.
    where : str
        Where it lay.
    sha256 : str
        Hash of its bytes.
    upload : int
        Canvas' number of the upload, which grows with time; 0 elsewhere.
    number : int
        The number that was appended to the file's name.
    moment : str
        When it was written, or else packed; ISO 8601 in UTC, or empty.
    handed_in : str
        When it was handed in, where the archive tells; as `moment`.
    order : int
        Its place in the order of reading.
    """

    submission: Submission
    where: str
    sha256: str
    upload: int = 0
    number: int = 0
    moment: str = ""
    handed_in: str = ""
    order: int = 0


@dataclass
class Collected:
    """What came of a collection.

    Attributes
    ----------
    placed, replaced, unchanged : list of Submission
        Newly placed; placed instead of an earlier attempt; as they were.
    unplaced : list of (str, str)
        What could not be placed, and why.
    notices : list of str
        What an instructor should know.
    ignored : int
        Files that systems and Jupyter leave by themselves.
    """

    placed: list[Submission] = field(default_factory=list)
    replaced: list[Submission] = field(default_factory=list)
    unchanged: list[Submission] = field(default_factory=list)
    unplaced: list[tuple[str, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    ignored: int = 0


def collect(
    directory: ClassDirectory,
    problem_sets: list[ProblemSet],
    archives: Iterable[Path],
    roster: Roster | None = None,
    student: str = "",
    zone: tzinfo | None = None,
    times: str = "auto",
) -> Collected:
    """Place what was handed in.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_sets : list of ProblemSet
        All sets of the course.
    archives : iterable of Path
        Zips, folders and notebooks.
    roster : Roster, optional
        The students of the class.
    student : str, optional
        Whose work all of it is.
    zone : tzinfo, optional
        The zone of the times in zips; that of this computer by default.
    times : {"auto", "yes", "no"}
        Whether the times of files are those of handing in. By default, never in what Canvas packs, and elsewhere if an
        archive's times lie further apart than packing takes.

    Raises
    ------
    AutograderError
        An archive cannot be opened, or the class directory cannot be written to.
    """
    result = Collected()
    identify = _Identifier(problem_sets, roster, student, result.notices)
    attempts: list[Attempt] = []
    contents: dict[str, Path] = {}

    def skipped() -> None:
        result.ignored += 1

    with tempfile.TemporaryDirectory(prefix="collect-") as kept:
        for archive in archives:
            found, moments = [], []
            for member in members(archive, zone, skipped):
                moments.append(member.time)
                try:
                    submission, label = identify(member)
                except _UnplacedError as error:
                    result.unplaced.append((str(member), str(error)))
                    continue
                digest = hashlib.sha256(member.data).hexdigest()
                if digest not in contents:
                    contents[digest] = Path(kept, digest)
                    write_bytes(member.data, contents[digest])
                found.append((member, submission, label, digest))
            attempts += _dated(found, [time for time in moments if time], times, len(attempts))
        directory.prepare()
        late = sorted({a.submission for a in attempts if a.submission in identify.marked_late})
        by_submission: dict[Submission, list[Attempt]] = defaultdict(list)
        for attempt in attempts:
            by_submission[attempt.submission].append(attempt)
        for submission in sorted(by_submission):
            try:
                _place(directory, submission, by_submission[submission], contents, result)
            except (OSError, UnwritableError) as error:
                if isinstance(error, DiskFullError) or getattr(error, "errno", None) in NO_ROOM:
                    raise
                where = ", ".join(attempt.where for attempt in by_submission[submission])
                result.unplaced.append((where, f"{submission}: {_trouble(error)}"))
    if late:
        result.notices.append(
            f"Canvas marks as late, without a time: {_listed(late)}. For a penalty, write the time into timestamp.txt "
            "beside the notebook."
        )
    return result


def _trouble(error: OSError | UnwritableError) -> str:
    """Word what keeps a folder of the class from being read or written."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(error).rstrip(".")


def _listed(submissions: list[Submission]) -> str:
    return "; ".join(map(str, submissions))


# ---- when


def _dated(found: list, moments: list[datetime], times: str, order: int) -> list[Attempt]:
    """Make attempts of the notebooks of one archive."""
    packed = max(moments, default=None)
    spread = bool(moments) and max(moments) - min(moments) > PACKING_TIME
    attempts = []
    for member, submission, label, digest in found:
        known = member.time is not None and (times == "yes" or (times == "auto" and spread and not label.upload))
        moment = member.time if known else packed
        attempts.append(
            Attempt(
                submission,
                str(member),
                digest,
                label.upload,
                label.number,
                moment.isoformat() if moment else "",
                member.time.isoformat() if known else "",
                order + len(attempts),
            )
        )
    return attempts


def _latest(attempts: list[Attempt]) -> Attempt:
    """Return the latest of several attempts: by Canvas' numbers, else by time, else by the number in the name."""
    if all(attempt.upload for attempt in attempts):
        return max(attempts, key=lambda a: (a.upload, a.number, a.moment, a.order))
    return max(attempts, key=lambda a: (a.moment, a.number, a.upload, a.order))


# ---- which set, and whose


@dataclass(frozen=True)
class _Label:
    """What the names around a notebook say."""

    upload: int = 0
    number: int = 0


class _Identifier:
    """Finds the set and the student of a file."""

    def __init__(self, problem_sets: list[ProblemSet], roster: Roster | None, student: str, notices: list[str]):
        self.roster, self.student, self.notices = roster, student, notices
        self.marked_late: set[Submission] = set()
        self.names = {problem_set.name for problem_set in problem_sets}
        owners: dict[str, set[str]] = defaultdict(set)
        for problem_set in problem_sets:
            for cell in problem_set.notebook.cells:
                if grade_id(cell):
                    owners[grade_id(cell)].add(problem_set.name)
        #: grade_ids that only one set has.
        self.owner = {name: next(iter(sets)) for name, sets in owners.items() if len(sets) == 1}
        #: Moodle's numbers by name, to notice two students of one name where there is no roster.
        self.numbers: dict[tuple[str, str], str] = {}

    def __call__(self, member: Member) -> tuple[Submission, _Label]:
        """Return the submission that a file is, and what its name says about the attempt."""
        if member.problem:
            raise _UnplacedError(f"it {member.problem}")
        name = PurePosixPath(member.path).name
        if not name.casefold().endswith(".ipynb"):
            platform = re.search(r"_assignsubmission_onlinetext|_\d+_text\.html$", member.path)
            what = "text typed into the platform" if platform else "no notebook (.ipynb)"
            raise _UnplacedError(f"it is {what}")
        problem_set = self._problem_set(member)
        stem = name[: -len(".ipynb")]
        number = 0
        while match := _ATTEMPT.search(stem):
            number, stem = max(number, int(next(filter(None, match.groups())))), stem[: match.start()]
        student, upload, late = self._student(member, problem_set)
        submission = Submission(student, problem_set)
        if late:
            self.marked_late.add(submission)
        return submission, _Label(upload, number)

    def _problem_set(self, member: Member) -> str:
        try:
            notebook = read_submission(member.data)
        except SubmissionError as error:
            # Its sentences speak of the file or the notebook, and are shown here after its name.
            raise _UnplacedError(re.sub("^The (?:file|notebook) ", "it ", str(error))) from None
        votes: dict[str, set[str]] = defaultdict(set)
        for cell in notebook.cells:
            name = grade_id(cell)
            if name in self.owner:
                votes[self.owner[name]].add(name)
        declared = notebook.metadata.get("autograder", {}).get("problem_set")
        declared = declared if isinstance(declared, str) and declared in self.names else ""
        if declared and (declared in votes or not votes):
            return declared
        most = max(map(len, votes.values()), default=0)
        best = [name for name, ids in votes.items() if len(ids) == most]
        if len(best) != 1:
            raise _UnplacedError(
                f"its cells belong to {' and '.join(sorted(best))} alike"
                if best
                else "no cell of it belongs to a problem set of this course"
            )
        return best[0]

    def _student(self, member: Member, problem_set: str) -> tuple[str, int, bool]:
        """Return the student, Canvas' number of the upload, and whether Canvas marks it as late.

        Platforms, and whoever packs a class, name what lies outside; what lies further in, and the end of a file's name, a
        student has named, who could write another's name there. So the outermost name decides, and none further in.
        """
        outside: list[str] = []
        reason = ""
        for place, path in enumerate(member.trail):
            parts = PurePosixPath(path).parts
            for number, part in enumerate(parts, 1):
                label = _platforms_name(part, last=number == len(parts))
                if label is None:
                    # nbgrader's layout, <student>/<set>/<file>, where there is no roster to know the student
                    if self.roster is None and place > 0 and parts[number:-1] == (problem_set,):
                        return self.student or _as_folder(part), 0, False
                    outside.append(part)
                    continue
                platform, name, identity, upload, late = label
                if self.student:
                    return self.student, upload, late
                if platform == "Moodle":
                    student = self._of_moodle(name, identity, member, problem_set)
                else:
                    try:
                        student = self._of_canvas(name, identity, member)
                    except _UnknownStudentError as error:
                        reason = reason or str(error)
                        if place == 0 and len(member.trail) > 1:  # an archive whose name looks like that of a platform
                            outside.append(part)
                            continue
                        if not (found := self._named(outside)):
                            raise _UnplacedError(reason) from None
                        return self._only(found), upload, late
                return self._only({student} | self._named(outside)), upload, late
        if self.student:
            return self.student, 0, False
        try:
            return self._of_path(member, problem_set), 0, False
        except _UnplacedError as error:
            raise _UnplacedError(reason or str(error)) from None

    def _of_canvas(self, name: str, identity: str, member: Member) -> str:
        if self.roster is None:
            return _as_folder(f"{name}_{identity}" if name else identity)
        by_id, by_name = self.roster.with_canvas_id(identity), self.roster.with_name(name) if name else set()
        if not by_id and len(by_name) == 1:
            known = self.roster.students[next(iter(by_name))].canvas_id
            if known and identity.isdigit():
                raise _UnplacedError(
                    f"Canvas's name {printable(name)!r} is that of {next(iter(by_name))}, but its number {identity} is not"
                )
        return self._agreed(by_id, by_name, "Canvas", name, identity, member)

    def _of_moodle(self, name: str, number: str, member: Member, problem_set: str) -> str:
        if self.roster is None:
            student = _as_folder(name)
            # Moodle's number differs between assignments, so it is no part of the student's name here.
            archive = f"{member.archive} {problem_set} {student}"
            if self.numbers.setdefault(("", archive), number) != number:
                raise _UnplacedError(f"Moodle has several students called {printable(name)!r}; name a --roster")
            return student
        by_id, by_name = self.roster.with_moodle_id(number), self.roster.with_name(name)
        rest = name
        while not by_name and "-" in rest:  # Moodle puts a group's name, and "-", before the student's
            rest = rest.split("-", 1)[1]
            by_name = self.roster.with_name(rest)
        return self._agreed(by_id, by_name, "Moodle", name, number, member)

    def _agreed(self, by_id: set[str], by_name: set[str], platform: str, name: str, number: str, member: Member) -> str:
        shown = printable(name)
        if len(by_id) == 1:
            student = next(iter(by_id))
            if by_name and student not in by_name:
                raise _UnplacedError(
                    f"{platform}'s number {number} is that of {student}, but the name {shown!r} is that of "
                    f"{' and '.join(sorted(by_name))}"
                )
            if name and not by_name:
                self.notices.append(
                    f"{member}: given to {student} by {platform}'s number {number}; the roster does not have the name "
                    f"{shown!r}."
                )
            return student
        if len(by_name) == 1:
            return next(iter(by_name))
        if by_name:
            column = "canvas_id" if platform == "Canvas" else "moodle_id"
            raise _UnplacedError(
                f"several students are called {shown!r} ({', '.join(sorted(by_name))}); "
                f"put {platform}'s numbers into the roster's column {column}"
            )
        raise _UnknownStudentError(
            f"neither the name {shown!r} nor {platform}'s number {printable(number)} is on the roster; "
            "a name that the platform writes in another way belongs in the roster's column names"
        )

    def _of_path(self, member: Member, problem_set: str) -> str:
        """Find a student in the names of folders, of the file, and of the archive."""
        if self.roster is None:
            raise _UnplacedError("nothing says whose it is; name a --roster, or the --student")
        found = self._named([part for path in member.trail for part in PurePosixPath(path).parts])
        if not found:
            raise _UnplacedError("nothing in its path is a student of the roster; name the --student")
        return self._only(found)

    def _named(self, parts: list[str]) -> set[str]:
        """Return the students of the roster whom parts of a path name."""
        found: set[str] = set()
        for part in parts if self.roster else []:
            stem = re.sub(r"\.(ipynb|zip)$", "", part, flags=re.IGNORECASE)
            pieces = stem.split("_")
            for text in {stem, *("_".join(pieces[:count]) for count in range(1, len(pieces)))}:
                found |= self.roster.with_identifier(text) or self.roster.with_name(text)
        return found

    @staticmethod
    def _only(found: set[str]) -> str:
        if len(found) > 1:
            raise _UnplacedError(f"its path names several students: {', '.join(sorted(found))}")
        return next(iter(found))


def _platforms_name(part: str, last: bool) -> tuple[str, str, str, int, bool] | None:
    """Take a part of a path apart if Moodle or Canvas named it; only files are named by Canvas.

    Where both could have, it was the one whose mark comes first: the rest is the name of a file, which a student chose.

    Returns
    -------
    tuple of (str, str, str, int, bool) or None
        The platform; the student's name and number there; the number of the upload, and whether it is marked as late.
    """
    moodle, canvas = _MOODLE.fullmatch(part), _canvas(part) if last else None
    if moodle and (canvas is None or len(moodle["name"]) <= len(canvas[0])):
        return "Moodle", moodle["name"], moodle["id"], 0, False
    return ("Canvas", *canvas) if canvas else None


def _canvas(name: str) -> tuple[str, str, int, bool] | None:
    """Take a name that Canvas made apart: student's name, their number, number of the upload, whether marked late."""
    late = _CANVAS_LATE_FIRST.fullmatch(name)
    match = _CANVAS.fullmatch(late["rest"] if late else name)
    if match is None or len(match["upload"]) > 18:
        return None
    return match["name"] or "", match["id"], int(match["upload"]), bool(late or match["late"])


def _as_folder(name: str) -> str:
    """Return a name from an archive if it can be a student's folder."""
    problem = folder_problem(name)
    if problem or not name_key(name):
        raise _UnplacedError(f"the student's name {printable(name)!r} {problem or 'has no letter'}; name a --roster")
    return name


# ---- placing


def _place(
    directory: ClassDirectory,
    submission: Submission,
    attempts: list[Attempt],
    contents: dict[str, Path],
    result: Collected,
) -> None:
    """Write the latest attempt, unless it is there or something later is.

    A record of what was taken is written before the notebook. An interrupted run leaves a notebook that the record says
    was to be replaced; the next run goes on from there.
    """
    folder = directory.submission_folder(submission)
    notebook, record_path = folder / f"{submission.problem_set}.ipynb", directory.collected_record(submission)
    record = _read_record(record_path)
    there = hashlib.sha256(notebook.read_bytes()).hexdigest() if notebook.is_file() else ""
    taken = _attempt_of(record, submission)
    ours = record is not None and there in (record["sha256"], record["replaces"])
    if not ours and there in {attempt.sha256 for attempt in attempts}:
        ours = True  # put there by hand, and the same
    if not ours and (there or any(folder.rglob("*.ipynb"))):
        where = ", ".join(attempt.where for attempt in attempts)
        reason = "changed by hand since it was collected" if record else "put there by hand"
        if taken is None or _latest([*attempts, taken]).sha256 != taken.sha256:
            result.unplaced.append(
                (where, f"{submission}: the notebook in the class was {reason}; move it away to take this one")
            )
        else:
            result.notices.append(f"{submission}: the notebook in the class was {reason}; it stays.")
            result.unchanged.append(submission)
        return
    latest = _latest([*attempts, *([taken] if taken else [])])
    if taken is not None and latest.sha256 == taken.sha256:
        # Handed in again without a change, it counts as handed in the first time. The same file read with another zone
        # mends the time.
        again = [a for a in attempts if (a.sha256, a.where) == (taken.sha256, taken.where) and a.handed_in]
        latest = again[-1] if again and again[-1].handed_in != taken.handed_in else taken
    if there != latest.sha256 and latest.sha256 not in contents:
        result.unplaced.append(
            (latest.where, f"{submission}: an interrupted run was about to place it; collect it once more")
        )
        return
    passed = [attempt for attempt in attempts if attempt.sha256 != latest.sha256]
    if passed:
        result.notices.append(
            f"{submission}: took {latest.where}; passed over {', '.join(attempt.where for attempt in passed)}."
        )
    if there == latest.sha256 and taken == latest:
        kind = result.unchanged
    elif taken is not None and taken.sha256 != latest.sha256:
        kind = result.replaced
        if not passed:
            result.notices.append(f"{submission}: took {latest.where} instead of {taken.where}.")
    else:
        kind = result.unchanged if there == latest.sha256 else result.placed
    kind.append(submission)
    timestamp = folder / "timestamp.txt"
    if kind is result.unchanged and taken == latest:
        return
    content = {
        "where": latest.where,
        "sha256": latest.sha256,
        "replaces": there,
        "upload": latest.upload,
        "number": latest.number,
        "moment": latest.moment,
        "handed_in": latest.handed_in,
    }
    write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", record_path)
    # The time of an earlier attempt must not stand beside this one.
    if latest.handed_in:
        write_text(f"{datetime.fromisoformat(latest.handed_in):%Y-%m-%d %H:%M:%S} UTC\n", timestamp)
    elif there != latest.sha256:
        timestamp.unlink(missing_ok=True)
    if there != latest.sha256:
        write_bytes(contents[latest.sha256].read_bytes(), notebook)


def _read_record(path: Path) -> dict | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        good = all(isinstance(record[key], str) for key in ("where", "sha256", "replaces", "moment", "handed_in"))
        return record if good and all(isinstance(record[key], int) for key in ("upload", "number")) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _attempt_of(record: dict | None, submission: Submission) -> Attempt | None:
    """Return the attempt that a record tells of."""
    if record is None:
        return None
    names = ("where", "sha256", "upload", "number", "moment", "handed_in")
    return Attempt(submission, **{name: record[name] for name in names})
