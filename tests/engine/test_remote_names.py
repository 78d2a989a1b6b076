"""The student's names as a test cell sees them: what it may request, and what never crosses."""

import nbformat
import pytest

from autograder.problem_set.source import grade_id
from tests.support.engines import limited

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
    """Run test cells against a student's cell; return the outputs of each."""
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


def test_a_call_within_a_call_keeps_the_time_limit_of_the_outer_one(executor):
    """Or only the examiner could stop it, and the tests after it would not run."""
    student = "def inner(x): return x\ndef outer(f):\n    f(1)\n    while True: pass"
    tests = [("outer(lambda x: inner(x))", {}), ("assert inner(3) == 3", {})]
    first, second = judged(limited(executor, cell_seconds=1, total_seconds=20), student, tests)
    assert first[-1].ename.startswith("TimeoutError")
    assert second == []


def test_time_is_counted_once_though_calls_are_nested(executor):
    student = """
import time
def inner(x):
    end = time.process_time() + 0.4
    while time.process_time() < end: pass
    return x
def outer(f): return f(1)
"""
    test = "assert outer(lambda x: inner(x)) == inner(1) == 1"
    assert judged(limited(executor, cell_seconds=1.1, total_seconds=20), student, [(test, {})]) == [[]]


def test_a_test_cell_sees_changed_arguments_if_it_asks_to(executor):
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
def test_no_student_object_can_vouch_for_its_own_value(executor, forged):
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
    """Operators of a student's object get the test's numbers only if the cell declares them as inputs."""
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
    """No later cell can print what a hidden test passed to a function, and no later visible test can show it."""
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
