"""A class in one file, with all that grading it again takes: the work, the marks, the sets, the engine and its versions.

`write_archive` packs it, `check_archive` unpacks it elsewhere, grades everything anew with the engine inside, and compares.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

from nbgrader.api import Base, Gradebook
from sqlalchemy import delete, insert, select

from autograder.classroom.class_lock import NAME as LOCK
from autograder.classroom.directory import DATABASE, ClassDirectory, Outcome, Submission
from autograder.classroom.grading.gradebook import open_gradebook
from autograder.common.atomic_files import NO_ROOM
from autograder.common.errors import AutograderError, MachineError, UsageError
from autograder.common.untrusted_files import walk
from autograder.engine.execution import ENGINE
from autograder.problem_set.source import problem_set_names

#: What of the course goes in: the sets, the engine, and what makes its environment.
_COURSE = (
    "autograder",
    "exercises",
    "solutions",
    "LICENSE",
    "LICENSE-TEXT.md",
    "Makefile",
    "README.md",
    "_config.yml",
    "_toc.yml",
    "environment.sh",
    "pyproject.toml",
    "requirements.txt",
)
_CLASS, _OF_COURSE, _VERSIONS, _GRADEBOOK = "class", "course", "versions.json", "gradebook.db"
#: Made by running, and worth nothing later.
_CACHES = {"__pycache__", ".ipynb_checkpoints", ".ruff_cache", ".pytest_cache"}
_README = """\
A class of From Bits to Backprop, archived on {date}.

class/         the class directory: what was handed in, the graded notebooks, gradebook.db, the roster, the feedback
course/        the problem sets with their hidden tests, and the engine that graded them
versions.json  the versions of Python and of all packages, and a hash of each file

It holds students' names, work and marks, and the hidden tests: keep it as you keep those.

To grade everything again, as it was graded then, on Linux with Python {python}:

    unzip {name} -d archive
    make -C archive/course environment
    archive/course/.venv/bin/autograder check-archive {name}

`make environment` installs the packages of course/requirements.txt from a package index. Where that may be gone by then,
keep them beside the archive, and install from there:

    archive/course/.venv/bin/python -m pip download --require-hashes --dest wheels -r archive/course/requirements.txt
    PIP_NO_INDEX=1 PIP_FIND_LINKS="$PWD/wheels" make -C archive/course environment
