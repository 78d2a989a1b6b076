"""What a test cell may do, so that it judges in the examiner as it does in a notebook.

A test cell uses the names that solution cells define, and what the set's locked, ungraded cells define; everything else it
imports or defines itself. Release refuses a set whose cells step outside, and names the line.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import sys
from collections.abc import Iterable
from typing import Any

from autograder.problem_set.enclosure import module_name
from autograder.problem_set.names import foreign_names, scopes
from autograder.problem_set.source import is_support

__all__ = ["compiled", "definitions", "foreign_names", "is_support", "scopes", "uses_any"]


@functools.cache
def compiled(source: str, filename: str) -> Any:
    """Compile a cell of the set."""
    return compile(source, filename, "exec")


def definitions(source: str, name: str) -> dict[str, Any]:
    """Run a support cell and return what it defines, and the module that it gives to the tests."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    module = module_name(name)
    sys.modules.pop(module, None)  # another set has one of this name
    with contextlib.redirect_stdout(io.StringIO()):  # what it prints is shown from the student's process
        exec(compiled(source, f"<{name}>"), namespace)
    if module in sys.modules:
        namespace[module] = sys.modules[module]
    return {name: value for name, value in namespace.items() if not name.startswith("__")}


def uses_any(sources: Iterable[str], names: Iterable[str]) -> bool:
    """Whether one of the texts contains one of the names as a word."""
    found = re.compile(r"\b(?:" + "|".join(map(re.escape, names)) + r")\b") if names else None
    return found is not None and any(found.search(source) for source in sources)
