"""Getting work in: what learning platforms export is sorted into `submitted/<student>/<set>/`.

Which set a notebook belongs to is read from its own cells and metadata, never from its name. Whose it is follows from what
the platform wrote into the names of its archive, and from the roster. Of several attempts the latest counts; of several
notebooks in one hand-in, the one that was worked. Nothing that was handed in is executed, and no file is written under a
name that an archive chose.
"""

from __future__ import annotations

import hashlib
import json
import pwd
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path, PurePosixPath

from autograder.classroom.collecting.archives import Member, members, outermost
from autograder.classroom.collecting.identity import Identities, UnplacedError, student_of_path, students_of
from autograder.classroom.collecting.moodle_worksheet import Worksheet
from autograder.classroom.collecting.platforms import moodle, nbgrader
from autograder.classroom.collecting.platforms.hand_in import HandIn, Platform
from autograder.classroom.collecting.platforms.registry import (
    PLATFORMS,
    MixedArchiveError,
    Recognised,
    own_list,
    recognise,
)
from autograder.classroom.directory import ClassDirectory, Submission, read_record
from autograder.classroom.result.handed_in import REFUSED, TIMESTAMP, time_text
from autograder.classroom.result.moments import moment as read_moment
from autograder.classroom.roster import Roster
from autograder.common.atomic_files import NO_ROOM, UnwritableError, write_bytes, write_text
from autograder.common.errors import AutograderError, SubmissionError
from autograder.common.text import printable
from autograder.engine.submitted_notebook import read_submission
from autograder.problem_set.source import ProblemSet, grade_id, is_solution
from autograder.problem_set.versions import student_version

#: A platform that writes the time of packing into a zip packs a class within minutes; students take longer.
PACKING_TIME = timedelta(minutes=10)
#: A notebook, also as browsers and mail programs rename it.
_NOTEBOOK = re.compile(r"(?P<stem>.+)\.ipynb(?:\.txt|\.json)?", re.IGNORECASE | re.DOTALL)
#: Where no platform wrote the names, those of folders say whose work it is.
_FOLDERS = Platform("the folder", lambda path, reading: None)
#: Files of one hand-in that a message names.
_NAMED = 5


@dataclass(frozen=True)
class Attempt:
    """A notebook whose student and set are known.

    Attributes
    ----------
    submission : Submission
        Whose it is, and of which set.
    where : str
        Where it was found.
    sha256 : str
        Hash of its bytes.
    upload : int
        The platform's number of the upload, which grows with time; 0 elsewhere.
    moment : str
        When it was handed in, or else packed; ISO 8601 in UTC, or empty.
    handed_in : str
        When it was handed in, where the archive tells; as `moment`.
    order : int
        Its place in the order of reading.
    path : str
        Its path as the platform wrote it; empty where no platform did.
    late : bool
        Whether the platform marks it as late.
    """

    submission: Submission
    where: str
    sha256: str
    upload: int = 0
    moment: str = ""
    handed_in: str = ""
    order: int = 0
    path: str = ""
    late: bool = False


@dataclass
class Collected:
    """What came of a collection.

    Attributes
    ----------
    placed, replaced, unchanged : list of Submission
        Newly placed; placed instead of an earlier attempt; as they were.
    refused : list of Submission
        Known to be of a student and a set, but no notebook that can be read.
    ungradable : list of (str, str)
        Where each of those is, and why it cannot be read.
    unplaced : list of (str, str)
        What could not be placed, and why.
    timed : list of Submission
        As they were, but it is now known when they were handed in.
    untimed : list of str
        Times of handing in that cannot be read, and where each is written.
    late : list of Submission
        Marked as late by the platform, which does not tell when they were handed in.
    notices : list of str
        What an instructor should know.
    ignored : int
        Files that systems and Jupyter leave by themselves.
    """

    placed: list[Submission] = field(default_factory=list)
    replaced: list[Submission] = field(default_factory=list)
    unchanged: list[Submission] = field(default_factory=list)
    refused: list[Submission] = field(default_factory=list)
    ungradable: list[tuple[str, str]] = field(default_factory=list)
    unplaced: list[tuple[str, str]] = field(default_factory=list)
    timed: list[Submission] = field(default_factory=list)
    untimed: list[str] = field(default_factory=list)
    late: list[Submission] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    ignored: int = 0


