"""nbgrader's own buttons, sent through this package's engine.

The class's nbgrader_config.py names `ExecuteInSandbox` among nbgrader's preprocessors, so that the formgrader's Autograde
button and `nbgrader autograde` execute a submission as `autograder grade` does. It adds `DisarmMarkup` and
`without_scripts` to nbconvert's, for the pages on which the formgrader shows a submission: its scripts would act with
the rights of the person who looks at them.
"""

from __future__ import annotations

import atexit
import functools
import html
from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.classroom.pages.harmless_html import without_scripts
from autograder.classroom.pages.page_limits import (
    CUT,
    MAX_ANSWER,
    MAX_FOREIGN_CELLS,
    MAX_OUTPUTS_OF_A_CELL,
    MAX_SOURCES,
    PictureRoom,
    Room,
    short,
)
from autograder.classroom.result.submission_folder import find_notebook
from autograder.common.errors import SubmissionError
from autograder.engine.execution import SandboxExecutor
from autograder.engine.restore import restore
from autograder.engine.sandbox import require_sandbox
from autograder.engine.score import clear_outputs, grade
from autograder.problem_set.source import answered, grade_id, is_graded, reference_in
from autograder.problem_set.versions import from_source, without_hidden_tests

#: Kinds of output that nbconvert escapes or shows as an image, and HTML, which is cleaned here.
_SHOWN = {"text/plain", "text/latex", "text/html", "image/png", "image/jpeg", "image/svg+xml"}


class DisarmMarkup(Preprocessor):
    """Takes from a notebook what nbconvert would write into a page as it is, HTML that a cell shows and raw cells.

    And what is too much for a page: the graded notebook in the class holds it all.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Disarm all cells of a notebook, and leave out what its page has no room for."""
        sources, shown, pictures = Room(MAX_SOURCES), Room(MAX_SOURCES), PictureRoom()
        kept, foreign = [], 0
        for cell in nb.cells:
            if grade_id(cell) is None:
                foreign += 1
                if foreign > MAX_FOREIGN_CELLS:
                    continue
            cell.source = sources.fit(cell.source, MAX_ANSWER)
            if cell.cell_type == "markdown":
                cell.attachments = _Attachments(cell.get("attachments", {}), pictures)
            if "outputs" in cell:
                cell.outputs = _fitting(cell.outputs, shown, pictures)
            kept.append(_disarmed(cell))
        if foreign > MAX_FOREIGN_CELLS:
            kept.append(_disarmed(nbformat.v4.new_raw_cell(f"{foreign - MAX_FOREIGN_CELLS} more cells {CUT}")))
        nb.cells = kept
        return nb, resources


def _disarmed(cell: NotebookNode) -> NotebookNode:
    if cell.cell_type == "raw":
        cell.source = f"<pre>{html.escape(cell.source)}</pre>"
    for output in cell.get("outputs", ()):
        if "data" in output:
            output.data = NotebookNode({kind: data for kind, data in output.data.items() if kind in _SHOWN})
            if isinstance(output.data.get("text/html"), str):
                output.data["text/html"] = without_scripts(output.data["text/html"])
    return cell


def _fitting(outputs: list[NotebookNode], shown: Room, pictures: PictureRoom) -> list[NotebookNode]:
    """Return the outputs of a cell that a page has room for, and whether some are missing as a last one."""
    kept, cut = [], len(outputs) > MAX_OUTPUTS_OF_A_CELL
    for output in outputs[:MAX_OUTPUTS_OF_A_CELL]:
        if output.output_type == "stream":
            output.text = shown.fit(output.text, MAX_ANSWER)
        elif output.output_type == "error":
            output.traceback = [shown.fit("\n".join(output.traceback), MAX_ANSWER)]
            output.ename, output.evalue = short(output.ename), short(output.evalue)
        else:
            for kind, data in list(output.data.items()):
                if not isinstance(data, str):
                    del output.data[kind]
                elif kind.startswith("image/"):
                    if not pictures.fits(data):
                        del output.data[kind]
                else:
                    output.data[kind] = shown.fit(data, MAX_ANSWER)
            if not output.data:
                cut = True
                continue
        kept.append(output)
    if cut:
        kept.append(nbformat.v4.new_output("stream", text=CUT))
    return kept


class _Attachments(NotebookNode):
    """The pictures in a Markdown cell, handed out while there is room for them.

    Each place that names one holds it once more, and there are many ways to name one; so they are counted where nbconvert
    takes them. It would give up the whole page for one that is missing.
    """

    def __init__(self, bundles: dict, pictures: PictureRoom):
        super().__init__(bundles)
        # An item would be an attachment.
        object.__setattr__(self, "pictures", pictures)

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> dict[str, str]:
        bundle = self.get(name, {})
        return bundle if bundle and all(map(self.pictures.fits, bundle.values())) else {"image/png": ""}


@functools.cache
def _executor(root: Path) -> SandboxExecutor:
    executor = SandboxExecutor(require_sandbox(root))
    atexit.register(executor.close)
    return executor


@functools.lru_cache(maxsize=1)
def _set_in(path: Path, changed: int) -> tuple[NotebookNode, dict[str, dict[str, float]]]:
    """Return what submissions are judged by, and what the tests measure of the reference; a class is graded set by set."""
    read = nbformat.read(path, as_version=4)
    source = from_source(read)
    reference = answered(without_hidden_tests(source), reference_in(read))
    return source, grade(source, reference, _executor(path.parents[2]), draw=False).measured


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
        root = folder.parents[2]
        path = root / "source" / folder.name / f"{folder.name}.ipynb"
        if not path.is_file():
            raise SubmissionError(
                f"{path}, which the grading needs, is missing; run autograder grade in this class first."
            )
        # nbgrader has dropped copies of cells and the counts that tell which of them ran last: what was handed in is read.
        source, measured = _set_in(path, path.stat().st_mtime_ns)
        submitted, _ = find_notebook(root / "submitted" / folder.parent.name / folder.name, folder.name, source)
        nb, _ = restore(source, submitted)
        clear_outputs(nb)
        ran = _executor(root)(nb, measured)
        executed = ran.notebook
        for cell in executed.cells:
            if grade_id(cell) in ran.awaiting:  # as nbgrader marks what a person has to grade
                cell.metadata.nbgrader.update(solution=True, checksum="")
            if is_graded(cell) and cell.cell_type == "code":
                for output in cell.outputs:
                    if output.output_type == "stream":
                        output.name = "stdout"  # nbgrader gives no points where a test wrote to stderr
        return executed, resources
