"""Fixtures for tests of several folders: the website, a browser, the smallest set, the engine, a graded class."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest

from autograder.commands.main import main
from autograder.engine.execution import SandboxExecutor
from autograder.engine.sandbox import require_sandbox
from autograder.problem_set.source import ProblemSet, find_problem_sets
from autograder.problem_set.versions import instructor_version
from tests.support import ROOT, TEST_ALL
from tests.support.browser import chromium
from tests.support.engines import use_for_commands
from tests.support.graded import SETS, STUDENTS
from tests.support.samples import outside_the_samples

# The same examples in every run, so that a passing run passes again; EXPLORE=1 tries new ones each time.
hypothesis.settings.register_profile(
    "course",
    max_examples=300 if TEST_ALL else 40,
    derandomize=not os.environ.get("EXPLORE"),
    deadline=None,
)
hypothesis.settings.load_profile("course")

#: The slowest files. They come first, so that none of them starts when all others are done.
LONGEST = [
    "website/test_pages.py",
    "engine/test_attacks.py",
    "engine/test_kernel.py",
    "website/test_printing.py",
    "classroom/grading/test_killed_runs.py",
    "website/test_jupyterlite.py",
    "engine/test_idioms.py",
    "book/test_derivations.py",
    "website/test_interactive_figures.py",
    "classroom/test_sample_class.py",
    "engine/test_machine_fails.py",
    "problem_set/test_enclosure.py",
    "authoring/test_mutants.py",
    "authoring/test_new_entries.py",
    "sets/test_counted_steps.py",
    "sets/test_student_interfaces.py",
    "sets/test_printed_calls.py",
    "classroom/grading/test_cluster_and_postgresql.py",
    "classroom/grading/test_not_graded.py",
    "classroom/pages/test_page_limits.py",
    "website/test_downloads.py",
    "engine/test_busy_machine.py",
    "book/test_hands_nothing_in.py",
    "reports/test_give_back.py",
    "reports/test_term_archive.py",
    "classroom/hand_grading/test_hand_grading_page.py",
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cases that are not in a test's sample, and put the slowest files first.

    The Makefile tells pytest-xdist to keep this order. A case that is named on the command line is always run.
    """
    if not TEST_ALL and not any("::" in argument for argument in config.args):
        left_out = outside_the_samples(items)
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    place = {ROOT / "tests" / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """A function that makes a folder in one of pytest's processes; the others wait and use the result."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent  # a run has a folder, with one folder in it per process

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, done = shared / f"{name}-of-all", shared / f"{name}-is-made"
        with open(shared / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def site() -> Path:
    """The website, built strictly unless it was already built from the same files. BOOK_OUTPUT names another place."""
    output = Path(os.environ.get("BOOK_OUTPUT", ROOT)) / "_build"
    command = [sys.executable, str(ROOT / "book" / "build.py"), "--if-changed", "--output", str(output)]
    output.mkdir(parents=True, exist_ok=True)
    with open(output / ".lock", "w") as lock:  # one build at a time, though pytest may have several workers
        fcntl.flock(lock, fcntl.LOCK_EX)
        build = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if build.returncode != 0:
        told = [
            line for line in build.stdout.splitlines() if "WARNING: " in line or line.startswith("  ") or "rror" in line
        ]
        pytest.fail("the strict build of the book fails:\n" + "\n".join(told or build.stdout.splitlines()[-30:]))
    return output / "html"


@pytest.fixture(scope="module")
def browser():
    """A browser for the tests of one file; Playwright keeps an event loop running that would disturb other files."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def course() -> Path:
    """The course's root."""
    return ROOT


@pytest.fixture(scope="module")
def checks(course) -> SimpleNamespace:
    """The names of solutions/checks.py, as a notebook gets them."""
    defined: dict = {}
    exec((course / "solutions" / "checks.py").read_text(encoding="utf-8"), defined)
    return SimpleNamespace(**defined)


@pytest.fixture(scope="session")
def warmup(course) -> ProblemSet:
    """The smallest problem set: one item, one point."""
    return find_problem_sets(course, ["ps0-warmup"])[0]


@pytest.fixture(scope="session")
def source(warmup):
    """The warm-up as submissions are graded against it."""
    return instructor_version(warmup)


@pytest.fixture(scope="session")
def executor():
    """The grading engine, whose workers are kept for all tests."""
    with SandboxExecutor(require_sandbox()) as engine:
        yield engine


@pytest.fixture
def warm_engine(executor, monkeypatch):
    """Makes commands that run in the test's own process use the running engine instead of starting one each."""
    use_for_commands(executor, monkeypatch)


@pytest.fixture(scope="session")
def graded_class(once, tmp_path_factory):
    """A class with two problem sets, graded once per run for all tests that only read it."""
    made = once("class", _grade_a_class)
    own = tmp_path_factory.mktemp("graded") / "class"  # only one command may work in a class at a time
    shutil.copytree(made, own)
    return own


def _grade_a_class(root: Path) -> None:
    assert main(["sample-class", *SETS, "--class", str(root), "--students", str(STUDENTS)]) == 0
    assert main(["grade", *SETS, "--class", str(root), "--jobs", "2"]) == 0
    assert main(["feedback", *SETS, "--class", str(root)]) == 0
    assert main(["report", *SETS, "--class", str(root)]) == 0
    for form in ("plain", "canvas", "moodle"):
        assert main(["export", *SETS, "--class", str(root), "--format", form]) == 0
