"""The roster and due dates: who is missing, what platforms call each student, what being late costs."""

import shutil

import pytest
from nbgrader.api import Gradebook

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.due_dates import DueDates, LatePenalties, read_due_dates
from autograder.classroom.grading.gradebook import open_gradebook, read_grades
from autograder.classroom.result.moments import moment
from autograder.classroom.roster import name_key, read_roster, remember_roster
from autograder.commands.grade import NAMED, few
from autograder.commands.main import main
from autograder.common.errors import AutograderError, UsageError
from autograder.reports.export import FORMATS
from autograder.reports.formats.form import Export
from autograder.reports.grades import class_grades
from tests.support.engines import use_for_commands
from tests.support.tables import rows

pytestmark = pytest.mark.usefixtures("warm_engine")

ROSTER = '''student_id,first_name,last_name,email,login,canvas_id,canvas_sis_id,canvas_login,moodle_username,hobby
student-01,Ada,Lovelace,ada@x.org,al1,101,S101,al1@uni,ada.l,"chess, whist"
student-02,Žofie,Müller,z@x.org,zm2,102,,,,
absent,"Grace ""G.""",Hopper,g@x.org,gh3,103,,gh3@uni,grace.h,
'''
SETS = ["ps0-warmup", "ps1-information"]


# ---- reading


def test_a_roster_as_spreadsheets_write_it(tmp_path):
    path = tmp_path / "students.csv"
    expected = None
    for separator in ",;\t":
        lines = [["Student ID", "First name", "names", "moodle_id"], ["ada", "Ada", "A. L.", "1 2"], ["", "", "", ""]]
        text = "\r\n".join(separator.join(line) for line in lines)
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        roster = read_roster(path)
        expected = expected or roster.students
        assert roster.students == expected
        assert roster.students["ada"].moodle_id == ("1", "2")
        assert roster.with_name("a.l") == {"ada"}
        assert roster.with_number("moodle_id", "2") == {"ada"}
        assert roster.with_number("canvas_id", "") == roster.with_name("") == roster.with_identifier("") == set()


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        (
            "student_id;Vorname;Nachname;E-Mail\nada;Ada;Lovelace;a@x.org\n",
            "cp1252",
            ("ada", "Ada Lovelace", "a@x.org"),
        ),
        ("sep=;\nMatrikelnummer;Nachname;Vorname\n007;Müller;Jörg\n", "cp1252", ("007", "Jörg Müller", "")),
        ("学号\t姓\t名\t电子邮件\n4711\t张\t明\tz@x.org\n", "utf-16", ("4711", "明 张", "z@x.org")),
        (
            "Student,ID,SIS User ID,SIS Login ID,Section,ps0 (123)\n    Points Possible,,,,,1\n"
            '"Lovelace, Ada",101,4711,al1,S1,\n"Student, Test",9,,x,,\n',
            "utf-8",
            ("al1", "Ada Lovelace", ""),
        ),
        (
            '"First name","Last name","ID number","Email address",Groups\nAda,Lovelace,,a@x.org,"G1; G2"\n',
            "utf-8-sig",
            ("a@x.org", "Ada Lovelace", "a@x.org"),
        ),
    ],
)
def test_rosters_are_read_as_platforms_and_spreadsheets_export_them(tmp_path, text, encoding, expected):
    path = tmp_path / "students.csv"
    path.write_bytes(text.encode(encoding))
    (student,) = read_roster(path).students.values()
    assert (student.student_id, student.name, student.email) == expected


def test_columns_that_mean_nothing_are_named(tmp_path):
    path = tmp_path / "students.csv"
    path.write_text("student_id,E-Mail,Seat no.,moodleid\nada,a@x.org,4,7\n", encoding="utf-8")
    assert read_roster(path).ignored == ("Seat no.", "moodleid")


def test_a_roster_with_other_ids_does_not_replace_that_of_a_class_with_work(tmp_path):
    """Moodle's worksheet may have addresses alone, where the list of participants had ID numbers."""
    directory, path = ClassDirectory(tmp_path / "class"), tmp_path / "students.csv"
    path.write_text("ID number,Email address\n40,a@x.org\n41,b@x.org\n")
    remember_roster(directory, path)
    path.write_text("Identifier,Email address\nParticipant 7,a@x.org\n")
    remember_roster(directory, path)  # nobody has handed in
    (directory.submitted / "a@x.org").mkdir(parents=True)
    path.write_text("ID number,Email address\n40,a@x.org\n")
    with pytest.raises(AutograderError, match=r"nobody under the id .* the first is 'a@x.org', here '40'"):
        remember_roster(directory, path)
    assert list(remember_roster(directory, None).students) == ["a@x.org"]


