"""What a test cell may do, so that it judges in the examiner exactly as in a notebook.

A test cell may use names that solution cells or the set's locked, ungraded cells define; everything else it must import
or define itself. Release refuses a set that breaks this rule, and names the line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.common.cell_names import foreign_names, scopes
from autograder.problem_set.source import ProblemSet, grade_id, is_solution, is_support, is_test


def faults_of_test_cells(problem_set: ProblemSet) -> list[str]:
    """Return a sentence about everything in the set's test cells and locked cells that the examiner cannot follow."""
    return list(_faults(problem_set))


def _faults(problem_set: ProblemSet) -> Iterator[str]:
    where = f"{problem_set.source_path}, cell "
    supported: set[str] = set()
    shared = problem_set.modules.keys()
    solved: set[str] = set()
    modules: set[str] = set()
    for cell in problem_set.notebook.cells:
        name = grade_id(cell)
        if cell.cell_type != "code":
            continue
        try:
            text = (
                problem_set.reference_answers[name]
                if is_solution(cell)
                else problem_set.authored.get(name, cell.source)
            )
            bound, imported, _ = scopes(text)
        except SyntaxError as error:
            if is_test(cell) or is_support(cell) or is_solution(cell):
                yield f"{where}{name!r}, line {error.lineno}: it is not plain Python ({error.msg})."
            continue
        if is_solution(cell):
            solved |= bound
            modules |= imported
        elif is_support(cell):
            for unknown in sorted(foreign_names(text) - supported - shared):
                yield (
                    f"{where}{name!r}, line {_line(text, unknown)}: a locked cell runs in the examiner too and must "
                    f"import or define {unknown!r} itself."
                )
            supported |= bound
        elif is_test(cell):
            foreign = foreign_names(text) - supported - shared
            for unknown in sorted(foreign & modules):
                yield f"{where}{name!r}, line {_line(text, unknown)}: import {unknown!r} in the test cell itself."
            for unknown in sorted(foreign - solved):
                yield (
                    f"{where}{name!r}, line {_line(text, unknown)}: no earlier solution cell or locked cell defines "
                    f"{unknown!r}; a test cell must import or define everything else itself."
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
