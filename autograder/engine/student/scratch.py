"""The files of a submission, as they were when each group of test cells came.

The snapshots of a submission share one scratch folder. Before a group is judged, the folder is put back as it was when the
group's snapshot was left: a later cell that rewrites a data file changes nothing for the tests before it.

Processes of the submission may run meanwhile, and put a link in the place of a folder between any two calls. So reading
follows no link, and writing has no more rights than they have.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

#: Folders in one another, and bytes of a path: both are walked by a recursive function, and paths have a limit of their own.
MAX_DEPTH, MAX_PATH = 60, 3_000


class TooMuchError(Exception):
    """The files of a submission, in all their states, are larger than what is kept."""


@dataclass(frozen=True)
class _Entry:
    """A file or folder: its kind and rights, and what it holds or links to."""

    mode: int
    content: bytes


class Scratch:
    """Keeps states of a folder and puts them back.

    Parameters
    ----------
    folder : str
        The folder.
    most : int
        Bytes of all states together; a file that has not changed counts once.
    rights : callable
        Returns a context manager in which this process writes.
    """

    def __init__(self, folder: str, most: int, rights: Callable[[], AbstractContextManager] = contextlib.nullcontext):
        self.folder, self.left, self._rights = folder, most, rights
        self._states: dict[int, dict[str, _Entry]] = {}
        self._read: dict[tuple, bytes] = {}

    def keep(self, number: int) -> None:
        """Keep the present state under a number.

        Raises
        ------
        TooMuchError
            There is no room for it.
        """
        self._states[number] = self._look()

    def put_back(self, number: int) -> None:
        """Put the state kept under a number back, unless the folder is as it was."""
        state = self._states[number]
        if self._look() == state:
            return
        with self._rights():
            self._write(state)

    def _write(self, state: dict[str, _Entry]) -> None:
        folders = [name for name, entry in state.items() if stat.S_ISDIR(entry.mode)]
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            # The working directory itself stays: processes stand in it.
            if name in folders and not os.path.islink(path) and os.path.isdir(path):
                _empty(path)
            else:
                _remove(path)
        for name, entry in state.items():  # a folder comes before what is in it
            path = os.path.join(self.folder, name)
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(entry.mode):
                    os.makedirs(path, mode=0o700, exist_ok=True)
                elif stat.S_ISLNK(entry.mode):
                    os.symlink(os.fsdecode(entry.content), path)
                else:
                    Path(path).write_bytes(entry.content)
                    os.chmod(path, stat.S_IMODE(entry.mode))
        for name in reversed(folders):  # only now, for one may not be written to
            with contextlib.suppress(OSError):
                os.chmod(os.path.join(self.folder, name), stat.S_IMODE(state[name].mode))

    def _look(self) -> dict[str, _Entry]:
        """Read the folder; no link is followed, and a file that has not changed is not read again."""
        found: dict[str, _Entry] = {}
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._look_into(handle, "", 0, found)
        finally:
            os.close(handle)
        return found

    def _look_into(self, folder: int, below: str, depth: int, found: dict[str, _Entry]) -> None:
        if depth > MAX_DEPTH or len(os.fsencode(below)) > MAX_PATH:
            raise TooMuchError
        for name in os.listdir(folder):
            place = os.path.join(below, name)
            # What has gone meanwhile, or may not be read, is left out.
            with contextlib.suppress(OSError):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    found[place] = _Entry(status.st_mode, self._content(name, folder, status))
                elif stat.S_ISLNK(status.st_mode):
                    found[place] = _Entry(status.st_mode, os.fsencode(os.readlink(name, dir_fd=folder)))
                elif stat.S_ISDIR(status.st_mode):
                    found[place] = _Entry(status.st_mode, b"")
                    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                    try:
                        self._look_into(inner, place, depth + 1, found)
                    finally:
                        os.close(inner)
                # A pipe or a socket holds nothing that could be kept.

    def _content(self, name: str, folder: int, status: os.stat_result) -> bytes:
        key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in self._read:
            if status.st_size > self.left:
                raise TooMuchError
            with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise OSError(None, "it has become something else meanwhile")
                self._read[key] = file.read(self.left + 1)
            self.left -= len(self._read[key])
        return self._read[key]


def _empty(path: str) -> None:
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)
    with contextlib.suppress(OSError):
        for name in os.listdir(path):
            _remove(os.path.join(path, name))


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        if os.path.isdir(path) and not os.path.islink(path):
            _empty(path)
            os.rmdir(path)
        else:
            os.unlink(path)