def test_a_person_means_a_student_by_an_id_an_address_or_a_name(tmp_path):
    path = tmp_path / "students.csv"
    path.write_text(
        "student_id,first_name,last_name,email\nada,Ada,Lovelace,a@x.org\n40,Anna,Schmidt,\n41,Anna,Schmidt,\n",
        encoding="utf-8",
    )
    roster = read_roster(path)
    assert [roster.only(text) for text in ("ada", "A@x.org", "Ada Lovelace", "lovelace, ada")] == ["ada"] * 4
    with pytest.raises(UsageError, match="called 'Anna Schmidt'; name one by the id: 40, 41"):
        roster.only("Anna Schmidt")
    with pytest.raises(UsageError, match="Nobody on the roster"):
        roster.only("Eve")


def test_names_are_compared_without_what_platforms_change():
    assert name_key("Müller-Li, Žofie") == name_key("muller li zofie") == "mullerlizofie"
    assert name_key("李") == "李"
    assert name_key("—") == ""


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("colour\nada\n", 1, "no column 'student_id'"),
        ("", 1, "no column 'student_id'"),
        ("student_id\n", 1, "names no student"),
        ("student_id,email\nada,a@x\n\nada,b@x\n", 4, "the student_id 'ada' is that of line 2 too"),
        ("student_id,canvas_id\nada,1\nbob,1\n", 3, "the canvas_id '1' is that of line 2 too"),
        ("student_id\nada\nADA\n", 3, "is that of line 2 too"),
        ("student_id,moodle_id\nada,7 8\nbob,8\n", 3, "the moodle_id '8' is that of line 2 too"),
        ("student_id\n../x\n", 2, "begins with a dot"),
        ("student_id\nIdentities.json\n", 2, "is the name of a file that the class itself keeps"),
        ("student_id\na/b\n", 2, "holds a slash"),
        (f"student_id\n{'x' * 129}\n", 2, "longer than 128"),
        ("student_id,email\nada,a,b\n", 2, "3 cells for 2 columns"),
        ("student_id,email\n,a@x\n", 2, "is empty"),
        ("student_id,student_id\nada,x\n", 1, "occurs twice"),
        ('student_id,names\nada,"x\ny"\nbob,"unclosed\n', 4, "this is not CSV"),
        ('student_id,names\nada,"x\ny"\n.bob,\n', 4, "begins with a dot"),
        (b"student_id\nada\n\x81\n", 3, "this is not UTF-8"),
        ("student_id,canvas_id\nada,1.0E+13\n", 2, "a spreadsheet has rounded the number"),
    ],
)
def test_a_wrong_roster_is_refused_with_its_line(tmp_path, text, line, reason):
    path = tmp_path / "students.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AutograderError) as refused:
        read_roster(path)
    assert f"line {line}: " in str(refused.value)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_dates_need_a_time_and_a_zone():
    for text in (
        "2026-10-12T23:59+02:00",
        "2026-10-12 23:59 Europe/Berlin",
        "2026-10-12T21:59Z",
        "2026-10-12 21:59 UTC",
    ):
        assert moment(text).isoformat() == "2026-10-12T21:59:00"
    assert moment("2026-10-12 23:59", "Europe/Berlin") == moment("2026-10-12T21:59Z")
    for text, reason in [
        ("2026-10-12T23:59", "no time zone"),
        ("2026-10-12", "no time of the day"),
        ("12.10.2026 23:59", "is not a date"),
        ("", "is not a date"),
        ("2026-10-12 23:59 Nowhere/Land", "There is no time zone"),
        ("0001-01-01T00:00+14:00", "out of the calendar"),
    ]:
        with pytest.raises(ValueError, match=reason):
            moment(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("assignment\nps0-warmup\n", "line 1: the list of due dates has no column 'due'"),
        ("assignment,due\nps9,2026-10-12T23:59Z\n", "line 2: there is no problem set 'ps9'"),
        ("assignment,due\nps0-warmup,tomorrow\n", "line 2: 'tomorrow' is not a date"),
        ("assignment,due\nps0-warmup,2026-10-12T23:59Z\nps0-warmup,2026-10-13T23:59Z\n", "line 3: the date of line 2"),
        ("assignment,due,student_id\nps0-warmup,2026-10-12T23:59Z,ada\n", "line 2: ps0-warmup has a date for ada but"),
        (
            "assignment,due,student_id\nps0-warmup,2026-10-12T23:59Z,\nps0-warmup,2026-10-12T23:59Z,eve\n",
            "line 3: the student 'eve' is not on the roster",
        ),
    ],
)
def test_wrong_due_dates_are_refused_with_their_line(tmp_path, text, reason):
    path, roster = tmp_path / "due.csv", tmp_path / "students.csv"
    path.write_text(text)
    roster.write_text("student_id\nada\n")
    with pytest.raises(AutograderError, match="line") as refused:
        read_due_dates(path, SETS, read_roster(roster))
    assert reason in str(refused.value)


