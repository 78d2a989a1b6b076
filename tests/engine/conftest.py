"""Fixtures for the engine's tests: an engine that does not wait long, and a control group."""

from collections.abc import Iterator

import pytest

from autograder.engine.cgroup import Cgroup
from tests.support.engines import limited


@pytest.fixture(scope="session")
def impatient(executor):
    """The grading engine, with two seconds for a cell."""
    return limited(executor, cell_seconds=2, total_seconds=60)


@pytest.fixture
def control_group() -> Iterator[Cgroup | None]:
    """A control group of the test's own; None where the system lets the grader make none."""
    group = Cgroup.make("probe")
    yield group
    if group is not None:
        group.remove()
