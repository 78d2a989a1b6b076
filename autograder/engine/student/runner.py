"""Executes the submission's own cells as they are sent, and leaves snapshots."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from autograder.engine.shared.isolation import Limits
from autograder.engine.shared.wire import Connection, ConnectionEndedError
from autograder.engine.student.display import Collector, Stream
from autograder.engine.student.service import CellTimeoutError, Service, text_of


class Runner:
    """Executes the submission's own cells as the examiner sends them, and leaves snapshots."""

    def __init__(self, shell: Any, limits: Limits, connections: list[Connection], seed: int):
        import random

        import numpy as np

        self.shell, self.limits = shell, limits
        self.examiner, self.waiting = connections[0], dict(enumerate(connections[1:]))
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 (what a notebook that uses the global generator sees)
        signal.signal(signal.SIGALRM, _out_of_time)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        shell._showtraceback = self._error
        self.collector = Collector(0)

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
        self.collector = collector = Collector(self.limits.output_bytes)
        collector.showing(self.shell, collector)
        kept = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Stream("stdout", collector), Stream("stderr", collector)
        try:
            signal.setitimer(signal.ITIMER_REAL, self.limits.cell_seconds, 0.5)
            try:
                self.shell.run_cell(source, store_history=True)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except BaseException as error:  # the alarm may ring in IPython's own code
            self._error(type(error), error, [f"{type(error).__name__}: {error}"])
        sys.stdout, sys.stderr = kept
        return {"outputs": collector.written(), "cut": collector.cut}

    def _error(self, kind: type, error: BaseException, traceback: list) -> None:
        lines = [str(line) for line in traceback] if isinstance(traceback, list) else str(traceback).splitlines()
        text = {"ename": kind.__name__, "evalue": text_of(error), "traceback": lines}
        size = len(text["evalue"]) + sum(map(len, lines))
        if size > self.collector.left:
            text, size = {"ename": kind.__name__, "evalue": text["evalue"][:1000], "traceback": []}, 0
        self.collector.outputs.append({"output_type": "error", **text})
        self.collector.left -= size

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
            Service(self.shell.user_ns, end, self.limits).serve()
        except BaseException:
            os._exit(1)
        os._exit(0)


def _out_of_time(*_: Any) -> None:
    raise CellTimeoutError("the time limit is over; look for a loop without an end")
