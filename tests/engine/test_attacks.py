"""A corpus of attacks. None earns more than its honest code would, reveals anything, stops anybody or leaves anything.

Each attack in the folder `attacks` is a warm-up submission with a wrong answer. Attacks through the notebook format and
through the tests of other sets are at the end of this file.
"""

import copy
import json
import os
import sys
import textwrap
import threading
import time
from pathlib import Path

import nbformat
import pytest

from autograder.common.errors import AutograderError, MachineError, SubmissionError
from autograder.engine.execution import SandboxExecutor
from autograder.engine.sandbox import require_sandbox
from autograder.engine.score import grade
from autograder.engine.shared.limits import Limits
from autograder.engine.submitted_notebook import read_submission
from autograder.problem_set.source import answered, grade_id
from autograder.problem_set.versions import from_source, student_version, without_hidden_tests
from autograder.reports.feedback import ConcealHiddenTests
from tests.engine.attacks import WRONG, Attack, judging, overrunning, showing, spying, wiring
from tests.support.engines import limited

ATTACKS = [*judging.ATTACKS, *spying.ATTACKS, *overrunning.ATTACKS, *showing.ATTACKS, *wiring.ATTACKS]
CANARY = "AUTOGRADER_CANARY"
#: Numbers and words that occur only in the hidden test.
SECRETS = ["12345.678", "1e-20", "BEGIN HIDDEN", "HINT =", CANARY]
HIDDEN = "nats_to_bits-hidden"


@pytest.fixture(scope="module")
def released(warmup):
    return student_version(warmup)


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """The engine with the usual limits, with short ones for greedy attacks, and with little patience for idle ones."""
    os.environ[CANARY] = CANARY
    with SandboxExecutor(require_sandbox(), Limits(cell_seconds=8, total_seconds=40)) as patient:
        short = {"cell_seconds": 0.5, "total_seconds": 6, "memory": 256 << 20}
        # A busy machine may take long over half a second of work.
        yield {
            "usual": patient,
            "quick": limited(patient, **short, patience=30),
            "idle": limited(patient, **short, patience=6),
        }
    del os.environ[CANARY]


# ---- what an attack leaves behind


