"""A full disk is the machine's trouble: every command that writes says so in a sentence, and can be run again."""

import contextlib
import shutil
import subprocess
from subprocess import CompletedProcess

import pytest

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.grading.batch import grade_class
from autograder.commands.main import main
from autograder.common.errors import AutograderError, MachineError
from autograder.reports import term_archive
from tests.support.full_disk import room_for
from tests.support.scripted import Scripted, hand_in

SET = "ps0-warmup"
COMMANDS = [
    f"sample-class {SET} --students 1 --class new",
    "collect work --student ada --class new",
    f"grade {SET} --again --class class",
    f"feedback {SET} --class class",
    f"similar {SET} --class class",
    f"report {SET} --class class",
    f"export {SET} --class class",
    f"export {SET} --format canvas --class class",
    "archive term.zip --class class",
]


@pytest.fixture(scope="module")
def graded(tmp_path_factory, warmup):
    root = tmp_path_factory.mktemp("class")
    for student in ("ada", *(f"student-{number}" for number in range(9))):
        hand_in(root, warmup, student, f"# {student}")
    grade_class(ClassDirectory(root), [warmup], Scripted(), 1)
    return root


@pytest.fixture
def place(graded, tmp_path, monkeypatch):
    shutil.copytree(graded, tmp_path / "class")
    shutil.copytree(graded / "submitted" / "ada" / SET, tmp_path / "work" / "ada")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Scripted, "__enter__", lambda self: self, raising=False)
    monkeypatch.setattr(Scripted, "__exit__", lambda self, *details: None, raising=False)
    monkeypatch.setattr("autograder.commands.grade._executor", lambda options, directory: Scripted())
    return tmp_path


def files_in(place):
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize("size", [0, 220], ids=["no room", "room for the lock"])
@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_ends_in_a_sentence_and_goes_on_later(words, size, place, capsys):
    before = files_in(place)
    with room_for(size):
        code = main(words.split())
    told = capsys.readouterr().err
    assert code == 3, told
    (sentence,) = told.splitlines()
    assert sentence.startswith("autograder: ")
    assert "File too large" in sentence or "disk I/O error" in sentence
    after = files_in(place)
    assert not [path for path in after if after[path] != before.get(path) and len(after[path]) == size], "cut off"
    assert not [path for path in after if path.name.startswith(".")]
    assert main(words.split()) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "told", "kind"),
    [
        (3, "autograder: Cannot write x: No space left on device; free some space.", MachineError),
        (1, "autograder: There is no such set.", AutograderError),
        (3, "failed: ada, ps0: not a notebook.", None),
    ],
)
def test_the_engine_of_an_archive_without_room_is_told_from_a_submission_that_failed(
    code, told, kind, place, monkeypatch
):
    monkeypatch.setattr(
        subprocess, "run", lambda *words, **options: CompletedProcess(words, code, "", f"a line\n{told}\n")
    )
    expected = contextlib.nullcontext() if kind is None else pytest.raises(kind, match="The archive's engine could not")
    with expected:
        term_archive._grade(place, ClassDirectory(place / "again"), [SET], 1)


def test_an_archive_that_cannot_be_unpacked_for_lack_of_room_is_not_called_broken(place, capsys):
    assert main(["archive", "term.zip", "--class", "class"]) == 0
    capsys.readouterr()
    with room_for(220):
        assert main(["check-archive", "term.zip"]) == 3
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("autograder: Cannot write")
