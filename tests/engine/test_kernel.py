"""nbgrader's own execution in a Jupyter kernel gives the same scores as the engine."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from autograder.common.errors import AutograderError
from autograder.engine.score import grade
from autograder.problem_set.bank import promised_losses
from autograder.problem_set.source import answered, find_problem_sets
from autograder.problem_set.versions import instructor_version, student_version
from tests.support import TEST_ALL
from tests.support import jupyter_kernel as kernel
from tests.support.jupyter_kernel import KernelExecutor, prepare_environment
from tests.support.known_sets import SETS, bank_mixes


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_kernel_whose_port_was_taken_is_started_again(monkeypatch, source, failures):
    left = [RuntimeError("Kernel died before replying to kernel_info")] * failures

    def preprocess(step, notebook, resources):
        if left:
            raise left.pop()
        return notebook, resources

    monkeypatch.setattr(kernel.Execute, "preprocess", preprocess)
    if failures < 3:
        assert KernelExecutor()(source).notebook == source
    else:
        with pytest.raises(AutograderError, match="No Jupyter kernel could be started here: Kernel died"):
            KernelExecutor()(source)
    assert left == []


#: The set whose whole bank runs in a kernel each time; from other sets, two mixes run. `make test-all` runs everything.
WHOLE = "ps0-warmup"


@pytest.mark.parametrize("name", SETS)
def test_the_kernel_gives_every_bank_entry_the_same_scores_as_the_engine(course, name):
    """Release proves that the engine keeps the bank's promises; here, nbgrader's own execution keeps them too."""
    prepare_environment()
    (problem_set,) = find_problem_sets(course, [name])
    source, released = instructor_version(problem_set), student_version(problem_set)

    def lost(mix):
        answers = problem_set.reference_answers | {entry.replaces: entry.code for entry in mix}
        return grade(source, answered(released, answers), KernelExecutor(cell_timeout=300)).lost(problem_set.tests)

    mixes = [[], *bank_mixes(problem_set.bank)]
    if name != WHOLE and not TEST_ALL:
        mixes = random.Random(name).sample(mixes, 2)
    with ThreadPoolExecutor(2) as pool:
        for mix, found in zip(mixes, pool.map(lost, mixes), strict=True):
            assert found == promised_losses(mix), [str(entry) for entry in mix]
