"""Engines that share the warm processes of a running one, since starting processes takes seconds."""

import contextlib
import copy

import pytest

from autograder.engine import execution
from autograder.engine.execution import SandboxExecutor, engine_name
from autograder.engine.shared.limits import Limits


def limited(engine: SandboxExecutor, **limits) -> SandboxExecutor:
    """Return an engine with other limits that uses this one's warm processes."""
    other = copy.copy(engine)
    other.limits = Limits(**limits)
    other.name = engine_name(engine.sandbox.name, other.limits, engine.seed)
    return other


def use_for_commands(engine: SandboxExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make commands that run in the test's own process use this engine instead of starting one of the same kind."""

    def made(sandbox, limits=None, seed=0):
        own = SandboxExecutor(sandbox, limits, seed)
        return contextlib.nullcontext(engine) if own.name == engine.name else own

    monkeypatch.setattr(execution, "SandboxExecutor", made)
