"""The machine's failures never count against a student: what could not be graded is reported, and tried again."""

import ast
import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from sqlalchemy import event, text

from autograder.classroom.directory import ClassDirectory, Outcome, Submission, summary
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.grading.gradebook import open_gradebook, read_grades, record_grades, record_source
from autograder.commands.main import main
from autograder.common import atomic_files
from autograder.common.errors import MachineError
from autograder.engine.execution import package_versions
from autograder.engine.sandbox import PACKAGE
from autograder.engine.score import Graded
from autograder.problem_set.source import ProblemSet, is_test
from autograder.reports.feedback import write_feedback
from tests.support import ROOT
from tests.support.copied_sets import copy_set
from tests.support.scripted import Scripted, hand_in, script

SET, OTHER = "ps0-warmup", "ps1-other"
ADA, BOB = Submission("ada", SET), Submission("bob", SET)


class Unreliable(Scripted):
    """A machine that, while `down`, fails at submissions that say so."""

    def __init__(self, down=True):
        super().__init__()
        self.down = down

    def __call__(self, notebook, reference=None, undrawn=()):
        if self.down and any("# script machine" in cell.source for cell in notebook.cells):
            raise MachineError("the sandbox did not start.")
        return super().__call__(notebook, reference, undrawn)


@pytest.fixture
def directory(tmp_path, warmup):
    hand_in(tmp_path, warmup, "ada", script(machine="fails"))
    hand_in(tmp_path, warmup, "bob")
    return ClassDirectory(tmp_path)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def test_what_the_machine_failed_at_stops_nobody_and_is_tried_again(directory, warmup):
    machine = Unreliable()
    batch = grade_class(directory, [warmup], machine, 1)
    assert batch.outcomes[ADA].outcome == "not-graded"
    assert batch.outcomes[ADA].reason == "the sandbox did not start"
    assert batch.outcomes[BOB].outcome == "graded"
    assert summary(batch.outcomes.values()) == "1 graded, 1 not graded"
    assert set(read_grades(directory, warmup)) == {"bob"}
    batch = grade_class(directory, [warmup], machine, 1)
    assert batch.graded_now == 1
    assert batch.outcomes[ADA].outcome == "not-graded"
    machine.down = False
    batch = grade_class(directory, [warmup], machine, 1)
    assert batch.outcomes[ADA].outcome == "graded"
    assert set(read_grades(directory, warmup)) == {"ada", "bob"}


def test_an_earlier_grade_stays_if_it_is_of_the_same_work_and_is_shown_nowhere(directory, warmup):
    machine = Unreliable(down=False)
    grade_class(directory, [warmup], machine, 1)
    write_feedback(directory, [warmup])
    assert directory.feedback_page(ADA).is_file()
    machine.down, machine.name = True, "another engine"
    for _ in range(2):
        grade_class(directory, [warmup], machine, 1)
        assert directory.outcome(ADA).outcome == "not-graded"
        assert read_grades(directory, warmup)["ada"] == {"nats_to_bits": 1.0}
    write_feedback(directory, [warmup])
    assert not directory.feedback_page(ADA).exists()
    assert directory.feedback_page(BOB).is_file()

    # Another attempt, which must not get the grade of the first.
    hand_in(directory.root, warmup, "ada", script(machine="fails") + "# changed")
    grade_class(directory, [warmup], machine, 1)
    assert "ada" not in read_grades(directory, warmup)
    assert not directory.graded_notebook(ADA).exists()


def test_the_commands_name_what_was_not_graded(directory, monkeypatch, capsys):
    root = str(directory.root)
    with scripted_command(monkeypatch, Unreliable()):
        assert main(["grade", SET, "--class", root]) == 3
    out, err = capsys.readouterr()
    assert "1 graded, 1 not graded" in out
    assert f"not graded: ada, {SET}: the sandbox did not start" in err
    assert "1 submission could not be graded on this machine; the next run tries again." in err
    assert main(["export", SET, "--class", root]) == 3
    told = capsys.readouterr()
    assert "not graded" in told.out
    assert f"not graded: {SET}: ada: the sandbox did not start" in told.err
    exported = rows(directory.root / "grades.csv")
    assert (exported["ada"]["score"], exported["ada"]["outcome"]) == ("", "not-graded")
    assert exported["bob"]["score"] == "1"
    assert main(["report", SET, "--class", root]) == 3
    report = (directory.root / "report" / "index.html").read_text(encoding="utf-8")
    assert "<h3>Not graded</h3>" in report
    assert "the sandbox did not start" in report
    capsys.readouterr()
    assert main(["feedback", SET, "--class", root]) == 3
    assert "Feedback on 1 submissions" in capsys.readouterr().out
    assert not directory.feedback_page(ADA).exists()


