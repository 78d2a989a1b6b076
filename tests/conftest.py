"""What tests of several folders need: the website, a browser, the smallest problem set, the engine, a graded class."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

from autograder.commands.main import main
from autograder.engine.execution import SandboxExecutor
from autograder.engine.sandbox import require_sandbox
from autograder.problem_set.source import ProblemSet, find_problem_sets
from autograder.problem_set.versions import instructor_version
from tests.support import ROOT
from tests.support.browser import chromium

# The same examples in every run, so that a run that passed passes again; EXPLORE=1 tries new ones each time.
hypothesis.settings.register_profile("course", derandomize=not os.environ.get("EXPLORE"), deadline=None)
hypothesis.settings.load_profile("course")


@pytest.fixture(scope="session")
def site() -> Path:
    """The website, built strictly, unless it was built from the same files. BOOK_OUTPUT names another place."""
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
    """A browser for the tests of one file."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def course() -> Path:
    """The course's root."""
    return ROOT


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
    """The grading engine, with its workers kept for all tests."""
    with SandboxExecutor(require_sandbox()) as engine:
        yield engine


@pytest.fixture(scope="session")
def graded_class(tmp_path_factory):
    """A class of 20 with two problem sets, graded once for all tests that only look at it."""
    root = tmp_path_factory.mktemp("class")
    sets = ["ps0-warmup", "ps1-information"]
    assert main(["sample-class", *sets, "--class", str(root), "--students", "20"]) == 0
    assert main(["grade", *sets, "--class", str(root), "--jobs", "2"]) == 0
    assert main(["feedback", *sets, "--class", str(root)]) == 0
    assert main(["report", *sets, "--class", str(root)]) == 0
    for form in ("plain", "canvas", "moodle"):
        assert main(["export", *sets, "--class", str(root), "--format", form]) == 0
    return root
