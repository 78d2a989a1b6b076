"""The seam behind which a notebook is executed.

Everything else in this package asks for a notebook to be run through an `Executor` and reads the outputs. The one
executor so far is nbgrader's own: a Jupyter kernel, without a sandbox, with the rights of whoever grades.
"""

from __future__ import annotations

import atexit
import copy
import os
import shutil
import tempfile
from typing import Protocol

from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute

from autograder.errors import AutograderError, SubmissionError
from autograder.problem_set import grade_id

#: Seconds one cell may take. No cell of a problem set needs more than a few; a loop without an end must stop.
CELL_TIMEOUT = 30

#: No history on disk; and none of the kernel's start-up warnings, which say that loopback traffic is not encrypted.
KERNEL_ARGUMENTS = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]


class Executor(Protocol):
    """Runs a notebook from top to bottom."""

    #: Goes into the record of each graded submission, so that another way of executing means grading anew.
    name: str

    def __call__(self, notebook: NotebookNode) -> NotebookNode:
        """Return a copy of the notebook with the outputs of its cells.

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

    def __call__(self, notebook: NotebookNode) -> NotebookNode:
        """Run the notebook in an empty directory of its own."""
        executed = copy.deepcopy(notebook)
        with tempfile.TemporaryDirectory(prefix="submission-") as directory:
            step = Execute(timeout=self.cell_timeout, extra_arguments=KERNEL_ARGUMENTS)
            resources = ResourcesDict(metadata={"path": directory})
            try:
                executed, _ = step.preprocess(executed, resources)
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
        return executed


def _last_started(notebook: NotebookNode) -> str:
    started = [cell for cell in notebook.cells if cell.cell_type == "code" and "execution" in cell.metadata]
    if not started:
        return "its first cell"
    name = grade_id(started[-1])
    return f"the cell {name!r}" if name else f"its code cell number {len(started)}"


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