"""


@dataclass
class Archived:
    """What went into an archive: how many files and submissions, and what was left out, each with the reason."""

    files: int = 0
    submissions: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def write_archive(directory: ClassDirectory, course: Path, path: Path) -> Archived:
    """Pack a class, with the sets and the engine that graded it.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    course : Path
        The course's root.
    path : Path
        The archive; it does not exist yet.

    Raises
    ------
    UsageError
        The archive is there already, is not called .zip, or would be in the class.
    AutograderError
        The class holds nothing, or the gradebook cannot be read.
    """
    path = path.absolute()
    if path.suffix != ".zip":
        raise UsageError(f"{path} is not the name of an archive: let it end in .zip.")
    if path.exists():
        raise UsageError(f"{path} exists; an archive is never overwritten: choose another name.")
    if path.resolve().is_relative_to(directory.root.resolve()):
        raise UsageError(f"{path} is in the class that it would hold; choose another folder.")
    submissions = directory.submissions(problem_set_names(course))
    if not submissions:
        raise AutograderError(f"{directory.submitted} holds no work: there is nothing to archive.")
    made = Archived(submissions=len(submissions))
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            hashes = {}
            for name, source in _files(directory, course, path, made):
                try:
                    data = source.read_bytes()
                except OSError as error:
                    if not source.is_relative_to(directory.submitted):
                        raise
                    made.left_out[name] = f"it cannot be read: {error.strerror}"
                    continue
                archive.writestr(_entry(name, source), data, zipfile.ZIP_DEFLATED)
                hashes[name] = hashlib.sha256(data).hexdigest()
            data = _gradebook(directory)
            archive.writestr(f"{_CLASS}/{_GRADEBOOK}", data)
            hashes[f"{_CLASS}/{_GRADEBOOK}"] = hashlib.sha256(data).hexdigest()
            archive.writestr(_VERSIONS, json.dumps(_versions(course, hashes), indent=1, sort_keys=True) + "\n")
            now = f"{datetime.now(UTC):%Y-%m-%d}"
            readme = _README.format(date=now, python=platform.python_version(), name=path.name)
            archive.writestr("README.txt", readme)
            made.files = len(hashes)
        os.chmod(temporary, 0o600)  # the work and the marks of students
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return made


def _files(directory: ClassDirectory, course: Path, own: Path, made: Archived) -> Iterator[tuple[str, Path]]:
    """Yield what goes in, by its name in the archive."""
    # The gradebook is written as a whole, wherever it is; the address of another database may hold a password.
    not_these = {directory.root / LOCK, directory.root / DATABASE, own}
    gradebook = directory.root / _GRADEBOOK
    not_these |= {gradebook, *(gradebook.with_name(gradebook.name + end) for end in ("-journal", "-wal", "-shm"))}
    for path, _ in walk(directory.root):
        name = f"{_CLASS}/{path.relative_to(directory.root)}"
        if path in not_these or _CACHES & set(path.relative_to(directory.root).parts):
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            made.left_out[name] = "it is a link or no regular file"
        elif not _is_text(name):
            made.left_out[name] = "its name is not text in UTF-8"
        elif path.is_dir() and not os.access(path, os.R_OK | os.X_OK, effective_ids=True):
            made.left_out[name] = "it cannot be read"
        elif path.is_file():
            yield name, path
    for top in _COURSE:
        found = [course / top] if (course / top).is_file() else sorted((course / top).rglob("*"))
        for path in found:
            if path.is_file() and not _CACHES & set(path.relative_to(course).parts):
                yield f"{_OF_COURSE}/{path.relative_to(course)}", path


def _is_text(name: str) -> bool:
    """Whether a name can be written into a zip: a disk holds any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _entry(name: str, source: Path) -> zipfile.ZipInfo:
    # A zip has the years 1980 to 2107, here with a day's room for time zones; a student may give a file any time.
    moment = min(max(source.stat().st_mtime, 315_619_200), 4_354_732_800)
    entry = zipfile.ZipInfo(name, datetime.fromtimestamp(moment).timetuple()[:6])
    entry.external_attr = (0o755 if os.access(source, os.X_OK) else 0o644) << 16
    return entry


def _gradebook(directory: ClassDirectory) -> bytes:
    """Return the gradebook as an SQLite file, whatever database it is in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _GRADEBOOK
        with open_gradebook(directory) as gradebook, Gradebook(f"sqlite:///{path}") as copy:
            for table in reversed(Base.metadata.sorted_tables):
                copy.db.execute(delete(table))
            for table in Base.metadata.sorted_tables:
                if rows := [dict(row) for row in gradebook.db.execute(select(table)).mappings()]:
                    copy.db.execute(insert(table), rows)
            copy.db.commit()
        return path.read_bytes()


def _commit(course: Path) -> str:
    """Return which commit of the course is used; empty if it is no clone, or if Git is not installed."""
    command = ["git", "-C", str(course), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _versions(course: Path, hashes: dict[str, str]) -> dict:
    return {
        "archived": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "commit": _commit(course),
        "engine": ENGINE,
        "files": hashes,
        "packages": _packages(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _packages() -> dict[str, str]:
    return {found.metadata["Name"]: found.version for found in distributions() if found.metadata["Name"]}


# ---- checking it


@dataclass
class Checked:
    """What came of grading an archive anew.

    Attributes
    ----------
    compared : int
        Submissions that were graded then and now.
    differences : list of str
        Whatever came out otherwise, a sentence each.
    versions : list of str
        Packages, and Python, that differ here from then: each name with both versions.
    """

    compared: int = 0
    differences: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)


def check_archive(path: Path, jobs: int) -> Checked:
    """Grade everything in an archive anew, with the engine and the sets inside and this Python's packages, and compare.

    Parameters
    ----------
    path : Path
        From `write_archive`.
    jobs : int
        How many submissions to run at once.

    Raises
    ------
    AutograderError
        It is not such an archive, it is damaged, or nothing could be graded.
    MachineError
        The archive's engine says that the machine failed, as where the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="archive-") as place:
        folder = Path(place)
        versions = _unpack(path, folder)
        checked = Checked(versions=_different_versions(versions))
        then, now = ClassDirectory(folder / _CLASS), ClassDirectory(folder / "again")
        names = problem_set_names(folder / _OF_COURSE)
        graded = {s: o for s, o in then.outcomes(names).items() if o.outcome != "not-graded"}
        if not graded:
            raise AutograderError(f"{path}: nothing in it was graded, so there is nothing to compare.")
        now.root.mkdir()
        (then.submitted).rename(now.submitted)
        sets = sorted({submission.problem_set for submission in graded})
        _grade(folder / _OF_COURSE, now, sets, jobs)
        again, scores = now.outcomes(names), (_machine_scores(then, sets), _machine_scores(now, sets))
        for submission, outcome in sorted(graded.items()):
            checked.compared += 1
            found = _difference(submission, outcome, again.get(submission), *scores)
            if found:
                checked.differences.append(f"{submission}: {found}.")
        return checked


