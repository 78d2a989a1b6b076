"""A proof is recorded with what it depends on: what has not changed is not tried again, and what has changed is."""

import json
import math
import random
import re
import shutil
import subprocess
import sys
from types import FunctionType

import nbformat
import pytest

from autograder.authoring.proof import record as record_module
from autograder.authoring.proof.dependence import Dependence, names_of
from autograder.authoring.proof.prove import notebooks_to_prove, prove, record_proof
from autograder.authoring.proof.record import known, record_path
from autograder.common.answer_digest import digest
from autograder.common.errors import AutograderError
from autograder.engine import execution
from autograder.engine.execution import Executed
from autograder.engine.restore import is_run
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.known_behaviour import behaviour_path, known_behaviour, known_messages
from autograder.problem_set.source import ProblemSet, grade_id, is_test


class InThisProcess:
    """Runs toy notebooks as plain Python, and counts them."""

    name = "in this process"

    def __init__(self):
        self.ran = []

    def start(self, jobs):
        """Do nothing."""

    def __call__(self, notebook, reference=None, undrawn=()):
        names, behaviour = {}, {}
        self.ran.append([cell.id for cell in notebook.cells])
        for cell in notebook.cells:
            if not is_run(cell):
                continue
            told: list[str] = []
            try:
                exec(compile(cell.source, cell.id, "exec"), listening(names, told) if is_test(cell) else names)
            except Exception as error:
                cell.outputs = [nbformat.v4.new_output("error", ename=type(error).__name__, evalue=str(error))]
            if is_test(cell):
                behaviour[grade_id(cell)] = digest(told)
        return Executed(notebook, [], behaviour)


def listening(names, told):
    """Return the names of a notebook, with functions that report their answers."""

    def heard(function):
        def call(*arguments):
            answer = function(*arguments)
            told.append(repr(answer))
            return answer

        return call

    return {name: heard(value) if isinstance(value, FunctionType) else value for name, value in names.items()}


HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
autograder:
  title: Toys
---

# Toys

