"""nbgrader's own buttons, sent through this package's engine.

The class's nbgrader_config.py names `ExecuteInSandbox` among nbgrader's preprocessors, so that the formgrader's Autograde
button and `nbgrader autograde` execute a submission as `autograder grade` does.
"""

from __future__ import annotations

import atexit
import functools
from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.execution import SandboxExecutor
from autograder.grading import clear_outputs
from autograder.problem_set import grade_id, is_graded
from autograder.sandbox import require_sandbox


@functools.cache
def _executor() -> SandboxExecutor:
    executor = SandboxExecutor(require_sandbox())
    atexit.register(executor.close)
    return executor


class ExecuteInSandbox(NbGraderPreprocessor):
    """Executes a submission in the sandbox, its test cells in the examiner."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Return the notebook with the outputs of its cells.

        Raises
        ------
        SubmissionError
            It could not be run to its end; nbgrader then reports that it failed.
        """
        folder = Path(resources["metadata"]["path"])
        source = folder.parents[2] / "source" / folder.name / f"{folder.name}.ipynb"
        if source.is_file():
            known = {grade_id(cell): cell.metadata for cell in nbformat.read(source, as_version=4).cells}
            for cell in nb.cells:
                # What a test may observe is the set's to say; nbgrader restores only its own part of the metadata.
                cell.metadata.pop("observe_arguments", None)
                if known.get(grade_id(cell), {}).get("observe_arguments"):
                    cell.metadata["observe_arguments"] = True
        clear_outputs(nb)
        executed = _executor()(nb).notebook
        for cell in executed.cells:
            if is_graded(cell) and cell.cell_type == "code":
                for output in cell.outputs:
                    if output.output_type == "stream":
                        output.name = "stdout"  # nbgrader gives no points where a test wrote to stderr
        return executed, resources
