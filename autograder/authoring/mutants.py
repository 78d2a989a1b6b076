"""Mutants of the reference solutions: small changes that a set's tests have to notice.

People thought of the misconceptions; mutants are made by rule: an operator, a constant, a comparison, an axis or a
statement of a reference answer is changed, one at a time. A mutant that keeps all points either reveals a gap in the
tests or computes the same; those that do are listed with the reason in `mutants.json` beside the bank.

Three changes are never made, because they cannot alter an answer's value, whatever the tests:

- no longer silencing a warning where no test of the item asks for silence: warnings cost no points;
- other assumptions for a SymPy symbol: expressions are compared by the names of their symbols;
- leaving out an argument whose value is NumPy's own default.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import inspect
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autograder.common.atomic_files import write_text
from autograder.common.cell_names import foreign_names
from autograder.common.errors import AutograderError, SubmissionError
from autograder.engine.execution import Executor
from autograder.engine.score import grade
from autograder.problem_set.bank import deal_out
from autograder.problem_set.source import ProblemSet, answered, grade_id
from autograder.problem_set.versions import instructor_version, without_hidden_tests

#: The most mutants of one answer; the answers here have no more. Of a longer answer's, a seeded sample is tried.
MOST = 150
#: The most characters of a statement in a mutant's name.
LONGEST = 80

_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_NAMES = {
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "all": "any",
    "any": "all",
    "log": "log2",
    "log2": "log",
    "log1p": "log",
    "expm1": "exp",
    "floor": "ceil",
    "ceil": "floor",
    "argmax": "argmin",
    "argmin": "argmax",
    "zeros": "ones",
    "ones": "zeros",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "sin": "cos",
    "std": "var",
}


@dataclass(frozen=True)
class Mutant:
    """A reference answer with one change.

    Attributes
    ----------
    item : str
        grade_id of the answer.
    change : str
        What was changed, and in which statement; its name, which stays the same when the statement moves.
    code : str
        Text of the solution cell.
    """

    item: str
    change: str
    code: str


def make_mutants(item: str, answer: str, *, silence: bool = False) -> list[Mutant]:
    """Make the mutants of an answer.

    Parameters
    ----------
    item : str
        grade_id of the answer.
    answer : str
        Its text.
    silence : bool, default False
        Whether a test requires that the answer gives no warning.

    Returns
    -------
    list of Mutant
        Each differs from the answer; the same answer always gives the same mutants.
    """
    tree = _without_docstrings(ast.parse(answer))
    plain = ast.unparse(tree)
    found: dict[str, Mutant] = {}
    same: Counter[str] = Counter()
    for change, mutated in _mutations(tree, silence):
        try:
            code = ast.unparse(ast.fix_missing_locations(mutated))
            compile(code, "<mutant>", "exec")
        except (SyntaxError, ValueError, TypeError):
            continue
        if code != plain and code not in found:
            same[change] += 1
            name = f"{change} ({same[change]})" if same[change] > 1 else change
            found[code] = Mutant(item, name, code + "\n")
    mutants = list(found.values())
    if len(mutants) > MOST:
        chosen = set(random.Random(f"mutants of {item}").sample(range(len(mutants)), MOST))
        mutants = [mutant for i, mutant in enumerate(mutants) if i in chosen]
    return mutants


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _mutations(tree: ast.Module, silence: bool) -> Iterator[tuple[str, ast.Module]]:
    """Yield a description and a changed copy of the tree for each possible change."""
    nodes = list(ast.walk(tree))
    statement = _statements(tree)
    assumptions = {
        id(inner)
        for node in nodes
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if _is_assumption(node)
        for inner in ast.walk(keyword)
    }
    for index, node in enumerate(nodes):
        if id(node) in assumptions:
            continue
        for what, change in _changes(node, silence):
            mutated = copy.deepcopy(tree)
            change(list(ast.walk(mutated))[index])
            yield f"{statement[id(node)]}: {what}", mutated
    for index, node in enumerate(nodes):
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if not isinstance(block, list) or isinstance(node, ast.Module | ast.ClassDef):
                continue
            for position, dropped in enumerate(block):
                if isinstance(dropped, ast.Pass | ast.FunctionDef | ast.Import | ast.ImportFrom):
                    continue
                mutated = copy.deepcopy(tree)
                getattr(list(ast.walk(mutated))[index], field)[position] = ast.Pass()
                yield f"without {statement[id(dropped)]}", mutated


def _statements(tree: ast.Module) -> dict[int, str]:
    """Return for the id of each node the first line of the innermost statement that it belongs to."""
    found = {}
    for node in ast.walk(tree):  # outer statements come first, so inner ones replace them
        if isinstance(node, ast.stmt):
            text = ast.unparse(node).splitlines()[0]
            name = f"`{text}`" if len(text) <= LONGEST else f"`{text[: LONGEST - 1]}…`"
            found |= {id(inner): name for inner in ast.walk(node)}
    return found


def _is_assumption(call: ast.Call) -> bool:
    """Whether the keywords of a call are assumptions on SymPy symbols: `sp.symbols("p", positive=True)`."""
    return ast.unparse(call.func) in ("sp.symbols", "sp.Symbol")


def _matters(call: ast.Call, keyword: ast.keyword, silence: bool) -> bool:
    """Whether the value of an answer can depend on the presence of this keyword argument."""
    if keyword.arg is None or _is_assumption(call):
        return False
    function = ast.unparse(call.func)
    if function == "np.errstate":
        return silence or ast.unparse(keyword.value) != "'ignore'"
    if not function.startswith("np."):
        return True
    try:
        default = inspect.signature(getattr(np, function.removeprefix("np."))).parameters[keyword.arg].default
        return ast.literal_eval(keyword.value) != default
    except (AttributeError, KeyError, TypeError, ValueError):  # a method, no signature, or no plain value
        return True


def _changes(node: ast.AST, silence: bool) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    """Yield what can be changed in one node, and a function that changes it in a copy."""

    def assign(**fields: object) -> Callable[[ast.AST], None]:
        def change(copied: ast.AST) -> None:
            for name, value in fields.items():
                setattr(copied, name, value)

        return change

    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        other = _OPERATORS[type(node.op)]
        yield f"{type(node.op).__name__} becomes {other.__name__}", assign(op=other())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "minus dropped", assign(op=ast.UAdd())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        yield (
            "negation dropped",
            lambda copied: (
                setattr(copied, "op", ast.Not()) or setattr(copied, "operand", ast.UnaryOp(ast.Not(), copied.operand))
            ),
        )
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        other = _COMPARISONS[type(node.ops[0])]
        yield f"{type(node.ops[0]).__name__} becomes {other.__name__}", assign(ops=[other(), *node.ops[1:]])
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"{type(node.op).__name__} becomes {other.__name__}", assign(op=other())
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        for value in (True, False):
            yield f"condition always {value}", assign(test=ast.Constant(value))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} becomes {not node.value}", assign(value=not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        others = [node.value + 1, node.value - 1] if isinstance(node.value, int) else [2 * node.value + 0.125]
        for value in others:
            yield f"{node.value} becomes {value}", assign(value=value)
    elif isinstance(node, ast.Attribute) and node.attr in _NAMES and isinstance(node.ctx, ast.Load):
        yield f"{node.attr} becomes {_NAMES[node.attr]}", assign(attr=_NAMES[node.attr])
    elif isinstance(node, ast.Name) and node.id in _NAMES and isinstance(node.ctx, ast.Load):
        yield f"{node.id} becomes {_NAMES[node.id]}", assign(id=_NAMES[node.id])
    elif isinstance(node, ast.Call):
        for position, keyword in enumerate(node.keywords):
            if _matters(node, keyword, silence):
                rest = [k for i, k in enumerate(node.keywords) if i != position]
                yield f"without {keyword.arg}", assign(keywords=rest)


# ---- which of them the tests notice


def mutants_path(problem_set: ProblemSet) -> Path:
    """Return where the results of a set are kept."""
    return problem_set.folder / "mutants.json"


def mutants_of(problem_set: ProblemSet, item: str) -> list[Mutant]:
    """Make the mutants of an item's reference answer."""
    tests = problem_set.items[item].tests
    silence = any("gives_silently" in cell.source for cell in problem_set.notebook.cells if grade_id(cell) in tests)
    return make_mutants(item, problem_set.reference_answers[item], silence=silence)