def processes_below(engine):
    """Return the ids of an engine's workers and all their descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(name)] = int(fields[1])
    found = {warm.process.pid for warm in (*engine.students, engine.examiner) if warm.process}
    while more := {child for child, parent in parents.items() if parent in found and child not in found}:
        found |= more
    return found


def traces(engine):
    """Return what is visible of an engine from outside: its processes, and the files in its sandbox."""
    processes = processes_below(engine)
    files = set()
    for process in processes:
        for folder in ("tmp", "scratch", "dev", "dev/shm", "var/tmp", "grader", ""):
            try:
                files |= {
                    f"{folder}/{name}"
                    for name in os.listdir(f"/proc/{process}/root/{folder}")
                    if "left" in name or "seen" in name
                }
            except OSError:
                continue
    return len(processes), files


def settle(engine, before):
    """Return the traces once ended processes have gone."""
    for _ in range(40):
        now = traces(engine)
        if now == before:
            break
        time.sleep(0.05)
    return now


def shown_to_the_student(graded):
    """Return everything in a graded notebook that the student gets to see."""
    texts = list(graded.notices)
    for cell in graded.notebook.cells:
        cell, _ = ConcealHiddenTests().preprocess_cell(copy.deepcopy(cell), {}, 0)
        texts.append(json.dumps(cell.get("outputs", []), ensure_ascii=False))
    return "\n".join(texts)


def honest_submission_is_graded(source, warmup, released, engine):
    return grade(source, answered(released, warmup.reference_answers), engine).score == 1.0


@pytest.fixture(scope="module")
def before(engines, source, warmup, released):
    """The traces of the engine before any attack."""
    assert honest_submission_is_graded(source, warmup, released, engines["usual"])
    time.sleep(0.3)
    return traces(engines["usual"])


def grade_until_the_machine_does_not_fail(source, submission, engine):
    """Grade as two runs of `grade` do.

    A known race: a supervisor that ends just before it is asked counts as a failed machine, because its report, which is
    there to be read, is not looked at (`Control.ask`). The next run tries such a submission again.
    """
    try:
        return grade(source, submission, engine)
    except MachineError:
        return grade(source, submission, engine)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
@pytest.mark.sampled(24)
def test_attack(attack: Attack, engines, before, source, warmup, released):
    engine = engines["idle" if attack.idle else "quick" if attack.quick else "usual"]
    submission = answered(released, {"nats_to_bits": attack.cell})
    ends = attack.ends.split("|")
    try:
        graded = grade_until_the_machine_does_not_fail(source, submission, engine)
    except SubmissionError as error:
        reason = str(error)
        assert any(end in reason for end in ends), reason
        assert not [secret for secret in SECRETS if secret in reason]
    else:
        assert "graded" in ends, "it was graded, and should have failed"
        assert graded.score == 0.0
        assert not graded.needs_manual_grading  # the point is lost, not left for a person to award
        errors = [
            out.evalue
            for cell in graded.notebook.cells
            for out in cell.get("outputs", [])
            if out.output_type == "error"
        ]
        assert not [text for text in errors if "BREACH" in text]
        if attack.kind == "wiring":  # the attack itself did not fail
            assert not [
                text
                for cell in graded.notebook.cells
                if grade_id(cell) == "nats_to_bits"
                for text in map(str, cell.outputs)
                if "Error" in text
            ]
        shown = shown_to_the_student(graded)
        assert not [secret for secret in SECRETS if secret in shown]
        nbformat.writes(graded.notebook).encode()  # it can be written to a file
    assert honest_submission_is_graded(source, warmup, released, engine)
    assert settle(engine, before) == before


# ---- attacks through the notebook's format


def set_metadata(cell, **values):
    cell.metadata["nbgrader"] = {**cell.metadata.get("nbgrader", {}), **values}


def hidden_cell(notebook):
    return next(cell for cell in notebook.cells if grade_id(cell) == HIDDEN)


def delete_tests(notebook):
    notebook.cells = [cell for cell in notebook.cells if "test" not in cell.source.lower() or cell.cell_type != "code"]


def duplicate_everything(notebook):
    notebook.cells += [copy.deepcopy(cell) for cell in notebook.cells]


def rename_the_test(notebook):
    set_metadata(hidden_cell(notebook), grade_id="nats_to_bits-other")


def worth_a_hundred(notebook):
    set_metadata(hidden_cell(notebook), points=100, locked=False)


def the_test_becomes_solution(notebook):
    set_metadata(hidden_cell(notebook), solution=True, grade=False, locked=False, task=True)
    hidden_cell(notebook).source = "pass"


def the_test_becomes_prose(notebook):
    cell = hidden_cell(notebook)
    cell.cell_type = "markdown"
    for key in ("outputs", "execution_count"):
        cell.pop(key, None)


def solution_becomes_test(notebook):
    for cell in notebook.cells:
        if grade_id(cell) == "nats_to_bits":
            set_metadata(cell, grade=True, solution=False, points=50, checksum="0" * 32)


def checks_of_its_own(notebook):
    extra = nbformat.v4.new_code_cell("class Check: pass\nHINT = ''\nabs = lambda x: 0")
    extra.metadata["nbgrader"] = {
        "grade_id": "checks",
        "locked": True,
        "solution": False,
        "grade": False,
        "schema_version": 3,
    }
    notebook.cells.insert(0, extra)


def an_old_schema(notebook):
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            set_metadata(
                cell, schema_version=1, checksum=None, points="1e9", grade_id=grade_id(cell) and f"{grade_id(cell)}"
            )


def outputs_already_there(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "1.0"}, execution_count=1)] * 50


def metadata_that_is_deep(notebook):
    deep = value = {}
    for _ in range(300):
        value["a"] = value = {}
    notebook.metadata["deep"] = deep
    for cell in notebook.cells:
        cell.metadata["deep"] = deep
        set_metadata(cell, deep=deep)


def metadata_that_is_large(notebook):
    notebook.metadata["large"] = [{}] * 100_000


def metadata_that_steers(notebook):
    notebook.metadata["kernelspec"] = {"name": "../../evil", "display_name": "<script>", "language": "bash"}
    notebook.metadata["language_info"] = {"name": "x", "pygments_lexer": "nothing", "codemirror_mode": {"name": "x"}}
    notebook.metadata["title"] = "</title><script>alert(1)</script>"
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}, "x": "</script>"}}
    for cell in notebook.cells:
        cell.metadata["tags"] = ["remove_cell", "raises-exception", "skip-execution"]
        cell.metadata["observe_arguments"] = False


def raw_html(notebook):
    cell = nbformat.v4.new_raw_cell("<script>alert(1)</script>", metadata={"raw_mimetype": "text/html"})
    notebook.cells.insert(0, cell)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("<script>alert(1)</script>![x](attachment:x.svg)"))
    notebook.cells[0]["attachments"] = {
        "x.svg": {"image/svg+xml": "<svg onload='alert(1)'/>"},
        "y": {"text/html": "<script>"},
    }


def characters_that_cannot_be_encoded(notebook):
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("\ud800"))
    notebook.cells[1].metadata["x"] = "\udfff"
    for cell in notebook.cells:
        if grade_id(cell) == "nats_to_bits":
            cell.source += "\n# \ud800"


def one_long_line(notebook):
    notebook.cells.append(nbformat.v4.new_code_cell("x = '" + "\u20ac" * 6_000_000 + "'"))


def the_same_id_everywhere(notebook):
    for cell in notebook.cells:
        cell["id"] = "same"


def many_cells(notebook):
    notebook.cells += [nbformat.v4.new_code_cell("1") for _ in range(3000)]


def magics(notebook):
    notebook.cells.append(nbformat.v4.new_code_cell("%%bash\ncat /etc/shadow; env; sleep 0"))
    notebook.cells.append(nbformat.v4.new_code_cell("!ls -la / /root /home /work"))
    notebook.cells.append(nbformat.v4.new_code_cell("%run /etc/passwd\n%load_ext autoreload\n%autoreload 2"))
    notebook.cells.append(nbformat.v4.new_code_cell("\x00\x0c"))


FORMATS = [
    delete_tests, duplicate_everything, rename_the_test, worth_a_hundred, the_test_becomes_solution, the_test_becomes_prose, solution_becomes_test,
    checks_of_its_own, an_old_schema, outputs_already_there, metadata_that_is_deep, metadata_that_is_large, metadata_that_steers, raw_html,
    characters_that_cannot_be_encoded, the_same_id_everywhere, magics,
]  # fmt: skip


@pytest.mark.parametrize("change", FORMATS, ids=lambda change: change.__name__)
@pytest.mark.sampled(6)
def test_attack_on_the_format(change, engines, source, warmup, released):
    submission = answered(released, {"nats_to_bits": WRONG})
    change(submission)
    graded = grade(source, read_submission(json.dumps(submission)), engines["usual"])
    assert graded.scores == {"nats_to_bits-values": 0.0, HIDDEN: 0.0}
    text = nbformat.writes(graded.notebook).encode().decode()
    assert "12345.678" in text  # the hidden test is there again, for the instructor
    shown = shown_to_the_student(graded)
    assert not [secret for secret in SECRETS if secret in shown]
    assert len(nbformat.writes(graded.notebook)) < 30_000_000
    assert honest_submission_is_graded(source, warmup, released, engines["usual"])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda n: many_cells(n) or json.dumps(n), "more than 2000 cells"),
        (lambda n: one_long_line(n) or json.dumps(n), "more than 500000 characters"),
        (lambda n: '{"nbformat": 4, "cells": ' + "[" * 200_000, "JSON"),
        (lambda n: json.dumps(n).replace('"nbformat_minor": 5', '"nbformat_minor": ' + "9" * 5000), "JSON"),
        (lambda n: json.dumps({**n, "nbformat": 3, "worksheets": [{"cells": [{}] * 400_000}]}), "more than 300000 values"),
        (lambda n: json.dumps({**n, "cells": [{"source": [""] * 400_000}]}), "more than 300000 values"),
        (lambda n: json.dumps({**n, "metadata": {"a": "," * 400_000 + '"[{'}, "cells": []}), "no cells"),
    ],
    ids=["many cells", "a long line", "unfinished JSON", "a huge number", "many empty cells", "many empty lines",
         "commas in a text"],
)  # fmt: skip
def test_an_unreasonable_notebook_is_refused(released, make, says):
    with pytest.raises(SubmissionError, match=says) as refused:
        read_submission(make(copy.deepcopy(released)))
    assert str(refused.value).isprintable()


# ---- attacks on the kinds of tests in other sets


def cell(text, name, **metadata):
    nbgrader = {"locked": True, "solution": False, "grade": True, "points": 1, "grade_id": name, "schema_version": 3}
    return nbformat.v4.new_code_cell(
        text, metadata={"nbgrader": {**nbgrader, **metadata.pop("nbgrader", {})}, **metadata}
    )


def outcomes(engine, student, tests, support="", awaiting=None):
    """Run test cells against a student's cell; return the name and text of each test's error, or None."""
    cells = [cell(support, "given", nbgrader={"grade": False})] if support else []
    cells.append(nbformat.v4.new_code_cell(student))
    cells += [cell(text, f"test-{i}", **more) for i, (text, more) in enumerate(tests)]
    executed = engine(nbformat.v4.new_notebook(cells=cells))
    assert awaiting is None or list(executed.awaiting) == awaiting
    found = []
    for done in executed.notebook.cells:
        if (grade_id(done) or "").startswith("test"):
            errors = [
                (out.ename, out.evalue, "".join(out.traceback)) for out in done.outputs if out.output_type == "error"
            ]
            found.append(errors[0] if errors else None)
    return found


def small_set():
    """Return a set whose tests use a function in a locked cell, as in most sets, and a released copy of it."""
    support, hidden = {"grade": False}, "### BEGIN HIDDEN TESTS\njudge(twice(3), 6)\n### END HIDDEN TESTS"
    solution = {"grade": False, "solution": True, "locked": False}
    notebook = nbformat.v4.new_notebook(
        cells=[
            cell("def judge(value, right):\n    assert value == right, 'wrong'", "checks", nbgrader=support),
            cell("### BEGIN SOLUTION\ndef twice(x): return 2 * x\n### END SOLUTION", "twice", nbgrader=solution),
            cell("judge(twice(2), 4)", "twice-values"),
            cell(f"# other values\n{hidden}", "twice-hidden"),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "autograder": {"problem_set": "small"},
        },
    )
    source = from_source(notebook)
    return source, without_hidden_tests(source)


def moved(notebook, name, place):
    """Move a cell of the notebook to another place."""
    found = next(cell for cell in notebook.cells if grade_id(cell) == name)
    notebook.cells.remove(found)
    notebook.cells.insert(place, found)


@pytest.mark.parametrize(
    "moves",
    [[("checks", 4)], [("checks", 3)], [("twice-hidden", 0), ("twice-values", 0)], [("checks", 4), ("twice", 4)]],
    ids=str,
)
def test_attack_by_moving_cells(engines, moves):
    """After the tests that use it, a locked cell would leave the submission to define its names, and judge itself."""
    source, notebook = small_set()
    for name, place in moves:
        moved(notebook, name, place)
    forged = "def judge(value, right): return None\ndef twice(x): return 0"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(forged))
    graded = grade(source, read_submission(json.dumps(notebook)), engines["usual"])
    assert graded.scores == {"twice-values": 0.0, "twice-hidden": 0.0}
    assert "changed places" in " ".join(graded.notices)
    honest = answered(small_set()[1], {"twice": "def twice(x): return x + x"})
    for name, place in moves:
        moved(honest, name, place)
    assert grade(source, read_submission(json.dumps(honest)), engines["usual"]).score == 2.0


def test_a_students_test_learns_nothing_from_the_name_of_a_candidate(engines):
    test = (
        "def right(x): return x\ndef wrong(x): return -x\n"
        "assert judge(right) is True and judge(wrong) is False"
    )  # fmt: skip
    by_name = (
        "def judge(candidate):\n"
        "    told = [candidate.__name__, candidate.__qualname__, repr(candidate), str(getattr(candidate, '__dict__', ''))]\n"
        "    return not any('wrong' in text for text in told)"
    )
    (found,) = outcomes(engines["usual"], by_name, [(test, {})])
    assert found is not None
    assert outcomes(engines["usual"], "def judge(candidate): return candidate(1) == 1", [(test, {})]) == [None]


HIJACK = wiring.HIJACK
APPLY = "assert apply(lambda x: x + 1, 3.0) == 11.0"


@pytest.mark.parametrize(
    "reply",
    [
        # Calls the given function for ever; with a reference to itself; returns it; calls one that was never passed.
        'while True: raw(connection, [{"callback": 1, "args": {"list": [1.0]}, "kwargs": {"dict": []}}, []]); connection.receive()',
        'while True: raw(connection, [{"callback": 1, "args": {"list": [function]}, "kwargs": {"dict": []}}, []]); connection.receive()',
        'raw(connection, [{"callback": 1, "args": {"list": ["x"]}, "kwargs": {"dict": [["x", 1]]}}, []])',
        'raw(connection, [{"callback": 1, "args": 5, "kwargs": None}, []])',
        'raw(connection, [{"callback": True, "args": {"list": [1]}, "kwargs": {"dict": []}}, []])',
        'value(connection, request, {"yours": 1})',
        'raw(connection, [{"callback": 2, "args": {"list": []}, "kwargs": {"dict": []}}, []])',
        'time.sleep(60)',
    ],
)  # fmt: skip
@pytest.mark.sampled(3)
def test_attack_through_the_functions_of_a_test(engines, reply):
    serve = f"def reply(request, connection):\n    if request['op'] == 'get': value(connection, request, function)\n    else:\n        {reply}\n"
    (found,) = outcomes(engines["idle"], HIJACK + serve, [(APPLY, {})])
    assert found is not None


ASKS = ("f(1)\nf(2)\nf(3)\nf(4)\nf(5)\nf(6)", {})


def test_answers_that_take_long_to_judge_leave_nothing_to_a_person(engines):
    """An examiner that is killed leaves its tests to a person: an answer must not be able to cause that."""
    slow = "def f(x): return {k * (2 ** 61 - 1) for k in range(3_000)}"
    student = wiring.HIJACK + textwrap.dedent("""
        def reply(request, connection):
            if request["op"] == "get":
                value(connection, request, function)
            else:
                value(connection, request, {"set": [k * (2 ** 61 - 1) for k in range(200_000)]})
        """)
    engine = limited(engines["usual"], cell_seconds=1, total_seconds=2)
    found = outcomes(engine, student, [ASKS] * 50, awaiting=[])
    assert all(error is not None for error in found)
    assert "all the time available" in found[-1][1]
    assert outcomes(engine, slow, [ASKS], awaiting=[]) == [None]


def test_calls_that_wait_a_little_each_do_not_outlast_the_examiner(engines):
    student = "import time\ndef f(x): time.sleep(0.8)"
    engine = limited(engines["usual"], cell_seconds=0.5, total_seconds=4, patience=1)
    ((kind, *_),) = outcomes(engine, student, [ASKS], awaiting=[])
    assert kind == "TimeoutError"


#: Ways to sleep: alone, or in a process whose parent waits as it would for a disk, by clone with CLONE_VFORK.
SLEEPS = {
    "sleep": "time.sleep(1000)",
    "vfork": "ctypes.CDLL(None).syscall({'x86_64': 56, 'aarch64': 220}[os.uname().machine], 0x4000 | 17, 0, 0, 0, 0) or "
    "time.sleep(1000)",
}


@pytest.mark.parametrize("how", SLEEPS)
@pytest.mark.parametrize("where", ["cell", "test"])
@pytest.mark.sampled(1)
def test_a_sleeping_submission_does_not_get_the_patience_meant_for_busy_machines(engines, where, how):
    """Without its own limit, sleep would hold up a class as long as the clock allows, and leave tests to a person."""
    sleep = f"import ctypes, os, time\n{'' if where == 'cell' else 'def f(x): '}{SLEEPS[how]}"
    engine = limited(engines["usual"], cell_seconds=1, total_seconds=20, patience=1000)
    if where == "cell":
        with pytest.raises(SubmissionError, match="waited for more than 3 seconds without computing"):
            outcomes(engine, sleep, [ASKS])
    else:
        found = outcomes(engine, sleep, [ASKS] * 3, awaiting=[])
        assert [kind for kind, *_ in found] == ["TimeoutError", "RuntimeError", "RuntimeError"]


LATE = """
import sys, time
service = sys.modules["autograder.engine.student.service"]
class Later:
    def __init__(self, function, args): self.function, self.args = function, args
    @property
    def value(self): return self.function(*self.args)