def test_the_summary_of_a_large_class_names_some_of_the_missing():
    many = [f"s{number}" for number in range(NAMED + 91)]
    assert few(many[:NAMED]) == ", ".join(many[:NAMED])
    assert few(many) == f"{', '.join(many[:NAMED])} and 91 more, in autograder status"


# ---- a class: two students who handed in, one who did not


@pytest.fixture(scope="module")
def graded(tmp_path_factory, executor):
    """Graded once, with a roster and without due dates."""
    root = tmp_path_factory.mktemp("roster") / "class"
    assert main(["sample-class", "ps0-warmup", "--class", str(root), "--students", "2"]) == 0
    (root / "promised.csv").unlink()  # from here on, a class of real students
    roster = root.parent / "students.csv"
    roster.write_text(ROSTER, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        use_for_commands(executor, patch)
        assert main(["grade", "ps0-warmup", "--class", str(root), "--roster", str(roster), "--jobs", "1"]) == 0
    return root


@pytest.fixture
def room(graded, tmp_path):
    return shutil.copytree(graded, tmp_path / "class")


def test_the_roster_is_remembered_and_the_missing_are_named(room, capsys):
    assert (room / "roster.csv").read_text(encoding="utf-8") == ROSTER
    assert main(["grade", "ps0-warmup", "--class", str(room)]) == 0
    out = capsys.readouterr().out
    assert "2 submissions: 2 graded (2 unchanged since they were graded)." in out
    assert "missing: ps0-warmup: 1 of 3 students: absent" in out
    assert Submission("absent", "ps0-warmup") not in ClassDirectory(room).outcomes(["ps0-warmup"])


def test_who_is_missing_is_blank_or_left_out_in_every_export_and_named_in_the_report(room, capsys):
    for form in ("plain", "canvas", "moodle"):
        assert main(["export", "--class", str(room), "--format", form]) == 0
    assert "missing" in capsys.readouterr().out
    plain = {row["student_id"]: row for row in rows(room / "grades.csv")}
    assert set(plain) == {"student-01", "student-02", "absent"}
    assert (plain["absent"]["score"], plain["absent"]["outcome"]) == ("", "missing")
    assert all(value == "" for name, value in plain["absent"].items() if ":" in name)
    canvas = {row["ID"]: row for row in rows(room / "grades-canvas-ps0-warmup.csv")}
    assert "103" not in canvas, "Canvas takes an empty cell for a grade to be erased"
    assert canvas["101"]["Student"] == "Lovelace, Ada"
    assert (canvas["101"]["SIS User ID"], canvas["101"]["SIS Login ID"]) == ("S101", "al1@uni")
    assert canvas["102"]["SIS Login ID"] == "zm2"
    assert canvas["101"]["ps0-warmup"] == plain["student-01"]["score"] != ""
    moodle = {row["username"]: row for row in rows(room / "grades-moodle-ps0-warmup.csv")}
    assert set(moodle) == {"ada.l", "zm2"}
    assert moodle["ada.l"]["email"] == "ada@x.org"
    assert main(["report", "--class", str(room)]) == 0
    page = (room / "report" / "index.html").read_text(encoding="utf-8")
    assert "Handed in nothing: Grace &#34;G.&#34; Hopper." in page
    assert "1 missing" in page


def test_a_set_that_nobody_handed_in_yet_is_not_missing(room):
    assert main(["export", "--class", str(room)]) == 0
    assert {row["assignment"] for row in rows(room / "grades.csv")} == {"ps0-warmup"}


def test_names_are_in_the_gradebook_and_who_is_not_on_the_roster_is_told(room, capsys):
    with Gradebook(ClassDirectory(room).database_url) as gradebook:
        ada, absent = gradebook.find_student("student-01"), gradebook.find_student("absent")
        assert (ada.first_name, ada.last_name, ada.email, ada.lms_user_id) == ("Ada", "Lovelace", "ada@x.org", "101")
        assert absent.first_name == 'Grace "G."'
        assert absent.submissions == []
    shorter = room.parent / "shorter.csv"
    shorter.write_text("student_id,first_name\nstudent-01,Augusta\n")
    assert main(["grade", "ps0-warmup", "--class", str(room), "--roster", str(shorter)]) == 0
    assert "not on the roster: student-02" in capsys.readouterr().out
    with Gradebook(ClassDirectory(room).database_url) as gradebook:
        assert gradebook.find_student("student-01").first_name == "Augusta"
        assert gradebook.find_student("student-01").last_name == "Lovelace"


def test_a_wrong_roster_stops_the_command_and_is_not_remembered(room, capsys):
    wrong = room.parent / "wrong.csv"
    wrong.write_text("student_id\n.x\n")
    for command in ("grade", "report", "export"):
        assert main([command, "--class", str(room), "--roster", str(wrong)]) == 1
        assert "line 2" in capsys.readouterr().err
    assert (room / "roster.csv").read_text(encoding="utf-8") == ROSTER


# ---- late


@pytest.fixture
def late_room(room):
    """One of two students handed in an hour after the other; the class's plugin deducts a quarter point per hour."""
    for student, time in (("student-01", "2026-10-12 10:00:00 UTC"), ("student-02", "2026-10-12 09:00:00.000 UTC")):
        path = room / "submitted" / student / "ps0-warmup" / "timestamp.txt"
        path.write_text(time + "\n")
    with Gradebook(ClassDirectory(room).database_url) as gradebook:
        # Handed in before the test starts counting time; not graded again, to stay fast.
        for student, hour in (("student-01", 10), ("student-02", 9)):
            submission = gradebook.find_submission("ps0-warmup", student)
            submission.timestamp = moment(f"2026-10-12T{hour:02d}:00Z")
        gradebook.db.commit()
    (room / "late_class.py").write_text(
        "from nbgrader.plugins import BasePlugin\n"
        "class Slow(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return 0.25 * total_seconds_late / 3600\n"
    )
    return room


def penalties(room, due, names=("ps0-warmup",)):
    directory = ClassDirectory(room)
    with open_gradebook(directory) as gradebook:
        written = LatePenalties(directory, gradebook, due)
        for name in names:
            written.apply(name)
        return {
            submission.student.id: submission.notebooks[0].late_submission_penalty
            for submission in gradebook.assignment_submissions("ps0-warmup")
        }


def configure(room, line):
    path = room / "nbgrader_config.py"
    path.write_text(path.read_text().split("# late")[0] + f"# late\n{line}\n")


def test_penalties_are_those_of_nbgraders_plugin(late_room, warmup):
    (first, second) = (read_grades(ClassDirectory(late_room), warmup)[f"student-0{i}"]["nats_to_bits"] for i in (1, 2))
    due = DueDates({"ps0-warmup": moment("2026-10-12T09:30Z")})
    assert penalties(late_room, due) == {"student-01": None, "student-02": None}  # nbgrader's default: none
    configure(late_room, "c.LateSubmissionPlugin.penalty_method = 'zero'")
    assert penalties(late_room, due) == {"student-01": first, "student-02": None}
    configure(late_room, "c.AssignLatePenalties.plugin_class = 'late_class.Slow'")
    due = DueDates({"ps0-warmup": moment("2026-10-12T09:00Z")})
    assert penalties(late_room, due) == {"student-01": min(0.25, first), "student-02": None}
    due = DueDates({"ps0-warmup": moment("2025-10-12T09:00Z")})
    assert penalties(late_room, due) == {"student-01": first, "student-02": second}  # never above the score
    # Without due.csv, dates in the gradebook stay.
    assert penalties(late_room, None) == {"student-01": first, "student-02": second}


def test_a_student_may_have_another_date_and_both_are_in_the_gradebook(late_room):
    configure(late_room, "c.AssignLatePenalties.plugin_class = 'late_class.Slow'")
    name, date = "ps0-warmup", moment("2026-10-12T09:00Z")
    due = DueDates({name: date}, {(name, "student-01"): moment("2026-10-13T09:00Z")})
    assert penalties(late_room, due)["student-01"] is None
    with Gradebook(ClassDirectory(late_room).database_url) as gradebook:
        submission = gradebook.find_submission(name, "student-01")
        assert submission.assignment.duedate == date
        assert submission.extension.total_seconds() == 86400
        assert submission.total_seconds_late == 0
    assert penalties(late_room, DueDates({name: date}))["student-01"] is not None


def test_a_plugin_that_fails_is_one_sentence(late_room):
    due = DueDates({"ps0-warmup": moment("2026-10-12T09:00Z")})
    configure(late_room, "c.AssignLatePenalties.plugin_class = 'nowhere.Missing'")
    with pytest.raises(AutograderError, match="nbgrader_config.py cannot be used"):
        penalties(late_room, due)
    (late_room / "broken_late.py").write_text(
        "from nbgrader.plugins import BasePlugin\nclass Broken(BasePlugin):\n"
        "    def late_submission_penalty(self, *a):\n        return 'much'\n"
    )
    configure(late_room, "c.AssignLatePenalties.plugin_class = 'broken_late.Broken'")
    with pytest.raises(AutograderError, match="Broken fails for student-01"):
        penalties(late_room, due)


def test_grade_with_due_dates_and_work_by_hand_that_stays(late_room, warmup, capsys):
    """The whole process, with a submission graded again: penalty, manual grade and comment."""
    directory = ClassDirectory(late_room)
    configure(late_room, "c.LateSubmissionPlugin.penalty_method = 'zero'")
    with Gradebook(directory.database_url) as gradebook:
        grade = gradebook.find_grade("nats_to_bits-hidden", "ps0-warmup", "ps0-warmup", "student-01")
        grade.manual_score = 0.5
        comment = gradebook.find_comment("nats_to_bits", "ps0-warmup", "ps0-warmup", "student-01")
        comment.manual_comment = "Good idea."
        gradebook.db.commit()
    due = late_room.parent / "dates.csv"
    due.write_text("assignment,due\nps0-warmup,2026-10-12 11:30 Europe/Berlin\n")
    for _ in range(2):
        assert main(["grade", "ps0-warmup", "--class", str(late_room), "--due", str(due), "--jobs", "1"]) == 0
    assert "2 unchanged" in capsys.readouterr().out
    assert (late_room / "due.csv").read_text() == due.read_text()
    assert read_grades(directory, warmup)["student-01"]["nats_to_bits"] == 0.5
    with Gradebook(directory.database_url) as gradebook:
        submission = gradebook.find_submission("ps0-warmup", "student-01")
        comment = gradebook.find_comment("nats_to_bits", "ps0-warmup", "ps0-warmup", "student-01")
        assert (submission.late_submission_penalty, submission.total_seconds_late) == (0.5, 1800)
        assert comment.manual_comment == "Good idea."
    result = class_grades(directory, [warmup], directory.outcomes(["ps0-warmup"]))["student-01"]["ps0-warmup"]
    assert (result.score, result.penalty) == (0, 0.5)
    assert main(["export", "ps0-warmup", "--class", str(late_room)]) == 0
    row = rows(late_room / "grades.csv")[1]
    assert (row["student_id"], row["score"], row["late_penalty"]) == ("student-01", "0", "0.5")


def test_work_by_hand_outlasts_an_attempt_that_failed(room, warmup):
    directory = ClassDirectory(room)
    path = room / "submitted" / "student-01" / "ps0-warmup" / "ps0-warmup.ipynb"
    with Gradebook(directory.database_url) as gradebook:
        gradebook.find_grade("nats_to_bits-hidden", "ps0-warmup", "ps0-warmup", "student-01").manual_score = 0.5
        gradebook.find_comment("nats_to_bits", "ps0-warmup", "ps0-warmup", "student-01").manual_comment = "Good."
        gradebook.db.commit()
    text = path.read_text()
    path.write_text("{")
    assert main(["grade", "ps0-warmup", "--class", str(room), "--jobs", "1"]) == 3
    assert "student-01" not in read_grades(directory, warmup)
    path.write_text(text)
    assert main(["grade", "ps0-warmup", "--class", str(room), "--jobs", "1"]) == 0
    assert read_grades(directory, warmup)["student-01"]["nats_to_bits"] == 0.5
    with Gradebook(directory.database_url) as gradebook:
        comment = gradebook.find_comment("nats_to_bits", "ps0-warmup", "ps0-warmup", "student-01")
        assert comment.manual_comment == "Good."
    assert not directory.work_by_hand(Submission("student-01", "ps0-warmup")).exists()


def test_without_a_roster_students_are_exported_by_their_names_in_the_class(room, warmup):
    directory = ClassDirectory(room)
    grades = class_grades(directory, [warmup], directory.outcomes(["ps0-warmup"]))
    (canvas,) = FORMATS["canvas"].write(Export(directory, grades, [warmup])).sheets
    assert canvas.rows[2][:4] == ["student-01", "", "", "student-01"]
    (moodle,) = FORMATS["moodle"].write(Export(directory, grades, [warmup])).sheets
    assert moodle.rows[0] == ["username", "ps0-warmup"]
