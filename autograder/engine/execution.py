"""The seam behind which a notebook is executed.

Everything else in this package asks for a notebook to be run through an `Executor` and reads the outputs. Grading uses the
`SandboxExecutor`; nbgrader's own way, a Jupyter kernel without a sandbox, is there to compare with.
"""

from __future__ import annotations

import atexit
import copy
import hashlib
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from typing import NamedTuple, Protocol

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute

from autograder.common.errors import AutograderError, SubmissionError
from autograder.engine.sandbox import PACKAGE, Sandbox
from autograder.engine.shared.isolation import Limits
from autograder.engine.shared.wire import MAX_TRUSTED_BYTES, Connection, WireError
from autograder.problem_set.source import grade_id

#: The rooms whose code decides how a submission is executed and judged.
_ROOMS = ("common", "problem_set", "engine")


def _engine() -> str:
    """Return a hash of the engine: a changed one means grading anew."""
    modules = sorted(path for room in _ROOMS for path in (PACKAGE / room).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in modules)).hexdigest()[:16]


ENGINE = _engine()

#: Seconds one cell may take. No cell of a problem set needs more than a few; a loop without an end must stop.
CELL_TIMEOUT = 30

#: How often a kernel is started before it is given up: kernels that start at the same time may choose the same free port.
STARTS = 3

#: No history on disk; and none of the kernel's start-up warnings, which say that loopback traffic is not encrypted.
KERNEL_ARGUMENTS = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]


class Executed(NamedTuple):
    """A notebook that was run.

    Attributes
    ----------
    notebook : NotebookNode
        With the outputs of its cells.
    notices : list of str
        What the student should know about the run.
    behaviour : dict of str to str
        For each test cell, a digest of what the student's functions answered; empty where that is not known.
    """

    notebook: NotebookNode
    notices: list[str]
    behaviour: dict[str, str]


def executed_from(answer: dict, trouble: str) -> Executed:
    """Turn what a worker answered into what an executor returns.

    Parameters
    ----------
    answer : dict
        ``notebook``, ``notices`` and ``behaviour``; or ``failed``, a reason for the student; or ``broken``, one for the
        instructor.
    trouble : str
        How a sentence about what is broken begins.

    Raises
    ------
    SubmissionError, AutograderError
        The answer is ``failed``, or ``broken``.
    """
    if "failed" in answer:
        raise SubmissionError(answer["failed"])
    if "broken" in answer:
        raise AutograderError(f"{trouble}: {answer['broken']}.")
    return Executed(nbformat.from_dict(answer["notebook"]), answer["notices"], answer["behaviour"])


def engine_name(sandbox: str, limits: Limits, seed: int) -> str:
    """Write how submissions are executed, for the record of each that is graded."""
    return f"engine {ENGINE}, {sandbox}, {limits}, seed {seed}"


class Executor(Protocol):
    """Runs a notebook from top to bottom."""

    #: Goes into the record of each graded submission, so that another way of executing means grading anew.
    name: str

    def start(self, jobs: int) -> None:
        """Prepare to run this many notebooks at once, without waiting; calling it is not necessary."""

    def __call__(self, notebook: NotebookNode) -> Executed:
        """Return a copy of the notebook with the outputs of its cells, and notices for the student.

        A cell that fails holds an ``error`` output and the next cell still runs.

        Raises
        ------
        SubmissionError
            The notebook could not be run to its end.
        """


class KernelExecutor:
    """Run each notebook in a fresh Jupyter kernel through nbgrader's Execute preprocessor. Not a sandbox.

    Parameters
    ----------
    cell_timeout : int
        Seconds before a cell is interrupted; its kernel is then asked to go on with the next cell.
    """

    def __init__(self, cell_timeout: int = CELL_TIMEOUT):
        self.cell_timeout = cell_timeout
        self.name = f"kernel, {cell_timeout} s a cell"

    def start(self, jobs: int) -> None:
        """Do nothing: each notebook has a kernel of its own."""

    def __call__(self, notebook: NotebookNode) -> Executed:
        """Run the notebook in an empty directory of its own."""
        for _ in range(STARTS):
            try:
                return Executed(self._run(copy.deepcopy(notebook)), [], {})
            except RuntimeError as error:
                reason = error
        raise AutograderError(f"No Jupyter kernel starts here: {reason}.")

    def _run(self, executed: NotebookNode) -> NotebookNode:
        with tempfile.TemporaryDirectory(prefix="submission-") as directory:
            step = Execute(timeout=self.cell_timeout, extra_arguments=KERNEL_ARGUMENTS)
            resources = ResourcesDict(metadata={"path": directory})
            try:
                return step.preprocess(executed, resources)[0]
            except DeadKernelError:
                raise SubmissionError(
                    f"The Python process died while running {_last_started(executed)}; "
                    "it may have called exit, used all memory or crashed."
                ) from None
            except CellTimeoutError:
                raise SubmissionError(
                    f"The notebook did not finish: a cell ran for more than {self.cell_timeout} seconds and could "
                    "not be interrupted; look for a loop without an end."
                ) from None
            except NoSuchKernel as error:
                raise AutograderError(f"No Jupyter kernel {error.name!r} here; install ipykernel.") from None


