"""nbgrader's exchange on disk, from the release of an assignment to the student's feedback."""

import shutil

import nbformat
import pytest
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import (
    ExchangeCollect,
    ExchangeFetchAssignment,
    ExchangeFetchFeedback,
    ExchangeReleaseAssignment,
    ExchangeReleaseFeedback,
    ExchangeSubmit,
)
from nbgrader.utils import get_username
from traitlets.config import Config

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.commands.main import main
from autograder.problem_set.source import is_solution
from tests.support.scripted import Scripted, hand_in

NAME = "ps0-warmup"


class Hub:
    """A JupyterHub's disk: the exchange, the course's folder, and the home of a student."""

    def __init__(self, root):
        self.root = root
        for name in ("exchange", "class", "home"):
            (root / name).mkdir()
        (root / "exchange").chmod(0o777)

    def run(self, step, student=False):
        """Run a step of the exchange as the instructor or as the student, as nbgrader's commands do."""
        config = Config()
        config.CourseDirectory.course_id = "bits"
        config.CourseDirectory.root = str(self.root / ("home" if student else "class"))
        config.CourseDirectory.assignment_id = NAME
        config.Exchange.root = str(self.root / "exchange")
        config.Exchange.assignment_dir = str(self.root / "home")
        config.Exchange.cache = str(self.root / "cache")
        coursedir = CourseDirectory(config=config)
        step(coursedir=coursedir, authenticator=Authenticator(config=config), config=config).start()


@pytest.fixture
def hub(tmp_path):
    return Hub(tmp_path)


def test_from_the_release_to_the_students_feedback(hub, course, warmup):
    root, student = hub.root, get_username()
    directory = ClassDirectory(root / "class")
    shutil.copytree(course / "exercises" / NAME, root / "class" / "release" / NAME)
    hub.run(ExchangeReleaseAssignment)
    hub.run(ExchangeFetchAssignment, student=True)
    own = root / "home" / NAME / f"{NAME}.ipynb"
    notebook = nbformat.read(own, as_version=4)
    for cell in notebook.cells:
        if is_solution(cell):
            cell.source = "def nats_to_bits(nats):\n    return nats / 0.6931471805599453"
    nbformat.write(notebook, own)
    hub.run(ExchangeSubmit, student=True)
    hub.run(ExchangeCollect)
    grade_class(directory, [warmup], Scripted(), 1)
    assert main(["feedback", NAME, "--class", str(directory.root)]) == 0
    hub.run(ExchangeReleaseFeedback)
    hub.run(ExchangeFetchFeedback, student=True)
    (page,) = (root / "home" / NAME / "feedback").rglob(f"{NAME}.html")
    submission = Submission(student, NAME)
    assert page.read_bytes() == directory.feedback_page(submission).read_bytes()
    stamp = directory.feedback_page(submission).with_name("timestamp.txt").read_text()
    assert page.parent.name == stamp.strip()


def test_what_lies_beside_a_hand_in_is_copied_only_as_a_file(tmp_path, warmup):
    secret = tmp_path / "secret"
    secret.write_text("of another")
    directory = ClassDirectory(tmp_path / "class")
    folder = hand_in(directory.root, warmup, "ada").parent
    (folder / "timestamp.txt").write_text("2026-10-13 12:00:00 UTC\n")
    (folder / "submission_secret.txt").write_text("a")
    grade_class(directory, [warmup], Scripted(), 1)
    main(["feedback", NAME, "--class", str(directory.root)])
    beside = directory.feedback_page(Submission("ada", NAME)).parent
    assert {path.name for path in beside.iterdir()} == {f"{NAME}.html", "timestamp.txt", "submission_secret.txt"}
    (folder / "submission_secret.txt").unlink()
    (folder / "submission_secret.txt").symlink_to(secret)
    grade_class(directory, [warmup], Scripted(), 1)
    main(["feedback", NAME, "--class", str(directory.root)])
    assert "submission_secret.txt" not in {path.name for path in beside.iterdir()}
