"""The files of a submission, as they were when each group of test cells came.

The snapshots of a submission share one scratch folder. Before a group is judged, the folder is put back as it was when the
group's snapshot was left: a later cell that rewrites a data file changes nothing for the tests before it.

Whoever reads and writes here has rights that the submission lacks, while processes of the submission may still run. So each
file and folder is reached from its folder's descriptor, no link is followed, and nothing is written but to a file made here.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field

#: Levels of folders. Deeper ones would take more descriptors, and more of Python's stack, than this process has.
MAX_DEPTH = 50
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class TooMuchError(Exception):
    """The files of a submission, in all their states, are larger or lie deeper than what is kept."""


@dataclass(frozen=True)
class _Entry:
    """A file or folder: its kind and rights, its owner, and what it holds or links to."""

    mode: int
    owner: tuple[int, int]
    content: bytes = b""
    inside: dict[str, _Entry] = field(default_factory=dict)


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
        """Put the state kept under a number back, unless the folder is as it was.

        Raises
        ------
        TooMuchError
            The folder holds more than what is kept.
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
        """Read the folder; no link is followed, and a file that has not changed is not read again."""
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
            with contextlib.suppress(OSError):  # gone meanwhile, or not to be read
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                known = status.st_mode, (status.st_uid, status.st_gid)
                if stat.S_ISREG(status.st_mode):
                    found[name] = _Entry(*known, self._content(name, folder, status))
                elif stat.S_ISLNK(status.st_mode):
                    found[name] = _Entry(*known, os.fsencode(os.readlink(name, dir_fd=folder)))
                elif stat.S_ISDIR(status.st_mode):
                    with _opened(name, folder) as inner:
                        found[name] = _Entry(*known, inside=self._inside(inner, depth + 1))
                # A pipe or a socket holds nothing that could be kept.
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
    """Give a folder this content. A folder that was there stays: processes may stand in it."""
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
                # Its own file: where something has come to lie in its place meanwhile, that stays as it is.
                new = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                with open(os.open(name, new, 0o600, dir_fd=folder), "wb") as file:
                    file.write(entry.content)
                    file.flush()
                    _give(file.fileno(), entry)


def _give(handle: int, entry: _Entry) -> None:
    """Give a file or folder its owner and rights."""
    os.fchown(handle, *entry.owner)
    os.fchmod(handle, stat.S_IMODE(entry.mode))
