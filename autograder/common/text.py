"""How numbers and other people's names are written."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Write points without needless zeros; nothing for None."""
    return "" if value is None else f"{value:.10g}"


def printable(text: str) -> str:
    """Return a text that a terminal can show: control characters and broken encodings are written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)[:500]
