"""Tables at the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from autograder.problem_set.source import ProblemSet


def print_table(table: list[tuple[str, ...]]) -> None:
    """Print rows with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def narrow_table(*columns: str, gap: int = 2) -> Table:
    """Make a table whose lines are short, for `show_table`: all sets of a term have to fit on a terminal.

    Parameters
    ----------
    *columns : str
        What stands above each.
    gap : int
        Spaces between them, at least one.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def set_titles(problem_sets: Sequence[ProblemSet]) -> list[str]:
    """Return what stands above the columns of sets: the beginning of each name, if that tells them apart, and the points."""
    from autograder.common.text import number

    names = [problem_set.name for problem_set in problem_sets]
    short = [name.partition("-")[0] for name in names]
    titles = short if len(set(short)) == len(names) > 1 else names
    return [f"{title}\nof {number(ps.max_score)}" for title, ps in zip(titles, problem_sets, strict=True)]


def show_table(table: Table) -> None:
    """Print it as wide as the terminal is."""
    from rich.console import Console

    Console(highlight=False).print(table)
