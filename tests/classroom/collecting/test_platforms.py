"""Whose work it is follows from what each platform writes into names, never from what a student writes."""

import copy
import json

import nbformat
import pytest

from autograder.classroom.collecting import opened_archive
from autograder.classroom.collecting.platforms.pattern import platform_of
from autograder.classroom.collecting.platforms.registry import MixedArchiveError, recognise
from autograder.commands.main import main
from autograder.common.errors import UsageError
from autograder.problem_set.source import find_problem_sets
from autograder.problem_set.versions import student_version
from tests.support.zips import zipped

NAME = "ps0-warmup"
FILE = f"{NAME}.ipynb"
SETS = frozenset({NAME})
ROSTER = """student_id,first_name,last_name,email,login,canvas_id,moodle_id,other_ids,groups
ada,Ada,Lovelace,ada@x.org,alove,101,,4711,Blue
grace,Grace,Hopper,grace@x.org,ghopp_2,102,,,Blue; project group 3
mary,Mary-Ann,von der Leyen,mary@x.org,mleyen,103,7003,,
"""
MOODLE = "Ada Lovelace_7_assignsubmission_file_"


@pytest.fixture(scope="module")
def released(course):
    """The notebook as students get it."""
    (warmup,) = find_problem_sets(course, [NAME])
    return student_version(warmup)


@pytest.fixture
def notebook(released):
    """A function that writes the notebook with a remark, worked on or not."""

    def write(remark="", worked=True):
        made = copy.deepcopy(released)
        for cell in made.cells:
            if worked and cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source += "\n# worked"
        made.cells.append(nbformat.v4.new_markdown_cell(remark, id="remark"))
        return nbformat.writes(made).encode()

    return write


@pytest.fixture
def room(tmp_path, capsys):
    """A class and `collect` on it: what it placed, with each remark, and what it printed."""
    (tmp_path / "students.csv").write_text(ROSTER, encoding="utf-8")

    class Room:
        root = tmp_path / "class"

        def collect(self, *files, name="e.zip", roster=True, more=()):
            (tmp_path / name).write_bytes(zipped(*files))
            named = ["--roster", str(tmp_path / "students.csv")] if roster else []
            self.code = main(
                ["collect", str(tmp_path / name), "--class", str(self.root), "--timezone", "UTC", *named, *more]
            )
            self.out, self.err = capsys.readouterr()
            found = self.root.glob("submitted/*/*/*.ipynb")
            return {
                p.parts[-3]: "".join(json.loads(p.read_text(encoding="utf-8-sig"))["cells"][-1]["source"])
                for p in found
            }

        def time(self, student):
            return (self.root / "submitted" / student / NAME / "timestamp.txt").read_text().strip()

    return Room()


# ---- each platform


