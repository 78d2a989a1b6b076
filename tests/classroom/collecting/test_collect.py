"""Exports of learning platforms are sorted by content and roster; nothing is lost silently, and nothing does harm."""

import copy
import io
import json
import os
import struct
import subprocess
import unicodedata
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest

from autograder.classroom.collecting import archives
from autograder.classroom.collecting.archives import members
from autograder.classroom.collecting.collect import collect
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.gradebook import read_grades
from autograder.classroom.roster import read_roster
from autograder.commands.main import main
from autograder.problem_set.source import find_problem_sets
from autograder.problem_set.versions import student_version

ROSTER = """student_id,first_name,last_name,email,login,canvas_id,canvas_login,moodle_id,names,groups
ada,Ada,Lovelace,ada@x.org,al1,101,al1@uni,7001 7002,,Blue
zofie,Žofie,Müller-Li,z@x.org,zm2,102,zm2@uni,,Zofie M.,
grace,Grace,Hopper,g@x.org,gh3,103,gh3@uni,,,Blue
twin1,Kim,Lee,k1@x.org,kl4,104,,8001,,
twin2,Kim,Lee,k2@x.org,kl5,105,,8002,,
"""


@pytest.fixture(scope="session")
def two_sets(course):
    return find_problem_sets(course, ["ps0-warmup", "ps1-information"])


@pytest.fixture(scope="session")
def released(two_sets):
    """The notebook of each set as students get it."""
    return {ps.name: student_version(ps) for ps in two_sets}


@pytest.fixture
def whose(two_sets, notebook, tmp_path):
    """Says whose a file in a zip is, or why nobody's, with and without the roster; faster than the command."""

    def find(name, data=b""):
        export = archive(tmp_path / "e.zip", (name, data or notebook("hers")))
        (tmp_path / "students.csv").write_text(ROSTER, encoding="utf-8")
        for number, roster in enumerate((read_roster(tmp_path / "students.csv"), None)):
            found = collect(ClassDirectory(tmp_path / f"class{number}"), two_sets, [export], roster)
            yield found.placed[0].student if found.placed else found.unplaced[0][1]

    return find


@pytest.fixture
def notebook(released):
    def make(answer="", name="ps0-warmup", strip=False):
        made = copy.deepcopy(released[name])
        made.cells.append(nbformat.v4.new_markdown_cell(answer, id="answer"))
        if strip:
            del made.metadata["autograder"]
        return nbformat.writes(made).encode()

    return make


def archive(path, *files, method=zipfile.ZIP_DEFLATED):
    """Write a zip; each file is (name or ZipInfo, content) with an optional time."""
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data, *time in files:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name, *time)
            info.compress_type = method
            made.writestr(info, data)
    return path


