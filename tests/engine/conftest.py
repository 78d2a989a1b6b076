"""Fixtures for the engine's tests: an engine that does not wait long."""

import pytest

from autograder.engine.execution import SandboxExecutor
from autograder.engine.sandbox import require_sandbox
from autograder.engine.shared.isolation import Limits


@pytest.fixture(scope="session")
def impatient():
    """The grading engine, with two seconds for a cell."""
    with SandboxExecutor(require_sandbox(), Limits(cell_seconds=2, total_seconds=60)) as engine:
        yield engine
