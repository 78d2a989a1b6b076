"""A loop over samples is recognised by the Python steps that it takes: no import, clock or word in the text decides."""

import functools
import importlib
import math
import operator
import sys
import threading

import nbformat
import numpy as np
import pytest

from autograder.engine.score import grade
from autograder.problem_set.source import answered, find_problem_sets, grade_id
from autograder.problem_set.versions import instructor_version, without_hidden_tests
from tests.support import TEST_ALL
from tests.support.judging import message

FEW, MANY = (np.ones(10),), (np.ones(1000),)


def twice(value):
    return 2 * value


def generated(x):
    yield from (2 * value for value in x)


LOOPS = {
    "a comprehension": lambda x: np.array([2 * value for value in x]),
    "a generator": lambda x: np.fromiter(generated(x), float),
    "a generator expression": lambda x: np.array(tuple(2 * value for value in x)),
    "map": lambda x: np.array(list(map(twice, x))),
    "vectorize": lambda x: np.vectorize(twice)(x),
    "frompyfunc": lambda x: np.frompyfunc(twice, 1, 1)(x).astype(float),
    "apply_along_axis": lambda x: np.apply_along_axis(twice, 1, x[:, None])[:, 0],
    "apply_along_axis of C": lambda x: 2 * np.apply_along_axis(np.sum, 1, x[:, None]),
    "reduce": lambda x: functools.reduce(lambda total, value: total + value, x) * 2 * np.ones(len(x)) / len(x),
    "sorted by a key": lambda x: 2 * np.array(sorted(x, key=lambda value: -value)),
}
NO_LOOPS = {
    "an array": lambda x: 2 * x,
    "map": lambda x: np.array(list(map(operator.add, x, x))),
    "vectorize": lambda x: 2 * np.vectorize(math.sqrt)(x),
    "frompyfunc": lambda x: 2 * np.frompyfunc(math.sqrt, 1, 1)(x).astype(float),
    "reduce": lambda x: functools.reduce(np.add, x) * 2 * np.ones(len(x)) / len(x),
    "a sum": lambda x: sum(x.tolist()) * 2 * np.ones(len(x)) / len(x),
}


@pytest.mark.parametrize("way", LOOPS)
def test_a_loop_over_samples_is_found_by_its_steps(check, way):
    text = message(check(LOOPS[way]).steps_do_not_grow, FEW, MANY, 2 * np.ones(1000))
    assert text.startswith("double(np.full(10, 1.0)) and double(np.full(1000, 1.0)) took ")
    assert "let NumPy loop over the samples" in text
    assert "1000" not in message(check(LOOPS[way], hidden=True).steps_do_not_grow, FEW, MANY)


@pytest.mark.parametrize("way", NO_LOOPS)
def test_what_runs_no_line_of_python_for_each_sample_is_not_a_loop(check, way):
    check(NO_LOOPS[way]).steps_do_not_grow(FEW, MANY, 2 * np.ones(1000))


def test_steps_that_are_wasted_on_few_samples_hide_nothing(check):
    def wasteful(x):
        for _ in range(5000 if len(x) == 10 else 0):
            pass
        return LOOPS["a comprehension"](x)

    assert "let NumPy loop over the samples" in message(check(wasteful).steps_do_not_grow, FEW, MANY)
    message(check(LOOPS["a comprehension"]).steps_do_not_grow, FEW, (np.ones(40),))


def test_the_value_is_judged_beside_the_steps(check):
    def stub(x):
        raise NotImplementedError

    check(lambda x: 2 * x).steps_do_not_grow(FEW, MANY, 2 * np.ones(1000))
    for judge, args in (("steps_do_not_grow", (FEW, MANY, 2 * np.ones(1000))), ("serves", (2 * np.ones(1000), *MANY))):
        assert "returned 0 at index 0" in message(getattr(check(lambda x: 0 * x), judge), *args)
        assert "returned None" in message(getattr(check(lambda x: None), judge), *args)
        assert "(type str)" in message(getattr(check(lambda x: "text"), judge), *args)
        assert "not attempted" in message(getattr(check(stub), judge), *args)
        assert "ZeroDivisionError" in message(getattr(check(lambda x: len(x) / 0), judge), *args)
        assert "1000" not in message(getattr(check(lambda x: 0 * x, hidden=True), judge), *args)


