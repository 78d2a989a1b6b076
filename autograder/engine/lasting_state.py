"""Whether what a group of test cells judges is still the same after further cells of the submission have run.

The test cells of a group see the student's names as they are where the group stands. A fork keeps them so, and a process
that is forked again and again copies its memory again and again. Most cells change nothing that the tests before them
depend on: a later item's function, a figure. The fork can then wait, and all that wait are made at once.

This reads the cells and judges with care: where it cannot tell, the answer is that a cell may change something. It is a
matter of speed, and decides no points: the tests run after all cells in any case, and a submission that changes its own
functions in a way that no reading shows is judged by what it then has.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from autograder.engine.test_cells import foreign_names, scopes

#: Built-in functions and attributes by which a cell may change what it does not mention.
_FAR_REACHING = frozenset(
    [
        *("exec", "eval", "compile", "globals", "locals", "vars", "setattr", "delattr", "getattr", "get_ipython"),
        *("__import__", "__setattr__", "__builtins__", "__dict__", "__globals__", "__code__", "__defaults__"),
        *("__kwdefaults__", "__closure__", "__class__"),
    ]
)
#: Functions and values of modules by which it may: a package's state, a random generator, the process.
_FAR_REACHING_OF_MODULES = _FAR_REACHING | frozenset(
    [
        *("seed", "set_state", "seterr", "seterrcall", "setbufsize", "simplefilter", "filterwarnings", "patch"),
        *("import_module", "reload", "modules", "atexit", "settrace", "setprofile", "setrecursionlimit", "chdir"),
        *("environ", "register_cell_magic"),
    ]
)
#: Functions of ``random`` modules that leave the global generator alone.
_OWN_GENERATOR = frozenset(["default_rng", "Generator", "SeedSequence", "PCG64", "Random"])
#: Parts of a cell that call nothing by themselves; operators, attributes, conditions and loops call methods.
_CALL_NOTHING = (
    *(ast.Import, ast.ImportFrom, ast.alias, ast.Pass, ast.Assign, ast.AnnAssign, ast.NamedExpr),
    *(ast.Constant, ast.Name, ast.Tuple, ast.List, ast.arguments, ast.arg, ast.expr_context),
)


@dataclass(frozen=True)
class _Reading:
    """What a cell does to the names of its notebook.

    Attributes
    ----------
    bound, used : frozenset of str
        Global names that it binds, and those that it uses.
    imports : dict of str to set of str
        Names that it imports, each with what they are imported from.
    assigned : frozenset of str
        Names that it binds in other ways than by import, def or class.
    constants : frozenset of str
        Those of them that are numbers, texts or tuples of these.
    defined : frozenset of str
        Names that it binds by def or class.
    looked_into : frozenset of str
        Global names of whose values it uses an attribute or a method.
    calls : bool
        Whether anything is called when it runs.
    remembers : bool
        Whether what it defines may keep something from one call to the next: in a class, a default value, an attribute
        of a function.
    far_reaching : bool
        Whether it may change what it does not mention.
    """

    bound: frozenset[str]
    used: frozenset[str]
    imports: dict[str, set[str]]
    assigned: frozenset[str]
    constants: frozenset[str]
    defined: frozenset[str]
    looked_into: frozenset[str]
    calls: bool
    remembers: bool
    far_reaching: bool


@functools.lru_cache(2_000)
def _read(source: str) -> _Reading | None:
    """Read a cell; None if it is not plain Python."""
    try:
        tree = ast.parse(source)
        bound, imported, used = scopes(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    imports: dict[str, set[str]] = {}
    assigned: set[str] = set()
    defined: set[str] = set()
    stored_into: set[str] = set()
    looked_into: set[str] = set()
    far_reaching = False
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for name in names:
                    imports.setdefault(name.asname or name.name.split(".")[0], set()).add(
                        name.name if name.asname else ""
                    )
            case ast.ImportFrom(module=module, level=level, names=names):
                for name in names:
                    imports.setdefault(name.asname or name.name, set()).add(f"{'.' * level}{module}:{name.name}")
                far_reaching |= (module or "").endswith("random") and any(n.name not in _OWN_GENERATOR for n in names)
                far_reaching |= any(name.name == "*" or name.name in _FAR_REACHING_OF_MODULES for name in names)
            case ast.Global() | ast.Nonlocal():
                far_reaching = True
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                assigned.add(name)
            case ast.MatchMapping(rest=str(name)):
                assigned.add(name)
            case ast.Name(id=name):
                far_reaching |= name in _FAR_REACHING
                if not isinstance(node.ctx, ast.Load):
                    assigned.add(name)
            case ast.Attribute(attr=name):
                far_reaching |= name in _FAR_REACHING_OF_MODULES
                far_reaching |= _last_name(node.value) == "random" and name not in _OWN_GENERATOR
                looked_into.add(_root(node))
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            stored_into.add(_root(node))
    # An element or attribute of what the cell makes itself, or of a function's own variable, is no concern of others.
    far_reaching |= bool(stored_into & ((used - (bound - imported)) | {""}))
    plain = [node for node in tree.body if isinstance(node, ast.Assign) and _is_constant(node.value)]
    constants = {target.id for node in plain for target in node.targets if isinstance(target, ast.Name)}
    return _Reading(
        bound,
        used,
        imports,
        frozenset(assigned),
        frozenset(constants),
        frozenset(defined),
        used & looked_into,
        any(map(_calls, tree.body)),
        bool(looked_into & defined) or any(map(_remembers, ast.walk(tree))),
        far_reaching,
    )


def _calls(node: ast.AST) -> bool:
    """Whether anything is called when this is executed; what a function's body calls is called later, by others."""
    match node:
        case (
            ast.FunctionDef(args=args, decorator_list=decorators)
            | ast.AsyncFunctionDef(args=args, decorator_list=decorators)
        ):
            return bool(decorators) or _calls(args)
        case ast.Lambda(args=args):
            return _calls(args)
        case ast.ClassDef(bases=bases, keywords=keywords, decorator_list=decorators, body=body):
            return bool(bases or keywords or decorators) or any(map(_calls, body))
        case ast.UnaryOp():
            return not _is_constant(node)
        case ast.Expr(value=value):
            return not _is_constant(value)  # a value is shown as it says itself
    return not isinstance(node, _CALL_NOTHING) or any(map(_calls, ast.iter_child_nodes(node)))