"""


def cell(text, **metadata):
    lines = "\n".join(f"  {key}: {json.dumps(value)}" for key, value in metadata.items())
    head = f"---\nnbgrader:\n  schema_version: 3\n  cell_type: code\n  task: false\n{lines}\n---\n" if metadata else ""
    return f"```{{code-cell}} ipython3\n{head}{text}\n```\n\n"


def item(name, body, tests):
    answer = f"def {name}(x):\n    ### BEGIN SOLUTION\n    {body}\n    ### END SOLUTION"
    cells = cell(answer, grade_id=name, grade=False, solution=True, locked=False)
    for number, (x, expected) in enumerate(tests):
        text = f"assert {name}({x}) == {expected}, 'Look at {name} again.'"
        if number:
            text = f"### BEGIN HIDDEN TESTS\n{text}\n### END HIDDEN TESTS"
        text = f"# Test of {name} (1 point)\n{text}"
        cells += cell(text, grade_id=f"{name}-{number}", grade=True, solution=False, locked=True, points=1)
    return cells


SOURCE = (
    HEADER
    + cell("import math")
    + "Some *words*.\n\n"
    + item("double", "return 2 * x", [(1, 2), (4, 8)])
    + cell("shown = double(10)\nprint(shown)")
    + item("triple", "return 3 * x", [(1, 3), (4, 12)])
    + item("sixfold", "return double(triple(x))", [(1, 6), (4, 24)])
    + item("root", "return math.isqrt(x)", [(9, 3), (16, 4)])
)


def entry(name, code, loses=(), kind="misconception"):
    """Return the item that an answer belongs to, and its cell in the bank."""
    words = '  diagnosis: "is wrong."\n  revisit: "numbers"\n' if loses else ""
    losses = f"  loses: [{', '.join(loses)}]\n" if loses else ""
    head = f"---\nbank:\n  name: {name}\n  kind: {kind}\n{losses}{words}---\n"
    return re.match(r"def (\w+)", code)[1], f"```{{code-cell}} ipython3\n{head}{code}\n```\n\n"


ENTRIES = [
    entry("added", "def double(x):\n    return x + 2", ["double-0", "double-1", "sixfold-0", "sixfold-1"]),
    entry("sum", "def double(x):\n    return x + x", kind="alternative"),
    entry("squared", "def triple(x):\n    return x**3 + 2", ["triple-1", "sixfold-1"]),
    entry("once", "def sixfold(x):\n    return triple(x)", ["sixfold-0", "sixfold-1"]),
    entry("product", "def sixfold(x):\n    return 6 * x", kind="alternative"),
    entry("half", "def root(x):\n    return x // 2", ["root-0", "root-1"]),
    entry("power", "def root(x):\n    return round(x**0.5)", kind="alternative"),
]


def written(folder, source=SOURCE, entries=ENTRIES) -> ProblemSet:
    """Write a set whose items use each other, except `root`."""
    folder = folder / "toys"
    (folder / "bank").mkdir(parents=True, exist_ok=True)
    (folder / "toys.md").write_text(source, encoding="utf-8")
    for name in ("double", "triple", "sixfold", "root"):
        texts = [text for answered, text in entries if answered == name]
        bank = HEADER.replace("Toys", f"Bank of {name}") + "".join(texts)
        (folder / "bank" / f"{name}.md").write_text(bank, encoding="utf-8")
    return ProblemSet(folder)


def proven(problem_set, anew=False):
    """Prove a set as `release` does; return the answers tried and the number of notebooks run."""
    executor, given = InThisProcess(), known(problem_set, anew)
    proof = prove(problem_set, executor, 1, given=given, whole=anew)
    assert proof.faults == []
    if not given.complete:
        record_proof(problem_set, given, proof)
    return {f"{entry.replaces}/{entry.name}" for entry in proof.tried}, len(executor.ran)


def records(problem_set):
    return record_path(problem_set).read_bytes(), behaviour_path(problem_set).read_bytes()


EVERYTHING = {
    "double/added",
    "double/sum",
    "triple/squared",
    "sixfold/once",
    "sixfold/product",
    "root/half",
    "root/power",
}
WITHOUT_ROOT = EVERYTHING - {"root/half", "root/power"}


@pytest.fixture
def toys(tmp_path):
    """The set, proven and recorded."""
    problem_set = written(tmp_path)
    assert proven(problem_set)[0] == EVERYTHING
    return problem_set


def test_what_is_proven_is_not_run_again(toys, tmp_path):
    before = records(toys)
    again = written(tmp_path)
    assert known(again).complete
    assert notebooks_to_prove(known(again)) == 0
    assert proven(again) == (set(), 0)
    assert records(again) == before
    assert known_behaviour(again)["root"]["half"].keys() == {"root-0", "root-1"}
    assert known_messages(again)["root-1"] == ["Look at root again."]


@pytest.mark.parametrize(
    ("replace", "by", "tried"),
    [
        ("*words*", "*other words*", set()),
        ("title: Toys", "title: Games", set()),
        ("print(shown)", "print(shown, shown)", set()),
        ('diagnosis: "is wrong."', 'diagnosis: "is false."', set()),
        ("return x // 2", "return x // 2 + 0", {"root/half"}),
        ("assert root(16)", "assert root(+16)", {"root/half", "root/power"}),
        ("return math.isqrt(x)", "return math.isqrt(x) + 0", {"root/half", "root/power"}),
        ("return x**3 + 2", "return x**3 + 2 + 0", {"triple/squared"}),
        # Everything that gets another `sixfold` may get other points in its tests.
        ("assert sixfold(4)", "assert sixfold(+4)", WITHOUT_ROOT),
        ("assert triple(4)", "assert triple(+4)", {"triple/squared"}),
        ("return 3 * x", "return x * 3", WITHOUT_ROOT),
        ("import math\n", "import math\nimport math\n", EVERYTHING),
    ],
)
@pytest.mark.sampled(6)
def test_what_depends_on_a_change_is_tried_again(toys, tmp_path, replace, by, tried):
    assert replace in SOURCE + "".join(text for _, text in ENTRIES)
    changed = written(
        tmp_path, SOURCE.replace(replace, by), [(name, text.replace(replace, by)) for name, text in ENTRIES]
    )
    given = known(changed)
    assert not given.complete
    now, ran = proven(changed)
    assert now == tried
    assert ran >= 2, "the reference solution and the unsolved notebook are always run"
    partly = records(changed)
    assert proven(changed) == (set(), 0)
    # A record combined with a new proof must equal what a new proof of everything would write.
    assert proven(changed, anew=True)[0] == EVERYTHING
    assert [content.decode() for content in records(changed)] == [content.decode() for content in partly]


def test_answers_that_come_and_go_are_noticed(toys, tmp_path):
    more = entry("third", "def root(x):\n    return x // 3", ["root-1"])
    assert proven(written(tmp_path, entries=[*ENTRIES, more]))[0] == {"root/third"}
    assert proven(written(tmp_path, entries=ENTRIES[:-1]))[0] == set()
    fewer = written(tmp_path, entries=ENTRIES)
    assert proven(fewer)[0] == {"root/power"}
    partly = records(fewer)
    proven(fewer, anew=True)
    assert records(fewer) == partly


def test_a_changed_byte_anywhere_in_source_or_bank_makes_the_record_void(toys):
    for path in sorted(toys.folder.rglob("*.md")):
        content = path.read_bytes()
        lines = [match.end() - 1 for match in re.finditer(rb"[^\n]+", content)]
        for place in random.Random(path.name).sample(lines, 12):  # each is read as a notebook
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            try:
                complete = known(ProblemSet(toys.folder)).complete
            except AutograderError:  # the change is no longer a set
                complete = False
            assert not complete, (path.name, content[:place].count(b"\n") + 1)
        path.write_bytes(content)
    assert known(ProblemSet(toys.folder)).complete


def test_a_changed_byte_in_any_module_that_decides_makes_the_record_void(toys, tmp_path, monkeypatch):
    copy = tmp_path / "autograder"
    shutil.copytree(execution.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(execution, "PACKAGE", copy)
    proof = copy / "authoring" / "proof"
    monkeypatch.setattr(record_module, "__file__", str(proof / "record.py"))
    before = execution.engine_source(proof)
    assert known(toys).observed, "the copy is as good as the original"
    deciding = [
        path for room in ("common", "problem_set", "engine", "authoring/proof") for path in (copy / room).rglob("*.py")
    ]
    assert len(deciding) > 40
    for path in deciding:
        content = path.read_bytes()
        path.write_bytes(content + b"#")
        assert execution.engine_source(proof) != before, path
        path.write_bytes(content)
    path.write_bytes(content + b"#")
    assert known(toys).observed == {}
    assert proven(toys)[0] == EVERYTHING


def test_what_changes_while_a_set_is_proven_is_not_recorded_as_proven(tmp_path, monkeypatch):
    toys = written(tmp_path)
    given = known(toys)
    written(tmp_path, SOURCE.replace("*words*", "words"))
    monkeypatch.setattr(record_module, "package_versions", lambda: {"numpy": "0.0.1"})
    record_proof(toys, given, prove(toys, InThisProcess(), given=given))
    assert known(ProblemSet(toys.folder)).observed == {}
    monkeypatch.undo()
    later = known(ProblemSet(toys.folder))
    assert later.observed
    assert not later.complete


def test_what_is_proven_imports_no_module_that_its_record_leaves_out():
    """Only the rooms that the record covers, and the reading of packages, decide the result."""
    code = (
        "import sys, autograder.authoring.proof.prove; print(*[m for m in sys.modules if m.startswith('autograder.')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    covered = ("autograder.common", "autograder.problem_set", "autograder.engine", "autograder.authoring.proof")
    outside = {name for name in loaded if not name.startswith(covered)}
    assert outside == {"autograder.authoring"}, "proof.json does not cover them"


@pytest.mark.parametrize("package", sorted(execution.package_versions()))
@pytest.mark.sampled(5)
def test_another_version_of_a_package_makes_the_record_void(toys, monkeypatch, package):
    versions = execution.package_versions() | {package: "0.0.1"}
    monkeypatch.setattr(record_module, "package_versions", lambda: versions)
    assert known(toys).observed == {}


def test_a_record_that_is_invalid_or_was_changed_is_ignored(toys):
    for path in (record_path(toys), behaviour_path(toys)):
        content = path.read_bytes()
        for spoiled in (
            content.replace(b'root-1"]', b'root-0"]'),
            b"",
            b"[]",
            b"{}",
            b"<<<<<<<" + content,
            content[:-20],
        ):
            if spoiled != content:
                path.write_bytes(spoiled)
                assert not known(toys).complete, spoiled
        path.unlink()
        assert not known(toys).complete
        path.write_bytes(content)
    assert known(toys).complete


def test_a_record_has_a_line_for_each_answer_and_no_time(toys):
    lines = record_path(toys).read_text().splitlines()
    assert [line.strip().partition(":")[0].strip('"') for line in lines if "/" in line] == sorted(EVERYTHING)
    kept = json.loads("\n".join(lines))
    assert kept["packages"] == execution.package_versions()
    assert kept["entries"]["root/half"]["loses"] == ["root-0", "root-1"]


def test_items_that_share_more_than_names_are_tried_again(tmp_path):
    """One answer changes a module that another uses: no name shows it, but the reference solution's answers change."""
    source = SOURCE.replace("return 2 * x", "setattr(math, 'kept', 1)\n    return 2 * x")
    source = source.replace(
        "return math.isqrt(x)", "return math.isqrt(x) if getattr(math, 'kept', 1) == 1 else 1.0 * math.isqrt(x)"
    )
    toys = written(tmp_path, source)
    try:
        assert proven(toys)[0] == EVERYTHING
        assert known(toys).dependence.of_item("root")
        changed = written(tmp_path, source.replace("'kept', 1)\n", "'kept', 2)\n"))
        assert "half" in {entry.name for entry in known(changed).observed}
        assert proven(changed)[0] == EVERYTHING
    finally:
        del math.kept


