"""An export erases no grade: what platforms import has the complete scores alone, in the platform's own words."""

import csv
import json
import re
import zipfile

import pytest
from nbgrader.api import Gradebook

from autograder.classroom.collecting.platform_numbers import platform_numbers
from autograder.classroom.collecting.platforms import canvas, moodle
from autograder.classroom.directory import ClassDirectory
from autograder.classroom.due_dates import DueDates
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.result.moments import moment
from autograder.classroom.roster import read_roster
from autograder.commands.main import main
from autograder.reports.export import FORMATS
from autograder.reports.formats.form import Export
from autograder.reports.grades import Result
from tests.support.scripted import Scripted, hand_in, script
from tests.support.tables import rows

SET = "ps0-warmup"
HIDDEN = "nats_to_bits-hidden"
ROSTER = (
    "student_id,first_name,last_name,email,canvas_id,moodle_id\n"
    "ada,Ada,Lovelace,ada@x.org,101,7001\nbob,Bob,Noyce,bob@x.org,102,7002\ngrace,Grace,Hopper,grace@x.org,103,7003\n"
)
GRADEBOOK = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Essay (4710),Warm-up: ps0-warmup (4711),Current Score\n"
    "    Points Possible,,,,,10,1,(read only)\n"
    '"Lovelace, Ada",101,S1,al1,Course A,8,0.5,80\n'
    '"Noyce, Bob",102,S2,bn2,Course A,7,1,70\n'
)
WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),"
    "Feedback comments\n"
    'Participant 7001,Ada Lovelace,ada@x.org,Submitted for grading - ,,"1,00",Yes,-,\n'
    'Participant 7002,Bob Noyce,bob@x.org,Submitted for grading - ,"0,40","1,00",Yes,-,"Well, done"\n'
    'Participant 7009,Grace Hopper,grace@x.org,No submission - ,"0,70","1,00",Yes,-,\n'
)


@pytest.fixture
def room(tmp_path, warmup):
    """Ada has half a point, Bob's file failed, Grace handed in nothing."""
    root = tmp_path / "class"
    hand_in(root, warmup, "ada")
    hand_in(root, warmup, "bob").write_text("{")
    (root / "roster.csv").write_text(ROSTER)
    directory = ClassDirectory(root)
    grade_class(directory, [warmup], Scripted(), 1, roster=read_roster(root / "roster.csv"))
    give(directory, 0.5)
    return root


