"""The grader's side of the two warm processes that fork for each submission: the student's and the examiner's."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import threading
import time
from dataclasses import asdict
from typing import Any

from autograder.common.errors import AutograderError, MachineError
from autograder.engine.cgroup import Cgroup
from autograder.engine.sandbox import EXAMINER_IDS, Sandbox, UserId
from autograder.engine.shared.isolation import SNAPSHOT_MEMORY
from autograder.engine.shared.limits import Limits
from autograder.engine.shared.outputs import MAX_LINES, MAX_OUTPUTS
from autograder.engine.shared.wire import Connection, WireError

#: Seconds in which a warm process must be ready; it imports NumPy, SymPy and matplotlib, perhaps from a cold disk.
START = 120.0
#: Maximum bytes of JSON from a submission's process or an examiner: the list of outputs, not their contents.
MAX_MESSAGE = 1_000_000
#: Maximum bytes of text from an examiner for one test.
MAX_VERDICT = 1_000_000
#: Maximum bytes of a cell that is compiled in advance; a longer one is compiled again for each submission.
MAX_CELL = 150_000
#: Memory for the kernel's tables and small buffers, beyond what a submission may allocate.
KERNEL_MEMORY = 64 << 20


class WarmProcess:
    """A process in a sandbox that is started once and accepts requests on a socket.

    Parameters
    ----------
    sandbox : Sandbox
        How it is isolated.
    role : {"student", "examiner"}
        Which of the two it is.
    number : int
        Its number among those of its kind.
    """

    def __init__(self, sandbox: Sandbox, role: str, number: int = 0):
        self.sandbox, self.role, self.number = sandbox, role, number
        self.process: subprocess.Popen | None = None
        self.requests: socket.socket | None = None
        self.group: Cgroup | None = None
        self.user: UserId | None = None
        self.up = False

    def start(self) -> None:
        """Start it unless it is running; it takes a second or two to be ready.

        Raises
        ------
        MachineError
            It does not start.
        """
        if self.process is not None and self.process.poll() is None:
            return
        self.stop()
        if os.geteuid() == 0 and self.role == "student":
            self.user = UserId()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command, environment = self.sandbox.command(self.role, theirs.fileno())
        if self.sandbox.program and self.role == "student":
            self.group = Cgroup.make(str(self.number))
        if self.group is not None:  # it joins the group before it starts anything
            joins = "".join(f"echo $$ > {shlex.quote(str(path))} && " for path in self.group.members)
            command = ["/bin/sh", "-c", f'{joins}exec "$0" "$@"', *command]
        try:
            self.process = subprocess.Popen(
                command,
                env=environment,
                cwd="/",  # never import modules from the folder in which the grader runs
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise MachineError(f"the sandbox did not start: {error.strerror}") from None
        finally:
            theirs.close()
        mine.settimeout(START)  # a process that stops reading requests must not block the grader
        self.requests, self.up = mine, False

    def wait(self) -> None:
        """Wait until it is ready.

        Raises
        ------
        MachineError
            It does not become ready.
        """
        self.start()
        if self.up:
            return
        try:
            ready = self.requests.recv(5)
        except OSError:
            ready = b""
        if ready != b"ready":
            self.process.kill()
            text = self.process.stderr.read(4000).decode(errors="replace").strip()
            self.stop()
            raise MachineError(f"the sandbox did not start: {text.splitlines()[-1] if text else 'no reason given'}")
        self.up = True

    def stop(self) -> None:
        """Stop it, and with it everything in the sandbox."""
        if self.requests is not None:
            self.requests.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
        if self.group is not None:
            self.group.remove()
        if self.user is not None:
            self.user.free()
        self.process = self.requests = self.group = self.user = None
        self.up = False


class StudentProcess(WarmProcess):
    """The warm process on the student's side; it runs one submission at a time."""

    def __init__(self, sandbox: Sandbox, number: int):
        super().__init__(sandbox, "student", number)
        self._compiled: set[str] = set()

    def stop(self) -> None:
        """Stop it, and with it everything in the sandbox."""
        self._compiled = set()
        super().stop()

    def submission(
        self, groups: int, limits: Limits, seed: int, directory: str, locked: list[str], packages: list[str] | None
    ) -> tuple[Control, Connection, list[socket.socket]]:
        """Start a runner for one submission.

        Parameters
        ----------
        groups : int
            How many snapshots it will make.
        limits : Limits
            What it may use.
        seed : int
            Seeds Python's and NumPy's global random generators.
        directory : str
            Where it runs if there is no sandbox.
        locked : list of str
            Cells of the set that are compiled once for all submissions.
        packages : list of str or None
            The packages that the submission can import; None for all that are installed.

        Returns
        -------
        tuple of (Control, Connection, list of socket.socket)
            Connections to its supervisor and to the runner, and the examiner's ends, one for each snapshot.
        """
        self.wait()
        if self.group is not None:
            self.group.allow(limits.memory + KERNEL_MEMORY + groups * SNAPSHOT_MEMORY)
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)]
        pairs += [socket.socketpair() for _ in range(groups + 1)]
        task = {"limits": asdict(limits), "seed": seed, "uid": self.user and self.user.number}
        task |= {"directory": directory, "counted": self.group is not None, "packages": packages}
        try:
            for source in locked:
                message = json.dumps({"compile": source}).encode()
                if source not in self._compiled and len(message) <= MAX_CELL:
                    self.requests.sendall(message)
                    self._compiled.add(source)
            socket.send_fds(self.requests, [json.dumps(task).encode()], [theirs.fileno() for _, theirs in pairs])
        except OSError:
            for mine, _ in pairs:
                mine.close()
            raise MachineError("the process in the sandbox has ended") from None
        finally:
            for _, theirs in pairs:
                theirs.close()
        control, runner, *snapshots = [mine for mine, _ in pairs]
        buffers = limits.output_bytes + 4 * (MAX_LINES + MAX_OUTPUTS) + 100_000
        return Control(control, self), Connection(runner, MAX_MESSAGE, 4 * buffers), snapshots


