"""An instructor's workflow: a sample class is made and graded; broken submissions; resuming."""

import copy
import os
import shutil
import subprocess
import sys
from collections import Counter

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.utils import determine_grade

from autograder.classroom import formgrader
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.grading.gradebook import read_grades
from autograder.classroom.sample_class import make_submissions
from autograder.commands.main import main
from autograder.common.atomic_files import write_notebook
from autograder.common.errors import AutograderError
from autograder.engine.execution import Executed
from autograder.problem_set.known_behaviour import known_behaviour
from autograder.problem_set.source import find_problem_sets, grade_id
from autograder.problem_set.versions import student_version
from tests.support.graded import LAST, SETS, STUDENTS
from tests.support.tables import rows

pytestmark = pytest.mark.usefixtures("warm_engine")

NAMES = ["ps0-warmup"]


def test_each_student_gets_the_score_the_bank_promises(graded_class, course):
    promised = {(row["student_id"], row["assignment"]): row["score"] for row in rows(graded_class / "promised.csv")}
    assert len(promised) == len(SETS) * STUDENTS
    for problem_set in find_problem_sets(course, SETS):
        grades = read_grades(ClassDirectory(graded_class), problem_set)
        for student, items in grades.items():
            automatic = sum(items[name] for name, item in problem_set.items.items() if not item.by_hand)
            assert automatic == float(promised[student, problem_set.name]), f"{student}, {problem_set.name}"


def test_a_class_large_enough_holds_every_bank_entry(course):
    for problem_set in find_problem_sets(course, SETS):
        entries = Counter(entry.replaces for entry in problem_set.bank)
        students = max(entries.values()) + 2  # except the first and the last: all right, and not attempted
        texts = {
            cell.source for sample in make_submissions(problem_set, students, seed=1) for cell in sample.notebook.cells
        }
        for entry in problem_set.bank:
            assert entry.code in texts, f"{problem_set.name}: no student gave {entry}"


def test_answers_in_words_differ_and_give_no_rubric_away(course):
    for problem_set in find_problem_sets(course, ["ps1-information", "ps6-logistic-regression"]):
        samples = make_submissions(problem_set, 20, seed=1)
        in_words = [item.name for item in problem_set.items.values() if item.by_hand]
        assert in_words
        for item in in_words:
            texts = [next(c.source for c in s.notebook.cells if grade_id(c) == item) for s in samples]
            assert len(set(texts)) > 10
            assert not any("ubric" in text for text in texts)
            assert texts[0] in problem_set.reference_answers[item]
            assert all(texts)


