"""`autograder status`: where each student stands with each set."""

import csv
import io

import pytest
from nbgrader.api import Gradebook

from autograder.classroom.batch import grade_class
from autograder.classroom.directory import ClassDirectory
from autograder.classroom.due_dates import DueDates, moment
from autograder.classroom.roster import read_roster
from autograder.commands.main import main
from autograder.reports.feedback import write_feedback
from tests.support.scripted import Scripted, hand_in

SET = "ps0-warmup"


@pytest.fixture
def directory(tmp_path, warmup):
    """Ada was late and has a page, Bob's file failed, Eve handed in after grading, Grace nothing."""
    root = tmp_path / "class"
    hand_in(root, warmup, "ada").with_name("timestamp.txt").write_text("2026-10-13 12:00:00 UTC\n")
    hand_in(root, warmup, "bob").write_text("{")
    (root / "roster.csv").write_text("student_id,first_name,last_name\nada,Ada,Lovelace\nbob\neve\ngrace\n")
    directory = ClassDirectory(root)
    due = DueDates({SET: moment("2026-10-12T12:00Z")})
    grade_class(directory, [warmup], Scripted(), 1, roster=read_roster(root / "roster.csv"), due_dates=due)
    write_feedback(directory, [warmup])
    hand_in(root, warmup, "eve")
    return directory


def plain(directory, capsys):
    assert main(["status", "--plain", "--class", str(directory.root)]) == 3
    return {row["student_id"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out), delimiter="\t")}


def test_the_plain_form_has_a_line_for_each_student_and_set(directory, capsys):
    table = plain(directory, capsys)
    outcomes = {student: row["outcome"] for student, row in table.items()}
    assert outcomes == {"ada": "graded", "bob": "failed", "eve": "not-graded", "grace": "missing"}
    ada = table["ada"]
    assert (ada["handed_in"], ada["hours_late"], ada["score"]) == ("2026-10-13T12:00:00Z", "24.00", "1")
    assert (ada["feedback"], table["bob"]["feedback"], table["eve"]["feedback"]) == ("ready", "ready", "")
    assert "not a notebook" in table["bob"]["reason"]


def test_a_page_that_shows_another_grade_is_out_of_date(directory, capsys):
    with Gradebook(directory.database_url) as gradebook:
        gradebook.find_comment("nats_to_bits", SET, SET, "ada").manual_comment = "Well done."
        gradebook.db.commit()
    assert plain(directory, capsys)["ada"]["feedback"] == "outdated"


def test_the_table_words_it_for_a_person(directory, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["status", SET, "--class", str(directory.root)]) == 3
    out = capsys.readouterr().out
    lines = {name: line for line in out.splitlines() for name in ("ada", "bob", "eve", "grace") if f" {name} " in line}
    assert "1, handed in 13 Oct 12:00 UTC, late 24.0 h, page ready" in lines["ada"]
    assert "Ada Lovelace" in lines["ada"]
    assert "failed" in lines["bob"]
    assert "not graded" in lines["eve"]
    assert "missing" in lines["grace"]
    assert "3 handed in" in out
    assert out.endswith(f"Next: autograder grade --class {directory.root}\n")
    assert "\x1b[" not in out, "colours are for terminals"


def test_a_class_of_which_nothing_was_graded_has_a_status(tmp_path, warmup, capsys):
    hand_in(tmp_path, warmup, "[red]ada")
    assert main(["status", SET, "--class", str(tmp_path)]) == 3
    assert "[red]ada" in capsys.readouterr().out
    assert not (tmp_path / "gradebook.db").exists()
