"""Which problem set a notebook belongs to: its own cells and metadata say so, never its name."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath

from autograder.classroom.collecting.archives import Member
from autograder.common.errors import SubmissionError
from autograder.engine.submitted_notebook import read_submission
from autograder.problem_set.source import ProblemSet, grade_id, is_solution
from autograder.problem_set.versions import student_version

#: A notebook, also as browsers and mail programs rename it.
_NOTEBOOK = re.compile(r"(?P<stem>.+)\.ipynb(?:\.txt|\.json)?", re.IGNORECASE | re.DOTALL)


class NotANotebookError(Exception):
    """A file is not a notebook of this course; the text says why, in words that follow "it"."""


class KnownSets:
    """Tells which problem set a notebook belongs to, and whether anybody worked it."""

    def __init__(self, problem_sets: list[ProblemSet]):
        self.problem_sets = {problem_set.name: problem_set for problem_set in problem_sets}
        self.names = frozenset(self.problem_sets)
        owners: dict[str, set[str]] = defaultdict(set)
        for problem_set in problem_sets:
            for cell in problem_set.notebook.cells:
                if grade_id(cell):
                    owners[grade_id(cell)].add(problem_set.name)
        #: grade_ids that only one set has.
        self.owner = {name: next(iter(sets)) for name, sets in owners.items() if len(sets) == 1}
        self._stubs: dict[str, dict[str, str]] = {}

    def read(self, member: Member) -> tuple[str, bool]:
        """Return the set that a file is a notebook of, and whether an answer differs from what was released."""
        if member.problem:
            raise NotANotebookError(member.problem)
        if not _NOTEBOOK.fullmatch(PurePosixPath(member.path).name):
            platform = re.search(r"_assignsubmission_onlinetext|_\d+_text\.html$", member.path)
            raise NotANotebookError("is text typed into the platform" if platform else "is not a notebook (.ipynb)")
        if not member.data.strip():
            raise NotANotebookError("is empty")
        try:
            notebook = read_submission(member.data)
        except SubmissionError as error:
            # Its sentences speak of the file or the notebook, and are shown here after its name.
            raise NotANotebookError(re.sub("^The (?:file|notebook) ", "", str(error)).rstrip(".")) from None
        votes: dict[str, set[str]] = defaultdict(set)
        for cell in notebook.cells:
            name = grade_id(cell)
            if name in self.owner:
                votes[self.owner[name]].add(name)
        declared = notebook.metadata.get("autograder", {}).get("problem_set")
        declared = declared if isinstance(declared, str) and declared in self.names else ""
        if not declared or (votes and declared not in votes):
            most = max(map(len, votes.values()), default=0)
            best = [name for name, ids in votes.items() if len(ids) == most]
            if len(best) != 1:
                raise NotANotebookError(
                    f"has as many cells of {' as of '.join(sorted(best))}"
                    if best
                    else "has no cell that belongs to a problem set of this course"
                )
            (declared,) = best
        stubs = self._released(declared)
        worked = any(
            stubs.get(grade_id(cell), cell.source.strip()) != cell.source.strip()
            for cell in notebook.cells
            if grade_id(cell)
        )
        return declared, worked

    def _released(self, name: str) -> dict[str, str]:
        if name not in self._stubs:
            cells = student_version(self.problem_sets[name]).cells
            self._stubs[name] = {grade_id(cell): cell.source.strip() for cell in cells if is_solution(cell)}
        return self._stubs[name]


def stem_of(name: str) -> str:
    """Return the name of a notebook without its ending; empty for another file."""
    match = _NOTEBOOK.fullmatch(name)
    return match["stem"] if match else ""
