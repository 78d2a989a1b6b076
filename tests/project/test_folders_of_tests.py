"""The test folders: each mirrors a room or is listed here, and what tests share is in tests/support."""

import ast
import re
from pathlib import Path

import pytest

from tests.support import ROOT

TESTS = ROOT / "tests"
MODULES = sorted(TESTS.rglob("test_*.py"))
ROOMS = {path.parent.name for path in (ROOT / "autograder").glob("*/__init__.py")}
#: The folders that do not mirror a room, with their contents.
OTHERS = {
    "book": "the chapters: what they say, compute, derive and draw; the extensions that build them",
    "website": "the built pages, in a browser; JupyterLite; downloads",
    "sets": "the problem sets themselves: reference solutions, the checks that test cells share",
    "project": "the layout of the whole, and its workflows",
}
#: Folders without tests.
HELPERS = {"support": "what tests of several folders use", "pyodide": "the versions of Python for the browser"}
#: Documents that tell people where a test is.
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "book" / "practice").glob("*.md"),
    *(ROOT / "benchmarks").glob("*.md"),
    *(ROOT / name for name in ("Makefile", "environment.sh", "pyproject.toml")),
    *(path for path in TESTS.rglob("*.py") if path != Path(__file__)),
]


def imported_tests(source: str, package: str) -> set[str]:
    """Return the test modules and conftests that a module imports anywhere in its text.

    Parameters
    ----------
    source : str
        Its text.
    package : str
        The dotted name of its folder, to which relative imports refer.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            names |= {f"{module}.{name.name}" for name in node.names}
    modules = {path.stem for path in MODULES} | {"conftest"}
    return {
        name
        for name in names
        if name.split(".")[0] in modules or (name.startswith("tests.") and modules & set(name.split(".")))
    }


def test_no_module_imports_a_test_module():
    found = {}
    for path in TESTS.rglob("*.py"):
        package = ".".join(path.parent.relative_to(ROOT).parts)
        found[path] = imported_tests(path.read_text(encoding="utf-8"), package)
    assert found.keys() > set(MODULES)
    assert not {str(path): names for path, names in found.items() if names}, "share it in tests/support"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import tests.book.test_chapters", {"tests.book.test_chapters"}),
        ("def late():\n    from tests.book.test_chapters import words", {"tests.book.test_chapters.words"}),
        ("from tests.book import test_chapters as other", {"tests.book.test_chapters"}),
        ("from . import test_restore", {"tests.engine.test_restore"}),
        ("from ..book.test_chapters import words", {"tests.book.test_chapters.words"}),
        ("from tests.conftest import course", {"tests.conftest.course"}),
        ("from conftest import course", {"conftest.course"}),
        ("import test_chapters", {"test_chapters"}),
        ("from autograder.engine.examiner.test_cell import run_test_cell", set()),
        ("from tests.support.book_pages import chapters", set()),
        ("from .attacks import Attack", set()),
    ],
)
def test_an_import_of_a_test_module_is_found(source, found):
    assert imported_tests(source, "tests.engine") == found


def test_every_folder_mirrors_a_room_or_is_listed():
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= ROOMS | OTHERS.keys() | HELPERS.keys()
    assert OTHERS.keys() | HELPERS.keys() <= folders
    with_tests = {path.parent.relative_to(TESTS) for path in MODULES}
    rooms = {path.parent.relative_to(ROOT / "autograder") for path in (ROOT / "autograder").rglob("*/__init__.py")}
    assert with_tests <= rooms | {Path(name) for name in OTHERS}


def test_every_room_has_tests():
    assert {path.relative_to(TESTS).parts[0] for path in MODULES} >= ROOMS | OTHERS.keys()


def test_every_path_below_tests_that_a_document_names_exists():
    named = {
        (document.name, path.rstrip("."))
        for document in DOCUMENTS
        for path in re.findall(r"(?<![\w/.])tests/[\w./-]*", document.read_text(encoding="utf-8"))
    }
    assert len(named) > 10, "nothing was looked at"
    assert not [(document, path) for document, path in sorted(named) if not (ROOT / path).exists()]
