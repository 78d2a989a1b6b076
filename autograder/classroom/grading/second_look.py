"""Whether a grade given by hand needs a second look: only if the answer has changed since.

nbgrader flags every such grade whenever a submission is graded again. Here a digest of each answer is kept with the
outcome, with the digest of the one for which a person gave points.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from nbformat import NotebookNode

from autograder.common.atomic_files import write_text
from autograder.engine.score import Graded
from autograder.problem_set.source import grade_id, is_graded, is_solution

#: For each graded cell: ``answer``, the digest when it was last graded; ``seen``, the digest that a person graded; and
#: ``points``, what a person had given by then.
Seen = dict[str, dict[str, str | float | None]]


def answer_digests(graded: Graded) -> dict[str, str]:
    """Hash what a person who grades a cell sees: the answer, and for a test cell what the machine gave.

    Returns
    -------
    dict of str to str
        grade_id of each graded cell, and the hash.
    """
    digests, answer = {}, ""
    for cell in graded.notebook.cells:
        if is_solution(cell):
            answer = _content(cell)
        if is_graded(cell):
            name = grade_id(cell)
            digests[name] = hashlib.sha256(
                f"{graded.scores.get(name)}\n{answer}".encode("utf-8", "replace")
            ).hexdigest()
    return digests


def _content(cell: NotebookNode) -> str:
    return json.dumps([cell.source, cell.get("attachments")], sort_keys=True)


def read_seen(path: Path | None) -> Seen:
    """Read what was kept of a submission, if anything."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return {cell: digests for cell, digests in kept.items() if isinstance(digests, dict)}


def write_seen(seen: Seen, path: Path) -> None:
    """Keep it for the next time."""
    write_text(json.dumps(seen, indent=1, sort_keys=True) + "\n", path)
