"""The time zone of a class: that of times which do not tell theirs, as platforms write them into names and tables."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.result.moments import zone
from autograder.common.atomic_files import write_text

#: The file in the class directory that holds its name.
NAME = "timezone.txt"


def remember_zone(directory: ClassDirectory, name: str) -> ZoneInfo | None:
    """Return the zone of a class: the one named, which the class then remembers, or the one it remembers.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    name : str
        From the command line; empty where none was named.

    Returns
    -------
    ZoneInfo or None
        None where the class has none.

    Raises
    ------
    AutograderError
        There is no such zone.
    """
    kept = directory.root / NAME
    if name:
        found = zone(name)
        write_text(f"{name}\n", kept)
        return found
    return zone(kept.read_text(encoding="utf-8", errors="replace").strip()) if kept.is_file() else None
