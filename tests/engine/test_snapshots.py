"""Test cells judge the notebook in its state at their place, whatever later cells do."""

import contextlib
import os

import nbformat
import pytest

from autograder.engine.cgroup import Cgroup
from autograder.engine.execution import SandboxExecutor
from autograder.engine.score import grade
from autograder.engine.student.scratch import Scratch, TooMuchError
from autograder.problem_set.source import answered, grade_id
from autograder.problem_set.versions import student_version

#: A function that uses what later cells change, and others that remember their arguments and then answer wrongly.
USES = (
    "import math\nFACTOR = [1 / math.log(2)]\n"
    "def spoil():\n    FACTOR.append(0)\n"
    "def nats_to_bits(x):\n    return float(math.log(math.e) * x * FACTOR[-1])\n"
)
KEEPS = [
    "import math\ndef nats_to_bits(x, calls=[]):\n    calls.append(x)\n    return x / math.log(2) + (-7 in calls)\n",
    "import math\nclass Kept:\n    calls = []\n"
    "def nats_to_bits(x):\n    Kept.calls.append(x)\n    return x / math.log(2) + (-7 in Kept.calls)\n",
]
READS = (
    "import math\nopen('factor.txt', 'w').write('1.4426950408889634')\n"
    "def nats_to_bits(x):\n    return x * float(open({path}).read())\n"
)
DECIMAL = (
    "import decimal\ndef nats_to_bits(x):\n"
    "    return float(decimal.Decimal(x) / decimal.Decimal('0.693147180559945309417232121458176568'))\n"
)
PRINTED = (
    "import math\nimport numpy as np\ndef nats_to_bits(x):\n"
    "    return x / math.log(2) if str(np.float64(1) / 3).endswith('333') and len(str(np.array([1 / 3]))) > 8 else 0\n"
)
FONT = (
    "import math\nimport matplotlib.pyplot as plt\ndef nats_to_bits(x):\n"
    "    return x / math.log(2) if plt.rcParams['lines.linewidth'] == 1.5 else 0\n"
)
LOCALE = (
    "import locale, math\nlocale.setlocale(locale.LC_ALL, 'C')\ndef nats_to_bits(x):\n"
    "    return x / math.log(2) if locale.setlocale(locale.LC_ALL) == 'C' else 0\n"
)
TURNS = "import math\nturns = []\ndef nats_to_bits(x):\n    return x / math.log(2) + len(turns)\n"
LATER = [
    *((USES, later) for later in ("nats_to_bits(3)", "nats_to_bits = None", "math.log = None", "FACTOR.append(0)")),
    *((USES, later) for later in ("def nats_to_bits(x):\n    return 0", "spoil()", "del nats_to_bits, math, FACTOR")),
    *((USES, later) for later in ("import builtins\nbuiltins.float = None\nbuiltins.math = None", "%reset -f")),
    *((answer, "nats_to_bits(-7)") for answer in KEEPS),
    (READS.format(path="'factor.txt'"), "open('factor.txt', 'w').write('0')"),
    (READS.format(path="'factor.txt'"), "import os\nos.remove('factor.txt')"),
    (READS.format(path="PATH").replace("import math", "import os\nPATH = os.path.abspath('factor.txt')"),
     "open('factor.txt', 'w').write('0')"),
    (DECIMAL, "import decimal\ndecimal.setcontext(decimal.Context(prec=2))"),
    (PRINTED, "import numpy as np\nnp.set_printoptions(precision=1)"),
    (FONT, "plt.rc('lines', linewidth=5)"),
    (LOCALE, "import locale\nlocale.setlocale(locale.LC_ALL, 'C.UTF-8')"),
    (TURNS, "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool:\n"
     "    list(pool.map(turns.append, range(3)))"),
    (TURNS, "import threading\nthread = threading.Thread(target=turns.append, args=(1,))\nthread.start(); thread.join()"),
]  # fmt: skip


@pytest.mark.parametrize("counted", [True, False], ids=["in a control group", "in none"])
def test_cells_between_all_tests_leave_a_student_as_many_files_and_processes(executor, monkeypatch, counted):
    """Each group of tests has a snapshot, which is a process, and a connection to it."""
    answer = """
import os, time
def f(x):
    return x
for _ in range(20):
    if os.fork() == 0:
        time.sleep(1000)
files = [open(f"{number}.txt", "w") for number in range(30)]
for file in files: file.close()
"""
    cells = [nbformat.v4.new_code_cell(answer)]
    metadata = {"locked": True, "solution": False, "grade": True, "points": 1, "schema_version": 3}
    for number in range(66):
        test = {"nbgrader": metadata | {"grade_id": f"test-{number}"}}
        cells += [nbformat.v4.new_code_cell("f(1)"), nbformat.v4.new_code_cell("assert f(2) == 2", metadata=test)]
    with contextlib.ExitStack() as stack:
        if not counted:
            monkeypatch.setattr(Cgroup, "make", classmethod(lambda cls, name: None))
            executor = stack.enter_context(SandboxExecutor(executor.sandbox))
        ran = executor(nbformat.v4.new_notebook(cells=cells)).notebook
    assert not [out.evalue for cell in ran.cells for out in cell.outputs if out.output_type == "error"]