def test_a_notebook_whose_count_is_disturbed_says_so_and_loses_nothing(check, capsys):
    def untraced(x):
        sys.settrace(None)
        return 2 * x

    check(untraced).steps_do_not_grow(FEW, MANY, 2 * np.ones(1000))
    shown = capsys.readouterr().out
    assert shown.startswith("Note (no points lost): The steps of double could not be counted")
    assert "Its steps are counted when your work is graded." in shown
    assert "returned 2 at index 0" in message(check(untraced).steps_do_not_grow, FEW, MANY, 3 * np.ones(1000))


def test_a_debugger_that_was_there_before_is_there_afterwards(check):
    def debugger(frame, event, argument):
        return None

    before = sys.gettrace()
    sys.settrace(debugger)
    try:
        check(lambda x: 2 * x).steps_do_not_grow(FEW, MANY, 2 * np.ones(1000))
        assert sys.gettrace() is debugger
    finally:
        sys.settrace(before)


# ---- as graded: the function is at the other end of a wire


def without_trace():
    counter = sys.gettrace()
    sys.settrace(None)
    sum(1 for _ in range(1000))
    sys.settrace(counter)


def without_trace_of_any_thread():
    counter = sys.gettrace()
    sys._settraceallthreads(None)
    for _ in range(1000):
        pass
    sys._settraceallthreads(counter)


def in_another_interpreter():
    interpreters = importlib.import_module("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")
    other = interpreters.create()
    interpreters.run_string(other, "for _ in range(1000): pass")
    interpreters.destroy(other)


def in_another_thread():
    thread = threading.Thread(target=sum, args=([],))
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    "way",
    [
        without_trace,
        pytest.param(
            without_trace_of_any_thread,
            marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 has no such function"),
        ),
        in_another_interpreter,
        in_another_thread,
    ],
)
def test_work_where_nobody_counts_is_noticed(way):
    from autograder.engine.student.service import _count_steps

    assert not _count_steps(way, [])[2]
    assert _count_steps(lambda: sum(range(1000)), [])[2]


def remote(value=lambda x: 2 * x, steps=(5, 5), undisturbed=True, seconds=0.01, reference=0.01):
    """A function as the examiner sees it."""
    counts = iter(steps)

    class Remote:
        asked = []  # noqa: RUF012

        def __call__(self, *args):
            raise AssertionError("called without a count")

        def _count_steps(self, args):
            return value(*args), next(counts), undisturbed

        def _cpu_seconds(self, args):
            return value(*args), seconds

        def _reference_cpu(self):
            self.asked.append("reference")
            return reference

    return Remote()


def test_a_count_that_was_disturbed_is_decided_by_a_person_and_never_by_a_guess(check, checks):
    with pytest.raises(checks.Undecided, match="The steps of double could not be counted") as caught:
        check(remote(undisturbed=False)).steps_do_not_grow(FEW, MANY, 2 * np.ones(1000))
    assert caught.value.awaits_hand
    assert not isinstance(caught.value, AssertionError)
    # An answer that is wrong regardless of the count is wrong.
    message(check(remote(undisturbed=False)).steps_do_not_grow, FEW, MANY, 3 * np.ones(1000))
    message(check(remote(steps=(20, 3000), undisturbed=False)).steps_do_not_grow, FEW, MANY, 2 * np.ones(1000))


