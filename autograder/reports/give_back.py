"""Giving feedback pages back: an archive that a platform takes in one upload, or a mail to each student.

Only pages that show something else than what went out in the same way last are given. Each run writes files of its own
and overwrites none: an earlier archive may not have been uploaded yet.
"""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from autograder.classroom.collecting.identity import Identities
from autograder.classroom.collecting.moodle_worksheet import Worksheet
from autograder.classroom.collecting.platform_numbers import platform_hand_ins
from autograder.classroom.collecting.platforms import canvas, moodle
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.overview.given_back import changed_since, page_shows, record_given
from autograder.classroom.roster import Roster, Student
from autograder.common.atomic_files import write_bytes
from autograder.common.errors import AutograderError

#: The same pages give the same bytes: every archive has this time, the earliest that zip can write.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
MAIL = "mail"


@dataclass
class GivenBack:
    """What came of giving back.

    Attributes
    ----------
    paths : list of Path
        Archives, or the folder with the mails.
    given : dict of Submission to str
        Whose pages are in them, and the hash of what each shows.
    unknown : list of Submission
        Those whose page has changed, but of whom it is not known what the platform calls them, or where they live.
    differ : list of list of Submission
        Groups with one file on the platform, but pages that tell the members different things.
    """

    paths: list[Path] = field(default_factory=list)
    given: dict[Submission, str] = field(default_factory=dict)
    unknown: list[Submission] = field(default_factory=list)
    differ: list[list[Submission]] = field(default_factory=list)


def _moodle_names(
    directory: ClassDirectory, problem_set: str, roster: Roster | None, worksheet: Worksheet | None
) -> dict[str, str]:
    """Name each student's folder as Moodle's own archive does, for *Upload multiple feedback files in a zip*."""
    names, seen = {}, Identities.read(directory.identities)
    hand_ins = platform_hand_ins(directory, moodle.PLATFORM, problem_set)
    if worksheet is not None and roster is not None:
        _require_numbers_of(worksheet, {hand_in.number for hand_in in hand_ins.values()}, problem_set)
        for number, logins in worksheet.logins.items():
            known = set().union(*map(roster.with_identifier, logins))
            if len(known) == 1:
                names |= {student: _moodle_folder(roster.students[student].name, number) for student in known}
    for student in roster.students.values() if roster else ():
        # Under the number of another assignment, Moodle would pass the page over without a word.
        numbers = [n for n in student.moodle_id if not seen.of_another_set(moodle.PLATFORM, problem_set, n)]
        if len(numbers) == 1:
            names[student.student_id] = _moodle_folder(student.name, numbers[0])
    for student, hand_in in hand_ins.items():
        names[student] = _moodle_folder(hand_in.names[0] if hand_in.names else student, hand_in.number)
    return {student: f"{folder}/{problem_set}.html" for student, folder in names.items()}


def _require_numbers_of(worksheet: Worksheet, collected: set[str], problem_set: str) -> None:
    """Refuse a worksheet of another assignment: Moodle would pass over the pages under its numbers without a word."""
    if collected and not collected & worksheet.numbers:
        raise AutograderError(
            f"{worksheet.name} is the grading worksheet of another assignment: its numbers are not those under which "
            f"{problem_set} was handed in."
        )


def _moodle_folder(name: str, number: str) -> str:
    # Moodle reads the number behind the first underscore, and ignores the name.
    return f"{name.replace('_', ' ').replace('/', ' ')}_{number}_assignsubmission_file_"


def _canvas_names(
    directory: ClassDirectory, problem_set: str, roster: Roster | None, worksheet: Worksheet | None
) -> dict[str, str]:
    """Name each page as Canvas named the file in its download, with the numbers of the student and of the upload.

    A group has one file, and Canvas gives what comes back under its name to all members.
    """
    hand_ins = platform_hand_ins(directory, canvas.PLATFORM, problem_set, of_groups=True)
    return {student: f"{hand_in.key.rpartition('/')[2]}{problem_set}.html" for student, hand_in in hand_ins.items()}


#: For each platform, what its archive calls the page of each student of a set.
PLATFORMS: dict[str, Callable[[ClassDirectory, str, Roster | None, Worksheet | None], dict[str, str]]] = {
    "moodle": _moodle_names,
    "canvas": _canvas_names,
}