class Control:
    """The connection to a submission's supervisor, which keeps its rights and is not part of the submission.

    Parameters
    ----------
    end : socket.socket
        Our end.
    student : StudentProcess
        The process that started it.
    """

    def __init__(self, end: socket.socket, student: StudentProcess):
        self._end, self._student = end, student
        self._killed = student.group.killed() if student.group else 0
        self._begin = self._of_group()
        self._report: dict[str, Any] | None = None
        #: Seconds in which no process of the submission is known to have run or wanted to run.
        self.asleep = 0.0

    def ask(self, **message: Any) -> float:
        """Send a request; return the seconds of processor time that the submission has taken so far.

        Raises
        ------
        MachineError
            The supervisor has ended without a report.
        """
        if self._report is None:
            try:
                self._end.settimeout(START)
                self._end.sendall(json.dumps(message).encode())
                reply = json.loads(self._end.recv(4096))
            except (OSError, ValueError):
                raise MachineError("the supervisor of a submission has ended") from None
            if "reason" not in reply:
                self.asleep = reply["asleep"]
                return max(reply["processor"], self._of_group() - self._begin - reply["own"])
            self._report = reply
        return self._report.get("processor", 0.0)

    def _of_group(self) -> float:
        return (self._student.group.processor_seconds() if self._student.group else None) or 0.0

    def end(self) -> dict[str, Any]:
        """End all that the submission started; return its supervisor's report, empty if that has ended too."""
        if self._report is None:
            try:
                self._end.shutdown(socket.SHUT_WR)
                self._end.settimeout(START)
                while self._report is None:  # the answer to an earlier request may come first
                    reply = json.loads(self._end.recv(4096))
                    self._report = reply if "reason" in reply else None
            except (OSError, ValueError):
                self._student.stop()  # stopping the whole sandbox ends whatever is left in it
                self._report = {}
        self._end.close()
        if self._student.group and self._student.group.killed() > self._killed and not self._report.get("reason"):
            self._report["reason"] = "memory"
        return self._report


class ExaminerProcess(WarmProcess):
    """The warm process of the examiners; it serves any number of submissions at a time."""

    def __init__(self, sandbox: Sandbox):
        super().__init__(sandbox, "examiner")
        self._sets: dict[str, socket.socket] = {}
        self._lock = threading.Lock()
        self._count = 0

    def stop(self) -> None:
        """Stop it, and all examiners."""
        for end in self._sets.values():
            end.close()
        self._sets = {}
        super().stop()

    def examiner(self, key: str, cells: list[dict], limits: Limits, snapshots: list[socket.socket]) -> Connection:
        """Start an examiner for one submission.

        Parameters
        ----------
        key : str
            Identifies the set's cells.
        cells : list of dict
            The set's locked cells and test cells, in order.
        limits : Limits
            What the submission may use.
        snapshots : list of socket.socket
            Connections to the snapshots; closed here.

        Returns
        -------
        Connection
            The connection to the examiner.
        """
        mine, theirs = socket.socketpair()
        try:
            with self._lock:
                self.wait()
                if key not in self._sets:
                    self._sets[key] = self._start_set(cells)
                self._count += 1
                # Another for each submission: examiners that run at the same time cannot signal each other.
                uid = EXAMINER_IDS[self._count % len(EXAMINER_IDS)] if os.geteuid() == 0 else None
                task = {"uid": uid, "patience": limits.patience}
                task |= {"cell_seconds": limits.cell_seconds, "seconds": limits.total_seconds}
                ends = [theirs, *snapshots]
                socket.send_fds(self._sets[key], [json.dumps(task).encode()], [end.fileno() for end in ends])
        except OSError:
            mine.close()
            if key in self._sets:
                self._sets.pop(key).close()
            raise MachineError("the examiner's process has ended") from None
        finally:
            for end in (theirs, *snapshots):
                end.close()
        return Connection(mine, MAX_MESSAGE, MAX_VERDICT)

    def renew(self, key: str) -> None:
        """Start the set's next examiner from a new process: the present one fails to start any."""
        with self._lock:
            if key in self._sets:
                self._sets.pop(key).close()

    def _start_set(self, cells: list[dict]) -> socket.socket:
        (mine, theirs), pair = socket.socketpair(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pair[0].settimeout(START)
        try:
            socket.send_fds(self.requests, [b"set"], [theirs.fileno(), pair[1].fileno()])
        except OSError:
            mine.close()
            pair[0].close()
            self.stop()  # it may be alive and not read
            raise
        finally:
            theirs.close()
            pair[1].close()
        connection, until = Connection(mine), time.monotonic() + START
        try:
            connection.send({"cells": cells}, (), until)
            answer, _ = connection.receive(until)
        except WireError:
            pair[0].close()
            self.stop()  # it may still exist, but not answer
            raise MachineError("the examiner's process has ended") from None
        finally:
            with contextlib.suppress(OSError):
                connection.close()
        if "ready" not in answer:
            pair[0].close()
            raise AutograderError(f"The problem set's own cells do not run: {str(answer.get('broken'))[:300]}.")
        return pair[0]
