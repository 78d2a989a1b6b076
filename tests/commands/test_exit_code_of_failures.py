"""Every command that looks at submissions names those that failed, and ends with the exit code that says so."""

import pytest

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.grading.batch import grade_class
from autograder.commands import hand
from autograder.commands.main import main
from tests.support.scripted import Scripted, hand_in

SET = "ps0-warmup"
COMMANDS = ["status", "feedback", "feedback --reveal", "report", "export", "export --format canvas", "similar", "hand"]


@pytest.fixture(scope="module")
def root(tmp_path_factory, warmup):
    """Ada's work is graded; Bob's file is no notebook."""
    root = tmp_path_factory.mktemp("class")
    hand_in(root, warmup, "ada")
    hand_in(root, warmup, "bob").write_text("{")
    grade_class(ClassDirectory(root), [warmup], Scripted(), 1)
    return root


@pytest.mark.parametrize("words", COMMANDS)
def test_a_failure_is_named_and_ends_with_three(root, words, capsys, monkeypatch):
    monkeypatch.setattr(hand.webbrowser, "open", lambda address: None)
    command, *options = words.split()
    assert main([command, SET, "--class", str(root), *options]) == 3
    err = capsys.readouterr().err
    assert f"failed: {SET}: bob: The file is not a notebook" in err
    assert "its feedback page tells the student what to do" in err


def test_the_plain_status_says_it_in_its_table_alone(root, capsys):
    assert main(["status", SET, "--class", str(root), "--plain"]) == 3
    assert capsys.readouterr().err == ""
