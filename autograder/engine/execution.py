"""The interface through which all notebooks are executed.

The rest of this package runs notebooks only through an `Executor`, and reads the outputs. Grading uses the
`SandboxExecutor`, on this machine or on those of a cluster.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import nbformat
from nbformat import NotebookNode

from autograder.common.errors import AutograderError, MachineError, SubmissionError
from autograder.engine.sandbox import PACKAGE, Sandbox
from autograder.engine.shared.limits import Limits
from autograder.engine.submission_run import ExaminerEndedError, run_submission
from autograder.engine.warm_processes import ExaminerProcess, StudentProcess

#: The folders whose code decides how a submission is executed and judged.
_FOLDERS = ("common", "problem_set", "engine")
#: The packages that students and tests use, and those that read a set and make its versions.
_PACKAGES = (
    "ipykernel",
    "ipython",
    "jupyter_client",
    "jupytext",
    "matplotlib",
    "mpmath",
    "nbconvert",
    "nbformat",
    "nbgrader",
    "numpy",
    "packaging",
    "scipy",
    "sympy",
    "traitlets",
)


def engine_source(*folders: Path) -> str:
    """Return a hash of the engine's source, and of the modules in further folders of the package."""
    hashed = hashlib.sha256()
    for folder in (*(PACKAGE / name for name in _FOLDERS), *folders):
        for path in sorted(folder.rglob("*.py")):
            hashed.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes() + b"\0")
    return hashed.hexdigest()[:16]


