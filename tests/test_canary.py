"""No solution and no hidden test is published: each has canaries, and nothing that students get contains one.

A canary is a piece of a solution, a hidden test or an entry of a bank that occurs in no text that is published. It is found by
its letters, digits and underscores alone, so that it does not matter how it got out: as a page, in a notebook, in an archive, with
or without nbgrader's marks.
"""

import functools
import gzip
import html
import importlib.util
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from book_pages import ROOT
from known_sets import SETS
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from autograder.problem_set import answered, find_problem_sets, grade_id
from autograder.release import instructor_version, student_version

REGION = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)[^\n]*\n(.*?)[^\S\n]*### END \1", re.DOTALL)
SHORTEST = 20  # characters; a shorter text may stand somewhere by chance
LONGEST = 80  # of what stands after the visible part of a cell


def squeezed(text: str) -> str:
    """Leave out what differs between a source, a notebook and a page: spaces, punctuation, escapes and what is not ASCII."""
    return re.sub(r"\W+", "", re.sub(r"\\+(?:u[0-9a-fA-F]{4}|[nrt])", " ", text), flags=re.ASCII)


@dataclass(frozen=True)
class Secret:
    """What must not be published, and by which of its pieces it is recognised.

    Attributes
    ----------
    where : str
        Problem set and cell, or entry of the bank.
    canaries : frozenset of str
        The pieces, squeezed.
    """

    where: str
    canaries: frozenset[str]


def pieces(secret: str, before: str = "", mark: str = "") -> set[str]:
    """The lines of a secret, and its beginning with the visible text before it, since a short answer has no line of length."""
    lines = {squeezed(line) for line in secret.splitlines()}
    start, end = squeezed(before)[-SHORTEST:], squeezed(secret)[:LONGEST]
    return {piece for piece in lines | {start + end, start + squeezed(mark) + end} if len(piece) >= SHORTEST}


def index_of(texts: Iterable[str]) -> dict[str, list[str]]:
    """Order texts by their first characters."""
    index: dict[str, list[str]] = {}
    for text in set(texts):
        index.setdefault(text[:SHORTEST], []).append(text)
    return index


def occurring(index: dict[str, list[str]], text: str) -> Iterator[str]:
    """The texts of an index that occur in a text."""
    for place in range(len(text) - SHORTEST + 1):
        for wanted in index.get(text[place : place + SHORTEST], ()):
            if text.startswith(wanted, place):
                yield wanted


@functools.cache
def public_text() -> str:
    """All that may be published, squeezed: the book's sources, and the problem sets without their secrets."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "book").rglob("*.md"))]
    for problem_set in find_problem_sets(ROOT):
        texts += [REGION.sub("# YOUR CODE HERE", cell.source) for cell in problem_set.notebook.cells]
    return "\n".join(map(squeezed, texts))


@functools.cache
def secrets() -> tuple[Secret, ...]:
    """Every solution, every hidden test, and every entry of a bank, with its canaries."""
    found: list[tuple[str, set[str]]] = []
    for problem_set in find_problem_sets(ROOT):
        for cell in problem_set.notebook.cells:
            for number, region in enumerate(REGION.finditer(cell.source), start=1):
                kind = region[1].lower().removesuffix("s")
                where = f"{problem_set.name}: the {kind} of {grade_id(cell)}, part {number}"
                found.append((where, pieces(region[2], cell.source[: region.start()], f"BEGIN {region[1]}")))
        found += [(f"{problem_set.name}: {entry}", pieces(entry.code)) for entry in problem_set.bank]
    public = set(occurring(index_of(piece for _, all_of in found for piece in all_of), public_text()))
    return tuple(Secret(where, frozenset(all_of - public)) for where, all_of in found)


@functools.cache
def places() -> dict[str, list[str]]:
    """Where each canary comes from."""
    found: dict[str, list[str]] = {}
    for secret in secrets():
        for canary in secret.canaries:
            found.setdefault(canary, []).append(secret.where)
    return found


@functools.cache
def canaries() -> dict[str, list[str]]:
    """All canaries, to be looked for."""
    return index_of(places())


def texts_of(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    """The texts in a file: its own, that of a page without tags, and those of the files in an archive."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from texts_of(f"{name}/{member}", archive.read(member))
        return
    if data.startswith(b"\x1f\x8b"):  # gzip; in a tar file, text stands as it is
        yield from texts_of(f"{name}/", gzip.decompress(data))
        return
    text = data.decode("ascii", "ignore")
    yield name, squeezed(text)
    if name.endswith((".html", ".svg", ".xml")):
        yield name, squeezed(html.unescape(re.sub(r"<[^<>]*>", "", text)))


