"""Which cells may change what the tests before them depend on, and that the tests do not notice when one does."""

import nbformat
import pytest

from autograder.engine.lasting_state import Dependence
from autograder.engine.score import grade
from autograder.problem_set.source import answered, grade_id
from autograder.problem_set.versions import student_version

TEST = "import numpy as np\nassert entropy([0.5, 0.5]) == 1\n"
#: The cells before the test: an import, a constant, a function that uses a helper.
EARLIER = [
    "import numpy as np\nimport matplotlib.pyplot as plt\nfrom math import log2",
    "SMALLEST = 1e-300",
    "def terms(p):\n    return [x * log2(x) for x in p if x > SMALLEST]",
    "def entropy(p):\n    return -sum(terms(p))",
    "weather = [0.5, 0.5]",
]


@pytest.mark.parametrize(
    "cell",
    [
        "def divergence(p, q):\n    total = 0\n    for a, b in zip(p, q):\n        total += a * b\n    return total",
        "import numpy as np\nimport matplotlib.pyplot as plt\nfrom math import log2\nimport sympy as sp",
        "fig, ax = plt.subplots()\nax.plot([1, 2], [entropy([1.0]), 3])\nax.title = 'bits'\nplt.show()",
        "weather = [1.0]\nweather.append(0.0)",
        "def fill(out):\n    out[0] = entropy([1.0])\n    return out",
        "p = np.array([0.5, 0.5])\np[0] = 0.25\nentropy(p)",
        "x = 3 if (y := 4) else 5",
        "rng = np.random.default_rng(3)\nnoise = rng.normal(size=3)",
        "# nothing",
    ],
)
def test_a_cell_that_changes_nothing_of_it(cell):
    assert Dependence([TEST], EARLIER).survives(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "def entropy(p):\n    return 0",
        "entropy = lambda p: 0",
        "entropy: object = None",
        "for entropy in range(3): pass",
        "del entropy",
        "class terms: pass",
        "try:\n    1 / 0\nexcept ZeroDivisionError as terms:\n    pass",
        "match 3:\n    case terms:\n        pass",
        "print(terms := 3)",
        "from numpy import log2",
        "from math import *",
        "import math as log2",
        "SMALLEST = 0.1",
        "def change():\n    global SMALLEST\n    SMALLEST = 1\nchange()",
        "print(SMALLEST)",
        "entropy.calls = 0",
        "entropy.__defaults__ = (1,)",
        "np.log2 = None",
        "np.seterr(all='raise')",
        "np.random.seed(3)",
        "from numpy import seterr",
        "noise = np.random.normal(size=3)",
        "import random\nrandom.random()",
        "from numpy.random import normal",
        "plt.rcParams['font.size'] = 3",
        "terms.cache_clear()",
        "globals()['entropy'] = None",
        "exec('entropy = None')",
        "setattr(np, 'log2', None)",
        "%precision 3",
        "!ls",
        "def f(:",
        "\x00",
    ],
)
def test_a_cell_that_may_change_it(cell):
    assert not Dependence([TEST], EARLIER).survives(cell)


