"""`python -m autograder` imports nothing from the current folder, which may be a student's."""

import os
import subprocess
import sys

import pytest

from autograder.commands.main import main
from tests.support import ROOT
from tests.support.scripted import hand_in

SET = "ps0-warmup"
NAMES = ["resource", "nbformat", "json", "argparse", "socket", "fcntl", "jupytext", "jinja2", "sqlite3", "html", "csv"]


@pytest.fixture
def decoys(tmp_path):
    """A folder full of modules that report when they are imported."""
    folder = tmp_path / "decoys"
    folder.mkdir()
    told = (
        f"open({str(tmp_path / 'imported')!r}, 'a').write(__name__ + '\\n')\nraise SystemExit('a decoy was imported')\n"
    )
    for name in NAMES:
        (folder / f"{name}.py").write_text(told)
    for name in ("numpy", "sympy", "nbgrader", "matplotlib"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(told)
    return folder


def run(folder, *arguments, environment=()):
    return subprocess.run(
        [sys.executable, "-m", "autograder", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **dict(environment)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_decoy_is_imported_whatever_the_command(decoys, tmp_path, warmup, course):
    root = tmp_path / "class"
    hand_in(root, warmup, "ada")
    for command in ("grade", "feedback", "report", "export"):
        done = run(decoys, "--course", course, command, SET, "--class", root)
        assert done.returncode == 0, done.stderr
    assert run(decoys, "--help").returncode == 0
    assert not (tmp_path / "imported").exists()


def test_a_package_in_the_current_folder_works_anyway(decoys, tmp_path, course):
    (decoys / "autograder").symlink_to(ROOT / "autograder")
    done = run(decoys, "--course", course, "export", SET, "--class", tmp_path / "none", environment={"PYTHONPATH": ""})
    assert "There is no class directory" in done.stderr
    assert done.returncode == 1
    assert not (tmp_path / "imported").exists()


def test_no_other_module_loses_its_first_folder(tmp_path):
    """It happens only when `-m` runs a module of this package: a script keeps its own folder."""
    (tmp_path / "beside.py").write_text("value = 3")
    (tmp_path / "script.py").write_text("import autograder, beside; print(beside.value)")
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "3\n", done.stderr
    assert main(["export", SET, "--class", str(tmp_path / "none")]) == 1
