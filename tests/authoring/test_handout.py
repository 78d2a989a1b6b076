"""The handout: written whole or not at all, in a separate folder, without any part of the solutions."""

import errno
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from autograder.authoring import handout
from autograder.authoring.leaks import Secret, files_below, find_secrets, leaks, squeezed
from autograder.commands.main import main
from autograder.common.errors import AutograderError
from autograder.problem_set.source import find_problem_sets
from tests.support import ROOT
from tests.support.book_pages import text_of

INSTRUCTORS = "book/practice/for-instructors"


@pytest.fixture
def small_site(tmp_path) -> Path:
    """The minimum of a website that a handout needs."""
    site = tmp_path / "site"
    (site / "book" / "practice").mkdir(parents=True)
    (site / "index.html").write_text("<p>Welcome</p>")
    (site / "book" / "practice" / "requirements.txt").write_text("numpy==2.0.0\n")
    return site


@pytest.fixture
def few_lines(monkeypatch):
    """One secret line, so that a test need not read all problem sets."""
    line = "assert np.allclose(hidden_expectation, 0.123456)"
    secret = Secret("a hidden test", frozenset({squeezed(line)}))
    monkeypatch.setattr(handout, "find_secrets", lambda course: (secret,))
    return line


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_of_the_solutions_is_handed_out(site, tmp_path):
    handout.gather(ROOT, site, tmp_path)
    assert names(tmp_path) == [".handout.json", "LICENSE", "LICENSE-TEXT.md", "README.md", "docs", "exercises"]
    sets = [problem_set.name for problem_set in find_problem_sets(ROOT)]
    assert sorted(str(path.relative_to(tmp_path / "exercises")) for path in tmp_path.glob("exercises/*/*")) == [
        f"{name}/{name}.ipynb" for name in sets
    ]
    assert (tmp_path / "docs" / ".nojekyll").is_file(), "GitHub would leave out _static"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [
        file
        for file in files
        if file.name in ("behaviour.json", "mutants.json", "gradebook.db") or file.parent.name == "bank"
    ]
    assert leaks(files_below(tmp_path), find_secrets(ROOT)) == []


def test_a_leak_stops_the_handout(small_site, few_lines, tmp_path):
    (small_site / "slip.html").write_text(f"<pre>{few_lines}</pre>")
    with pytest.raises(AutograderError, match=r"docs/slip\.html has a hidden test"):
        handout.hand_out(ROOT, small_site, tmp_path / "out")
    assert names(tmp_path) == ["site"], "something stayed behind"


def test_a_handout_is_made_anew(small_site, few_lines, tmp_path):
    out = tmp_path / "deep" / "out"
    handout.hand_out(ROOT, small_site, out)
    (small_site / "index.html").write_text("<p>Welcome back</p>")
    (out / "docs" / "old.html").write_text("from an earlier version")
    handout.hand_out(ROOT, small_site, out)
    assert "back" in (out / "docs" / "index.html").read_text()
    assert not (out / "docs" / "old.html").exists()
    assert names(tmp_path / "deep") == ["out"], "something stayed behind"


def test_a_handout_that_fails_leaves_the_one_before(small_site, few_lines, tmp_path):
    out = tmp_path / "out"
    handout.hand_out(ROOT, small_site, out)
    (small_site / "index.html").unlink()
    with pytest.raises(AutograderError, match="make website"):
        handout.hand_out(ROOT, small_site, out)
    assert (out / "docs" / "index.html").is_file()
    assert names(tmp_path) == ["out", "site"]


@pytest.mark.parametrize("inside", ["notes.txt", ".git"])
def test_a_folder_of_something_else_is_refused(small_site, few_lines, tmp_path, inside):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / inside).mkdir()
    with pytest.raises(AutograderError, match="neither empty nor a handout"):
        handout.hand_out(ROOT, small_site, tmp_path / "out")
    assert names(tmp_path / "out") == [inside]


def test_what_was_added_to_a_handout_is_not_removed(small_site, few_lines, tmp_path):
    out = tmp_path / "out"
    handout.hand_out(ROOT, small_site, out)
    (out / "my-notes.txt").write_text("keep me")
    with pytest.raises(AutograderError, match=r"my-notes\.txt"):
        handout.hand_out(ROOT, small_site, out)
    assert (out / "my-notes.txt").is_file()


def test_an_empty_folder_is_taken_and_a_file_is_not(small_site, few_lines, tmp_path):
    (tmp_path / "empty").mkdir()
    handout.hand_out(ROOT, small_site, tmp_path / "empty")
    assert (tmp_path / "empty" / "README.md").is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(AutograderError, match="is a file"):
        handout.hand_out(ROOT, small_site, tmp_path / "file")


def test_the_command_says_where_or_why_not(small_site, few_lines, tmp_path, capsys):
    assert main(["handout", str(tmp_path / "out"), "--site", str(small_site)]) == 0
    assert capsys.readouterr().out == f"Handout: {tmp_path / 'out'}\n"
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep me")
    assert main(["handout", str(tmp_path / "notes"), "--site", str(small_site)]) == 1
    assert (
        capsys.readouterr().err
        == f"autograder: {tmp_path / 'notes'} is neither empty nor a handout: name another folder, or empty it.\n"
    )


