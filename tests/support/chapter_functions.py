"""The functions and the data that a chapter defines, for tests that use them."""

import ast
import contextlib
import functools
import io

from tests.support.book_pages import source_of


def functions_of(page: str) -> dict[str, object]:
    """Define the functions of a chapter and what its cells import; check cells, with their own names, are skipped.

    So are functions whose defaults are the chapter's data: `names_of` runs the cells that make those.
    """
    wanted = (ast.FunctionDef, ast.Import, ast.ImportFrom)
    namespace: dict[str, object] = {}
    for cell in source_of(page).cells:
        if cell.cell_type == "code" and "check" not in cell.metadata:
            for statement in ast.parse(cell.source).body:
                if isinstance(statement, wanted):
                    with contextlib.suppress(NameError):
                        exec(compile(ast.Module([statement], []), page, "exec"), namespace)
    return namespace


@functools.cache
def names_of(page: str, until: str = "## Exercises", without: tuple[str, ...] = ()) -> dict[str, object]:
    """Run the cells of a chapter and return all names they define; of cells that draw, what comes before the drawing.

    Parameters
    ----------
    page : str
        The page.
    until : str
        Text of a Markdown cell before which to stop.
    without : tuple of str
        Code by which to recognise cells that take long and are not needed.
    """
    namespace: dict[str, object] = {}
    for cell in source_of(page).cells:
        if cell.cell_type == "markdown" and until in cell.source:
            break
        if cell.cell_type != "code" or "check" in cell.metadata or any(part in cell.source for part in without):
            continue
        body = ast.parse(cell.source).body
        drawing = next((i for i, statement in enumerate(body) if "plt." in ast.unparse(statement)), len(body))
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(ast.Module(body[:drawing], []), page, "exec"), namespace)
    return namespace