def write_archives(
    directory: ClassDirectory,
    platform: str,
    submissions: list[Submission],
    roster: Roster | None,
    worksheet: Worksheet | None = None,
) -> GivenBack:
    """Write an archive for each set in which a page has changed since the last.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    platform : str
        A key of `PLATFORMS`.
    submissions : list of Submission
        Whose pages may be given.
    roster : Roster or None
        Knows numbers that file names do not tell.
    worksheet : Worksheet, optional
        Moodle's grading worksheet of the one set, which knows them too.

    Raises
    ------
    AutograderError
        The worksheet is of another assignment.
    """
    result = GivenBack()
    by_set: dict[str, dict[Submission, str]] = defaultdict(dict)
    for submission, shown in changed_since(directory, platform, submissions).items():
        by_set[submission.problem_set][submission] = shown
    for name, changed in sorted(by_set.items()):
        names = PLATFORMS[platform](directory, name, roster, worksheet)
        result.unknown += [submission for submission in changed if submission.student not in names]
        known = {submission: shown for submission, shown in changed.items() if submission.student in names}
        for group in _groups((s for s in submissions if s.problem_set == name and s.student in names), names):
            differ = len({page_shows(directory, member) for member in group}) > 1
            if differ and not known.keys().isdisjoint(group):
                result.differ.append(group)
                known = {submission: shown for submission, shown in known.items() if submission not in group}
        if not known:
            continue
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            pages = {names[submission.student]: submission for submission in sorted(known, reverse=True)}
            for name_there, submission in sorted(pages.items()):
                page = zipfile.ZipInfo(name_there, _NO_TIME)
                archive.writestr(page, directory.feedback_page(submission).read_bytes(), zipfile.ZIP_DEFLATED)
        path = _free(directory.given_back, f"{name}-{platform}", ".zip")
        write_bytes(content.getvalue(), path)
        record_given(directory, platform, known)
        result.paths.append(path)
        result.given |= known
    return result


def _groups(submissions: Iterable[Submission], names: Mapping[str, str]) -> list[list[Submission]]:
    """Return the submissions that the platform knows as one, those of each group together."""
    together: dict[str, list[Submission]] = defaultdict(list)
    for submission in sorted(submissions):
        together[names[submission.student]].append(submission)
    return [group for group in together.values() if len(group) > 1]


def write_mails(
    directory: ClassDirectory, titles: Mapping[str, str], submissions: list[Submission], roster: Roster | None
) -> GivenBack:
    """Write a mail to each student with the pages that have changed since the last, to be sent by another program.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    titles : mapping of str to str
        What students call each set.
    submissions : list of Submission
        Whose pages may be given.
    roster : Roster or None
        Knows the addresses.
    """
    result = GivenBack()
    students = roster.students if roster else {}
    by_student: dict[str, dict[Submission, str]] = defaultdict(dict)
    for submission, shown in changed_since(directory, MAIL, submissions).items():
        address = students[submission.student].email if submission.student in students else ""
        if address and address.isprintable():  # a line break would begin another header
            by_student[submission.student][submission] = shown
        else:
            result.unknown.append(submission)
    if not by_student:
        return result
    folder = _free(directory.given_back, MAIL, "")
    for student, changed in sorted(by_student.items()):
        message = _mail(
            students[student], {s: directory.feedback_page(s).read_text(encoding="utf-8") for s in changed}, titles
        )
        write_bytes(message.as_bytes(policy=SMTP), folder / f"{student}.eml")
        result.given |= changed
    record_given(directory, MAIL, result.given)
    result.paths.append(folder)
    return result


def _mail(student: Student, pages: Mapping[Submission, str], titles: Mapping[str, str]) -> EmailMessage:
    names = [titles[submission.problem_set] for submission in pages]
    message = EmailMessage()
    message["To"] = student.email
    message["Subject"] = f"Feedback: {', '.join(names)}"
    message["X-Unsent"] = "1"  # mail programs open it as a draft, with the instructor as its sender
    message.set_content(f"Dear {student.name},\n\nyour feedback is attached. Open it in a browser.\n")
    for submission, page in pages.items():
        message.add_attachment(page, subtype="html", filename=f"{submission.problem_set}.html")
    return message


def _free(folder: Path, stem: str, suffix: str) -> Path:
    number = 1
    while (path := folder / f"{stem}-{number}{suffix}").exists():
        number += 1
    return path
