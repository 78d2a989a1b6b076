"""Runs one cell as a kernel does, and collects what it shows."""

from __future__ import annotations

import signal
import sys
from typing import Any

from autograder.engine.shared.isolation import Limits
from autograder.engine.student.display import Collector, Stream
from autograder.engine.student.service import text_of


class Cells:
    """Runs the cells of one submission.

    Parameters
    ----------
    shell : InteractiveShell
        The warm shell.
    limits : Limits
        What a cell may take.
    """

    def __init__(self, shell: Any, limits: Limits):
        self.shell, self.limits = shell, limits
        shell._showtraceback = self._error
        self.collector = Collector(0)

    def run(self, source: str, draw: bool = True) -> dict:
        """Run a cell; return its ``outputs``, and whether some were ``cut``."""
        self.collector = collector = Collector(self.limits.output_bytes)
        collector.showing(self.shell, collector)
        kept = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Stream("stdout", collector), Stream("stderr", collector)
        try:
            signal.setitimer(signal.ITIMER_PROF, self.limits.cell_seconds, 0.5)
            try:
                self.shell.run_cell(source, store_history=True)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
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
