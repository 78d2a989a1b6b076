"""Fixtures for the engine's tests: an engine that does not wait long."""

import pytest

from tests.support.engines import limited


@pytest.fixture(scope="session")
def impatient(executor):
    """The grading engine, with two seconds for a cell."""
    return limited(executor, cell_seconds=2, total_seconds=60)
