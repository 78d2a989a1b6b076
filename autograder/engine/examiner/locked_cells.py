"""Runs the locked cells of a set, which define what its tests share."""

from __future__ import annotations

import contextlib
import io
from typing import Any


def definitions(source: str, name: str) -> dict[str, Any]:
    """Run a locked cell and return what it defines; tests can then import any module that it creates.

    Parameters
    ----------
    source, name : str
        The cell's text and its grade_id.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):  # the student's process shows what it prints
        exec(compile(source, f"<{name}>", "exec"), namespace)
    return {name: value for name, value in namespace.items() if not name.startswith("__")}
