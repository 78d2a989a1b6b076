"""The grading engine: what crosses the wire, what the examiner may ask, and that it scores as nbgrader's kernel does."""

import contextlib
import json
import math
import os
import random
import re
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from known_sets import SETS

from autograder.authoring.test_cell_lint import faults_of_test_cells
from autograder.common.cell_names import foreign_names
from autograder.common.errors import AutograderError
from autograder.engine import kernel
from autograder.engine.kernel import KernelExecutor, prepare_environment
from autograder.engine.score import grade
from autograder.engine.shared.wire import (
    Connection,
    ConnectionEndedError,
    DeadlineError,
    Decoder,
    EncodeError,
    Encoder,
    WireError,
)
from autograder.problem_set.bank import bank_mixes, promised_losses
from autograder.problem_set.source import ProblemSet, answered, find_problem_sets, grade_id
from autograder.problem_set.versions import instructor_version, student_version

# ---- the wire


def refuse(value):
    raise EncodeError(type(value).__name__)


def crossed(value):
    encoder = Encoder(refuse)
    node = json.loads(json.dumps(encoder.encode(value)))
    return Decoder([memoryview(bytes(part)) for part in encoder.buffers], refuse).decode(node)


def same(a, b):
    """Whether two values differ in nothing that a test could tell apart: equality alone takes True for 1, and 0.0 for -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, a.dtype.kind in "fc")
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) or (a != a and b != b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, True),
        (2, 2.0),
        (0.0, -0.0),
        ([0], [False]),
        ((1,), [1]),
        ({"a": 1}, {"a": 1.0}),
        (0j, complex(0, -0.0)),
        ("1", 1),
    ],
)
def test_what_is_equal_need_not_be_the_same(a, b):
    assert not same(a, b)
    assert not same({"x": [(a,)]}, {"x": [(b,)]})


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.complex_numbers(allow_nan=False)
values = st.recursive(
    scalars | st.binary() | st.fractions(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
@settings(max_examples=200, deadline=None)
def test_values_cross_unchanged(value):
    assert same(value, crossed(value))


@pytest.mark.parametrize("text", ["half \ud800 a pair", ["\udfff"], {"\ud83d": 1}])
def test_half_a_surrogate_pair_crosses_as_a_question_mark(text):
    assert repr(crossed(text)) == re.sub(r"\\ud[0-9a-f]{3}", "?", repr(text))


@given(hnp.arrays(dtype=hnp.scalar_dtypes(), shape=hnp.array_shapes(min_dims=0, min_side=0)))
@settings(max_examples=200, deadline=None)
def test_arrays_cross_with_their_type_and_shape(array):
    received = crossed(array)
    assert received.dtype == array.dtype
    assert received.shape == array.shape
    assert received.tobytes() == np.ascontiguousarray(array).tobytes()
    assert received.flags.writeable


@pytest.mark.parametrize(
    "value",
    [
        np.float32(1.5), np.int64(-3), np.bool_(True), {1, 2}, frozenset([3]), range(2, 9, 3), slice(1, None), ...,
        Fraction(1, 3), np.array([[1, None], ["a", 2.5]], dtype=object), 10**400, -0.0, {"a": [np.arange(3)]},
    ],
)  # fmt: skip
def test_other_values_cross(value):
    received = crossed(value)
    assert type(received) is type(value)
    assert repr(received) == repr(value)


def test_what_is_nested_or_long_beyond_reason_does_not_cross():
    nested = []
    for _ in range(100):
        nested = [nested]
    for value in (nested, 10**5000):
        with pytest.raises(EncodeError):
            crossed(value)


@pytest.mark.parametrize(
    "node",
    [
        [], [1], {}, {"array": "<f8"}, {"array": "O", "shape": [1], "buffer": 0}, {"array": "<f8", "shape": [-1], "buffer": 0},
        {"array": "<f8", "shape": [10**9], "buffer": 0}, {"array": "<f8", "shape": [1], "buffer": 7},
        {"scalar": "<f8", "shape": [1], "buffer": 0}, {"array": "(3,)f8", "shape": [1], "buffer": 0},
        {"array": ["f8"], "shape": [1], "buffer": 0}, {"list": 3}, {"list": {"a": 1}}, {"dict": [[1]]}, {"dict": [[{"list": []}, 1]]},
        {"int": "zz"}, {"int": 5}, {"int": "f" * 100_000}, {"complex": [1]}, {"complex": "ab"}, {"fraction": [1, 0]}, {"bytes": 3},
        {"bytes": "a"}, {"constant": "quit"}, {"range": [1, 2, 0]}, {"objects": [1, 2], "shape": [3]}, {"decimal": "x"},
        {"set": [{"list": []}]}, {"unknown": 1}, {"object": 1}, {"slice": 1},
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_never_raises_anything_else(node):
    def unknown(node):
        raise WireError("unknown")

    with pytest.raises(WireError):
        Decoder([memoryview(bytes(8))], unknown).decode(node)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i), max_leaves=12
    )
)
@settings(max_examples=300, deadline=None)
def test_any_json_decodes_or_is_refused(node):
    def unknown(node):
        raise WireError("unknown")

    with contextlib.suppress(WireError):
        Decoder([], unknown).decode(node)


def exchange(raw, deadline=2.0):
    """Send raw bytes to a connection and return what it makes of them."""
    ours, theirs = socket.socketpair()

    def write():
        with contextlib.suppress(OSError):
            theirs.sendall(raw)
        theirs.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        return Connection(ours).receive(time.monotonic() + deadline)
    finally:
        ours.close()
        thread.join()


def frame(document, size=0, buffers=b""):
    return struct.pack("!QQ", len(document), size or len(buffers)) + document + buffers


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", ConnectionEndedError),
        (b"GET / HTTP/1.1\r\n\r\n", WireError),
        (struct.pack("!QQ", 2**63, 0), WireError),
        (struct.pack("!QQ", 10, 2**60), WireError),
        (struct.pack("!QQ", 10, 0) + b"abc", ConnectionEndedError),
        (frame(b"not json"), WireError),
        (frame(b"[1]"), WireError),
        (frame(b"[1, [5]]"), WireError),
        (frame(b'[1, ["a"]]', buffers=b"x"), WireError),
        (frame(b"[1, [-1, 2]]", buffers=b"x"), WireError),
        (frame(b"[" * 200_000), WireError),
        (frame(b"\xff\xfe"), WireError),
    ],
)
def test_frames_that_are_none_are_refused(raw, error):
    with pytest.raises(error):
        exchange(raw)


def test_a_peer_that_says_nothing_is_waited_for_no_longer_than_agreed():
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(DeadlineError):
        Connection(ours).receive(time.monotonic() + 0.1)
    ours.close()


# ---- what a test cell may do


def test_the_names_a_cell_takes_from_the_notebook_are_found_at_every_depth():
    source = """
