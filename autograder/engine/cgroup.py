"""Puts a student's process into a control group, where the system allows it: the group counts all memory, with buffers.

It also counts all processor time, even that of processes that nobody waits for. Without a group, a submission's memory
is checked every quarter of a second, what the kernel keeps for its sockets and pipes is bounded by their number alone,
and only processes that still run or were waited for are counted.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path


def _parent(controller: str = "memory") -> Path | None:
    """Return the folder of this process's own group under a controller, or None."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return None
    for line in lines:
        _, controllers, group = line.split(":", 2)
        for _, folder, kind, options, *_ in mounts:
            first = kind == "cgroup" and controller in controllers.split(",") and controller in options.split(",")
            second = kind == "cgroup2" and controllers == "" and (Path(folder) / "cgroup.controllers").is_file()
            if not (first or second):
                continue
            if second and controller not in (Path(folder) / "cgroup.controllers").read_text(encoding="ascii").split():
                continue
            path = Path(folder) / group.lstrip("/")
            return path if path.is_dir() else Path(folder)
    return None


class Cgroup:
    """A group of the memory controller, version 1 or 2.

    Parameters
    ----------
    path : Path
        Its folder.
    """

    def __init__(self, path: Path):
        self.path = path
        first = (path / "memory.limit_in_bytes").exists()
        self._limit = "memory.limit_in_bytes" if first else "memory.max"
        self._usage = "memory.usage_in_bytes" if first else "memory.current"
        self._events = "memory.oom_control" if first else "memory.events"
        #: In version 1, the same group under the controller that counts processor time; version 2 always counts it.
        self.counting: Path | None = None
        self._first = first

    @classmethod
    def make(cls, name: str) -> Cgroup | None:
        """Make a group next to this process's own, or return None if that is not allowed."""
        parent = _parent()
        if parent is None:
            return None
        path = parent / f"autograder-{os.getpid()}-{name}"
        for other in parent.glob("autograder-*-*"):  # left by a grader that was killed
            if not Path("/proc", other.name.split("-")[1]).exists():
                with contextlib.suppress(OSError):
                    other.rmdir()
        try:
            path.mkdir(exist_ok=True)
            group = cls(path)
            group._write(group._limit, group._read(group._limit))
            group._write("cgroup.procs", "")  # an empty line moves no process: this only tests whether we may write
        except (OSError, ValueError):
            with contextlib.suppress(OSError):
                path.rmdir()
            return None
        group._count_processor_time()
        return group

    def _count_processor_time(self) -> None:
        parent = _parent("cpuacct") if self._first else None
        if parent is None:
            return
        for other in parent.glob("autograder-*-*"):
            if not Path("/proc", other.name.split("-")[1]).exists():
                with contextlib.suppress(OSError):
                    other.rmdir()
        path = parent / self.path.name
        with contextlib.suppress(OSError):
            path.mkdir(exist_ok=True)
            (path / "cgroup.procs").write_text("", encoding="ascii")
            self.counting = path

    @property
    def members(self) -> list[Path]:
        """The files to which a process writes its id to join."""
        return [path / "cgroup.procs" for path in (self.path, self.counting) if path]

    def processor_seconds(self) -> float | None:
        """Return the processor time of all its processes, even of those that have ended; None if it is not counted."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            if self.counting:
                return int((self.counting / "cpuacct.usage").read_text(encoding="ascii")) / 1e9
            if not self._first:
                return int(dict(line.split() for line in self._read("cpu.stat").splitlines())["usage_usec"]) / 1e6
        return None

    def allow(self, further: int) -> None:
        """Allow this many bytes more than the group holds now."""
        with contextlib.suppress(OSError, ValueError):
            self._write(self._limit, str(int(self._read(self._usage)) + further))

    def killed(self) -> int:
        """Return how many processes have been killed for lack of memory."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return int(dict(line.split() for line in self._read(self._events).splitlines())["oom_kill"])
        return 0

    def remove(self) -> None:
        """Remove the group; its processes have ended or are about to."""
        for path in filter(None, (self.counting, self.path)):
            for _ in range(50):
                try:
                    path.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)
                else:
                    break

    def _read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="ascii").strip()

    def _write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="ascii")