@dataclass
class _Notebook:
    """A notebook of a hand-in: its place, its hash, its name if it is at the top, and whether it was worked."""

    where: str
    sha256: str
    stem: str
    worked: bool
    time: datetime | None


@dataclass
class _Files:
    """The files of one hand-in.

    Attributes
    ----------
    platform, hand_in : Platform, HandIn
        What is known about it.
    trail : tuple of str
        The archive's name, and the path of its first file.
    notebooks : dict of str to list of _Notebook
        By set.
    refused : list of (str, str)
        Other files, and what is wrong with each.
    guess : str
        The set that it is of if it holds no notebook; empty where that is not known.
    owner : str
        Whose its folder is on this computer, if it is one of nbgrader's exchange; empty where that is not known. There,
        everybody may make a folder with anybody's name.
    """

    platform: Platform
    hand_in: HandIn
    trail: tuple[str, ...]
    notebooks: dict[str, list[_Notebook]] = field(default_factory=lambda: defaultdict(list))
    refused: list[tuple[str, str]] = field(default_factory=list)
    guess: str = ""
    owner: str = ""

    @property
    def sets(self) -> list[str]:
        """The sets that it is of; an empty name for one that is not known."""
        return list(self.notebooks) or [self.guess]

    @property
    def path(self) -> str:
        """Its path as the platform wrote it; empty where no platform did."""
        return "" if self.platform is _FOLDERS else self.hand_in.key + self.hand_in.rest

    @property
    def where(self) -> str:
        """How messages name it."""
        if self.platform is _FOLDERS or len(self.trail) < 2 or not self.hand_in.rest:
            return printable(": ".join(self.trail))
        return printable(f"{self.trail[0]}: {self.hand_in.key.rstrip('/')}")


class _MemberError(Exception):
    """A file is not a notebook of this course; the text says why, in words that follow "it"."""


