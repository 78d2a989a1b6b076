"""Captures what programs and C code write directly to descriptors 1 and 2 while a cell runs."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from autograder.engine.student.display import Collector

_NAMES = {1: "stdout", 2: "stderr"}


class Descriptors:
    """Captures descriptors 1 and 2 in unnamed files, as a kernel does in pipes.

    Files need no reading thread, and writers never wait. Each cell has its own, so that processes forked later share
    nothing.

    Parameters
    ----------
    folder : str
        Where to put the files.
    """

    def __init__(self, folder: str):
        self._folder = folder
        self._files: dict[int, int] = {}
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}
        self._read: dict[int, int] = {}

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        """Capture whatever is written inside the context."""
        kept = {number: os.dup(number) for number in _NAMES}
        try:
            for number in _NAMES:
                with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
                    self._files[number] = os.dup(file.fileno())
                    self._decoders[number] = codecs.getincrementaldecoder("utf-8")("replace")
                    self._read[number] = 0
                    os.dup2(file.fileno(), number)
            yield
        finally:
            self._flush()
            for number, file in kept.items():
                os.dup2(file, number)
                os.close(file)
            for file in self._files.values():
                os.close(file)
            self._files.clear()

    def pass_on(self, collector: Collector) -> None:
        """Pass a collector what has been written since the last call."""
        for number, file in self._files.items():
            size = os.fstat(file).st_size
            if size > self._read[number]:
                data = os.pread(file, min(size - self._read[number], collector.left + 1), self._read[number])
                self._read[number] = size
                collector.write(_NAMES[number], self._decoders[number].decode(data))

    def finish(self, collector: Collector) -> None:
        """Pass a collector the rest."""
        self._flush()
        self.pass_on(collector)

    @staticmethod
    def _flush() -> None:
        for stream in (sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