@pytest.fixture
def room(tmp_path, capsys):
    """A class directory with a roster, and the command on it."""
    (tmp_path / "students.csv").write_text(ROSTER, encoding="utf-8")

    class Room:
        root = tmp_path / "class"

        def collect(self, *paths, roster=True, more=()):
            named = ["--roster", str(tmp_path / "students.csv")] if roster else []
            code = main(["collect", *map(str, paths), "--class", str(self.root), *named, *more])
            self.out, self.err = capsys.readouterr()
            return code

        def placed(self):
            found = self.root.glob("submitted/*/*/*.ipynb")
            return {
                str(path.relative_to(self.root / "submitted")): "".join(
                    json.loads(path.read_text())["cells"][-1]["source"]
                )
                for path in found
            }

        def snapshot(self):
            return {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    return Room()


def at(student, name="ps0-warmup"):
    return f"{student}/{name}/{name}.ipynb"


# ---- what the platforms make of names


def test_canvas(room, notebook, tmp_path):
    export = archive(
        tmp_path / "submissions.zip",
        ("lovelaceada_101_9001_ps0-warmup-2.ipynb", notebook("ada")),
        ("müllerližofie_LATE_102_9002_my homework.ipynb", notebook("zofie")),
        ("hoppergrace_103_9003_ps1-information.ipynb", notebook("grace", "ps1-information")),
        ("leekim_104_9004_ps0-warmup (1).ipynb", notebook("first twin")),
        ("leekim_105_9005_ps0-warmup.ipynb", notebook("second twin")),
    )
    assert room.collect(export) == 0, room.err
    assert room.placed() == {
        at("ada"): "ada",
        at("zofie"): "zofie",
        at("grace", "ps1-information"): "grace",
        at("twin1"): "first twin",
        at("twin2"): "second twin",
    }
    assert "Canvas marks as late, without a time: zofie, ps0-warmup" in room.out
    assert not list(room.root.rglob("timestamp.txt"))


def test_moodle(room, notebook, tmp_path):
    late = (2026, 10, 12, 23, 59, 58)
    export = archive(
        tmp_path / "export.zip",
        ("Ada Lovelace_1234567_assignsubmission_file_/ps0-warmup.ipynb", notebook("ada"), (2026, 10, 12, 9, 0, 0)),
        ("Group A-Žofie Müller-Li_7_assignsubmission_file_/x.ipynb", notebook("zofie"), late),
        ("Grace Hopper_77_assignsubmission_onlinetext_/onlinetext.html", b"<p>here it is</p>"),
        ("Grace Hopper_77_assignsubmission_file_ps0-warmup.ipynb", notebook("grace"), late),
        ("Participant_7002_assignsubmission_file/ps1.ipynb", notebook("anonymous", "ps1-information"), late),
    )
    assert room.collect(export, more=["--zone", "Europe/Berlin"]) == 0
    assert set(room.placed()) == {at("ada"), at("zofie"), at("grace"), at("ada", "ps1-information")}
    assert "beside the notebook, not placed: onlinetext.html (it is text typed into the platform)" in room.out
    stamp = room.root / "submitted/zofie/ps0-warmup/timestamp.txt"
    assert stamp.read_text() == "2026-10-12 21:59:58 UTC\n"


def test_jupyterlite_browser_and_jupyter_names(room, notebook, tmp_path):
    for name in ("ps0-warmup_ps0-warmup.ipynb", "ps0-warmup (1).ipynb", "ps0-warmup-Copy1.ipynb", "Untitled.ipynb"):
        path = tmp_path / name
        path.write_bytes(notebook(name))
        assert room.collect(path) == 3
        assert "nothing in its path is a student" in room.err
        assert room.collect(path, more=["--student", "grace"]) == 0
    assert set(room.placed()) == {at("grace")}
    (tmp_path / "al1_ps0-warmup_ps0-warmup.ipynb").write_bytes(notebook("by login"))
    assert room.collect(tmp_path / "al1_ps0-warmup_ps0-warmup.ipynb") == 0
    assert at("ada") in room.placed()


def test_a_folder_and_a_students_own_zip_in_the_platforms_zip(room, notebook, tmp_path):
    folder = tmp_path / "work" / "ada" / "ps0-warmup"
    folder.mkdir(parents=True)
    (folder / "anything.ipynb").write_bytes(notebook("ada"))
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "anything-checkpoint.ipynb").write_bytes(notebook("old"))
    inner = archive(tmp_path / "inner.zip", ("My Docs/ps0-warmup.ipynb", notebook("grace")), ("__MACOSX/._x", b"0"))
    export = archive(tmp_path / "outer.zip", ("hoppergrace_103_5_work.zip", inner.read_bytes()))
    assert room.collect(tmp_path / "work", export) == 0, room.err
    assert set(room.placed()) == {at("ada"), at("grace")}
    assert "2 of the system's or Jupyter's own files ignored" in room.out


def test_the_set_is_read_from_the_notebook_and_not_from_its_name(room, notebook, tmp_path):
    lying = json.loads(notebook("declares ps1"))
    lying["metadata"]["autograder"]["problem_set"] = "ps1-information"
    foreign = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": "1"}]}
    export = archive(
        tmp_path / "e.zip",
        ("a_101_1_ps1-information.ipynb", notebook("a", strip=True)),
        ("z_102_2_ps1-information.ipynb", json.dumps(lying)),
        ("g_103_3_ps0-warmup.ipynb", json.dumps(foreign)),
    )
    assert room.collect(export) == 3
    assert set(room.placed()) == {at("ada"), at("zofie")}
    assert "ps0-warmup.ipynb (it has no cell that belongs to a problem set" in room.err