def test_the_same_seed_gives_the_same_class_and_another_seed_another(course):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    first, again, other = (
        [(s.notebook, s.score) for s in make_submissions(problem_set, 6, seed)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_what_a_person_grades_is_counted_and_left_open(graded_class, course):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    directory = ClassDirectory(graded_class)
    kinds = {outcome.outcome for outcome in directory.outcomes([problem_set.name]).values()}
    assert kinds == {"needs-manual-grading", "graded"}  # the last student handed in the notebook as it was
    first = read_grades(directory, problem_set)["student-01"]
    assert None in first.values()


def test_a_misconception_of_the_bank_is_diagnosed_as_itself_or_as_one_that_answers_alike(graded_class, course):
    for problem_set in find_problem_sets(course, SETS):
        assert known_behaviour(problem_set), f"{problem_set.name} has changed; run: autograder release"
        by_name = {(entry.replaces, entry.name): entry for entry in problem_set.bank}
        chosen = {s.submission.student: s.entries for s in make_submissions(problem_set, STUDENTS, 1)[:-1]}
        outcomes = ClassDirectory(graded_class).outcomes([problem_set.name])
        wrong = same = 0
        for submission, outcome in outcomes.items():
            for entry in chosen.get(submission.student, ()):
                if entry.kind == "misconception":
                    wrong += 1
                    found = by_name[entry.replaces, outcome.diagnoses[entry.replaces]]
                    assert found.loses == entry.loses, f"{submission}: {entry} is taken for {found}"
                    same += found == entry
            right = {entry.replaces for entry in chosen.get(submission.student, ()) if entry.kind == "alternative"}
            assert not right & outcome.diagnoses.keys()
        assert wrong > 5
        assert same >= 0.9 * wrong


def test_grading_again_changes_nothing(graded_class, capsys):
    before = (graded_class / "gradebook.db").read_bytes()
    assert main(["grade", "--class", str(graded_class)]) == 0
    assert f"{len(SETS) * STUDENTS} unchanged" in capsys.readouterr().out
    assert (graded_class / "gradebook.db").read_bytes() == before


def stamp_of(root, student):
    return (root / "autograded" / student / "ps1-information" / "ps1-information.ipynb").stat().st_mtime_ns


@pytest.mark.parametrize("way", ["stock", "engine"])
@pytest.mark.sampled(1)
def test_nbgraders_own_command_gives_the_same_scores(graded_class, course, tmp_path, way):
    """The class directory is nbgrader's: its own command grades it, with this engine or, without our setting, its own."""
    copied = tmp_path / "class"
    shutil.copytree(graded_class, copied)
    config = copied / "nbgrader_config.py"
    text = config.read_text(encoding="utf-8")
    assert "autograder.classroom.formgrader.ExecuteInSandbox" in text
    if way == "stock":
        config.write_text(
            text.replace("autograder.classroom.formgrader.ExecuteInSandbox", "nbgrader.preprocessors.Execute")
        )
    students = ["student-02", LAST]
    command = [
        sys.executable,
        "-m",
        "nbgrader",
        "autograde",
        "ps1-information",
        "--student",
        "student-[01]2",
        "--force",
    ]
    environment = os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
    graded_at = {student: stamp_of(copied, student) for student in students}
    run = subprocess.run(command, cwd=copied, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert all(stamp_of(copied, student) != graded_at[student] for student in students)
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    ours = read_grades(ClassDirectory(graded_class), problem_set)
    theirs = read_grades(ClassDirectory(copied), problem_set)
    assert {student: theirs[student] for student in students} == {student: ours[student] for student in students}


def test_nbgraders_button_leaves_to_a_person_what_could_not_be_judged(graded_class, monkeypatch):
    """A test cell without outputs would count as passed there."""
    hidden, given = "nats_to_bits-hidden", []
    measured = {hidden: {"0": 0.25}}

    def execute(notebook, reference=None, undrawn=()):
        given.append(reference)
        return Executed(notebook, awaiting={hidden: "why"}, measured=measured)

    monkeypatch.setattr(formgrader, "_executor", lambda root: execute)
    folder = graded_class / "autograded" / "student-01" / "ps0-warmup"
    formgrader._set_in.cache_clear()
    executed, _ = formgrader.ExecuteInSandbox().preprocess(None, {"metadata": {"path": str(folder)}})
    formgrader._set_in.cache_clear()
    (cell,) = [cell for cell in executed.cells if grade_id(cell) == hidden]
    assert determine_grade(cell) == (None, 1.0)
    assert given == [None, measured]  # the reference, then the submission beside it


def test_another_gradebook_is_filled(graded_class, course, tmp_path, capsys):
    copied = tmp_path / "class"
    shutil.copytree(graded_class, copied)
    url = f"sqlite:///{tmp_path / 'other.db'}"
    assert main(["grade", "ps0-warmup", "--class", str(copied), "--db", url]) == 0
    assert "unchanged" not in capsys.readouterr().out
    (problem_set,) = find_problem_sets(course, ["ps0-warmup"])
    assert read_grades(ClassDirectory(copied), problem_set) == read_grades(ClassDirectory(graded_class), problem_set)


# ---- bad input: one broken submission stops no other


@pytest.fixture(scope="session")
def broken_class(tmp_path_factory, warmup):
    """A class in which nearly everything that can go wrong has gone wrong."""
    root = tmp_path_factory.mktemp("broken class")
    assert main(["sample-class", "ps0-warmup", "--class", str(root), "--students", "1"]) == 0
    shutil.rmtree(root / "submitted" / "student-01")
    (root / "promised.csv").unlink()
    solved = student_version(warmup)
    for cell in solved.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = warmup.reference_answers["nats_to_bits"]

    def submit(student, notebook=None, text=None, name="ps0-warmup.ipynb"):
        path = root / "submitted" / student / "ps0-warmup" / name
        if text is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        else:
            write_notebook(notebook or solved, path)

    submit("good")
    submit("name with space")
    submit("Žofie Müller-李")
    submit("renamed", name="my homework (1).ipynb")
    submit("not json", text="this is my homework")
    submit("not utf8", text=b"\xff\xfe\x00")
    submit("no cells", text='{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}')
    (root / "submitted" / "empty folder" / "ps0-warmup").mkdir(parents=True)
    removed = copy.deepcopy(solved)
    removed.cells = [
        c for c in removed.cells if c.metadata.get("nbgrader", {}).get("grade_id") != "nats_to_bits-hidden"
    ]
    submit("cell removed", removed)
    doubled = copy.deepcopy(solved)
    doubled.cells += copy.deepcopy([c for c in solved.cells if "nbgrader" in c.metadata])
    submit("cells doubled", doubled)
    dead = copy.deepcopy(solved)
    dead.cells[-1]["cell_type"] = "code"
    dead.cells[-1].update(source="import os; os._exit(1)", outputs=[], execution_count=None)
    submit("dead kernel", dead)
    submit("two files", name="a.ipynb")
    submit("two files", name="b.ipynb")
    (root / "submitted" / "stray file").write_text("not a student")
    return root


EXPECTED = {
    "good": "graded",
    "name with space": "graded",
    "Žofie Müller-李": "graded",
    "renamed": "graded",
    "cell removed": "graded",
    "cells doubled": "graded",
    "not json": "failed",
    "not utf8": "failed",
    "no cells": "failed",
    "empty folder": "failed",
    "dead kernel": "failed",
    "two files": "failed",
}


@pytest.fixture(scope="session")
def graded_broken_class(broken_class):
    command = [sys.executable, "-m", "autograder", "grade", "ps0-warmup", "--class", str(broken_class)]
    return broken_class, subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_broken_submission_is_named_with_its_reason_and_stops_no_other(graded_broken_class):
    root, run = graded_broken_class
    assert run.returncode == 3, run.stderr
    outcomes = {s.student: o for s, o in ClassDirectory(root).outcomes(NAMES).items()}
    assert {student: outcome.outcome for student, outcome in outcomes.items()} == EXPECTED
    for student, outcome in outcomes.items():
        if outcome.outcome == "failed":
            assert f"failed: {student}, ps0-warmup: {outcome.reason}" in run.stderr
    assert "6 failed, 6 graded" in run.stdout


def test_a_failed_submission_is_exported_blank_and_never_as_zero(graded_broken_class, warmup):
    root, _ = graded_broken_class
    assert main(["export", "ps0-warmup", "--class", str(root)]) == 3  # some have failed
    scores = {row["student_id"]: row["score"] for row in rows(root / "grades.csv")}
    assert scores == {student: "1" if outcome == "graded" else "" for student, outcome in EXPECTED.items()}
    with Gradebook(ClassDirectory(root).database_url) as gradebook:
        assert {s.student.id for s in gradebook.assignment_submissions("ps0-warmup")} == {
            student for student, outcome in EXPECTED.items() if outcome == "graded"
        }


def test_feedback_and_report_of_a_broken_class_name_the_reasons(graded_broken_class):
    root, _ = graded_broken_class
    assert main(["feedback", "ps0-warmup", "--class", str(root)]) == 3
    page = (root / "feedback" / "not json" / "ps0-warmup" / "ps0-warmup.html").read_text(encoding="utf-8")
    assert "not valid JSON" in page
    assert "not even 0" in page
    assert main(["report", "ps0-warmup", "--class", str(root)]) == 3
    report = (root / "report" / "index.html").read_text(encoding="utf-8")
    assert "not valid JSON" in report


def test_a_repaired_submission_is_graded_and_a_spoiled_one_loses_its_grade(tmp_path, warmup):
    assert main(["sample-class", "ps0-warmup", "--class", str(tmp_path), "--students", "2"]) == 0
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path)]) == 0
    path = tmp_path / "submitted" / "student-01" / "ps0-warmup" / "ps0-warmup.ipynb"
    text = path.read_text(encoding="utf-8")
    path.write_text("gone", encoding="utf-8")
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path)]) == 3
    assert "student-01" not in read_grades(ClassDirectory(tmp_path), warmup)
    assert not (tmp_path / "autograded" / "student-01" / "ps0-warmup" / "ps0-warmup.ipynb").exists()
    path.write_text(text, encoding="utf-8")
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path)]) == 0
    assert "student-01" in read_grades(ClassDirectory(tmp_path), warmup)