import numpy as np
def helper(a):
    return outer(a) + np.sum(a) + len(a)
class Case:
    value = given
    def run(self):
        return [inner(i) for i in range(3)]
f = lambda: free
for i in range(3):
    total = i
"""
    assert foreign_names(source) == {"outer", "given", "inner", "free"}


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("assert np.isfinite(nats_to_bits(1))", "'np' is defined by no solution cell"),
        ("x = 1\nassert math.isclose(nats_to_bits(0), 0)", "line 4: import 'math' in the test cell itself"),
        ("assert helper", "'helper' is defined by no solution cell"),
        ("%timeit nats_to_bits(1)", "not plain Python"),
        ("assert isinstance(1, nats_to_bits)", "isinstance with the student's 'nats_to_bits'"),
        ("In[0]", "'In' is defined by no solution cell"),
    ],
)
def test_a_test_cell_that_steps_outside_is_refused_with_its_line(course, tmp_path, cell, says):
    (warmup,) = find_problem_sets(course, ["ps0-warmup"])
    folder = tmp_path / "solutions" / "ps0-warmup"
    folder.mkdir(parents=True)
    text = warmup.source_path.read_text(encoding="utf-8")
    begin = text.index("### BEGIN HIDDEN TESTS")
    end = text.index("### END HIDDEN TESTS")
    text = f"{text[:begin]}### BEGIN HIDDEN TESTS\n{cell}\n{text[end:]}"
    (folder / "ps0-warmup.md").write_text(text, encoding="utf-8")
    faults = faults_of_test_cells(ProblemSet(folder))
    assert any(says in fault and "nats_to_bits-hidden" in fault for fault in faults), faults


# ---- names of the student, seen from a test cell


STUDENT = """
import warnings
import numpy as np

class Value:
    def __init__(self, data):
        self.data, self.grad = data, 0.0
    def __add__(self, other):
        return Value(self.data + (other.data if isinstance(other, Value) else other))
    __radd__ = __add__
    def __len__(self):
        return 7
    def __getitem__(self, i):
        return i * 2

class Shifty:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __sub__(self, other): return 0.0
    __rsub__ = __add__ = __radd__ = __mul__ = __sub__
    def __abs__(self): return 0.0
    def __bool__(self): return True
    def __contains__(self, other): return True

class Trouble(ValueError):
    pass

