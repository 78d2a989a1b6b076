"""`autograder appeal`: what every test received and expected, on the instructor's screen and nowhere else."""

import pytest
from nbgrader.api import Gradebook

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.grading.batch import grade_class
from autograder.commands.main import main
from tests.support.scripted import Scripted, hand_in, script

SET = "ps0-warmup"
HIDDEN = "nats_to_bits-hidden"
#: Text with which an answer tries to pass for the command's own, and colours for a terminal.
FORGED = "  nats_to_bits-hidden (hidden): 1 of 1"


@pytest.fixture
def directory(tmp_path, warmup):
    root = tmp_path / "class"
    hand_in(root, warmup, "ada", script(fails="received 3, expected 4\x1b[2J") + f"# \x1b[31m\n'''\n{FORGED}\n'''\n")
    hand_in(root, warmup, "bob").write_text("{")
    directory = ClassDirectory(root)
    grade_class(directory, [warmup], Scripted(), 1)
    return directory


def test_hidden_tests_and_their_words_are_shown_and_the_students_are_marked(directory, warmup, capsys):
    before = {path for path in directory.root.rglob("*") if path.is_file()}
    with Gradebook(directory.database_url) as gradebook:
        gradebook.find_comment("nats_to_bits", SET, SET, "ada").manual_comment = "See me."
        gradebook.db.commit()
    assert main(["appeal", "ada", SET, "nats_to_bits", "--class", str(directory.root)]) == 0
    out = capsys.readouterr().out
    assert f"{HIDDEN} (hidden): 0 of 1" in out
    assert "student| received 3, expected 4\\x1b[2J" in out
    hidden = warmup.authored[HIDDEN].split("### BEGIN HIDDEN TESTS\n")[1].splitlines()[0]
    assert f"     test| {hidden}" in out.splitlines()
    assert "Your comment: See me." in out
    assert "\x1b" not in out
    assert FORGED not in out.splitlines()
    assert f"  student| {FORGED}" in out.splitlines()
    assert {path for path in directory.root.rglob("*") if path.is_file()} == before, "nothing is written to give back"


def test_an_appeal_for_what_has_no_grade_says_why(directory, warmup, capsys):
    root = str(directory.root)
    assert main(["appeal", "bob", SET, "--class", root]) == 3
    assert f"failed: bob, {SET}: " in capsys.readouterr().err
    hand_in(directory.root, warmup, "ada")
    assert main(["appeal", "ada", SET, "--class", root]) == 3
    assert f"not graded: ada, {SET}: what was handed in has changed" in capsys.readouterr().err


def test_a_student_of_the_roster_is_found_by_name(directory, capsys):
    (directory.root / "roster.csv").write_text("student_id,first_name,last_name\nada,Ada,Lovelace\neve,Eve,X\n")
    root = str(directory.root)
    assert main(["appeal", "Ada Lovelace", SET, "--class", root]) == 0
    assert capsys.readouterr().out.startswith(f"ada (Ada Lovelace), {SET}. Hidden tests are shown")
    assert main(["appeal", "Eve X", SET, "--class", root]) == 2
    assert f"'eve' handed in no {SET}" in capsys.readouterr().err
    assert main(["appeal", "Mallory", SET, "--class", root]) == 2
    assert "Nobody on the roster has the id or the name 'Mallory'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["eve", SET], 2, "'eve' handed in no ps0-warmup"),
        (["ada", SET, "nats"], 2, "ps0-warmup has no item 'nats'; it has nats_to_bits"),
        (["ada", "ps99"], 2, "There is no problem set 'ps99'"),
    ],
)
def test_words_that_name_nothing(directory, words, code, says, capsys):
    assert main(["appeal", *words, "--class", str(directory.root)]) == code
    assert says in capsys.readouterr().err


@pytest.mark.usefixtures("warm_engine")
def test_values_of_each_test_are_shown_also_where_it_passed(tmp_path, warmup, executor, capsys):
    root = tmp_path / "class"
    right = "import math\n\n\ndef nats_to_bits(nats):\n    return nats / math.log(2)\n"
    hand_in(root, warmup, "ada", right)
    hand_in(root, warmup, "bob", "def nats_to_bits(nats):\n    return 1.4427 * nats\n")
    grade_class(ClassDirectory(root), [warmup], executor, 1)
    words = ["appeal", "ada", SET, "--class", str(root)]
    assert main(words) == 0
    assert "It called" not in capsys.readouterr().out
    assert main([*words, "--values"]) == 0
    out = capsys.readouterr().out
    assert f"{HIDDEN} (hidden): 1 of 1" in out
    assert "It says" not in out
    called = [line for line in out.splitlines() if "student| nats_to_bits(" in line]
    assert len(called) > 2
    assert any(" returned 1" in line for line in called)
    assert main(["appeal", "bob", SET, "--class", str(root), "--values"]) == 0
    out = capsys.readouterr().out.split(f"{HIDDEN} (hidden): 0 of 1")[1]
    assert "  student| nats_to_bits(1) returned 1.4427" in out.splitlines()


def test_every_test_cell_that_uses_checks_can_be_made_to_tell(course):
    from autograder.classroom.grading.observed import telling
    from autograder.problem_set.enclosure import enclosed_test
    from autograder.problem_set.source import find_problem_sets

    told = 0
    for problem_set in find_problem_sets(course, ["ps0-warmup", "ps1-information", "ps4-graphs"]):
        for source in problem_set.authored.values():
            if "Check(" in source:
                cell = telling(source, {"entropy", "nats_to_bits"})
                told += cell != source
                compile(enclosed_test(cell, problem_set.modules), "cell", "exec")
    assert told > 20