@pytest.mark.parametrize(
    ("earlier", "cell", "expected"),
    [
        ("table = {}\ndef entropy(p):\n    return table.get(3, 1)", "x = abs(-3)", False),  # a call may fill the table
        ("table = {}\ndef entropy(p):\n    return table.get(3, 1)", "def f(): return abs(-3)", True),
        ("table = {}\ndef entropy(p):\n    return table.get(3, 1)", "@abs\ndef f(): pass", False),
        ("table = {}\ndef entropy(p):\n    return table.get(3, 1)", "copy = table", False),
        ("table = {}\ndef entropy(p):\n    return 1", "x = abs(-3)\ncopy = table", True),  # it does not use the table
        ("%precision 3\ndef entropy(p):\n    return 1", "x = 3", False),
        ("count = 0\ndef entropy(p):\n    global count\n    count += 1", "entropy([1])", False),
        ("class Model:\n    calls = []\ndef entropy(p):\n    Model.calls.append(p)", "x = abs(-3)", False),
        ("class Model:\n    calls = []\ndef entropy(p):\n    Model.calls.append(p)", "x = model + 3", False),
        ("class Model:\n    calls = []\ndef entropy(p):\n    Model.calls.append(p)", "x = 3, -4", True),
        ("class Model:\n    calls = []\ndef entropy(p):\n    Model.calls.append(p)", "x = -model", False),
        ("class Model:\n    calls = []\ndef entropy(p):\n    Model.calls.append(p)", "if model: pass", False),
        ("class Model:\n    calls = []\ndef entropy(p):\n    Model.calls.append(p)", "model", False),
        ("class Model:\n    calls = []\ndef entropy(p):\n    Model.calls.append(p)", "class Other(Model): pass", False),
        (
            "class Model:\n    calls = []\ndef entropy(p):\n    Model.calls.append(p)",
            "class Other:\n    size = 3",
            True,
        ),
        ("class Model:\n    calls = []", "x = abs(-3)", True),
        ("class entropy:\n    'A class.'\n    bits, __slots__ = 3, ('a', 'b')", "x = abs(-3)", True),
        ("class entropy(metaclass=M):\n    pass", "x = abs(-3)", False),
        ("class entropy:\n    @classmethod\n    def of(cls, p):\n        cls.last = p", "x = abs(-3)", False),
        ("class entropy:\n    @property\n    def bits(self):\n        return 3", "x = abs(-3)", True),
        ("class entropy:\n    def of(self):\n        self.__class__.last = 3", "x = abs(-3)", False),
        ("def entropy(p, seen=[]):\n    seen.append(p)", "x = abs(-3)", False),
        ("def entropy(p, *, seen={}):\n    return 1", "x = abs(-3)", False),
        ("def entropy(p, seen=(), base=-2, *, axis=None):\n    return 1", "x = abs(-3)", True),
        ("@cache\ndef entropy(p):\n    return 1", "x = abs(-3)", False),
        ("def entropy(p):\n    entropy.calls.append(p)", "x = abs(-3)", False),
        ("def entropy(p):\n    return (lambda p, seen=[]: seen)", "x = abs(-3)", False),
        ("x = 3", "def entropy(p):\n    return 1", False),  # the test finds no such name; later there is one
    ],
)
def test_what_stands_before_counts(earlier, cell, expected):
    assert Dependence([TEST], [earlier]).survives(cell) is expected


LATER = [
    "nats_to_bits(3)",
    "nats_to_bits = None",
    "math.log = None",
    "def nats_to_bits(x):\n    return 0",
    "import builtins\nbuiltins.float = None\nbuiltins.math = None",
    "FACTOR.append(0)",
    "spoil()",
    "del nats_to_bits, math, FACTOR",
    "%reset -f",
]


#: A function whose later cells change what it uses, and some that keep what they were called with, and then answer wrongly.
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


@pytest.mark.parametrize(
    ("answer", "later"), [*((USES, later) for later in LATER), *((answer, "nats_to_bits(-7)") for answer in KEEPS)]
)
def test_what_a_later_cell_does_is_not_seen_by_the_tests_before_it(executor, warmup, source, answer, later):
    """As in a notebook, tests judge the names as they are where the tests stand."""
    notebook = answered(student_version(warmup), {"nats_to_bits": answer})
    last = max(i for i, cell in enumerate(notebook.cells) if grade_id(cell))
    notebook.cells[last + 1 : last + 1] = [
        nbformat.v4.new_code_cell("kept = nats_to_bits"),
        nbformat.v4.new_code_cell(later),
    ]
    graded = grade(source, notebook, executor)
    assert graded.score == 1, [cell.get("outputs") for cell in graded.notebook.cells]