def test_a_check_writes_nothing_and_needs_no_website(tmp_path, capsys):
    """A wrong folder is therefore reported before the site is built."""
    site = tmp_path / "not-yet-built"
    assert main(["handout", str(tmp_path / "out"), "--site", str(site), "--check"]) == 0
    (tmp_path / "mine.txt").write_text("keep me")
    assert main(["handout", str(tmp_path), "--site", str(site), "--check"]) == 1
    assert "neither empty nor a handout" in capsys.readouterr().err
    assert names(tmp_path) == ["mine.txt"]


@pytest.mark.parametrize("inside", ["", "out", "book/out"])
def test_a_folder_in_the_website_is_refused(small_site, few_lines, inside):
    """Otherwise the handout would be copied into itself until the path is too long."""
    there = sorted(small_site.rglob("*"))
    with pytest.raises(AutograderError, match="is inside the website"):
        handout.hand_out(ROOT, small_site, small_site / inside)
    assert sorted(small_site.rglob("*")) == there


def test_a_folder_that_cannot_be_made_is_one_sentence(small_site, few_lines, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for check in ([], ["--check"]):
        assert main(["handout", str(tmp_path / "file" / "out"), "--site", str(small_site), *check]) == 1
        assert (
            capsys.readouterr().err
            == f"autograder: {tmp_path / 'file'} is a file, so it cannot contain a folder for the handout.\n"
        )


def test_a_full_disk_is_one_sentence(small_site, few_lines, tmp_path, capsys, monkeypatch):
    def full(source, target, **options):
        raise OSError(errno.ENOSPC, "No space left on device", "index.html")

    monkeypatch.setattr(shutil, "copyfile", full)
    assert main(["handout", str(tmp_path / "out"), "--site", str(small_site)]) == 3
    reason = "[Errno 28] No space left on device: 'index.html'"
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"autograder: The handout could not be written: {reason}; ")
    assert names(tmp_path) == ["site"], "something stayed behind"


def make(*words: str) -> subprocess.CompletedProcess:
    """Run make so that it only shows what it would run."""
    command = ["make", "--always-make", "--dry-run", "--no-print-directory", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_make_checks_what_it_was_given_before_it_builds():
    commands = make("handout", "HANDOUT=/srv/my course", "PYODIDE=/srv/pyodide").stdout
    built = commands.index("autograder release")
    assert built < commands.index("python book/build.py")
    assert commands.index("autograder handout '/srv/my course' --site _build/html --check") < built
    assert commands.index("book/lite/build.py _build/html _build/lite --pyodide '/srv/pyodide' --check") < built
    assert "--check" not in commands[built:]
    assert commands.index("autograder handout '/srv/my course' --site _build/html\n") > built


@pytest.mark.parametrize("address", ["example.org/course", "ftp://example.org/", "/course/"])
def test_an_invalid_address_is_reported_before_anything_runs(address):
    done = make("website", f"SITE_URL={address}")
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"SITE_URL={address} is not the address of a website" in done.stderr


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_a_handout_can_be_the_work_tree_of_a_public_repository(small_site, few_lines, tmp_path):
    """As the page for instructors describes: the repository is elsewhere, so the folder can be replaced as a whole."""
    text = text_of(INSTRUCTORS)
    assert "git --git-dir=../public.git --work-tree=_build/handout add --all" in text
    public, out = tmp_path / "public.git", tmp_path / "out"

    def git(*words: str) -> str:
        author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", *author, f"--git-dir={public}", f"--work-tree={out}", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    subprocess.run(["git", "init", "--quiet", "--bare", str(public)], check=True)
    for word in ("first", "second"):
        (small_site / "index.html").write_text(word)
        handout.hand_out(ROOT, small_site, out)
        git("add", "--all")
        git("commit", "--quiet", "--message", word)
    assert git("show", "HEAD:docs/index.html") == "second"
    assert git("log", "--format=%s").split() == ["second", "first"]


def theme_options(page_source: str) -> dict:
    """The settings that the page for instructors gives for repository buttons."""
    blocks = page_source.split("```yaml\n")[1:]
    found = [yaml.safe_load(block.split("```")[0]) for block in blocks]
    return next(block["html_theme_options"] for block in found if "html_theme_options" in block)


@pytest.mark.parametrize("configured", [False, True])
def test_buttons_lead_to_a_repository_only_where_one_is_configured(tmp_path, configured):
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    options = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]["html_theme_options"]
    options.pop("footer_content_items")  # a template that is filled in by an extension of the book
    if configured:
        options |= theme_options(text_of(INSTRUCTORS))
    (tmp_path / "index.rst").write_text("Entropy\n=======\n")
    settings = {"extensions": ["sphinx_book_theme"], "html_theme": "sphinx_book_theme", "html_theme_options": options}
    with docutils_namespace():
        app = Sphinx(tmp_path, None, tmp_path / "out", tmp_path / "trees", "html", settings, status=None, warning=None)
        app.build()
    page = BeautifulSoup((tmp_path / "out" / "index.html").read_text(), "html.parser")
    leads = [
        link["href"] for link in page.select("header a[href], .bd-header-article a[href]") if "://" in link["href"]
    ]
    assert bool(leads) == configured, leads
    if configured:
        assert any("/edit/" in link for link in leads)