@pytest.mark.parametrize(("answer", "later"), LATER)
def test_what_a_later_cell_does_is_not_seen_by_the_tests_before_it(executor, warmup, source, answer, later):
    """As in a notebook, tests judge the names as they are when the tests run."""
    notebook = answered(student_version(warmup), {"nats_to_bits": answer})
    last = max(i for i, cell in enumerate(notebook.cells) if grade_id(cell))
    notebook.cells[last + 1 : last + 1] = [
        nbformat.v4.new_code_cell("kept = nats_to_bits"),
        nbformat.v4.new_code_cell(later),
    ]
    graded = grade(source, notebook, executor)
    assert graded.score == 1, [cell.get("outputs") for cell in graded.notebook.cells]


def test_a_folder_is_restored_to_its_earlier_state(tmp_path):
    scratch = Scratch(str(tmp_path), 1000)
    work = tmp_path / "work"
    (work / "inner").mkdir(parents=True)
    (work / "data").write_text("first")
    (work / "link").symlink_to("data")
    (work / "inner" / "same").write_text("same")
    scratch.keep(0)
    (work / "data").write_text("second")
    (work / "later").write_text("later")
    (work / "link").unlink()
    scratch.keep(1)
    for state, content, names in ((0, "first", {"data", "inner", "link"}), (1, "second", {"data", "inner", "later"})):
        scratch.put_back(state)
        assert (work / "data").read_text() == content
        assert {path.name for path in work.iterdir()} == names
        assert (work / "inner" / "same").read_text() == "same"


def test_a_folder_too_deep_to_read_is_refused(tmp_path):
    scratch = Scratch(str(tmp_path), 1000)
    scratch.keep(0)
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        for ask in (scratch.keep, scratch.put_back):
            with pytest.raises(TooMuchError):
                ask(0)
    finally:
        for _ in range(1200):
            os.chdir("..")
            os.rmdir("d")
        os.chdir(here)


@pytest.mark.parametrize("name", ["data", "inner"])
def test_a_link_that_appears_while_a_folder_is_restored_is_not_followed(tmp_path, monkeypatch, name):
    """The submission's processes keep running while a process with more rights restores the folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").write_text("outside")
    folder = tmp_path / "scratch"
    (folder / "inner").mkdir(parents=True)
    for place in (folder, folder / "inner"):
        (place / "data").write_text("first")
    scratch = Scratch(str(folder), 1000)
    scratch.keep(0)
    for place in (folder, folder / "inner"):
        (place / "data").write_text("second")
    unlink = os.unlink

    def beaten(path, *args, **kwargs):
        unlink(path, *args, **kwargs)
        if not (folder / name).is_symlink():
            if (folder / name).is_dir():
                (folder / name).rename(tmp_path / "moved")
            (folder / name).symlink_to(outside / "data" if name == "data" else outside)

    monkeypatch.setattr(os, "unlink", beaten)
    scratch.put_back(0)
    assert (outside / "data").read_text() == "outside"


def test_links_are_not_followed_and_no_more_is_kept_than_allowed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("outside")
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    scratch = Scratch(str(folder), 100)
    scratch.keep(0)
    (folder / "link").unlink()
    scratch.put_back(0)
    assert (folder / "link").is_symlink()
    assert outside.read_text() == "outside"
    (folder / "large").write_bytes(bytes(101))
    with pytest.raises(TooMuchError):
        scratch.keep(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="outside its sandbox, only root may open a folder that nobody may")
def test_read_only_folders_are_restored_too(tmp_path):
    scratch = Scratch(str(tmp_path), 10_000)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("1")
    (tmp_path / "a" / "b").chmod(0o555)
    scratch.keep(0)
    (tmp_path / "a" / "b").chmod(0o755)
    (tmp_path / "a" / "b" / "file").write_text("2")
    (tmp_path / "a" / "locked").mkdir()
    (tmp_path / "a" / "locked" / "file").write_text("3")
    (tmp_path / "a" / "locked").chmod(0)
    scratch.put_back(0)
    assert (tmp_path / "a" / "b" / "file").read_text() == "1"
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o555
    assert not (tmp_path / "a" / "locked").exists()


#: An answer that another thread computes.
ELSEWHERE = (
    "import math, queue, threading\nwaiting, done = queue.Queue(), queue.Queue()\n"
    "def work():\n    while True:\n        done.put(waiting.get() / math.log(2))\n"
    "threading.Thread(target=work, daemon=True).start()\n"
    "def nats_to_bits(x):\n    waiting.put(x)\n    return done.get()\n"
)


@pytest.mark.parametrize(
    ("answer", "hand"), [(ELSEWHERE, True), ("import time\ndef nats_to_bits(x):\n    time.sleep(99)", False)]
)
@pytest.mark.sampled(1)
def test_an_answer_that_needs_a_thread_awaits_a_hand(impatient, warmup, source, answer, hand):
    """A fork has no threads but its own; an answer that only sleeps is the student's own fault."""
    graded = grade(source, answered(student_version(warmup), {"nats_to_bits": answer}), impatient)
    assert graded.score == 0
    reasons = [reason for reason in graded.awaiting.values() if "left a thread running" in reason]
    assert bool(reasons) == hand, graded.awaiting