def _remembers(node: ast.AST) -> bool:
    """Whether what this defines may be changed by a call of it: a list of a class, a list as default value, a cache."""
    match node:
        case ast.ClassDef(body=body, decorator_list=decorators, keywords=keywords):
            plain = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Pass)
            return bool(decorators or keywords) or not all(
                isinstance(statement, plain) or _is_constant(getattr(statement, "value", statement))
                for statement in body
            )
        case ast.FunctionDef(decorator_list=decorators) | ast.AsyncFunctionDef(decorator_list=decorators):
            return any(_last_name(decorator) not in ("staticmethod", "property") for decorator in decorators)
        case ast.arguments(defaults=defaults, kw_defaults=keyword_defaults):
            return not all(default is None or _is_constant(default) for default in [*defaults, *keyword_defaults])
    return False


def _root(node: ast.expr) -> str:
    """Return the name at the beginning of ``a.b[c].d``, or an empty text."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _last_name(node: ast.expr) -> str:
    """Return ``b`` of ``b`` and of ``a.b``, or an empty text."""
    return getattr(node, "attr", getattr(node, "id", ""))


def _is_constant(value: ast.AST) -> bool:
    match value:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return _is_constant(operand)
        case ast.Tuple(elts=elements):
            return all(map(_is_constant, elements))
    return False


class Dependence:
    """What a group of test cells depends on.

    Parameters
    ----------
    tests : iterable of str
        The texts of the group's cells.
    earlier : iterable of str
        The cells that have run before them.
    """

    def __init__(self, tests: Iterable[str], earlier: Iterable[str]):
        readings = [_read(source) for source in earlier]
        self._unknown = any(reading is None or reading.far_reaching for reading in readings)
        self._names: set[str] = set().union(*map(foreign_names, tests))
        self._imports: dict[str, set[str]] = {}
        self._data: set[str] = set()
        self._changeable = False
        if self._unknown:
            return
        before = -1
        while len(self._names) != before:
            before = len(self._names)
            for reading in readings:
                if reading.bound & self._names:
                    self._names |= reading.used
                    self._changeable |= reading.remembers
        for reading in readings:
            for name, origins in reading.imports.items():
                self._imports.setdefault(name, set()).update(origins)
            data = reading.bound & reading.assigned & self._names
            self._data |= data
            self._changeable |= bool(data - reading.constants)

    def survives(self, source: str) -> bool:
        """Whether all this is the same after a further cell has run."""
        reading = _read(source)
        if self._unknown or reading is None or reading.far_reaching:
            return False
        again = {
            name
            for name, origins in reading.imports.items()
            if self._imports.get(name) == origins and len(origins) == 1
        } - (reading.assigned | reading.defined | self._data)
        return not (
            (reading.bound - again) & self._names
            or reading.used & self._data
            or reading.looked_into & self._names - self._imports.keys()
            or (reading.calls and self._changeable)
        )  # fmt: skip