class Unread:
    """Numbers that are computed when they are read."""

    def __len__(self):
        return 2

    def __getitem__(self, place):
        return [1.0, 2.0][place]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ((Unread(), 0.5), "part 1 of double(…) is … (type Unread), which is more than numbers"),
        (([Unread(), Unread()], 0.5), "part 1 of double(…) is … (type list), which is more than numbers"),
        (([1.0, 2.0], Unread()), "part 2 of double(…) is … (type Unread), which is more than numbers"),
        (([1.0, 2.0], [0.0] * 1001), "part 2 of double(…) holds more than 1000 numbers"),
    ],
)
def test_a_result_is_numbers_and_no_more_than_there_are_samples(check, result, says):
    """Else the work could wait until nobody counts it, or hide behind the writing of what is not judged."""
    found = message(check(lambda x: result).steps_do_not_grow, FEW, MANY, ([1.0, 2.0],))
    for piece in says.split("…"):
        assert piece in found
    check(lambda x: ([1.0, 2.0], 0.5)).steps_do_not_grow(FEW, MANY, ([1.0, 2.0],))


@pytest.mark.parametrize(
    ("seconds", "reference", "hand"),
    [
        (0.01, 0.01, False),
        (30.0, 0.01, True),
        (26.0, 2.0, False),  # the reference is slow too
        (1e-4, 1e-7, False),  # so little time proves nothing, whatever the ratio
        (30.0, None, False),  # no reference has been measured
    ],
)
def test_processor_time_that_contradicts_the_count_is_looked_at_by_a_person(check, checks, seconds, reference, hand):
    function = remote(seconds=seconds, reference=reference)
    if hand:
        with pytest.raises(checks.Undecided, match="processor time") as caught:
            check(function).serves(2 * np.ones(100_000), np.ones(100_000))
        assert "100000" not in str(caught.value)
    else:
        check(function).serves(2 * np.ones(100_000), np.ones(100_000))
    assert function.asked == ["reference"]
    message(check(function).serves, 3 * np.ones(100_000), np.ones(100_000))


# ---- what honest students have in their notebooks

SCRATCH = {
    "os": "import os\nprint(os.getcwd() != '')",
    "re": "import re\nre.findall('[0-9]+', 'ring 1909')",
    "operator": "import operator\noperator.add(1, 2)",
    "inspect": "import inspect\ninspect.signature(predict_proba)",
    "a question": "np.sum?",
    "scipy": "from scipy.special import expit\nexpit(0.0)",
    "display": "from IPython.display import display\ndisplay(np.arange(3))",
    "a shell": "!echo hi",
    "autoreload": "%load_ext autoreload\n%autoreload 2",
    "f_x": "f_x = 3\nf_x",
    "chunk": "chunk = birds[:10]",
    "site": "site = 'island'",
    "signal": "signal = np.sin(np.arange(10.0))",
    "io": "io = 1",
    "time": "%time predict_proba(birds, np.zeros(3), 0.0)",
    "timeit": "%timeit -n 1 -r 1 predict_proba(birds, np.zeros(3), 0.0)",
    "sys": "import sys\nprint(sys.version)",
    "threads": "import concurrent.futures",
    "getattr": "getattr(birds, 'shape')",
    "settrace, by name": "# sys.settrace would not help here",
}


@pytest.fixture(scope="module")
def ps5(course):
    """The set, as submissions are graded against it, and its notebook with the reference solution."""
    (problem_set,) = find_problem_sets(course, ["ps5-arrays"])
    source = instructor_version(problem_set)
    return problem_set, source, answered(without_hidden_tests(source), problem_set.reference_answers)


#: Each of them alone would need a run of the whole set; `make test-all` does that.
TOGETHER = 1 if TEST_ALL else 7


@pytest.mark.parametrize("first", range(0, len(SCRATCH), TOGETHER))
@pytest.mark.sampled(1)
def test_honest_scratch_cells_cost_nothing(ps5, executor, first):
    problem_set, source, solved = ps5
    scratch = [nbformat.v4.new_code_cell(text) for text in list(SCRATCH.values())[first : first + TOGETHER]]
    notebook = nbformat.from_dict(solved)
    place = [grade_id(cell) for cell in notebook.cells].index("predict_proba") + 1
    notebook.cells = [*notebook.cells[:place], *scratch, *notebook.cells[place:]]
    graded = grade(source, notebook, executor)
    assert graded.lost(problem_set.tests) == set()
    assert not graded.awaiting
