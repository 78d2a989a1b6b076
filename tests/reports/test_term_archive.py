"""A class in one file, from which everything can be graded again."""

import json
import os
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.gradebook import open_gradebook
from autograder.commands.main import main
from tests.support.graded import LAST, SETS, STUDENTS

SET = "ps0-warmup"


@pytest.fixture
def small(graded_class, tmp_path):
    """A part of the graded class: three students, one set."""
    root = tmp_path / "class"
    shutil.copytree(graded_class, root)
    for folder in [*(root / "submitted").iterdir()]:
        if folder.name not in ("student-01", "student-02", LAST):
            shutil.rmtree(folder)
        else:
            shutil.rmtree(folder / SETS[1])
    return root


def archived(root, tmp_path):
    path = tmp_path / "term.zip"
    assert main(["archive", str(path), "--class", str(root)]) == 0
    return path


def test_everything_is_in_it_but_passwords_and_links(small, tmp_path, capsys):
    (small / "database.url").write_text(f"sqlite:///{small / 'gradebook.db'}")
    (small / "submitted" / "student-01" / "link").symlink_to("/etc/passwd")
    path = archived(small, tmp_path)
    out = capsys.readouterr()
    assert "3 submissions" in out.out
    assert "left out: class/submitted/student-01/link: it is a link" in out.err
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        versions = json.loads(archive.read("versions.json"))
        archive.extractall(tmp_path / "out")
    assert {"README.txt", "course/requirements.txt", f"course/solutions/{SET}/{SET}.md"} <= names
    assert "course/autograder/engine/execution.py" in names
    assert f"class/submitted/student-02/{SET}/{SET}.ipynb" in names
    assert f"class/feedback/student-02/{SET}/{SET}.html" in names
    assert not any("database.url" in name or "__pycache__" in name or ".in-use" in name for name in names)
    assert versions["packages"]["nbgrader"]
    assert set(versions["files"]) == names - {"README.txt", "versions.json"}
    with open_gradebook(ClassDirectory(tmp_path / "out" / "class")) as copy:
        assert len(copy.assignment_submissions(SETS[1])) == STUDENTS
        assert copy.find_submission(SET, "student-01").score == 1


def test_git_is_not_needed(small, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with zipfile.ZipFile(archived(small, tmp_path)) as archive:
        assert json.loads(archive.read("versions.json"))["commit"] == ""


def test_no_file_of_a_student_stops_it(small, tmp_path, capsys):
    folder = small / "submitted" / "student-01" / SET
    (folder / os.fsdecode(b"\xff.txt")).write_text("x")
    for name, year in (("early", 1850), ("late", 3000)):
        (folder / name).write_text("x")
        moment = datetime(year, 1, 1, tzinfo=UTC).timestamp()
        os.utime(folder / name, (moment, moment))
    names = zipfile.ZipFile(archived(small, tmp_path)).namelist()
    assert f"left out: class/submitted/student-01/{SET}/\\udcff.txt: its name is not text" in capsys.readouterr().err
    assert {f"class/submitted/student-01/{SET}/{name}" for name in ("early", "late", f"{SET}.ipynb")} <= set(names)


def test_what_cannot_be_read_is_left_out_with_a_word(small, tmp_path, monkeypatch, capsys):
    unreadable = small / "submitted" / "student-01" / SET / f"{SET}.ipynb"
    closed = unreadable.parent / "closed"
    closed.mkdir()
    read, may = Path.read_bytes, os.access

    def denied(path):
        if path == unreadable:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", denied)  # root reads whatever the mode says
    monkeypatch.setattr(os, "access", lambda path, *a, **k: path != closed and may(path, *a, **k))
    archived(small, tmp_path)
    err = capsys.readouterr().err
    assert f"class/submitted/student-01/{SET}/{SET}.ipynb: it cannot be read: Permission denied" in err
    assert f"class/submitted/student-01/{SET}/closed: it cannot be read" in err


def test_a_regrade_confirms_it_and_finds_a_score_that_is_not_the_engines(small, tmp_path, capsys):
    path = archived(small, tmp_path)
    assert main(["check-archive", str(path), "--jobs", "2"]) == 0
    assert "3 submissions graded again, 3 of them with the same result." in capsys.readouterr().out
    with open_gradebook(ClassDirectory(small)) as gradebook:
        hidden = gradebook.find_grade("nats_to_bits-hidden", SET, SET, LAST)
        hidden.auto_score = 1
        gradebook.db.commit()
    path.unlink()
    archived(small, tmp_path)
    assert main(["check-archive", str(path), "--jobs", "2"]) == 3
    said = capsys.readouterr()
    assert f"different: {LAST}, {SET}: nats_to_bits-hidden: 1 then, 0 now." in said.err
    assert "3 submissions graded again, 2 of them" in said.out


def test_a_damaged_archive_is_refused(small, tmp_path, capsys):
    path, damaged = archived(small, tmp_path), tmp_path / "damaged.zip"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(damaged, "w") as copy:
        for name in archive.namelist():
            data = archive.read(name)
            copy.writestr(name, data.replace(b"student-01", b"student-99") if name.endswith("promised.csv") else data)
    assert main(["check-archive", str(damaged)]) == 1
    assert "is damaged: class/promised.csv is not what was archived" in capsys.readouterr().err
    damaged.write_bytes(b"PK")
    assert main(["check-archive", str(damaged)]) == 1
    assert "is not an archive that autograder archive wrote" in capsys.readouterr().err


def test_names_that_cannot_be_an_archive(small, tmp_path, capsys):
    (tmp_path / "there.zip").touch()
    for name, says in {
        "there.zip": "exists; an archive is never overwritten",
        "class/own.zip": "is in the class that it would hold",
        "term.tar": "is not the name of an archive",
    }.items():
        assert main(["archive", str(tmp_path / name), "--class", str(small)]) == 2
        assert says in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["archive", str(tmp_path / "new.zip"), "--class", str(tmp_path / "empty")]) == 1
    assert "there is nothing to archive" in capsys.readouterr().err
    assert Submission("student-01", SET) in ClassDirectory(small).submissions([SET])
