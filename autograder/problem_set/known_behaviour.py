"""What each misconception of a bank answered in the tests when the set was last proven, as digests.

It is kept in `behaviour.json` beside the bank. A submission that loses the same tests of an item with the same answers
behaves like that misconception.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from autograder.common.answer_digest import RECORDED
from autograder.common.atomic_files import write_text
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.source import ProblemSet, grade_id


def behaviour_path(problem_set: ProblemSet) -> Path:
    """Return where the behaviour of a set's misconceptions is kept."""
    return problem_set.folder / "behaviour.json"


def _fingerprint(problem_set: ProblemSet) -> str:
    cells = [f"{grade_id(cell)}\n{cell.source}" for cell in problem_set.notebook.cells if grade_id(cell)]
    entries = [f"{entry}\n{entry.code}" for entry in problem_set.bank]
    return hashlib.sha256("\0".join([RECORDED, *cells, *entries]).encode()).hexdigest()


def record_behaviour(problem_set: ProblemSet, behaviour: Iterable[tuple[BankEntry, dict[str, str]]]) -> None:
    """Keep what the misconceptions of a set answered in the tests of their items, unless that is known already.

    Parameters
    ----------
    problem_set : ProblemSet
        The set, proven.
    behaviour : iterable of tuple of (BankEntry, dict of str to str)
        From its proof.
    """
    if known_behaviour(problem_set):
        return  # an answer that draws without a seed has another digest each time; the file changes only with the set
    kept: dict[str, dict[str, dict[str, str]]] = {}
    for entry, digests in behaviour:
        if entry.replaces in problem_set.items:
            tests = problem_set.items[entry.replaces].tests
            kept.setdefault(entry.replaces, {})[entry.name] = {test: digests[test] for test in tests if test in digests}
    text = json.dumps({"of": _fingerprint(problem_set), "misconceptions": kept}, indent=1, sort_keys=True)
    write_text(text + "\n", behaviour_path(problem_set))


def known_behaviour(problem_set: ProblemSet) -> dict[str, dict[str, dict[str, str]]]:
    """Return item, then misconception, then test cell and digest; empty where the set has changed since its release."""
    try:
        kept = json.loads(behaviour_path(problem_set).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept["misconceptions"] if kept.get("of") == _fingerprint(problem_set) else {}
