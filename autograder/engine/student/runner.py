"""Executes the submission's own cells as they arrive, and leaves snapshots."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np

from autograder.engine.shared.limits import Limits
from autograder.engine.shared.outputs import pack
from autograder.engine.shared.wire import Connection, ConnectionEndedError
from autograder.engine.student.cells import Cells
from autograder.engine.student.service import CellTimeoutError, Service


class Runner:
    """Executes cells and leaves a snapshot for each group of test cells.

    Parameters
    ----------
    kernel : Kernel
        The warm kernel.
    limits : Limits
        What the submission may use.
    connections : list of Connection
        One to the grader, and one for each snapshot to the examiner.
    seed : int
        Seeds Python's and NumPy's global random generators.
    """

    def __init__(self, kernel: Any, limits: Limits, connections: list[Connection], seed: int):
        self.limits = limits
        self.grader, self.waiting = connections[0], dict(enumerate(connections[1:]))
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 (what a notebook that uses the global generator sees)
        signal.signal(signal.SIGPROF, _out_of_time)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.cells = Cells(kernel, limits.output_bytes, self._clock)

    def run(self) -> None:
        """Serve until the grader disconnects."""
        while True:
            try:
                request, _ = self.grader.receive()
            except ConnectionEndedError:
                return
            if "run" in request:
                shown = self.cells.run(request["run"], request["draw"])
                message, buffers = pack(shown["outputs"])
                self.grader.send({"outputs": message, "cut": shown["cut"]}, buffers)
            elif "snapshot" in request:
                threads = self.cells.has_threads()
                self._snapshot(request["snapshot"])
                self.grader.send({"done": True, "threads": threads})

    @contextlib.contextmanager
    def _clock(self) -> Iterator[None]:
        """Raise an error once a cell has used up its processor time, and again as long as it continues."""
        signal.setitimer(signal.ITIMER_PROF, self.limits.cell_seconds, 0.5)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _snapshot(self, number: int) -> None:
        """Fork a process that keeps the current state and serves one group of test cells."""
        end = self.waiting.pop(number)
        if self.cells.fork() != 0:
            end.close()
            return
        self.grader.close()
        for other in self.waiting.values():
            other.close()
        try:
            self.cells.inside(Service(self.cells.names, end).serve)
        except BaseException:
            os._exit(1)
        os._exit(0)


def _out_of_time(*_: Any) -> None:
    raise CellTimeoutError("the time limit is over; look for an infinite loop")
