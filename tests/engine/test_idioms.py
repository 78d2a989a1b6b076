"""What runs in a Jupyter kernel runs here: idioms from real notebooks leave the same names and scores in both.

Each table in `idioms/*.toml` is one idiom:

``code``
    What a student writes.
``places``
    Where: ``own``, a cell of her own, after one answer, before the next, and after the tests of earlier ones; ``top``,
    the first lines of an answer cell; ``body``, the first lines of the function. Default: ``own``, ``top``.
``also``
    Another cell of her own that follows.
``uses``
    What the function's body does with the names that the idiom defined.
``late``
    It changes how later cells behave, so it comes after the other idioms of its file.
``lost``
    Places where the answer loses its point in both: the idiom ends its cell with an error, or removes the answer.
``differs``, ``reason``
    How the two differ (``kinds`` of output, ``names``), and why; with ``run``, no kernel runs it at all.
``sometimes``
    The difference depends on the surrounding cells, or on the version of Python.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from autograder.engine.sandbox import PACKAGE
from tests.support.jupyter_kernel import KernelExecutor, prepare_environment

FOLDER = Path(__file__).with_name("idioms")
FILES = sorted(path.stem for path in FOLDER.glob("*.toml"))
#: Answers whose tests form a group: each group costs a process here.
BLOCK = 4

NAMES = """
import json as _json
def _names():
    plain = (bool, int, float, str)
    return {
        name: repr(value) if type(value) in plain else type(value).__name__
        for name, value in globals().items()
        if not name.startswith("_")
    }
print("NAMES", _json.dumps(_names()))
"""


def idioms(name):
    with open(FOLDER / f"{name}.toml", "rb") as file:
        read = tomllib.load(file)
    for idiom in read.values():
        assert idiom.keys() <= {"code", "places", "also", "uses", "late", "lost", "differs", "reason", "sometimes"}
        assert ("differs" in idiom) == ("reason" in idiom)
    return read


def cells_of(key, idiom, place, number):
    """Return the student's cells for one idiom, and the test of the answer among them."""
    code, inside = idiom["code"], idiom.get("uses", "pass")
    if place == "body":
        inside = code
    body = "\n".join(f"    {line}" for line in inside.splitlines())
    answer = f"def answer_{number}(x):\n{body}\n    return x + {number}"
    if place == "top":
        answer = f"{code}\n\n{answer}"
    sources = [answer]
    if place == "own":
        sources = [code, answer] if "uses" in idiom else [answer, code]
    if "also" in idiom and place != "body":
        sources.append(idiom["also"])
    own = [nbformat.v4.new_code_cell(source, metadata={"idiom": key, "place": place}) for source in sources]
    made = {"grade_id": f"{key}-{place}", "grade": True, "points": 1, "locked": True, "solution": False}
    made |= {"schema_version": 3, "cell_type": "code"}
    test = f"assert answer_{number}(2) == {number + 2}"
    return own, nbformat.v4.new_code_cell(test, metadata={"nbgrader": made, "idiom": key, "place": place})


def notebook_of(chosen):
    """Return a notebook with all these idioms in all their places."""
    steps = [
        (key, idiom, place)
        for late in (False, True)
        for place in ("own", "top", "body")
        for key, idiom in chosen.items()
        if place in idiom.get("places", ["own", "top"]) and idiom.get("late", False) == late
    ]
    blocks = [[]]
    for number, step in enumerate(steps):
        alone = "own" in step[1].get("lost", ())  # it would spoil its neighbours' answers too
        if len(blocks[-1]) == BLOCK or alone:
            blocks.append([])
        blocks[-1].append(cells_of(*step, number))
        if alone:
            blocks.append([])
    cells = []
    for made in blocks:
        cells += [cell for own, _ in made for cell in own] + [test for _, test in made]
    cells.append(nbformat.v4.new_code_cell(NAMES))
    return nbformat.v4.new_notebook(cells=cells)