def test_a_sample_of_what_is_recorded_is_run_and_a_contradiction_has_all_tried(toys, tmp_path):
    changed = written(tmp_path, SOURCE.replace("*words*", "words"))
    given, executor = known(changed), InThisProcess()
    assert set(given.observed) == set(changed.bank)
    for observation in given.observed.values():
        for test in observation.answers:
            observation.answers[test] = "0" * 16
    proof = prove(changed, executor, given=given)
    assert proof.faults == []
    assert {str(entry) for entry in proof.tried} == {str(entry) for entry in changed.bank}


def test_a_cell_that_only_shows_is_left_out_and_one_that_does_more_is_refused(tmp_path):
    toys = written(tmp_path)
    assert Dependence(toys).only_shown == {"cell-006"}
    executor = InThisProcess()
    proof = prove(toys, executor)
    assert proof.faults == []
    with_it = [ran for ran in executor.ran if "cell-006" in ran]
    assert len(with_it) == 2, "the reference solution and the unsolved notebook"

    executor = InThisProcess()
    assert prove(toys, executor, whole=True).faults == []
    assert all("cell-006" in ran for ran in executor.ran)

    source = SOURCE.replace("print(shown)", "double.__defaults__ = (3,)").replace(
        "return 3 * x", "return 3 * x + 0 * len(double.__defaults__ or ())"
    )
    assert Dependence(written(tmp_path, source)).only_shown == frozenset(), "it changes what a name means"

    source = SOURCE.replace("print(shown)", "setattr(double, 'seen', 1)")
    source = source.replace("return 3 * x", "return 3 * x if hasattr(double, 'seen') else 3.0 * x")
    toys = written(tmp_path, source)
    assert Dependence(toys).only_shown == {"cell-006"}
    faults = prove(toys, InThisProcess()).faults
    assert faults
    assert all("sees other answers when cells are left out" in fault for fault in faults)
    assert any("triple-0" in fault for fault in faults)


