"""What is shown of a class holds for the class as it is: replaced files, changed sets, grades given by hand."""

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.grading.current_results import (
    HANDED_IN_ANEW,
    NOT_IN_GRADEBOOK,
    NOT_YET,
    SET_CHANGED,
    current_outcomes,
)
from autograder.classroom.grading.gradebook import read_comments, read_grades, read_scores, read_waiting
from autograder.commands.main import main
from autograder.common.errors import AutograderError
from autograder.problem_set.source import find_problem_sets, is_prose
from autograder.reports.feedback import write_feedback
from tests.support.copied_sets import copy_set
from tests.support.scripted import Scripted, hand_in, script
from tests.support.tables import rows

SET = "ps0-warmup"
ADA, BOB = Submission("ada", SET), Submission("bob", SET)


@pytest.fixture
def directory(tmp_path, warmup):
    for student in ("ada", "bob"):
        hand_in(tmp_path / "class", warmup, student)
    directory = ClassDirectory(tmp_path / "class")
    grade_class(directory, [warmup], Scripted(), 1)
    return directory


def told(directory, warmup):
    return {s.student: (o.outcome, o.reason) for s, o in current_outcomes(directory, [warmup]).items()}


def changed_course(course, tmp_path, old, new):
    """A course with the warm-up alone, in which a text is another."""
    copy = tmp_path / "course"
    (copy / "solutions").mkdir(parents=True)
    (copy / "_toc.yml").touch()
    copy_set(course, SET, copy / "solutions" / SET)
    path = copy / "solutions" / SET / f"{SET}.md"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return copy


def test_nothing_has_changed(directory, warmup):
    assert told(directory, warmup) == {"ada": ("graded", ""), "bob": ("graded", "")}


def test_a_notebook_that_was_replaced_after_grading_has_no_old_score(directory, warmup, capsys):
    write_feedback(directory, [warmup])
    hand_in(directory.root, warmup, "ada", script(fails="no"))
    assert told(directory, warmup) == {"ada": ("not-graded", HANDED_IN_ANEW), "bob": ("graded", "")}
    for command in ("export", "report", "feedback", "status"):
        assert main([command, SET, "--class", str(directory.root)]) == 3
        out, err = capsys.readouterr()
        assert "ada" in (out if command == "status" else err)
    scores = {row["student_id"]: (row["score"], row["outcome"]) for row in rows(directory.root / "grades.csv")}
    assert scores == {"ada": ("", "not-graded"), "bob": ("1", "graded")}
    assert not directory.feedback_page(ADA).exists(), "the page of other work is still there to give back"
    assert HANDED_IN_ANEW in (directory.report / "index.html").read_text(encoding="utf-8")


def test_one_that_failed_does_not_stay_so_once_it_was_handed_in_again(directory, warmup):
    path = hand_in(directory.root, warmup, "ada")
    path.write_text("{")
    assert grade_class(directory, [warmup], Scripted(), 1).outcomes[ADA].outcome == "failed"
    assert told(directory, warmup)["ada"][0] == "failed"
    hand_in(directory.root, warmup, "ada")
    assert told(directory, warmup)["ada"] == ("not-graded", HANDED_IN_ANEW)


def test_what_was_never_graded_or_interrupted_is_named(directory, warmup, capsys):
    directory.forget_outcome(BOB)
    hand_in(directory.root, warmup, "eve")
    assert told(directory, warmup) == {
        "ada": ("graded", ""),
        "bob": ("not-graded", NOT_YET),
        "eve": ("not-graded", NOT_YET),
    }
    assert main(["export", SET, "--class", str(directory.root)]) == 3
    assert f"not graded: {SET}: bob, eve: {NOT_YET}." in capsys.readouterr().err


def test_a_grade_that_the_gradebook_has_lost_is_named(directory, warmup):
    with Gradebook(directory.database_url) as gradebook:
        gradebook.remove_submission(SET, "ada")
    assert told(directory, warmup)["ada"] == ("not-graded", NOT_IN_GRADEBOOK)


def test_a_class_in_which_nothing_was_graded_is_refused(tmp_path, warmup):
    hand_in(tmp_path, warmup, "ada")
    with pytest.raises(AutograderError, match="Nothing was graded in"):
        current_outcomes(ClassDirectory(tmp_path), [warmup])


def test_a_set_that_changed_has_no_old_scores(directory, course, tmp_path, warmup, capsys):
    copy = changed_course(course, tmp_path, "### BEGIN HIDDEN TESTS\n", "### BEGIN HIDDEN TESTS\nassert True\n")
    (changed,) = find_problem_sets(copy, [SET])
    assert told(directory, changed) == dict.fromkeys(("ada", "bob"), ("not-graded", SET_CHANGED))
    assert main(["export", SET, "--class", str(directory.root), "--course", str(copy)]) == 3
    assert f"not graded: {SET}: ada, bob: {SET_CHANGED}." in capsys.readouterr().err
    assert grade_class(directory, [changed], Scripted(), 1).graded_now == 2
    assert told(directory, changed) == {"ada": ("graded", ""), "bob": ("graded", "")}


