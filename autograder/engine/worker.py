"""A grading worker: a process that keeps a warm sandbox, and forks an examiner for each submission.

It reads requests from a socket and answers each: the notebook with its outputs, or a reason why there is none. It is
trusted; everything hostile is on the far side of the sandbox.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from typing import Any

import nbformat

from autograder.common.errors import SubmissionError
from autograder.engine.examiner.judge import examine, test_groups, warm_up
from autograder.engine.sandbox import USER_IDS, Sandbox
from autograder.engine.shared.isolation import Limits
from autograder.engine.shared.wire import MAX_TRUSTED_BYTES, Connection, WireError

#: Seconds in which a warm process must be up; it imports NumPy, SymPy and matplotlib, maybe from a cold disk.
START = 120.0
#: Seconds beyond a submission's limit before its examiner is killed.
MARGIN = 20.0
#: Bytes that an examiner may allocate beyond what it starts with.
EXAMINER_MEMORY = 2 << 30


class WarmProcess:
    """The warm process inside the sandbox.

    Parameters
    ----------
    sandbox : Sandbox
        How it is shut in.
    number : int
        Which worker this is. Each has a user id of its own, and so has each grader: a submission that takes all the
        processes that its user may have takes them from no other.
    """

    def __init__(self, sandbox: Sandbox, number: int):
        self.sandbox = sandbox
        self.uid = USER_IDS[(16 * os.getppid() + number) % len(USER_IDS)] if os.geteuid() == 0 else None
        self.process: subprocess.Popen | None = None
        self.requests: socket.socket | None = None
        self.up = False

    def start(self) -> None:
        """Start it, unless it runs; it takes a second or two to come up."""
        if self.process is not None and self.process.poll() is None:
            return
        mine, theirs = socket.socketpair()
        command, environment = self.sandbox.command(theirs.fileno())
        self.process = subprocess.Popen(
            command,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self.requests, self.up = mine, False

    def wait(self) -> None:
        """Wait until it is up.

        Raises
        ------
        RuntimeError
            It does not come up.
        """
        self.start()
        if self.up:
            return
        self.requests.settimeout(START)
        try:
            ready = self.requests.recv(5)
        except OSError:
            ready = b""
        if ready != b"ready":
            self.process.kill()
            text = self.process.stderr.read(4000).decode(errors="replace").strip()
            raise RuntimeError(f"the sandbox did not start: {text.splitlines()[-1] if text else 'no reason given'}")
        self.requests.settimeout(None)
        self.up = True

    def stop(self) -> None:
        """End it, and with it everything in the sandbox."""
        if self.requests is not None:
            self.requests.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
            self.process = self.requests = None

    def submission(
        self, count: int, limits: Limits, seed: int, directory: str = ""
    ) -> tuple[socket.socket, list[Connection]]:
        """Start a runner for one submission.

        Parameters
        ----------
        count : int
            How many snapshots it will leave.
        limits : Limits
            What it may use.
        seed : int
            Seeds Python's and NumPy's global random generators.
        directory : str
            Where it runs; by default in a folder of the sandbox that is its own.

        Returns
        -------
        tuple of (socket.socket, list of Connection)
            The control socket, whose closing ends the submission, and the connections to its processes.
        """
        self.wait()
        pairs = [socket.socketpair() for _ in range(count + 2)]
        task = {"limits": asdict(limits), "seed": seed, "uid": self.uid, "directory": directory}
        socket.send_fds(self.requests, [json.dumps(task).encode()], [theirs.fileno() for _, theirs in pairs])
        for _, theirs in pairs:
            theirs.close()
        control, *ends = [mine for mine, _ in pairs]
        return control, [Connection(end) for end in ends]


@dataclass
class Worker:
    """Runs submissions one after the other.

    Attributes
    ----------
    warm : WarmProcess
        Its sandbox.
    """

    warm: WarmProcess

    def run(self, notebook: nbformat.NotebookNode, limits: Limits, seed: int) -> dict[str, Any]:
        """Run one restored submission.

        Returns
        -------
        dict
            ``notebook``, ``notices`` and ``behaviour``; or ``failed``, a reason for the student; or ``broken``, for the instructor.
        """
        if self.warm.sandbox.program is None:
            with tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as directory:
                return self._run(notebook, limits, seed, directory)
        return self._run(notebook, limits, seed, "")

    def _run(self, notebook: nbformat.NotebookNode, limits: Limits, seed: int, directory: str) -> dict[str, Any]:
        try:
            try:
                control, connections = self.warm.submission(test_groups(notebook), limits, seed, directory)
            except OSError:  # the warm process has ended meanwhile: a machine short of memory may have killed it
                self.warm.stop()
                control, connections = self.warm.submission(test_groups(notebook), limits, seed, directory)
        except (RuntimeError, OSError) as error:
            self.warm.stop()
            return {"broken": str(error)}
        warm_up(notebook)
        reading, writing = os.pipe()
        examiner = os.fork()
        if examiner == 0:
            os.close(reading)
            control.close()
            _be_examiner(notebook, connections, limits, writing)
        os.close(writing)
        for connection in connections:
            connection.close()
        result = _read(reading, time.monotonic() + limits.total_seconds + MARGIN)
        os.kill(examiner, signal.SIGKILL)
        os.waitpid(examiner, 0)
        report = self._end(control)
        if result is None:
            result = {
                "failed": "The submission could not be judged: what it answered kept the examiner busy for too long."
            }
        _import(result.pop("imported", []))
        if "failed" in result and report.get("reason") == "memory":
            result["failed"] = f"The notebook used more than {limits.memory >> 20} MB of memory."
        if report.get("reason") == "isolation":
            return {"broken": f"a submission could not be shut in: {report.get('text')}"}
        return result

    def _end(self, control: socket.socket) -> dict:
        """End everything the submission started; return what its supervisor reports."""
        try:
            control.shutdown(socket.SHUT_WR)
            control.settimeout(20)
            return json.loads(control.recv(4096))  # nothing comes where the supervisor itself has ended
        except (OSError, ValueError):
            self.warm.stop()  # with the whole sandbox ends whatever is left in it
            return {}
        finally:
            control.close()


def _be_examiner(notebook: nbformat.NotebookNode, connections: list[Connection], limits: Limits, writing: int) -> None:
    """Examine, write the result, and end; does not return."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        gc.disable()  # it lives for one submission, and its memory is limited
        with open("/proc/self/statm", encoding="ascii") as statm:
            total = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (total + EXAMINER_MEMORY, total + EXAMINER_MEMORY))
        try:
            first, _ = connections[0].receive(time.monotonic() + 60)
            if first != {"ready": True}:
                result = {"broken": f"a submission could not be shut in: {str(first)[:300]}"}
            else:
                loaded = set(sys.modules)
                graded, notices, behaviour = examine(notebook, connections, limits)
                result = {"notebook": graded, "notices": notices, "behaviour": behaviour}
                result["imported"] = sorted(set(sys.modules) - loaded)
        except SubmissionError as error:
            result = {"failed": str(error)}
        except WireError:
            result = {"broken": "the process in the sandbox did not start"}
        with os.fdopen(writing, "wb") as out:
            # A lone surrogate is a valid Python string, and nothing that a file can hold.
            out.write(json.dumps(result, ensure_ascii=False).encode("utf-8", "replace"))
    except BaseException as error:
        # The reference solution passed here, so it is what this submission answered. One submission stops no other.
        reason = f"The submission could not be judged: the examiner stopped with {type(error).__name__}."
        os.write(writing, json.dumps({"failed": reason}).encode())
    finally:
        os._exit(0)


