"""What the processes of a submission use, as /proc tells whoever watches them; each may end while it is looked at."""

from __future__ import annotations

import contextlib
import math
import os

from autograder.engine.shared import isolation


class Usage:
    """The processes of a submission.

    Parameters
    ----------
    runner : int
        The process that started all of them.
    own : set of int, optional
        In a sandbox, the processes there that are not the submission's. Without a sandbox, its processes are those of the
        runner's session, among all the machine's others.
    """

    def __init__(self, runner: int, own: set[int] | None):
        self.runner, self.own = runner, own

    def processes(self) -> list[int]:
        """Return the ids of those that are alive."""
        return _processes_but(self.own) if self.own else _session(self.runner)

    def processor(self) -> float:
        """Return the seconds of processor time of the submission's processes and of those that they have waited for."""
        total = 0.0
        for process in self.processes():
            total += isolation.processor_seconds(process)
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{process}/stat", "rb") as file:
                fields = file.read().rsplit(b")", 1)[1].split()
                total += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        return total

    def states(self) -> set[bytes]:
        """Return in which states the threads are: R, running or waiting for a turn, or D, for a disk, or others."""
        found = set()
        for process in self.processes():
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{process}/task"):
                    with (
                        contextlib.suppress(OSError, IndexError),
                        open(f"/proc/{process}/task/{thread}/stat", "rb") as file,
                    ):
                        found.add(file.read().rsplit(b")", 1)[-1].split()[0])
        return found

    def memory(self) -> int:
        """Return the bytes that the submission's processes hold, counting what they share once."""
        # The proportional set size: a page shared by two processes counts half for each.
        return sum(_memory(f"/proc/{process}/smaps_rollup", ("Pss:", "SwapPss:")) for process in self.processes())


def own_memory() -> int:
    """Return the bytes of memory that this process holds, with what it shares."""
    return _memory("/proc/self/smaps_rollup", ("Rss:",))


def processor_limit(process: int) -> float:
    """Return the seconds of processor time after which the kernel kills a process, which may have ended."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/limits", encoding="ascii") as limits:
        for line in limits:
            if line.startswith("Max cpu time"):
                return min(float(limit.replace("unlimited", "inf")) for limit in line.split()[3:5])
    return math.inf


def _processes_but(own: set[int]) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in own]


def _session(leader: int) -> list[int]:
    found = []
    for process in _processes_but(set()):
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{process}/stat", "rb") as file:
            if int(file.read().rsplit(b")", 1)[1].split()[3]) == leader:
                found.append(process)
    return found


def _memory(path: str, fields: tuple[str, ...]) -> int:
    try:
        with open(path, encoding="ascii") as rollup:
            return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith(fields))
    except (OSError, IndexError, ValueError):
        return 0  # it has ended in the meantime
