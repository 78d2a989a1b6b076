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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.common.errors import AutograderError
from autograder.common.text import printable

#: As in grading: a notebook with its figures has a few hundred kilobytes. A zip within a zip may be as large.
MAX_FILE_BYTES = 20_000_000
#: Files of one archive, those of zips within it included: a thousand students with a few files each have fewer.
MAX_FILES = 20_000
#: Bytes that one archive may unpack to: a thousand notebooks with large figures have less.
MAX_TOTAL_BYTES = 4_000_000_000
#: The same for a zip within it: one student's files stop no other's.
MAX_INNER_FILES, MAX_INNER_BYTES = 2_000, 200_000_000
#: Deflate reaches 1,032 at most; a notebook with much repetition stays far below this. Small files are spared.
MAX_RATIO, RATIO_FROM_BYTES = 200, 1_000_000
#: A platform's zip holds a student's zip; deeper than that nobody means it.
MAX_DEPTH = 2
#: Bytes of a name, and of a path: what disks hold. In a zip, a name may have 65,535 letters, each a piece to be compared.
MAX_NAME, MAX_PATH = 255, 4_096
#: What systems and Jupyter leave beside the files that people mean.
LITTER = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".ipynb_checkpoints"}


@dataclass(frozen=True)
class Member:
    """A file that was handed in.

    Attributes
    ----------
    trail : tuple of str
        Where it lay, from the outermost: the archive's own name, the path in it, the path in a zip within it.
    archive : Path
        What was named on the command line.
    order : int
        Its place among the files of the archive.
    time : datetime or None
        What the archive says about when the file was written, in UTC.
    data : bytes
        Its content; empty where there is a problem.
    problem : str
        Why it could not be read, in words that end a sentence.
    """

    trail: tuple[str, ...]
    archive: Path
    order: int
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
    """An archive is over a limit; the text says which.

    Parameters
    ----------
    budget : _Budget
        That of the archive.
    text : str
        What is wrong with it, in words that follow its name.
    """

    def __init__(self, budget: _Budget, text: str):
        super().__init__(f"{text}; what follows was not read")
        self.budget = budget


def is_litter(path: str) -> bool:
    """Whether a file is one that a system, or Jupyter, left there by itself."""
    parts = PurePosixPath(path.casefold()).parts
    return any(part in LITTER for part in parts) or (bool(parts) and parts[-1].startswith("._"))


def members(path: Path, zone: tzinfo | None, skipped: Callable[[], None] = lambda: None) -> Iterator[Member]:
    """Go through what is named on the command line: a zip, a folder or a single file.

    Parameters
    ----------
    path : Path
        The zip, folder or file.
    zone : tzinfo or None
        The zone of times in zips, which do not tell it; None for that of this computer.
    skipped : callable
        Told of each file that is left out as litter.

    Raises
    ------
    AutograderError
        There is no such file, or it may not be read.
    """
    try:
        if path.is_dir():
            yield from _folder(path, zone, skipped)
        elif path.suffix.casefold() == ".zip" or (path.suffix.casefold() != ".ipynb" and zipfile.is_zipfile(path)):
            budget = _Budget()
            with open(path, "rb") as file:
                yield from _zip(file, path, (path.name,), budget, zone, skipped)
        else:
            yield from _loose(path, path, (path.name,), _Budget(), zone, skipped)
    except OSError as error:
        raise AutograderError(f"{printable(str(path))} cannot be read: {error.strerror or error}.") from None


class _Budget:
    """What an archive has used of its limits; what a zip within it uses counts for both.

    Parameters
    ----------
    outer : _Budget, optional
        That of the archive in which this one lies.
    """

    def __init__(self, outer: _Budget | None = None):
        self.outer = outer
        self.files = self.bytes = 0
        self.most_files, self.most_bytes = (MAX_INNER_FILES, MAX_INNER_BYTES) if outer else (MAX_FILES, MAX_TOTAL_BYTES)

    def count_file(self) -> int:
        """Count a file; return its place among all of the outermost archive."""
        self.files += 1
        if self.files > self.most_files:
            raise _TooMuchError(self, f"holds more than {self.most_files} files")
        return self.outer.count_file() if self.outer else self.files

    def count_bytes(self, number: int) -> None:
        self.bytes += number
        if self.bytes > self.most_bytes:
            raise _TooMuchError(self, f"unpacks to more than {self.most_bytes // 1_000_000} MB")
        if self.outer:
            self.outer.count_bytes(number)

    @property
    def place(self) -> int:
        """The place of the last file that was counted."""
        return self.outer.place if self.outer else self.files