def kinds(cell):
    """Return the kinds of a cell's outputs: streams first, then all others in order."""
    streams, others = set(), []
    for output in cell.outputs:
        if output.output_type == "stream":
            # Which cell warns of a forgotten coroutine depends on when it is collected.
            if "was never awaited" not in output.text:
                streams.add(output.name)
        elif output.output_type == "error":
            others.append(("error", output.ename))
        else:
            others.append((output.output_type, *sorted(output.data)))
    return [*sorted(streams), *others]


def names_of(notebook):
    text = "".join(output.text for output in notebook.cells[-1].outputs if output.output_type == "stream")
    return json.loads(text.split("NAMES", 1)[1])


def fails(cell):
    return any(output.output_type == "error" for output in cell.outputs)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.sampled(2)
def test_a_kernel_and_the_engine_agree(name, executor, monkeypatch):
    prepare_environment()
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)  # a kernel that sees it leaves descriptors alone
    chosen = {key: idiom for key, idiom in idioms(name).items() if "run" not in idiom.get("differs", ())}
    notebook = notebook_of(chosen)
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(KernelExecutor(), notebook)
        here = executor(notebook).notebook
        kernel = there.result().notebook

    wrong, differed = [], set()
    for ours, theirs in zip(here.cells[:-1], kernel.cells[:-1], strict=True):
        key, place = ours.metadata["idiom"], ours.metadata["place"]
        idiom = chosen[key]
        if "nbgrader" in ours.metadata:
            for cell, where in ((ours, "here"), (theirs, "in a kernel")):
                if fails(cell) != (place in idiom.get("lost", ())):
                    wrong.append(f"{key} ({place}): the point {where}: {cell.outputs}")
        elif kinds(ours) != kinds(theirs):
            differed.add(key)
            if "kinds" not in idiom.get("differs", ()):
                wrong.append(f"{key} ({place}), {ours.source!r}: {kinds(ours)} here, {kinds(theirs)} in a kernel")
    stale = {key for key, idiom in chosen.items() if "kinds" in idiom.get("differs", ()) and not idiom.get("sometimes")}
    wrong += [f"{key}: there is no longer a difference" for key in stale - differed]
    ours, theirs = names_of(here), names_of(kernel)
    wrong += [
        f"the name {key}: {ours.get(key)} here, {theirs.get(key)} in a kernel"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", FILES)
def test_what_a_kernel_cannot_do_works_here(name, executor):
    """Idioms that kill a kernel, or make it wait for ever, do no harm here."""
    chosen = {key: idiom for key, idiom in idioms(name).items() if "run" in idiom.get("differs", ())}
    executed = executor(notebook_of(chosen)).notebook
    assert not [cell.source for cell in executed.cells if "nbgrader" in cell.metadata and fails(cell)]


def test_there_are_enough_idioms():
    assert sum(len(idioms(name)) for name in FILES) >= 80


#: Magics that open a window, or send a text to a website.
NOT_TRIED = {"%pastebin", "%qtconsole"}
EVERY_MAGIC = """
import json
from autograder.engine.student.kernel import new_kernel
magics = new_kernel().shell.magics_manager.lsmagic()
print(json.dumps([mark + name for mark, kind in (("%", "line"), ("%%", "cell")) for name in magics[kind]]))
"""


def test_every_magic_of_a_kernel_is_among_the_idioms():
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-P", "-c", EVERY_MAGIC]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd="/").stdout
    code = "\n".join(f"{idiom['code']}\n{idiom.get('also', '')}" for name in FILES for idiom in idioms(name).values())
    lacking = {magic for magic in json.loads(found) if not re.search(rf"(?<![%\w]){re.escape(magic)}(?!\w)", code)}
    assert lacking == NOT_TRIED


# ---- cell execution by itself

#: Executes cells in their own process, with a clock of some seconds of processor time, and calls a function in a snapshot.
HARNESS = """
import contextlib, json, os, signal, sys
from autograder.engine.student.warm_up import warm_kernel
kernel = warm_kernel()
from autograder.engine.student.cells import Cells
from autograder.engine.student.service import CellTimeoutError

def ring(*_):
    raise CellTimeoutError("the time limit is over")

@contextlib.contextmanager
def clock():
    signal.setitimer(signal.ITIMER_PROF, float(sys.argv[2]), 0.1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)

signal.signal(signal.SIGPROF, ring)
answers = os.fdopen(os.dup(1), "w")
sources = json.loads(sys.stdin.read())
cells = Cells(kernel, int(sys.argv[1]), clock)
replies = [cells.run(source, draw) for source, draw in sources]
reading, writing = os.pipe()
if cells.fork() == 0:
    function = cells.names.get("in_snapshot", lambda: None)
    os.write(writing, json.dumps(repr(cells.inside(function))).encode())
    os._exit(0)
replies.append(json.loads(os.read(reading, 65536)))
json.dump(replies, answers, allow_nan=False)
"""


def run_cells(tmp_path, *sources, draw=True, limit=2_000_000, seconds=0.3):
    """Execute cells; return each cell's outputs, and finally what `in_snapshot` returns in a fork."""
    done = subprocess.run(
        [sys.executable, "-c", HARNESS, str(limit), str(seconds)],
        input=json.dumps([[source, draw] for source in sources]),
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def errors_of(reply):
    return [output["ename"] for output in reply["outputs"] if output["output_type"] == "error"]


def test_an_endless_cell_is_stopped_wherever_it_spins(tmp_path):
    spin = "while True:\n    pass"
    sources = [
        spin,
        "import asyncio\nawait asyncio.sleep(0)\n" + spin,
        "import asyncio\nwhile True:\n    await asyncio.sleep(0)",
        "try:\n    while True:\n        pass\nexcept Exception:\n    pass",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException as error:\n        caught = error\n        break",
        "def spin():\n    while True:\n        pass\n"
        "_ = asyncio.get_running_loop().call_soon(spin)\n"
        "try:\n    await asyncio.Event().wait()\nfinally:\n    await asyncio.Event().wait()",
        "alive = await asyncio.sleep(0, 'alive')\nalive",
        "display('still', 'here')",
    ]
    *replies, _ = run_cells(tmp_path, *sources)
    for reply in [*replies[:4], replies[5]]:
        assert errors_of(reply)[:1] == ["CellTimeoutError"], reply
    assert [output["data"]["text/plain"] for output in replies[6]["outputs"]] == ["'alive'"]
    assert len(replies[7]["outputs"]) == 2


def test_a_cell_that_never_ends_shows_nothing_in_a_later_one(tmp_path):
    stubborn = "import asyncio\nwhile True:\n    try:\n        await asyncio.Event().wait()\n    except asyncio.CancelledError:\n        pass"
    spin = "import asyncio\nasyncio.get_running_loop().call_soon(exec, 'while True: pass')\n" + stubborn
    replies = run_cells(tmp_path, spin, "import gc\nfor _ in range(3):\n    gc.collect()", seconds=2)
    assert errors_of(replies[0]) == ["CellTimeoutError"]
    assert replies[1]["outputs"] == []


def test_figures_may_be_left_undrawn(tmp_path):
    sources = [
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2])\nplt.show()",
        "plt.plot([1, 2]);",
        "fig",
        "display(fig, 3)",
        "plt.plot([1, 2]);\nplt.savefig('kept.png')",
        "ax.get_xlim()[0] < 1, len(ax.lines)",
    ]
    *drawn, _ = run_cells(tmp_path, *sources)
    *undrawn, _ = run_cells(tmp_path, *sources, draw=False)
    pictures = 0
    for with_pictures, without in zip(drawn, undrawn, strict=True):
        assert len(with_pictures["outputs"]) == len(without["outputs"])
        for one, other in zip(with_pictures["outputs"], without["outputs"], strict=True):
            assert one["data"]["text/plain"] == other["data"]["text/plain"]
            if "image/png" in one["data"]:
                pictures += 1
                assert other["data"].keys() == {"text/plain"}
                assert other["metadata"] == {"autograder": {"figure": "not drawn"}}
    assert pictures == 5
    assert (tmp_path / "kept.png").stat().st_size > 1000


