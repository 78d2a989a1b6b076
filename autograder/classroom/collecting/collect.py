"""Getting work in: what learning platforms export is sorted into `submitted/<student>/<set>/`.

Which set a notebook belongs to is read from its own cells and metadata, never from its name. Whose it is follows from what
the platform wrote into the names of its archive, and from the roster. Of several attempts the latest counts; of several
notebooks in one hand-in, the one that was worked. Nothing that was handed in is executed, and no file is written under a
name that an archive chose.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from datetime import tzinfo
from pathlib import Path

from autograder.classroom.collecting.collection_outcome import Collected
from autograder.classroom.collecting.hand_in_files import NAMED, HandInFiles, listed_refusals
from autograder.classroom.collecting.identity import Identities, UnplacedError
from autograder.classroom.collecting.latest_attempt import Attempt
from autograder.classroom.collecting.moodle_worksheet import Worksheet
from autograder.classroom.collecting.opened_archive import OpenedArchive
from autograder.classroom.collecting.owner_and_notebook import chosen_notebook, require_own, students_in
from autograder.classroom.collecting.placing import place, refuse
from autograder.classroom.collecting.platforms.hand_in import HandIn, Platform
from autograder.classroom.collecting.platforms.registry import PLATFORMS, MixedArchiveError
from autograder.classroom.collecting.which_set import KnownSets
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.roster import Roster
from autograder.common.atomic_files import NO_ROOM, UnwritableError
from autograder.common.errors import AutograderError
from autograder.common.text import printable
from autograder.problem_set.source import ProblemSet


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
    sets = KnownSets(problem_sets)
    platforms = (pattern,) if pattern else PLATFORMS
    found: list[tuple[OpenedArchive, list[HandInFiles]]] = []
    contents: dict[str, Path] = {}
    with tempfile.TemporaryDirectory(prefix="collect-") as kept:
        for path in archives:
            try:
                archive = OpenedArchive(path, sets, platforms, zone, roster, student, worksheet)
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
        by_submission, refused = _by_submission(found, times, student, roster, identities, result)
        identities.write(directory.identities)
        for submission in sorted({*by_submission, *refused}):
            mine = by_submission.get(submission, [])
            try:
                if mine:
                    place(directory, submission, mine, contents, result)
                else:
                    refuse(directory, submission, *refused[submission], result)
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


def _by_submission(
    found: list[tuple[OpenedArchive, list[HandInFiles]]],
    times: str,
    student: str,
    roster: Roster | None,
    identities: Identities,
    result: Collected,
) -> tuple[dict[Submission, list[Attempt]], dict[Submission, tuple[list[tuple[str, str]], str]]]:
    """Sort hand-ins by student and set.

    Returns
    -------
    tuple of (dict, dict)
        The attempts at each submission, and for each whose hand-ins hold no notebook of its set: what is wrong with the
        files, and the path of the last hand-in as the platform wrote it.
    """
    logins = {login for _, hand_ins in found for files in hand_ins for login in files.hand_in.logins}
    attempts: dict[Submission, list[Attempt]] = defaultdict(list)
    refused: dict[Submission, tuple[list[tuple[str, str]], str]] = {}
    order = itertools.count()
    for archive, hand_ins in found:
        spread = archive.spread(times)
        for files, name in ((each, of) for each in hand_ins for of in each.sets):
            try:
                require_own(files, student, roster, logins)
                students = students_in(files, name, student, roster, identities, result)
                chosen = chosen_notebook(files, name, result) if name in files.notebooks else None
            except UnplacedError as error:
                listed = "" if name or not files.refused else f": {listed_refusals(files.refused)}"
                result.unplaced.append((files.where, f"{error}{listed}"))
                continue
            for who in students:
                submission = Submission(who, name)
                if chosen is not None:
                    attempts[submission].append(
                        archive.attempt(submission, files, chosen, spread, next(order), students)
                    )
                    continue
                if name:
                    earlier, _ = refused.get(submission, ([], ""))
                    refused[submission] = [*earlier, *files.refused], files.path
                unfit = result.ungradable if name else result.unplaced
                reason = f"{who} handed in nothing that can be graded: {listed_refusals(files.refused)}"
                unfit.append((files.where, reason))
    return attempts, refused


def _check_worksheet(worksheet: Worksheet, hand_ins: list[HandIn], result: Collected) -> None:
    """Say what of a worksheet's times cannot be used; refuse one that is of another assignment."""
    numbers = {hand_in.number for hand_in in hand_ins if hand_in.number}
    if not numbers and hand_ins:
        result.notices.append(
            f"{worksheet.name}: no name in the archive has a number of Moodle's, so nothing shows that both are of one "
            "assignment. A time was taken where the roster tells which row is a student's."
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
            f"{', '.join(others[:NAMED])}{' and others' if len(others) > NAMED else ''}: "
            "download it together with the archive."
        )


def _trouble(error: OSError | UnwritableError) -> str:
    """Word what keeps a folder of the class from being read or written."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(error).rstrip(".")
