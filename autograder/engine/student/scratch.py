"""The files of a submission, as they were when each group of test cells came.

The snapshots of a submission share one scratch folder. Before a group is judged, the folder is put back as it was when the
group's snapshot was left: a later cell that rewrites a data file changes nothing for the tests before it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path


class TooMuchError(Exception):
    """The files of a submission, in all their states, are larger than what is kept."""


@dataclass(frozen=True)
class _Entry:
    """A file or folder: its kind and rights, its owner, and what it holds or links to."""

    mode: int
    owner: tuple[int, int]
    content: bytes


class Scratch:
    """Keeps states of a folder and puts them back.

    Parameters
    ----------
    folder : str
        The folder.
    most : int
        Bytes of all states together; a file that has not changed counts once.
    """

    def __init__(self, folder: str, most: int):
        self.folder, self.left = folder, most
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
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            # The working directory itself stays: processes stand in it.
            if name in state and stat.S_ISDIR(state[name].mode) and not os.path.islink(path) and os.path.isdir(path):
                for inner in os.scandir(path):
                    _remove(inner.path)
            else:
                _remove(path)
        for name, entry in state.items():  # a folder comes before what is in it
            path = os.path.join(self.folder, name)
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(entry.mode):
                    os.makedirs(path, exist_ok=True)
                elif stat.S_ISLNK(entry.mode):
                    os.symlink(os.fsdecode(entry.content), path)
                else:
                    Path(path).write_bytes(entry.content)
                os.chown(path, *entry.owner, follow_symlinks=False)
                if not stat.S_ISLNK(entry.mode):
                    os.chmod(path, stat.S_IMODE(entry.mode))

    def _look(self) -> dict[str, _Entry]:
        """Read the folder; no link is followed, and a file that has not changed is not read again."""
        found: dict[str, _Entry] = {}
        for path, folders, files, handle in os.fwalk(self.folder, follow_symlinks=False):
            for name in [*folders, *files]:
                try:
                    status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                    content = b""
                    if stat.S_ISREG(status.st_mode):
                        content = self._content(name, handle, status)
                    elif stat.S_ISLNK(status.st_mode):
                        content = os.fsencode(os.readlink(name, dir_fd=handle))
                    elif not stat.S_ISDIR(status.st_mode):
                        continue  # a pipe or a socket holds nothing that could be kept
                except OSError:
                    continue  # gone meanwhile, or not to be read
                place = os.path.relpath(os.path.join(path, name), self.folder)
                found[place] = _Entry(status.st_mode, (status.st_uid, status.st_gid), content)
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


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
