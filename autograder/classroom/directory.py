"""A class directory: its layout, its submissions, and the outcome of each.

Layout, as nbgrader knows it: `nbgrader_config.py`, `source/`, `submitted/<student>/<set>/`, `autograded/`, `feedback/`,
`gradebook.db`; beside these `revealed/`, `given_back/`, `report/`, `grades.csv`, `roster.csv`, `due.csv` and what
`collect` took, in `collected/`. An `outcome.json` in each folder of `autograded/` is the last file that grading writes: a
submission without a current one is graded again.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from autograder.common.atomic_files import NO_ROOM, DiskFullError, write_bytes, write_text
from autograder.common.errors import AutograderError
from autograder.common.text import printable

#: nbgrader's gradebook holds names and ids of this length.
MAX_LENGTH = 128
#: nbgrader's formgrader writes names into its pages as they are, into text, attributes and scripts.
MARKUP = set('<>"')
#: What platforms' numbers have stood for: a file beside the folders of students in `collected/`.
IDENTITIES = "identities.json"
#: The file that says where the gradebook is, if it is not in the class directory.
DATABASE = "database.url"

CONFIG = '''"""nbgrader's configuration of this class; written once, yours to change."""

from pathlib import Path

c = get_config()  # noqa: F821 (nbgrader defines it)

c.CourseDirectory.root = str(Path(__file__).resolve().parent)
# Where `autograder … --db` has put the gradebook; without that file, it is gradebook.db.
database = Path(__file__).resolve().with_name("database.url")
if database.is_file():
    c.CourseDirectory.db_url = database.read_text(encoding="utf-8").strip()