def test_a_machine_that_fails_at_the_reference_solution_grades_nothing(directory, warmup, monkeypatch, capsys):
    class Down(Scripted):
        def __call__(self, notebook, reference=None, undrawn=()):
            raise MachineError("no process could be started.")

    with pytest.raises(MachineError, match=r"the reference solution could not be graded \(no process could be started"):
        grade_class(directory, [warmup], Down(), 1)
    with scripted_command(monkeypatch, Down()):
        assert main(["grade", SET, "--class", str(directory.root)]) == 3
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"autograder: the machine failed: {SET}: ")
    assert directory.outcomes([SET]) == {}


@pytest.fixture
def two_sets(course, tmp_path):
    """A course with the warm-up and a copy of it; one student has handed in both."""
    for name in (SET, OTHER):
        folder = tmp_path / "course" / "solutions" / name
        copy_set(course, SET, folder)
        (folder / f"{SET}.md").rename(folder / f"{name}.md")
        hand_in(tmp_path / "class", ProblemSet(folder), "ada")
    return tmp_path


def in_class(two_sets, command, *words):
    return main(["--course", str(two_sets / "course"), "--class", str(two_sets / "class"), command, *words])


@pytest.mark.parametrize(
    ("file", "replace", "by", "says"),
    [
        (f"{OTHER}.md", "points: 1", "points: many", "its points are 'many'"),
        ("bank/nats_to_bits.md", "kind: misconception", "kind: ", "kind must be text"),
        ("bank", None, None, "contains no known answers"),
    ],
)
@pytest.mark.sampled(1)
def test_a_half_written_set_stops_no_other(two_sets, monkeypatch, capsys, file, replace, by, says):
    path = two_sets / "course" / "solutions" / OTHER / file
    if replace is None:
        shutil.rmtree(path)
    else:
        path.write_text(path.read_text(encoding="utf-8").replace(replace, by, 1), encoding="utf-8")
    with scripted_command(monkeypatch, Scripted()):
        assert in_class(two_sets, "grade") == 3
        told = capsys.readouterr()
        assert told.out.startswith("1 submissions: 1 graded.")
        left_out, waiting = told.err.splitlines()
        assert left_out.startswith(f"left out: {OTHER}: {path}")
        assert says in left_out
        assert waiting == f"not graded: ada, {OTHER}: the set cannot be read."
        for command in ("feedback", "report", "export"):
            assert in_class(two_sets, command) == 3
            assert capsys.readouterr().err.splitlines() == [left_out]
        assert in_class(two_sets, "grade", OTHER) == 1
        assert says in capsys.readouterr().err
        shutil.rmtree(two_sets / "class" / "submitted" / "ada" / OTHER)
        assert in_class(two_sets, "grade") == 0, "nobody waits for it"
        assert capsys.readouterr().err.splitlines() == [left_out]


def test_a_set_whose_reference_solution_fails_stops_no_other(two_sets, monkeypatch, capsys):
    class Partial(Scripted):
        def __call__(self, notebook, reference=None, undrawn=()):
            executed = super().__call__(notebook, reference, undrawn)
            if executed.notebook.metadata.autograder.problem_set == OTHER:
                for cell in executed.notebook.cells:
                    if is_test(cell):
                        cell.outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]
            return executed

    (two_sets / "class" / "roster.csv").write_text("student_id\nada\n")
    with scripted_command(monkeypatch, Partial()):
        assert in_class(two_sets, "grade") == 3
        told = capsys.readouterr()
        assert "1 submissions: 1 graded." in told.out
        assert "missing" not in told.out
        assert told.err.startswith(f"not graded: {OTHER}: the reference solution loses points here in nats_to_bits-hid")
    directory = ClassDirectory(two_sets / "class")
    assert set(directory.outcomes([SET, OTHER])) == {ADA}


