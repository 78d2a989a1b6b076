"""Which global names a cell binds, imports and uses."""

from __future__ import annotations

import ast
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
    table = symbols_of(ast.parse(source))
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


def symbols_of(tree: ast.AST) -> symtable.SymbolTable:
    """Return a module's symbol table, in which every comprehension has its own table.

    Python 3.12 and later put the names that a list, set or dict comprehension binds into the enclosing table, although
    they are not defined there; a generator expression keeps them to itself in every version.
    """
    return symtable.symtable(ast.unparse(_Generators().visit(tree)), "<cell>", "exec")


class _Generators(ast.NodeTransformer):
    """Rewrites comprehensions as generator expressions, which bind and use the same names."""

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:  # noqa: N802 (ast calls it so)
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp  # noqa: N815

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:  # noqa: N802
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


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
