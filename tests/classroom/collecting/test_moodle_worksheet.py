"""Moodle's grading worksheet tells when each student handed in, and whose a number is."""

import copy
from datetime import datetime

import nbformat
import pytest

from autograder.classroom.collecting.moodle_worksheet import read_time, read_worksheet
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.roster import read_roster
from autograder.commands.main import main
from autograder.common.errors import AutograderError
from autograder.problem_set.source import find_problem_sets
from autograder.problem_set.versions import student_version
from tests.support.zips import zipped

NAME = "ps0-warmup"
HEADER = "Identifier,Full name,Email address,Status,Grade,Last modified (submission),Feedback comments\n"
ENGLISH = (
    HEADER + 'Participant 7001,Ada Lovelace,ada@x.org,Submitted,,"Monday, 12 October 2026, 11:50 PM",\n'
    'Participant 7002,Alan Smith,alan@x.org,Submitted,,"Tuesday, 13 October 2026, 12:05 AM",\n'
    'Participant 7003,Alan Smith,smith@x.org,Submitted,,"Monday, 12 October 2026, 9:00 AM",\n'
    "Participant 7004,Grace Hopper,grace@x.org,No submission,,-,\n"
)
ROSTER = (
    "student_id,first_name,last_name,email\nada,Ada,Lovelace,ada@x.org\nalan,Alan,Smith,alan@x.org\n"
    "smith,Alan,Smith,smith@x.org\ngrace,Grace,Hopper,grace@x.org\n"
)


@pytest.fixture(scope="module")
def notebook(course):
    """A function that writes the notebook as a student hands it in, with a remark of her own."""
    (warmup,) = find_problem_sets(course, [NAME])
    released = student_version(warmup)

    def write(remark):
        made = copy.deepcopy(released)
        made.cells.append(nbformat.v4.new_markdown_cell(remark, id="remark"))
        return nbformat.writes(made).encode()

    return write


@pytest.fixture
def room(tmp_path, notebook, capsys):
    """A class, and `collect` on it: an archive of three students, with or without a worksheet."""
    (tmp_path / "students.csv").write_text(ROSTER)

    class Room:
        root, directory = tmp_path / "class", ClassDirectory(tmp_path / "class")

        def collect(self, *more, worksheet="", zone="Europe/Berlin", name="s.zip", remark="", roster=True):
            people = {"Ada Lovelace_7001": "ada", "Alan Smith_7002": "alan", "Alan Smith_7003": "smith"}
            files = [
                (f"{who}_assignsubmission_file_/{NAME}.ipynb", notebook(whose + remark))
                for who, whose in people.items()
            ]
            (tmp_path / name).write_bytes(zipped(*files, date=(2026, 10, 14, 8, 0, 0)))
            words = ["collect", str(tmp_path / name), "--class", str(self.root), *more]
            words += ["--timezone", zone] if zone else []
            if roster:
                words += ["--roster", str(tmp_path / "students.csv")]
            if worksheet:
                (tmp_path / "Grades.csv").write_text(worksheet, encoding="utf-8")
                words += ["--table", str(tmp_path / "Grades.csv")]
            self.code = main(words)
            self.out, self.err = capsys.readouterr()

        def times(self):
            found = sorted(self.root.glob(f"submitted/*/{NAME}/timestamp.txt"))
            return {path.parts[-3]: path.read_text().strip() for path in found}

    return Room()


@pytest.mark.parametrize(
    "text",
    [
        "Monday, 12 October 2026, 11:50 PM",
        "Monday, October 12, 2026, 11:50\u202fPM",
        "Montag, 12. Oktober 2026, 23:50",
        "12 October 2026, 23:50",
        "2026年10月12日 星期一 23:50",
    ],
)
def test_a_time_is_read_as_moodle_words_it(text):
    assert read_time(text) == datetime(2026, 10, 12, 23, 50)


@pytest.mark.parametrize(
    "text",
    [
        "12/10/26, 23:50",  # the twelfth of October, or the tenth of December
        "Monday, 12 October 2026",
        "lundi 12 octobre 2026, 23:50",
        "Monday, 12 October 2026, 13:50 PM",
        "Monday, 32 October 2026, 11:50 PM",
        "Monday, 12 Smarch 2026, 11:50 PM",
        "2026年10月12日 下午 11:50",
    ],
)
def test_a_time_that_says_something_else_is_not_guessed(text):
    with pytest.raises(ValueError, match="is not a time as Moodle writes it"):
        read_time(text)


def test_the_times_are_taken_in_the_zone_that_is_named(room):
    room.collect(worksheet=ENGLISH)
    assert room.times() == {
        "ada": "2026-10-12 21:50:00 UTC",
        "alan": "2026-10-12 22:05:00 UTC",
        "smith": "2026-10-12 07:00:00 UTC",
    }
    assert room.code == 0


def test_the_class_remembers_its_zone(room):
    room.collect(worksheet=ENGLISH, zone="Asia/Tokyo")
    room.collect(worksheet=ENGLISH, zone="", name="next.zip", remark=", again")
    assert room.times()["ada"] == "2026-10-12 14:50:00 UTC"
    (room.root / "timezone.txt").write_text("Middle-earth\n")
    room.collect(worksheet=ENGLISH, zone="")
    assert room.code == 1
    assert "There is no time zone 'Middle-earth'" in room.err