def package_versions() -> dict[str, str]:
    """Return the version of each installed package that can affect a result."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


#: A hash of everything that decides how a submission is graded here; if it changes, submissions are graded again.
ENGINE = hashlib.sha256(json.dumps([engine_source(), package_versions(), sys.version]).encode()).hexdigest()[:16]


@dataclass
class Executed:
    """The result of running a notebook.

    Attributes
    ----------
    notebook : NotebookNode
        The notebook, with the outputs of its cells.
    notices : list of str
        What the student should know about the run.
    behaviour : dict of str to str
        For each test cell, a digest of what the student's functions answered; empty if unknown.
    awaiting : dict of str to str
        Test cells that could not be judged and await a person, each with the reason.
    measured : dict of str to dict of str to float
        For each test cell that measures, the processor time of its calls in seconds.
    """

    notebook: NotebookNode
    notices: list[str] = field(default_factory=list)
    behaviour: dict[str, str] = field(default_factory=dict)
    awaiting: dict[str, str] = field(default_factory=dict)
    measured: dict[str, dict[str, float]] = field(default_factory=dict)


def executed_from(answer: dict[str, Any]) -> Executed:
    """Turn another machine's answer into what an executor returns.

    Parameters
    ----------
    answer : dict
        The fields of `Executed`; or ``failed``, with a reason for the student; or ``machine``, with a reason for the
        instructor, if the machine failed; or ``broken``, if it cannot grade at all.

    Raises
    ------
    SubmissionError, MachineError, AutograderError
        The answer is ``failed``, ``machine`` or ``broken``.
    """
    for key, error in (("failed", SubmissionError), ("machine", MachineError), ("broken", AutograderError)):
        if key in answer:
            raise error(answer[key])
    return Executed(**{**answer, "notebook": nbformat.from_dict(answer["notebook"])})


def engine_name(sandbox: str, limits: Limits, seed: int) -> str:
    """Describe how submissions are executed, for the record of each graded one."""
    return f"engine {ENGINE}, {sandbox}, {limits}, seed {seed}"


class Executor(Protocol):
    """Runs a notebook from top to bottom."""

    #: Goes into the record of each graded submission, so that a different way of executing means grading again.
    name: str

    def start(self, jobs: int) -> None:
        """Prepare to run this many notebooks at once, without waiting; optional."""

    def __call__(
        self,
        notebook: NotebookNode,
        reference: dict[str, dict[str, float]] | None = None,
        undrawn: Collection[str] = (),
    ) -> Executed:
        """Return a copy of the notebook with the outputs of its cells, and notices for the student.

        A failing cell gets an ``error`` output, and the next cell still runs.

        Parameters
        ----------
        notebook : NotebookNode
            A restored submission.
        reference : dict, optional
            `Executed.measured` of the reference solution, run in the same way.
        undrawn : collection of str
            Ids of cells whose figures need not be drawn; `outputs.NOT_DRAWN` marks the outputs that lack them.

        Raises
        ------
        SubmissionError
            The notebook could not be run to its end.
        MachineError
            The machine failed; another attempt may succeed.
        """


class SandboxExecutor:
    """Run each submission in a sandbox, and its test cells in an examiner in a second one.

    Parameters
    ----------
    sandbox : Sandbox
        From `sandbox.require_sandbox`; without a program, submissions run as the grader's own user.
    limits : Limits
        What a submission may use.
    seed : int
        Seeds the global random generators that a notebook sees.
    """

    def __init__(self, sandbox: Sandbox, limits: Limits | None = None, seed: int = 0):
        self.sandbox, self.limits, self.seed = sandbox, limits or Limits(), seed
        self.name = engine_name(sandbox.name, self.limits, seed)
        self.examiner = ExaminerProcess(sandbox)
        self.students: list[StudentProcess] = []
        self._idle: queue.LifoQueue[StudentProcess] = queue.LifoQueue()
        self._lock = threading.Lock()
        self._concurrency = _Concurrency()

    def start(self, jobs: int) -> None:
        """Start this many warm processes without waiting for them: each takes a few seconds to be ready.

        Parameters
        ----------
        jobs : int
            How many notebooks will run at once.
        """
        self.examiner.start()
        for _ in range(jobs - len(self.students)):
            student = self._new_student()
            student.start()
            self._idle.put(student)

    def _new_student(self) -> StudentProcess:
        with self._lock:
            self.students.append(StudentProcess(self.sandbox, len(self.students)))
            return self.students[-1]

    def __call__(
        self,
        notebook: NotebookNode,
        reference: dict[str, dict[str, float]] | None = None,
        undrawn: Collection[str] = (),
    ) -> Executed:
        """Run the notebook in an idle warm process, or in a new one.

        A failure that may be the machine's fault counts only if the submission ran alone.
        """
        try:
            with self._concurrency.shared():
                return self._run(notebook, reference, undrawn, last=False)
        except SubmissionError as error:
            if not error.doubtful:
                raise
        except (MachineError, ExaminerEndedError):
            pass
        with self._concurrency.alone():
            return self._run(notebook, reference, undrawn, last=True)

    def _run(self, notebook: NotebookNode, reference: dict | None, undrawn: Collection[str], last: bool) -> Executed:
        try:
            student = self._idle.get_nowait()
        except queue.Empty:
            student = self._new_student()
        try:
            with contextlib.ExitStack() as stack:
                directory = ""
                if self.sandbox.program is None:
                    folder = tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True)
                    directory = stack.enter_context(folder)
                parts = run_submission(
                    student, self.examiner, notebook, self.limits, self.seed, directory, reference or {}, undrawn, last
                )
                return Executed(*parts)
        except MachineError:
            student.stop()
            raise
        finally:
            self._idle.put(student)

    def close(self) -> None:
        """End all warm processes."""
        for process in (*self.students, self.examiner):
            process.stop()

    def __enter__(self) -> SandboxExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Concurrency:
    """Lets submissions run concurrently, or one of them alone."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._running = 0
        self._waiting = 0

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        with self._condition:
            self._condition.wait_for(lambda: not self._waiting)
            self._running += 1
        try:
            yield
        finally:
            with self._condition:
                self._running -= 1
                self._condition.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        with self._condition:
            self._waiting += 1
            try:
                self._condition.wait_for(lambda: not self._running)
                self._running += 1
            except BaseException:
                self._waiting -= 1
                raise
        try:
            yield
        finally:
            with self._condition:
                self._running -= 1
                self._waiting -= 1
                self._condition.notify_all()


def as_answer(executed: Executed) -> dict[str, Any]:
    """Serialise an executor's result for `executed_from` on another machine."""
    return {**asdict(executed), "notebook": executed.notebook}
