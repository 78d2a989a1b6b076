"""Executes the submission's own cells as they are sent, and leaves snapshots."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

from autograder.engine.shared.isolation import Limits
from autograder.engine.shared.wire import Connection, ConnectionEndedError
from autograder.engine.student.cells import Cells
from autograder.engine.student.service import CellTimeoutError, Service


class Runner:
    """Executes the submission's own cells as the examiner sends them, and leaves snapshots."""

    def __init__(self, kernel: Any, limits: Limits, connections: list[Connection], seed: int):
        import random

        import numpy as np

        self.limits = limits
        self.examiner, self.waiting = connections[0], dict(enumerate(connections[1:]))
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 (what a notebook that uses the global generator sees)
        signal.signal(signal.SIGALRM, _out_of_time)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.cells = Cells(kernel, limits.output_bytes, self._clock)

    def run(self) -> None:
        """Serve until the examiner has gone."""
        while True:
            try:
                request, _ = self.examiner.receive()
            except ConnectionEndedError:
                return
            if "run" in request:
                self.examiner.send(self._cell(request["run"]))
            elif "snapshot" in request:
                self._snapshot(request["snapshot"])
                self.examiner.send({"done": True})

    def _cell(self, source: str) -> dict:
        return self.cells.run(source)

    @contextlib.contextmanager
    def _clock(self) -> Iterator[None]:
        signal.setitimer(signal.ITIMER_REAL, self.limits.cell_seconds, 0.5)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _snapshot(self, number: int) -> None:
        """Fork a process that keeps the present state and serves one group of test cells."""
        end = self.waiting.pop(number)
        if os.fork() != 0:
            end.close()
            return
        self.examiner.close()
        for other in self.waiting.values():
            other.close()
        try:
            self.cells.part()
            self.cells.inside(Service(self.cells.names, end, self.limits).serve)
        except BaseException:
            os._exit(1)
        os._exit(0)


def _out_of_time(*_: Any) -> None:
    raise CellTimeoutError("the time limit is over; look for a loop without an end")