def test_the_addresses_tell_two_students_of_one_name_apart(room):
    room.collect()
    assert room.code == 3
    assert {path.name for path in (room.root / "submitted").iterdir()} == {"ada"}
    assert not room.times()
    room.collect(worksheet=ENGLISH)
    assert room.code == 0
    assert set(room.times()) == {"ada", "alan", "smith"}


def test_a_worksheet_in_german_is_read_as_a_table_and_as_a_roster(room, tmp_path):
    german = (
        'ID,"Vollständiger Name",E-Mail-Adresse,Status,Bewertung,"Zuletzt geändert (Abgabe)"\n'
        'Teilnehmer/in7001,"Ada Lovelace",ada@x.org,"Zur Bewertung abgegeben",,"Montag, 12. Oktober 2026, 23:50"\n'
        'Teilnehmer/in7002,"Alan Smith",alan@x.org,"Zur Bewertung abgegeben",,"Dienstag, 13. Oktober 2026, 00:05"\n'
        'Teilnehmer/in7003,"Alan Smith",smith@x.org,"Zur Bewertung abgegeben",,-\n'
    )
    room.collect(worksheet=german)
    assert room.times() == {"ada": "2026-10-12 21:50:00 UTC", "alan": "2026-10-12 22:05:00 UTC"}
    roster = read_roster(tmp_path / "Grades.csv")
    assert {student: known.moodle_id for student, known in roster.students.items()} == {
        "ada@x.org": ("7001",),
        "alan@x.org": ("7002",),
        "smith@x.org": ("7003",),
    }
    assert not any(known.canvas_id for known in roster.students.values())


def test_without_a_roster_names_stay_the_students(room):
    room.collect(worksheet=ENGLISH, roster=False)
    assert room.times() == {"Ada Lovelace": "2026-10-12 21:50:00 UTC"}


def test_the_worksheet_of_another_assignment_is_refused_before_anything_is_placed(room):
    room.collect(worksheet=ENGLISH.replace("Participant 70", "Participant 80"))
    assert room.code == 1
    assert "is not the grading worksheet of what is collected" in room.err
    assert not (room.root / "submitted").exists()


def test_a_group_without_a_number_has_the_time_of_its_members_rows(room, tmp_path, notebook, capsys):
    (tmp_path / "g.zip").write_bytes(zipped((f"Blue group_assignsubmission_file_/{NAME}.ipynb", notebook("ours"))))
    (tmp_path / "groups.csv").write_text("student_id,email,groups\nada,ada@x.org,Blue group\nbob,,Blue group\n")
    (tmp_path / "Grades.csv").write_text(ENGLISH)
    words = ["--roster", str(tmp_path / "groups.csv"), "--table", str(tmp_path / "Grades.csv")]
    assert main(["collect", str(tmp_path / "g.zip"), "--class", str(room.root), *words]) == 0
    assert "nothing shows that both are of one assignment" in capsys.readouterr().out
    assert room.times() == dict.fromkeys(("ada", "bob"), "2026-10-12 23:50:00 UTC"), "they handed in together"


def test_what_the_worksheet_does_not_tell_is_named(room):
    lines = ENGLISH.replace("Monday, 12 October 2026, 11:50 PM", "12/10/26, 23:50").splitlines(keepends=True)
    room.collect(worksheet="".join(line for line in lines if "7002" not in line))
    assert "time not known: Grades.csv, line 2: '12/10/26, 23:50' is not a time as Moodle writes it" in room.err
    assert room.code == 3
    assert "has no time for Moodle's number 7002" in room.out
    assert room.times() == {"smith": "2026-10-12 07:00:00 UTC"}


def test_a_worksheet_that_comes_later_adds_the_times_to_the_work_that_is_there(room):
    known = ENGLISH.replace("Alan Smith,smith", "Al Smith,smith")
    room.collect()
    assert not room.times()
    room.collect(worksheet=known, name="again.zip")
    assert room.times()["ada"] == "2026-10-12 21:50:00 UTC"
    assert "of these with a new time of handing in" in room.out
    assert "Next: autograder grade" in room.out
    # Handed in again without a change, it counts as handed in the first time.
    room.collect(worksheet=known.replace("12 October 2026, 11:50 PM", "20 October 2026, 11:50 PM"), name="third.zip")
    assert room.times()["ada"] == "2026-10-12 21:50:00 UTC"


def test_an_older_worksheet_lets_no_older_work_win(room):
    room.collect(worksheet=ENGLISH)
    room.collect(worksheet=ENGLISH.replace("12 October", "1 October"), name="next.zip", remark=", again")
    work = room.directory.submission_folder(Submission("ada", NAME)) / f"{NAME}.ipynb"
    assert nbformat.read(work, as_version=4).cells[-1].source == "ada, again"


def test_a_time_that_a_person_wrote_stays(room):
    room.collect()
    stamp = room.directory.submission_folder(Submission("ada", NAME)) / "timestamp.txt"
    stamp.write_text("2026-10-12 12:00:00 UTC\n")
    room.collect(worksheet=ENGLISH)
    assert room.times()["ada"] == "2026-10-12 12:00:00 UTC"
    assert "the time in timestamp.txt was written by hand; it stays" in room.out


def test_another_table_is_refused(tmp_path):
    (tmp_path / "roster.csv").write_text(ROSTER)
    with pytest.raises(AutograderError, match="is not Moodle's grading worksheet"):
        read_worksheet(tmp_path / "roster.csv")
