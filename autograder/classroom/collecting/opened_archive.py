"""What is named on the command line, opened: its platform, and the hand-ins in it."""

from __future__ import annotations

import hashlib
import pwd
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path, PurePosixPath

from autograder.classroom.collecting.archives import Member, members, outermost
from autograder.classroom.collecting.collection_outcome import Collected
from autograder.classroom.collecting.hand_in_files import FOLDERS, HandInFiles, Notebook
from autograder.classroom.collecting.identity import UnplacedError, student_of_path
from autograder.classroom.collecting.latest_attempt import Attempt
from autograder.classroom.collecting.moodle_worksheet import Worksheet
from autograder.classroom.collecting.platforms import moodle, nbgrader
from autograder.classroom.collecting.platforms.hand_in import HandIn, Platform
from autograder.classroom.collecting.platforms.registry import Recognised, own_list, recognise
from autograder.classroom.collecting.which_set import KnownSets, NotANotebookError, stem_of
from autograder.classroom.directory import Submission
from autograder.classroom.result.moments import moment as read_moment
from autograder.classroom.result.submission_folder import TIMESTAMP
from autograder.classroom.roster import Roster
from autograder.common.atomic_files import write_bytes
from autograder.common.text import printable

#: A platform that writes the time of packing into a zip packs a class within minutes; students take longer.
PACKING_TIME = timedelta(minutes=10)


class OpenedArchive:
    """What is named on the command line, and the hand-ins in it."""

    def __init__(
        self,
        path: Path,
        sets: KnownSets,
        platforms: tuple[Platform, ...],
        zone: tzinfo | None,
        roster: Roster | None,
        student: str,
        worksheet: Worksheet | None,
    ):
        self.path, self.sets, self.zone, self.roster, self.student = path, sets, zone, roster, student
        self.worksheet = worksheet or Worksheet("")
        self._numbers = _numbers_of(self.worksheet, roster)
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
                return FOLDERS, HandIn(path, "")  # said when it is to be placed
            return FOLDERS, HandIn(path, PurePosixPath(path).name, logins=(who,))
        found = recognised.hand_in(path)
        if found is None:
            return None if recognised.is_own(path) else (recognised.platform, HandIn(path, ""))
        if recognised.platform is moodle.PLATFORM and self.roster is not None:
            # The worksheet has the platform's own word for who a number is.
            found = replace(found, logins=self.worksheet.logins.get(found.number, ()))
        return recognised.platform, found

    def read(self, kept: Path, contents: dict[str, Path], result: Collected) -> list[HandInFiles]:
        """Go through the files; keep the content of each notebook, by its hash, outside memory."""
        hand_ins: dict[tuple, HandInFiles] = {}

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
                hand_ins[_key(hand_in)] = HandInFiles(platform, hand_in, member.trail[:2])
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
            except NotANotebookError as error:
                files.refused.append((name, f"it {error}"))
                continue
            digest = hashlib.sha256(member.data).hexdigest()
            if digest not in contents:
                contents[digest] = kept / digest
                write_bytes(member.data, contents[digest])
            stem = stem_of(inner) if "/" not in inner else ""
            files.notebooks[problem_set].append(Notebook(str(member), digest, stem, worked, member.time))
        found = [files for files in hand_ins.values() if files.notebooks or files.refused]
        sets = {name for files in found for name in files.notebooks}
        for files in found:
            files.guess = _only(sets) or _only({s for s in self.sets.names for path, _ in files.refused if s in path})
        return found

    def _with_time(self, files: HandInFiles, member: Member, result: Collected) -> HandIn:
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

    def attempt(
        self,
        submission: Submission,
        files: HandInFiles,
        notebook: Notebook,
        spread: bool,
        order: int,
        together: Iterable[str],
    ) -> Attempt:
        """Make an attempt of a notebook, which these students handed in together."""
        handed_in = _in_utc(files.hand_in.moment, self.zone) or (notebook.time if spread else None)
        # What orders the attempts of two archives is when each was packed: the worksheet may be of another hour.
        moment = handed_in or max(self.moments, default=None)
        if files.platform is moodle.PLATFORM:
            # What a group hands in may have no number; the worksheet has its time in the row of each member.
            numbers = [files.hand_in.number] if files.hand_in.number else [self._numbers.get(who) for who in together]
            times = [self.worksheet.times[number] for number in numbers if number in self.worksheet.times]
            handed_in = _in_utc(max(times, default=None), self.zone) or handed_in
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


def _numbers_of(worksheet: Worksheet, roster: Roster | None) -> dict[str, str]:
    """Return the number of each student whose row in the worksheet the roster tells."""
    found = {}
    for number, logins in worksheet.logins.items():
        students = set().union(*map(roster.with_identifier, logins)) if roster else set()
        if len(students) == 1:
            found[students.pop()] = number
    return found


def _only(names: set[str]) -> str:
    """Return the name that is there alone; empty if there are none or several."""
    return next(iter(names)) if len(names) == 1 else ""


def _key(hand_in: HandIn) -> tuple:
    """Tell one hand-in from another: all that the platform wrote, however it splits it into folders."""
    if not (hand_in.names or hand_in.number or hand_in.logins):
        return (hand_in.key,)
    return hand_in.names[:1], hand_in.number, hand_in.logins[:1], hand_in.moment, hand_in.upload


def _in_utc(moment: datetime | None, zone: tzinfo | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone) if zone else moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def _owner(folder: Path) -> str:
    """Return whose a folder is on this computer; empty where that is nobody with a name."""
    try:
        return pwd.getpwuid(folder.lstat().st_uid).pw_name
    except (OSError, KeyError):
        return ""
