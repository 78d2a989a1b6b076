"""Tables as CSV that a spreadsheet opens without running anything."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

#: Where a spreadsheet would begin to read a formula; numbers are exempt.
_FORMULA = re.compile(r"((?:^|[;\t\r\n])\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


def csv_text(rows: Iterable[list[str]], delimiter: str = ",", as_it_is: bool = False) -> str:
    """Write rows as CSV.

    Parameters
    ----------
    rows : iterable of list of str
        The cells.
    delimiter : str
        Between them.
    as_it_is : bool
        Whether the cells stay as they are, in another program's own table.
    """
    text = io.StringIO()
    table = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    table.writerows(row if as_it_is else [_safe(cell) for cell in row] for row in rows)
    return text.getvalue()


def _safe(cell: str) -> str:
    # A student's name such as "=1+1" would be run as a formula by a spreadsheet. Where the list separator is a semicolon,
    # a spreadsheet begins a new cell there, whatever separator the file has.
    return cell if _NUMBER.fullmatch(cell) else _FORMULA.sub(r"\1'", cell)
