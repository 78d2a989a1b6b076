"""What a student handed in: the files of a submission's folder, their fingerprint, and the notebook among them.

A file that is not a notebook is for the student to put right, and is refused with a sentence. A file that the grader has no
permission to read is not: such a submission is not graded until the permissions are.
"""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import datetime
from pathlib import Path

from nbformat import NotebookNode

from autograder.classroom.result.moments import moment
from autograder.common.errors import MachineError, SubmissionError
from autograder.common.text import printable
from autograder.common.untrusted_files import reached_by_link, read_regular_file
from autograder.engine.submitted_notebook import read_submission
from autograder.problem_set.source import grade_id

#: Larger files are not read: a notebook with its figures has a few hundred kilobytes.
MAX_SUBMISSION_BYTES = 20_000_000
#: Among more notebooks than these, none is looked for: each takes time to read.
MAX_NOTEBOOKS = 20
#: The file in which `collect` keeps what cannot be graded of a hand-in without a notebook: name and reason, a line each.
REFUSED = "refused.txt"
#: Files of a submission, and bytes of those that are read: more than this is a packed environment, or an attempt to keep
#: the grader busy, for every command reads them to learn whether they have changed.
MAX_FILES, MAX_BYTES = 5_000, 500_000_000
#: The file in which nbgrader, `collect` or a person writes when a submission was handed in.
TIMESTAMP = "timestamp.txt"


def fingerprint(folder: Path) -> str:
    """Hash a submission: the paths of its files below its folder, their kinds and their content.

    Parameters
    ----------
    folder : Path
        ``submitted/<student>/<set>``.
    """
    hashed = hashlib.sha256()
    try:
        files = _files(folder)
    except (MachineError, SubmissionError) as error:
        return hashlib.sha256(str(error).encode("utf-8", "replace")).hexdigest()
    for path, status in files:
        below = os.fsencode(path.relative_to(folder))
        hashed.update(below + f"\0{status.st_size}\0{stat.S_IFMT(status.st_mode)}\0{status.st_nlink}\0".encode())
        if status.st_size <= MAX_SUBMISSION_BYTES:
            try:
                hashed.update(read_regular_file(path, MAX_SUBMISSION_BYTES))
            except OSError as error:
                hashed.update(f"{error.errno}".encode())
    return hashed.hexdigest()


