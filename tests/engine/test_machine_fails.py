"""Engine processes that are stopped or killed from outside: the machine's fault, never the student's."""

import contextlib
import os
import signal
import threading

import nbformat
import pytest

from autograder.common.errors import MachineError, SubmissionError
from autograder.engine import submission_run, warm_processes
from autograder.engine.execution import SandboxExecutor
from autograder.engine.sandbox import Sandbox, require_sandbox
from autograder.engine.score import grade
from autograder.engine.shared.limits import Limits
from autograder.problem_set.source import answered
from autograder.problem_set.versions import student_version

LIMITS = Limits(cell_seconds=3, total_seconds=30)


@pytest.fixture
def engine():
    with SandboxExecutor(require_sandbox(), LIMITS) as executor:
        yield executor


@pytest.fixture
def hurried(monkeypatch):
    """Give up on a starting process after a few seconds."""
    for module in (warm_processes, submission_run):
        monkeypatch.setattr(module, "START", 10.0)


def score(engine, source, warmup):
    return grade(source, answered(student_version(warmup), warmup.reference_answers), engine).score


def children():
    """Return the children of each process, in the order in which they were started."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as stat:
            found.setdefault(int(stat.read().rsplit(")", 1)[1].split()[1]), []).append(int(name))
    return {parent: sorted(of_parent) for parent, of_parent in found.items()}


def below(process, depth=None):
    """Return a process's descendants, oldest first; with a depth, only those so many generations below."""
    known, found, generation = children(), [], [process]
    while generation:
        generation = [child for parent in generation for child in known.get(parent, [])]
        found.append(generation)
    if depth is None:
        return [child for generation in found for child in generation]
    return found[depth - 1] if depth <= len(found) else []


@pytest.mark.parametrize("which", ["base", "set"])
@pytest.mark.sampled(1)
def test_an_examiner_that_does_not_answer_costs_nobody_a_point(engine, source, warmup, hurried, which):
    """Once, every test of every submission awaited manual grading, or the grader waited for ever."""
    if which == "set":
        assert score(engine, source, warmup) == 1.0
    else:
        engine.examiner.wait()
    stopped = below(engine.examiner.process.pid)[-1]
    os.kill(stopped, signal.SIGSTOP)
    try:
        assert score(engine, source, warmup) == 1.0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(stopped, signal.SIGCONT)


def test_a_runner_killed_from_outside_again_and_again_is_the_machines_fault(engine):
    """Process 1 of a namespace cannot be killed from inside, so the killer was outside."""
    over = threading.Event()

    def kill():
        while not over.wait(0.05):
            for student in engine.students:
                process = student.process
                # Below bubblewrap are its own process, the warm process, supervisors and their runners.
                for runner in below(process.pid, 4) if process else ():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(runner, signal.SIGKILL)

    engine.start(1)
    engine.students[0].wait()
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        # On a busy machine, the killer may meet a supervisor that has not yet started its runner.
        with pytest.raises(MachineError, match="killed from outside|supervisor of a submission has ended"):
            engine(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import time; time.sleep(5)")]))
    finally:
        over.set()
        killer.join()


def test_a_submission_cannot_pretend_to_be_killed_from_outside(engine):
    code = "import os, signal\nfor _ in range(3): os.kill(os.getpid(), signal.SIGKILL)\nprint('alive')"
    executed = engine(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]))
    assert executed.notebook.cells[0].outputs[0].text == "alive\n"
    with pytest.raises(SubmissionError, match="died while running"):
        engine(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import ctypes; ctypes.string_at(0)")]))


def test_many_cells_that_wait_are_given_up_together():
    """Two thousand cells, each waiting a little less than its limit, once held a worker for days."""
    limits = Limits(cell_seconds=2, total_seconds=3, patience=1)
    cells = [nbformat.v4.new_code_cell("import time; time.sleep(1.2)") for _ in range(20)]
    with SandboxExecutor(require_sandbox(), limits) as executor:
        executor.start(1)
        with pytest.raises(SubmissionError, match="together waited for too long"):
            executor(nbformat.v4.new_notebook(cells=cells))


def test_tests_that_wait_are_given_up_together(source, warmup):
    """Tests judged before count; the others are left for a person."""
    name = next(iter(warmup.reference_answers))
    slow = (
        warmup.reference_answers[name]
        + f"\n_fast = {name}\ndef {name}(*args):\n    import time; time.sleep(1.1)\n    return _fast(*args)\n"
    )
    notebook = answered(student_version(warmup), {**warmup.reference_answers, name: slow})
    with SandboxExecutor(require_sandbox(), Limits(cell_seconds=20, total_seconds=1.0, patience=1)) as executor:
        graded = grade(source, notebook, executor)
    assert graded.awaiting
    assert all("took too long" in reason for reason in graded.awaiting.values())


def test_folders_too_deep_to_walk_through_are_the_submissions_own_fault(engine):
    """Once, the supervisor died at its recursion limit, and the submission stayed ungraded, run after run."""
    code = "import os\nfor _ in range(1900):\n    os.mkdir('d'); os.chdir('d')\nos.chdir('/')"
    cells = [nbformat.v4.new_code_cell(code)]
    test = nbformat.v4.new_code_cell("assert True", metadata={"nbgrader": {
        "grade": True, "grade_id": "t", "locked": True, "points": 1, "schema_version": 3, "solution": False, "task": False,
    }})  # fmt: skip
    with pytest.raises(SubmissionError, match="nested folders too deeply"):
        engine(nbformat.v4.new_notebook(cells=[*cells, test]))


def test_doctor_reports_what_it_finds(control_group, monkeypatch):
    from autograder.engine import doctor

    texts = [str(finding) for finding in doctor.examine_machine()]
    assert any("the examiner starts in its own sandbox" in text for text in texts)
    assert any("the process that runs submissions starts" in text for text in texts)
    assert any(
        ("counted by a control group" in text) == (control_group is not None)
        for text in texts
        if "of a submission" in text
    )
    monkeypatch.setattr(doctor.Cgroup, "make", lambda name: None)
    assert "quarter of a second" in str(doctor.examine_machine()[-1])
    command = Sandbox.command

    def broken(self, role, descriptor):
        run, environment = command(self, role, descriptor)
        return (
            (["/bin/sh", "-c", "echo no examiner here >&2; exit 1"], {}) if role == "examiner" else (run, environment)
        )

    monkeypatch.setattr(Sandbox, "command", broken)
    bad = [finding for finding in doctor.examine_machine() if not finding.good]
    assert len(bad) == 1
    assert "the examiner does not start in its sandbox: the sandbox did not start: no examiner here" in bad[0].text
