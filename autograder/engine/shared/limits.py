"""What one submission may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes
    ----------
    memory : int
        Bytes that its processes may allocate beyond what a fresh one has.
    processes : int
        Processes and threads at once.
    file_bytes : int
        Bytes of one file; all files together may take four times as much.
    cell_seconds, total_seconds : float
        Processor time of one cell or test, and of the whole submission.
    output_bytes : int
        Bytes of one cell's outputs.
    patience : float
        How long a cell may take on the clock, as a multiple of its processor time: on a busy machine, a process gets
        only a small share of the time.
    """

    memory: int = 1 << 30
    processes: int = 64
    file_bytes: int = 16_000_000
    cell_seconds: float = 20.0
    total_seconds: float = 200.0
    output_bytes: int = 2_000_000
    patience: float = 10.0
