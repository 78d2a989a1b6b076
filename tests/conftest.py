"""What several test files need: where the course lies, and a class that is graded once."""

from pathlib import Path

import pytest

from autograder.__main__ import main


@pytest.fixture(scope="session")
def course() -> Path:
    """The course's root."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def graded_class(tmp_path_factory):
    """A class of 20 with both problem sets, graded once for all tests that only look at it."""
    root = tmp_path_factory.mktemp("class")
    assert main(["sample-class", "--class", str(root), "--students", "20"]) == 0
    assert main(["grade", "--class", str(root), "--jobs", "2"]) == 0
    assert main(["feedback", "--class", str(root)]) == 0
    assert main(["report", "--class", str(root)]) == 0
    for form in ("plain", "canvas", "moodle"):
        assert main(["export", "--class", str(root), "--format", form]) == 0
    return root