def find_notebook(folder: Path, name: str, source: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Read the notebook that a student handed in, whatever its file is called.

    Parameters
    ----------
    folder : Path
        ``submitted/<student>/<set>``.
    name : str
        Name of the set.
    source : NotebookNode
        The instructor's version of the set, whose cells tell which of several notebooks is meant.

    Returns
    -------
    tuple of (NotebookNode, list of str)
        The notebook, and notices for the student.

    Raises
    ------
    SubmissionError
        There is none, there are several, or it is not a notebook.
    MachineError
        A file or folder may not be read, or has a second name elsewhere.
    """
    files = _files(folder)
    for path, status in files:
        if stat.S_ISLNK(status.st_mode):
            raise SubmissionError(
                f"{_shown(path, folder)} is a link, and links are not followed; hand in the file itself."
            )
    notebooks = [
        path
        for path, status in files
        if path.suffix == ".ipynb"
        and stat.S_ISREG(status.st_mode)
        and ".ipynb_checkpoints" not in path.relative_to(folder).parts
    ]
    expected = folder / f"{name}.ipynb"
    if expected in notebooks:
        return _read(expected), []
    if not notebooks:
        if folder / REFUSED in [path for path, _ in files]:
            lines = read_regular_file(folder / REFUSED, 10_000).decode("utf-8", "replace").splitlines()
            listed = "; ".join(printable(line) for line in lines)
            raise SubmissionError(f"What was handed in cannot be graded ({listed}); hand in {name}.ipynb itself.")
        raise SubmissionError(f"No notebook was handed in: the folder holds no {name}.ipynb.")
    if len(notebooks) == 1:
        called = printable(notebooks[0].name)
        return _read(notebooks[0]), [f"The file is called {called}; it was graded as {name}.ipynb."]
    known = {grade_id(cell) for cell in source.cells} - {None}
    matching = []
    for path in notebooks if len(notebooks) <= MAX_NOTEBOOKS else []:
        try:
            notebook = _read(path)
        except SubmissionError:
            continue
        if known & {grade_id(cell) for cell in notebook.cells}:
            matching.append((path, notebook))
    if len(matching) != 1:
        listed = ", ".join(printable(path.name) for path in ([path for path, _ in matching] or notebooks)[:10])
        raise SubmissionError(
            f"Several notebooks were handed in and none is called {name}.ipynb ({listed}); hand in one."
        )
    path, notebook = matching[0]
    return notebook, [f"Of several notebooks, {printable(path.name)} was graded as {name}.ipynb."]


def handed_in_at(folder: Path) -> datetime | None:
    """Return when a submission was handed in, in UTC, as its timestamp.txt says; None where nothing tells."""
    try:
        return _written_time(folder)
    except ValueError:
        return None


def time_problem(folder: Path) -> str:
    """Say what is wrong with the time in a submission's timestamp.txt; nothing where there is none, or it can be read."""
    try:
        _written_time(folder)
    except ValueError as error:
        return f"{TIMESTAMP}, line 1: {printable(str(error))}"
    return ""


def time_text(folder: Path) -> str:
    """Return what a submission's timestamp.txt holds, in whatever form; empty if there is none, or it cannot be read."""
    try:
        return read_regular_file(folder / TIMESTAMP, 100).decode("utf-8-sig", "replace").strip()
    except OSError:
        return ""


def _written_time(folder: Path) -> datetime | None:
    text = time_text(folder)
    return moment(text) if text else None


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """List all files below a folder, links and pipes included, in a fixed order."""

    def refuse(error: OSError) -> None:
        raise error

    files: list[tuple[Path, os.stat_result]] = []
    size = 0
    try:
        if reached_by_link(folder):
            raise SubmissionError(
                "The folder of the submission is a link, and links are not followed; hand in the files."
            )
        for path, names, others in os.walk(folder, onerror=refuse):
            names.sort()
            links = [name for name in names if os.path.islink(os.path.join(path, name))]
            for name in sorted([*others, *links]):
                entry = Path(path, name)
                status = entry.lstat()
                files.append((entry, status))
                if len(files) > MAX_FILES:
                    raise SubmissionError(f"More than {MAX_FILES} files were handed in; hand in the notebook alone.")
                size += status.st_size if status.st_size <= MAX_SUBMISSION_BYTES else 0
                if size > MAX_BYTES:
                    most = f"{MAX_BYTES // 1_000_000} MB"
                    raise SubmissionError(f"Files of more than {most} were handed in; hand in the notebook alone.")
    except OSError as error:
        where = Path(os.fsdecode(error.filename)) if error.filename else folder
        raise MachineError(_unreadable(_shown(where, folder), error)) from None
    return files


def _read(path: Path) -> NotebookNode:
    name = printable(path.name)
    try:
        if path.lstat().st_nlink > 1:
            raise MachineError(
                f"{name} has a second name on this disk (a hard link) and may be another's work; put a copy in its place"
            )
        content = read_regular_file(path, MAX_SUBMISSION_BYTES)
    except OSError as error:
        raise MachineError(_unreadable(name, error)) from None
    if len(content) > MAX_SUBMISSION_BYTES:
        raise SubmissionError(
            f"{name} has more than {MAX_SUBMISSION_BYTES // 1_000_000} MB; clear its outputs and hand it in again."
        )
    return read_submission(content)


def _unreadable(name: str, error: OSError) -> str:
    return f"{name} cannot be read ({error.strerror or error}); change its permissions, or collect it again"


def _shown(path: Path, folder: Path) -> str:
    below = path.relative_to(folder) if path != folder and path.is_relative_to(folder) else Path(path.name)
    return printable(os.fsencode(below).decode(errors="replace"))