def test_without_a_roster_platforms_names_become_students(room, notebook, tmp_path):
    exports = [
        [("lovelaceada_101_1_ps0-warmup.ipynb", "canvas"), ("anon_x7y8z_2_ps0-warmup.ipynb", "anonymous")],
        [
            ("Ada Lovelace_33_assignsubmission_file_/x.ipynb", "moodle"),
            ("Kim Lee_34_assignsubmission_file_/x.ipynb", "one"),
            ("Kim Lee_35_assignsubmission_file_/x.ipynb", "other"),
            ("Participant_36_assignsubmission_file_/x.ipynb", "hidden"),
        ],
        [("class/grace/ps0-warmup/x.ipynb", "nbgrader"), ("class/somebody/x.ipynb", "unknown")],
    ]
    told = ""
    for number, files in enumerate(exports):
        export = archive(tmp_path / f"{number}.zip", *[(name, notebook(text)) for name, text in files])
        assert room.collect(export, roster=False) == (3 if number else 0)
        told += room.err
    names = {"lovelaceada_101", "anon_x7y8z", "Ada Lovelace", "grace"}
    assert set(room.placed()) == {at(name) for name in names}
    assert told.count("several students called 'Kim Lee' (its numbers 34, 35)") == 2
    assert "Moodle hides the name behind '36'; reveal the identities" in told
    assert "somebody/x.ipynb: nbgrader's tree does not write such a name" in told


# ---- doubt is reported, not decided


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("strangereve_999_1_x.ipynb", "neither the name 'strangereve' nor Canvas's number 999"),
        ("hoppergrace_101_1_x.ipynb", "number 101 is that of ada, but the name 'hoppergrace' is that of grace"),
        ("hoppergrace_999_1_x.ipynb", "is that of grace, but its number 999 is not"),
        ("Kim Lee_9_assignsubmission_file_/x.ipynb", "several students are called 'Kim Lee' (twin1, twin2)"),
        ("Grace Hopper_7001_assignsubmission_file_/x.ipynb", "number 7001 is that of ada, but the name"),
        ("ada/grace/x.ipynb", "its path names several students: ada, grace"),
        ("Team Red_9_assignsubmission_file_/x.ipynb", "that of a group in the column groups"),
        ("anon_x7y8z_2_x.ipynb", "Canvas hides the name behind 'anon_x7y8z'; switch anonymous grading off"),
    ],
)
def test_a_student_in_doubt_is_not_guessed(room, notebook, tmp_path, name, reason):
    assert room.collect(archive(tmp_path / "e.zip", (name, notebook()))) == 3
    assert reason in room.err
    assert room.placed() == {}


@pytest.mark.parametrize(
    "name",
    [
        # Files with names that a student chose, below a prefix from the platform.
        "lovelaceada_101_1_Grace Hopper_7_assignsubmission_file_.ipynb",
        "lovelaceada_101_1_x-Grace Hopper_7_assignsubmission_file_x.ipynb",
        "Ada Lovelace_7001_assignsubmission_file_x-Grace Hopper_7_assignsubmission_file_.ipynb",
        "Ada Lovelace_7001_assignsubmission_file_hoppergrace_103_9_x.ipynb",
        "Ada Lovelace_7001_assignsubmission_file_/hoppergrace_103_9_x.ipynb",
        "lovelaceada_LATE_101_1_hoppergrace_103_9_x.ipynb",
        "Ada Lovelace_7001_assignsubmission_file_/grace/ps0-warmup/x.ipynb",
    ],
)
def test_the_name_of_a_file_hands_nothing_in_for_another(whose, name):
    with_roster, without = whose(name)
    assert with_roster == "ada"
    assert without in ("Ada Lovelace", "lovelaceada_101")


