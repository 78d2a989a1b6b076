"""Encloses a set's cells, so that they leave no name in the student's notebook and depend on none but the answer's.

An author writes a test cell as plain statements. Students receive them as the body of a function that runs immediately
and is then deleted::

    # Test of double, ordinary values (1 point)
    @lambda test: test()
    def test_of_this_cell():
        from builtins import range
        from checks_of_this_notebook import Check  # not found? Run the notebook from its top

        check = Check(double, "double", ...)
        for x in range(3):
            check.gives(2 * x, x)
    del test_of_this_cell

So a helper that a student names `check`, `range` or `Check` changes no verdict, and no answer can rely on what a test
imported. A decorator that raises binds no name, so a failing test leaves none behind either.

What tests share, such as the checks, is a locked cell of definitions. It becomes a module that only `import` can reach.
"""

from __future__ import annotations

import ast
import functools
import io
import textwrap
import tokenize
from collections.abc import Iterable, Iterator, Mapping

from autograder.common.cell_names import builtin_names, foreign_names, scopes

#: nbgrader's marks around what students do not receive, as its ClearHiddenTests preprocessor expects them.
_BEGIN, _END = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
#: Names that mean something different inside a function, and the number of arguments that makes them safe.
_SCOPE_BOUND = {"exec": 2, "eval": 2, "globals": 99, "locals": 99, "vars": 1, "dir": 1}


class EnclosureError(Exception):
    """A line would mean something different inside a function.

    Attributes
    ----------
    line : int
        The line's number in the author's text.
    """

    def __init__(self, line: int, text: str):
        super().__init__(text)
        self.line = line


def enclosed_test(source: str, modules: Mapping[str, str]) -> str:
    """Return a test cell as students receive it, and as it is graded.

    Parameters
    ----------
    source : str
        The author's statements.
    modules : mapping of str to str
        The names that the set's modules define, and which module defines each.

    Raises
    ------
    EnclosureError
        A line would mean something different inside a function.
    SyntaxError
        The cell is not plain Python.
    """
    return _enclosed_test(source, tuple(sorted(modules.items())))


# The checks are a cell of every set, and whoever reads a set twice reads the same cells.
@functools.lru_cache(maxsize=1024)
def _enclosed_test(source: str, of_modules: tuple[tuple[str, str], ...]) -> str:
    modules = dict(of_modules)
    compile(source, "<cell>", "exec", ast.PyCF_ONLY_AST)
    lines = source.split("\n")
    marked = [i for i, line in enumerate(lines) if _BEGIN in line or _END in line]
    if marked:
        first, last = marked[0], marked[-1]
        for i, line in enumerate(lines):
            if not first < i < last and line.strip() and not line.lstrip().startswith("#"):
                raise EnclosureError(i + 1, "hidden tests need a cell of their own; move this line to another cell")
        before, body, after = lines[: first + 1], lines[first + 1 : last], lines[last:]
    else:
        first = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
        before, body, after = lines[:first], lines[first:], []
    for line, text in sorted(_faults(source)):
        raise EnclosureError(line, text)
    text = "\n".join(body).strip("\n")
    if not ast.parse(text).body:
        return source
    head = ["@lambda test: test()", "def test_of_this_cell():"]
    head += [f"    {line}".rstrip() for line in _imports(text, modules)]
    return "\n".join([*before, *head, _indented(text), "del test_of_this_cell", *after])


def enclosed_module(source: str, name: str, gives: Iterable[str], modules: Mapping[str, str]) -> str:
    """Return a locked cell of definitions that leaves behind only the names that students are given.

    Parameters
    ----------
    source : str
        The author's definitions.
    name : str
        The module's name.
    gives : iterable of str
        The names that students use too.
    modules : mapping of str to str
        As for a test cell.

    Raises
    ------
    EnclosureError
        A line would mean something different inside a function, or a name that students are given is not defined.
    SyntaxError
        The cell is not plain Python.
    """
    return _enclosed_module(source, name, tuple(gives), tuple(sorted(modules.items())))


@functools.lru_cache(maxsize=64)
def _enclosed_module(source: str, name: str, gives: tuple[str, ...], of_modules: tuple[tuple[str, str], ...]) -> str:
    modules = dict(of_modules)
    for line, text in sorted(_faults(source)):
        raise EnclosureError(line, text)
    missing = sorted(set(gives) - scopes(source)[0])
    if missing:
        raise EnclosureError(1, f"{missing[0]!r} is given to students but not defined here")
    # Its functions have their own globals: they see neither the student's `len` nor the notebook's `np`. Builtins are
    # named there because C code that imports, as NumPy does to write a dtype, looks for them there.
    head = [
        f'@lambda cell: cell.__class__(cell.__code__, {{"__name__": "{name}", "__builtins__": cell.__builtins__}})()',
        f"def {name}():",
    ]
    docstring = ast.get_docstring(ast.parse(source), clean=False) is not None
    imports = [f"    {line}".rstrip() for line in _imports(source, modules, shadowed=False)]
    tail = ["import sys, types", "", f'sys.modules["{name}"] = types.ModuleType("{name}")']
    tail.append(f'sys.modules["{name}"].__dict__.update(locals())')
    text = _indented(source.strip("\n"))
    if docstring and imports:
        end = ast.parse(source).body[0].end_lineno
        rows = text.split("\n")
        text = "\n".join([*rows[:end], "", *imports, *rows[end:]])
    elif imports:
        text = "\n".join([*imports, text])
    given = [f"from {name} import {', '.join(gives)}"] if gives else []
    return "\n".join([*head, text, "", *(f"    {row}".rstrip() for row in tail), f"del {name}", *given])