def leaks(files: Iterable[tuple[str, bytes]]) -> list[str]:
    """Say which secrets are in which files."""
    found = set()
    for file, data in files:
        for name, text in texts_of(file, data):
            found |= {f"{name} has {where}" for canary in occurring(canaries(), text) for where in places()[canary]}
    return sorted(found)


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder.parent).as_posix(), path.read_bytes()


@pytest.fixture(scope="module")
def lite(site, tmp_path_factory) -> Path:
    """JupyterLite as `make` has put it into the site; where only the pages were built, one made for this test."""
    if (site / "lite" / "index.html").is_file():
        return site / "lite"
    spec = importlib.util.spec_from_file_location("jupyterlite_build", ROOT / "book" / "lite" / "build.py")
    lite_build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lite_build)
    folder = tmp_path_factory.mktemp("site") / "lite"
    lite_build.build(site, folder)
    return folder


# Every secret would be recognised


def test_every_solution_and_every_hidden_test_has_a_canary():
    counted = [secret for secret in secrets() if ": the " in secret.where]
    sources = [path.read_text() for path in (ROOT / "solutions").glob("*/*.md") if path.name != "bank.md"]
    assert len(counted) == sum(len(re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)", source)) for source in sources)
    without = [secret.where for secret in counted if not secret.canaries]
    assert not without, (
        f"these could be published unnoticed; a comment in them that stands nowhere else helps: {without}"
    )


# Nothing that students get has one


def test_the_site_has_no_solution_and_no_hidden_test(site):
    files = [(name, data) for name, data in files_below(site) if not name.startswith(f"{site.name}/lite/")]
    assert any(name.endswith("problem-sets.zip") for name, _ in files)
    assert leaks(files) == []


def test_jupyterlite_has_no_solution_and_no_hidden_test(lite):
    files = list(files_below(lite))
    assert any(name.endswith("files/ps0-warmup.ipynb") for name, _ in files)
    assert leaks(files) == []


def test_the_exercises_have_no_solution_and_no_hidden_test():
    files = list(files_below(ROOT / "exercises"))
    assert len(files) == len(find_problem_sets(ROOT))
    assert leaks(files) == []


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
    """What is said of a file with all solutions, or all hidden tests, of a set."""
    return {
        f"{file} has {secret.where}" for secret in secrets() if secret.where.startswith(f"{problem_set}: the {kind}")
    }


@pytest.mark.parametrize("name", SETS)
def test_every_solution_and_every_hidden_test_is_found(name):
    [problem_set] = find_problem_sets(ROOT, [name])
    solved = as_notebook(answered(student_version(problem_set), problem_set.reference_answers))
    assert secrets_of(name, "solution", "a.ipynb") <= set(leaks([("a.ipynb", solved)]))
    tests = as_notebook(instructor_version(problem_set))
    assert secrets_of(name, "hidden test", "a.ipynb") <= set(leaks([("a.ipynb", tests)]))


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
    assert leaks([(file, form(student_version(problem_set)))]) == []
    inside = {"sets.zip": "sets.zip/sets.zip/ps.ipynb", "ps.js.gz": "ps.js.gz/"}.get(file, file)
    expected = secrets_of(name, "solution", inside) | secrets_of(name, "hidden test", inside)
    assert expected <= set(leaks([(file, form(problem_set.notebook))]))


def test_one_line_is_found():
    [problem_set] = find_problem_sets(ROOT, ["ps7-neural-networks"])
    line = 'return {name: values - learning_rate * gradients[f"d{name}"] for name, values in parameters.items()}'
    assert line in problem_set.reference_answers["update"]
    assert "notes.txt has ps7-neural-networks: the solution of update, part 1" in leaks([("notes.txt", line.encode())])


def test_an_entry_of_a_bank_is_found():
    [ps1] = find_problem_sets(ROOT, ["ps1-information"])
    entry = next(entry for entry in ps1.bank if entry.kind == "alternative")
    assert f"ps1.py has ps1-information: {entry}" in leaks([("ps1.py", entry.code.encode())])
