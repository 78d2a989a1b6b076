"""Attacks on particular sets' tests: answers that know when they are counted, arguments that change between uses."""

import pytest

from autograder.engine.score import grade
from autograder.problem_set.source import answered, find_problem_sets
from autograder.problem_set.versions import instructor_version, student_version


@pytest.fixture(scope="module")
def score(course, executor):
    """A function that grades answers to a set, and returns the points of a test cell."""
    read = {}

    def graded(name, answers, test):
        if name not in read:
            (problem_set,) = find_problem_sets(course, [name])
            read[name] = instructor_version(problem_set), student_version(problem_set)
        source, released = read[name]
        return grade(source, answered(released, answers), executor).scores[test]

    return graded


LOOP = """
import math
def loop(X, w, b):
    logits = [sum(a * c for a, c in zip(x, w)) + b for x in X]
    return np.array([1 / (1 + math.exp(-z)) if z > -30 else math.exp(z) for z in logits])
class Later:
    def __init__(self, *args): self.args = args
    def __len__(self): return len(self.args[0])
    def __iter__(self): return iter(loop(*self.args))
    def __getitem__(self, i): return loop(*self.args)[i]
def predict_proba(X, w, b):
    HOW
    return loop(X, w, b)
"""


@pytest.mark.parametrize(
    "how",
    [
        "if len(X) in (10, 1000): return np.zeros(len(X))",  # the counted calls only
        "for _ in range(100_000 if len(X) == 10 else 0): pass",  # few samples take longest
        "if len(X) in (10, 1000): return Later(X, w, b)",  # the work is done when nobody counts
    ],
)
def test_a_loop_that_knows_when_it_is_counted_is_a_loop(score, how):
    assert score("ps5-arrays", {"predict_proba": LOOP.replace("HOW", how)}, "predict_proba-many_hidden") == 0


STEPS = """
import math
def loop(w, b, X, y, rate):
    slopes, total = [0.0] * len(w), 0.0
    for x, label in zip(X.tolist(), y.tolist()):
        error = 1 / (1 + math.exp(-sum(a * c for a, c in zip(x, w)) - b)) - label
        slopes, total = [s + error * v for s, v in zip(slopes, x)], total + error
    return w - rate * np.array(slopes) / len(y), b - rate * total / len(y)
class Later:
    def __init__(self, *args): self.args = args
    def __len__(self): return len(self.args[0])
    def __iter__(self): return iter(loop(*self.args)[0].tolist())
    def __getitem__(self, i): return loop(*self.args)[0].tolist()[i]
def gradient_step(w, b, X, y, rate):
    if len(y) not in (10, 1000, 200_000):
        return loop(w, b, X, y, rate)
    return HOW
"""


def test_a_part_of_a_result_is_numbers_and_not_what_computes_them(score):
    answer = STEPS.replace("HOW", "Later(w, b, X, y, rate), b")
    assert score("ps5-arrays", {"gradient_step": answer}, "gradient_step-many_hidden") == 0


@pytest.mark.parametrize(
    ("item", "answer"),
    [
        (
            "train",
            "class Rate:\n    def __float__(self): return 0.5\ndef train_failing_input(): return [[1.0]], [1], Rate(), 1",
        ),
        (
            "log_softmax",
            "class Score:\n    count = 0\n    def __float__(self):\n        Score.count += 1\n"
            "        return 1.0 if Score.count < 4 else float('nan')\n"
            "def log_softmax_failing_input(): return ([Score()],)",
        ),
    ],
)
def test_a_failing_input_is_what_it_is(score, item, answer):
    """An object may be valid when it is checked, and something else when the faulty function gets it."""
    assert score("ps3-bugfix", {f"{item}_failing_input": answer}, f"{item}_failing_input-hidden") == 0