def give(directory, points, student="ada"):
    with Gradebook(directory.database_url) as gradebook:
        grade = gradebook.find_grade(HIDDEN, SET, SET, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


def export(room, form, *more):
    return main(["export", "--class", str(room), "--format", form, *more])


def table_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_sets_that_were_not_given_out_have_no_column(room):
    assert export(room, "plain") == 3, "Bob's file failed"
    header = table_of(room / "grades.csv")[0]
    assert header == ["student_id", "assignment", "score", "max_score", f"{SET}:nats_to_bits", *header[5:]]
    assert header[5:8] == ["outcome", "late_penalty", "hours_late"]
    assert export(room, "canvas") == export(room, "moodle") == 3
    written = {path.name for path in room.glob("grades*.csv")}
    assert written == {"grades.csv", f"grades-canvas-{SET}.csv", f"grades-moodle-{SET}.csv"}


def test_whoever_has_no_score_has_no_row_and_no_cell_is_empty(room):
    for form in ("canvas", "moodle"):
        assert export(room, form) == 3
        header, *lines = table_of(room / f"grades-{form}-{SET}.csv")
        scores = [line[header.index(SET)] for line in lines if "Points Possible" not in line[0]]
        assert scores == ["0.5"]


def test_canvas_gets_the_titles_and_numbers_of_its_gradebook_which_is_given_once(room, tmp_path, capsys):
    gradebook = tmp_path / "2026-10-20_Grades.csv"
    gradebook.write_text(GRADEBOOK, encoding="utf-8")
    assert export(room, "canvas", "--table", str(gradebook)) == 3
    gradebook.unlink()
    for _ in range(2):
        header, points, ada = table_of(room / f"grades-canvas-{SET}.csv")
        assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Warm-up: ps0-warmup (4711)"]
        assert points == ["    Points Possible", "", "", "", "", "1"]
        assert ada == ["Lovelace, Ada", "101", "S1", "al1", "Course A", "0.5"]
        assert export(room, "canvas") == 3
    assert "new assignment" not in capsys.readouterr().out


def test_a_column_that_does_not_name_the_set_is_named_by_the_instructor(room, tmp_path, capsys):
    gradebook = tmp_path / "grades.csv"
    gradebook.write_text(GRADEBOOK.replace("Warm-up: ps0-warmup", "Homework 1"), encoding="utf-8")
    assert export(room, "canvas", "--table", str(gradebook)) == 3
    assert f"autograder export {SET} --column TITLE" in capsys.readouterr().out
    assert main(["export", SET, "--class", str(room), "--format", "canvas", "--column", "Homework 1"]) == 3
    assert table_of(room / f"grades-canvas-{SET}.csv")[0][-1] == "Homework 1 (4711)"
    assert main(["export", SET, "--class", str(room), "--format", "canvas", "--column", "Homework 2"]) == 2
    assert export(room, "canvas", "--column", "Homework 1") == 2
    capsys.readouterr()
    assert export(room, "canvas") == 3, "the title is remembered"
    assert table_of(room / f"grades-canvas-{SET}.csv")[0][-1] == "Homework 1 (4711)"
    assert export(room, "plain", "--table", str(gradebook)) == 2


def test_other_points_in_canvas_are_named(room, tmp_path, capsys):
    gradebook = tmp_path / "grades.csv"
    gradebook.write_text(GRADEBOOK.replace(",10,1,", ",10,20,"), encoding="utf-8")
    assert export(room, "canvas", "--table", str(gradebook)) == 3
    assert "has 20 points in Canvas; the set has 1." in capsys.readouterr().out
    assert table_of(room / f"grades-canvas-{SET}.csv")[1][-1] == "20", "the import would change the assignment"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_moodles_worksheet_is_filled_in_and_otherwise_as_it_was(room, tmp_path, capsys, delimiter):
    worksheet = tmp_path / "Grades.csv"
    table = list(csv.reader(WORKSHEET.splitlines()))
    with worksheet.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(table)
    assert main(["export", SET, "--class", str(room), "--format", "moodle", "--table", str(worksheet)]) == 3
    with (room / f"grades-moodle-{SET}.csv").open(encoding="utf-8", newline="") as file:
        filled = list(csv.reader(file, delimiter=delimiter))
    before = [[cell.strip() for cell in row] for row in table]
    before[1][4] = "0,5"
    assert filled == before
    assert "not in the worksheet" not in capsys.readouterr().out


def test_a_worksheet_of_another_assignment_is_noticed(room, tmp_path, capsys):
    worksheet = tmp_path / "Grades.csv"
    other = WORKSHEET.replace("1,00", "20,00").replace("7001", "9001").replace("ada@x.org", "")
    worksheet.write_text(other, encoding="utf-8")
    assert main(["export", SET, "--class", str(room), "--format", "moodle", "--table", str(worksheet)]) == 3
    out = capsys.readouterr().out
    assert "not in the worksheet: ada" in out
    assert "the maximum grade in Moodle is 20.00; the set has 1 points" in out
    worksheet.write_text("a,b\n1,2\n", encoding="utf-8")
    assert main(["export", SET, "--class", str(room), "--format", "moodle", "--table", str(worksheet)]) == 1
    assert "is it Moodle's?" in capsys.readouterr().err


def test_a_worksheet_with_the_numbers_of_another_assignment_is_refused(tmp_path, warmup, capsys):
    """It would bring the points of one set into the column of another."""
    root, archive, worksheet = tmp_path / "class", tmp_path / "download.zip", tmp_path / "Grades.csv"
    with zipfile.ZipFile(archive, "w") as zipped:
        for name in ("Ada Lovelace_8001", "Bob Noyce_7002"):
            student = name[:3].lower()
            notebook = hand_in(tmp_path / "elsewhere", warmup, student).read_bytes()
            zipped.writestr(f"{name}_assignsubmission_file_/x.ipynb", notebook)
    (tmp_path / "roster.csv").write_text(
        "student_id,first_name,last_name,email\nada,Ada,Lovelace,ada@x.org\nbob,Bob,Noyce,\n"
    )
    assert main(["collect", str(archive), "--class", str(root), "--roster", str(tmp_path / "roster.csv")]) == 0
    grade_class(ClassDirectory(root), [warmup], Scripted(), 1)
    words = ["export", SET, "--class", str(root), "--format", "moodle", "--table", str(worksheet)]
    worksheet.write_text(WORKSHEET, encoding="utf-8")
    assert main(words) == 1
    assert "The grading worksheet is that of another assignment" in capsys.readouterr().err
    assert not list(root.glob("grades-moodle-*"))
    # Where the set was given out twice, the numbers of some are those of this assignment.
    worksheet.write_text(WORKSHEET.replace("Participant 7001", "Participant 8001"), encoding="utf-8")
    assert main(words) == 0


@pytest.mark.parametrize(
    ("platform", "name", "number"),
    [
        (canvas.PLATFORM, "lovelaceada_101_9001_x.ipynb", "101"),
        (moodle.PLATFORM, "Ada Lovelace_7001_assignsubmission_file_/x.ipynb", "7001"),
        (moodle.PLATFORM, "set/Ada Lovelace_7001_assignsubmission_file_x.ipynb", "7001"),
    ],
)
@pytest.mark.sampled(1)
def test_numbers_are_known_from_the_names_of_files(tmp_path, warmup, platform, name, number):
    notebook = hand_in(tmp_path / "elsewhere", warmup, "x").read_bytes()
    archive = tmp_path / "download.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(name, notebook)
    (tmp_path / "roster.csv").write_text("student_id,first_name,last_name\nada,Ada,Lovelace\n")
    root = tmp_path / "class"
    assert main(["collect", str(archive), "--class", str(root), "--roster", str(tmp_path / "roster.csv")]) == 0
    directory = ClassDirectory(root)
    assert platform_numbers(directory, platform, SET) == {"ada": number}
    other = moodle.PLATFORM if platform is canvas.PLATFORM else canvas.PLATFORM
    assert platform_numbers(directory, other, SET) == {}
    # A group's number is nobody's own.
    record = directory.collected / "ada" / f"{SET}.json"
    copied = directory.collected / "bob" / f"{SET}.json"
    copied.parent.mkdir()
    copied.write_text(json.dumps(json.loads(record.read_text())))
    hand_in(root, warmup, "bob")
    assert platform_numbers(directory, platform, SET) == {}


def test_what_awaits_a_hand_is_exported_only_with_a_word(tmp_path, course, capsys):
    from autograder.problem_set.source import find_problem_sets

    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    name, root = problem_set.name, tmp_path / "class"
    hand_in(root, problem_set, "ada")
    grade_class(ClassDirectory(root), [problem_set], Scripted(), 1)
    path = root / f"grades-canvas-{name}.csv"
    path.write_text("from an earlier run")
    assert main(["export", name, "--class", str(root), "--format", "canvas"]) == 0
    out = capsys.readouterr().out
    assert f"{name}: 1 awaits grading by hand (ada); the file leaves them out" in out
    assert not path.exists(), "an earlier file would be imported as if it held"
    assert main(["export", name, "--class", str(root), "--format", "canvas", "--provisional"]) == 0
    assert "the file has their points so far" in capsys.readouterr().out
    assert float(rows(path)[1][name]) > 0
    assert main(["export", name, "--class", str(root)]) == 0
    assert "the file has their points so far" in capsys.readouterr().out


def test_a_penalty_follows_a_grade_that_is_lowered(tmp_path, warmup):
    root = tmp_path / "class"
    hand_in(root, warmup, "ada").with_name("timestamp.txt").write_text("2026-10-13 12:00:00 UTC\n")
    hand_in(root, warmup, "bob", script(fails="no")).with_name("timestamp.txt").write_text("2026-10-12 10:00:00 UTC\n")
    directory = ClassDirectory(root)
    directory.prepare()
    config = root / "nbgrader_config.py"
    config.write_text(config.read_text() + "c.LateSubmissionPlugin.penalty_method = 'zero'\n")
    due = DueDates({SET: moment("2026-10-12T12:00Z")})
    grade_class(directory, [warmup], Scripted(), 1, due_dates=due)

    def ada():
        assert export(root, "plain") == 0
        row, bob = rows(root / "grades.csv")
        assert bob["hours_late"] == bob["late_penalty"] == ""
        return row["score"], row["late_penalty"], row["hours_late"]

    assert ada() == ("0", "1", "24.00")
    give(directory, 0.25)
    assert ada() == ("0", "0.25", "24.00")
    config.write_text(config.read_text().replace("'zero'", "'none'"))
    assert ada() == ("0.25", "", "24.00")
    assert main(["report", SET, "--class", str(root)]) == 0
    page = (root / "report" / "index.html").read_text(encoding="utf-8")
    assert '<th>student</th><th class="number">hours late</th>' in page
    assert '<tr><td>ada</td><td class="number">24.0</td><td class="number"></td></tr>' in page


def test_the_penalty_that_the_page_prints_works_as_it_says(tmp_path, warmup, course):
    page = (course / "book" / "practice" / "for-instructors.md").read_text(encoding="utf-8")
    plugin = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class TenthADay" in block)
    line = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "late.TenthADay" in block)
    root = tmp_path / "class"
    hand_in(root, warmup, "ada").with_name("timestamp.txt").write_text("2026-10-13 13:00:00 UTC\n")
    directory = ClassDirectory(root)
    directory.prepare()
    (root / "late.py").write_text(plugin)
    config = root / "nbgrader_config.py"
    config.write_text(config.read_text() + line)
    due = DueDates({SET: moment("2026-10-12T12:00Z")})
    grade_class(directory, [warmup], Scripted(), 1, due_dates=due)
    assert export(root, "plain") == 0
    (row,) = rows(root / "grades.csv")
    assert (row["late_penalty"], row["hours_late"]) == ("0.2", "25.00"), "two days have begun"


