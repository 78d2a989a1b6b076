"""How the book is built: what is kept, what is written in parallel, and the one warning about everything missing."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from book.extensions.build.executed_cells import THREADS, use_one_thread
from book.extensions.build.kept import digest_of, kept
from tests.support import ROOT


def sphinx(project: Path, output: Path, *extensions: str, options: tuple[str, ...] = ()) -> str:
    """Build a small project strictly; return what is said on the way."""
    settings = [
        f"import sys; sys.path.insert(0, {str(ROOT)!r})",
        f"extensions = {list(extensions)}",
        "root_doc = 'book/index'",
        "katex_prerender, katex_css_path = True, 'katex.css'",
    ]
    (project / "conf.py").write_text("\n".join(settings))
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", *options, str(project), str(output)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return f"{run.stdout}\nexit {run.returncode}"


@pytest.fixture
def project(tmp_path) -> Path:
    folder = tmp_path / "project"
    (folder / "book").mkdir(parents=True)
    return folder


def test_one_warning_lists_every_place_that_refers_to_a_removed_chapter(project, tmp_path):
    (project / "book" / "index.rst").write_text(
        "Title\n=====\n\n.. toctree::\n\n   other\n\nSee :doc:`gone`.\n\n"
        '.. raw:: html\n\n   <a href="gone.html">x</a> <a href="other.html">y</a> <a href="https://x.org/gone.html">z</a>\n'
    )
    (project / "book" / "other.rst").write_text("Other\n=====\n\nSee :doc:`gone` and :ref:`fault-lost`.\n")
    told = sphinx(project, tmp_path / "site", "book.extensions.build.missing_targets")
    assert told.count("WARNING") == 1, told
    assert told.endswith("exit 1")
    assert "\n  doc book/gone: book/index.rst:8, book/index.rst:10, book/other.rst:4\n" in told
    assert "\n  ref fault-lost: book/other.rst:4" in told


def test_pages_written_by_two_processes_are_the_same(project, tmp_path):
    """More formulas than one process renders at once, so that two that shared a server would mix their answers."""
    names = [f"page{number}" for number in range(12)]
    toctree = "".join(f"   {name}\n" for name in names)
    (project / "book" / "index.rst").write_text(f"Title\n=====\n\n.. toctree::\n\n{toctree}")
    for name in names:
        formulas = "".join(f":math:`x_{{{number}}} + {name}`\n\n" for number in range(20))
        (project / "book" / f"{name}.rst").write_text(f"{name}\n======\n\n{formulas}")
    extensions = (
        "sphinxcontrib.katex",
        "book.extensions.site.katex_prerender",
        "book.extensions.build.parallel_writing",
    )
    sites = []
    for writers in (1, 3):
        site = tmp_path / f"by{writers}"
        told = sphinx(project, site, *extensions, options=("-D", f"writers={writers}"))
        assert told.endswith("exit 0"), told
        sites.append({page.relative_to(site): page.read_text() for page in site.rglob("*.html")})
    assert sites[0] == sites[1]
    assert all('class="katex"' in sites[0][Path(f"book/{name}.html")] for name in names)


def test_pages_that_are_executed_side_by_side_have_one_thread_each(monkeypatch):
    monkeypatch.setattr(os, "environ", {THREADS[0]: "2"})
    use_one_thread()
    assert [os.environ[name] for name in THREADS] == ["2", *["1"] * (len(THREADS) - 1)]


def test_what_is_kept_is_made_again_when_it_depends_on_something_else(tmp_path):
    made = []

    def make() -> list:
        made.append(len(made))
        return [("item", len(made))]

    file = tmp_path / "kept" / "of.json"
    assert kept(file, "a", make) == [["item", 1]]
    assert kept(file, "a", make) == [["item", 1]]
    assert kept(file, "b", make) == [["item", 2]]
    file.write_text('{"of": "b", "da')
    assert kept(file, "b", make) == [["item", 3]]
    assert len(made) == 3


def test_what_is_kept_is_made_again_when_the_module_that_makes_it_changes(tmp_path):
    module = tmp_path / "maker.py"
    for value in ("one", "two"):
        module.write_text(f"def make():\n    return {value!r}\n")
        defined: dict = {}
        exec(compile(module.read_text(), str(module), "exec"), defined)
        assert kept(tmp_path / "of.json", "a", defined["make"]) == value


def test_a_digest_of_files_changes_with_their_content_and_their_names(tmp_path):
    digests = [digest_of(tmp_path, [tmp_path / "absent"])]
    (tmp_path / "a").write_text("1")
    digests.append(digest_of(tmp_path, tmp_path.iterdir()))
    (tmp_path / "a").write_text("2")
    digests.append(digest_of(tmp_path, tmp_path.iterdir()))
    (tmp_path / "a").rename(tmp_path / "b")
    digests.append(digest_of(tmp_path, tmp_path.iterdir()))
    assert len(set(digests)) == len(digests)


def test_pages_are_current_until_a_file_or_the_address_changes(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("build_pages", ROOT / "book" / "build.py")
    build = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec.loader.exec_module(build)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    output = tmp_path / "_build"
    for name in build.SOURCES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("a")
    output.mkdir()
    assert not build.is_current(output)
    for name in build.SOURCES:
        (output / build.MADE_FROM).write_text(build.digest_of_sources())
        assert build.is_current(output)
        (tmp_path / name / "file").write_text("b")
        assert not build.is_current(output), name
    (output / build.MADE_FROM).write_text(build.digest_of_sources())
    (tmp_path / "book" / "__pycache__").mkdir()
    (tmp_path / "book" / "__pycache__" / "x.pyc").write_text("")
    assert build.is_current(output)
    monkeypatch.setenv("SITE_URL", "https://example.org/")
    assert not build.is_current(output)