# nbgrader's own buttons execute submissions as `autograder grade` does: in a sandbox, judged from outside.
c.Autograde.autograde_preprocessors = [
    "autograder.classroom.formgrader.ExecuteInSandbox",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# Feedback from nbgrader's own buttons keeps hidden tests hidden, as `autograder feedback` does.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "autograder.reports.feedback.ConcealHiddenTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
# The formgrader shows submissions without their scripts: they would act with your rights.
c.HTMLExporter.preprocessors = ["autograder.classroom.formgrader.DisarmMarkup"]
c.HTMLExporter.filters = {"strip_files_prefix": "autograder.classroom.formgrader.without_scripts"}
c.OverwriteCells.add_missing_cells = True
'''

#: Names in configurations that older versions wrote, and where each has moved.
_MOVED = {
    b"formgrader": b"classroom.formgrader",
    b"feedback.ConcealHiddenTests": b"reports.feedback.ConcealHiddenTests",
}
_OLD_NAMES = re.compile(rb"(?<![\w.])autograder\.(" + b"|".join(map(re.escape, _MOVED)) + rb")\b")


def unwritable(error: OSError) -> AutograderError | DiskFullError:
    """Return what is raised where something in a class directory cannot be written: what to do depends on the reason."""
    what = f"Cannot write to the class directory: {error.strerror}"
    if error.errno in NO_ROOM:
        return DiskFullError(what)
    return AutograderError(f"{what}: {error.filename}. Choose another with --class or change its permissions.")


def read_record(path: Path) -> dict:
    """Read a record that `collect` keeps; empty if there is none, or it is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def folder_problem(name: str) -> str:
    """Say why a text cannot be the name of a student's folder; nothing where it can."""
    if not name or name != name.strip():
        return "is empty, or begins or ends with a space"
    if name.startswith("."):
        return "begins with a dot"
    if any(character in "/\\" or not character.isprintable() for character in name):
        return "holds a slash or a control character"
    if MARKUP & set(name):
        return f"holds one of {' '.join(sorted(MARKUP))}, which nbgrader's formgrader takes for markup"
    if len(name) > MAX_LENGTH or len(name.encode()) > 255:
        return f"is longer than {MAX_LENGTH} characters"
    if name.casefold() == IDENTITIES:
        return "is the name of a file that the class itself keeps"
    return ""


@dataclass(frozen=True, order=True)
class Submission:
    """A student's work on a problem set."""

    student: str
    problem_set: str

    def __str__(self) -> str:
        return f"{self.student}, {self.problem_set}"


@dataclass
class Outcome:
    """The outcome of a submission.

    Attributes
    ----------
    outcome : str
        ``graded``, ``needs-manual-grading`` or ``failed``; ``not-graded`` where the machine failed, so that the next run
        tries again; ``missing`` where a student of the roster handed in nothing.
    reason : str
        Why it failed, in a sentence for the student, or why it was not graded, in one for the instructor; empty
        otherwise.
    notices : list of str
        What was repaired or looked unusual.
    not_attempted : list of str
        grade_ids of the cells the student left as they were.
    diagnoses : dict of str to str
        Item, and the name of the bank's misconception that its answer behaves like.
    awaiting : dict of str to str
        grade_id of each test cell that the machine could not decide, and a sentence that says why.
    fingerprint : str
        Hash of what the result depends on: submission, source and way of execution. Empty if it has to be tried again.
    files, of_set : str
        Hashes of the files that were handed in and of the set; empty if there is no result.
    """

    outcome: str
    reason: str = ""
    notices: list[str] = field(default_factory=list)
    not_attempted: list[str] = field(default_factory=list)
    diagnoses: dict[str, str] = field(default_factory=dict)
    awaiting: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    files: str = ""
    of_set: str = ""


def summary(outcomes: Iterable[Outcome]) -> str:
    """Count outcomes in words: ``1 failed, 20 graded, 19 need manual grading``."""
    counts = Counter(outcome.outcome for outcome in outcomes)
    plural = {"needs-manual-grading": "need manual grading", "not-graded": "not graded"}
    singular = {"needs-manual-grading": "needs manual grading", "not-graded": "not graded"}
    return ", ".join(
        f"{count} {(singular if count == 1 else plural).get(name, name)}" for name, count in sorted(counts.items())
    )


def _is_there(folder: Path) -> bool:
    """Whether a student has a folder for a set. One that cannot be read counts: its outcome says what is wrong."""
    try:
        # Not is_dir(): since Python 3.14, it calls a folder that cannot be read missing.
        mode = folder.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    # A link that leads nowhere was handed in too: it is refused with a sentence.
    return stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def database_address(url: str) -> URL | None:
    """Parse the address of a database; None if it is not one. An @ in the host is the rest of a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    return None if "@" in (parsed.host or "") else parsed


class ClassDirectory:
    """A class directory.

    Parameters
    ----------
    root : Path
        The directory; it need not exist yet.
    """

    def __init__(self, root: Path):
        self.root = root.absolute()
        self.source = self.root / "source"
        self.submitted = self.root / "submitted"
        self.autograded = self.root / "autograded"
        self.feedback = self.root / "feedback"
        self.revealed = self.root / "revealed"
        self.given_back = self.root / "given_back"
        self.report = self.root / "report"
        self.similar = self.root / "similar"
        self.collected = self.root / "collected"

    @property
    def database_url(self) -> str:
        """The gradebook: a file of the class, or the database that `use_database` was told."""
        return self.other_database or f"sqlite:///{self.root / 'gradebook.db'}"

    @property
    def other_database(self) -> str:
        """The database that `use_database` was told; empty where the gradebook is the class's own, and moves with it."""
        try:
            return (self.root / DATABASE).read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    @property
    def shown_database(self) -> str:
        """The gradebook as an error may name it: without a password. Options of a driver may hold one, too."""
        url = database_address(self.database_url)
        if url is None:
            return f"that {self.root / DATABASE} names"
        return url.set(query={}).render_as_string(hide_password=True)

    def use_database(self, url: str) -> None:
        """Keep the gradebook in another database from now on.

        Parameters
        ----------
        url : str
            As SQLAlchemy writes it; it is remembered in a file that only its owner can read, since it may hold a
            password.

        Raises
        ------
        AutograderError
            It is not such a URL, or the class directory cannot be written to.
        """
        if database_address(url) is None:
            raise AutograderError(
                "The value of --db is not a database URL such as postgresql+psycopg://user@host/name; "
                "a password writes @ as %40, / as %2F and : as %3A."
            )
        self.prepare()
        write_text(url + "\n", self.root / DATABASE, private=True)

    def require_existing(self) -> None:
        """Raise AutograderError if there is no such directory."""
        if not self.root.is_dir():
            raise AutograderError(
                f"There is no class directory {self.root}; name it with --class, or make one with sample-class."
            )

    def prepare(self) -> None:
        """Make the directory one that nbgrader understands.

        Raises
        ------
        AutograderError
            It cannot be written to.
        """
        try:
            for folder in (self.root, self.source, self.submitted, self.autograded, self.feedback):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
            if not (self.root / "nbgrader_config.py").exists():
                write_text(CONFIG, self.root / "nbgrader_config.py")
        except OSError as error:
            raise unwritable(error) from None
        self.renew_config()

    def renew_config(self) -> str:
        """Update names in the class's configuration that have moved since an older version wrote it.

        Returns
        -------
        str
            A sentence that says so; empty if nothing had moved.
        """
        path = (self.root / "nbgrader_config.py").resolve()
        try:
            text = path.read_bytes()
        except OSError:
            return ""
        renewed = _OLD_NAMES.sub(lambda match: b"autograder." + _MOVED[match[1]], text)
        if renewed == text:
            return ""
        write_bytes(renewed, path)
        return f"{path}: names of the autograder that have moved since this class was made were brought up to date."

    # ---- submissions

    def submissions(self, problem_sets: list[str]) -> list[Submission]:
        """Return what was handed in for these sets, sorted by student and set."""
        return sorted(
            Submission(student.name, name)
            for student in self._students()
            if not folder_problem(student.name)
            for name in problem_sets
            if _is_there(student / name)
        )

    def misnamed(self) -> dict[str, str]:
        """Return the folders in `submitted/` whose names no student can have: as they can be shown, and what is wrong."""
        return {
            printable(os.fsencode(student.name).decode(errors="backslashreplace")): problem
            for student in self._students()
            if (problem := folder_problem(student.name))
        }

    def _students(self) -> list[Path]:
        if not self.submitted.is_dir():
            return []
        try:
            return [path for path in self.submitted.iterdir() if path.is_dir() and not path.name.startswith(".")]
        except OSError as error:
            raise AutograderError(f"{self.submitted} cannot be read: {error.strerror}.") from None

    def submission_folder(self, submission: Submission) -> Path:
        """Return the folder of a student's files for a set."""
        return self.submitted / submission.student / submission.problem_set

    @property
    def identities(self) -> Path:
        """The path of what platforms' numbers have stood for in this class."""
        return self.collected / IDENTITIES

    def collected_record(self, submission: Submission) -> Path:
        """Return the path of the record of what `collect` took."""
        return self.collected / submission.student / f"{submission.problem_set}.json"

    def refused_record(self, submission: Submission) -> Path:
        """Return the path of the record of what `collect` refused."""
        return self.collected / submission.student / f"{submission.problem_set}.refused.json"

    def graded_folder(self, submission: Submission) -> Path:
        """Return the folder of a graded submission."""
        return self.autograded / submission.student / submission.problem_set

    def graded_notebook(self, submission: Submission) -> Path:
        """Return the path of a graded notebook, where nbgrader looks for it."""
        return self.graded_folder(submission) / f"{submission.problem_set}.ipynb"

    def read_graded_notebook(self, submission: Submission) -> NotebookNode:
        """Read a graded notebook.

        Raises
        ------
        AutograderError
            It cannot be read.
        """
        path = self.graded_notebook(submission)
        try:
            return nbformat.read(path, as_version=4)
        except (OSError, ValueError, nbformat.ValidationError):
            raise AutograderError(f"The graded notebook {path} cannot be read; grade it again with --again.") from None

    def work_by_hand(self, submission: Submission) -> Path:
        """Return the path at which points and comments given by hand wait for a submission that failed."""
        return self.graded_folder(submission) / "by_hand.json"

    def seen_by_hand(self, submission: Submission) -> Path:
        """Return the path of what tells whether an answer has changed since a person graded it."""
        return self.graded_folder(submission) / "seen_by_hand.json"

    def fixed_messages(self, problem_set: str) -> Path:
        """Return the path of the texts that failed hidden tests of a set may show to students."""
        return self.source / problem_set / "messages.json"

    def feedback_page(self, submission: Submission) -> Path:
        """Return the path of a student's feedback, where nbgrader looks for it."""
        return self.feedback / submission.student / submission.problem_set / f"{submission.problem_set}.html"

    def page_record(self, submission: Submission) -> Path:
        """Return the path of what tells of which grade a feedback page was made."""
        return self.graded_folder(submission) / "feedback.json"

    def revealed_page(self, submission: Submission) -> Path:
        """Return the path of a page that shows the hidden tests too, outside the folder that one gives back."""
        return self.revealed / submission.student / submission.problem_set / f"{submission.problem_set}.html"

    # ---- outcomes

    def outcome(self, submission: Submission) -> Outcome | None:
        """Return what came of a submission; None where it was not graded to the end."""
        try:
            return Outcome(**json.loads((self.graded_folder(submission) / "outcome.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def record_outcome(self, submission: Submission, outcome: Outcome) -> None:
        """Write what came of a submission."""
        text = json.dumps(asdict(outcome), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_text(text, self.graded_folder(submission) / "outcome.json")

    def forget_outcome(self, submission: Submission) -> None:
        """Mark a submission as not graded, before its grades change."""
        (self.graded_folder(submission) / "outcome.json").unlink(missing_ok=True)

    def outcomes(self, problem_sets: list[str]) -> dict[Submission, Outcome]:
        """Return the outcome of each submission that was graded to the end."""
        found = ((submission, self.outcome(submission)) for submission in self.submissions(problem_sets))
        return {submission: outcome for submission, outcome in found if outcome}