def test_a_killed_run_goes_on_where_it_was(tmp_path, warmup, executor):
    assert main(["sample-class", "ps0-warmup", "--class", str(tmp_path), "--students", "4"]) == 0
    directory = ClassDirectory(tmp_path)

    class Killed(BaseException):
        pass

    def kill_after_two(submission, outcome, seen=[]):  # noqa: B006
        seen.append(submission)
        if len(seen) == 2:
            raise Killed

    with pytest.raises(Killed):
        grade_class(directory, [warmup], executor, 1, finished=kill_after_two)
    assert len(directory.outcomes(NAMES)) == 2
    batch = grade_class(directory, [warmup], executor, 1)
    assert batch.graded_now == 2
    promised = {row["student_id"]: float(row["score"]) for row in rows(tmp_path / "promised.csv")}
    grades = read_grades(directory, warmup)
    assert {student: sum(items.values()) for student, items in grades.items()} == promised


def test_a_grade_given_by_hand_survives_grading_again(tmp_path, warmup):
    assert main(["sample-class", "ps0-warmup", "--class", str(tmp_path), "--students", "1"]) == 0
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path)]) == 0
    directory = ClassDirectory(tmp_path)
    with Gradebook(directory.database_url) as gradebook:
        grade = gradebook.find_grade("nats_to_bits-hidden", "ps0-warmup", "ps0-warmup", "student-01")
        grade.manual_score = 0.5
        gradebook.db.commit()
    directory.forget_outcome(Submission("student-01", "ps0-warmup"))
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path)]) == 0
    assert read_grades(directory, warmup) == {"student-01": {"nats_to_bits": 0.5}}


def test_nothing_is_graded_where_the_reference_solution_loses_points(tmp_path, warmup, executor):
    assert main(["sample-class", "ps0-warmup", "--class", str(tmp_path), "--students", "1"]) == 0

    class Broken:
        name = "broken"

        def start(self, jobs):
            pass

        def __call__(self, notebook, reference=None, undrawn=()):
            executed = executor(notebook)
            for cell in executed.notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]
            return executed

    with pytest.raises(AutograderError, match="the reference solution loses points here"):
        grade_class(ClassDirectory(tmp_path), [warmup], Broken(), 1)
    assert ClassDirectory(tmp_path).outcomes(NAMES) == {}
