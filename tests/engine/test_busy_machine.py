"""A busy machine, a greedy neighbour or a sleeping cell changes nobody's points: only processor time counts."""

import contextlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from autograder.common.errors import SubmissionError
from autograder.engine.execution import SandboxExecutor
from autograder.engine.sandbox import require_sandbox
from autograder.engine.score import grade
from autograder.problem_set.bank import promised_losses
from autograder.problem_set.source import answered, find_problem_sets
from autograder.problem_set.versions import instructor_version, without_hidden_tests
from tests.support import TEST_ALL
from tests.support.engines import limited
from tests.support.known_sets import bank_mixes

#: Seconds after which the load ends by itself, whatever happens to the test.
BOUND = 240


@contextlib.contextmanager
def load(processes):
    """Keep the machine busy with this many processes."""
    code = f"import signal\nsignal.alarm({BOUND})\nwhile True: pass"
    started = [subprocess.Popen([sys.executable, "-S", "-c", code]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def graphs(course):
    return find_problem_sets(course, ["ps4-graphs"])[0]


def test_a_class_gets_the_same_points_on_a_busy_machine(graphs, executor):
    """A set whose reference makes thousands of small calls, and answers from its bank, on an overloaded machine."""
    source = instructor_version(graphs)
    released = without_hidden_tests(source)
    times, many = (5, 3) if TEST_ALL else (3, 1)
    mixes = [[], *bank_mixes(graphs.bank)[:many]]
    submissions = [
        answered(released, graphs.reference_answers | {entry.replaces: entry.code for entry in mix}) for mix in mixes
    ]
    with ThreadPoolExecutor(2) as pool, load(times * os.cpu_count()):
        graded = list(pool.map(lambda submission: grade(source, submission, executor), submissions))
    for mix, result in zip(mixes, graded, strict=True):
        assert result.lost(graphs.tests) == promised_losses(mix)


def test_sixteen_spinning_processes_take_no_point_from_a_neighbour(warmup, source, executor):
    released = without_hidden_tests(source)
    greedy = """
import os
for _ in range(16):
    if os.fork() == 0:
        while True: pass
while True: pass
"""
    slow = """
import math, time
def nats_to_bits(x):
    end = time.process_time() + 0.1
    while time.process_time() < end: pass
    return x / math.log(2)
"""
    engine = limited(executor, cell_seconds=3, total_seconds=12)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(grade, source, answered(released, {"nats_to_bits": greedy}), engine)
        second = pool.submit(grade, source, answered(released, {"nats_to_bits": slow}), engine)
        assert second.result().score == 1.0
        with contextlib.suppress(SubmissionError):
            assert first.result().score == 0.0


@pytest.mark.parametrize(
    ("code", "score"),
    [
        ("import time\ntime.sleep(1.5)\nimport math\ndef nats_to_bits(x): return x / math.log(2)", 1.0),
        ("import math, time\ndef nats_to_bits(x):\n    time.sleep(0.2)\n    return x / math.log(2)", 1.0),
    ],
)
def test_waiting_costs_nothing(warmup, source, executor, code, score):
    """These answers wait for longer than the one second of processor time that is allowed."""
    engine = limited(executor, cell_seconds=1, total_seconds=20)
    assert grade(source, answered(without_hidden_tests(source), {"nats_to_bits": code}), engine).score == score


def test_a_cell_that_waits_for_ever_is_abandoned_after_a_second_try(warmup, source, executor):
    code = "import time\ntime.sleep(3600)"
    engine = limited(executor, cell_seconds=1, total_seconds=20, patience=2)
    begin = time.monotonic()
    with pytest.raises(SubmissionError, match="had not ended after 2 seconds"):
        grade(source, answered(without_hidden_tests(source), {"nats_to_bits": code}), engine)
    assert time.monotonic() - begin >= 4  # it counted only after it had happened twice


def test_the_second_try_runs_alone():
    """While one submission gets its second try, no other runs."""
    spans = []
    engine = SandboxExecutor(require_sandbox())

    def run(notebook, reference, undrawn, last):
        begin = time.monotonic()
        time.sleep(0.1)
        spans.append((begin, time.monotonic(), last))
        if notebook == "doubtful" and not last:
            raise SubmissionError("perhaps", doubtful=True)
        return notebook

    engine._run = run
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(engine, ["a", "doubtful", "b", "c", "doubtful", "d"])) == [
            "a",
            "doubtful",
            "b",
            "c",
            "doubtful",
            "d",
        ]
    alone = [span for span in spans if span[2]]
    assert len(alone) == 2
    for begin, end, _ in alone:
        beside = [span for span in spans if span[:2] != (begin, end) and span[0] < end and span[1] > begin]
        assert not beside


def test_infinite_loops_in_many_cells_are_one_failure(warmup, source, executor):
    cells = [nbformat.v4.new_code_cell("while True: pass") for _ in range(30)]
    notebook = answered(without_hidden_tests(source), {"nats_to_bits": "pass"})
    notebook.cells += cells
    engine = limited(executor, cell_seconds=1, total_seconds=3)
    with pytest.raises(SubmissionError, match="more than 3 seconds of processor time"):
        grade(source, notebook, engine)
