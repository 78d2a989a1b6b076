"""`autograder hand`: what the command itself says and does; the page has tests of its own."""

import os
import shutil
import signal

import pytest

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.grading.batch import grade_class
from autograder.commands.main import main
from autograder.problem_set.source import find_problem_sets
from tests.support.scripted import Scripted, hand_in

SET, PROSE = "ps1-information", "not_a_distance"


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course):
    """The class, graded once."""
    (problem_set,) = find_problem_sets(course, [SET])
    root = tmp_path_factory.mktemp("graded")
    for student in ("ada", "bob"):
        hand_in(root, problem_set, student)
    grade_class(ClassDirectory(root), [problem_set], Scripted(), 1)
    return root


@pytest.fixture
def directory(tmp_path, graded):
    return ClassDirectory(shutil.copytree(graded, tmp_path / "class"))


@pytest.fixture
def opened(monkeypatch):
    """The addresses that the command opens; it is interrupted as soon as it has."""
    addresses = []

    def look(address):
        addresses.append(address)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("webbrowser.open", look)
    return addresses


def test_the_command_opens_the_page_and_ends_with_an_interrupt(directory, opened, capsys):
    assert main(["hand", SET, "--class", str(directory.root)]) == 0
    out = capsys.readouterr().out
    assert f"2 answers to grade. Open {opened[0]}" in out
    assert opened[0].startswith("http://127.0.0.1:")
    assert f"/{PROSE}?token=" in opened[0], "with one question alone, its page"
    assert "Saved 0 times in the gradebook." in out


def test_what_has_no_grade_at_this_moment_is_named(directory, opened, capsys):
    notebook = directory.submitted / "bob" / SET / f"{SET}.ipynb"
    notebook.write_text(notebook.read_text() + "\n")
    assert main(["hand", SET, "--class", str(directory.root)]) == 3
    said = capsys.readouterr()
    assert "1 answer to grade." in said.out
    assert f"not graded: {SET}: bob: what was handed in has changed" in said.err
    assert main(["similar", SET, "--class", str(directory.root)]) == 3
    said = capsys.readouterr()
    assert "1 notebook compared; 0 pairs stand out." in said.out
    assert f"not graded: {SET}: bob: what was handed in has changed" in said.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([SET, "nothing"], 2, f"{SET} has no question 'nothing'; it has {PROSE}"),
        (["ps99"], 2, "There is no problem set 'ps99'"),
        (["ps0-warmup"], 1, "Nothing was graded"),
    ],
)
def test_words_that_name_nothing(directory, words, code, says, capsys):
    assert main(["hand", *words, "--class", str(directory.root)]) == code
    assert says in capsys.readouterr().err