def test_outputs_are_bounded_plain_data(tmp_path):
    sources = [
        "for n in range(100_000):\n    display({}, raw=True)",
        "import sys\nfor n in range(5000):\n    print(end='a')\n    print(end='b', file=sys.stderr)",
        "print('é' * 100_000)",
        "import os\nos.write(1, b'x' * 100_000);",
        "display('x', metadata={'big': 'y' * 10_000})",
        "display({'text/plain': 'x', 'image/png': b'123', 'text/html': 5, 'application/json': float('nan')}, raw=True)",
        "loop = []\nloop.append(loop)\ndisplay({'text/plain': 'x', 'application/json': loop}, raw=True)",
        "print('\\ud800')",
        "raise ValueError('x' * 100_000)",
    ]
    *replies, _ = run_cells(tmp_path, *sources, limit=20_000)
    for reply in replies:
        assert len(json.dumps(reply, ensure_ascii=False).encode()) < 60_000
        assert len(reply["outputs"]) <= 201
    assert [reply["cut"] for reply in replies] == [True, True, True, True, False, False, False, False, True]
    assert replies[4]["outputs"][0]["metadata"] == {}
    assert replies[5]["outputs"][0]["data"] == {"text/plain": "x", "image/png": "MTIz"}
    assert replies[6]["outputs"][0]["data"] == {"text/plain": "x"}
    assert errors_of(replies[8]) == ["ValueError"]


