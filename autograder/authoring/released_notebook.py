"""A problem set as it is handed out: the student's version, with links to the chapters and a mark of its version."""

from __future__ import annotations

import hashlib
import json

from nbformat import NotebookNode

from autograder.problem_set.chapter_links import link_chapters
from autograder.problem_set.source import ProblemSet
from autograder.problem_set.versions import student_version


def handed_out(problem_set: ProblemSet, addresses: dict[str, str]) -> NotebookNode:
    """Return the notebook that `exercises/` holds.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    addresses : dict of str to str
        The address of each page of the book by its title, as `chapter_addresses` returns them.

    Returns
    -------
    NotebookNode
        Its metadata have ``autograder.version``, a digest of what students read. A copy that somebody works on keeps
        it, so that a browser which holds one can tell that a newer version has been published (book/lite/notices.js).
    """
    notebook = student_version(problem_set)
    link_chapters(notebook, addresses)
    content = json.dumps([(cell.cell_type, cell.source) for cell in notebook.cells])
    notebook.metadata["autograder"]["version"] = hashlib.sha256(content.encode()).hexdigest()[:12]
    return notebook