perform = service.Service._perform
def put_off(self, request, buffers):
    if request["op"] != "hold":
        return perform(self, request, buffers)
    decoder = service.Decoder(buffers, self._resolve)
    return Later(decoder.decode(request["function"]), decoder.decode(request["args"])), None
service.Service._perform = put_off
def f(x):
    begin = time.process_time()
    while time.process_time() - begin < 0.4: pass
    return RESULT
"""
#: Results that are slow to serialise, behind which an answer could hide its computing time.
RESULTS = [
    "[0.5] * 10_000",
    "[0.5] * 200_000",
    "[[0.5] * 4] * 50_000",
    "[__import__('fractions').Fraction(1, 3)] * 100_000",
    "[0.5, 1] * 100_000",
    "[__import__('numpy').float32(0.5)] * 100_000",
    "__import__('numpy').array([0.5, 1] * 100_000, dtype=object)",
]


def test_work_postponed_until_its_result_is_fetched_is_measured(engines):
    test = "value, seconds = type(f)._cpu_seconds(f, [1])\nassert len(value) >= 10_000\nassert {}, seconds"
    found = [
        outcomes(engines["usual"], LATE.replace("RESULT", result), [(test.format("seconds > 0.3"), {})])
        for result in RESULTS
    ]
    assert found == [[None]] * len(RESULTS)
    for honest in ("[0.5 + x] * 10_000", "(np.ones(200_000) * x / 3).tolist()", "list(np.ones(200_000) * x / 3)"):
        student = f"import numpy as np\ndef f(x): return {honest}"
        assert outcomes(engines["usual"], student, [(test.format("seconds < 0.09"), {})]) == [None], honest


def test_a_warning_in_a_hidden_test_is_not_revealed(engines):
    source, notebook = small_set()
    answer = "import sys\ndef twice(x):\n    print('seen', file=sys.stderr) if x == {} else None\n    return 2 * x"
    told = {}
    for number in (2, 3):  # in the visible test, in the hidden one
        graded = grade(source, answered(notebook, {"twice": answer.format(number)}), engines["usual"])
        assert graded.score == 2
        told[number] = " ".join(graded.notices)
    assert "warning" in told[2]
    assert "warning" not in told[3]


def test_changed_arguments_never_move_the_memory_of_a_test(engines):
    test = "import numpy as np\na = np.zeros(8)\nview = a[:4]\nspoil(a)\nassert a.shape == (8,) and view.sum() == 0"
    serve = "def reply(request, connection):\n    if request['op'] == 'get': value(connection, request, function)\n    else:\n        "
    for array, size in (('"shape": [400000]', 3_200_000), ('"shape": [0]', 0), ('"shape": [1, 1]', 8)):
        sent = f'value(connection, request, None, [bytes({size})], arguments={{"list": [{{"array": "<f8", {array}, "buffer": 0}}]}})'
        (found,) = outcomes(engines["usual"], HIJACK + serve + sent, [(test, {"observe_arguments": True})])
        assert found[0] == "TypeError", found


def test_changes_to_given_data_do_not_reach_the_next_test(engines):
    tests = [("spoil(table)", {"observe_arguments": True}), ("assert table == [1, 2]", {})]
    student = "def spoil(a): a[:] = [0, 0]"
    assert outcomes(engines["usual"], student, tests, support="table = [1, 2]")[1] is None


def test_hidden_arguments_do_not_escape_in_an_errors_name_or_text(engines):
    hidden = "### BEGIN HIDDEN TESTS\nresult = f(424242)\nassert result + 1.0 == 3\n### END HIDDEN TESTS"
    for student in (
        "def f(x): raise type(f'Leak{x}', (AssertionError,), {})(f'leak {x}')",
        "def f(x): raise AssertionError(f'leak {x}')",
        "def f(x): return type(f'Leak{x}', (), {})()",
        "import warnings\ndef f(x): print(x); warnings.warn(str(x)); return float(x)",
        "def f(x): return f(x) if x < 0 else {}[x]",
    ):
        cells = [nbformat.v4.new_code_cell(student), cell(hidden, "test-a-hidden")]
        executed = engines["usual"](nbformat.v4.new_notebook(cells=cells)).notebook
        concealed, _ = ConcealHiddenTests().preprocess_cell(executed.cells[-1], {}, 0)
        assert concealed.outputs[0].output_type == "error"
        assert "424242" not in json.dumps(concealed), student


#: A loop over the samples, and places for ways to keep its steps from being counted.
LOOP = """
import sys
import numpy as np
HEAD
def f(X, w):
    BEFORE
    result = []
    for row in X.tolist():
        total = 0.0
        for value, weight in zip(row, w.tolist()):
            total += value * weight
        result.append(total)
    AFTER
    return np.array(result)
