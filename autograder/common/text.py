"""Formats numbers, and text from outside, for display."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Format points without trailing zeros; None as an empty string."""
    return "" if value is None else f"{value:.10g}"


def printable(text: str) -> str:
    """Return text that is safe to print on a terminal: control characters and broken encodings are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)[:500]
