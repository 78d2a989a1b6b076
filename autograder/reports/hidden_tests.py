"""What a student sees of hidden tests: no text but one that was fixed when the set was released.

Whatever else a hidden test says when it fails, the submission may have had a part in it, and may repeat the test's
arguments: in the text of an error, in the name of its class, in what it prints.
"""

from __future__ import annotations

import json
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.classroom.directory import ClassDirectory
from autograder.problem_set.known_behaviour import HIDDEN_TESTS
from autograder.problem_set.source import grade_id, is_test

#: Replaces any other text.
FAILED = "A hidden test failed. Look again at the description of this item."
#: What remains of a hidden test's source.
CONCEALED = "# (hidden tests)"

#: Hidden test cell, and the texts that it may show.
FixedMessages = dict[str, list[str]]


def is_hidden(cell: NotebookNode) -> bool:
    """Whether a cell is, or was before it was concealed, a hidden test."""
    return is_test(cell) and (CONCEALED in cell.source or HIDDEN_TESTS.search(cell.source) is not None)


def is_fixed(error: NotebookNode, name: str, messages: FixedMessages) -> bool:
    """Whether the text of an error output is one that the hidden test of this name may show."""
    return error.ename == "AssertionError" and error.evalue in messages.get(name, ())


def said_by(test: NotebookNode) -> tuple[str, list[NotebookNode]]:
    """Return what a test cell said when it failed, and the error outputs that said it; nothing if it passed."""
    errors = [output for output in test.get("outputs", ()) if output.output_type == "error"][-1:]
    return "".join(e.evalue if e.ename == "AssertionError" else f"{e.ename}: {e.evalue}" for e in errors), errors


def read_fixed_messages(directory: ClassDirectory, problem_set: str) -> FixedMessages:
    """Read what hidden tests of a set may show, as `grade` left it in the class; nothing where it has not."""
    try:
        messages = json.loads(directory.fixed_messages(problem_set).read_text(encoding="utf-8"))
        return {name: texts for name, texts in messages.items() if isinstance(texts, list)}
    except (OSError, ValueError, AttributeError):
        return {}


class ConcealHiddenTests(NbGraderPreprocessor):
    """Take the text of hidden tests, and all that could reveal it, out of a graded notebook.

    Of a failed hidden test remains the message it was written to show, if that is one that its set was released with; else
    a sentence that is always the same. What a submission printed meanwhile goes too.
    """

    #: None to read them from the notebook's class.
    messages: FixedMessages | None = None

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Conceal the cells of a notebook."""
        if self.messages is not None:
            return super().preprocess(nb, resources)
        self.messages = _messages_beside(resources)
        try:
            return super().preprocess(nb, resources)
        finally:
            self.messages = None

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Conceal one cell."""
        if not is_hidden(cell):
            return cell, resources
        cell.source = HIDDEN_TESTS.sub(f"{CONCEALED}\n", cell.source).rstrip("\n")
        errors = [output for output in cell.outputs if output.output_type == "error"]
        for error in errors[:1]:
            if not is_fixed(error, grade_id(cell), self.messages or {}):
                error.ename, error.evalue = "AssertionError", FAILED
            error.traceback = [f"{error.ename}: {error.evalue}"]
        cell.outputs = errors[:1]
        return cell, resources


def _messages_beside(resources: ResourcesDict) -> FixedMessages:
    """Find the class of a notebook in ``autograded/<student>/<set>``, as nbgrader's converters name it."""
    path = resources.get("metadata", {}).get("path")
    if not path or len(Path(path).parents) < 3:
        return {}
    folder = Path(path)
    return read_fixed_messages(ClassDirectory(folder.parents[2]), folder.name)
