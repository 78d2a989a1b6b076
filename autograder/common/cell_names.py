"""Which global names a cell binds, imports and uses."""

from __future__ import annotations

import builtins
import functools
import symtable


def module_name(grade_id: str) -> str:
    """Return the module name under which test cells import a locked cell's definitions."""
    return f"{grade_id}_of_this_notebook"


@functools.cache
def scopes(source: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the global names that a cell binds, those it imports, and those it uses at any depth.

    Raises
    ------
    SyntaxError
        The cell is not plain Python.
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
    """Return the names that a cell uses at any depth but never binds at its top level, except built-in names."""
    bound, _, used = scopes(source)
    return frozenset(name for name in used - bound if not hasattr(builtins, name))


def builtin_names(source: str) -> frozenset[str]:
    """Return the built-in functions, types and errors that a cell uses without binding them itself."""
    bound, _, used = scopes(source)
    return frozenset(name for name in used - bound if hasattr(builtins, name) and not name.startswith("__"))


def is_hidden(source: str) -> bool:
    """Whether a test cell is hidden from students."""
    return "### BEGIN HIDDEN TESTS" in source
