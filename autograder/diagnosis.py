"""From a failed test to the misconception that it looks like.

When a set is released, its proof runs every misconception of the bank; what each one answers in the tests is kept, as
digests, in `behaviour.json` beside the bank. A submission that loses the same tests of an item with the same answers
behaves like that misconception.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from autograder.behaviour import RECORDED
from autograder.grading import Graded
from autograder.problem_set import BankEntry, ProblemSet, grade_id
from autograder.whole_files import write_text


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


def diagnose(
    problem_set: ProblemSet, graded: Graded, behaviour: dict[str, dict[str, dict[str, str]]]
) -> dict[str, str]:
    """Name the misconception that each wrong answer behaves like.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    graded : Graded
        A graded submission.
    behaviour : dict
        What `known_behaviour` returned.

    Returns
    -------
    dict of str to str
        Item, and the name of the misconception; items whose answer behaves like none are left out.
    """
    lost = graded.lost(problem_set.tests)
    alike: dict[str, list[tuple[bool, str]]] = {}
    for entry in problem_set.bank:
        digests = behaviour.get(entry.replaces, {}).get(entry.name)
        if not digests or entry.replaces in graded.not_attempted:
            continue
        failed = lost & problem_set.items[entry.replaces].tests.keys()
        different = {test for test, digest in digests.items() if graded.behaviour.get(test) != digest}
        if failed == entry.loses and not failed & different:
            alike.setdefault(entry.replaces, []).append((bool(different), entry.name))
    # Among several, one that answers alike in every test, not just in the lost ones; then the first of the bank.
    return {item: min(names, key=lambda name: name[0])[1] for item, names in alike.items()}


def sentence(problem_set: ProblemSet, item: str, name: str) -> str:
    """Word a diagnosis for the student."""
    for entry in problem_set.bank:
        if (entry.replaces, entry.name) == (item, name):
            idea, _, place = entry.revisit.partition(": ")
            where = f" ({place})" if place else ""
            return f"Your {item} behaves as one that {entry.diagnosis.rstrip('.')}. The idea to revisit: {idea}{where}."
    return ""
