"""Small changes to the reference solutions lose points; those that do not are listed, each with the reason."""

import random

import pytest

from autograder.authoring.mutants import fingerprints, known_results, make_mutants, mix_mutants, mutants_of, surviving
from autograder.authoring.proof_table import item_proofs, table_rows
from autograder.problem_set.source import find_problem_sets
from tests.support import TEST_ALL
from tests.support.engines import limited
from tests.support.known_sets import SETS

LEAST_KILLED = 0.95
LEAST_MISCONCEPTIONS, LEAST_ALTERNATIVES = 6, 4
#: Mutants of a set that are tried again; `autograder mutants` tries all of them.
SAMPLE = 12 if TEST_ALL else 4


@pytest.fixture(scope="module")
def quick(executor):
    """The grading engine with the command's limits."""
    return limited(executor, cell_seconds=8, total_seconds=90)


def test_mutants_change_what_they_say():
    answer = 'def f(x, axis=-1):\n    """Sum + 1."""\n    if x < 0:\n        raise ValueError("x")\n    return np.sum(x, axis=axis) * 2\n'
    changes = {mutant.change: mutant.code for mutant in make_mutants("f", answer)}
    assert "np.mean" in changes["`return np.sum(x, axis=axis) * 2`: sum becomes mean"]
    assert "x <= 0" in changes["`if x < 0:`: Lt becomes LtE"]
    assert "/ 2" in changes["`return np.sum(x, axis=axis) * 2`: Mult becomes Div"]
    assert "np.sum(x)" in changes["`return np.sum(x, axis=axis) * 2`: without axis"]
    assert "axis=+1" in changes["`def f(x, axis=-1):`: minus dropped"]
    assert "if" not in changes["without `if x < 0:`"]
    assert not any("Sum + 1" in code for code in changes.values())
    assert make_mutants("f", answer) == make_mutants("f", answer)
    for code in changes.values():
        compile(code, "<mutant>", "exec")


def test_a_mutant_keeps_its_name_when_its_line_moves():
    answer = "x = 1 + 2\ny = 1 + 2"
    moved = "\n\n# A remark.\n" + answer
    assert {m.change for m in make_mutants("f", answer)} == {m.change for m in make_mutants("f", moved)}


def test_equal_changes_in_equal_statements_have_names_of_their_own():
    changes = [mutant.change for mutant in make_mutants("f", "x = 1 - x\nx = 1 - x")]
    assert len(changes) == len(set(changes))
    assert {"`x = 1 - x`: Sub becomes Add", "`x = 1 - x`: Sub becomes Add (2)"} <= set(changes)


def changes_of(answer, **options) -> set[str]:
    return {mutant.change.split("`: ")[-1] for mutant in make_mutants("f", answer, **options)}


@pytest.mark.parametrize(
    ("answer", "never", "still"),
    [
        # A warning costs no points, but an errstate that raises, or one that warns, changes more than silence.
        ("with np.errstate(divide='ignore'):\n    y = np.log(x)", {"without divide"}, set()),
        ("with np.errstate(divide='raise'):\n    y = np.log(x)", set(), {"without divide"}),
        # Expressions are compared by the names of symbols, whatever their assumptions; elsewhere the same word matters.
        ("p = sp.symbols('p', positive=True)", {"without positive", "True becomes False"}, set()),
        ("p = sp.Symbol('p', real=True)", {"without real", "True becomes False"}, set()),
        ("roots = sp.solve(f, p, dict=True)", set(), {"without dict", "True becomes False"}),
        # NumPy's own default may be omitted; another value may not, nor may the default become another value.
        ("y = np.allclose(a, 1, atol=1e-8)", {"without atol"}, {"1e-08 becomes 0.12500002"}),
        ("y = np.allclose(a, 1, rtol=0, atol=1e-9)", set(), {"without rtol", "without atol"}),
        ("y = np.sum(a, axis=None)", {"without axis"}, set()),
        ("y = np.sum(a, axis=0)", set(), {"without axis"}),
        ("y = np.asarray(a, dtype=float)", set(), {"without dtype"}),
        ("y = a.sum(axis=None)", set(), {"without axis"}),
        ("y = sorted(a, reverse=False)", set(), {"without reverse"}),
    ],
)
def test_what_cannot_change_an_answer_is_no_mutant_and_everything_else_is(answer, never, still):
    changes = changes_of(answer)
    assert not changes & never
    assert still <= changes


def test_a_warning_matters_where_a_test_asks_for_silence(course, monkeypatch):
    answer = "with np.errstate(over='ignore'):\n    y = np.exp(x)"
    assert "without over" in changes_of(answer, silence=True)
    assert "without over" not in changes_of(answer)
    (problem_set,) = find_problem_sets(course, ["ps3-bugfix"])
    items = list(problem_set.reference_answers)
    monkeypatch.setattr(problem_set, "reference_answers", dict.fromkeys(items, answer))
    asked = {item for item in items if any("without over" in m.change for m in mutants_of(problem_set, item))}
    assert asked == {"sigmoid", "sigmoid_derivative"}


@pytest.mark.parametrize("name", SETS)
def test_every_mutant_was_tried_and_each_survivor_has_a_reason(course, name):
    (problem_set,) = find_problem_sets(course, [name])
    known, current = known_results(problem_set), fingerprints(problem_set)
    stale = [item for item in current if known.get(item, {}).get("of") != current[item]]
    assert not stale, f"{name}: {', '.join(stale)} changed; run: autograder mutants {name}"
    assert set(known) == set(current)
    for item, result in known.items():
        for change, reason in result["survivors"].items():
            assert reason, f"{name}, {item}: why is `{change}` not a fault?"


def test_nearly_every_mutant_loses_points(course):
    results = [result for s in find_problem_sets(course, SETS) for result in known_results(s).values()]
    made = sum(result["mutants"] for result in results)
    survivors = sum(len(result["survivors"]) for result in results)
    assert made > 1_000
    assert made - survivors >= LEAST_KILLED * made, f"{survivors} of {made} mutants survive"


@pytest.mark.parametrize("name", SETS)
@pytest.mark.sampled(3)
def test_a_sample_of_the_mutants_gets_what_is_kept(course, quick, name):
    (problem_set,) = find_problem_sets(course, [name])
    known = known_results(problem_set)
    mutants = [m for item in known for m in mutants_of(problem_set, item)]
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


@pytest.mark.parametrize("name", SETS)
def test_the_bank_knows_six_wrong_answers_and_four_right_ones_of_each_item(course, name):
    (problem_set,) = find_problem_sets(course, [name])
    for proof in item_proofs(problem_set):
        assert proof.misconceptions >= LEAST_MISCONCEPTIONS, (
            f"{name}, {proof.item}: {proof.misconceptions} misconceptions"
        )
        assert proof.alternatives >= LEAST_ALTERNATIVES, f"{name}, {proof.item}: {proof.alternatives} alternatives"
