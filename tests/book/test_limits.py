"""The limits that the Practice pages state are those of the engine."""

import re

import pytest

from autograder.engine.shared.limits import Limits
from tests.support import ROOT

LIMITS = Limits()
WORDS = {20: "20", 200: "two hundred", 10: "ten"}
GRADERS = {
    "a cell of the notebook, or all calls of a test cell": f"{WORDS[LIMITS.cell_seconds]} seconds of processor time",
    "a submission": f"{WORDS[LIMITS.total_seconds]} seconds of processor time",
    "a cell or a call, in wall-clock time": f"{WORDS[LIMITS.patience]} times its limit",
    "memory": f"{LIMITS.memory / 2**30:g} GB",
    "processes and threads": f"{LIMITS.processes}",
    "a file; all files together": f"{LIMITS.file_bytes / 1e6:g} MB; {4 * LIMITS.file_bytes / 1e6:g} MB",
    "output of a cell": f"{LIMITS.output_bytes / 1e6:g} MB",
}


@pytest.mark.parametrize("what", GRADERS)
def test_instructors_are_told_the_limits_that_hold(what):
    page = (ROOT / "book" / "practice" / "for-instructors.md").read_text(encoding="utf-8")
    (stated,) = re.findall(rf"^\| {re.escape(what)} \| (.*) \|$", page, re.MULTILINE)
    assert stated.startswith(GRADERS[what])


@pytest.mark.parametrize("limit", [f"for {LIMITS.cell_seconds:g} seconds", f"{LIMITS.memory / 2**30:g} GB of memory"])
def test_students_are_told_the_limits_that_hold(limit):
    assert limit in (ROOT / "book" / "practice" / "problem-sets.md").read_text(encoding="utf-8")
