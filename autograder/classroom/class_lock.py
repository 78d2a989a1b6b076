"""One command at a time in a class: what each writes, another would read half done.

The lock is one of the system's on a file in the class directory, so it ends with the process that holds it, however that
ends. The file says who holds it, so that a second command can say so.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from autograder.classroom.directory import unwritable
from autograder.common.atomic_files import NO_ROOM
from autograder.common.errors import AutograderError
from autograder.common.text import printable

#: The file in a class directory that is locked; it is there while a command runs.
NAME = ".in-use"
#: Characters of the file that are read; a holder's line has about a hundred.
MAX_LINE = 1_000


@contextlib.contextmanager
def class_lock(root: Path, command: str) -> Iterator[None]:
    """Keep a class for one command.

    Parameters
    ----------
    root : Path
        The class directory. If it does not exist, it is made, and removed again if the command leaves it empty.
    command : str
        What runs, for the sentence that another is told.

    Raises
    ------
    AutograderError
        Another process holds the class; the text says which. Or the class cannot be written to.
    """
    path, new = root / NAME, not root.exists()
    descriptor = _acquire(root, path)
    try:
        _sign(descriptor, command)
        yield
    finally:
        # While it is still locked: a command that waits on the deleted file notices, and makes a new one.
        with contextlib.suppress(OSError):
            path.unlink()
            if new:
                root.rmdir()
        os.close(descriptor)


def _acquire(root: Path, path: Path) -> int:
    while True:
        try:
            # On a machine that students use, too, nobody else may read their work, the marks and the hidden tests.
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise unwritable(error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
            os.close(descriptor)  # its holder has just ended, and taken the name away
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise AutograderError(
                f"The class {root} is in use: {holder}; wait until it has ended, or end it. Nothing was done."
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise AutograderError(
                f"The class directory {root} cannot be locked ({error.strerror}), so that nothing keeps two graders "
                "apart; move the class to a disk of this machine."
            ) from None


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except OSError:
        return False


def _sign(descriptor: int, command: str) -> None:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        user = f"user {os.geteuid()}"
    holder = {
        "command": command,
        "process": os.getpid(),
        "user": user,
        "host": socket.gethostname(),
        "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
    }
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise unwritable(error) from None
        raise


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, MAX_LINE, 0))
        command, process, user, host, since = (
            printable(str(holder[key])) for key in ("command", "process", "user", "host", "since")
        )
        return f"autograder {command} runs as process {process} of {user} on {host} since {since}"
    except (OSError, ValueError, KeyError, TypeError):  # it is just signing, or cannot be read
        return "another process holds it"
