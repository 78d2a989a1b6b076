"""The book teaches and does not hand in: none of its functions, pasted into a problem set, earns an item's points."""

import ast
from itertools import zip_longest

import jupytext
import pytest

from autograder.grading import grade
from autograder.problem_set import answered, find_problem_sets
from autograder.release import instructor_version, student_version


def pasted(path) -> tuple[str, dict[str, ast.FunctionDef]]:
    """Return all imports and functions of a chapter as code, and its functions by name."""
    kept, functions = [], {}
    for cell in jupytext.read(path).cells:
        if cell.cell_type != "code" or "check" in cell.metadata:
            continue
        lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!"))]
        for node in ast.parse("\n".join(lines)).body:
            if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef):
                kept.append(ast.unparse(node))
            if isinstance(node, ast.FunctionDef):
                functions[node.name] = node
    return "\n".join(kept), functions


def takes(function: ast.FunctionDef, count: int) -> bool:
    """Whether a function can be called with this many positional arguments."""
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional - len(arguments.defaults) <= count and (count <= positional or arguments.vararg is not None)


def required(code: str, name: str) -> int:
    """Return how many positional arguments the function of this name cannot do without."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
    return -1


@pytest.mark.parametrize("name", ["ps1-information"])
def test_no_function_of_a_chapter_earns_all_points_of_an_item(course, name, executor):
    (problem_set,) = find_problem_sets(course, [name])
    candidates: dict[str, list[tuple[str, str]]] = {}
    for path in sorted((course / "book").rglob("*.md")):
        code, functions = pasted(path)
        for item, answer in problem_set.reference_answers.items():
            count = required(answer, item) if item in problem_set.items and not problem_set.items[item].by_hand else -1
            for function in functions.values():
                if count >= 0 and takes(function, count):
                    source = f"{path.stem}.{function.name}"
                    text = f"{code}\n\n_pasted = {function.name}\n\n\ndef {item}(*args, **kwargs):\n"
                    text += "    return _pasted(*args, **kwargs)\n"
                    candidates.setdefault(item, []).append((source, text))
    assert candidates, "no function of the book fits any item: is the book read rightly?"
    source, released = instructor_version(problem_set), student_version(problem_set)
    for mix in zip_longest(*candidates.values()):
        chosen = {item: entry for item, entry in zip(candidates, mix, strict=True) if entry}
        answers = problem_set.reference_answers | {item: text for item, (_, text) in chosen.items()}
        graded = grade(source, answered(released, answers), executor)
        for item, (where, _) in chosen.items():
            tests = problem_set.items[item].tests
            assert sum(graded.scores[test] for test in tests) < sum(tests.values()), (
                f"{where} of the book earns all points of {name}:{item}; make one of the two narrower"
            )
