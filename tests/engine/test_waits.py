"""The grader waits for no process forever: one that neither reads nor answers is given up."""

import contextlib
import json
import math
import os
import socket
import threading
import time
from types import SimpleNamespace

import nbformat
import pytest

from autograder.common.errors import MachineError
from autograder.engine import submission_run, warm_processes
from autograder.engine.examiner.remote import Snapshot
from autograder.engine.shared.limits import Limits
from autograder.engine.shared.wire import Connection
from autograder.engine.submission_run import ExaminerEndedError, _Run
from autograder.engine.warm_processes import ExaminerProcess, StudentProcess

#: Seconds after which a wait counts as endless; on a busy machine too, those below are over long before.
BOUND = 60
LIMITS = Limits(cell_seconds=0.1, total_seconds=10, patience=1)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    for module in (warm_processes, submission_run):
        monkeypatch.setattr(module, "START", 0.5)
    monkeypatch.setattr(submission_run, "MARGIN", 0.2)


@pytest.fixture
def pair():
    """Two connected sockets."""
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def outcome(function):
    """Return what a function returns or raises; called in a thread, so that an endless wait fails the test."""
    found = []

    def call():
        try:
            found.append(function())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(BOUND)
    assert found, "it waits forever"
    return found[0]


def a_run():
    """Return a run of a notebook with one test."""
    made = {"grade_id": "t", "grade": True, "points": 1, "locked": True, "solution": False, "schema_version": 3}
    test = nbformat.v4.new_code_cell("assert True", metadata={"nbgrader": {**made, "task": False}})
    return _Run(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1"), test]), LIMITS)


class Control:
    """Stands in for a supervisor whose submission sleeps for some seconds between questions."""

    def __init__(self, each=0.0):
        self.asleep, self.each = 0.0, each

    def ask(self, **_):
        self.asleep += self.each
        return 0.0


def test_an_examiner_that_does_not_read_is_given_up(pair):
    reference = {"t": {"k" * 4_000_000: 0.0}}  # more than a socket buffers
    found = outcome(lambda: a_run().tests(Control(), Connection(pair[0]), reference, last=False))
    assert isinstance(found, ExaminerEndedError)


def test_an_examiner_that_only_asks_is_given_up(pair):
    over = threading.Event()

    def ask():
        with contextlib.suppress(OSError):
            other = Connection(pair[1])
            while not over.wait(0.01):
                other.send({"ask": "processor", "again": False}, (), time.monotonic() + 1)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        found = outcome(lambda: a_run().tests(Control(), Connection(pair[0]), {}, last=False))
    finally:
        over.set()
        asking.join(BOUND)
    assert isinstance(found, ExaminerEndedError)


def test_a_runner_that_never_starts_is_the_machines_trouble(pair):
    """The student was told that the first cell had waited for too long."""
    for each in (0.0, 10.0):
        found = outcome(lambda each=each: a_run().own_cells(Control(each), Connection(pair[0]), ()))
        assert isinstance(found, MachineError), found


@pytest.mark.parametrize("kind", [StudentProcess, ExaminerProcess])
def test_a_warm_process_that_takes_no_requests_is_given_up(kind, monkeypatch):
    """Once the socket was full, the next request blocked forever, holding a lock that every submission needs."""
    mine, theirs = [], []

    class Started:
        """A process that comes up, prepares one set if it is an examiner, and then does nothing."""

        def __init__(self, command, pass_fds, **_):
            end = socket.socket(fileno=os.dup(pass_fds[0]))
            end.sendall(b"ready")
            theirs.append(end)
            self.stderr = SimpleNamespace(close=lambda: None)
            if kind is ExaminerProcess:
                threading.Thread(target=self.make_ready, args=[end], daemon=True).start()

        @staticmethod
        def make_ready(end):
            _, found, _, _ = socket.recv_fds(end, 100, 2)
            theirs.extend(socket.socket(fileno=number) for number in found)
            cells = Connection(theirs[-2])
            cells.receive()
            cells.send({"ready": True})

        def poll(self):
            return None

        kill = wait = poll

    monkeypatch.setattr(warm_processes.subprocess, "Popen", Started)
    sandbox = SimpleNamespace(command=lambda role, descriptor: ([], {}), program=None)
    process = kind(sandbox, 0) if kind is StudentProcess else kind(sandbox)

    def many():
        for _ in range(1000):
            if kind is StudentProcess:
                control, runner, snapshots = process.submission(1, LIMITS, 0, "x" * 30_000, [], None)
                mine.append([control._end, runner.socket, *snapshots])
            else:
                mine.append([process.examiner("one", [], LIMITS, []).socket])

    try:
        assert isinstance(outcome(many), MachineError)
    finally:
        for end in [*theirs, *(end for ends in mine for end in ends)]:
            end.close()
        process.stop()


def test_only_what_waits_says_that_it_waits(pair):
    """While the examiner computes, an idle submission is blameless, and the time between questions cannot tell the two apart."""
    asked = []

    def processor(again=False):
        asked.append(again)
        return 0.0 if len(asked) < 3 else math.inf

    student = Snapshot(Connection(pair[0]), processor, 10.0)
    student.begin(20.0, False, frozenset(), {}, 200.0)
    found = outcome(lambda: student.fetch("name"))
    assert isinstance(found, TimeoutError)
    assert asked == [False, True, True]


def test_sleep_counts_however_late_the_examiner_asks(pair):
    """On a busy machine the questions came more than two seconds apart, and the sleep between them was not counted."""
    run, examiner = a_run(), Connection(pair[1])

    def ask():
        examiner.receive(time.monotonic() + BOUND)
        answers = []
        for again in (False, True, True):
            examiner.send({"ask": "processor", "again": again})
            answers.append(examiner.receive(time.monotonic() + BOUND)[0]["processor"])
        return answers

    answers = []
    asking = threading.Thread(target=lambda: answers.append(json.dumps(ask())), daemon=True)
    asking.start()
    found = outcome(lambda: run.tests(Control(0.2), Connection(pair[0]), {}, last=True))
    asking.join(BOUND)
    assert found is None
    assert run.awaiting  # it says no more then
    assert json.loads(answers[0]) == [0.0, 0.0, math.inf]