@pytest.mark.parametrize(
    "outer", ["lovelaceada_101_1_x.zip", "Ada Lovelace_7001_assignsubmission_file_/x.zip", "ada/ps0-warmup/x.zip"]
)
@pytest.mark.parametrize(
    "inner",
    [
        "Grace Hopper_7_assignsubmission_file_/x.ipynb",
        "hoppergrace_103_9_x.ipynb",
        "grace/ps0-warmup/x.ipynb",
        "submitted/grace/ps0-warmup/hoppergrace_103_9_x.ipynb",
    ],
)  # fmt: skip
def test_a_students_zip_hands_nothing_in_for_another(whose, notebook, tmp_path, outer, inner):
    mine = archive(tmp_path / "inner.zip", (inner, notebook("hers")))
    with_roster, without = whose(outer, mine.read_bytes())
    # In nested folders with names that somebody chose: reported, not guessed.
    assert with_roster in ("ada", "its path names several students: ada, grace")
    assert without in ("ada", "Ada Lovelace", "lovelaceada_101")


def test_whose_platforms_name_is_unknown_is_not_found_further_in(whose, notebook, tmp_path):
    mine = archive(tmp_path / "inner.zip", ("grace/ps0-warmup/x.ipynb", notebook("of nobody")))
    assert "neither the name 'strangereve' nor" in next(whose("strangereve_999_1_x.zip", mine.read_bytes()))


def test_an_archive_named_like_a_platforms_file_stands_in_for_no_student(two_sets, notebook, tmp_path):
    inner = archive(tmp_path / "inner.zip", ("hoppergrace_103_5_x.ipynb", notebook("grace")))
    (tmp_path / "ps0_2026_11_class.zip").write_bytes(inner.read_bytes())
    (tmp_path / "students.csv").write_text(ROSTER, encoding="utf-8")
    roster = read_roster(tmp_path / "students.csv")
    found = collect(ClassDirectory(tmp_path / "class"), two_sets, [tmp_path / "ps0_2026_11_class.zip"], roster)
    assert found.placed == [Submission("grace", "ps0-warmup")]


@pytest.mark.parametrize(
    "name", ["a_" * 32_000 + ".ipynb", "-" * 60_000 + "x_1_assignsubmission_file_/x.ipynb", "d/" * 30_000 + "x.ipynb"],
    ids=["pieces", "hyphens", "folders"],
)  # fmt: skip
def test_names_longer_than_a_disk_holds_are_refused_before_they_are_compared(whose, name):
    """Comparing a name of 32,000 pieces with a roster took minutes and a gigabyte."""
    assert all("it has a name that no file can have" in told for told in whose(name))


@pytest.mark.parametrize("seconds", [2**40, -(2**40), 2**55])
def test_a_file_from_a_year_that_no_calendar_has(tmp_path, seconds):
    (tmp_path / "x.ipynb").write_bytes(b"{}")
    os.utime(tmp_path / "x.ipynb", (seconds, seconds))
    (found,) = members(tmp_path, None, list)
    assert found.data == b"{}"


def test_moodles_number_tells_two_students_of_one_name_apart(room, notebook, tmp_path):
    export = archive(
        tmp_path / "e.zip",
        ("Kim Lee_8002_assignsubmission_file_/x.ipynb", notebook("two")),
        ("Kim Lee_8001_assignsubmission_file_/x.ipynb", notebook("one")),
    )
    assert room.collect(export) == 0
    assert room.placed() == {at("twin1"): "one", at("twin2"): "two"}


# ---- attempts


def test_the_latest_attempt_is_taken_and_the_others_are_named(room, notebook, tmp_path):
    export = archive(
        tmp_path / "e.zip",
        ("lovelaceada_101_30_ps0-warmup-1.ipynb", notebook("second")),
        ("lovelaceada_101_31_ps0-warmup-2.ipynb", notebook("third")),
        ("lovelaceada_101_29_ps0-warmup.ipynb", notebook("first")),
    )
    assert room.collect(export) == 0
    assert room.placed()[at("ada")] == "third"
    assert "ada, ps0-warmup: took e.zip: lovelaceada_101_31_ps0-warmup-2.ipynb; passed over" in room.out
    assert "_29_ps0-warmup.ipynb" in room.out
    assert "_30_ps0-warmup-1.ipynb" in room.out


