"""Watches a submission run: what it uses, how long it sleeps, and what the grader asks meanwhile."""

from __future__ import annotations

import json
import os
import select
import socket
import time

from autograder.engine.shared.limits import Limits
from autograder.engine.student.scratch import Scratch
from autograder.engine.student.usage import Usage

#: Seconds between checks on what a submission uses.
LOOK = 0.25
#: Seconds in which a runner that closed its connection also ends, unless it closed only the connection.
LAST = 5.0
#: How long a submission may wait for a disk, as a multiple of a cell's time limit. Beyond that, it sleeps: whoever waits
#: for a process started by vfork looks the same, and may do so for as long as she likes.
DISK = 3.0
#: Maximum bytes of a message of the grader: a task, a cell to compile, a request.
MESSAGE = 262_144


class Watch:
    """Watches one submission, from its runner's start until that ends, or must end.

    Parameters
    ----------
    usage : Usage
        Its processes.
    limits : Limits
        What they may use together.
    memory : int, optional
        How many bytes they may hold; by default, a control group counts them.
    control : socket
        Brings the grader's requests, and takes the answers.
    scratch : Scratch
        The submission's files, which the grader may have kept and put back.

    Attributes
    ----------
    ended : bool
        Whether the runner ended by itself.
    reason : str
        Which limit was exceeded: ``processor``, ``memory`` or ``files``; empty if none was.
    """

    def __init__(self, usage: Usage, limits: Limits, memory: int | None, control: socket.socket, scratch: Scratch):
        self.usage, self.limits, self.memory, self.control, self.scratch = usage, limits, memory, control, scratch
        self.ended, self.reason = False, ""
        self._runner = os.pidfd_open(usage.runner)
        self._asleep, self._disk = 0.0, DISK * limits.cell_seconds
        self._seen, self._processor = time.monotonic(), 0.0

    def until_the_end(self) -> None:
        """Watch until the runner ends, nobody listens any more, or a limit is exceeded."""
        listened = True
        while listened and not self.reason:
            ready, _, _ = select.select([self._runner, self.control], [], [], LOOK)
            if self._runner in ready:
                self.ended = True
                return
            self._look()
            if self.control in ready:
                listened = self._answer()
            else:
                self.reason = self._exceeded()

    def _look(self) -> None:
        """Notice what the submission has used since the last look, and whether it slept, unless that was just now."""
        now = time.monotonic()
        if now - self._seen <= LOOK / 2:
            return
        used = self.usage.processor()
        # On a busy machine, processes that want to run are still runnable: the others are asleep.
        idle = max(0.0, now - self._seen - max(0.0, used - self._processor))
        states = self.usage.states()
        if b"R" not in states:
            if b"D" in states and self._disk > 0:
                self._disk -= idle
            else:
                self._asleep += idle
        self._seen, self._processor = now, used

    def _answer(self) -> bool:
        """Do what the grader asks with the submission's files, and tell what was used; False if nobody asks any more."""
        message = self.control.recv(MESSAGE)
        if not message:
            return False
        request = json.loads(message)
        if "gone" in request:
            select.select([self._runner], [], [], LAST)
        try:
            if "keep" in request:
                self.scratch.keep(request["keep"])
            elif "put back" in request:
                self.scratch.put_back(request["put back"])
        except Exception:  # too many files, or impossible to walk through: not the machine's fault
            self.reason = "files"
            return True
        # A control group also counts this process's own time, which is not the submission's.
        reply = {"processor": self.usage.processor(), "own": time.process_time(), "asleep": self._asleep}
        self.control.send(json.dumps(reply).encode())
        return True

    def _exceeded(self) -> str:
        """Return the limit that is exceeded; empty if none is."""
        if self._processor > self.limits.total_seconds:
            return "processor"
        if self.memory is not None and self.usage.memory() > self.memory:
            return "memory"
        return ""
