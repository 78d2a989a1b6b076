"""What a bank entry must be before it can prove anything: code that Python can parse, and an answer to its own item."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator

from nbformat import NotebookNode

from autograder.common.cell_names import scopes
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.bank_files import bank_file
from autograder.problem_set.source import ProblemSet


def faults_of_entries(problem_set: ProblemSet, entries: Iterable[BankEntry]) -> list[str]:
    """Return a sentence about each entry of a set that cannot be an answer to its item."""
    return list(_faults(problem_set, entries))


def _faults(problem_set: ProblemSet, entries: Iterable[BankEntry]) -> Iterator[str]:
    by_hand = {item.name for item in problem_set.items.values() if item.by_hand}
    answers = problem_set.reference_answers.items()
    defined = {name: _defined(text) for name, text in answers if name not in by_hand}
    for entry in entries:
        where = problem_set.where(entry)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(entry.code, "<entry>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            what = error.msg if isinstance(error, SyntaxError) else error
            yield (f"{where}{line}: it is not plain Python ({what}), so every test refuses it, whatever the test asks.")
            continue
        own = _defined(entry.code)
        if own & defined[entry.replaces]:
            continue
        for item, names in defined.items():
            if own & names:
                yield f"{where}: it answers {item}; move it to {bank_file(problem_set.bank_folder, item)}."
                break


def _defined(code: str) -> frozenset[str]:
    """Return the names that a cell defines itself."""
    try:
        bound, imported, _ = scopes(code)
    except SyntaxError:  # in the reference solution; the lint of the cells reports it
        return frozenset()
    return bound - imported


def ran_out_of_time(notebook: NotebookNode) -> bool:
    """Whether a time limit ended a cell or a test of a graded notebook."""
    return any(
        output.output_type == "error" and "TimeoutError" in output.ename + output.evalue
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    )