def test_a_fault_of_the_autograder_itself_stops_no_other(directory, warmup):
    class Faulty(Scripted):
        def __call__(self, notebook, reference=None, undrawn=()):
            if any("# script machine" in cell.source for cell in notebook.cells):
                raise ZeroDivisionError("division by zero")
            return super().__call__(notebook, reference, undrawn)

    outcomes = grade_class(directory, [warmup], Faulty(), 1).outcomes
    assert outcomes[ADA].outcome == "not-graded"
    assert "ZeroDivisionError" in outcomes[ADA].reason
    assert outcomes[BOB].outcome == "graded"


# ---- no room, no rights


def no_room(at):
    """Return a `_replace` that reports a full disk for files of this name."""
    whole = atomic_files._replace

    def replace(path, data, private):
        if path.name == at:
            raise OSError(28, os.strerror(28), str(path))
        return whole(path, data, private)

    return replace


@pytest.mark.parametrize("file", ["outcome.json", f"{SET}.ipynb", "seen_by_hand.json", "messages.json"])
@pytest.mark.sampled(2)
def test_a_disk_that_is_full_ends_the_run_in_a_sentence_and_leaves_no_half_result(directory, warmup, monkeypatch, file):
    with monkeypatch.context() as patched:
        patched.setattr(atomic_files, "_replace", no_room(file))
        with pytest.raises(MachineError, match="No space left on device; finished work is kept"):
            grade_class(directory, [warmup], Unreliable(down=False), 1)
    assert directory.outcomes([SET]) == {}
    batch = grade_class(directory, [warmup], Unreliable(down=False), 1)
    assert batch.graded_now == 2
    assert {items["nats_to_bits"] for items in read_grades(directory, warmup).values()} == {1.0}


def test_a_gradebook_without_room_ends_the_run_in_a_sentence(directory, warmup, monkeypatch, capsys):
    def full(self, *arguments, **named):
        self.db.execute(text("PRAGMA max_page_count = 1"))  # not a page more than it has
        self.db.execute(text("CREATE TABLE large AS SELECT zeroblob(1000000)"))

    with monkeypatch.context() as patched, scripted_command(monkeypatch, Unreliable(down=False)):
        patched.setattr("nbgrader.api.Gradebook.update_or_create_submission", full)
        assert main(["grade", SET, "--class", str(directory.root)]) == 3
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "gradebook.db cannot be used: database or disk is full; finished work is kept" in sentence
    assert directory.outcomes([SET]) == {}


@pytest.mark.parametrize("kilobytes", [120, 40, 300])  # with 40, the disk is full for certain: the sample
@pytest.mark.sampled(1)
def test_a_class_on_a_disk_that_fills_up(tmp_path, warmup, kilobytes):
    """On a real, small disk, at several moments; then with enough space."""
    disk = tmp_path / "disk"
    disk.mkdir()
    for student in ("ada", "bob"):
        hand_in(tmp_path / "class", warmup, student)
    run = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.support.scripted import Scripted
