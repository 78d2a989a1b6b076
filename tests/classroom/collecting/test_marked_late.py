"""Canvas marks late work without saying when it was handed in: that it was late is kept, and how late is not guessed."""

import copy
import csv
import io
import os

import nbformat
import pytest

from autograder.classroom.collecting.marked_late import marked_late
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.due_dates import DueDates
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.result.moments import moment
from autograder.commands.main import main
from autograder.problem_set.versions import student_version
from tests.support.scripted import Scripted
from tests.support.tables import rows
from tests.support.zips import zipped

SET = "ps0-warmup"
DUE = DueDates({SET: moment("2026-10-12T12:00Z")})


@pytest.fixture
def directory(tmp_path, warmup, capsys):
    """Ada was late, by the name of her file, and Bob was not."""
    (tmp_path / "roster.csv").write_text("student_id,last_name,canvas_id\nada,Lovelace,101\nbob,Noyce,102\n")
    names = {"lovelace_LATE_101_9001_x.ipynb": "ada", "noyce_102_9002_x.ipynb": "bob"}
    files = []
    for name, remark in names.items():
        notebook = copy.deepcopy(student_version(warmup))
        notebook.cells.append(nbformat.v4.new_markdown_cell(remark, id="remark"))
        files.append((name, nbformat.writes(notebook).encode()))
    (tmp_path / "s.zip").write_bytes(zipped(*files))
    directory = ClassDirectory(tmp_path / "class")
    words = ["collect", str(tmp_path / "s.zip"), "--class", str(directory.root)]
    assert main([*words, "--roster", str(tmp_path / "roster.csv")]) == 0
    assert f"Canvas marks as late, without a time: ada, {SET}." in capsys.readouterr().out
    grade_class(directory, [warmup], Scripted(), 1, due_dates=DUE)
    return directory


def status_of(directory, capsys):
    assert main(["status", SET, "--plain", "--class", str(directory.root)]) == 0
    table = csv.DictReader(io.StringIO(capsys.readouterr().out), delimiter="\t")
    return {row["student_id"]: (row["marked_late"], row["hours_late"]) for row in table}


def test_the_mark_is_in_the_status_the_export_and_the_report(directory, capsys):
    assert status_of(directory, capsys) == {"ada": ("yes", ""), "bob": ("", "")}
    assert main(["status", SET, "--class", str(directory.root)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ada ")]
    assert line.split()[-1] == "late"
    assert main(["export", SET, "--class", str(directory.root)]) == 0
    assert "so that nothing was taken off: ada." in capsys.readouterr().out
    exported = {row["student_id"]: row for row in rows(directory.root / "grades.csv")}
    assert {s: (row["marked_late"], row["hours_late"]) for s, row in exported.items()} == {
        "ada": ("yes", ""),
        "bob": ("", ""),
    }
    assert main(["report", SET, "--class", str(directory.root)]) == 0
    assert '<td class="number">unknown</td>' in (directory.report / "index.html").read_text()


def test_a_time_that_is_known_takes_the_place_of_the_mark(directory, warmup, capsys):
    folder = directory.submission_folder(Submission("ada", SET))
    (folder / "timestamp.txt").write_text("2026-10-12 14:00:00 UTC\n")
    grade_class(directory, [warmup], Scripted(), 1, due_dates=DUE)
    assert status_of(directory, capsys)["ada"] == ("", "2.00")


def test_a_mark_is_of_the_notebook_that_was_collected(directory, warmup, capsys):
    path = directory.submission_folder(Submission("ada", SET)) / f"{SET}.ipynb"
    path.write_text(path.read_text().replace('"ada"', '"another"'))
    grade_class(directory, [warmup], Scripted(), 1, due_dates=DUE)
    assert status_of(directory, capsys)["ada"] == ("", "")


def test_a_pipe_in_the_place_of_the_notebook_is_not_waited_for(directory):
    ada = Submission("ada", SET)
    assert marked_late(directory, ada)
    path = directory.submission_folder(ada) / f"{SET}.ipynb"
    path.unlink()
    os.mkfifo(path)
    assert not marked_late(directory, ada)