def test_after_a_release_the_diagnoses_come(course, tmp_path, warmup):
    copy = tmp_path / "course"
    (copy / "solutions").mkdir(parents=True)
    copy_set(course, SET, copy / "solutions" / SET)
    kept = (copy / "solutions" / SET / "behaviour.json").read_text(encoding="utf-8")
    (copy / "solutions" / SET / "behaviour.json").unlink()
    (problem_set,) = find_problem_sets(copy, [SET])
    hand_in(tmp_path / "class", problem_set, "ada", script(fails="no"))
    directory = ClassDirectory(tmp_path / "class")
    batch = grade_class(directory, [problem_set], Scripted(), 1)
    assert batch.changed_sets == [SET]
    # A release writes this file.
    (copy / "solutions" / SET / "behaviour.json").write_text(kept, encoding="utf-8")
    batch = grade_class(directory, [problem_set], Scripted(), 1)
    assert (batch.graded_now, batch.changed_sets) == (1, [])


# ---- by hand


@pytest.fixture(scope="module")
def with_prose(course):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    return problem_set, next(c.metadata.nbgrader.grade_id for c in problem_set.notebook.cells if is_prose(c))


def test_what_a_person_graded_no_longer_needs_manual_grading(tmp_path, with_prose, monkeypatch):
    problem_set, prose = with_prose
    directory, name = ClassDirectory(tmp_path), problem_set.name
    ada = Submission("ada", name)
    hand_in(tmp_path, problem_set, "ada")

    def outcomes():
        graded = grade_class(directory, [problem_set], Scripted(), 1)
        assert graded.outcomes[ada].outcome == current_outcomes(directory, [problem_set])[ada].outcome
        return graded.graded_now, graded.outcomes[ada].outcome

    assert outcomes() == (1, "needs-manual-grading")
    assert read_waiting(directory, name) == {"ada": {prose}}
    with Gradebook(directory.database_url) as gradebook:
        grade = gradebook.find_grade(prose, name, name, "ada")
        grade.manual_score, grade.needs_manual_grade = 3.0, False
        gradebook.db.commit()
    assert outcomes() == (0, "graded")
    # A changed answer awaits a second look, though it has points.
    path = directory.submission_folder(ada) / f"{name}.ipynb"
    notebook = nbformat.read(path, 4)
    next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == prose).source = "Otherwise."
    nbformat.write(notebook, path)
    assert outcomes() == (1, "needs-manual-grading")
    # Other tools than the formgrader change the points and leave the flag.
    with Gradebook(directory.database_url) as gradebook:
        gradebook.find_grade(prose, name, name, "ada").manual_score = 2.0
        gradebook.db.commit()
    assert outcomes() == (0, "graded")


def test_a_test_is_added_to_a_graded_set_in_one_command_and_work_by_hand_stays(directory, course, tmp_path, warmup):
    hidden = "nats_to_bits-hidden"
    with Gradebook(directory.database_url) as gradebook:
        grade = gradebook.find_grade(hidden, SET, SET, "ada")
        grade.manual_score, grade.needs_manual_grade = 0.25, False
        gradebook.find_comment("nats_to_bits", SET, SET, "ada").manual_comment = "Nearly."
        gradebook.db.commit()
    copy = changed_course(course, tmp_path, "", "")
    source = copy / "solutions" / SET / f"{SET}.md"
    text = source.read_text(encoding="utf-8")
    begin = text.rindex("```{code-cell}", 0, text.index("grade_id: nats_to_bits-values"))
    end = text.index("\n```\n", begin) + len("\n```\n")
    added = text[begin:end].replace("nats_to_bits-values", "nats_to_bits-more")
    source.write_text(f"{text[:end]}\n{added}{text[end:]}", encoding="utf-8")
    (longer,) = find_problem_sets(copy, [SET])
    assert longer.tests.keys() - warmup.tests.keys() == {"nats_to_bits-more"}
    batch = grade_class(directory, [longer], Scripted(), 1)
    assert (batch.graded_now, batch.refused) == (2, {})
    assert read_scores(directory, longer)["ada"].keys() == longer.tests.keys()
    assert read_grades(directory, longer) == {"ada": {"nats_to_bits": 0.25}, "bob": {"nats_to_bits": 1.0}}
    assert read_waiting(directory, SET) == {"ada": set(), "bob": set()}
    assert read_comments(directory, longer)["ada"] == {"nats_to_bits": "Nearly."}
    # And taken away again.
    assert grade_class(directory, [warmup], Scripted(), 1).graded_now == 2
    assert read_grades(directory, warmup)["ada"] == {"nats_to_bits": 0.25}
