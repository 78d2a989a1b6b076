"""An examiner taken over by an answer could do nothing, and what it says would not be believed.

A set's test cells run in the examiner, so here a test cell plays the part of an examiner that was taken over.
"""

import os

import nbformat
import pytest

from autograder.common.errors import SubmissionError
from autograder.engine.execution import SandboxExecutor
from autograder.engine.sandbox import require_sandbox
from autograder.engine.shared.limits import Limits

LOCKED = {"locked": True, "solution": False, "grade": True, "points": 1}
SECRET = "a hidden test of another set"


@pytest.fixture(scope="module")
def engine():
    os.environ["EXAMINER_CANARY"] = "canary"
    with SandboxExecutor(require_sandbox(), Limits(cell_seconds=2, total_seconds=20)) as executor:
        yield executor
    del os.environ["EXAMINER_CANARY"]


def notebook(*tests, student="answer = 1"):
    cells = [nbformat.v4.new_code_cell(student)]
    for number, test in enumerate(tests):
        metadata = {"nbgrader": {**LOCKED, "grade_id": f"test-{number}"}}
        cells.append(nbformat.v4.new_code_cell(test, metadata=metadata))
    return nbformat.v4.new_notebook(cells=cells)


def errors(executed):
    return [
        output.evalue for cell in executed.notebook.cells for output in cell.outputs if output.output_type == "error"
    ]


@pytest.mark.parametrize(
    "attempt",
    [
        "import os\nos.fork()",
        "import subprocess\nsubprocess.run(['/bin/true'], check=True)",
        "import os\nos.execv('/bin/true', ['true'])",
        "import threading\nthreading.Thread(target=print).start()",
        "import socket\nsocket.socket()",
        "import socket\nsocket.socket(socket.AF_UNIX)",
        "import socket\nsocket.socketpair()",
        "open('/tmp/left', 'w')",
        "open('/scratch/left', 'w')",
        "open('/dev/shm/left', 'w')",
        "open('left', 'w')",
        "import os\nos.mkdir('/tmp/left')",
        "import os\nos.kill(os.getppid(), 9)",
        "import os\nos.kill(1, 9)",
        "import os\nos.setuid(0)" if os.geteuid() == 0 else "import os\nos.setuid(61000)",
        "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb')",
        "import os\nopen(f'/proc/{os.getppid()}/environ', 'rb').read()",
        "import os\nos.ptrace",
        "import ctypes\nassert ctypes.CDLL(None, use_errno=True).ptrace(16, 1, 0, 0) == 0",
        "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0",
        "import ctypes\nassert ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
        "import os\nassert 'EXAMINER_CANARY' in os.environ",
        "import autograder.classroom",
        "import autograder.engine.student.runner",
        "import autograder.problem_set.source",
        "import os\nos.listdir('/var/lib')",
        "open('/etc/passwd')",
        "bytearray(3 << 30)",
        f"import gc\nassert any({SECRET[2:]!r} in text for text in gc.get_objects() if isinstance(text, str) "
        f"and 'gc.get_objects' not in text)\nassert any({SECRET[2:]!r} in str(d.get('source')) for d in gc.get_objects() "
        "if isinstance(d, dict) and 'gc.get_objects' not in str(d.get('source')))",
    ],
)
def test_an_examiner_can_do_nothing(engine, course, attempt):
    engine(notebook(f"# {SECRET}"))  # another set, in the same warm process
    judged = engine(notebook(attempt, "assert True"))
    assert len(errors(judged)) == 1, errors(judged)
    assert not judged.awaiting


def test_an_examiner_sees_nothing_of_the_course(engine, course, tmp_path):
    paths = [f"{course}/solutions", f"{course}/exercises", f"{course}/tests", f"{course}/autograder", str(tmp_path)]
    attempt = f"import os\nassert not [path for path in {paths!r} if os.path.exists(path)]"
    assert errors(engine(notebook(attempt))) == []


CONNECTION = (
    "import gc\nfrom autograder.engine.shared.wire import Connection\n"
    "from autograder.engine.examiner.remote import Snapshot\n"
    "held = [s.connection for s in gc.get_objects() if isinstance(s, Snapshot)]\n"
    "(grader,) = [c for c in gc.get_objects() if isinstance(c, Connection) and c not in held]\n"
)
GOOD = {"verdict": "passed", "doubtful": False, "digest": "0" * 16, "measured": {}, "outputs": []}


@pytest.mark.parametrize(
    "said",
    [
        {}, [], "passed", 7, None, {**GOOD, "verdict": "right"}, {**GOOD, "points": 100}, {**GOOD, "digest": "x"},
        {**GOOD, "digest": "0" * 400_000}, {**GOOD, "measured": [1]}, {**GOOD, "measured": {str(i): 1.0 for i in range(99)}},
        {**GOOD, "verdict": "failed"}, {**GOOD, "verdict": ["passed"]}, {"ask": "everything"}, {**GOOD, "outputs": "x" * 2_000_000},
        {key: value for key, value in GOOD.items() if key != "digest"},
    ],
)  # fmt: skip
def test_an_examiner_is_believed_only_in_the_expected_form(engine, said):
    """If the examiner sends anything invalid, a person judges the test: its points are neither awarded nor lost."""
    judged = engine(notebook("assert answer == 1", f"{CONNECTION}grader.send({said!r})", "assert answer == 2"))
    assert set(judged.awaiting) == {"test-1", "test-2"}
    assert judged.behaviour.keys() == {"test-0"}


def test_an_examiner_that_exits_leaves_its_tests_to_a_person(engine):
    judged = engine(notebook("assert answer == 1", "import os\nos._exit(0)", "assert answer == 1"))
    assert set(judged.awaiting) == {"test-1", "test-2"}
    assert all("not judged" in reason for reason in judged.awaiting.values())


def test_an_examiner_that_never_finishes_is_stopped(engine):
    judged = engine(notebook("while True: pass", "assert answer == 1"))
    assert "did not finish in time" in errors(judged)[0]
    assert len(errors(judged)) == 1
    assert not judged.awaiting


def test_an_examiners_texts_are_bounded(engine):
    judged = engine(notebook("raise AssertionError('x' * 10_000_000)", "print('y' * 10_000_000)"))
    sizes = [len(str(cell.outputs)) for cell in judged.notebook.cells]
    assert max(sizes) < 250_000


def test_a_set_whose_own_cells_do_not_run_is_reported(engine):
    from autograder.common.errors import AutograderError

    with pytest.raises((AutograderError, SubmissionError), match="own cells do not run: SyntaxError"):
        engine(notebook("this is no Python"))
