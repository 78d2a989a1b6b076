"""Which cells of a problem set the result of a known answer depends on.

An answer can change the result of a test in another item only through a name that its cell binds and the other item
uses, or through something that all cells share without naming it, such as the settings of a library. This module reads
the names from the cells' code; where it cannot, everything counts as used. `prove` watches for the rest.

The same relation tells which results a change leaves intact, which answers may share a notebook, and which cells only
show something, so that a proof can skip them.
"""

from __future__ import annotations

import ast
import copy
import functools
import hashlib
import json
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from autograder.common.cell_names import foreign_names, scopes, symbols_of
from autograder.problem_set.bank import BankEntry, deal_out
from autograder.problem_set.source import ProblemSet, grade_id, is_graded, is_prose, is_solution, is_support, is_test

#: Functions that can reach names that do not appear in the code.
_REACHING = {"eval", "exec", "globals", "locals", "vars", "__import__", "get_ipython"}


@dataclass(frozen=True)
class Names:
    """The global names of a piece of code.

    Attributes
    ----------
    reads : frozenset of str
        Names it uses when it runs without having bound them first: an earlier cell can change them.
    calls : frozenset of str
        Names its functions use: any cell can change them, since the functions may be called later.
    binds : frozenset of tuple of (str, str)
        Names it binds or modifies in part, each with what it imports if it is an import.
    unknown : bool
        Whether it may use and bind other names too.
    """

    reads: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    binds: frozenset[tuple[str, str]] = frozenset()
    unknown: bool = False

    def __or__(self, other: Names) -> Names:
        """Return the names of two pieces of code."""
        return Names(
            self.reads | other.reads, self.calls | other.calls, self.binds | other.binds, self.unknown or other.unknown
        )


@functools.cache
def names_of(code: str) -> Names:
    """Read the global names of a cell."""
    try:
        tree = ast.parse(code)
        bound, imported, used = scopes(code)
    except SyntaxError:  # an IPython magic, for instance
        return Names(unknown=True)
    binds = {(name, "") for name in bound - imported}
    unknown = bool(used & _REACHING)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            unknown |= any(name.name == "*" for name in node.names)
            binds |= {(name, origin) for name, origin in _imports(node) if name in imported}
        elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            while isinstance(node, ast.Attribute | ast.Subscript):
                node = node.value
            if isinstance(node, ast.Name) and node.id in used:
                binds.add((node.id, ""))  # `Value.exp = exp` changes what the name means elsewhere
    reads, calls = _uses(tree)
    return Names(reads, calls, frozenset(binds), unknown)


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield the names that a statement imports, each with what it refers to."""
    for name in node.names:
        if isinstance(node, ast.ImportFrom):
            yield name.asname or name.name, f"{node.module}.{name.name}"
        elif name.asname:
            yield name.asname, name.name
        else:
            yield name.name.partition(".")[0], name.name.partition(".")[0]


def _uses(tree: ast.Module) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that statements use before one is certain to have bound them, and those that functions use."""
    reads: set[str] = set()
    calls: set[str] = set()
    sure: set[str] = set()
    for statement in tree.body:
        # A generator may run in a later cell; every other comprehension runs in place.
        waits = any(isinstance(node, ast.GeneratorExp) for node in ast.walk(statement))
        module = symbols_of(ast.Module([copy.deepcopy(statement)], []))
        at_once, inside = _used_in(module, {"__annotate__"} if waits else {"__annotate__", "genexpr"})
        new: set[str] = set()
        own: set[str] = set()
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                new = own = {statement.name}  # it may call itself
            case ast.Assign():
                new = {node.id for target in statement.targets for node in ast.walk(target) if _stored(node)}
            case ast.Import() | ast.ImportFrom():
                new = {name for name, _ in _imports(statement)}
        reads |= (at_once | inside - own) - sure
        calls |= inside
        sure |= new
    return frozenset(reads), frozenset(calls)


def _used_in(table: symtable.SymbolTable, done: set[str]) -> tuple[set[str], set[str]]:
    """Return the global names that a piece of code uses immediately, and those that its functions and classes use.

    Parameters
    ----------
    table : SymbolTable
        Its symbols.
    done : set of str
        Names of inner tables whose code runs immediately. From Python 3.14 on, annotations have one.
    """
    at_once = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global())
    }
    inside: set[str] = set()
    for inner in table.get_children():
        used, deeper = _used_in(inner, done)
        inside |= deeper
        (at_once if inner.get_name() in done else inside).update(used)
    return at_once, inside