def collect(
    directory: ClassDirectory,
    problem_sets: list[ProblemSet],
    archives: Iterable[Path],
    roster: Roster | None = None,
    student: str = "",
    zone: tzinfo | None = None,
    times: str = "auto",
    pattern: Platform | None = None,
    worksheet: Worksheet | None = None,
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
        The zone of times that do not tell it; that of this computer by default.
    times : {"auto", "yes", "no"}
        Whether the times of files are those of handing in. By default, never in what a platform packs with other times,
        and elsewhere if an archive's times lie further apart than packing takes.
    pattern : Platform, optional
        What the names look like, if not as one of the known platforms writes them.
    worksheet : Worksheet, optional
        Moodle's grading worksheet of the assignment, which tells when each student handed in.

    Raises
    ------
    AutograderError
        An archive cannot be opened, the worksheet is of another assignment, or the class directory cannot be written to.
    """
    result = Collected()
    sets = _Sets(problem_sets)
    platforms = (pattern,) if pattern else PLATFORMS
    found: list[tuple[_Archive, list[_Files]]] = []
    contents: dict[str, Path] = {}
    with tempfile.TemporaryDirectory(prefix="collect-") as kept:
        for path in archives:
            try:
                archive = _Archive(path, sets, platforms, zone, roster, student, worksheet)
            except MixedArchiveError as error:
                result.unplaced.append(
                    (printable(path.name), f"its names are those of {error} at once; collect each export by itself")
                )
                continue
            found.append((archive, archive.read(Path(kept), contents, result)))
        if worksheet is not None:
            _check_worksheet(worksheet, [files.hand_in for _, hand_ins in found for files in hand_ins], result)
        directory.prepare()
        identities = Identities.read(directory.identities)
        for _, hand_ins in found:  # all are seen before one is placed
            for files in hand_ins:
                for name in files.sets:
                    identities.see(files.platform, name, files.hand_in)
        logins = {login for _, hand_ins in found for files in hand_ins for login in files.hand_in.logins}
        attempts: list[Attempt] = []
        refused: dict[Submission, list[tuple[str, str]]] = {}
        paths: dict[Submission, str] = {}
        for archive, hand_ins in found:
            spread = archive.spread(times)
            for files in hand_ins:
                for name in files.sets:
                    try:
                        _require_own(files, student, roster, logins)
                        students = _students(files, name, student, roster, identities, result)
                        if name in files.notebooks:
                            chosen = _chosen(files, name, result)
                    except UnplacedError as error:
                        listed = "" if name or not files.refused else f": {_listed(files.refused)}"
                        result.unplaced.append((files.where, f"{error}{listed}"))
                        continue
                    for who in students:
                        submission = Submission(who, name)
                        if name not in files.notebooks:
                            if name:
                                refused.setdefault(submission, []).extend(files.refused)
                                paths[submission] = files.path
                            unfit = result.ungradable if name else result.unplaced
                            reason = f"{who} handed in nothing that can be graded: {_listed(files.refused)}"
                            unfit.append((files.where, reason))
                            continue
                        attempts.append(archive.attempt(submission, files, chosen, spread, len(attempts)))
        by_submission: dict[Submission, list[Attempt]] = defaultdict(list)
        for attempt in attempts:
            by_submission[attempt.submission].append(attempt)
        identities.write(directory.identities)
        for submission in sorted({*by_submission, *refused}):
            mine = by_submission.get(submission, [])
            try:
                if mine:
                    _place(directory, submission, mine, contents, result)
                else:
                    _refuse(directory, submission, refused[submission], paths[submission], result)
            except (OSError, UnwritableError) as error:
                if getattr(error, "errno", None) in NO_ROOM:
                    raise
                where = ", ".join(attempt.where for attempt in mine)
                result.unplaced.append((where, f"{submission}: {_trouble(error)}"))
    if result.late:
        listed = "; ".join(map(str, result.late))
        result.notices.append(
            f"Canvas marks as late, without a time: {listed}. For a penalty, write the time into timestamp.txt "
            "beside the notebook."
        )
    return result


def _check_worksheet(worksheet: Worksheet, hand_ins: list[HandIn], result: Collected) -> None:
    """Say what of a worksheet's times cannot be used; refuse one that is of another assignment."""
    numbers = {hand_in.number for hand_in in hand_ins if hand_in.number}
    if not numbers and hand_ins:
        result.notices.append(
            f"{worksheet.name}: no name in the archive has a number of Moodle's, so no time was taken."
        )
    elif not numbers & worksheet.numbers:
        raise AutograderError(
            f"{worksheet.name} is not the grading worksheet of what is collected: none of its numbers is in the names "
            "that Moodle wrote. Download both from one assignment. Nothing was collected."
        )
    result.untimed += [f"{worksheet.name}, {text}" for text in worksheet.unread.values()]
    if others := sorted(numbers - worksheet.times.keys() - worksheet.unread.keys()):
        result.notices.append(
            f"{worksheet.name} has no time for Moodle's number{'s' if len(others) > 1 else ''} "
            f"{', '.join(others[:_NAMED])}{' and others' if len(others) > _NAMED else ''}: "
            "download it together with the archive."
        )


def _listed(refused: list[tuple[str, str]]) -> str:
    """Name the first few files and what is wrong with each; first the limit that was reached, if one was."""
    shown = [f"{path} ({why})" for path, why in sorted(refused, key=lambda item: not item[1].endswith("was not read"))]
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more


def _trouble(error: OSError | UnwritableError) -> str:
    """Word what keeps a folder of the class from being read or written."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(error).rstrip(".")


# ---- which set


class _Sets:
    """Tells which problem set a notebook belongs to, and whether anybody worked it."""

    def __init__(self, problem_sets: list[ProblemSet]):
        self.problem_sets = {problem_set.name: problem_set for problem_set in problem_sets}
        self.names = frozenset(self.problem_sets)
        owners: dict[str, set[str]] = defaultdict(set)
        for problem_set in problem_sets:
            for cell in problem_set.notebook.cells:
                if grade_id(cell):
                    owners[grade_id(cell)].add(problem_set.name)
        #: grade_ids that only one set has.
        self.owner = {name: next(iter(sets)) for name, sets in owners.items() if len(sets) == 1}
        self._stubs: dict[str, dict[str, str]] = {}

    def read(self, member: Member) -> tuple[str, bool]:
        """Return the set that a file is a notebook of, and whether an answer differs from what was released."""
        if member.problem:
            raise _MemberError(member.problem)
        if not _NOTEBOOK.fullmatch(PurePosixPath(member.path).name):
            platform = re.search(r"_assignsubmission_onlinetext|_\d+_text\.html$", member.path)
            raise _MemberError("is text typed into the platform" if platform else "is not a notebook (.ipynb)")
        if not member.data.strip():
            raise _MemberError("is empty")
        try:
            notebook = read_submission(member.data)
        except SubmissionError as error:
            # Its sentences speak of the file or the notebook, and are shown here after its name.
            raise _MemberError(re.sub("^The (?:file|notebook) ", "", str(error)).rstrip(".")) from None
        votes: dict[str, set[str]] = defaultdict(set)
        for cell in notebook.cells:
            name = grade_id(cell)
            if name in self.owner:
                votes[self.owner[name]].add(name)
        declared = notebook.metadata.get("autograder", {}).get("problem_set")
        declared = declared if isinstance(declared, str) and declared in self.names else ""
        if not declared or (votes and declared not in votes):
            most = max(map(len, votes.values()), default=0)
            best = [name for name, ids in votes.items() if len(ids) == most]
            if len(best) != 1:
                raise _MemberError(
                    f"has as many cells of {' as of '.join(sorted(best))}"
                    if best
                    else "has no cell that belongs to a problem set of this course"
                )
            (declared,) = best
        stubs = self._released(declared)
        worked = any(
            stubs.get(grade_id(cell), cell.source.strip()) != cell.source.strip()
            for cell in notebook.cells
            if grade_id(cell)
        )
        return declared, worked

    def _released(self, name: str) -> dict[str, str]:
        if name not in self._stubs:
            cells = student_version(self.problem_sets[name]).cells
            self._stubs[name] = {grade_id(cell): cell.source.strip() for cell in cells if is_solution(cell)}
        return self._stubs[name]


# ---- what an archive holds


class _Archive:
    """What is named on the command line, and the hand-ins in it."""

    def __init__(
        self,
        path: Path,
        sets: _Sets,
        platforms: tuple[Platform, ...],
        zone: tzinfo | None,
        roster: Roster | None,
        student: str,
        worksheet: Worksheet | None,
    ):
        self.path, self.sets, self.zone, self.roster, self.student = path, sets, zone, roster, student
        self.worksheet = worksheet or Worksheet("")
        self.moments: list[datetime] = []
        self._identified: dict[tuple[str, ...], tuple[Platform, HandIn] | None] = {}
        names, metadata = outermost(path, own_list)
        listed = own_list(names)
        self.wrapped = False
        self.recognised = recognise(names, sets.names, listed, metadata, platforms)
        if self.recognised is None and (path.is_dir() or path.suffix.casefold() == ".zip"):
            # One hand-in, by itself: the archive's own name is the platform's.
            within = recognise([f"{path.name}/{name}" for name in names], sets.names, platforms=platforms)
            if within is not None and within.depth == 0:
                self.recognised, self.wrapped = within, True

    def _path(self, trail: tuple[str, ...]) -> str:
        path = trail[1] if len(trail) > 1 else trail[0]
        return f"{trail[0]}/{path}" if self.wrapped else path

    def _identify(self, trail: tuple[str, ...]) -> tuple[Platform, HandIn] | None:
        """Return the platform and the hand-in of a file; None for a file that the platform added by itself."""
        outermost_path = trail[:2]
        if outermost_path not in self._identified:
            self._identified[outermost_path] = self._identify_anew(outermost_path)
        return self._identified[outermost_path]

    def _identify_anew(self, trail: tuple[str, ...]) -> tuple[Platform, HandIn] | None:
        path = self._path(trail)
        recognised: Recognised | None = self.recognised
        if recognised is None:
            try:
                who = self.student or student_of_path(trail, self.roster)
            except UnplacedError:
                return _FOLDERS, HandIn(path, "")  # said when it is to be placed
            return _FOLDERS, HandIn(path, PurePosixPath(path).name, logins=(who,))
        found = recognised.hand_in(path)
        if found is None:
            return None if recognised.is_own(path) else (recognised.platform, HandIn(path, ""))
        if recognised.platform is moodle.PLATFORM and self.roster is not None:
            # The worksheet has the platform's own word for who a number is.
            found = replace(found, logins=self.worksheet.logins.get(found.number, ()))
        return recognised.platform, found

    def read(self, kept: Path, contents: dict[str, Path], result: Collected) -> list[_Files]:
        """Go through the files; keep the content of each notebook, by its hash, outside memory."""
        hand_ins: dict[tuple, _Files] = {}

        def skipped() -> None:
            result.ignored += 1

        def key(path: str) -> tuple:
            trail = (path,) if self.path.is_file() and path == self.path.name else (self.path.name, path)
            identified = self._identify(trail)
            return _key(identified[1]) if identified else ()

        for member in members(self.path, self.zone, skipped, key):
            identified = self._identify(member.trail)
            if identified is None:
                continue
            platform, hand_in = identified
            if member.time:
                self.moments.append(member.time)
            if _key(hand_in) not in hand_ins:
                hand_ins[_key(hand_in)] = _Files(platform, hand_in, member.trail[:2])
                if platform is nbgrader.EXCHANGE and self.path.is_dir():
                    hand_ins[_key(hand_in)].owner = _owner(self.path / member.trail[1].removesuffix(hand_in.rest))
            files = hand_ins[_key(hand_in)]
            inner = "/".join([hand_in.rest, *member.trail[2:]])
            name = printable(inner or member.path)
            if platform.keeps_times and inner == TIMESTAMP and not member.problem:
                files.hand_in = self._with_time(files, member, result)
                continue
            try:
                problem_set, worked = self.sets.read(member)
            except _MemberError as error:
                files.refused.append((name, f"it {error}"))
                continue
            digest = hashlib.sha256(member.data).hexdigest()
            if digest not in contents:
                contents[digest] = kept / digest
                write_bytes(member.data, contents[digest])
            stem = _stem(inner) if "/" not in inner else ""
            files.notebooks[problem_set].append(_Notebook(str(member), digest, stem, worked, member.time))
        found = [files for files in hand_ins.values() if files.notebooks or files.refused]
        sets = {name for files in found for name in files.notebooks}
        for files in found:
            files.guess = _only(sets) or _only({s for s in self.sets.names for path, _ in files.refused if s in path})
        return found

    def _with_time(self, files: _Files, member: Member, result: Collected) -> HandIn:
        text = member.data[:100].decode("utf-8", "replace").strip()
        try:
            moment = read_moment(text)
        except ValueError as error:
            result.untimed.append(f"{member}, line 1: {error}")
            return files.hand_in
        return replace(files.hand_in, moment=moment.replace(tzinfo=UTC))

    def spread(self, times: str) -> bool:
        """Whether the times of the archive's files are those of handing in."""
        # In a zip that is one hand-in by itself, the times are the student's.
        if times != "auto" or self.wrapped or (self.recognised and self.recognised.platform.packs_times):
            return times == "yes"
        return bool(self.moments) and max(self.moments) - min(self.moments) > PACKING_TIME

    def attempt(self, submission: Submission, files: _Files, notebook: _Notebook, spread: bool, order: int) -> Attempt:
        """Make an attempt of a notebook."""
        handed_in = _in_utc(files.hand_in.moment, self.zone) or (notebook.time if spread else None)
        # What orders the attempts of two archives is when each was packed: the worksheet may be of another hour.
        moment = handed_in or max(self.moments, default=None)
        if files.platform is moodle.PLATFORM and files.hand_in.number in self.worksheet.times:
            handed_in = _in_utc(self.worksheet.times[files.hand_in.number], self.zone)
        return Attempt(
            submission,
            notebook.where,
            notebook.sha256,
            files.hand_in.upload,
            moment.isoformat() if moment else "",
            handed_in.isoformat() if handed_in else "",
            order,
            files.path,
            files.hand_in.late,
        )


def _only(names: set[str]) -> str:
    """Return the name that is there alone; empty if there are none or several."""
    return next(iter(names)) if len(names) == 1 else ""


def _key(hand_in: HandIn) -> tuple:
    """Tell one hand-in from another: all that the platform wrote, however it splits it into folders."""
    if not (hand_in.names or hand_in.number or hand_in.logins):
        return (hand_in.key,)
    return hand_in.names[:1], hand_in.number, hand_in.logins[:1], hand_in.moment, hand_in.upload


def _stem(name: str) -> str:
    match = _NOTEBOOK.fullmatch(name)
    return match["stem"] if match else ""


def _in_utc(moment: datetime | None, zone: tzinfo | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone) if zone else moment
    return moment.astimezone(UTC).replace(tzinfo=None)


# ---- whose, and which of several


def _owner(folder: Path) -> str:
    """Return whose a folder is on this computer; empty where that is nobody with a name."""
    try:
        return pwd.getpwuid(folder.lstat().st_uid).pw_name
    except (OSError, KeyError):
        return ""


def _require_own(files: _Files, student: str, roster: Roster | None, logins: set[str]) -> None:
    """Refuse what one student handed in under another's name. A copy belongs to whoever copied it, and proves nothing."""
    if not files.owner or student or files.owner in files.hand_in.logins:
        return
    if files.owner in logins or (roster is not None and roster.with_identifier(files.owner)):
        raise UnplacedError(f"it is named as {files.hand_in.logins[0]}'s, but its folder belongs to {files.owner}")


def _students(
    files: _Files,
    name: str,
    student: str,
    roster: Roster | None,
    identities: Identities,
    result: Collected,
) -> list[str]:
    """Return who handed something in."""
    if student:
        return [student]
    if files.platform is _FOLDERS:
        return [student_of_path(files.trail, roster)]
    if not (files.hand_in.names or files.hand_in.number or files.hand_in.logins):
        raise UnplacedError(f"{files.platform.name} does not write such a name, and nothing says whose it is")
    students, notice = students_of(files.platform, files.hand_in, name, roster, identities)
    if notice:
        result.notices.append(f"{files.where}: {notice}")
    return students


def _chosen(files: _Files, name: str, result: Collected) -> _Notebook:
    """Choose among the notebooks of a set in one hand-in: those that were worked, then the one with the set's name."""
    candidates = files.notebooks[name]
    worked = [notebook for notebook in candidates if notebook.worked] or candidates
    named = [notebook for notebook in worked if notebook.stem.casefold() == name.casefold()]
    left = named or worked
    if len({notebook.sha256 for notebook in left}) > 1:
        listed = ", ".join(sorted(notebook.where.rpartition(": ")[2] for notebook in left))
        raise UnplacedError(
            f"it holds several notebooks of {name} that were worked ({listed}), and none of them alone has its name; "
            "collect the right one by itself with --student"
        )
    chosen = left[0]
    others = [notebook.where for notebook in candidates if notebook.sha256 != chosen.sha256]
    if others:
        result.notices.append(f"{files.where}: took {chosen.where}; passed over {', '.join(others)}.")
    if files.refused:
        result.notices.append(f"{files.where}: beside the notebook, not placed: {_listed(files.refused)}.")
    return chosen


def _latest(attempts: list[Attempt]) -> Attempt:
    """Return the latest of several attempts: by the platform's numbers of uploads, else by time."""
    if all(attempt.upload for attempt in attempts):
        return max(attempts, key=lambda a: (a.upload, a.moment, a.order))
    return max(attempts, key=lambda a: (a.moment, a.upload, a.order))


# ---- placing


def _told_again(taken: Attempt, attempts: list[Attempt]) -> Attempt:
    """Return the attempt that is there, with what these archives tell about it.

    Handed in again without a change, it counts as handed in the first time. The same file, read with another zone or with
    Moodle's worksheet, corrects the time.
    """
    same = [attempt for attempt in attempts if attempt.sha256 == taken.sha256]
    again = [attempt for attempt in same if attempt.where == taken.where]
    if again:
        told = replace(again[-1], handed_in=again[-1].handed_in or taken.handed_in)
        return told if (told.handed_in, told.late) != (taken.handed_in, taken.late) else taken
    # A time after the one at which it was packed is that of a second hand-in.
    times = [a.handed_in for a in same if a.handed_in and (not taken.moment or a.handed_in <= taken.moment)]
    return replace(taken, handed_in=min(times)) if times and not taken.handed_in else taken


def _stamp(moment: str) -> str:
    """Write a time as nbgrader keeps it; nothing for none."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S} UTC" if moment else ""


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
    record = _complete_record(record_path)
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
        latest = _told_again(taken, attempts)
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
    timestamp = folder / TIMESTAMP
    written = time_text(folder) if there == latest.sha256 else ""
    if latest.late and not latest.handed_in and not written:
        result.late.append(submission)
    if kind is result.unchanged and taken == latest:
        return
    content = {
        "where": latest.where,
        "sha256": latest.sha256,
        "replaces": there,
        "upload": latest.upload,
        "moment": latest.moment,
        "handed_in": latest.handed_in,
        "path": latest.path,
        "late": latest.late,
    }
    write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", record_path)
    # The time of an earlier attempt must not be taken for this one's.
    before = taken.handed_in if taken else ""
    if written and written != _stamp(before):
        if written != _stamp(latest.handed_in):
            result.notices.append(f"{submission}: the time in timestamp.txt was written by hand; it stays.")
    elif latest.handed_in:
        write_text(f"{_stamp(latest.handed_in)}\n", timestamp)
        if kind is result.unchanged and latest.handed_in != before:
            result.timed.append(submission)
    elif there != latest.sha256:
        timestamp.unlink(missing_ok=True)
    if there != latest.sha256:
        write_bytes(contents[latest.sha256].read_bytes(), notebook)
        (folder / REFUSED).unlink(missing_ok=True)


def _refuse(
    directory: ClassDirectory, submission: Submission, refused: list[tuple[str, str]], path: str, result: Collected
) -> None:
    """Keep what a student handed in that cannot be graded, so that grading can say so to the student."""
    folder = directory.submission_folder(submission)
    if folder.is_dir() and any(path.name != REFUSED for path in folder.iterdir()):
        result.notices.append(f"{submission}: the notebook that is there stays.")
        return
    text = "".join(f"{path}: {why}\n" for path, why in refused[:_NAMED])
    result.refused.append(submission)
    # The page that says what to do goes back under this name.
    write_text(json.dumps({"path": path}, ensure_ascii=False) + "\n", directory.refused_record(submission))
    if not (folder / REFUSED).is_file() or (folder / REFUSED).read_text(encoding="utf-8") != text:
        write_text(text, folder / REFUSED)


def _complete_record(path: Path) -> dict | None:
    record = read_record(path)
    good = all(isinstance(record.get(key), str) for key in ("where", "sha256", "replaces", "moment", "handed_in"))
    return record if good and isinstance(record.get("upload"), int) else None


def _attempt_of(record: dict | None, submission: Submission) -> Attempt | None:
    """Return the attempt that a record tells of."""
    if record is None:
        return None
    names = ("where", "sha256", "upload", "moment", "handed_in")
    late = record.get("late") is True
    return Attempt(submission, **{name: record[name] for name in names}, path=record.get("path", ""), late=late)