"""
COUNTED = """
import numpy as np
X, w = np.random.default_rng(0).normal(size=(200_000, 3)), np.array([0.5, -1.0, 2.0])
check = Check(f, "f", "loops", "chapter Vectorization")
check.steps_do_not_grow((X[:10], w), (X[:1000], w), X[:1000] @ w)
check.serves(X @ w, X, w)
"""
#: What the reference solution takes for the large call, in seconds of processor time.
REFERENCE = {"test-0": {"0": 0.003}}
HUSH = (
    "[setattr(c, 'cell_contents', 3) for c in getattr(__import__('sys').gettrace(), '__closure__', ()) "
    "if type(c.cell_contents) is int]"
)
FORGED = (
    "def reply(request, connection):\n    if request['op'] == 'get': value(connection, request, function)\n"
    "    elif request['op'] == 'hold': value(connection, request, {'object': 2, 'type': '_Held', 'callable': False})\n"
    "    else: value(connection, request, {'tuple': [5.0, 5, True]})\n"
)


def counted(engine, course, student):
    support = (course / "solutions" / "checks.py").read_text()
    cells = [
        cell(support, "given", nbgrader={"grade": False}),
        nbformat.v4.new_code_cell(student),
        cell(COUNTED, "test-0"),
    ]
    executed = engine(nbformat.v4.new_notebook(cells=cells), REFERENCE)
    errors = [out.evalue for out in executed.notebook.cells[-1].outputs if out.output_type == "error"]
    return executed.awaiting.get("test-0"), errors


@pytest.mark.parametrize(
    ("head", "before", "after"),
    [
        ("", "pass", "pass"),
        ("", "hook = sys.gettrace(); sys.settrace(None)", "sys.settrace(hook)"),
        ("", "pass", "if sys.gettrace(): sys.gettrace().__closure__[1].cell_contents = 3"),
        ("", "pass", f"{HUSH}"),
        ("", "frame = sys._getframe(); frame.f_trace_lines = False; frame.f_trace = None", "pass"),
        ("", "frame = sys._getframe(); frame.f_trace_lines = False", "frame.f_trace_lines = True"),
        ("", "import ctypes; ctypes.pythonapi.PyEval_SetTrace(None, None)", "pass"),
        ("", "exec('import sys; sys._getframe(1).f_trace_lines = False')", "pass"),
        ("import typing\nclass A: x: " + repr(HUSH + " and int"), "pass", "typing.get_type_hints(A)"),
        ("import threading", "box = []; t = threading.Thread(target=lambda: box.append(1)); t.start(); t.join()", "pass"),
        ("import os", "pid = os.fork()\n    if pid == 0: os._exit(0)\n    os.waitpid(pid, 0)", "pass"),
        ("import sys as s", "s.setprofile(None)", f"{HUSH}"),
    ],
)  # fmt: skip
def test_a_loop_that_hides_its_steps_earns_no_point(engines, course, head, before, after):
    """The point is lost if the loop is counted, and awaits a person if not; it is never awarded."""
    student = LOOP.replace("HEAD", head).replace("BEFORE", before).replace("AFTER", after)
    awaiting, errors = counted(engines["usual"], course, student)
    assert len(errors) == 1
    assert awaiting or "lines and calls" in errors[0]


def test_a_forged_count_and_a_forged_value_earn_no_point(engines, course):
    _, errors = counted(engines["usual"], course, HIJACK + FORGED)
    assert len(errors) == 1


def test_an_answer_without_a_loop_passes_whatever_else_the_cell_contains(engines, course):
    student = """
