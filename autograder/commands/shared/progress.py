"""Progress bars: on a terminal one, elsewhere none."""

from __future__ import annotations

import sys


class Progress:
    """A progress bar on a terminal, and nothing elsewhere.

    Parameters
    ----------
    description : str
        What is going on.
    """

    def __init__(self, description: str):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = TextColumn(description), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Bar(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())

    def __enter__(self) -> Progress:
        self._bar.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.__exit__(*details)

    def start(self, total: int) -> None:
        """Say how many steps there are."""
        self._task = self._bar.add_task("", total=total)

    def step(self, *_: object) -> None:
        """Count one step as done, whatever came of it."""
        self._bar.advance(self._task)