def _unpack(path: Path, folder: Path) -> dict:
    try:
        with zipfile.ZipFile(path) as archive:
            versions = json.loads(archive.read(_VERSIONS))
            for entry in archive.infolist():
                written = Path(archive.extract(entry, folder))
                if entry.external_attr >> 16 & 0o100 and written.is_file():
                    written.chmod(0o755)
        files = dict(versions["files"])
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        if getattr(error, "errno", None) in NO_ROOM:
            raise
        raise AutograderError(f"{path} is not an archive that autograder archive wrote ({error}).") from None
    for name, digest in files.items():
        file = folder / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            raise AutograderError(f"{path} is damaged: {name} is not what was archived; take another copy.")
    return versions


def _different_versions(versions: dict) -> list[str]:
    here = _packages() | {"Python": platform.python_version()}
    then = {str(name): str(version) for name, version in dict(versions.get("packages", {})).items()}
    then["Python"] = str(versions.get("python", ""))
    different = (name for name in then if name in here and here[name] != then[name])
    return [f"{name} {then[name]} then, {here[name]} now" for name in sorted(different, key=str.casefold)]


def _grade(course: Path, directory: ClassDirectory, sets: list[str], jobs: int) -> None:
    command = [sys.executable, "-P", "-m", "autograder", "--course", str(course), "grade", *sets]
    command += ["--class", str(directory.root), "--jobs", str(jobs)]
    # The engine of the archive, and not the one that runs this.
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(course)}, cwd=course, capture_output=True, text=True, check=False
    )
    last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    reason = last.removeprefix("autograder: ")
    if done.returncode not in (0, 3):
        raise AutograderError(f"The archive's engine could not grade here: {reason}")
    if done.returncode == 3 and reason != last:  # the command's own last word, not a submission that failed
        raise MachineError(f"The archive's engine could not go on: {reason}")


#: Set and student, then cell and the points that the machine gave.
_Scores = dict[tuple[str, str], dict[str, float | None]]


def _machine_scores(directory: ClassDirectory, sets: list[str]) -> _Scores:
    with open_gradebook(directory) as gradebook:
        known = {assignment.name for assignment in gradebook.assignments}
        return {
            (name, submission.student.id): {
                grade.name: grade.auto_score for notebook in submission.notebooks for grade in notebook.grades
            }
            for name in sets
            if name in known
            for submission in gradebook.assignment_submissions(name)
        }


def _difference(
    submission: Submission, then: Outcome, now: Outcome | None, old_scores: _Scores, new_scores: _Scores
) -> str:
    """Say what came out otherwise; nothing where all is as it was."""
    failed = then.outcome == "failed"
    if now is None or (now.outcome == "failed") != failed or now.outcome == "not-graded":
        came = "no outcome" if now is None else now.outcome.replace("-", " ")
        reason = f" ({now.reason.rstrip('.')})" if now is not None and now.reason else ""
        return f"{then.outcome.replace('-', ' ')} then, {came} now{reason}"
    if failed:
        return ""
    key = submission.problem_set, submission.student
    old, new = old_scores.get(key), new_scores.get(key)
    if old is None or new is None:
        return "a gradebook has no scores of it"
    other = sorted(cell for cell in old.keys() | new.keys() if old.get(cell) != new.get(cell))
    return ", ".join(f"{cell}: {_points(old.get(cell))} then, {_points(new.get(cell))} now" for cell in other)


def _points(value: float | None) -> str:
    return "no points" if value is None else f"{value:g}"