@pytest.mark.parametrize(
    ("paths", "platform", "expected"),
    [
        (["lovelaceada_LATE_101_9001_a_b.ipynb"], "Canvas", ("lovelaceada", "101", "", "a_b.ipynb", None)),
        (["LATE_anon_q1w2_9003_x.ipynb"], "Canvas", ("", "anon_q1w2", "", "x.ipynb", None)),
        (["anon_LATE_q1w2_9003_x.ipynb"], "Canvas", ("", "anon_q1w2", "", "x.ipynb", None)),
        ([f"{MOODLE}/x.ipynb"], "Moodle", ("Ada Lovelace", "7", "", "x.ipynb", None)),
        ([f"all/{MOODLE}/x.ipynb"], "Moodle", ("Ada Lovelace", "7", "", "x.ipynb", None)),
        (["Default group_assignsubmission_file_/x.ipynb"], "Moodle", ("Default group", "", "", "x.ipynb", None)),
        (["Participant_7_assignsubmission_file_x.ipynb"], "Moodle", ("", "7", "", "x.ipynb", None)),
        ([f"submitted/ada/{NAME}/x.ipynb"], "nbgrader's tree", ("", "", "ada", "x.ipynb", None)),
        (
            [f"inbound/ada+{NAME}+2026-10-12 21:50:10.5 UTC+Zm9v/x.ipynb"],
            "nbgrader's exchange",
            ("", "", "ada", "x.ipynb", "2026-10-12T21:50:10.500000+00:00"),
        ),
        (
            ["397063-2557 - Mary-Ann von der Leyen - Oct 12, 2026 1259 AM/x.ipynb"],
            "Brightspace",
            ("Mary-Ann von der Leyen", "2557", "", "x.ipynb", "2026-10-12T00:59:00"),
        ),
        (
            ["Set 0_ghopp_2_attempt_2026-10-12-23-59-59_x_y.ipynb"],
            "Blackboard",
            ("", "", "2 ghopp_2", "x_y.ipynb", "2026-10-12T23:59:59"),
        ),
        (["assignment_7_export/submission_5/x.ipynb"], "Gradescope", ("", "5", "", "x.ipynb", None)),
        (["PS0/Ada Lovelace - my work.ipynb"], "Google Classroom", ("Ada Lovelace", "", "", "my work.ipynb", None)),
        (
            ["PS0/Abgaben/Lovelace_Ada_alove_4711/20261012235010_x.ipynb"],
            "ILIAS",
            ("Ada Lovelace", "4711", "alove", "x.ipynb", "2026-10-12T23:50:10"),
        ),
    ],
)
def test_what_a_platform_writes_is_read(paths, platform, expected):
    found = recognise(paths, SETS)
    assert found.platform.name == platform
    hand_in = found.hand_in(paths[0])
    moment = hand_in.moment.isoformat() if hand_in.moment else None
    assert ("".join(hand_in.names[:1]), hand_in.number, " ".join(hand_in.logins), hand_in.rest, moment) == expected


@pytest.mark.parametrize(
    "path",
    [
        *("x.ipynb", "ada/x.ipynb", "week 1/ada/x.ipynb", "a/b/c/d.ipynb"),
        f"inbound/ada+{NAME}+2026-13-45 21:50:10 UTC+Zm9v/x.ipynb",  # no such time
    ],
)
def test_other_names_belong_to_no_platform(path):
    assert recognise([path], SETS) is None


@pytest.mark.parametrize(
    "chosen",
    [
        f"{MOODLE}x.ipynb",
        f"{MOODLE}/x.ipynb",
        "lovelaceada_101_9_x.ipynb",
        f"ada/{NAME}/x.ipynb",
        "Ada Lovelace - x.ipynb",
        "ps0_ada_attempt_2026-10-12-23-50-10_x.ipynb",
        "submission_1/x.ipynb",
        "Lovelace_Ada_alove_4711/20261012235010_x.ipynb",
    ],
)
@pytest.mark.parametrize(
    "written",
    [
        "hoppergrace_102_5_",
        "Grace Hopper_8_assignsubmission_file_/",
        "Grace Hopper_8_assignsubmission_file_",
        f"grace/{NAME}/",
        "1-2 - Grace Hopper - Oct 12, 2026 1259 AM/",
        "ps0_ghopp_2_attempt_2026-10-12-23-50-10_",
        "Hopper_Grace_ghopp_2_4712/20261012235010_",
    ],
)
def test_what_a_student_chose_never_says_whose_it_is(written, chosen):
    """With another hand-in beside it, and alone: the name is Grace's, or nobody's."""
    for others in ([], [f"{written}other.ipynb"]):
        try:
            found = recognise([f"{written}{chosen}", *others], SETS)
        except MixedArchiveError:
            continue
        hand_in = found.hand_in(f"{written}{chosen}")
        who = {*hand_in.names, *hand_in.logins}
        assert who & {"hoppergrace", "Grace Hopper", "grace", "ghopp_2"}, (found.platform.name, hand_in)


def test_a_students_own_zip_replaces_nobodys_work(room, notebook):
    assert room.collect(("lovelaceada_101_5_x.ipynb", notebook("ada's"))) == {"ada": "ada's"}
    inner = zipped((f"{MOODLE}/x.ipynb", notebook("forged")))
    placed = room.collect(("hoppergrace_102_9_x.zip", inner), ("lovelaceada_101_5_x.ipynb", notebook("ada's")))
    assert placed == {"ada": "ada's", "grace": "forged"}