def test_a_rerun_changes_nothing_a_newer_attempt_replaces_and_an_older_does_not(room, notebook, tmp_path):
    first = archive(tmp_path / "monday.zip", ("lovelaceada_101_29_ps0-warmup.ipynb", notebook("first")))
    second = archive(tmp_path / "friday.zip", ("lovelaceada_101_40_ps0-warmup-1.ipynb", notebook("second")))
    assert room.collect(first) == 0
    before = room.snapshot()
    assert room.collect(first) == 0
    assert room.snapshot() == before
    assert ": 1 unchanged.\n" in room.out
    assert "Next:" not in room.out
    assert room.collect(second) == 0
    assert "1 replaced by a later attempt" in room.out
    assert "took friday.zip: lovelaceada_101_40_ps0-warmup-1.ipynb instead of monday.zip" in room.out
    after = room.snapshot()
    assert room.collect(first) == 0
    assert "passed over monday.zip" in room.out
    assert room.snapshot() == after
    assert room.placed()[at("ada")] == "second"


def test_moodles_attempts_follow_the_times_and_then_the_archives(room, notebook, tmp_path):
    folder = "Ada Lovelace_5_assignsubmission_file_"
    other = ("Grace Hopper_6_assignsubmission_file_/x.ipynb", notebook("grace"), (2026, 3, 1, 10, 0, 0))
    spread = archive(tmp_path / "m.zip", (f"{folder}/x.ipynb", notebook("spread"), (2026, 3, 2, 10, 0, 0)), other)
    assert room.collect(spread, more=["--zone", "UTC"]) == 0
    stamp = room.root / "submitted/ada/ps0-warmup/timestamp.txt"
    assert stamp.read_text() == "2026-03-02 10:00:00 UTC\n"
    packed = archive(tmp_path / "p.zip", (f"{folder}/x.ipynb", notebook("packed"), (2026, 3, 9, 10, 0, 0)))
    assert room.collect(packed, more=["--zone", "UTC"]) == 0
    assert room.placed()[at("ada")] == "packed"
    assert not stamp.exists(), "the later attempt has the time of the earlier one"
    assert room.collect(spread, packed, more=["--zone", "UTC"]) == 0
    assert room.placed()[at("ada")] == "packed"


def test_a_time_with_a_zone_is_preferred_and_times_can_be_asked_for(room, notebook, tmp_path):
    info = zipfile.ZipInfo("Ada Lovelace_5_assignsubmission_file_/x.ipynb", (2026, 3, 2, 10, 0, 0))
    seconds = int(datetime(2026, 3, 2, 4, 5, 7, tzinfo=UTC).timestamp())
    info.extra = struct.pack("<HHBi", 0x5455, 5, 1, seconds)
    path = archive(tmp_path / "e.zip", (info, notebook("x")))
    assert room.collect(path, more=["--times", "yes", "--zone", "Asia/Tokyo"]) == 0
    assert (room.root / "submitted/ada/ps0-warmup/timestamp.txt").read_text() == "2026-03-02 04:05:07 UTC\n"


def test_reading_the_same_archive_with_another_zone_corrects_the_time(room, notebook, tmp_path):
    folder = "Ada Lovelace_5_assignsubmission_file_"
    export = archive(tmp_path / "e.zip", (f"{folder}/x.ipynb", notebook("x"), (2026, 3, 2, 10, 0, 0)))
    stamp = room.root / "submitted/ada/ps0-warmup/timestamp.txt"
    for more, time in [
        (["UTC"], "10:00:00"),
        (["Asia/Tokyo"], "01:00:00"),
        (["Asia/Tokyo", "--times", "no"], "01:00:00"),
    ]:
        options = ["--times", "yes", "--zone", *more]
        assert room.collect(export, more=options) == 0
        assert stamp.read_text() == f"2026-03-02 {time} UTC\n"
    stamp.write_text("2026-03-01 00:00:00 UTC\n")  # an instructor knows better
    assert room.collect(export, more=["--times", "yes", "--zone", "Asia/Tokyo"]) == 0
    assert stamp.read_text() == "2026-03-01 00:00:00 UTC\n"


