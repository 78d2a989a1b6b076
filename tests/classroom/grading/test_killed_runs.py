"""Grading that is killed at any moment and started again gives the same gradebook as uninterrupted grading."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from nbgrader.api import Gradebook

from autograder.classroom.directory import ClassDirectory
from autograder.commands.main import main
from tests.support import TEST_ALL

pytestmark = pytest.mark.usefixtures("warm_engine")  # for what goes on after a kill

#: Classes, for each phase, whose grading is killed twice; `make test-all` has four, and others can be asked for:
#: KILLS=20 .venv/bin/python -m pytest tests/classroom/grading/test_killed_runs.py
KILLS = int(os.environ.get("KILLS", "4" if TEST_ALL else "1"))


def contents(root):
    """Return the contents of a gradebook and a class's outcomes, except ids and times."""
    directory = ClassDirectory(root)
    rows = []
    with Gradebook(directory.database_url) as gradebook:
        for submission in gradebook.assignment_submissions("ps0-warmup"):
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    rows.append(
                        (
                            submission.student.id,
                            grade.name,
                            grade.auto_score,
                            grade.manual_score,
                            grade.needs_manual_grade,
                        )
                    )
                for comment in notebook.comments:
                    rows.append((submission.student.id, comment.name, comment.auto_comment, comment.manual_comment))
    outcomes = {
        str(s): (o.outcome, o.reason, o.notices, o.diagnoses) for s, o in directory.outcomes(["ps0-warmup"]).items()
    }
    return sorted(map(repr, rows)), outcomes


def graded_texts(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in (root / "autograded").rglob("*.ipynb")
    }  # fmt: skip


@pytest.fixture(scope="module")
def ungraded(tmp_path_factory):
    root = tmp_path_factory.mktemp("killed") / "class"
    assert main(["sample-class", "ps0-warmup", "--class", str(root), "--students", "6"]) == 0
    return root


@pytest.fixture(scope="module")
def uninterrupted(ungraded, tmp_path_factory):
    root = tmp_path_factory.mktemp("whole") / "class"
    shutil.copytree(ungraded, root)
    start = time.monotonic()
    assert main(["grade", "ps0-warmup", "--class", str(root), "--jobs", "2"]) == 0
    return root, time.monotonic() - start


class Run:
    """Grading in a separate process, which records when it enters and leaves each of the `PHASES`."""

    def __init__(self, root, marks):
        marks.unlink(missing_ok=True)
        self.marks = marks
        words = ["grade", "ps0-warmup", "--class", str(root), "--jobs", "2"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", MARKED, str(marks), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def entered(self, phase):
        return self._lines().count(f"+{phase}")

    def within(self, phase):
        """Whether the run was in a phase when it ended."""
        return self.entered(phase) > self._lines().count(f"-{phase}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _lines(self):
        return self.marks.read_text().splitlines() if self.marks.exists() else []


#: The phases in which a run may be killed, each with the function of `batch` that does it.
PHASES = {"grading": "_grade_files", "writing": "record_grades"}
MARKED = f"""
import os, sys
from autograder.classroom.grading import batch
from autograder.commands.main import main
from tests.support import TEST_ALL
marks = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
def marked(phase, function):
    def call(*arguments):
        os.write(marks, f"+{{phase}}\\n".encode())
        try:
            return function(*arguments)
        finally:
            os.write(marks, f"-{{phase}}\\n".encode())
    return call
for phase, name in {PHASES}.items():
    setattr(batch, name, marked(phase, getattr(batch, name)))
sys.exit(main(sys.argv[2:]))
"""
#: Tries to kill a run within a phase. Grades are written in milliseconds, and a kill may come too late.
TRIES = 30


def killed_within(phase, ungraded, root, marks, moments):
    """Start and kill runs until a kill falls into a phase; return whether one did."""
    for _ in range(TRIES):
        run = Run(root, marks)
        nth = moments.randint(1, 4)
        while run.process.poll() is None and run.entered(phase) < nth:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, {"grading": 0.2, "writing": 0.008}[phase]))
        run.kill()
        if run.within(phase):
            return True
        if run.process.returncode == 0:  # with so little left to grade, the next would end too early as well
            shutil.rmtree(root)
            shutil.copytree(ungraded, root)
    return False


@pytest.mark.parametrize("number", range(KILLS))
@pytest.mark.parametrize("phase", PHASES)
def test_a_run_killed_at_any_moment_and_run_again_gives_the_same(ungraded, uninterrupted, tmp_path, phase, number):
    whole, seconds = uninterrupted
    root, marks = tmp_path / "class", tmp_path / "marks"
    shutil.copytree(ungraded, root)
    moments = random.Random(f"{phase} {number}")
    assert killed_within(phase, ungraded, root, marks, moments), f"no kill fell into {phase}"
    # Once more, at any moment, since a run that resumes after a kill may be killed too.
    run = Run(root, marks)
    time.sleep(moments.uniform(0.2, seconds + 1.5))
    run.kill()
    assert main(["grade", "ps0-warmup", "--class", str(root), "--jobs", "2"]) == 0
    assert contents(root) == contents(whole)
    assert graded_texts(root) == graded_texts(whole)


def test_a_killed_run_has_taken_late_points_from_all_that_it_graded(ungraded, tmp_path):
    """What was graded before the kill may be exported as it is, so it must have its penalty."""
    root = tmp_path / "class"
    shutil.copytree(ungraded, root)
    directory = ClassDirectory(root)
    directory.prepare()
    with open(root / "nbgrader_config.py", "a", encoding="utf-8") as config:
        config.write("c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    (root / "due.csv").write_text("assignment,due\nps0-warmup,2026-10-12T09:00Z\n", encoding="utf-8")
    for folder in (root / "submitted").glob("*/ps0-warmup"):
        (folder / "timestamp.txt").write_text("2026-10-12 10:00:00 UTC\n", encoding="utf-8")
    command = [sys.executable, "-m", "autograder", "grade", "ps0-warmup", "--class", str(root), "--jobs", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and not list((root / "autograded").glob("*/*/outcome.json")):
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    graded = directory.outcomes(["ps0-warmup"])
    assert graded
    with Gradebook(directory.database_url) as gradebook:
        for submission in graded:
            found = gradebook.find_submission("ps0-warmup", submission.student)
            assert found.late_submission_penalty == found.score, submission