def test_two_platforms_in_one_archive_are_refused(room, notebook):
    files = (
        ("lovelaceada_101_5_x.ipynb", notebook("a")),
        ("Grace Hopper_8_assignsubmission_file_/x.ipynb", notebook("b")),
    )
    assert room.collect(*files) == {}
    assert "its names are those of Canvas and Moodle at once; collect each export by itself" in room.err


# ---- identity, across runs


def test_of_two_students_with_one_name_neither_takes_the_others_place(room, notebook):
    first = [(f"Anna Schmidt_{n}_assignsubmission_file_/{FILE}", notebook(str(n))) for n in (111, 222)]
    for files in (first, first[1:], first[:1]):
        assert room.collect(*files, roster=False) == {}
        assert room.code == 3
        assert "several students called 'Anna Schmidt' (its numbers 111, 222)" in room.err


def test_a_namesake_who_comes_later_is_refused(room, notebook):
    first, second = [(f"Anna Schmidt_{n}_assignsubmission_file_/{FILE}", notebook(str(n))) for n in (111, 222)]
    assert room.collect(first, roster=False) == {"Anna Schmidt": "111"}
    assert room.collect(second, roster=False) == {"Anna Schmidt": "111"}
    assert "several students called 'Anna Schmidt'" in room.err


def test_moodles_grading_worksheet_as_roster_tells_two_of_one_name_apart(room, notebook, tmp_path):
    students = tmp_path / "students.csv"
    students.write_text("student_id,first_name,last_name\n40,Anna,Schmidt\n41,Anna,Schmidt\n", encoding="utf-8")
    files = [(f"Anna Schmidt_{n}_assignsubmission_file_/{FILE}", notebook(str(n))) for n in (7040, 7041)]
    assert room.collect(*files) == {}
    assert room.err.count("or name the assignment's grading worksheet as --table") == 2
    students.write_text(
        "Identifier,Full name,ID number,Email address,Status,Grade\n"
        "Participant 7041,Anna Schmidt,41,b@x.org,Submitted for grading - ,\n"
        "Participant 7040,Anna Schmidt,40,a@x.org,Submitted for grading - ,\n",
        encoding="utf-8",
    )
    assert room.collect(*files) == {"40": "7040", "41": "7041"}
    assert "Columns of the roster that are not used: Status, Grade." in room.out


def test_a_group_hands_in_for_its_members(room, notebook):
    assert room.collect((f"Blue_55_assignsubmission_file_/{FILE}", notebook("team"))) == {
        "ada": "team",
        "grace": "team",
    }
    assert room.code == 0
    assert room.collect((f"projectgroup3_102_9_{FILE}", notebook("canvas")), name="c.zip")["grace"] == "canvas"
    assert room.code == 0


def test_gradescope_says_in_its_own_list_whose_each_is(room, notebook):
    metadata = "submission_5:\n  :submitters:\n  - :name: Ada L.\n    :sid: ada\n  :created_at: 2026-10-12 21:50:10 Z\n"
    files = [(f"export/submission_{n}/{FILE}", notebook(str(n))) for n in (5, 6)]
    assert room.collect(*files, ("export/submission_metadata.yml", metadata)) == {"ada": "5"}
    assert "Gradescope's number 6 is not on the roster" in room.err
    assert room.time("ada") == "2026-10-12 21:50:10 UTC"


@pytest.mark.parametrize("others", [[], [("export/submission_metadata.yml", "GENUINE")]], ids=["alone", "beside"])
def test_a_list_of_hand_ins_that_a_student_handed_in_says_nothing(room, notebook, others):
    """Read, it would give one student's work to another."""
    ids = {"ada": 5, "grace": 6}
    genuine, swapped = (
        "".join(f"submission_{ids[n]}:\n  :submitters:\n  - :sid: {who}\n" for n, who in pairs)
        for pairs in ([("ada", "ada"), ("grace", "grace")], [("ada", "grace"), ("grace", "ada")])
    )
    handed_in = [(f"export/submission_{number}/{FILE}", notebook(who)) for who, number in ids.items()]
    forged = [("export/submission_5/submission_metadata.yml", swapped)]
    written = [(name, genuine) for name, _ in others]
    expected = {"ada": "ada", "grace": "grace"} if others else {}
    assert room.collect(*forged, *handed_in, *written) == expected
    assert recognise([name for name, _ in forged + handed_in], SETS).platform.name == "Gradescope"


