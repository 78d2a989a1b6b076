"""What the tests of a submission called, and what came back: it is run again, with test cells that tell.

The points come from the ordinary run. Here each test cell writes down the calls that it makes, and a hidden one words its
failure as a visible one does; then it fails in any case, so that what it wrote down leaves the examiner in the message.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from nbformat import NotebookNode

from autograder.engine.execution import Executor
from autograder.engine.score import grade
from autograder.problem_set.enclosure import EnclosureError, enclosed_test
from autograder.problem_set.source import ProblemSet, grade_id, is_test
from autograder.problem_set.versions import from_source

#: Calls that a test tells of, and characters of one argument or value.
MAX_CALLS, MAX_VALUE = 40, 120
#: Stands between what the test says and the calls.
_MARK = "\n---- calls ----\n"
_RECORDER = f"""
class _Told:
    calls, more = [], 0

    def __init__(self, function, name):
        self._function, self._name = function, name

    def __call__(self, *args, **kwargs):
        given = [_shown(a) for a in args] + [f"{{key}}={{_shown(a)}}" for key, a in kwargs.items()]
        try:
            value = self._function(*args, **kwargs)
        except Exception as error:
            self._note(f"{{self._name}}({{', '.join(given)}}) raised {{type(error).__name__}}: {{_cut(str(error))}}")
            raise
        self._note(f"{{self._name}}({{', '.join(given)}}) returned {{_shown(value)}}")
        return value

    def _note(self, line):
        if len(_Told.calls) < {MAX_CALLS}:
            _Told.calls.append(line)
        else:
            _Told.more += 1

    def __getattr__(self, name):
        return getattr(self._function, name)


def _cut(text):
    text = " ".join(text.split())
    return text if len(text) <= {MAX_VALUE} else text[:{MAX_VALUE} - 1] + "…"


def _shown(value):
    return _cut(repr(value))
"""


@dataclass(frozen=True)
class Observed:
    """What one test told.

    Attributes
    ----------
    says : str
        What it says it received and expected, where it failed.
    calls : list of str
        The calls that it made, each with what came back.
    """

    says: str = ""
    calls: tuple[str, ...] = ()


def observe(problem_set: ProblemSet, submitted: NotebookNode, execute: Executor) -> dict[str, Observed]:
    """Run a submission again, and return what its tests tell.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    submitted : NotebookNode
        The graded notebook.
    execute : Executor
        Runs it.

    Returns
    -------
    dict of str to Observed
        By grade_id of the test; without those whose calls cannot be written down from within, such as one that counts
        steps.

    Raises
    ------
    SubmissionError, MachineError
        It could not be run.
    """
    source = from_source(problem_set.notebook)
    told = set()
    for cell in source.cells:
        name = grade_id(cell)
        if is_test(cell) and name in problem_set.authored:
            item = next(item.name for item in problem_set.items.values() if name in item.tests)
            functions = _functions(problem_set.reference_answers.get(item, ""))
            try:
                cell.source = enclosed_test(telling(problem_set.authored[name], functions), problem_set.modules)
            except (EnclosureError, SyntaxError):
                continue
            told.add(name)
    graded = grade(source, submitted, execute, draw=False)
    found = {}
    for cell in graded.notebook.cells:
        errors = [output for output in cell.get("outputs", ()) if output.output_type == "error"]
        if grade_id(cell) in told and errors and errors[-1].ename == "AssertionError" and _MARK in errors[-1].evalue:
            says, _, calls = errors[-1].evalue.partition(_MARK)
            found[grade_id(cell)] = Observed(says, tuple(calls.splitlines()))
    return found


def _functions(code: str) -> set[str]:
    try:
        return {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)}
    except SyntaxError:
        return set()


class _Telling(ast.NodeTransformer):
    """Puts the functions that tell in the place of the student's, and words hidden checks as visible ones."""

    def __init__(self, functions: set[str]):
        self.functions, self.used = functions, set()

    def visit_Name(self, node: ast.Name) -> ast.Name:  # noqa: N802 (the name that ast calls)
        if isinstance(node.ctx, ast.Load) and node.id in self.functions:
            self.used.add(node.id)
            return ast.copy_location(ast.Name(f"_told_{node.id}", ast.Load()), node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:  # noqa: N802
        self.generic_visit(node)
        for keyword in node.keywords:
            if keyword.arg == "hidden":
                keyword.value = ast.Constant(False)
        return node


def telling(authored: str, functions: set[str]) -> str:
    """Return a test cell that tells what it called.

    Parameters
    ----------
    authored : str
        The test cell as its author wrote it.
    functions : set of str
        The student's functions that it may call.
    """
    tree = ast.parse(authored)
    transformer = _Telling(functions)
    body = ast.unparse(transformer.visit(tree))
    made = "\n".join(f"_told_{name} = _Told({name}, {name!r})" for name in sorted(transformer.used))
    indented = "\n".join(f"    {line}" for line in body.splitlines()) or "    pass"
    return f"""{_RECORDER}
{made}
_said = ""
try:
{indented}
except AssertionError as _error:
    _said = str(_error)
_rest = [f"and {{_Told.more}} more calls"] if _Told.more else []
raise AssertionError(_said + {_MARK!r} + "\\n".join(_Told.calls + _rest))
"""