from autograder.commands import grade
from autograder.commands.main import main
Scripted.__enter__, Scripted.__exit__ = lambda self: self, lambda self, *details: None
grade._executor = lambda options, directory: Scripted()
words = ["grade", {SET!r}, "--class", {str(disk / "class")!r}, "--jobs", "1"]
print("FIRST", main(words))
import os
os.unlink({str(disk / "filling")!r})
print("SECOND", main(words), main(["export", *words[1:4]]))
print(open({str(disk / "class" / "grades.csv")!r}).read())
"""
    size = sum(path.stat().st_size // 4096 * 4 + 4 for path in (tmp_path / "class").rglob("*")) + kilobytes
    mount = (
        f"mount -t tmpfs -o size={50_000 + size}k none {disk} && fallocate -l 50000KiB {disk}/filling && "
        f'cp -r {tmp_path}/class {disk}/ && exec {sys.executable} -c "$0"'
    )
    root = [] if os.geteuid() == 0 else ["--map-root-user"]  # in namespaces of its own, everybody may mount
    command = ["unshare", *root, "--mount", "sh", "-c", mount, run]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    if "FIRST" not in done.stdout and "permitted" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    assert "Traceback" not in done.stderr, done.stderr
    assert "SECOND 0 0" in done.stdout, done.stdout + done.stderr
    assert "ada,ps0-warmup,1,1,1,graded" in done.stdout
    first = done.stdout.split("FIRST ")[1][0]
    assert first == "3" if kilobytes == 40 else first in "03"
    if first == "3":
        (sentence,) = done.stderr.strip().splitlines()
        assert sentence.startswith("autograder: ")
        assert "full" in sentence or "No space left" in sentence


def test_a_folder_that_cannot_be_written_stops_nobody_else(directory, warmup, monkeypatch):
    whole = atomic_files._replace

    def replace(path, data, private):
        if "ada" in path.parts:
            raise PermissionError(13, os.strerror(13), str(path))
        return whole(path, data, private)

    with monkeypatch.context() as patched:
        patched.setattr(atomic_files, "_replace", replace)
        outcomes = grade_class(directory, [warmup], Unreliable(down=False), 1).outcomes
    assert outcomes[BOB].outcome == "graded"
    assert outcomes[ADA].outcome == "not-graded"
    assert "its result cannot be written: Cannot write" in outcomes[ADA].reason
    assert "Permission denied" in outcomes[ADA].reason
    assert grade_class(directory, [warmup], Unreliable(down=False), 1).graded_now == 1


@contextlib.contextmanager
def scripted_command(monkeypatch, executor):
    """Make the `grade` command use this executor."""
    with monkeypatch.context() as patched:
        patched.setattr(Scripted, "__enter__", lambda self: self, raising=False)
        patched.setattr(Scripted, "__exit__", lambda self, *details: None, raising=False)
        patched.setattr("autograder.commands.grade._executor", lambda options, directory: executor)
        yield


@contextlib.contextmanager
def as_ordinary_user():
    """Root may read and write anything: if the tests run as root, act as the user nobody."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_what_may_not_be_read_or_written_stops_nobody_else(warmup, monkeypatch, capsys, tmp_path):
    """An unreadable folder, subfolder and file, a hard link, and a results folder owned by someone else."""
    commands = ["grade", "feedback", "report", "export"]
    hand_in(tmp_path, warmup, "first")
    root = Path(tempfile.mkdtemp())  # not tmp_path: only its owner may enter that
    path = root / "submitted"

    def run(command, directory=root):
        code = main([command, SET, "--class", str(directory)])
        return code, *capsys.readouterr()

    with scripted_command(monkeypatch, Scripted()):
        for command in commands:  # the user nobody may be unable to read modules imported meanwhile
            assert run(command, tmp_path)[0] == 0
        hand_in(root, warmup, "honest")
        assert run("grade")[0] == 0  # the same holds for the program that makes a gradebook
        try:
            for student in ("other", "closed", "below", "file", "linked", "readonly"):
                hand_in(root, warmup, student)
            (path / "linked" / SET / f"{SET}.ipynb").unlink()
            os.link(path / "other" / SET / f"{SET}.ipynb", path / "linked" / SET / "mine.ipynb")
            (path / "below" / SET / "work").mkdir()
            (root / "autograded" / "readonly" / SET).mkdir(parents=True)
            for entry in [root, *root.rglob("*")] if os.geteuid() == 0 else []:
                os.chown(entry, 65534, 65534)
            closed = [path / "closed", path / "below" / SET / "work", path / "file" / SET / f"{SET}.ipynb"]
            for entry in closed:
                entry.chmod(0)
            (root / "autograded" / "readonly" / SET).chmod(0o555)
            with as_ordinary_user():
                code, out, err = run("grade")
                assert code == 3, err
                told = {line.split(":")[1].split(",")[0].strip(): line for line in err.splitlines() if SET in line}
                assert set(told) == {"closed", "below", "file", "linked", "other", "readonly"}, err
                assert all(line.startswith("not graded: ") for line in told.values())
                assert "cannot be read (Permission denied)" in told["closed"]
                assert "work cannot be read (Permission denied)" in told["below"]
                assert "a hard link" in told["linked"]
                assert "cannot be written" in told["readonly"]
                assert "1 graded, 6 not graded" in out
                for command in commands[1:]:
                    code, out, err = run(command)
                    assert code == 3
                    told = {s for line in err.splitlines() if SET in line for s in line.split(": ")[2].split(", ")}
                    assert told == {"closed", "below", "file", "linked", "other", "readonly"}, err
            for entry in [*closed, root / "autograded" / "readonly" / SET]:
                entry.chmod(0o755)
            (path / "linked" / SET / "mine.ipynb").unlink()
            hand_in(root, warmup, "linked")
            with as_ordinary_user():
                code, out, err = run("grade")
                assert code == 0, err
                assert "7 graded (1 unchanged" in out
        finally:
            for entry in [root, *root.rglob("*")]:
                entry.chmod(0o755)
            shutil.rmtree(root)


