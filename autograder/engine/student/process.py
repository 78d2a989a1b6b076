"""The process that runs what a student wrote. It is inside the sandbox, and whatever it says is only data.

Three kinds of process live here. The *warm process* has imported everything and starts a *runner* for each submission.
The runner gives up its rights and executes the submission's own cells; for each group of test cells it leaves a
*snapshot*, a fork of itself that waits. When the runner is through, the examiner asks the snapshots to call the student's
functions: what they see then, hidden cases included, comes too late to be printed by any cell.

Nothing here decides anything: the functions of this module could be replaced by the code they run.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from autograder.engine.shared import isolation
from autograder.engine.shared.isolation import Limits
from autograder.engine.shared.wire import Connection
from autograder.engine.student.runner import Runner
from autograder.engine.student.warm_up import warm_kernel

#: Seconds between looks at a submission's memory.
LOOK = 0.25


def main() -> None:
    """Import everything once, then start a runner for each request on the socket that was inherited as argv[1]."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    isolated = sys.argv[2] == "isolated"
    if not isolated:
        isolation.die_with_parent()
    shell = warm_kernel()
    gc.collect()
    gc.freeze()  # the collector does not touch, and so does not copy, what all forks share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests.sendall(b"ready")
    while True:
        try:
            text, ends, _, _ = socket.recv_fds(requests, 65536, 250)
        except OSError:
            return
        if not text:
            return
        if os.fork() == 0:
            requests.close()
            _supervise(shell, json.loads(text), ends, isolated)
        for end in ends:
            os.close(end)


def _supervise(shell: Any, task: dict, ends: list[int], isolated: bool) -> None:
    """Start the runner, watch its memory, and end everything it started when it ends or when nobody listens."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    limits, control = Limits(**task["limits"]), socket.socket(fileno=ends[0])
    reason, runner = "", 0
    try:
        if isolated:
            isolation.unshare(isolation.CLONE_NEWPID | isolation.CLONE_NEWIPC)
        runner = os.fork()
        if runner == 0:
            control.close()
            _become_runner(shell, task, limits, ends[1:], isolated)
        for end in ends[1:]:
            os.close(end)
        handle = os.pidfd_open(runner)
        own = {1, os.getpid(), os.getppid()}
        # What the runner shares with this process from the start counts for neither.
        most = limits.memory + _memory("/proc/self/smaps_rollup", ("Rss:",))
        while True:
            ready, _, _ = select.select([handle, control], [], [], LOOK)
            if ready:
                break
            if isolated and _memory_of_others(own) > most:
                reason = "memory"
                break
        os.kill(runner, signal.SIGKILL)
        # As process 1 of its namespace, the runner takes everything with it that it has started.
        _, status = os.waitpid(runner, 0)
        code = os.waitstatus_to_exitcode(status)
        control.sendall(json.dumps({"reason": reason, "code": code, "ended": handle in ready}).encode())
    except OSError as error:
        with contextlib.suppress(OSError):
            control.sendall(json.dumps({"reason": "isolation", "text": str(error)}).encode())
    finally:
        if runner:
            with contextlib.suppress(OSError):
                os.kill(runner, signal.SIGKILL)
        os._exit(0)


def _memory_of_others(own: set[int]) -> int:
    """Return the bytes that the processes of the submission hold, what they share counted once."""
    processes = [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in own]
    # The proportional size: a page that two processes share counts half for each.
    return sum(_memory(f"/proc/{name}/smaps_rollup", ("Pss:", "SwapPss:")) for name in processes)


def _memory(path: str, fields: tuple[str, ...]) -> int:
    try:
        with open(path, encoding="ascii") as rollup:
            return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith(fields))
    except (OSError, IndexError, ValueError):
        return 0  # it has ended meanwhile


def _become_runner(shell: Any, task: dict, limits: Limits, ends: list[int], isolated: bool) -> None:
    """Give up all rights and serve the submission; does not return."""
    try:
        os.setsid()
        if isolated:
            isolation.private_files(limits, os.environ["TMPDIR"])
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        directory = task["directory"] or f"{os.environ['TMPDIR']}/work"
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o777)
        os.chdir(directory)
        if isolated:
            isolation.limit(limits)
            isolation.give_up_rights(task["uid"])
            isolation.filter_system_calls()
        connections = [Connection(socket.socket(fileno=end)) for end in ends]
    except BaseException as error:  # what went wrong with the sandbox is not the student's fault: say so
        Connection(socket.socket(fileno=ends[0])).send({"isolation": f"{type(error).__name__}: {error}"})
        os._exit(1)
    try:
        connections[0].send({"ready": True})
        Runner(shell, limits, connections, task["seed"]).run()
    except BaseException:
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