def shifty(*_): return Shifty()
def raises(): raise Trouble("p must be positive")
def apply(f, x): return f(x) + f(2 * x)
def count_to(n):
    for i in range(n): yield i
def spoil(a): a[0] = 99; return a
def warn(): warnings.warn("look", RuntimeWarning); print("said"); return 1.0
def draw(rng): return rng.normal(size=3)
def back(f): return f
def make(k): return lambda x: x + k
number, words = 1.5, ["a", "b"]
"""


def judged(executor, student, tests, support=""):
    """Run test cells against a student's cell; return each one's outputs."""
    cells = [nbformat.v4.new_code_cell(student)]
    locked = {"locked": True, "solution": False, "grade": False}
    if support:
        cells.insert(0, nbformat.v4.new_code_cell(support, metadata={"nbgrader": {**locked, "grade_id": "given"}}))
    for i, (test, metadata) in enumerate(tests):
        nbgrader = {**locked, "grade": True, "grade_id": f"test-{i}", "points": 1}
        cells.append(nbformat.v4.new_code_cell(test, metadata={"nbgrader": nbgrader, **metadata}))
    executed = executor(nbformat.v4.new_notebook(cells=cells)).notebook
    return [cell.outputs for cell in executed.cells if (grade_id(cell) or "").startswith("test")]


def test_what_crosses_in_a_test_cell(executor):
    tests = [
        "assert number == 1.5 and words == ['a', 'b']",
        "v = 2 + (Value(3.0) + 1)\nassert v.data == 6.0\nv.grad = 2.0\nassert v.grad == 2.0\nassert type(v).__name__ == 'Value'",
        "assert len(Value(1)) == 7 and Value(1)[4] == 8",
        "assert apply(lambda x: x + 1, 3.0) == 11.0",
        "import numpy as np\nassert np.allclose(apply(np.exp, 0.0), 2)",
        "assert list(count_to(3)) == [0, 1, 2]",
        "import numpy as np\nassert np.array_equal(draw(np.random.default_rng(3)), np.random.default_rng(3).normal(size=3))",
        "try:\n    raises()\nexcept ValueError as error:\n    assert type(error).__name__ == 'Trouble' and 'positive' in str(error)",
        "f = len\nassert back(f) is f\nassert make(2)(3) == 5",
        "import warnings\nwith warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n    warn()\n"
        "assert w[0].category is RuntimeWarning",
        "import numpy as np\na = np.zeros(2)\nb = spoil(a)\nassert a[0] == 0 and b[0] == 99",
        "class Inner:\n    held = number\nassert Inner.held == 1.5",
    ]
    named = {"takes_operands": ["Value"]}
    for test, outputs in zip(tests, judged(executor, STUDENT, [(test, named) for test in tests]), strict=True):
        assert not [output for output in outputs if output.output_type == "error"], (test, outputs)


def test_a_test_cell_that_says_so_sees_changed_arguments(executor):
    test = "import numpy as np\na, b = np.zeros(2), [1, 2]\nspoil(a), spoil(b)\nassert a[0] == 99 and b == [99, 2]"
    ((outputs),) = judged(executor, STUDENT, [(test, {"observe_arguments": True})])
    assert outputs == []


@pytest.mark.parametrize(
    "forged",
    [
        "assert shifty() == 9", "assert 9 == shifty()", "assert not shifty() != 9", "assert shifty() < 3", "assert shifty()",
        "assert abs(shifty() - 9) < 1e-9", "assert abs(9 - shifty()) < 1e-9", "assert 3 in shifty()",
        "import numpy as np\nassert np.isclose(shifty(), 9)", "import numpy as np\nassert np.all(np.asarray(shifty()) == 9)",
        "import math\nassert math.isclose(shifty(), 9)", "assert shifty() is True", "assert shifty() * 0 == 0",
        "import numpy as np\nnp.testing.assert_allclose(shifty(), 9)", "assert undefined == 1", "assert sorted([shifty(), 1]) == [1, 2]",
        "import numpy as np\nassert (np.array([9.0]) == shifty()).all()", "import numpy as np\nassert np.max(np.abs(np.ones(3) - shifty())) < 1",
    ],
)  # fmt: skip
def test_no_object_of_the_student_can_answer_for_its_value(executor, forged):
    (outputs,) = judged(executor, STUDENT, [(forged, {})])
    assert outputs, forged
    assert outputs[-1].output_type == "error", forged


SPY = """
seen = []
class Spy:
    data = property(lambda self: Spy())
    def __sub__(self, other): seen.append(other); return self
    __rsub__ = __add__ = __radd__ = __mul__ = __rmul__ = __truediv__ = __matmul__ = __rmatmul__ = __sub__
    def __abs__(self): return self
    def method(self): return self