def test_an_item_is_proven_without_those_that_it_does_not_touch(toys, tmp_path):
    changed = written(tmp_path, SOURCE.replace("assert root(16)", "assert root(+16)"))
    executor = InThisProcess()
    assert {entry.name for entry in prove(changed, executor, given=known(changed)).tried} == {"half", "power"}
    assert len(executor.ran) == notebooks_to_prove(known(changed)) == 2 + 2 + 1 + 2 + 1
    parts = [set(ran) for ran in executor.ran if "sixfold" not in ran]
    assert len(parts) == 1 + 2, "the reference solution and both answers"
    assert all({"root", "root-0", "root-1"} <= part for part in parts)
    assert not set().union(*parts) & {"double", "triple", "double-0"}

    # Where the part behaves differently from the whole, the whole is run.
    source = SOURCE.replace("return 2 * x", "setattr(math, 'kept', 1)\n    return 2 * x")
    source = source.replace(
        "return math.isqrt(x)", "return math.isqrt(x) if hasattr(math, 'kept') else 1.0 * math.isqrt(x)"
    )
    try:
        toys = written(tmp_path, source)
        proven(toys)
        del math.kept
        changed = written(tmp_path, source.replace("assert root(16)", "assert root(+16)"))

        class Forgetful(InThisProcess):
            def __call__(self, *arguments):
                vars(math).pop("kept", None)
                return super().__call__(*arguments)

        executor = Forgetful()
        assert prove(changed, executor, given=known(changed)).faults == []
        assert len([ran for ran in executor.ran if "sixfold" not in ran]) == 1
    finally:
        vars(math).pop("kept", None)


