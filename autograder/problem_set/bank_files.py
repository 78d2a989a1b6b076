"""A problem set's bank as its author writes it: a folder with a MyST notebook for each item and a cell for each entry.

A file is named after the solution cell that its entries answer. Keys of `bank` in its header, such as `revisit`, apply
to every misconception in the file that does not set its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from nbformat import NotebookNode

from autograder.common.errors import ProblemSetError
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.myst import read_myst

_KEYS = ("name", "kind", "loses", "diagnosis", "revisit")
#: Keys that a file's header may set for all its misconceptions.
_SHARED = ("revisit",)


def bank_file(folder: Path, item: str) -> Path:
    """Return the file in a bank's folder that holds an item's entries."""
    return folder / f"{item}.md"


def read_bank(folder: Path, solution_cells: Sequence[str], tests: Collection[str]) -> list[BankEntry]:
    """Read a bank.

    Parameters
    ----------
    folder : Path
        Holds ``<solution cell>.md`` for each solution cell that has entries.
    solution_cells : sequence of str
        grade_ids of the set's solution cells, in the order of the notebook.
    tests : collection of str
        grade_ids of its test cells.

    Returns
    -------
    list of BankEntry
        In the order of the solution cells, and within each in the order of its file.

    Raises
    ------
    ProblemSetError
        A file or an entry breaks a rule of the format; the text names both.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.md"))}
    if not files:
        raise ProblemSetError(
            f"{folder} contains no known answers; every problem set needs a bank with a file for each solution cell."
        )
    for name in files.keys() - set(solution_cells):
        raise ProblemSetError(
            f"{files[name]}: the set has no solution cell {name!r}; name the file after the cell that its entries "
            f"answer: {', '.join(solution_cells)}."
        )
    return [entry for name in solution_cells if name in files for entry in _entries(files[name], tests)]


def _entries(path: Path, tests: Collection[str]) -> Iterator[BankEntry]:
    notebook = read_myst(path)
    shared = _keys(notebook, _SHARED, f"{path}, header")
    seen: set[str] = set()
    for cell in notebook.cells:
        if "bank" not in cell.metadata:
            if cell.cell_type == "code":
                raise ProblemSetError(f"{path}: a code cell has no bank in its metadata, so it is not an entry.")
            continue
        entry = _entry(path, cell, shared, tests)
        if entry.name in seen:
            raise ProblemSetError(f"{path}: two entries have the name {entry.name!r}; rename one.")
        seen.add(entry.name)
        yield entry


def _entry(path: Path, cell: NotebookNode, shared: dict[str, str], tests: Collection[str]) -> BankEntry:
    where = f"{path}, entry {_name(cell)!r}"
    keys = _keys(cell, _KEYS, where)
    name, kind, loses = keys.get("name", ""), keys.get("kind", ""), keys.get("loses", [])
    if not name or kind not in ("misconception", "alternative"):
        raise ProblemSetError(f"{where}: it needs a name, and a kind: misconception or alternative.")
    for test in sorted(set(loses) - set(tests)):
        raise ProblemSetError(f"{where}: loses names {test!r}, but the set has no such test cell.")
    if kind == "alternative" and keys.keys() - {"name", "kind"}:
        raise ProblemSetError(f"{where}: an alternative is correct, so it takes no loses, diagnosis or revisit.")
    if kind == "misconception":
        keys = shared | keys
        if not (keys.get("diagnosis") and keys.get("revisit")):
            raise ProblemSetError(
                f"{where}: a misconception needs diagnosis and revisit; the header of its file may give the latter "
                "for all."
            )
        if "loses" in keys and not loses:
            raise ProblemSetError(
                f"{where}: a misconception must lose a test cell; omit loses, and release will measure it."
            )
    return BankEntry(
        name, kind, path.stem, cell.source, frozenset(loses), keys.get("diagnosis", ""), keys.get("revisit", "")
    )


def _name(cell: NotebookNode) -> object:
    bank = cell.metadata["bank"]
    return bank.get("name", "(without a name)") if isinstance(bank, dict) else "(without a name)"


def _keys(holder: NotebookNode, known: Sequence[str], where: str) -> dict:
    """Return the keys of `bank` in the metadata of a cell, or of a notebook (its header)."""
    keys = holder.metadata.get("bank", {})
    if not isinstance(keys, dict):
        raise ProblemSetError(f"{where}: bank must be a mapping of keys, not {keys!r}.")
    for key, value in keys.items():
        if key not in known:
            raise ProblemSetError(f"{where}: unknown key {key!r}; the known keys are {', '.join(known)}.")
        if key == "loses":
            if not isinstance(value, list) or not all(isinstance(test, str) for test in value):
                raise ProblemSetError(f"{where}: loses must be a list of test cells.")
        elif not isinstance(value, str):
            raise ProblemSetError(f"{where}: {key} must be text, not {value!r}.")
    return dict(keys)
