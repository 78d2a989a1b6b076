"""Whatever call a visible test prints can be pasted into the notebook, and does there what the test did."""

import copy
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from autograder.problem_set.source import ProblemSet, find_problem_sets, grade_id
from autograder.reports.hidden_tests import is_hidden
from tests.support.known_sets import SETS


def alike(one, other) -> bool:
    """Whether two values are the same, down to their types."""
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, np.ndarray | np.generic):
        real = one.dtype.kind in "fc"
        return type(one) is type(other) and one.dtype == other.dtype and np.array_equal(one, other, equal_nan=real)
    if isinstance(one, float) and math.isnan(one):
        return type(other) is float and math.isnan(other)
    if callable(one) and hasattr(one, "__code__"):
        return callable(other) and (one.__code__.co_code, one.__code__.co_consts) == (
            other.__code__.co_code,
            other.__code__.co_consts,
        )
    return type(one) is type(other) and (one == other or type(one).__module__ == "__main__")


def outcome(work):
    """What a call returns, or the class of what it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return work()
        except Exception as error:
            return type(error)


def solved(problem_set: ProblemSet):
    """Yield the code cells of a set with its reference answers, but for hidden tests, and the notebook's names."""
    names: dict = {"__name__": "__main__"}
    for cell in problem_set.notebook.cells:
        imports = cell.source.startswith("import ")
        if cell.cell_type == "code" and (grade_id(cell) or imports) and not is_hidden(cell):
            yield cell, names


@pytest.mark.parametrize("name", SETS)
@pytest.mark.sampled(3)
def test_every_printed_call_of_a_visible_test_can_be_pasted(course: Path, name, monkeypatch):
    (problem_set,) = find_problem_sets(course, [name])
    calls: list = []
    called = 0
    for cell, names in solved(problem_set):
        exec(compile(cell.source, f"<{grade_id(cell)}>", "exec"), names)
        if grade_id(cell) == "checks":
            judge = sys.modules["checks_of_this_notebook"].Check

            def recorded(way, judge=judge):
                original = getattr(judge, way)

                def record(self, *given, **options):
                    args, kwargs = (given[0], given[1]) if way == "_call" else (given[1], {})
                    calls.append((self, copy.deepcopy(args), kwargs, self._call_text(args, kwargs)))
                    return original(self, *given, **options)

                return record

            for way in ("_call", "_quietly"):
                monkeypatch.setattr(judge, way, recorded(way))
        for check, args, kwargs, text in calls:
            where = f"{grade_id(cell)}: {text}"
            code = sys.modules["checks_of_this_notebook"]._check_code
            for argument in [*args, *kwargs.values()]:
                written = code(argument)
                assert "\n" not in written, where
                try:
                    again = eval(written, dict(names))
                except SyntaxError:
                    pytest.fail(f"{where}: {written} is no code")
                assert alike(again, argument), f"{where}: {written} is another argument"
            expected = outcome(
                lambda check=check, args=args, kwargs=kwargs: check.function(*copy.deepcopy(args), **kwargs)
            )
            received = outcome(lambda text=text, names=names: eval(text, dict(names)))
            assert alike(received, expected), f"{where} gives {received!r}"
            called += 1
        calls.clear()
    assert called or name == "ps0-warmup"  # its tests need no module
