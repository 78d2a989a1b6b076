"""From a failed test to the misconception that it looks like.

When a set is released, its proof runs every misconception of the bank; what each one answers in the tests is kept, as
digests, in `behaviour.json` next to the bank. A submission that loses the same tests of an item with the same answers
behaves like that misconception. One that loses further tests mixes it with another mistake.
"""

from __future__ import annotations

from autograder.engine.score import Graded
from autograder.problem_set.source import ProblemSet


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
        Item, and the name of the misconception; of several that are mixed, the one that explains most of the lost
        tests. Items whose answer behaves like none, or that await a person, are left out.
    """
    lost = graded.lost(problem_set.tests)
    alike: dict[str, list[tuple[int, bool, str]]] = {}
    for entry in problem_set.bank:
        digests = behaviour.get(entry.replaces, {}).get(entry.name)
        if not digests or entry.replaces in graded.not_attempted:
            continue
        tests = problem_set.items[entry.replaces].tests
        if any(graded.scores.get(test) is None for test in tests):
            continue  # what the machine could not decide, it cannot explain either
        failed = lost & tests.keys()
        different = {test for test, digest in digests.items() if graded.behaviour.get(test) != digest}
        explained = entry.loses & tests.keys()
        if explained and explained <= failed and not explained & different:
            alike.setdefault(entry.replaces, []).append((-len(explained), bool(different), entry.name))
    # Among several that explain as much, one that answers alike in every test; then the first of the bank.
    return {item: min(names, key=lambda name: name[:2])[2] for item, names in alike.items()}