def _stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


@dataclass(frozen=True)
class Touched:
    """The items that a result depends on.

    Attributes
    ----------
    tests : frozenset of str
        Items whose tests contribute to it: the item itself, and those that use it.
    answers : frozenset of str
        The same items, and those that they use.
    """

    tests: frozenset[str]
    answers: frozenset[str]


class Dependence:
    """What the known answers of a problem set depend on.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.

    Attributes
    ----------
    only_shown : frozenset of str
        Ids of the cells that are neither graded nor locked and bind no name that an answer or a test uses, directly or
        indirectly: they only show something.
    of_set : str
        A hash of everything written in the set, to the last byte, when this object was made.
    """

    def __init__(self, problem_set: ProblemSet):
        self._set = problem_set
        files = [[path.name, path.read_bytes().hex()] for path in sorted(problem_set.folder.rglob("*.md"))]
        cells = [[cell.source, cell.metadata] for cell in problem_set.notebook.cells]  # with what they include
        self.of_set = _hash([files, cells])
        code = [cell for cell in problem_set.notebook.cells if cell.cell_type == "code"]
        answers = {grade_id(cell): cell for cell in code if is_solution(cell) and not is_prose(cell)}
        self._places = {grade_id(cell) or cell.id: place for place, cell in enumerate(code)}
        self._nodes: dict[str, Names] = {
            name: names_of(problem_set.reference_answers[name]) | self._names_of_tests(name) for name in answers
        }
        # A locked cell runs in the examiner too, so it uses none of the student's names: release refuses one that does.
        locked = {cell.id: names_of(cell.source) for cell in code if is_support(cell)}
        plain = {
            cell.id: names_of(cell.source)
            for cell in code
            if not (cell.id in locked or is_graded(cell) or is_solution(cell))
        }
        self._provided: frozenset[tuple[str, str]] = frozenset()
        self.only_shown = self._only_shown(plain, answers)
        plain = {own_id: names for own_id, names in plain.items() if own_id not in self.only_shown}
        self._nodes |= plain
        shared = locked | plain
        # Repeating an import that comes before all answers changes nothing.
        first = min((self._places[name] for name in answers), default=0)
        self._provided = frozenset(
            bound for own_id, names in shared.items() if self._places[own_id] < first for bound in names.binds
        )
        self._cells = [
            cell
            for cell in code
            if cell.id in shared or grade_id(cell) in answers or grade_id(cell) in problem_set.tests
        ]
        self._item_of = {test: item.name for item in problem_set.items.values() for test in item.tests}
        forward = {
            a: {
                b
                for b, others in self._nodes.items()
                if self._reaches(names, others, self._places[a] < self._places[b])
            }
            for a, names in self._nodes.items()
        }
        self._after = {name: _closure(name, forward) for name in self._nodes}
        self._before = {name: {other for other in self._nodes if name in self._after[other]} for name in self._nodes}

    def _names_of_tests(self, item: str) -> Names:
        """Return the names that an item's tests take from the notebook; they leave none behind."""
        tests = self._set.items[item].tests if item in self._set.items else ()
        cells = [cell.source for cell in self._set.notebook.cells if is_test(cell) and grade_id(cell) in tests]
        try:
            return Names(calls=frozenset().union(*map(foreign_names, cells)))
        except SyntaxError:  # release reports it
            return Names(unknown=True)

    def _only_shown(self, plain: dict[str, Names], answers: dict[str, NotebookNode]) -> frozenset[str]:
        users = [(self._places[name], names) for name, names in self._nodes.items()]
        users += [(self._places[name], names_of(cell.source)) for name, cell in answers.items()]  # as released
        users += [(self._places[entry.replaces], names_of(entry.code)) for entry in self._set.bank]
        if any(names.unknown for _, names in users):
            return frozenset()
        shown = {own_id for own_id, names in plain.items() if not names.unknown}
        while True:
            using = users + [(self._places[own_id], plain[own_id]) for own_id in plain.keys() - shown]
            needed = {
                own_id
                for own_id in shown
                if any(self._reaches(plain[own_id], names, self._places[own_id] < place) for place, names in using)
            }
            if not needed:
                return frozenset(shown)
            shown -= needed

    def _reaches(self, one: Names, other: Names, earlier: bool) -> bool:
        """Whether what one cell binds may change what another does; `earlier` if the first precedes the second."""
        if one.unknown or other.unknown:
            return True
        used = other.calls | other.reads if earlier else other.calls
        return any(
            name in used and not (origin and (name, origin) in other.binds | self._provided)
            for name, origin in one.binds
        )

    @functools.cache  # noqa: B019 (called for each pair of answers; a set is read once in a run)
    def touched(self, entry: BankEntry) -> Touched:
        """Return the items that the result of a known answer depends on."""
        return self._touched(entry.replaces, names_of(entry.code), entry.loses)

    def _touched(self, item: str, names: Names, loses: Iterable[str]) -> Touched:
        names |= self._nodes[item]
        place = self._places[item]
        affected = self._after[item].union(
            {self._item_of[test] for test in loses},
            *(
                self._after[other]
                for other, others in self._nodes.items()
                if self._reaches(names, others, place < self._places[other])
            ),
        )
        sources = set().union(
            *(self._before[name] for name in affected),
            *(
                self._before[other]
                for other, others in self._nodes.items()
                if self._reaches(others, names, self._places[other] < place)
            ),
        )
        items = self._set.reference_answers.keys()
        return Touched(frozenset(affected) & items, frozenset(affected | sources) & items)

    def independent(self, one: BankEntry, other: BankEntry) -> bool:
        """Whether two known answers keep their results in a notebook that holds both."""
        places = self._places[one.replaces], self._places[other.replaces]
        names = names_of(one.code), names_of(other.code)
        return not (
            one.replaces in self.touched(other).answers
            or other.replaces in self.touched(one).answers
            or self._reaches(*names, places[0] < places[1])
            or self._reaches(*reversed(names), places[1] < places[0])
        )

    def mixes(self, entries: Iterable[BankEntry]) -> list[list[BankEntry]]:
        """Distribute known answers over a few notebooks, so that none changes the result of another."""
        return deal_out(entries, self.independent)

    def untouched(self, entries: Iterable[BankEntry]) -> frozenset[str]:
        """Return the ids of the answers and tests that none of these known answers' results depend on."""
        touched = [self.touched(entry) for entry in entries]
        answers = frozenset().union(*(one.answers for one in touched))
        tests = frozenset().union(*(one.tests for one in touched))
        return frozenset(
            cell.id
            for cell in self._cells
            if (is_solution(cell) and grade_id(cell) not in answers)
            or (is_test(cell) and self._item_of[grade_id(cell)] not in tests)
        )

    # ---- hashes

    def of_shared(self) -> str:
        """Return a hash of the cells on which all items may depend."""
        return _hash([_content(cell) for cell in self._cells if not (is_solution(cell) or is_test(cell))])

    def of_item(self, name: str) -> str:
        """Return a hash of everything that the reference solution's answers in an item's tests depend on."""
        answers = frozenset(self._before[name]) & self._set.reference_answers.keys()
        return _hash(self._described(Touched(frozenset({name}), answers)))

    def of_entry(self, entry: BankEntry) -> str:
        """Return a hash of what the result of a known answer depends on, apart from what all answers share."""
        own = [entry.name, entry.kind, entry.replaces, entry.code, sorted(entry.loses)]
        # Includes the reference answer that it replaces: a test may compare measurements of the two.
        return _hash([own, self._described(self.touched(entry))])

    def _described(self, touched: Touched) -> list:
        """Describe the cells of some items, in notebook order and among the cells that all items share."""
        described = []
        for cell in self._cells:
            name = grade_id(cell)
            if is_solution(cell):
                if name in touched.answers:
                    described.append([name, self._set.reference_answers[name]])
            elif is_test(cell):
                if self._item_of[name] in touched.tests:
                    described.append(_content(cell))
            else:
                described.append("shared")
        return described


def _closure(start: str, forward: dict[str, set[str]]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        new = forward[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def _content(cell: NotebookNode) -> list:
    return [cell.source, cell.metadata]


def _hash(content: object) -> str:
    text = json.dumps(content, sort_keys=True, default=sorted)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