def fingerprints(problem_set: ProblemSet) -> dict[str, str]:
    """Return for each item a hash of what its result depends on: its answer, its tests, and the locked cells."""
    cells = {grade_id(cell): cell.source for cell in problem_set.notebook.cells if grade_id(cell)}
    graded = {name for item in problem_set.items.values() for name in [item.name, *item.tests]}
    shared = "\n".join(text for name, text in cells.items() if name not in graded)
    return {
        item.name: hashlib.sha256(
            "\n".join(
                [shared, problem_set.reference_answers[item.name], *(cells[test] for test in item.tests)]
            ).encode()
        ).hexdigest()[:16]
        for item in problem_set.items.values()
        if not item.by_hand
    }


def surviving(
    problem_set: ProblemSet,
    mutants: list[Mutant],
    execute: Executor,
    jobs: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> list[Mutant]:
    """Return the mutants that keep all points.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    mutants : list of Mutant
        Mutants of its answers; each notebook gets one mutant of each item.
    execute : Executor
        Runs the notebooks.
    jobs : int
        How many at once.
    progress : callable
        Called when a notebook is done.
    """
    source = instructor_version(problem_set)
    released = without_hidden_tests(source)

    def kept(mix: list[Mutant]) -> list[Mutant] | None:
        answers = problem_set.reference_answers | {mutant.item: mutant.code for mutant in mix}
        try:
            lost = grade(source, answered(released, answers), execute, draw=False).lost(problem_set.tests)
        except SubmissionError:
            return None
        finally:
            progress()
        if len(mix) == 1:  # whatever is lost, this mutant lost it, also where an item builds on the one it answers
            return [] if lost else mix
        return [mutant for mutant in mix if not lost & problem_set.items[mutant.item].tests.keys()]

    with ThreadPoolExecutor(jobs) as pool:
        mixes = mix_mutants(mutants, _leaning(problem_set))
        survivors, alone = [], []
        for mix, result in zip(mixes, pool.map(kept, mixes), strict=True):
            # Try alone: all mutants of a notebook that did not finish, since one of them may have stopped it; and those
            # that kept their points, since another mutant in the notebook may have hidden their effect.
            alone += mix if result is None else result
        for mutant, result in zip(alone, pool.map(lambda mutant: kept([mutant]), alone), strict=True):
            survivors += [mutant] if result else []
    return survivors


def mix_mutants(mutants: list[Mutant], alone: set[str] = frozenset()) -> list[list[Mutant]]:
    """Distribute mutants over notebooks, one of each item per notebook; those of the items `alone` get one each."""
    mixes = deal_out(
        [mutant for mutant in mutants if mutant.item not in alone], lambda one, other: one.item != other.item
    )
    return mixes + [[mutant] for mutant in mutants if mutant.item in alone]


def _leaning(problem_set: ProblemSet) -> set[str]:
    """Return the items whose answer or tests use another item, whose mutants would cost them points too."""
    cells = {grade_id(cell): cell.source for cell in problem_set.notebook.cells if grade_id(cell)}
    return {
        item.name
        for item in problem_set.items.values()
        for text in [problem_set.reference_answers[item.name], *(cells[test] for test in item.tests)]
        if not item.by_hand and foreign_names(text) & (problem_set.items.keys() - {item.name})
    }


def known_results(problem_set: ProblemSet) -> dict[str, dict]:
    """Return what is recorded for each item: its fingerprint, the number of mutants, and the survivors with reasons.

    Raises
    ------
    AutograderError
        The record is not valid JSON.
    """
    try:
        return json.loads(mutants_path(problem_set).read_text(encoding="utf-8"))
    except OSError:
        return {}
    except ValueError as error:
        raise AutograderError(f"{mutants_path(problem_set)} is not valid JSON ({error}); delete it.") from None


def _changed(problem_set: ProblemSet) -> dict[str, list[Mutant]]:
    """Return the mutants of the items whose results are not known."""
    known = known_results(problem_set)
    return {
        item: mutants_of(problem_set, item)
        for item, fingerprint in fingerprints(problem_set).items()
        if known.get(item, {}).get("of") != fingerprint
    }


def notebooks_to_try(problem_set: ProblemSet) -> int:
    """Return the smallest number of notebooks that `update_results` will run."""
    mutants = [mutant for mutants in _changed(problem_set).values() for mutant in mutants]
    return len(mix_mutants(mutants, _leaning(problem_set)))


def update_results(
    problem_set: ProblemSet, execute: Executor, jobs: int = 1, progress: Callable[[], None] = lambda: None
) -> dict[str, dict]:
    """Try the mutants of every item that has changed, and store the results; the reasons for survivors are kept.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    execute : Executor
        Runs the notebooks.
    jobs : int
        How many notebooks to run at once.
    progress : callable
        Called after each notebook.

    Returns
    -------
    dict of str to dict
        For each item, ``of`` (its fingerprint), ``mutants`` (how many) and ``survivors`` (each change with the reason
        why it is equivalent, or an empty text if nobody has given one).
    """
    known, current = known_results(problem_set), fingerprints(problem_set)
    made = _changed(problem_set)
    survivors = surviving(problem_set, [m for mutants in made.values() for m in mutants], execute, jobs, progress)
    results = {}
    for item, fingerprint in current.items():
        if item not in made:
            results[item] = known[item]
            continue
        reasons = known.get(item, {}).get("survivors", {})
        results[item] = {
            "of": fingerprint,
            "mutants": len(made[item]),
            "survivors": {m.change: reasons.get(m.change, "") for m in survivors if m.item == item},
        }
    write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", mutants_path(problem_set))
    return results