def test_one_renamed_file_does_not_pass_for_the_whole_archives_platform(room, notebook):
    files = [(f"PS0/{who} - {FILE}", notebook(who)) for who in ("Ada Lovelace", "Mary-Ann von der Leyen")]
    files.append(("PS0/Grace Hopper - x_12_assignsubmission_file_y.ipynb", notebook("Grace Hopper")))
    assert set(room.collect(*files)) == {"ada", "mary", "grace"}


def test_nobody_hands_in_through_nbgraders_exchange_for_somebody_else(room, notebook, tmp_path, monkeypatch):
    """Everybody may make a folder there, with any name, and a later time than the other's."""
    made = {"ada": ("09", "ada"), "grace": ("10", "grace"), "mary": ("11", "the-instructor"), "forged": ("12", "ada")}
    owners = {}
    for remark, (hour, owner) in made.items():
        login = "grace" if remark == "forged" else remark
        folder = tmp_path / "inbound" / f"{login}+{NAME}+2026-10-12 {hour}:00:00 UTC+{remark}"
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(notebook(remark))
        owners[folder] = owner
    monkeypatch.setattr(opened_archive, "_owner", owners.__getitem__)
    for roster in (True, False):
        room.root = tmp_path / f"class-{roster}"
        named = ["--roster", str(tmp_path / "students.csv")] if roster else []
        code = main(["collect", str(tmp_path / "inbound"), "--class", str(room.root), *named])
        assert code == 3
        placed = {
            p.parts[-3]: json.loads(p.read_text())["cells"][-1]["source"]
            for p in room.root.glob("submitted/*/*/*.ipynb")
        }
        assert {student: "".join(source) for student, source in placed.items()} == {
            n: n for n in ("ada", "grace", "mary")
        }


# ---- which of several, and when


def test_of_several_notebooks_in_one_hand_in_the_worked_one_with_the_sets_name_is_taken(room, notebook):
    files = [
        (f"{MOODLE}/{NAME} (conflicted copy).ipynb", notebook("conflicted")),
        (f"{MOODLE}/{FILE}", notebook("right")),
        (f"{MOODLE}/old/{FILE}", notebook("untouched", worked=False)),
    ]
    assert room.collect(*files) == {"ada": "right"}
    assert "passed over" in room.out
    assert room.code == 0


def test_a_worked_copy_is_taken_before_an_untouched_notebook_with_the_right_name(room, notebook):
    files = [(f"{MOODLE}/{FILE}", notebook("", worked=False)), (f"{MOODLE}/mine.ipynb", notebook("mine"))]
    assert room.collect(*files) == {"ada": "mine"}


def test_two_worked_notebooks_are_not_guessed_between(room, notebook):
    assert room.collect((f"{MOODLE}/a.ipynb", notebook("a")), (f"{MOODLE}/b.ipynb", notebook("b"))) == {}
    assert "it holds several notebooks of ps0-warmup that were worked (" in room.err


@pytest.mark.parametrize("order", [1, -1])
def test_the_later_attempt_is_that_with_the_later_time_in_its_name(room, notebook, order):
    files = [
        (f"Lovelace_Ada_alove_4711/{time}_{FILE}", notebook(time)) for time in ("20261012235010", "20261012235912")
    ]
    assert room.collect(*files[::order]) == {"ada": "20261012235912"}
    assert room.time("ada") == "2026-10-12 23:59:12 UTC"