def _import(names: list[str]) -> None:
    """Import what a set's tests made an examiner import, so that the next ones find it."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if names:
        gc.freeze()


def _read(reading: int, deadline: float) -> dict | None:
    """Read the examiner's result; None if it does not come."""
    parts = []
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                return None
            part = pipe.read(1 << 20)
            if not part:
                break
            parts.append(part)
    try:
        return json.loads(b"".join(parts))
    except ValueError:
        return None


def main() -> None:
    """Serve requests on the socket whose number is argv[1] until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when work ends
    parent = Connection(socket.socket(fileno=int(sys.argv[1])), MAX_TRUSTED_BYTES)
    worker = Worker(WarmProcess(Sandbox(sys.argv[3] or None), int(sys.argv[2])))
    worker.warm.start()  # and while it imports what students use,
    # what test cells import is imported once, here, and inherited by each examiner.
    import sympy as sp

    sp.N(sp.log(sp.Rational(1, 3)), 40)
    nbformat.v4.new_output("stream")  # compiles the schema of outputs
    gc.collect()
    gc.freeze()
    parent.send({"up": True})
    try:
        while True:
            request, _ = parent.receive()
            notebook = nbformat.from_dict(request["notebook"])
            parent.send(worker.run(notebook, Limits(**request["limits"]), request["seed"]))
    except WireError:
        pass
    finally:
        worker.warm.stop()


if __name__ == "__main__":
    main()
