"""Engines for tests that need limits of their own."""

import copy

from autograder.engine.execution import SandboxExecutor, engine_name
from autograder.engine.shared.isolation import Limits


def limited(engine: SandboxExecutor, **limits) -> SandboxExecutor:
    """Return an engine with other limits that uses the warm processes of this one; its own would take seconds to start."""
    other = copy.copy(engine)
    other.limits = Limits(**limits)
    other.name = engine_name(engine.sandbox.name, other.limits, engine.seed)
    return other