import os, re, operator, inspect, sys, threading
import numpy as np
import matplotlib.pyplot as plt
f_x, chunk, site, signal, io = 1, 2, 3, 4, 5
def f(X, w):
    return np.einsum("ij,j->i", X, w)
fig, ax = plt.subplots(); ax.plot([1]); plt.show()
"""
    assert counted(engines["usual"], course, student) == (None, [])


def test_a_module_that_a_cell_writes_shadows_no_other(engines):
    """A cell may write a file with the name of a module that Python code, such as a figure, imports later."""
    cells = [
        "import tempfile\nfor folder in ('.', tempfile.gettempdir()):\n"
        "    with open(folder + '/colorsys.py', 'w') as file: file.write('mine = 1')\n"
        "import colorsys\nassert not hasattr(colorsys, 'mine'), 'BREACH'",
        "with open('helper.py', 'w') as file: file.write('mine = 1')\nimport helper\nassert helper.mine == 1",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    assert [cell.outputs for cell in engines["usual"](notebook).notebook.cells] == [[], []]


def test_the_submission_sees_neither_the_course_nor_other_peoples_files(engines, course, tmp_path):
    secret = tmp_path / "gradebook.db"
    secret.write_text("0 points")
    os.chmod(secret, 0o666)
    student = f"""