class Value(Spy):
    def __init__(self, number): pass
def spy(*_): return Spy()
def caught(): return [str(one) for one in seen]
"""


@pytest.mark.parametrize(
    "expects",
    [
        "spy() - 424242.5", "424242.5 - spy()", "abs(spy() - 424242.5)", "import numpy as np\nnp.array([424242.5]) - spy()",
        "Value(1).data - 424242.5", "spy().method() * 424242.5", "import numpy as np\nnp.isclose(spy(), 424242.5)", "Value - 424242.5",
        "import numpy as np\nspy() @ np.array([424242.5])", "Value(1).method - 424242.5",
    ],
)  # fmt: skip
def test_what_a_test_expects_never_reaches_the_student(executor, expects):
    """An operator of a student's object gets the test's numbers only where the cell says that they are inputs."""
    ask = "seen = caught()\nassert not any('424242' in text for text in seen), seen"
    named = {"takes_operands": ["Value"]}
    outputs = judged(
        executor, SPY, [(expects, named), (ask, {}), ("x = Value(1) - 3.5", named), ("assert caught() == ['3.5']", {})]
    )
    assert outputs[0][-1]["output_type"] == "error"
    assert outputs[1:] == [[], [], []]


def test_builtins_and_given_data_do_not_come_from_the_student(executor):
    student = "def abs(x): return 0\ndef len(x): return 3\ntable = [0]\ndef wrong(): return 5"
    tests = ["assert abs(wrong() - 9) > 1", "assert len([1]) == 1", "assert table == [1, 2]"]
    for outputs in judged(executor, student, [(test, {}) for test in tests], support="table = [1, 2]"):
        assert outputs == []


def test_hidden_arguments_reach_no_output(executor):
    """What a hidden test shows to a function cannot be printed by a later cell, nor shown by a later visible test."""
    student = "seen = []\nimport os\ndef f(x):\n    seen.append(x); open('seen', 'a').write(str(x))\n    return open('seen').read()"
    hidden = "### BEGIN HIDDEN TESTS\n_ = f(424242)\n### END HIDDEN TESTS"
    notebook = nbformat.v4.new_notebook()
    locked = {"locked": True, "solution": False, "grade": True, "points": 1}
    notebook.cells = [
        nbformat.v4.new_code_cell(student),
        nbformat.v4.new_code_cell(hidden, metadata={"nbgrader": {**locked, "grade_id": "a"}}),
        nbformat.v4.new_code_cell("print(seen, os.path.exists('seen') and open('seen').read())"),
        nbformat.v4.new_code_cell("print(f(1))", metadata={"nbgrader": {**locked, "grade_id": "b"}}),
    ]
    executed = executor(notebook).notebook
    assert "424242" not in str([cell.outputs for cell in executed.cells])


# ---- the same scores as in nbgrader's kernel


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_kernel_whose_port_was_taken_is_started_again(monkeypatch, source, failures):
    left = [RuntimeError("Kernel died before replying to kernel_info")] * failures

    def preprocess(step, notebook, resources):
        if left:
            raise left.pop()
        return notebook, resources

    monkeypatch.setattr(kernel.Execute, "preprocess", preprocess)
    if failures < 3:
        assert KernelExecutor()(source).notebook == source
    else:
        with pytest.raises(AutograderError, match="No Jupyter kernel starts here: Kernel died"):
            KernelExecutor()(source)
    assert left == []


#: Sets of whose banks every entry runs in a kernel each time; of another, two mixes do. `make test-all` runs all of them.
WHOLE = ("ps0-warmup", "ps1-information")


@pytest.mark.parametrize("name", SETS)
def test_the_kernel_gives_every_bank_entry_the_scores_that_the_engine_is_proven_to_give(course, name):
    """Release proves that the engine gives each entry what its bank promises; here nbgrader's own execution does."""
    prepare_environment()
    (problem_set,) = find_problem_sets(course, [name])
    source, released = instructor_version(problem_set), student_version(problem_set)

    def lost(mix):
        answers = problem_set.reference_answers | {entry.replaces: entry.code for entry in mix}
        return grade(source, answered(released, answers), KernelExecutor()).lost(problem_set.tests)

    mixes = bank_mixes(problem_set.bank)
    if name not in WHOLE and not os.environ.get("TEST_ALL"):
        mixes = random.Random(name).sample(mixes, 2)
    mixes = [[], *mixes]
    with ThreadPoolExecutor(2) as pool:
        for mix, found in zip(mixes, pool.map(lost, mixes), strict=True):
            assert found == promised_losses(mix), [str(entry) for entry in mix]
