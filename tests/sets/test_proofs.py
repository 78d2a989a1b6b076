"""Each set is proven as recorded; a sample of the record is observed again."""

import pytest

from autograder.authoring.proof.prove import prove
from autograder.authoring.proof.record import known
from autograder.problem_set.source import find_problem_sets
from tests.support.known_sets import SETS


@pytest.mark.parametrize("name", SETS)
@pytest.mark.sampled(3)
def test_a_set_is_proven_as_recorded(course, executor, name):
    """`autograder release --prove` observes everything again."""
    (problem_set,) = find_problem_sets(course, [name])
    given = known(problem_set)
    assert given.complete, f"{name}, or what proves it, has changed; run: autograder release {name}"
    # As after a change that no answer depends on: the reference solution, the unsolved notebook and a sample are run.
    given.complete = False
    proof = prove(problem_set, executor, 2, given=given)
    assert proof.faults == []
    assert proof.tried == [], "the sample does something other than the record says"
    assert proof.observed == given.observed
    assert proof.reference == given.reference
