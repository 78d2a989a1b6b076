"""The book does not solve the problem sets: none of its functions, pasted into a set, earns all points of an item."""

import ast
import contextlib
import io
import warnings

import jupytext
import matplotlib as mpl
import pytest

from autograder.engine.examiner.locked_cells import definitions
from autograder.engine.examiner.test_cell import run_test_cell
from autograder.problem_set.source import find_problem_sets, grade_id, is_support, is_test
from autograder.problem_set.versions import instructor_version
from tests.support.known_sets import SETS


def pasted(path) -> tuple[str, dict[str, ast.FunctionDef | ast.ClassDef]]:
    """Return a chapter's imports, functions and classes as code, and its functions and classes by name."""
    kept, found = [], {}
    for cell in jupytext.read(path, fmt="md:myst").cells:
        if cell.cell_type != "code" or "check" in cell.metadata:
            continue
        lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!"))]
        try:
            body = ast.parse("\n".join(lines)).body
        except SyntaxError:  # a listing of commands, on a page that is not a notebook
            continue
        for node in body:
            constant = isinstance(node, ast.Assign) and not any(isinstance(n, ast.Call) for n in ast.walk(node))
            if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef) or constant:
                kept.append(ast.unparse(node))
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = node
    return kept, found


def namespace_of(statements: list[str]) -> dict:
    """Run a chapter's definitions, except those that need what the chapter has computed."""
    namespace = {}
    for statement in statements:
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(statement, namespace)
    return namespace


def takes(node: ast.FunctionDef | ast.ClassDef, count: int) -> bool:
    """Whether a function can be called with this many positional arguments."""
    if isinstance(node, ast.ClassDef):
        node = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if node is None:
            return False
        count += 1
    arguments = node.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional - len(arguments.defaults) <= count and (count <= positional or arguments.vararg is not None)


def required(code: str, name: str) -> int:
    """Return how many positional arguments the function or class of this name requires; -1 if there is none."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            node = next(n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
            return len(node.args.args) - len(node.args.defaults) - 1
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
    return -1


@pytest.fixture(scope="module")
def chapters(course):
    """Each page of the book with its functions and classes by name, and what running its definitions gives."""
    found = []
    with mpl.rc_context({"backend": "agg"}):
        for path in sorted((course / "book").rglob("*.md")):
            statements, functions = pasted(path)
            if functions:
                found.append((path, functions, namespace_of(statements)))
    return found


@pytest.mark.parametrize("name", SETS)
@pytest.mark.sampled(3)
def test_no_function_of_a_chapter_earns_all_points_of_an_item(course, chapters, name):
    (problem_set,) = find_problem_sets(course, [name])
    source = instructor_version(problem_set)
    known, tests = {}, {}
    for cell in source.cells:
        if is_support(cell):
            known |= definitions(cell.source, grade_id(cell))
        elif cell.cell_type == "code" and is_test(cell):
            tests[grade_id(cell)] = cell.source
    tried = 0
    with mpl.rc_context({"backend": "agg"}):
        for item, answer in problem_set.reference_answers.items():
            count = required(answer, item) if item in problem_set.items and not problem_set.items[item].by_hand else -1
            if count < 0:
                continue
            for path, found, namespace in chapters:
                for function in [name for name, node in found.items() if takes(node, count) and name in namespace]:
                    tried += 1
                    given = {**known, item: namespace[function]}
                    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        # The first failing test settles it.
                        passed = all(
                            not any(o["output_type"] == "error" for o in run_test_cell(tests[test], test, given, None))
                            for test in problem_set.items[item].tests
                        )
                    assert not passed, (
                        f"{path.stem}.{function} of the book earns all points of {name}:{item}; make one of them narrower"
                    )
    assert tried or name == "ps0-warmup", "no function of the book fits any item: is the book read rightly?"