def _folder(root: Path, zone: tzinfo | None, skipped: Callable[[], None]) -> Iterator[Member]:
    budget = _Budget()

    def complain(error: OSError) -> None:
        raise error

    try:
        for folder, names, files in os.walk(root, onerror=complain):
            names.sort()
            links = [name for name in names if os.path.islink(os.path.join(folder, name))]
            for name in sorted([*files, *links]):
                path = Path(folder, name)
                trail = (root.name or str(root), os.fsencode(path.relative_to(root)).decode(errors="replace"))
                yield from _loose(path, root, trail, budget, zone, skipped)
    except _TooMuchError as error:
        yield Member((root.name,), root, budget.files, problem=str(error))


def _loose(
    path: Path, archive: Path, trail: tuple[str, ...], budget: _Budget, zone: tzinfo | None, skipped: Callable[[], None]
) -> Iterator[Member]:
    if is_litter(trail[-1]):
        skipped()
        return
    order = budget.count_file()
    try:
        # A link may lead to a file of whoever runs this; a pipe would never end. What was named itself may be a link.
        follow = 0 if path == archive else os.O_NOFOLLOW
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | follow)
    except OSError as error:
        problem = "is a link, and links are not followed" if path.is_symlink() else f"cannot be read: {error.strerror}"
        if path == archive:
            raise
        yield Member(trail, archive, order, problem=problem)
        return
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        time = _moment(int(status.st_mtime))
        if not stat.S_ISREG(status.st_mode):
            yield Member(trail, archive, order, problem="is not a regular file")
        elif path.suffix.casefold() == ".zip":
            yield from _zip(file, archive, trail, budget, zone, skipped)
        else:
            data = file.read(MAX_FILE_BYTES + 1)
            if len(data) > MAX_FILE_BYTES:
                yield Member(trail, archive, order, time, problem=_too_large())
            else:
                budget.count_bytes(len(data))
                yield Member(trail, archive, order, time, data)


def _too_large() -> str:
    return f"has more than {MAX_FILE_BYTES // 1_000_000} MB; its outputs should be cleared"


def _zip(
    file: IO[bytes],
    archive: Path,
    trail: tuple[str, ...],
    budget: _Budget,
    zone: tzinfo | None,
    skipped: Callable[[], None],
    depth: int = 1,
) -> Iterator[Member]:
    """Go through the files of a zip. A limit of its own ends it with a member that says so; one of the outermost, all."""
    try:
        opened = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error, OSError) as error:
        yield Member(
            trail, archive, budget.count_file(), problem=f"is not a zip that can be read ({printable(str(error))})"
        )
        return
    with opened:
        try:
            for info in opened.infolist():
                path = _path(info)
                if path.endswith("/"):
                    continue
                if is_litter(path):
                    skipped()
                    continue
                order, time, inner = budget.count_file(), _time(info, zone), (*trail, path)
                problem = _refusal(info, path)
                data = b""
                if not problem:
                    data, problem = _content(opened, info, budget)
                if not problem and path.casefold().endswith(".zip"):
                    if depth >= MAX_DEPTH:
                        problem = "is a zip within a zip within a zip"
                    else:
                        own = _Budget(budget)
                        yield from _zip(io.BytesIO(data), archive, inner, own, zone, skipped, depth + 1)
                        continue
                yield Member(inner, archive, order, time, b"" if problem else data, problem)
        except _TooMuchError as error:
            if error.budget is not budget:
                raise
            yield Member(trail, archive, budget.place, problem=str(error))


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
                if size > RATIO_FROM_BYTES and size > MAX_RATIO * max(info.compress_size, 1):
                    return b"", f"is compressed more than {MAX_RATIO} times, as a zip bomb is"
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
