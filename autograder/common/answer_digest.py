"""Records what a submission's functions returned in a test, so that equal behaviour gives equal text.

The tests' own calls are the probes: an answer that fails like a known misconception returns the same values in the same
order. Numbers are rounded to nine digits, so that two ways of computing the same value agree.
"""

from __future__ import annotations

import hashlib
import numbers
from fractions import Fraction
from typing import Any

import numpy as np

#: What is recorded. Changing this text invalidates the records of earlier releases.
RECORDED = (
    "values that calls gave, errors that they raised; of counted steps the value alone, dictionaries in any order"
)
#: Up to this many elements, arrays are compared one by one; longer ones by their sums.
MAX_ELEMENTS = 2_000
#: Maximum characters of one answer.
MAX_TEXT = 50_000


def canonical(value: Any) -> str:
    """Write a value as text: numbers to nine digits, arrays with their shape, objects by the name of their type."""
    try:
        return _write(value)[:MAX_TEXT]
    except Exception as error:  # a value that cannot be written equals no other
        return f"unwritable: {type(error).__name__}"


def _write(value: Any) -> str:
    if value is None or isinstance(value, bool | np.bool_ | str | bytes):
        return repr(value)[:MAX_TEXT]
    if isinstance(value, numbers.Real):
        return _number(value)
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return f"{value.shape}{[_write(item) for item in value.ravel()[:MAX_ELEMENTS]]}"
        if value.dtype.kind not in "biuf":
            return f"{value.shape}{value.dtype}{value.tobytes()[:1000]!r}"
        flat = value.astype(float).ravel()
        if flat.size <= MAX_ELEMENTS:
            return f"{value.shape}[{','.join(map(_number, flat))}]"
        with np.errstate(all="ignore"):
            sums = (np.nansum(flat), np.nansum(np.abs(flat)), np.isnan(flat).sum(), np.isinf(flat).sum())
        return f"{value.shape}sums[{','.join(f'{number:.6g}' for number in sums)}]"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_write, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{_write(k)}:{_write(v)}' for k, v in value.items()))}}}"
    if isinstance(value, set | frozenset):
        return f"set{sorted(map(_write, value))}"
    if hasattr(type(value), "value_at"):
        return _expression(value)
    return f"<{type(value).__name__}>"


def _expression(value: Any) -> str:
    """Write a symbolic answer as its values at a few points, so that two ways of writing it agree."""
    names = sorted(value.symbols)
    points = [{name: Fraction(1 + (7 * i + 5 * j) % 11, 13) for i, name in enumerate(names)} for j in range(3)]
    values = [value.value_at(point, 15) for point in points]
    if None in values:
        return f"{'floats ' * bool(value.floats)}{value!r}"
    parts = [f"{_number(number.real)}:{_number(number.imag)}" for number in values]
    return f"{'floats ' * bool(value.floats)}{names}{parts}"


def _number(value: Any) -> str:
    # Below 1e-12, rounding decides; the tests' own tolerance ignores it too.
    value = float(value)
    return "0" if abs(value) < 1e-12 else f"{value:.9g}"


def digest(answers: list[str]) -> str:
    """Return a short hash of the answers of one test cell."""
    return hashlib.sha256("\n".join(answers).encode("utf-8", "replace")).hexdigest()[:16]
