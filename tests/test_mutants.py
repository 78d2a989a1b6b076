"""Small changes of the reference solutions lose points; those that do not are listed, each with the reason why."""

import random

import pytest
from known_sets import SETS

from autograder.execution import SandboxExecutor
from autograder.isolation import Limits
from autograder.mutants import fingerprints, known_results, make_mutants, mix_mutants, surviving
from autograder.problem_set import find_problem_sets
from autograder.proof_table import item_proofs, table_rows
from autograder.sandbox import require_sandbox

LEAST_KILLED = 0.94
SAMPLE = 12  # mutants of a set that are tried again; all of them are tried by `autograder mutants`


@pytest.fixture(scope="module")
def quick():
    with SandboxExecutor(require_sandbox(), Limits(cell_seconds=20, total_seconds=300)) as engine:
        yield engine


def test_mutants_change_what_they_say():
    answer = 'def f(x, axis=-1):\n    """Sum + 1."""\n    if x < 0:\n        raise ValueError("x")\n    return np.sum(x, axis=axis) * 2\n'
    changes = {mutant.change: mutant.code for mutant in make_mutants("f", answer)}
    assert "np.mean" in changes["line 5: sum becomes mean"]
    assert "x <= 0" in changes["line 3: Lt becomes LtE"]
    assert "/ 2" in changes["line 5: Mult becomes Div"]
    assert "np.sum(x)" in changes["line 5: without axis"]
    assert not any("Sum + 1" in code for code in changes.values())
    assert make_mutants("f", answer) == make_mutants("f", answer)
    for code in changes.values():
        compile(code, "<mutant>", "exec")


@pytest.mark.parametrize("name", SETS)
def test_every_mutant_was_tried_and_each_survivor_has_a_reason(course, name):
    (problem_set,) = find_problem_sets(course, [name])
    known, current = known_results(problem_set), fingerprints(problem_set)
    stale = [item for item in current if known.get(item, {}).get("of") != current[item]]
    assert not stale, f"{name}: {', '.join(stale)} changed; run: autograder mutants {name}"
    assert set(known) == set(current)
    for item, result in known.items():
        for change, reason in result["survivors"].items():
            assert reason, f"{name}, {item}: why is `{change}` no fault?"


def test_nearly_every_mutant_loses_points(course):
    results = [result for s in find_problem_sets(course, SETS) for result in known_results(s).values()]
    made = sum(result["mutants"] for result in results)
    survivors = sum(len(result["survivors"]) for result in results)
    assert made > 1_000
    assert made - survivors >= LEAST_KILLED * made, f"{survivors} of {made} mutants survive"


@pytest.mark.parametrize("name", SETS)
def test_a_sample_of_the_mutants_gets_what_is_kept(course, quick, name):
    (problem_set,) = find_problem_sets(course, [name])
    known = known_results(problem_set)
    mutants = [m for item in known for m in make_mutants(item, problem_set.reference_answers[item])]
    assert len(mutants) == sum(result["mutants"] for result in known.values())
    chosen = random.Random(name).sample(mutants, min(SAMPLE, len(mutants)))
    survivors = {(mutant.item, mutant.change) for mutant in surviving(problem_set, chosen, quick, 2)}
    assert survivors == {(m.item, m.change) for m in chosen if m.change in known[m.item]["survivors"]}
    assert len(mix_mutants(chosen)) <= SAMPLE


def test_the_table_counts_what_the_sources_hold(course):
    for problem_set in find_problem_sets(course, SETS):
        proofs = item_proofs(problem_set)
        assert sum(proof.points for proof in proofs) == sum(problem_set.tests.values())
        kinds = [entry.kind for entry in problem_set.bank]
        assert sum(proof.misconceptions for proof in proofs) == kinds.count("misconception")
        assert sum(proof.alternatives for proof in proofs) == kinds.count("alternative")
        assert table_rows(proofs)[-1][1] == f"{len(proofs)} items"
