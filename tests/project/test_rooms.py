"""The rooms of the package: each says what it is for, and imports go in one direction."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGE = ROOT / "autograder"
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def lint(folder: Path) -> subprocess.CompletedProcess:
    """Run import-linter on the package in a folder."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {LINT}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copied(course, tmp_path_factory) -> Path:
    """A copy of the package, to spoil."""
    folder = tmp_path_factory.mktemp("rooms")
    shutil.copyfile(course / "pyproject.toml", folder / "pyproject.toml")
    shutil.copytree(PACKAGE, folder / "autograder", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(PACKAGE)))
def test_a_room_says_in_a_sentence_what_it_is_for(room):
    (statement,) = ast.parse((room / "__init__.py").read_text(encoding="utf-8")).body
    (sentence,) = ast.literal_eval(statement.value).splitlines()
    assert sentence.endswith(".")


def test_imports_go_one_way(copied):
    done = lint(copied)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("common/text.py", "autograder.problem_set.source"),
        ("problem_set/bank.py", "autograder.engine.score"),
        ("engine/score.py", "autograder.authoring.leaks"),
        ("classroom/roster.py", "autograder.authoring.proof"),
        ("authoring/proof/prove.py", "autograder.classroom.directory"),
        ("classroom/roster.py", "autograder.reports.export"),
        ("reports/export.py", "autograder.commands.shared.tables"),
        ("engine/student/runner.py", "autograder.engine.sandbox"),
        ("engine/student/runner.py", "autograder.problem_set.bank"),
        ("engine/student/runner.py", "autograder.engine.examiner.remote"),
        ("engine/examiner/remote.py", "autograder.engine.student.scratch"),
        ("engine/examiner/remote.py", "autograder.engine.execution"),
        ("engine/shared/wire.py", "autograder.engine.restore"),
        ("engine/restore.py", "jupytext"),
        ("classroom/result/diagnosis.py", "autograder.classroom.directory"),
        ("classroom/grading/batch.py", "autograder.classroom.collecting.archives"),
        ("classroom/collecting/archives.py", "autograder.classroom.overview.status"),
        ("common/text.py", "jupytext"),
    ],
)
def test_an_import_the_other_way_is_refused(copied, module, imported):
    path = copied / "autograder" / module
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n\ndef late():\n    import {imported}\n", encoding="utf-8")
    try:
        done = lint(copied)
    finally:
        path.write_text(text, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def test_a_room_without_a_place_is_refused(copied):
    room = copied / "autograder" / "attic"
    room.mkdir()
    (room / "__init__.py").write_text("")
    try:
        done = lint(copied)
    finally:
        shutil.rmtree(room)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "attic" in done.stdout + done.stderr


def test_the_engine_imports_no_applications_of_nbgrader():
    """import-linter cannot restrict parts of other packages, and nbgrader's checksums and scores are needed."""
    found = set()
    for path in (PACKAGE / "engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
            elif isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
    assert "nbgrader.utils" in found, "nothing was looked at"
    assert not [name for name in found if name.startswith(("nbgrader.apps", "nbgrader.converters", "nbgrader.api"))]
