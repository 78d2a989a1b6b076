"""What a test cell may do, so that it judges in the examiner as it does in a notebook.

A test cell uses the names that solution cells define, and what the set's locked, ungraded cells define; everything else it
imports or defines itself. Release refuses a set whose cells step outside, and names the line.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import io
import re
import symtable
from collections.abc import Iterable, Iterator
from typing import Any

from nbformat import NotebookNode

from autograder.problem_set import ProblemSet, grade_id, is_graded, is_solution, is_test


def is_support(cell: NotebookNode) -> bool:
    """Whether a cell is locked, ungraded code, as the one that holds the checks: the examiner runs it too."""
    locked = grade_id(cell) is not None and bool(cell.metadata.nbgrader.get("locked", False))
    return cell.cell_type == "code" and locked and not is_graded(cell) and not is_solution(cell)


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


def uses_any(sources: Iterable[str], names: Iterable[str]) -> bool:
    """Whether one of the texts contains one of the names as a word."""
    found = re.compile(r"\b(?:" + "|".join(map(re.escape, names)) + r")\b") if names else None
    return found is not None and any(found.search(source) for source in sources)


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


def faults_of_test_cells(problem_set: ProblemSet) -> list[str]:
    """Return what the set's test cells and locked cells do that the examiner cannot follow, a sentence each."""
    return list(_faults(problem_set))


def _faults(problem_set: ProblemSet) -> Iterator[str]:
    where = f"{problem_set.source_path}, cell "
    supported: set[str] = set()
    solved: set[str] = set()
    modules: set[str] = set()
    for cell in problem_set.notebook.cells:
        name = grade_id(cell)
        if cell.cell_type != "code":
            continue
        try:
            text = problem_set.reference_answers[name] if is_solution(cell) else cell.source
            bound, imported, _ = scopes(text)
        except SyntaxError as error:
            if is_test(cell) or is_support(cell) or is_solution(cell):
                yield f"{where}{name!r}, line {error.lineno}: it is not plain Python ({error.msg})."
            continue
        if is_solution(cell):
            solved |= bound
            modules |= imported
        elif is_support(cell):
            for unknown in sorted(foreign_names(text) - supported):
                yield (
                    f"{where}{name!r}, line {_line(text, unknown)}: a locked cell runs in the examiner too and has to "
                    f"import or define {unknown!r} itself."
                )
            supported |= bound
        elif is_test(cell):
            foreign = foreign_names(text) - supported
            for unknown in sorted(foreign & modules):
                yield f"{where}{name!r}, line {_line(text, unknown)}: import {unknown!r} in the test cell itself."
            for unknown in sorted(foreign - solved):
                yield (
                    f"{where}{name!r}, line {_line(text, unknown)}: {unknown!r} is defined by no solution cell and no "
                    "locked cell before it; a test cell imports and defines what else it uses."
                )
            for line, class_name in _instance_checks(text, solved):
                yield (
                    f"{where}{name!r}, line {line}: isinstance with the student's {class_name!r} cannot be answered in "
                    "the examiner; judge by values."
                )


def _line(source: str, name: str) -> int:
    """Return the first line on which a name is used."""
    lines = [n.lineno for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name) and n.id == name]
    return min(lines, default=1)


def _instance_checks(source: str, classes: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            for name in ast.walk(node.args[-1]) if node.args else ():
                if isinstance(name, ast.Name) and name.id in classes:
                    yield node.lineno, name.id