def test_no_score_is_negative_and_no_number_becomes_text(tmp_path, warmup):
    result = Result("graded", {"nats_to_bits": 0.25}, penalty=1.0)
    assert result.score == 0
    directory = ClassDirectory(tmp_path)
    lowered = {"=ada": {SET: Result("graded", {"nats_to_bits": -0.75})}}
    from autograder.reports.export import write_grades

    (path,), _ = write_grades(Export(directory, lowered, [warmup]), FORMATS["plain"])
    header, row = table_of(path)
    assert dict(zip(header, row, strict=True))[f"{SET}:nats_to_bits"] == "-0.75"
    assert row[0] == "'=ada"


def test_the_plain_table_has_at_its_end_what_the_roster_knows_of_each_student(room):
    assert export(room, "plain") == 3
    table = {row["student_id"]: row for row in rows(room / "grades.csv")}
    assert list(table["ada"])[-3:] == ["last_name", "first_name", "email"]
    assert [table["grace"][name] for name in ("last_name", "first_name", "email")] == ["Hopper", "Grace", "grace@x.org"]
    (room / "roster.csv").write_text("student_id,last_name\nada,Lovelace\nbob,=1+1\ngrace,\n")
    assert export(room, "plain") == 3
    table = {row["student_id"]: row for row in rows(room / "grades.csv")}
    assert list(table["ada"])[-2:] == ["marked_late", "last_name"]
    assert table["bob"]["last_name"] == "'=1+1", "a spreadsheet would compute it"
    (room / "roster.csv").unlink()
    assert export(room, "plain") == 3
    assert list(rows(room / "grades.csv")[0])[-1] == "marked_late"