def test_a_snapshot_keeps_what_cells_have_set(tmp_path):
    """Context variables, thread pools and the event loop work in a snapshot as in the notebook.

    After a fork, Python 3.14 forgets which pools had threads, so they were left without any. Since version 3.12, Python
    warns about forking a process with several threads; where warnings were errors, the process ended.
    """
    sources = [
        "import asyncio, decimal\nfrom concurrent.futures import ThreadPoolExecutor\ndecimal.getcontext().prec = 7",
        "pool = ThreadPoolExecutor(2)\nfirst = list(pool.map(abs, [-1, -2]))\nawait asyncio.to_thread(int)",
        "import os, concurrent.futures.thread\n"
        "os.register_at_fork(after_in_child=concurrent.futures.thread._threads_queues.clear)",
        "import warnings\nwarnings.simplefilter('error')",
        "def in_snapshot():\n"
        "    running = asyncio.get_running_loop().is_running()\n"
        "    return decimal.getcontext().prec, list(pool.map(abs, [-3, -4])), running",
    ]
    *replies, seen = run_cells(tmp_path, *sources)
    assert not any(map(errors_of, replies))
    assert seen == "(7, [3, 4], True)"


def test_a_display_is_updated_and_cleared_as_in_a_front_end(tmp_path):
    sources = [
        "h = display('a', display_id=True)\nh.update('b')",
        "from IPython.display import clear_output\nprint(1)\nclear_output()\nprint(2)",
        "print(1)\nclear_output(wait=True)\nprint(2)",
        "print(1)\nclear_output(wait=True)",
        "import os, sys\nprint('1')\nos.system('echo 2')\nprint('3')\nprint('4', file=sys.__stdout__);",
    ]
    first, second, third, fourth, fifth, _ = run_cells(tmp_path, *sources)
    assert [output["data"]["text/plain"] for output in first["outputs"]] == ["'b'"]
    assert [output["text"] for output in second["outputs"]] == ["2\n"]
    assert [output["text"] for output in third["outputs"]] == ["2\n"]
    assert [output["text"] for output in fourth["outputs"]] == ["1\n"]
    assert "".join(output["text"] for output in fifth["outputs"]) == "1\n2\n3\n4\n"
