"""Moodle's grading worksheet of an assignment, a CSV: the participants' numbers in it, their addresses, and when they handed in.

The numbers are those in the names of the files that Moodle packs, and no other assignment has them. The time is that of the
last change, to the minute, in the time zone of the profile of whoever downloaded the worksheet, which it does not name.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from babel.dates import get_month_names

from autograder.classroom.roster import column_meant, read_table
from autograder.common.errors import AutograderError
from autograder.common.text import printable

#: Headers of the worksheet, in the languages in which rosters are read.
IDENTIFIER = ("identifier", "id", "id-nummer", "teilnehmer-id", "标识符", "编号")
GRADE = ("grade", "bewertung", "成绩", "分数")
MAXIMUM = ("maximum grade", "bestwertung", "beste bewertung", "maximale bewertung", "最高成绩", "最高分")
EMAIL = ("email address", "e-mail-adresse", "e-mail", "电子邮件地址", "邮箱")
_HANDED_IN = (
    "last modified (submission)",
    "zuletzt geändert (abgabe)",
    "最后修改（学生）",
    "最后修改(学生)",
    "最后修改（提交）",
    "最后修改(提交)",
)
#: Columns of a roster under which a worksheet tells who a participant is.
_WHO = ("student_id", "login", "email")
#: What stands for a time where nothing was handed in.
_NOTHING = ("", "-")
_MONTHS = {
    name.casefold(): month
    for language in ("en", "de")
    for month, name in get_month_names("wide", "format", language).items()
}
_HOUR = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?: (?P<half>[AP]M))?"
#: A time as Moodle words it: in English, also that of the United States, in German and in Chinese.
_TIMES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:[^\W\d]+, )?(?P<day>\d{{1,2}})\.? (?P<month>[^\W\d]+) (?P<year>\d{{4}}), {_HOUR}",
        rf"(?:[^\W\d]+, )?(?P<month>[^\W\d]+) (?P<day>\d{{1,2}}), (?P<year>\d{{4}}), {_HOUR}",
        rf"(?P<year>\d{{4}})年 ?(?P<month>\d{{1,2}})月 ?(?P<day>\d{{1,2}})日,? ?(?:(?:星期|周)\w)?,? ?{_HOUR}",
    )
]


@dataclass
class Worksheet:
    """What a grading worksheet tells.

    Attributes
    ----------
    name : str
        Name of its file.
    times : dict of str to datetime
        By Moodle's number of the participant; without a zone, since the worksheet names none.
    logins : dict of str to tuple of str
        By number: user name, ID number and address, as far as the worksheet has them.
    numbers : set of str
        All of them.
    unread : dict of str to str
        By number, times that could not be read, each with its line.
    """

    name: str
    times: dict[str, datetime] = field(default_factory=dict)
    logins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)


def place(header: Sequence[str], names: Iterable[str]) -> int | None:
    """Return where a column stands that has one of these names; None if there is none."""
    return next((place for name in names for place, title in enumerate(header) if title.casefold() == name), None)


def number_of(identifier: str) -> str:
    """Return Moodle's number in "Participant 1234567", the word in the site's language; empty if there is none."""
    digits = re.search(r"(\d+)\s*$", identifier)
    return digits[1] if digits else ""


def read_worksheet(path: Path) -> Worksheet:
    """Read a grading worksheet.

    Raises
    ------
    AutograderError
        It cannot be read, or is none.
    """
    rows = read_table(path, "grading worksheet")
    _, header = next(rows, (1, []))
    identifier, handed_in = place(header, IDENTIFIER), place(header, (name.casefold() for name in _HANDED_IN))
    if identifier is None or handed_in is None:
        raise AutograderError(
            f"{path} is not Moodle's grading worksheet: its first line names no identifier or no time of the submission."
        )
    who = [column for column, title in enumerate(header) if column_meant(title) in _WHO and column != identifier]
    worksheet = Worksheet(path.name)
    for line, cells in rows:
        cells += [""] * (len(header) - len(cells))
        number, text = number_of(cells[identifier]), cells[handed_in]
        if not number:
            continue
        worksheet.numbers.add(number)
        worksheet.logins[number] = tuple(cells[column] for column in who if cells[column])
        if text in _NOTHING:
            continue
        try:
            worksheet.times[number] = read_time(text)
        except ValueError:
            worksheet.unread[number] = f"line {line}: {printable(text)[:60]!r} is not a time as Moodle writes it"
    return worksheet


def read_time(text: str) -> datetime:
    """Read a time as Moodle words it: ``Monday, 12 October 2026, 11:50 PM``.

    Raises
    ------
    ValueError
        It is worded in another way.
    """
    text = " ".join(text.split())
    for pattern in _TIMES:
        if match := pattern.fullmatch(text):
            month = match["month"]
            number = int(month) if month.isdecimal() else _MONTHS.get(month.casefold(), 0)
            with contextlib.suppress(ValueError):
                return datetime(int(match["year"]), number, int(match["day"]), _hour(match), int(match["minute"]))
    raise ValueError(f"{text!r} is not a time as Moodle writes it")


def _hour(match: re.Match[str]) -> int:
    hour, half = int(match["hour"]), (match["half"] or "").upper()
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"there is no hour {hour} {half}")
    return hour % 12 + 12 * (half == "PM")
