"""Problem sets as their authors write them: the source notebook, its items, and its bank of known answers."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nbformat import NotebookNode

from autograder.common.cell_names import module_name, scopes
from autograder.common.errors import AutograderError, ProblemSetError, UsageError
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.bank_files import bank_file, read_bank
from autograder.problem_set.enclosure import EnclosureError, enclosed_module, enclosed_test
from autograder.problem_set.myst import read_myst
from autograder.problem_set.source_format import faults_of_source

#: nbgrader's marks around what only the reference solution contains, as its ClearSolutions preprocessor expects them.
SOLUTION_MARKS = re.compile(r"^\s*### (BEGIN|END) SOLUTION\s*$\n?", re.MULTILINE)


def grade_id(cell: NotebookNode) -> str | None:
    """Return a cell's nbgrader id, or None if it has none."""
    name = _nbgrader(cell).get("grade_id")
    return name if isinstance(name, str) else None


def _nbgrader(cell: NotebookNode) -> dict:
    metadata = cell.metadata.get("nbgrader")  # a submission may hold anything here
    return metadata if isinstance(metadata, dict) else {}


def _flag(cell: NotebookNode, name: str) -> bool:
    return bool(_nbgrader(cell).get(name, False))


def is_solution(cell: NotebookNode) -> bool:
    """Whether the student writes this cell."""
    return _flag(cell, "solution")


def is_graded(cell: NotebookNode) -> bool:
    """Whether the cell carries points."""
    return _flag(cell, "grade")


def is_test(cell: NotebookNode) -> bool:
    """Whether the cell carries points that are awarded automatically."""
    return is_graded(cell) and not is_solution(cell) and cell.cell_type == "code"


def is_prose(cell: NotebookNode) -> bool:
    """Whether the student writes the cell and a person grades it."""
    return is_graded(cell) and is_solution(cell)


def is_support(cell: NotebookNode) -> bool:
    """Whether a cell is locked, ungraded code, such as the checks: the examiner runs it too."""
    locked = grade_id(cell) is not None and _flag(cell, "locked")
    return cell.cell_type == "code" and locked and not is_graded(cell) and not is_solution(cell)


def points(cell: NotebookNode) -> float:
    """Return the points a graded cell carries."""
    return float(cell.metadata["nbgrader"]["points"])


@dataclass(frozen=True)
class Item:
    """One task for the student: a cell to write and the test cells that follow it.

    Attributes
    ----------
    name : str
        grade_id of the cell the student writes.
    tests : dict of str to float
        grade_id and points of each test cell; for prose, the item itself.
    by_hand : bool
        Whether a person grades the item.
    """

    name: str
    tests: dict[str, float]
    by_hand: bool = False

    @property
    def max_score(self) -> float:
        """Points of the whole item."""
        return sum(self.tests.values())


class ProblemSet:
    """A problem set read from its folder below `solutions/`.

    Parameters
    ----------
    folder : Path
        Holds ``<name>.md``, the MyST source notebook, and ``bank/``, the known answers.

    Attributes
    ----------
    notebook : NotebookNode
        The source, with test cells and modules enclosed, so that everyone sees them as students do.
    authored : dict of str to str
        What the author wrote in each of those cells, by grade_id.
    modules : dict of str to str
        For each name that the set's modules define for its tests, the module that defines it.

    Raises
    ------
    ProblemSetError
        The source or the bank breaks a rule of the format; the text names file and cell.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.name = folder.name
        self.source_path = folder / f"{folder.name}.md"
        self.bank_folder = folder / "bank"
        self.authored: dict[str, str] = {}
        self.modules: dict[str, str] = {}
        self.notebook = self._read_source()
        self.items = self._find_items()

    # ---- reading

    def _read_source(self) -> NotebookNode:
        notebook = read_myst(self.source_path)
        for fault in faults_of_source(notebook):
            raise ProblemSetError(f"{self.source_path}: {fault}.")
        notebook.metadata.pop("jupytext", None)  # with it, the student's Jupyter would try to keep a text file in sync
        notebook.metadata.setdefault("autograder", NotebookNode())["problem_set"] = self.name
        notebook.metadata["language_info"] = NotebookNode(name="python")
        seen: dict[str, int] = {}
        for index, cell in enumerate(notebook.cells):
            options = cell.metadata.pop("autograder", {})
            include = options.get("include")
            if include:
                path = self.folder.parent / include
                if not path.is_file():
                    raise ProblemSetError(f"{self.source_path}, cell {index}: the file to include, {path}, is missing.")
                cell.source = path.read_text(encoding="utf-8").rstrip("\n")
            name = grade_id(cell)
            if name in seen:
                raise ProblemSetError(
                    f"{self.source_path}: cells {seen[name]} and {index} share the grade_id {name!r}; rename one."
                )
            if name is not None:
                seen[name] = index
            self._enclose(cell, options)
            # Ids follow from position and grade_id, so that the same source gives the same bytes.
            cell["id"] = name or f"cell-{index:03d}"
        notebook.nbformat, notebook.nbformat_minor = 4, 5
        return notebook

    def _enclose(self, cell: NotebookNode, options: dict) -> None:
        """Turn a test cell, or a locked cell of shared definitions, into the form that students receive."""
        name, written = grade_id(cell), cell.source
        try:
            if is_test(cell):
                cell.source = enclosed_test(written, self.modules)
            elif is_support(cell) and ("module" in options or "include" in options):
                module, gives = module_name(name), options.get("gives", [])
                if not module.isidentifier():
                    raise EnclosureError(1, "its grade_id becomes the name of a module; use letters, digits and _")
                cell.source = enclosed_module(written, module, gives, self.modules)
                bound, imported, _ = scopes(written)
                self.modules |= dict.fromkeys(bound - imported, module)
            else:
                return
        except SyntaxError:
            return  # release reports it, with all other faults in the set's cells
        except EnclosureError as error:
            raise ProblemSetError(f"{self.source_path}, cell {name!r}, line {error.line}: {error}.") from error
        self.authored[name] = written

    def _find_items(self) -> dict[str, Item]:
        items: dict[str, Item] = {}
        current: Item | None = None
        for cell in self.notebook.cells:
            name = grade_id(cell)
            if is_prose(cell):
                items[name] = Item(name, {name: points(cell)}, by_hand=True)
            elif is_solution(cell):
                current = items[name] = Item(name, {})
            elif is_test(cell):
                if current is None:
                    raise ProblemSetError(f"{self.source_path}: test cell {name!r} comes before any solution cell.")
                current.tests[name] = points(cell)
        return {name: item for name, item in items.items() if item.tests}

    @cached_property
    def bank(self) -> list[BankEntry]:
        """The bank's entries: items in notebook order, and each item's entries in the order of its file.

        Raises
        ------
        ProblemSetError
            A misconception has no `loses` yet.
        """
        for entry in self.entries:
            if entry.is_draft:
                raise ProblemSetError(
                    f"{self.where(entry)}: a misconception needs loses; `autograder release {self.name}` measures it."
                )
        return self.entries

    @cached_property
    def entries(self) -> list[BankEntry]:
        """The bank while an author works on it, including entries whose losses are not known yet."""
        cells = [grade_id(cell) for cell in self.notebook.cells if is_solution(cell) and not is_prose(cell)]
        return read_bank(self.bank_folder, cells, self.tests)

    def where(self, entry: BankEntry) -> str:
        """Return an entry's file and name."""
        return f"{bank_file(self.bank_folder, entry.replaces)}, entry {entry.name!r}"

    # ---- what follows from the source

    @property
    def title(self) -> str:
        """The set's displayed title."""
        return self.notebook.metadata["autograder"].get("title", self.name)

    @cached_property
    def tests(self) -> dict[str, float]:
        """grade_id and points of each automatically graded test cell."""
        return {name: p for item in self.items.values() if not item.by_hand for name, p in item.tests.items()}

    @property
    def max_score(self) -> float:
        """All points, including those awarded by hand."""
        return sum(item.max_score for item in self.items.values())

    @cached_property
    def reference_answers(self) -> dict[str, str]:
        """The reference solution, as `reference_in` returns it."""
        return reference_in(self.notebook)