def test_what_an_instructor_put_or_changed_there_stays(room, notebook, tmp_path):
    path = room.root / "submitted" / at("ada")
    path.parent.mkdir(parents=True)
    path.write_bytes(notebook("by hand"))
    export = archive(tmp_path / "e.zip", ("lovelaceada_101_29_x.ipynb", notebook("from Canvas")))
    assert room.collect(export) == 3
    assert "put there by hand; move it away to take this one" in room.err
    assert room.placed()[at("ada")] == "by hand"
    path.unlink()
    assert room.collect(export) == 0
    path.write_bytes(notebook("mended"))
    assert room.collect(export) == 0
    assert "was changed by hand since it was collected; it stays" in room.out
    assert room.placed()[at("ada")] == "mended"


def test_an_interrupted_collection_goes_on(room, notebook, tmp_path):
    export = archive(tmp_path / "e.zip", ("lovelaceada_101_29_x.ipynb", notebook("first")))
    later = archive(tmp_path / "l.zip", ("lovelaceada_101_35_x.ipynb", notebook("second")))
    assert room.collect(export) == 0
    path = room.root / "submitted" / at("ada")
    first = path.read_bytes()
    assert room.collect(later) == 0
    whole = room.snapshot()
    path.write_bytes(first)  # as if killed between the record and the notebook
    assert room.collect(export) == 3
    assert "collect it once more" in room.err
    assert room.collect(later) == 0
    assert room.snapshot().keys() == whole.keys()
    assert path.read_bytes() == whole[path]


# ---- hostile archives


def test_nothing_leaves_the_class_directory(room, notebook, tmp_path):
    link = zipfile.ZipInfo("lovelaceada_101_5_x.ipynb")
    link.external_attr = 0o120777 << 16
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(notebook("secret"))
    export = archive(
        tmp_path / "e.zip",
        ("../../ada_101_1_x.ipynb", notebook()),
        ("/etc/lovelaceada_101_2_x.ipynb", notebook()),
        ("..\\..\\lovelaceada_101_3_x.ipynb", notebook()),
        ("C:\\lovelaceada_101_4_x.ipynb", notebook()),
        (link, str(secret)),
    )
    before = {path for path in tmp_path.rglob("*") if room.root not in path.parents}
    assert room.collect(export) == 3
    assert room.placed() == {}
    assert room.err.count("has a path that leads out of the archive") == 4
    assert "is a link, and links are not followed" in room.err
    assert {path for path in tmp_path.rglob("*") if room.root not in path.parents} - {room.root} == before
    hostile = archive(
        tmp_path / "h.zip", ("x/../ps0-warmup/x.ipynb", notebook()), (".hidden/ps0-warmup/x.ipynb", notebook())
    )
    assert room.collect(hostile, roster=False) == 3
    assert room.placed() == {}


