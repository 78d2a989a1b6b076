"""No solution and no hidden test is published: each has canaries, and nothing that students get contains one.

`autograder/authoring/leaks.py` explains what a canary is.
"""

import functools
import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
import pytest
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from autograder.authoring.leaks import Secret, files_below, find_secrets, leaks
from autograder.problem_set.source import answered, find_problem_sets
from autograder.problem_set.versions import instructor_version, student_version
from tests.support import ROOT
from tests.support.known_sets import SETS
from tests.support.lite import build as build_lite


@functools.cache
def secrets() -> tuple[Secret, ...]:
    """Every solution, hidden test and bank entry."""
    return find_secrets(ROOT)


def found_in(files: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return which secrets are in which files."""
    return leaks(files, secrets())


@pytest.fixture(scope="module")
def lite(site, tmp_path_factory) -> Path:
    """JupyterLite as `make` has put it into the site, or built for this test if the site has only pages."""
    if (site / "lite" / "index.html").is_file():
        return site / "lite"
    folder = tmp_path_factory.mktemp("site") / "lite"
    build_lite(site, folder)
    return folder


# Every secret would be recognised


def test_every_solution_and_every_hidden_test_has_a_canary():
    counted = [secret for secret in secrets() if ": the " in secret.where]
    sources = [path.read_text() for path in (ROOT / "solutions").glob("*/*.md")]
    assert len(counted) == sum(len(re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)", source)) for source in sources)
    without = [secret.where for secret in counted if not secret.canaries]
    assert not without, (
        f"these could be published unnoticed; adding a comment to them that occurs nowhere else helps: {without}"
    )


# Nothing that students get has one


def test_the_site_has_no_solution_and_no_hidden_test(site):
    files = [(name, data) for name, data in files_below(site) if not name.startswith(f"{site.name}/lite/")]
    assert any(name.endswith("problem-sets.zip") for name, _ in files)
    assert found_in(files) == []


def test_jupyterlite_has_no_solution_and_no_hidden_test(lite):
    files = list(files_below(lite))
    assert any(name.endswith("files/ps0-warmup.ipynb") for name, _ in files)
    assert found_in(files) == []


def test_the_exercises_have_no_solution_and_no_hidden_test():
    files = list(files_below(ROOT / "exercises"))
    assert len(files) == len(find_problem_sets(ROOT))
    assert found_in(files) == []


# A leak is found, whatever it looks like


def as_notebook(notebook) -> bytes:
    return nbformat.writes(notebook).encode()


def as_archive(notebook) -> bytes:
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ps.ipynb", as_notebook(notebook))
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("sets.zip", inner.getvalue())
    return outer.getvalue()


def as_page(notebook) -> bytes:
    cells = [highlight(cell.source, PythonLexer(), HtmlFormatter()) for cell in notebook.cells]
    return f"<!DOCTYPE html><body>{''.join(cells)}</body>".encode()


def as_script(notebook) -> bytes:
    return f"var cells = {json.dumps(json.dumps([cell.source for cell in notebook.cells]))}".encode()


def secrets_of(problem_set: str, kind: str, file: str) -> set[str]:
    """Return what is reported for a file with all solutions, or all hidden tests, of a set."""
    return {
        f"{file} has {secret.where}" for secret in secrets() if secret.where.startswith(f"{problem_set}: the {kind}")
    }


@pytest.mark.parametrize("name", SETS)
def test_every_solution_and_every_hidden_test_is_found(name):
    [problem_set] = find_problem_sets(ROOT, [name])
    solved = as_notebook(answered(student_version(problem_set), problem_set.reference_answers))
    assert secrets_of(name, "solution", "a.ipynb") <= set(found_in([("a.ipynb", solved)]))
    tests = as_notebook(instructor_version(problem_set))
    assert secrets_of(name, "hidden test", "a.ipynb") <= set(found_in([("a.ipynb", tests)]))


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("ps.ipynb", as_notebook),
        ("sets.zip", as_archive),
        ("ps.html", as_page),
        ("ps.js", as_script),
        ("ps.js.gz", lambda notebook: gzip.compress(as_script(notebook))),
    ],
)
def test_they_are_found_in_any_file(file, form):
    name = "ps3-bugfix"
    [problem_set] = find_problem_sets(ROOT, [name])
    assert found_in([(file, form(student_version(problem_set)))]) == []
    inside = {"sets.zip": "sets.zip/sets.zip/ps.ipynb", "ps.js.gz": "ps.js.gz/"}.get(file, file)
    expected = secrets_of(name, "solution", inside) | secrets_of(name, "hidden test", inside)
    assert expected <= set(found_in([(file, form(problem_set.notebook))]))


def test_one_line_is_found():
    [problem_set] = find_problem_sets(ROOT, ["ps7-neural-networks"])
    line = 'return {name: values - learning_rate * gradients[f"d{name}"] for name, values in parameters.items()}'
    assert line in problem_set.reference_answers["update"]
    assert "notes.txt has ps7-neural-networks: the solution of update, part 1" in found_in(
        [("notes.txt", line.encode())]
    )


def test_an_entry_of_a_bank_is_found():
    [ps1] = find_problem_sets(ROOT, ["ps1-information"])
    entry = next(entry for entry in ps1.bank if entry.kind == "alternative")
    assert f"ps1.py has ps1-information: {entry}" in found_in([("ps1.py", entry.code.encode())])
