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
import math
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from autograder.engine.shared import isolation
from autograder.engine.shared.isolation import Limits
from autograder.engine.shared.wire import Connection
from autograder.engine.student import packages
from autograder.engine.student.cells import compile_cell
from autograder.engine.student.runner import Runner
from autograder.engine.student.scratch import Scratch
from autograder.engine.student.warm_up import warm_kernel

#: Seconds between checks on what a submission uses.
LOOK = 0.25
#: Seconds in which a runner that closed its connection also ends, unless it closed only the connection.
LAST = 5.0
#: How long a submission may wait for a disk, as a multiple of a cell's time limit. Beyond that, it sleeps: whoever waits
#: for a process started by vfork looks the same, and may do so for as long as she likes.
DISK = 3.0
#: Maximum size of all states of the scratch folder together, as a multiple of the folder's.
STATES = 4
#: Maximum bytes of a message: a task, a cell to compile, a request.
MESSAGE = 262_144


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
    reason, runner = "", 0
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
        handle = os.pidfd_open(runner)
        scratch = Scratch(folder, STATES * 4 * limits.file_bytes)
        own = {1, os.getpid(), os.getppid()} if isolated else None
        # What the runner shares with this process from the start does not count.
        most = limits.memory + _memory("/proc/self/smaps_rollup", ("Rss:",))
        most += (len(ends) - 2) * isolation.SNAPSHOT_MEMORY
        asleep, disk, seen, before = 0.0, DISK * limits.cell_seconds, time.monotonic(), 0.0
        while True:
            ready, _, _ = select.select([handle, control], [], [], LOOK)
            if handle in ready:
                break
            now = time.monotonic()
            if now - seen > LOOK / 2:
                used = _processor(runner, own)
                # On a busy machine, processes that want to run are still runnable: the others are asleep.
                idle = max(0.0, now - seen - max(0.0, used - before))
                states = _states(_others(own) if own else _session(runner))
                if b"R" not in states:
                    if b"D" in states and disk > 0:
                        disk -= idle
                    else:
                        asleep += idle
                seen, before = now, used
            if control in ready:
                message = control.recv(MESSAGE)
                if not message:
                    break
                request = json.loads(message)
                if "gone" in request:
                    select.select([handle], [], [], LAST)
                try:
                    _attend(request, scratch)
                except Exception:  # too many files, or impossible to walk through: not the machine's fault
                    reason = "files"
                    break
                # A control group also counts this process's own time, which is not the submission's.
                reply = {"processor": _processor(runner, own), "own": time.process_time(), "asleep": asleep}
                control.send(json.dumps(reply).encode())
                continue
            if before > limits.total_seconds:
                reason = "processor"
                break
            if own and not task["counted"] and _memory_of_others(own) > most:
                reason = "memory"
                break
        used = _processor(runner, own)
        lowered = _processor_limit(runner) < min(_processor_limit(os.getpid()), isolation.processor_limit(limits))
        os.kill(runner, signal.SIGKILL)
        # The runner is process 1 of its namespace, so everything that it started ends with it.
        _, status = os.waitpid(runner, 0)
        code = os.waitstatus_to_exitcode(status)
        report = {"reason": reason, "code": code, "ended": handle in ready, "lowered": lowered}
        report["processor"] = used
        control.sendall(json.dumps(report).encode())
    except OSError as error:
        with contextlib.suppress(OSError):
            control.sendall(json.dumps({"reason": "isolation", "text": str(error)}).encode())
    finally:
        if runner:
            with contextlib.suppress(OSError):
                os.kill(runner, signal.SIGKILL)
        os._exit(0)


def _attend(message: dict, scratch: Scratch) -> None:
    """Do what the grader requests with a submission's files."""
    if "keep" in message:
        scratch.keep(message["keep"])
    elif "put back" in message:
        scratch.put_back(message["put back"])


def _processor(runner: int, own: set[int] | None) -> float:
    """Return the seconds of processor time of the submission's processes and of those that they have waited for."""
    total = 0.0
    for process in _others(own) if own else _session(runner):
        total += isolation.processor_seconds(process)
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{process}/stat", "rb") as file:
            fields = file.read().rsplit(b")", 1)[1].split()
            total += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return total


def _states(processes: list[int]) -> set[bytes]:
    """Return in which states these processes' threads are: R, running or waiting for a turn, or D, for a disk, or others."""
    found = set()
    for process in processes:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{process}/task"):
                with (
                    contextlib.suppress(OSError, IndexError),
                    open(f"/proc/{process}/task/{thread}/stat", "rb") as file,
                ):
                    found.add(file.read().rsplit(b")", 1)[-1].split()[0])
    return found


def _processor_limit(process: int) -> float:
    """Return the seconds of processor time after which the kernel kills a process, which may have ended."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/limits", encoding="ascii") as limits:
        for line in limits:
            if line.startswith("Max cpu time"):
                return min(float(limit.replace("unlimited", "inf")) for limit in line.split()[3:5])
    return math.inf


def _others(own: set[int]) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in own]


def _session(leader: int) -> list[int]:
    """Return the processes of a session: without a sandbox, they are among all the machine's others."""
    found = []
    for process in _others(set()):
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{process}/stat", "rb") as file:
            if int(file.read().rsplit(b")", 1)[1].split()[3]) == leader:
                found.append(process)
    return found


def _memory_of_others(own: set[int]) -> int:
    """Return the bytes that the submission's processes hold, counting what they share once."""
    # The proportional set size: a page shared by two processes counts half for each.
    return sum(_memory(f"/proc/{process}/smaps_rollup", ("Pss:", "SwapPss:")) for process in _others(own))


def _memory(path: str, fields: tuple[str, ...]) -> int:
    try:
        with open(path, encoding="ascii") as rollup:
            return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith(fields))
    except (OSError, IndexError, ValueError):
        return 0  # it has ended in the meantime


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