def reference_in(notebook: NotebookNode) -> dict[str, str]:
    """Return the reference solution that a source notebook holds.

    Returns
    -------
    dict of str to str
        For each cell that the student writes, its text without nbgrader's marks.
    """
    return {grade_id(cell): SOLUTION_MARKS.sub("", cell.source) for cell in notebook.cells if is_solution(cell)}


def answered(notebook: NotebookNode, answers: dict[str, str]) -> NotebookNode:
    """Return a copy of a notebook with these answers filled in.

    Parameters
    ----------
    notebook : NotebookNode
        The student's version of a set.
    answers : dict of str to str
        grade_id and text of each cell to fill in; other cells stay as they are.
    """
    filled = copy.deepcopy(notebook)
    for cell in filled.cells:
        if is_solution(cell) and grade_id(cell) in answers:
            cell.source = answers[grade_id(cell)]
    return filled


def problem_set_names(course: Path) -> list[str]:
    """Return the names of a course's problem sets, sorted, without reading them.

    Raises
    ------
    AutograderError
        The course has none.
    """
    solutions = course / "solutions"
    known = sorted(path.parent.name for path in solutions.glob("*/*.md") if path.stem == path.parent.name)
    if not known:
        raise AutograderError(f"{solutions} contains no problem sets; name the course's folder with --course.")
    return known


def find_problem_sets(course: Path, names: list[str] | None = None) -> list[ProblemSet]:
    """Read the problem sets of a course.

    Parameters
    ----------
    course : Path
        The course's root, which holds `solutions/`.
    names : list of str, optional
        Only these; all by default.

    Raises
    ------
    UsageError
        A name is unknown.
    AutograderError
        The course has no problem sets, or one of them is malformed (`ProblemSetError`).
    """
    known = problem_set_names(course)
    for name in names or ():
        if name not in known:
            raise UsageError(f"There is no problem set {name!r}; choose from {', '.join(known)}.")
    return [ProblemSet(course / "solutions" / name) for name in known if not names or name in names]


def usable_problem_sets(course: Path) -> tuple[list[ProblemSet], dict[str, ProblemSetError]]:
    """Read a course's usable problem sets: a half-written one does not stop the others.

    Parameters
    ----------
    course : Path
        The course's root, which holds `solutions/`.

    Returns
    -------
    tuple of (list of ProblemSet, dict of str to ProblemSetError)
        The usable sets, with their banks read; and what is wrong with each of the others, by name.

    Raises
    ------
    AutograderError
        The course has no problem sets.
    """
    usable, broken = [], {}
    for name in problem_set_names(course):
        try:
            problem_set = ProblemSet(course / "solutions" / name)
            _ = problem_set.bank
        except ProblemSetError as error:
            broken[name] = error
        else:
            usable.append(problem_set)
    return usable, broken
