"""Keeps a submission's files as they were at each group of test cells.

A submission's snapshots share one scratch folder. Before a group is judged, the folder is restored to its state when
the group's snapshot was made: a later cell that rewrites a data file changes nothing for the tests before it.

This code has rights that the submission lacks, and the submission's processes may still be running. So it reaches each
file and folder through its parent's descriptor, follows no links, and writes only to files that it created itself.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field

#: Maximum levels of folders. More would take more descriptors, and more of Python's stack, than this process has.
MAX_DEPTH = 50
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class TooMuchError(Exception):
    """A submission's files, in all their states, are too large or nested too deeply to keep."""


@dataclass(frozen=True)
class _Entry:
    """A file or folder: its kind and mode, its owner, and its contents or the target of a link."""

    mode: int
    owner: tuple[int, int]
    content: bytes = b""
    inside: dict[str, _Entry] = field(default_factory=dict)


class Scratch:
    """Keeps states of a folder and restores them.

    Parameters
    ----------
    folder : str
        The folder.
    most : int
        Maximum bytes of all states together; a file that has not changed counts once.
    """

    def __init__(self, folder: str, most: int):
        self.folder, self.left = folder, most
        self._states: dict[int, dict[str, _Entry]] = {}
        self._read: dict[tuple, bytes] = {}

    def keep(self, number: int) -> None:
        """Keep the current state under a number.

        Raises
        ------
        TooMuchError
            It is too large or too deep.
        """
        self._states[number] = self._look()

    def put_back(self, number: int) -> None:
        """Restore the state kept under a number, unless the folder has not changed.

        Raises
        ------
        TooMuchError
            The folder's contents are too large or too deep.
        """
        state = self._states[number]
        if self._look() == state:
            return
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _fill(handle, state, 0)
        finally:
            os.close(handle)

    def _look(self) -> dict[str, _Entry]:
        """Read the folder without following links, or reading an unchanged file again."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return self._inside(handle, 0)
        finally:
            os.close(handle)

    def _inside(self, folder: int, depth: int) -> dict[str, _Entry]:
        if depth > MAX_DEPTH:
            raise TooMuchError
        found: dict[str, _Entry] = {}
        for name in sorted(os.listdir(folder)):
            with contextlib.suppress(OSError):  # gone in the meantime, or unreadable
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                known = status.st_mode, (status.st_uid, status.st_gid)
                if stat.S_ISREG(status.st_mode):
                    found[name] = _Entry(*known, self._content(name, folder, status))
                elif stat.S_ISLNK(status.st_mode):
                    found[name] = _Entry(*known, os.fsencode(os.readlink(name, dir_fd=folder)))
                elif stat.S_ISDIR(status.st_mode):
                    with _opened(name, folder) as inner:
                        found[name] = _Entry(*known, inside=self._inside(inner, depth + 1))
                # A pipe or a socket has nothing to keep.
        return found

    def _content(self, name: str, folder: int, status: os.stat_result) -> bytes:
        key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in self._read:
            if status.st_size > self.left:
                raise TooMuchError
            with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb") as file:
                self._read[key] = file.read(self.left + 1)
            self.left -= len(self._read[key])
        return self._read[key]


@contextlib.contextmanager
def _opened(name: str, folder: int):
    handle = os.open(name, _FOLDER, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


def _fill(folder: int, state: dict[str, _Entry], depth: int) -> None:
    """Give a folder this content. Existing folders stay: processes may have them as their working directory."""
    if depth > MAX_DEPTH:
        raise TooMuchError
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            is_folder = stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
            if not is_folder:
                os.unlink(name, dir_fd=folder)
            elif name not in state or not stat.S_ISDIR(state[name].mode):
                with _opened(name, folder) as inner:
                    _fill(inner, {}, depth + 1)
                os.rmdir(name, dir_fd=folder)
    for name, entry in state.items():
        with contextlib.suppress(OSError):
            if stat.S_ISLNK(entry.mode):
                os.symlink(os.fsdecode(entry.content), name, dir_fd=folder)
                os.chown(name, *entry.owner, dir_fd=folder, follow_symlinks=False)
            elif stat.S_ISDIR(entry.mode):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folder)
                with _opened(name, folder) as inner:
                    _fill(inner, entry.inside, depth + 1)
                    _give(inner, entry)
            else:
                # Always a new file: if something else has appeared in its place, that is left alone.
                new = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                with open(os.open(name, new, 0o600, dir_fd=folder), "wb") as file:
                    file.write(entry.content)
                    file.flush()
                    _give(file.fileno(), entry)


def _give(handle: int, entry: _Entry) -> None:
    """Give a file or folder its owner and mode."""
    os.fchown(handle, *entry.owner)
    os.fchmod(handle, stat.S_IMODE(entry.mode))
