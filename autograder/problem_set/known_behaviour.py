"""What the set's proof observed at its last release, kept in `behaviour.json` beside the bank.

It holds digests of what each misconception in the bank answered in the tests: a submission that loses the same tests of
an item with the same answers behaves like that misconception. It also holds what hidden tests said when they failed:
students see no other text from a hidden test, since a submission could make it say anything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.common.answer_digest import RECORDED
from autograder.common.atomic_files import write_text
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.source import ProblemSet, grade_id

#: The part of a test cell that only instructors see, as nbgrader marks it.
HIDDEN_TESTS = re.compile(r"[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*\n?", re.DOTALL)


def behaviour_path(problem_set: ProblemSet) -> Path:
    """Return the file that keeps the behaviour of a set's misconceptions."""
    return problem_set.folder / "behaviour.json"


def _fingerprint(problem_set: ProblemSet) -> str:
    cells = [f"{grade_id(cell)}\n{cell.source}" for cell in problem_set.notebook.cells if grade_id(cell)]
    entries = [f"{entry}\n{entry.code}" for entry in problem_set.bank]
    return hashlib.sha256("\0".join([RECORDED, *cells, *entries]).encode()).hexdigest()


def record_behaviour(
    problem_set: ProblemSet,
    behaviour: Iterable[tuple[BankEntry, Mapping[str, str]]],
    messages: Mapping[str, Iterable[str]],
) -> None:
    """Record what a set's proof observed.

    Parameters
    ----------
    problem_set : ProblemSet
        The proven set.
    behaviour : iterable of tuple of (BankEntry, mapping of str to str)
        Each misconception, with a digest of its answers for each test cell; empty if its answers vary between runs, so
        that no submission is matched with it.
    messages : mapping of str to iterable of str
        What each hidden test cell said when it failed.
    """
    kept: dict[str, dict[str, dict[str, str]]] = {}
    for entry, digests in behaviour:
        if entry.replaces in problem_set.items:
            tests = problem_set.items[entry.replaces].tests
            kept.setdefault(entry.replaces, {})[entry.name] = {test: digests[test] for test in tests if test in digests}
    content = {
        "of": _fingerprint(problem_set),
        "misconceptions": kept,
        "messages": {test: sorted(set(texts)) for test, texts in messages.items()},
    }
    write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", behaviour_path(problem_set))


def recorded_behaviour(problem_set: ProblemSet) -> dict:
    """Return everything on record, whether or not the set has changed since."""
    try:
        kept = json.loads(behaviour_path(problem_set).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def known_behaviour(problem_set: ProblemSet) -> dict[str, dict[str, dict[str, str]]]:
    """Return digests by item, misconception and test cell; empty if the set has changed since its release."""
    return _read(problem_set).get("misconceptions", {})


def known_messages(problem_set: ProblemSet) -> dict[str, list[str]]:
    """Return the texts that each hidden test cell may show; empty if the set has changed since its release."""
    return _read(problem_set).get("messages", {})


def _read(problem_set: ProblemSet) -> dict:
    kept = recorded_behaviour(problem_set)
    return kept if kept.get("of") == _fingerprint(problem_set) else {}
