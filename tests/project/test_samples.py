"""`make test` takes a sample of the cases of some tests; `make test-all` takes all."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import ROOT
from tests.support.samples import outside_the_samples


class Case:
    """What the sampling sees of a test's case."""

    path = Path("test_x.py")

    def __init__(self, test: str, number: int, size: int | None):
        self.originalname, self.number, self.size = test, number, size

    def get_closest_marker(self, name: str) -> SimpleNamespace | None:
        return None if self.size is None or name != "sampled" else SimpleNamespace(args=(self.size,))


@pytest.mark.parametrize(
    ("cases", "size", "run"),
    [(8, 3, [1, 4, 6]), (3, 1, [1]), (2, 2, [0, 1]), (2, 5, [0, 1]), (100, 4, [12, 37, 62, 87])],
)
def test_a_sample_is_spread_evenly_over_the_cases_of_its_test(cases, size, run):
    sampled = [Case("test_a", number, size) for number in range(cases)]
    others = [Case("test_b", number, None) for number in range(3)]
    left_out = outside_the_samples([*sampled, *others])
    assert [one.number for one in sampled if one not in left_out] == run
    assert not left_out & set(others)


FILE = "tests/sets/test_printed_calls.py"
TEST = "test_every_printed_call_of_a_visible_test_can_be_pasted"


@pytest.mark.parametrize(
    ("words", "everything", "cases"),
    [([FILE], "", 3), ([FILE], "1", 8), ([f"{FILE}::{TEST}[ps0-warmup]"], "", 1)],
    ids=["make test", "make test-all", "a case that is named"],
)
def test_pytest_runs_the_sample_everything_or_what_is_named(words, everything, cases):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *words],
        cwd=ROOT,
        env={**os.environ, "TEST_ALL": everything},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(f"::{TEST}[") == cases