def test_an_answer_that_differs_each_time_identifies_no_misconception(tmp_path):
    drawn = entry(
        "drawn", "def root(x):\n    import random\n    return random.SystemRandom().random()", ["root-0", "root-1"]
    )
    toys = written(tmp_path, entries=[*ENTRIES, drawn])
    proven(toys)
    assert known_behaviour(toys)["root"]["drawn"] == {"root-0": "", "root-1": ""}
    assert all(known_behaviour(toys)["root"]["half"].values())
    before = records(toys)
    proven(toys, anew=True)
    assert records(toys) == before


@pytest.mark.parametrize(
    ("code", "reads", "calls", "binds"),
    [
        ("def f(x):\n    return f(g(x))", "g", "f g", {"f": ""}),
        ("def g(x):\n    return x\ndef f(x):\n    return g(x)", "", "g", {"f": "", "g": ""}),
        ("y = x\nx = 1\nz = x", "x", "", {"x": "", "y": "", "z": ""}),
        ("if True:\n    x = 1\ny = x", "x", "", {"x": "", "y": ""}),
        ("import numpy as np\nfrom math import log as ln\nln(np.e)", "", "", {"np": "numpy", "ln": "math.log"}),
        ("import os.path", "", "", {"os": "os"}),
        ("Value.exp = exp", "Value exp", "", {"Value": ""}),
        ("table['x'][0] = 1", "table", "", {"table": ""}),
        ("def f(x):\n    x[0] = 1", "", "", {"f": ""}),
        ("def f():\n    global n\n    n = 1", "", "", {"f": "", "n": ""}),
    ],
)
def test_names_are_read_from_the_code(code, reads, calls, binds):
    names = names_of(code)
    assert (set(names.reads), set(names.calls)) == (set(reads.split()), set(calls.split()))
    assert (dict(names.binds), names.unknown) == (binds, False)


@pytest.mark.parametrize(
    "code", ["%matplotlib inline", "from math import *", "x = eval('y')", "globals()['y'] = 1", "def f(:"]
)
def test_where_names_cannot_be_read_everything_counts(code):
    assert names_of(code).unknown


def test_answers_share_a_notebook_only_where_neither_changes_the_other(tmp_path):
    toys = written(tmp_path)
    dependence, bank = Dependence(toys), {f"{e.replaces}/{e.name}": e for e in toys.bank}
    assert dependence.independent(bank["double/added"], bank["root/half"])
    assert not dependence.independent(bank["double/added"], bank["sixfold/once"])
    assert not dependence.independent(bank["double/added"], bank["double/sum"])
    assert not dependence.independent(bank["double/added"], bank["triple/squared"]), "both count in sixfold"
    helped = BankEntry("helped", "alternative", "root", "def half(x):\n    return x\ndef root(x):\n    return half(x)")
    other = BankEntry(
        "other", "alternative", "sixfold", "def half(x):\n    return 3 * x\ndef sixfold(x):\n    return 2 * half(x)"
    )
    assert dependence.independent(helped, bank["sixfold/once"])
    assert not dependence.independent(helped, other), "a helper of the same name"