def test_times_of_nbgraders_tree_are_taken_and_others_are_iso_8601(room, notebook):
    files = [(f"submitted/{who}/{NAME}/{FILE}", notebook(who)) for who in ("ada", "grace", "mary")]
    for who, time in [
        ("ada", "2026-10-12 21:50:10.5 UTC"),
        ("grace", "03.11.2026 10:00"),
        ("mary", "2026-11-03T10:00+01:00"),
    ]:
        files.append((f"submitted/{who}/{NAME}/timestamp.txt", time))
    assert set(room.collect(*files)) == {"ada", "grace", "mary"}
    assert room.time("ada") == "2026-10-12 21:50:10 UTC"
    assert room.time("mary") == "2026-11-03 09:00:00 UTC"
    assert "submitted/grace/ps0-warmup/timestamp.txt, line 1: '03.11.2026 10:00' is not a date" in room.err


@pytest.mark.parametrize("written", [f"{MOODLE}/", "lovelaceada_101_9_hw/", "ada/"])
def test_a_time_that_a_student_handed_in_is_not_believed(room, notebook, written):
    stamp = (f"{written}timestamp.txt", "2026-01-01 00:00:00 UTC")
    assert room.collect((f"{written}{FILE}", notebook("late")), stamp) == {"ada": "late"}
    assert not list(room.root.rglob("timestamp.txt"))


def test_the_times_in_a_students_own_zip_are_not_believed(room, notebook):
    inner = zipped((FILE, notebook("late")), date=(2026, 1, 1, 0, 0, 0))
    assert room.collect((f"{MOODLE}/hw.zip", inner), more=["--times", "yes"]) == {"ada": "late"}
    assert room.time("ada") == "2026-10-12 23:50:00 UTC"


# ---- what cannot be graded is remembered


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("ps0.pdf", b"%PDF-1.7", "it is not a notebook (.ipynb)"),
        (FILE, b"", "it is empty"),
        (FILE, "{}".encode("utf-16"), "it is"),
    ],
)
@pytest.mark.sampled(1)
def test_a_student_who_hands_in_no_notebook_has_failed_and_is_not_missing(room, notebook, name, data, reason, capsys):
    room.collect((f"hoppergrace_102_6_{FILE}", notebook("grace")), (f"lovelaceada_101_5_{name}", data))
    assert room.code == 3
    assert "failed: e.zip: lovelaceada_101_5_: ada handed in nothing that can be graded" in room.err
    assert "1 placed, 1 without a notebook that can be graded." in room.out, "each hand-in is counted once"
    assert room.out.endswith(f"Next: autograder grade --class {room.root}\n")
    assert main(["grade", NAME, "--class", str(room.root), "--jobs", "1"]) == 3
    told = capsys.readouterr()
    assert "What was handed in cannot be graded" in told.err
    assert reason in told.err
    assert main(["feedback", NAME, "--class", str(room.root)]) in (0, 3)
    page = (room.root / "feedback" / "ada" / NAME / f"{NAME}.html").read_text(encoding="utf-8")
    assert "hand in ps0-warmup.ipynb itself" in page
    assert room.collect((f"lovelaceada_101_9_{FILE}", notebook("again")))["ada"] == "again"
    assert not list(room.root.rglob("refused.txt"))


@pytest.mark.parametrize("name", [f"{FILE}.txt", f"{FILE}.json", FILE])
def test_a_notebook_is_read_as_mail_programs_and_windows_rename_it(room, notebook, name):
    assert room.collect((f"lovelaceada_101_5_{name}", b"\xef\xbb\xbf" + notebook("read"))) == {"ada": "read"}


# ---- a platform that nobody thought of


def test_a_pattern_says_what_names_look_like(room, notebook):
    files = [
        ("PS0/101-Lovelace.Ada@20261012-2350/x.ipynb", notebook("early")),
        ("PS0/101-Lovelace.Ada@20261013-0010/x.ipynb", notebook("late")),
    ]
    placed = room.collect(*files, more=["--pattern", "{*}-{last}.{first}@{time}/{file}"])
    assert placed == {"ada": "late"}
    assert room.time("ada") == "2026-10-13 00:10:00 UTC"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{who}/{file}", "there is no such field"),
        ("{name}{name}/{file}", "a second time"),
        ("{time}/{file}", "has to say whose a file is"),
        ("{name}/{time}", "and to end with {file}"),
    ],
)
def test_a_pattern_that_cannot_serve_is_refused(pattern, reason):
    with pytest.raises(UsageError, match=reason):
        platform_of(pattern)