import os
import sys
for path in ({str(secret)!r}, {str(course)!r} + "/solutions", {str(course)!r} + "/autograder/engine/examiner/process.py", "/etc/passwd", {str(tmp_path)!r}):
    assert not os.path.exists(path), "BREACH " + path
for path in ({str(secret)!r},):
    try:
        open(path, "w").write("100 points")
    except OSError:
        continue
    raise SystemError("BREACH")
"""
    executed = engines["usual"](nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(student)])).notebook
    assert not [out for out in executed.cells[0].outputs if out.output_type == "error"]
    assert secret.read_text() == "0 points"


@pytest.mark.parametrize(
    "place", [Path("/usr/src/course/solutions"), Path("/lib/class"), Path(sys.prefix) / "class"], ids=str
)
def test_nothing_runs_where_a_sandbox_would_show_the_course_or_the_class(place):
    with pytest.raises(AutograderError, match="Every submission could read .*; move that folder elsewhere"):
        require_sandbox(place)


@pytest.mark.parametrize("which", ["student", "examiner"])
def test_a_warm_process_that_is_killed_costs_nobody_a_point(engines, source, warmup, released, which):
    """Whatever kills it (a machine short of memory, say), between submissions or during one, it is restarted."""
    engine = engines["usual"]
    processes = [engine.examiner] if which == "examiner" else engine.students
    assert honest_submission_is_graded(source, warmup, released, engine)
    for warm in processes:
        os.kill(warm.process.pid, 9)
    assert honest_submission_is_graded(source, warmup, released, engine)
    slow = {"nats_to_bits": "import time; time.sleep(1)\n" + warmup.reference_answers["nats_to_bits"]}

    def kill():
        time.sleep(0.5)
        for warm in processes:
            os.kill(warm.process.pid, 9)

    killer = threading.Thread(target=kill)
    killer.start()
    assert grade(source, answered(released, slow), engine).score == 1.0
    killer.join()