def _imports(source: str, modules: Mapping[str, str], shadowed: bool = True) -> list[str]:
    """Return the lines that import what a cell uses, whatever the notebook's names mean, ending in an empty line."""
    wanted: dict[str, set[str]] = {}
    if shadowed and (names := builtin_names(source) - {"super"}):  # Python looks for `super` by its name
        wanted["builtins"] = set(names)
    for name in sorted(foreign_names(source) & modules.keys()):
        wanted.setdefault(modules[name], set()).add(name)
    lines: list[str] = []
    for module, names in wanted.items():
        line = f"from {module} import {', '.join(sorted(names))}"
        # What Python shows of a test that is run before its module's cell: the notebook has no words of its own yet.
        advice = "  # not found? Run the notebook from its top" if shadowed and module != "builtins" else ""
        if len(line) > 110:
            inside = textwrap.wrap(", ".join(sorted(names)) + ",", 104)
            lines += [f"from {module} import ({advice}", *(f"    {row}" for row in inside), ")"]
        else:
            lines.append(line + advice)
    return [*lines, ""] if lines else []


def _indented(source: str) -> str:
    """Indent text by four columns, except for lines that begin inside a string other than a docstring."""
    inside: set[int] = set()
    opened: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "STRING":
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
        elif kind.endswith("STRING_START"):  # Python 3.12 and later split an f-string into tokens
            opened.append(token.start[0])
        elif kind.endswith("STRING_END"):
            inside.update(range(opened.pop() + 1, token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            inside.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    kept: list[str] = []
    for number, row in enumerate(source.split("\n"), start=1):
        if number in inside:
            kept.append(row)
        elif row.strip():
            kept.append(f"    {row}")
        elif not kept or kept[-1].strip():  # one blank line is enough between functions within a function
            kept.append("")
    return "\n".join(kept)


# ---- what would mean something different inside a function


def _faults(source: str) -> Iterator[tuple[int, str]]:
    try:
        compile(source, "<cell>", "exec")
    except SyntaxError as error:  # `return`, `yield` and `await` are not allowed at the top of a cell
        yield error.lineno or 1, f"it is not plain Python ({error.msg})"
        return
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="__future__"):
                yield node.lineno, "a test cell or shared definitions cannot contain a future statement"
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                yield node.lineno, "import each name that is used, not `*`"
            case ast.Global(names=names):
                yield node.lineno, f"write `nonlocal {', '.join(names)}`, not `global`: the cell becomes a function"
            case ast.Call(func=ast.Name(id=name)) if len(node.args) < _SCOPE_BOUND.get(name, 0):
                yield node.lineno, f"{name}() would not see the cell's names once the cell becomes a function"
    flow = _Flow(scopes(source)[0])
    flow.visit(tree)
    for line, name in flow.early:
        yield line, f"{name!r} is read before the cell assigns it; use another name for what the cell assigns"


class _Flow(ast.NodeVisitor):
    """Walks through a cell's statements in order and notes names that are read before they are bound.

    Inside a function, such a name never refers to the notebook's.
    """

    def __init__(self, names: Iterable[str]):
        self.names, self.bound = frozenset(names), set()
        self.early: list[tuple[int, str]] = []

    def visit_Name(self, node: ast.Name) -> None:  # noqa: N802
        if not isinstance(node.ctx, ast.Load):
            self.bound.add(node.id)
        elif node.id in self.names - self.bound:
            self.early.append((node.lineno, node.id))

    def _in_order(self, node: ast.AST, *fields: str) -> None:
        for field in fields:
            value = getattr(node, field)
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.AST):
                    self.visit(part)

    def visit_Assign(self, node: ast.Assign) -> None:  # noqa: N802
        self._in_order(node, "value", "targets")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802
        self._in_order(node, "value", *(["target"] if node.value else []))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:  # noqa: N802
        if isinstance(node.target, ast.Name) and node.target.id not in self.bound:
            self.early.append((node.lineno, node.target.id))
        self._in_order(node, "value", "target")

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:  # noqa: N802
        self._in_order(node, "value", "target")

    def visit_For(self, node: ast.For) -> None:  # noqa: N802
        self._in_order(node, "iter", "target", "body", "orelse")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:  # noqa: N802
        # The body runs later.
        self._in_order(node, "decorator_list", "args")
        self.bound.add(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_Lambda(self, node: ast.Lambda) -> None:  # noqa: N802
        self.visit(node.args)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802
        self._in_order(node, "decorator_list", "bases", "keywords")
        self.bound.add(node.name)

    def _comprehension(self, node: ast.AST) -> None:
        before = set(self.bound)
        for part in node.generators:
            self._in_order(part, "iter", "target", "ifs")
        self._in_order(node, *(["key", "value"] if isinstance(node, ast.DictComp) else ["elt"]))
        self.bound = before

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:  # noqa: N802
        self._in_order(node, "type")
        self.bound.update([node.name] if node.name else [])
        self._in_order(node, "body")

    def visit_alias(self, node: ast.alias) -> None:
        self.bound.add((node.asname or node.name).split(".")[0])

    def visit_MatchAs(self, node: ast.MatchAs) -> None:  # noqa: N802
        self._in_order(node, "pattern")
        self.bound.update([node.name] if node.name else [])

    def visit_MatchStar(self, node: ast.MatchStar) -> None:  # noqa: N802
        self.bound.update([node.name] if node.name else [])

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:  # noqa: N802
        self._in_order(node, "keys", "patterns")
        self.bound.update([node.rest] if node.rest else [])
