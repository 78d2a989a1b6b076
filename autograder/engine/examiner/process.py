"""The process that judges, in its own sandbox: no network, no class, no course; it cannot write or start anything.

There are three kinds of process here. The *base* has imported what test cells use and starts a process for each *set*,
which receives the cells of that set only. It runs the set's locked cells once and starts an *examiner* for each
submission, which is connected to the snapshots of that submission's process and to the grader. An examiner tells the
grader a verdict and a text for each test.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import json
import mmap
import os
import signal
import socket
import sys
import time
from typing import Any

import mpmath  # noqa: F401 (test cells evaluate expressions with it)
import numpy.random  # noqa: F401 (NumPy would import it at its first use, that is, for each submission)

from autograder.common.cell_names import foreign_names
from autograder.engine.examiner.locked_cells import definitions
from autograder.engine.examiner.remote import Snapshot
from autograder.engine.examiner.test_cell import judge, parsed
from autograder.engine.shared import isolation
from autograder.engine.shared.outputs import pack
from autograder.engine.shared.wire import Connection, ConnectionEndedError

#: Maximum bytes of a message that starts a process.
MESSAGE = 65_536
#: Bytes that an examiner may allocate beyond what it starts with: an answer may be an array of about 100 MB.
MEMORY = 2 << 30
#: Bytes of that memory reserved for reporting that it is used up.
RESERVE = 64 << 20
#: Extra seconds of processor time in which an examiner can report that its own time is used up.
SPARE_SECONDS = 30


def main() -> None:
    """Start a process for each set requested on the inherited socket argv[1]."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    isolated = sys.argv[2] == "isolated"
    if not isolated:
        isolation.die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    requests.sendall(b"ready")
    while True:
        text, ends, _, _ = socket.recv_fds(requests, MESSAGE, 2)
        if not text:
            return
        if os.fork() == 0:
            requests.close()
            _serve_set(Connection(socket.socket(fileno=ends[0])), socket.socket(fileno=ends[1]), isolated)
        for end in ends:
            os.close(end)


def _serve_set(cells: Connection, requests: socket.socket, isolated: bool) -> None:
    """Receive a set's cells and start an examiner for each submission; does not return."""
    try:
        message, _ = cells.receive()
        try:
            tests = _prepare(message["cells"])
        except BaseException as error:  # the set's author made the mistake: say what it is
            cells.send({"broken": f"{type(error).__name__}: {error}"})
            os._exit(1)
        cells.send({"ready": True})
        cells.close()
        gc.collect()
        gc.freeze()
        while True:
            text, ends, _, _ = socket.recv_fds(requests, MESSAGE, 250)
            if not text:
                os._exit(0)
            if os.fork() == 0:
                requests.close()
                _examine(json.loads(text), ends, tests, isolated)
            for end in ends:
                os.close(end)
    finally:
        os._exit(1)


def _prepare(cells: list[dict]) -> list[dict]:
    """Run the locked cells, compile the test cells and import what they import; return the test cells."""
    known: dict[str, Any] = {}
    tests = []
    for cell in cells:
        if cell["kind"] == "support":
            known = {**known, **definitions(cell["source"], cell["name"])}
            continue
        for node in ast.walk(ast.parse(cell["source"])):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                with contextlib.suppress(ImportError):  # the test itself will say so
                    importlib.import_module(name)
        parsed(cell["source"], f"<{cell['name']}>")
        foreign_names(cell["source"])
        tests.append({**cell, "known": known, "operands": frozenset(cell["operands"])})
    return tests


def _examine(task: dict, ends: list[int], tests: list[dict], isolated: bool) -> None:
    """Give up all rights and run the tests that the grader names until it disconnects; does not return."""
    grader = Connection(socket.socket(fileno=ends[0]))
    try:
        gc.disable()  # it lives for one submission, and its memory is limited
        isolation.fresh_descriptors({0, 1, 2, *ends})
        isolation.limit_alone(MEMORY, int(task["seconds"]) + SPARE_SECONDS, len(ends))
        if isolated:
            isolation.give_up_rights(task["uid"])
            isolation.hide_from_others()
            isolation.filter_system_calls(alone=True)
        else:
            isolation.die_with_parent()

        def processor(again: bool = False) -> float:
            grader.send({"ask": "processor", "again": again})
            return float(grader.receive()[0]["processor"])

        snapshots = [Snapshot(Connection(socket.socket(fileno=end)), processor, task["patience"]) for end in ends[1:]]
        # Address space is what the limit counts: until it is needed, the reserve takes no memory, nor time to clear it.
        reserve = mmap.mmap(-1, RESERVE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        grader.send({"ready": True})
        while True:
            request, _ = grader.receive()
            test, student = tests[request["test"]], snapshots[request["snapshot"]]
            seconds = min(task["cell_seconds"], task["seconds"] - time.process_time())
            if seconds <= 0:
                # Just ending would look like the examiner's own failure, but the submission's answers took the time.
                student.lost = "judging the submission's answers took all the time available"
            student.threads = request["threads"]
            student.begin(
                task["cell_seconds"], test["observe"], test["operands"], request["reference"], request["clock"]
            )
            asked = test["source"], test["name"], test["known"], student, max(seconds, 1.0)
            try:
                verdict, outputs = judge(*asked)
                message, buffers = pack(outputs)
            except MemoryError:
                # An examiner that ends leaves its tests to a person, and a submission's answers must not be able to
                # cause that. From now on, no answer is accepted and every request fails.
                reserve.close()
                for snapshot in snapshots:
                    snapshot.lost = "judging the submission's answers took all the memory available"
                gc.collect()
                verdict, outputs = judge(*asked)
                message, buffers = pack(outputs)
            grader.send({**verdict, "outputs": message}, buffers)
    except ConnectionEndedError:
        os._exit(0)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
