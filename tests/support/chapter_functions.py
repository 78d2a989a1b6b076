"""The functions that a chapter defines, for tests that call them."""

import ast

from tests.support.book_pages import source_of


def functions_of(page: str) -> dict[str, object]:
    """Define the functions of a chapter and what its cells import; check cells, with their own names, are skipped."""
    wanted = (ast.FunctionDef, ast.Import, ast.ImportFrom)
    namespace: dict[str, object] = {}
    for cell in source_of(page).cells:
        if cell.cell_type == "code" and "check" not in cell.metadata:
            body = [statement for statement in ast.parse(cell.source).body if isinstance(statement, wanted)]
            exec(compile(ast.Module(body, []), page, "exec"), namespace)
    return namespace