def test_links_pipes_and_folders_in_a_folder(room, notebook, tmp_path):
    work = tmp_path / "work" / "ada"
    work.mkdir(parents=True)
    (tmp_path / "secret.ipynb").write_bytes(notebook("secret"))
    (work / "x.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (work / "folder").symlink_to(tmp_path)
    subprocess.run(["mkfifo", str(work / "pipe.ipynb")], check=True)
    assert room.collect(tmp_path / "work") == 3
    assert room.err.count("is a link") == 2
    assert "is not a regular file" in room.err
    assert room.placed() == {}


def test_zip_bombs(room, notebook, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 3_000_000)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        large = archive(tmp_path / "l.zip", ("lovelaceada_101_1_x.ipynb", bytes(3_100_000)), method=method)
        assert room.collect(large) == 3
        assert "has more than 3 MB" in room.err
    monkeypatch.setattr(archives, "MAX_ENTRIES", 10)
    assert room.collect(archive(tmp_path / "n.zip", *[(f"{i}.txt", b"") for i in range(12)])) == 3
    assert "holds more than 10 files" in room.err


def test_much_of_one_line_is_no_bomb(room, notebook, tmp_path):
    """Four megabytes of "loss: nan", as printed by a training loop, were once refused as a zip bomb."""
    written = json.loads(notebook("worked"))
    written["cells"][-1]["source"] = "worked" + "\nloss: nan" * 400_000
    export = archive(tmp_path / "e.zip", ("lovelaceada_101_1_x.ipynb", json.dumps(written)))
    assert room.collect(export) == 0, room.err
    assert room.placed()[at("ada")].startswith("worked")


def test_a_hand_in_that_holds_too_much_stops_no_other(room, notebook, tmp_path, monkeypatch):
    """A hand-in of twenty thousand empty files once stopped the reading of the whole class's archive."""

    def packed(*files):
        return archive(tmp_path / "inner.zip", *files).read_bytes()

    monkeypatch.setattr(archives, "MAX_BYTES", 900_000)
    monkeypatch.setattr(archives, "MAX_FILES", 20)
    own = ("ps0-warmup.ipynb", notebook("own"))
    many = [(f"{number}.txt", b"") for number in range(30)]
    much = packed(own, *((f"{number}.txt", os.urandom(50_000)) for number in range(10)))
    canvas = archive(
        tmp_path / "a.zip",
        ("lovelaceada_101_1_x.zip", packed(*many, own)),
        ("müllerližofie_102_2_x.zip", much),
        ("hoppergrace_103_1_x.zip", packed(own)),
    )
    assert room.collect(canvas) == 3
    assert "holds more than 20 files" in room.err
    assert "unpacks to more than 0.9 MB" in room.out
    assert set(room.placed()) == {at("zofie"), at("grace")}
    moodle = [(f"Ada Lovelace_1_assignsubmission_file_/{path}", data) for path, data in many]
    moodle.append(("Kim Lee_8001_assignsubmission_file_/ps0-warmup.ipynb", notebook("one")))
    assert room.collect(archive(tmp_path / "m.zip", *moodle)) == 3
    assert room.placed()[at("twin1")] == "one"


def test_a_zip_that_lies_about_sizes_is_not_believed(room, tmp_path):
    path = archive(tmp_path / "e.zip", ("lovelaceada_101_1_x.ipynb", b" " * 5_000_000))
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 10)  # the size it claims to unpack to
    path.write_bytes(data)
    assert room.collect(path) == 3
    assert "not placed: e.zip: lovelaceada_101_1_: ada handed in nothing that can be graded: x.ipynb (it is" in room.err


def test_zips_in_zips_are_opened_so_far_and_no_further(room, notebook, tmp_path):
    data = notebook("deep")
    name = "ps0-warmup.ipynb"
    for depth in range(4):
        data = archive(tmp_path / f"{depth}.zip", (name, data)).read_bytes()
        name = f"lovelaceada_101_{depth}_x.zip"
    assert room.collect(tmp_path / "1.zip") == 0
    assert room.collect(tmp_path / "3.zip") == 3
    assert "is a zip within a zip within a zip" in room.err


def test_damaged_encrypted_and_strangely_compressed_members(room, notebook, tmp_path):
    path = archive(tmp_path / "e.zip", ("a_101_1_x.ipynb", notebook("a")), ("z_102_2_x.ipynb", notebook("z")))
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    second = data.rindex(b"PK\x01\x02")
    data[second + 8] |= 1
    path.write_bytes(data)
    assert room.collect(path) == 3
    assert "it is damaged" in room.err
    assert "it is encrypted" in room.err
    assert room.collect(archive(tmp_path / "x.zip", ("a_101_1_x.ipynb", notebook()), method=zipfile.ZIP_LZMA)) == 3
    assert "compressed by a method other than" in room.err
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 and nothing more")
    (tmp_path / "cut.zip").write_bytes(bytes(data[:-40]))
    assert room.collect(tmp_path / "no.zip", tmp_path / "cut.zip") == 3
    assert room.err.count("it is not a zip that can be read") == 2
    assert room.placed() == {}


