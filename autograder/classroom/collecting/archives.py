"""Files as people hand them in: in zips, in zips within zips, in folders. Read with limits, and never extracted by name.

What cannot be read safely is passed on with a reason, so that nothing is lost in silence. A zip's own words about sizes
are not believed; only what comes out is counted.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.common.errors import AutograderError
from autograder.common.text import printable
from autograder.common.untrusted_files import read_regular_file

#: As in grading: a notebook with its figures has a few hundred kilobytes. A zip within a zip may be as large.
MAX_FILE_BYTES = 20_000_000
#: Files of one hand-in, and bytes that they may unpack to. Each hand-in has its own: one student's files stop no other's.
MAX_FILES, MAX_BYTES = 2_000, 200_000_000
#: Entries of one archive: ten thousand students with a hundred files each have no more.
MAX_ENTRIES = 1_000_000
#: A platform's zip holds a student's zip; deeper than that nobody means it.
MAX_DEPTH = 2
#: Bytes of a name, and of a path: what disks hold. In a zip, a name may have 65,535 letters, each a piece to be compared.
MAX_NAME, MAX_PATH = 255, 4_096
#: Files that operating systems and Jupyter leave behind.
LITTER = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".ipynb_checkpoints"}
#: What Python raises for a zip that is damaged.
_BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error, EOFError)


@dataclass(frozen=True)
class Member:
    """A file that was handed in.

    Attributes
    ----------
    trail : tuple of str
        Where it was found, from the outside in: the archive's own name, the path in it, the path in a zip within it.
    archive : Path
        What was named on the command line.
    time : datetime or None
        What the archive says about when the file was written, in UTC; of what is in a zip that was handed in, about that
        zip: the times within it are those that the student's computer had, or was told.
    data : bytes
        Its content; empty where there is a problem.
    problem : str
        Why it could not be read, in words that end a sentence.
    """

    trail: tuple[str, ...]
    archive: Path
    time: datetime | None = None
    data: bytes = b""
    problem: str = ""

    @property
    def path(self) -> str:
        """The path in the innermost archive."""
        return self.trail[-1]

    def __str__(self) -> str:
        return printable(": ".join(self.trail))


class _TooMuchError(Exception):
    """A hand-in is over a limit; the text says which, in words that follow its name."""


def is_litter(path: str) -> bool:
    """Whether the operating system or Jupyter left this file behind."""
    parts = PurePosixPath(path.casefold()).parts
    return any(part in LITTER for part in parts) or (bool(parts) and parts[-1].startswith("._"))


def outermost(path: Path, wanted: Callable[[list[str]], str] = lambda paths: "") -> tuple[list[str], bytes]:
    """List what is named on the command line, by the outermost paths alone, without the litter of systems and Jupyter.

    Parameters
    ----------
    path : Path
        A zip, a folder or a single file.
    wanted : callable
        Chooses the one file to read from all paths; an empty text for none.

    Returns
    -------
    tuple of (list of str, bytes)
        The paths as `members` gives them, and the content of the wanted file; empty where it cannot be read.

    Raises
    ------
    AutograderError
        There is no such file, or it may not be read.
    """
    found: list[str] = []
    data = b""
    try:
        if path.is_dir():
            names = {_shown(name.relative_to(path)): name for name in _names_in(path)}
            found = [name for name in names if not is_litter(name)]
            if chosen := wanted(found):
                with contextlib.suppress(OSError):
                    data = read_regular_file(names[chosen], MAX_FILE_BYTES)[:MAX_FILE_BYTES]
        elif _is_zip(path):
            with open(path, "rb") as file, zipfile.ZipFile(file) as opened:
                entries = {_path(info): info for info in opened.infolist()[:MAX_ENTRIES]}
                found = [name for name in entries if not name.endswith("/") and not is_litter(name)]
                chosen = wanted(found)
                if chosen and not _refusal(entries[chosen], chosen):
                    data = _content(opened, entries[chosen], _Budget())[0]
        else:
            found = [path.name]
    except _BROKEN_ZIP:
        pass  # `members` says so
    except OSError as error:
        raise AutograderError(f"{printable(str(path))} cannot be read: {error.strerror or error}.") from None
    return found, data


def members(
    path: Path,
    zone: tzinfo | None,
    skipped: Callable[[], None] = lambda: None,
    hand_in: Callable[[str], Hashable] = lambda path: path,
) -> Iterator[Member]:
    """Go through what is named on the command line: a zip, a folder or a single file.

    Parameters
    ----------
    path : Path
        The zip, folder or file.
    zone : tzinfo or None
        The zone of times in zips, which do not tell it; None for that of this computer.
    skipped : callable
        Told of each file that is left out as litter.
    hand_in : callable
        Tells from a file's outermost path which hand-in it belongs to; each has its own limits.

    Raises
    ------
    AutograderError
        There is no such file, or it may not be read.
    """
    budgets: dict[Hashable, _Budget] = defaultdict(_Budget)
    try:
        if path.is_dir():
            for name in _names_in(path):
                trail = (path.name or str(path), _shown(name.relative_to(path)))
                yield from _within(budgets[hand_in(trail[1])], trail, path, _loose, name, path, trail, zone, skipped)
        elif _is_zip(path):
            with open(path, "rb") as file:
                yield from _zip(file, path, (path.name,), lambda name: budgets[hand_in(name)], zone, skipped)
        else:
            trail = (path.name,)
            yield from _within(budgets[hand_in(path.name)], trail, path, _loose, path, path, trail, zone, skipped)
    except OSError as error:
        raise AutograderError(f"{printable(str(path))} cannot be read: {error.strerror or error}.") from None


def _is_zip(path: Path) -> bool:
    return path.suffix.casefold() == ".zip" or (path.suffix.casefold() != ".ipynb" and zipfile.is_zipfile(path))


def _shown(path: Path) -> str:
    return os.fsencode(path).decode(errors="replace")


class _Budget:
    """What a hand-in has used of its limits."""

    def __init__(self) -> None:
        self.files = self.bytes = 0
        self.over = False

    def count_file(self) -> None:
        self.files += 1
        if self.files > MAX_FILES:
            raise _TooMuchError(f"holds more than {MAX_FILES} files; what follows was not read")

    def count_bytes(self, number: int) -> None:
        self.bytes += number
        if self.bytes > MAX_BYTES:
            raise _TooMuchError(f"unpacks to more than {MAX_BYTES / 1_000_000:g} MB; what follows was not read")


def _within(
    budget: _Budget, trail: tuple[str, ...], archive: Path, read: Callable[..., Iterator[Member]], *arguments: object
) -> Iterator[Member]:
    """Read on as long as a hand-in is within its limits; say once that it is not."""
    if budget.over:
        return
    try:
        yield from read(*arguments, budget)
    except _TooMuchError as error:
        budget.over = True
        yield Member(trail, archive, problem=str(error))


def _names_in(root: Path) -> Iterator[Path]:
    """Go through the files below a folder, links included, in the same order each time."""

    def complain(error: OSError) -> None:
        raise error

    for folder, names, files in os.walk(root, onerror=complain):
        names.sort()
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*files, *links]):
            yield Path(folder, name)


def _loose(
    path: Path, archive: Path, trail: tuple[str, ...], zone: tzinfo | None, skipped: Callable[[], None], budget: _Budget
) -> Iterator[Member]:
    if is_litter(trail[-1]):
        skipped()
        return
    budget.count_file()
    try:
        # A link may lead to a file of the instructor's; a pipe would never end. The path on the command line may be a link.
        follow = 0 if path == archive else os.O_NOFOLLOW
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | follow)
    except OSError as error:
        problem = "is a link, and links are not followed" if path.is_symlink() else f"cannot be read: {error.strerror}"
        if path == archive:
            raise
        yield Member(trail, archive, problem=problem)
        return
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        time = _moment(int(status.st_mtime))
        if not stat.S_ISREG(status.st_mode):
            yield Member(trail, archive, problem="is not a regular file")
        elif path.suffix.casefold() == ".zip":
            for member in _zip(file, archive, trail, lambda name: budget, zone, skipped):
                yield replace(member, time=time)
        else:
            data = file.read(MAX_FILE_BYTES + 1)
            if len(data) > MAX_FILE_BYTES:
                yield Member(trail, archive, time, problem=_too_large())
            else:
                budget.count_bytes(len(data))
                yield Member(trail, archive, time, data)


def _too_large() -> str:
    return f"has more than {MAX_FILE_BYTES // 1_000_000} MB; its outputs should be cleared"


def _zip(
    file: IO[bytes],
    archive: Path,
    trail: tuple[str, ...],
    budget_of: Callable[[str], _Budget],
    zone: tzinfo | None,
    skipped: Callable[[], None],
    depth: int = 1,
) -> Iterator[Member]:
    """Go through the files of a zip."""
    try:
        opened = zipfile.ZipFile(file)
    except _BROKEN_ZIP as error:
        yield Member(trail, archive, problem=f"is not a zip that can be read ({printable(str(error))})")
        return
    with opened:
        entries = opened.infolist()
        for info in entries[:MAX_ENTRIES]:
            path = _path(info)
            if path.endswith("/"):
                continue
            if is_litter(path):
                skipped()
                continue
            inner, budget = (*trail, path), budget_of(path)
            if depth == 1 and len(trail) == 1:
                yield from _within(budget, inner, archive, _entry, opened, info, archive, inner, zone, skipped, depth)
            else:  # a zip within a hand-in: its limits are those of the hand-in
                yield from _entry(opened, info, archive, inner, zone, skipped, depth, budget)
        if len(entries) > MAX_ENTRIES:
            yield Member(trail, archive, problem=f"holds more than {MAX_ENTRIES} files; what follows was not read")


def _entry(
    opened: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    archive: Path,
    trail: tuple[str, ...],
    zone: tzinfo | None,
    skipped: Callable[[], None],
    depth: int,
    budget: _Budget,
) -> Iterator[Member]:
    path = trail[-1]
    budget.count_file()
    problem, data, time = _refusal(info, path), b"", _time(info, zone)
    if not problem:
        data, problem = _content(opened, info, budget)
    if not problem and path.casefold().endswith(".zip"):
        if depth < MAX_DEPTH:
            for member in _zip(io.BytesIO(data), archive, trail, lambda name: budget, zone, skipped, depth + 1):
                yield replace(member, time=time)
            return
        problem = "is a zip within a zip within a zip"
    yield Member(trail, archive, time, b"" if problem else data, problem)


def _path(info: zipfile.ZipInfo) -> str:
    """Return a member's path; where the zip does not say its encoding, it is UTF-8 if that is possible."""
    # The name as it was written: `filename` ends at a NUL, which would let "a.ipynb\0.exe" pass for a notebook.
    name = info.orig_filename
    if not info.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _refusal(info: zipfile.ZipInfo, path: str) -> str:
    """Say what is wrong with a member before it is read."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or (len(path) > 1 and path[1] == ":"):
        return "has a path that leads out of the archive"
    if "\0" in path or len(path.encode("utf-8", "replace")) > MAX_PATH:
        return "has a name that no file can have"
    if any(len(part.encode("utf-8", "replace")) > MAX_NAME for part in parts):
        return "has a name that no file can have"
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link, and links are not followed" if stat.S_ISLNK(mode) else "is not a regular file"
    if info.flag_bits & 1:
        return "is encrypted"
    # Other methods are rare, and may ask for gigabytes of memory before the first byte comes out.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed by a method other than zip's usual one"
    return ""


def _content(opened: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget) -> tuple[bytes, str]:
    """Read a member; return its content and what is wrong with it."""
    parts: list[bytes] = []
    size = 0
    try:
        with opened.open(info) as file:
            while part := file.read(1 << 20):
                size += len(part)
                budget.count_bytes(len(part))
                if size > MAX_FILE_BYTES:
                    return b"", _too_large()
                parts.append(part)
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, struct.error
    ) as error:  # fmt: skip
        return b"", f"is damaged ({printable(str(error))[:100]})"
    return b"".join(parts), ""


def _moment(seconds: int) -> datetime | None:
    """Return a moment in UTC; None for a year that no calendar here has, though a disk may."""
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


def _time(info: zipfile.ZipInfo, zone: tzinfo | None) -> datetime | None:
    """Return when a member was written, in UTC.

    The usual field has no zone and steps of two seconds; Info-ZIP's extra field 0x5455 has seconds since 1970 UTC.
    """
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 0x5455 and length >= 5 and len(extra) >= 9 and extra[4] & 1:
            seconds = struct.unpack_from("<i", extra, 5)[0]
            return _moment(seconds) if seconds > 0 else None
        extra = extra[4 + length :]
    if info.date_time[0] <= 1980:  # the first year of the format: written where no time is known
        return None
    try:
        return datetime(*info.date_time, tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
