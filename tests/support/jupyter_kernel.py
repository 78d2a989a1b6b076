"""Executes a notebook as nbgrader does, in a Jupyter kernel without a sandbox, for comparison."""

from __future__ import annotations

import atexit
import copy
import os
import shutil
import tempfile
from collections.abc import Collection

from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute

from autograder.common.errors import AutograderError, SubmissionError
from autograder.engine.execution import Executed
from autograder.problem_set.source import grade_id

#: Seconds that a cell may take. No cell of a problem set needs more than a few; an infinite loop must stop.
CELL_TIMEOUT = 30

#: Attempts to start a kernel before giving up: kernels that start at the same time may choose the same free port.
STARTS = 3

#: No history on disk, and no start-up warnings that loopback traffic is not encrypted.
KERNEL_ARGUMENTS = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]


class KernelExecutor:
    """Run each notebook in a fresh Jupyter kernel through nbgrader's Execute preprocessor. Not a sandbox.

    Parameters
    ----------
    cell_timeout : int
        Seconds before a cell is interrupted; its kernel then continues with the next cell.
    """

    def __init__(self, cell_timeout: int = CELL_TIMEOUT):
        self.cell_timeout = cell_timeout
        self.name = f"kernel, {cell_timeout} s a cell"

    def start(self, jobs: int) -> None:
        """Do nothing: each notebook gets its own kernel."""

    def __call__(
        self,
        notebook: NotebookNode,
        reference: dict[str, dict[str, float]] | None = None,
        undrawn: Collection[str] = (),
    ) -> Executed:
        """Run the notebook in its own empty directory."""
        for _ in range(STARTS):
            try:
                return Executed(self._run(copy.deepcopy(notebook)))
            except RuntimeError as error:
                reason = error
        raise AutograderError(f"No Jupyter kernel could be started here: {reason}.")

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
                    "not be interrupted; look for an infinite loop."
                ) from None
            except NoSuchKernel as error:
                raise AutograderError(f"There is no Jupyter kernel {error.name!r} here; install ipykernel.") from None


def _last_started(notebook: NotebookNode) -> str:
    started = [cell for cell in notebook.cells if cell.cell_type == "code" and "execution" in cell.metadata]
    if not started:
        return "its first cell"
    name = grade_id(started[-1])
    return f"the cell {name!r}" if name else f"its code cell number {len(started)}"


def prepare_environment() -> None:
    """Set the environment that this process's kernels inherit. Called once, before any thread starts.

    nbgrader sets NBGRADER_EXECUTION to tell notebooks that they are being graded. The user's own IPython start-up files
    and history stay out of grading.
    """
    os.environ["NBGRADER_EXECUTION"] = "autograde"
    ipython = tempfile.mkdtemp(prefix="ipython-")
    atexit.register(shutil.rmtree, ipython, ignore_errors=True)
    os.environ["IPYTHONDIR"] = ipython
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
