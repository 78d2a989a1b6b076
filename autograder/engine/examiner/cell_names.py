"""What the cells of a set define, and which names they take from elsewhere."""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import symtable
from typing import Any


@functools.cache
def compiled(source: str, filename: str) -> Any:
    """Compile a cell of the set."""
    return compile(source, filename, "exec")


def definitions(source: str, name: str) -> dict[str, Any]:
    """Run a support cell and return what it defines."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):  # what it prints is shown from the student's process
        exec(compiled(source, f"<{name}>"), namespace)
    return {name: value for name, value in namespace.items() if not name.startswith("__")}


@functools.cache
def scopes(source: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the global names that a cell binds, those it imports, and those it uses at any depth.

    Raises
    ------
    SyntaxError
        It is not plain Python.
    """
    table = symtable.symtable(source, "<cell>", "exec")
    symbols = table.get_symbols()
    bound = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace()}
    imported = {s.get_name() for s in symbols if s.is_imported()}
    used: set[str] = set()

    def walk(scope: symtable.SymbolTable) -> None:
        for symbol in scope.get_symbols():
            if (scope is table or symbol.is_global()) and symbol.is_referenced():
                used.add(symbol.get_name())
            if symbol.is_global() and symbol.is_assigned() and scope is not table:
                bound.add(symbol.get_name())
        for inner in scope.get_children():
            walk(inner)

    walk(table)
    return frozenset(bound), frozenset(imported), frozenset(used)


def foreign_names(source: str) -> frozenset[str]:
    """Return the names that a cell uses at any depth and binds nowhere at its top level, built-in names left out."""
    bound, _, used = scopes(source)
    return frozenset(name for name in used - bound if not hasattr(builtins, name))