def _last_started(notebook: NotebookNode) -> str:
    started = [cell for cell in notebook.cells if cell.cell_type == "code" and "execution" in cell.metadata]
    if not started:
        return "its first cell"
    name = grade_id(started[-1])
    return f"the cell {name!r}" if name else f"its code cell number {len(started)}"


class SandboxExecutor:
    """Run each submission in a sandbox, and its test cells in an examiner outside it.

    Parameters
    ----------
    sandbox : Sandbox
        From `sandbox.require_sandbox`; without a program, submissions run as whoever grades.
    limits : Limits
        What a submission may use.
    seed : int
        Seeds the global random generators that a notebook sees.
    """

    def __init__(self, sandbox: Sandbox, limits: Limits | None = None, seed: int = 0):
        self.sandbox, self.limits, self.seed = sandbox, limits or Limits(), seed
        self.name = engine_name(sandbox.name, self.limits, seed)
        self._idle: queue.SimpleQueue[_WorkerProcess] = queue.SimpleQueue()
        self._started: list[_WorkerProcess] = []
        self._lock = threading.Lock()

    def start(self, jobs: int) -> None:
        """Start this many workers, and do not wait for them: a worker takes some seconds to come up.

        Parameters
        ----------
        jobs : int
            How many notebooks will run at once.
        """
        for _ in range(jobs - len(self._started)):
            worker = self._new_worker()
            worker.start()
            self._idle.put(worker)

    def _new_worker(self) -> _WorkerProcess:
        with self._lock:
            self._started.append(_WorkerProcess(self.sandbox, len(self._started)))
            return self._started[-1]

    def __call__(self, notebook: NotebookNode) -> Executed:
        """Run the notebook in a worker that is idle, or in a new one."""
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = self._new_worker()
        try:
            answer = worker.run({"notebook": notebook, "limits": asdict(self.limits), "seed": self.seed})
        finally:
            self._idle.put(worker)
        return executed_from(answer, "The grading engine does not work here")

    def close(self) -> None:
        """End all workers."""
        for worker in self._started:
            worker.stop()

    def __enter__(self) -> SandboxExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _WorkerProcess:
    """A worker, as its parent sees it; started when first used, and anew if it dies."""

    def __init__(self, sandbox: Sandbox, number: int):
        self.sandbox, self.number = sandbox, number
        self.process: subprocess.Popen | None = None
        self.up = False

    def run(self, request: dict) -> dict:
        try:
            self.start()
            if not self.up:
                self.connection.receive()
                self.up = True
            self.connection.send(request)
            return self.connection.receive()[0]
        except WireError:
            self.stop()
            return {"failed": "The submission could not be judged: the grading worker ended meanwhile."}

    def start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        mine, theirs = socket.socketpair()
        package = str(PACKAGE.parent)
        command = [sys.executable, "-m", "autograder.engine.worker", str(theirs.fileno()), str(self.number)]
        self.process = subprocess.Popen(
            [*command, self.sandbox.program or ""],
            env={**os.environ, "PYTHONPATH": package, "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.connection, self.up = Connection(mine, MAX_TRUSTED_BYTES), False

    def stop(self) -> None:
        if self.process is not None:
            self.connection.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def prepare_environment() -> None:
    """Set what every kernel of this process inherits. Called once, before any thread starts.

    nbgrader tells notebooks by NBGRADER_EXECUTION that they are being graded. A person's own IPython start-up files
    and history stay out of grading.
    """
    os.environ["NBGRADER_EXECUTION"] = "autograde"
    ipython = tempfile.mkdtemp(prefix="ipython-")
    atexit.register(shutil.rmtree, ipython, ignore_errors=True)
    os.environ["IPYTHONDIR"] = ipython
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
