"""Times that people and programs write into files of a class: read as ISO 8601 with a zone, or refused."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from autograder.common.errors import AutograderError


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its name, as ``Europe/London``.

    Raises
    ------
    AutograderError
        There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed (as "../x"), or a directory of zones
        raise AutograderError(f"There is no time zone {name!r}; write one as Europe/London, or UTC.") from None


def moment(text: str, zone_name: str = "") -> datetime:
    """Read a date with time and zone.

    Returns
    -------
    datetime
        In UTC, without a zone.

    Raises
    ------
    ValueError
        It is not a date, or has no time or zone; the text says which.
    """
    date, _, last = text.rpartition(" ")
    if date and last[:1].isalpha():
        text, zone_name = date, last
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date; write it as 2026-10-12T23:59+02:00") from None
    if len(text) < 11:
        raise ValueError(f"{text!r} has no time of the day; write it as 2026-10-12T23:59+02:00")
    if read.tzinfo is None:
        if not zone_name:
            raise ValueError(f"{text!r} has no time zone; write it as 2026-10-12T23:59+02:00 or add Europe/Berlin")
        try:
            read = read.replace(tzinfo=zone(zone_name))
        except AutograderError as error:
            raise ValueError(str(error).rstrip(".")) from None
    try:
        return read.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(f"{text!r} is out of the calendar's range") from None
