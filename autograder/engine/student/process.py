"""The process that runs a student's code. It is inside the sandbox, and whatever it says is only data.

There are four kinds of process here. The *warm process* has imported everything and starts a *supervisor* for each
submission, which keeps its rights, runs none of the student's code, and counts what the submission uses. The
supervisor starts the *runner*, which gives up its rights and executes the submission's own cells; for each group of
test cells, the runner leaves a *snapshot*, a fork of itself that waits. When the runner has finished, the examiner asks
the snapshots to call the student's functions: what they see then, including hidden cases, comes too late for any cell
to print.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
from typing import Any

from autograder.engine.shared import isolation
from autograder.engine.shared.limits import Limits
from autograder.engine.shared.wire import Connection
from autograder.engine.student import packages
from autograder.engine.student.cells import compile_cell
from autograder.engine.student.runner import Runner
from autograder.engine.student.scratch import Scratch
from autograder.engine.student.usage import Usage, own_memory, processor_limit
from autograder.engine.student.warm_up import warm_kernel
from autograder.engine.student.watch import MESSAGE, Watch

#: Maximum size of all states of the scratch folder together, as a multiple of the folder's.
STATES = 4


def main() -> None:
    """Import everything once, then start a supervisor for each request on the inherited socket argv[1]."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    isolated = sys.argv[2] == "isolated"
    if not isolated:
        isolation.die_with_parent()
    kernel = warm_kernel()
    gc.collect()
    gc.freeze()  # so that the collector does not touch, and thereby copy, what all forks share
    isolation.use_huge_pages()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests.sendall(b"ready")
    while True:
        try:
            text, ends, _, _ = socket.recv_fds(requests, MESSAGE, 250)
        except OSError:
            return
        if not text:
            return
        task = json.loads(text)
        if "compile" in task:
            compile_cell(task["compile"])
            continue
        if task["packages"] is not None:
            packages.modules_of(tuple(task["packages"]))  # once for all submissions
        if os.fork() == 0:
            requests.close()
            _supervise(kernel, task, ends, isolated)
        for end in ends:
            os.close(end)


def _supervise(kernel: Any, task: dict, ends: list[int], isolated: bool) -> None:
    """Start and watch the runner; when it ends or nobody listens, end everything it started; does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    limits, control = Limits(**task["limits"]), socket.socket(fileno=ends[0])
    runner = 0
    try:
        folder = task["directory"] or os.environ["TMPDIR"]
        if isolated:
            isolation.unshare(isolation.CLONE_NEWPID | isolation.CLONE_NEWIPC)
            isolation.private_scratch(limits, folder, task["counted"])
        runner = os.fork()
        if runner == 0:
            control.close()
            _become_runner(kernel, task, limits, ends[1:], isolated)
        for end in ends[1:]:
            os.close(end)
        usage = Usage(runner, {1, os.getpid(), os.getppid()} if isolated else None)
        memory = None
        if isolated and not task["counted"]:
            # What the runner shares with this process from the start does not count.
            memory = limits.memory + own_memory() + (len(ends) - 2) * isolation.SNAPSHOT_MEMORY
        watch = Watch(usage, limits, memory, control, Scratch(folder, STATES * 4 * limits.file_bytes))
        watch.until_the_end()
        control.sendall(json.dumps(_end(watch)).encode())
    except OSError as error:
        with contextlib.suppress(OSError):
            control.sendall(json.dumps({"reason": "isolation", "text": str(error)}).encode())
    finally:
        if runner:
            with contextlib.suppress(OSError):
                os.kill(runner, signal.SIGKILL)
        os._exit(0)


def _end(watch: Watch) -> dict:
    """End the runner, and with it the submission; return what the grader is told about the end."""
    runner, processor = watch.usage.runner, watch.usage.processor()
    lowered = processor_limit(runner) < min(processor_limit(os.getpid()), isolation.processor_limit(watch.limits))
    os.kill(runner, signal.SIGKILL)
    # The runner is process 1 of its namespace, so everything that it started ends with it.
    _, status = os.waitpid(runner, 0)
    code = os.waitstatus_to_exitcode(status)
    return {"reason": watch.reason, "code": code, "ended": watch.ended, "lowered": lowered, "processor": processor}


def _become_runner(kernel: Any, task: dict, limits: Limits, ends: list[int], isolated: bool) -> None:
    """Give up all rights and serve the submission; does not return."""
    try:
        os.setsid()
        if isolated:
            isolation.private_proc()
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
                score.write("500")  # if memory runs out, kill the submission, not the warm process
        isolation.fresh_descriptors({0, 1, 2, *ends})
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        directory = task["directory"] or f"{os.environ['TMPDIR']}/work"
        os.makedirs(directory, exist_ok=True)
        if isolated:
            os.chmod(directory, 0o777)
        os.chdir(directory)
        if isolated:
            isolation.limit(limits, task["counted"], len(ends) - 1)
            isolation.give_up_rights(task["uid"])
            isolation.filter_system_calls(counted=task["counted"])
        connections = [Connection(socket.socket(fileno=end)) for end in ends]
        packages.offer(task["packages"] and tuple(task["packages"]))
    except BaseException as error:  # a sandbox that fails is not the student's fault: report it
        Connection(socket.socket(fileno=ends[0])).send({"isolation": f"{type(error).__name__}: {error}"})
        os._exit(1)
    try:
        connections[0].send({"ready": True})
        Runner(kernel, limits, connections, task["seed"]).run()
    except BaseException:
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