def test_members_of_one_name_and_names_in_strange_encodings(room, notebook, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        export = archive(
            tmp_path / "e.zip",
            ("lovelaceada_101_1_x.ipynb", notebook("one")),
            ("lovelaceada_101_1_x.ipynb", notebook("two")),
        )
    assert room.collect(export) == 3
    assert "it holds several notebooks of ps0-warmup" in room.err
    # Decomposed letters, as written by macOS, and UTF-8 without the flag for it.
    name = unicodedata.normalize("NFD", "müllerližofie_102_2_x.ipynb")
    path = archive(tmp_path / "u.zip", (name, notebook("z")))
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        data[data.index(mark) + offset] &= ~0x08
    path.write_bytes(data)
    assert room.collect(path) == 0, room.err
    assert room.placed()[at("zofie")] == "z"
    evil = "\x1b[2Jgrace\u202e_103_3_x.ipynb"
    assert (
        room.collect(archive(tmp_path / "c.zip", (evil, b"{}"), ("hoppergrace_103_4_\x07.ipynb", b"[" * 100_000))) == 3
    )
    assert room.err.count("it is not a notebook") == 2
    assert not any(ord(c) < 32 and c != "\n" for c in room.err + room.out)
    assert "\u202e" not in room.err


def test_a_name_that_begins_with_nothing(room, notebook, tmp_path):
    path = archive(tmp_path / "e.zip", ("aaaa_101_1_x.ipynb", notebook()))
    path.write_bytes(path.read_bytes().replace(b"aaaa_101", b"\0aaa_101"))
    assert room.collect(path) == 3
    assert "has a name that no file can have" in room.err


def test_json_that_is_not_a_notebook(room, tmp_path):
    texts = [
        "[]",
        "{}",
        "1",
        '"x"',
        '{"cells": 1}',
        '{"cells": [1, null, {"metadata": 3}], "metadata": []}',
        "\ufeff",
        "",
    ]
    texts += ['{"cells": [{"metadata": {"nbgrader": {"grade_id": ["nats_to_bits"]}}}], "metadata": {"autograder": 1}}']
    texts += ["9" * 5000, '{"cells": [' + "[" * 20_000]
    export = archive(tmp_path / "e.zip", *[(f"lovelaceada_101_{i}_x.ipynb", text) for i, text in enumerate(texts)])
    assert room.collect(export) == 3
    assert room.err.count("not placed: ") == len(texts)
    assert room.placed() == {}


# ---- wrong usage


def test_wrong_usage_is_one_sentence_and_leaves_nothing(room, tmp_path):
    def run(*arguments):
        code = room.collect(*arguments, roster=False)
        assert len(room.err.strip().splitlines()) == 1, room.err
        assert not room.root.exists()
        return code, room.err

    empty = archive(tmp_path / "e.zip")
    code, text = run(tmp_path / "nowhere.zip")
    assert (code, "There is no file or folder" in text) == (1, True)
    code, text = run(empty, "--zone", "Middle-earth")
    assert (code, "There is no time zone 'Middle-earth'" in text) == (1, True)
    code, text = run(empty, "--student", "x/y")
    assert (code, "holds a slash" in text) == (2, True)


def test_collected_work_is_graded_and_graded_again_when_it_is_newer(room, course, notebook, tmp_path, warm_engine):
    (warmup,) = find_problem_sets(course, ["ps0-warmup"])
    solved = json.loads(notebook("solved"))
    for cell in solved["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = warmup.reference_answers["nats_to_bits"]
    first = archive(tmp_path / "1.zip", ("lovelaceada_101_1_x.ipynb", notebook("nothing yet")))
    second = archive(tmp_path / "2.zip", ("lovelaceada_101_2_x.ipynb", json.dumps(solved)))
    directory = ClassDirectory(room.root)
    scores = []
    for export in (first, second):
        assert room.collect(export) == 0
        assert main(["grade", "ps0-warmup", "--class", str(room.root), "--jobs", "1"]) == 0
        scores.append(read_grades(directory, warmup)["ada"]["nats_to_bits"])
    assert scores == [0, 1]
    assert directory.outcome(Submission("ada", "ps0-warmup")).outcome == "graded"


def test_a_member_says_where_it_lay_in_one_short_line():
    member = archives.Member(("e.zip", "x" * 5000 + "\n"), Path("e.zip"), 1)
    assert len(str(member)) <= 500
    assert "\n" not in str(member)
    assert io.StringIO(str(member)).readline() == str(member)