# ---- what counts as unchanged


def graded_now(directory, warmup, executor=None, again=None):
    return grade_class(directory, [warmup], executor or Unreliable(down=False), 1, again=again).graded_now


def test_what_decides_a_result_decides_whether_it_is_unchanged(directory, warmup, monkeypatch, tmp_path_factory):
    assert graded_now(directory, warmup) == 2
    assert graded_now(directory, warmup) == 0
    assert graded_now(directory, warmup, Scripted("another engine")) == 2
    assert graded_now(directory, warmup) == 2
    folder = directory.submission_folder(ADA)
    (folder / ".ipynb_checkpoints").mkdir()
    os.rename(folder / f"{SET}.ipynb", folder / ".ipynb_checkpoints" / f"{SET}.ipynb")
    assert grade_class(directory, [warmup], Unreliable(down=False), 1).outcomes[ADA].outcome == "failed"
    os.rename(folder / ".ipynb_checkpoints" / f"{SET}.ipynb", folder / f"{SET}.ipynb")
    assert graded_now(directory, warmup) == 1
    os.rename(folder / f"{SET}.ipynb", folder / "other.ipynb")
    assert graded_now(directory, warmup) == 1
    recorded = tmp_path_factory.mktemp("set") / "behaviour.json"
    recorded.write_text("{}")
    monkeypatch.setattr("autograder.classroom.grading.batch.behaviour_path", lambda problem_set: recorded)
    assert graded_now(directory, warmup) == 2


def test_the_version_of_every_package_that_runs_submissions_decides():
    rooms = [PACKAGE / "engine" / room for room in ("student", "examiner", "shared")]
    imported = set()
    for path in (path for room in rooms for path in room.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported |= {alias.name.split(".")[0] for alias in node.names} if isinstance(node, ast.Import) else set()
            imported |= {node.module.split(".")[0]} if isinstance(node, ast.ImportFrom) and not node.level else set()
    others = {name for name in imported - sys.stdlib_module_names - {"autograder"} if find_spec(name)}
    assert {name.casefold() for name in others} <= package_versions().keys()
    assert "ipykernel" in others


def test_again_also_grades_what_has_not_changed(directory, warmup, capsys):
    assert graded_now(directory, warmup) == 2
    assert graded_now(directory, warmup, again=["ada"]) == 1
    assert graded_now(directory, warmup, again=[]) == 2
    assert main(["grade", SET, "--class", str(directory.root), "--no-sandbox", "--again", "adam"]) == 2
    assert f"There is no submission of 'adam' for {SET} to grade again." in capsys.readouterr().err


def test_an_outcome_of_an_older_version_is_graded_again(directory, warmup):
    grade_class(directory, [warmup], Unreliable(down=False), 1)
    path = directory.graded_folder(ADA) / "outcome.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({key: kept[key] for key in ("outcome", "reason", "notices", "not_attempted")}))
    assert directory.outcome(ADA) == Outcome("graded")
    assert graded_now(directory, warmup) == 1


def test_a_result_is_recorded_in_one_transaction_or_not_at_all(tmp_path, warmup, source, monkeypatch):
    """nbgrader's own calls commit the student, the submission and the grades separately."""
    directory = ClassDirectory(tmp_path / "class")
    directory.prepare()
    record_source(directory, warmup.name, source)
    submission, graded = Submission("ada", warmup.name), Graded(source, dict.fromkeys(warmup.tests, 1.0))
    with open_gradebook(directory) as gradebook:
        commits = []
        event.listen(gradebook.engine, "commit", commits.append)
        monkeypatch.setattr(Gradebook, "find_submission_notebook", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            record_grades(gradebook, submission, graded)
        assert not commits
        assert not gradebook.students
        monkeypatch.undo()
        record_grades(gradebook, submission, graded)
        assert len(commits) == 1
        assert [student.id for student in gradebook.students] == ["ada"]
