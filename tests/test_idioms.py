"""What runs in a Jupyter kernel runs here: idioms of real notebooks, executed by both, leave the same names and scores.

`idioms/*.toml` hold one idiom a table:

``code``
    What a student writes.
``places``
    Where: ``own``, a cell of her own, which stands after one answer, before the next, and after the tests of earlier
    ones; ``top``, the first lines of an answer cell; ``body``, the first lines of the function. Default: ``own``, ``top``.
``also``
    A further cell of her own that follows.
``uses``
    What the function's body does with the names that the idiom defined.
``late``
    Changes how later cells behave; comes after the other idioms of its file.
``lost``
    Places where the answer loses its point, in both: the idiom ends its cell with an error, or takes the answer away.
``differs``, ``reason``
    In what the two differ (``kinds`` of output, ``names``), and why; ``run`` is not asked of a kernel at all.
``sometimes``
    The difference depends on what stands beside.
"""

import json
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from autograder.engine.execution import KernelExecutor, prepare_environment

FOLDER = Path(__file__).with_name("idioms")
FILES = sorted(path.stem for path in FOLDER.glob("*.toml"))
#: Answers whose tests follow one another: each such group costs a process here.
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
    """Return the student's cells of one idiom, and the test of the answer among them."""
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
    """Return a notebook with all idioms in all their places."""
    steps = [
        (key, idiom, place)
        for late in (False, True)
        for place in ("own", "top", "body")
        for key, idiom in chosen.items()
        if place in idiom.get("places", ["own", "top"]) and idiom.get("late", False) == late
    ]
    blocks = [[]]
    for number, step in enumerate(steps):
        alone = "own" in step[1].get("lost", ())  # it takes its neighbours' answers too
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
    """Return what kinds of output a cell has: streams, and then all others in their order."""
    streams, others = set(), []
    for output in cell.outputs:
        if output.output_type == "stream":
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
    wrong += [f"{key}: no difference any more" for key in stale - differed]
    ours, theirs = names_of(here), names_of(kernel)
    wrong += [
        f"the name {key}: {ours.get(key)} here, {theirs.get(key)} in a kernel"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", FILES)
def test_what_a_kernel_cannot_do_is_done_here(name, executor):
    """Idioms that end a kernel, or make it wait without end, harm nobody here."""
    chosen = {key: idiom for key, idiom in idioms(name).items() if "run" in idiom.get("differs", ())}
    executed = executor(notebook_of(chosen)).notebook
    assert not [cell.source for cell in executed.cells if "nbgrader" in cell.metadata and fails(cell)]


def test_there_are_idioms_enough():
    assert sum(len(idioms(name)) for name in FILES) >= 80
