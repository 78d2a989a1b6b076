"""`autograder status`: where each student stands with each set."""

import csv
import io
import re

import pytest
from nbgrader.api import Gradebook

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.due_dates import DueDates
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.result.moments import moment
from autograder.classroom.roster import read_roster
from autograder.commands.main import main
from autograder.problem_set.source import find_problem_sets
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


def test_one_set_is_shown_in_detail(directory, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["status", SET, "--class", str(directory.root)]) == 3
    out, err = capsys.readouterr()
    lines = {line.split("  ")[0].strip(): re.split(r" {2,}", line.rstrip()) for line in out.splitlines() if line}
    assert lines["ada"] == ["ada", "Ada Lovelace", "1", "13 Oct 12:00", "24.0 h", "ready"]
    assert lines["bob"] == ["bob", "bob", "failed", "ready"]
    assert lines["eve"] == ["eve", "eve", "not graded"]
    assert lines["grace"] == ["grace", "grace", "missing"]
    assert lines[SET][1] == "3", "handed in"
    assert "4 students." in out
    assert out.endswith(f"Next: autograder grade --class {directory.root}\n")
    assert f"failed: {SET}: bob: The file is not a notebook" in err
    assert f"not graded: {SET}: eve:" in err
    assert "\x1b[" not in out, "colours are for terminals"


def test_eight_sets_fit_on_a_narrow_terminal_and_no_id_is_cut(tmp_path, course, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    sets = find_problem_sets(course, [])
    student = "a-student-whose-id-is-longer-than-a-column"
    for problem_set in sets:
        hand_in(tmp_path, problem_set, student)
    assert len(sets) >= 8
    assert main(["status", "--class", str(tmp_path)]) == 3
    out = capsys.readouterr().out
    table, counts = out.partition("Next: ")[0].split("* awaits grading by hand")
    assert max(map(len, (table + counts).splitlines())) <= 80
    assert "".join(line.split(" ")[0] for line in table.splitlines()).endswith(student)
    assert all(problem_set.name in counts for problem_set in sets)


def test_a_class_of_which_nothing_was_graded_has_a_status(tmp_path, warmup, capsys):
    hand_in(tmp_path, warmup, "[red]ada")
    assert main(["status", SET, "--class", str(tmp_path)]) == 3
    assert "[red]ada" in capsys.readouterr().out
    assert not (tmp_path / "gradebook.db").exists()
