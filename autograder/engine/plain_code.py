"""Whether a submission's code keeps to plain NumPy: then the steps of Python that its process reports can be believed.

Steps are counted in the student's process, by a hook that the student's own code could find and change. Nothing prevents that
there; but code that uses only what is listed here has no way to the hook, nor to the socket on which the count is sent.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator

_MODULES = {
    "numpy",
    "math",
    "cmath",
    "itertools",
    "functools",
    "collections",
    "typing",
    "dataclasses",
    "random",
    "statistics",
}
_MODULES |= {"fractions", "decimal", "numbers", "matplotlib", "warnings", "time", "copy", "bisect", "heapq"}
#: Functions that run a text, reach names by text, or read files and memory.
_NAMES = {"exec", "eval", "compile", "globals", "locals", "vars", "getattr", "setattr", "delattr", "open", "breakpoint"}
_NAMES |= {
    "memoryview",
    "get_ipython",
    "input",
    "help",
    "exit",
    "quit",
    "f2py",
    "ctypeslib",
    "as_strided",
    "load",
    "loads",
}
_NAMES |= {
    "memmap",
    "open_memmap",
    "fromfile",
    "tofile",
    "save",
    "savez",
    "savez_compressed",
    "dump",
    "DataSource",
    "rc_file",
}
_NAMES |= {"switch_backend", "attrgetter", "methodcaller", "modules", "register_cell_magic"}
#: Functions of the modules above that evaluate a text, reach or set attributes by a text, or write a file that Python reads.
_NAMES |= {
    "DummyArray",
    "ForwardRef",
    "Formatter",
    "cbook",
    "evaluate_forward_ref",
    "get_type_hints",
    "gettrace",
    "imsave",
    "make_dataclass",
    "math_to_image",
    "print_figure",
    "print_raw",
    "print_rgba",
    "rundocs",
    "runstring",
    "savefig",
    "savetxt",
    "settrace",
    "setprofile",
    "singledispatch",
    "singledispatchmethod",
    "sphinxext",
    "update_wrapper",
    "wraps",
}
#: Names of modules that are also names of functions of NumPy, or modules allowed above.
_HARMLESS = _MODULES | {"select", "trace", "array", "code", "token", "test", "operator", "string"}
_REFUSED = _NAMES | (set(sys.stdlib_module_names) - _HARMLESS)
#: Attributes of frames, tracebacks, generators and code.
_INSIDE = ("f_", "tb_", "gi_", "cr_", "ag_", "co_")
_COMMON = {"__init__", "__name__", "__doc__"}
#: Special methods that a class of a student may have. Others, as `__reduce_ex__`, `__setattr__` or `__array_interface__`, are
#: called by modules above with what a text names, or tell NumPy where in memory an array lies.
_SPECIAL = _COMMON | {
    f"__{name}__"
    for name in """
        abs add bool call complex contains divmod enter eq exit float floordiv format ge getitem gt hash iadd imul index int
        invert isub iter itruediv le len lt matmul mod mul ne neg next or and xor pos post_init pow radd repr reversed
        rfloordiv rmatmul rmod rmul round rpow rsub rtruediv setitem str sub truediv
    """.split()  # noqa: SIM905
}


def is_plain(sources: Iterable[str]) -> bool:
    """Whether every cell keeps to modules, names and attributes that do not reach what runs it."""
    return not any(_reaches_further(source) for source in sources)


#: Magic commands that measure or set up a figure, as people use them to try a function out; what they run is looked at.
_MAGIC = re.compile(
    r"^([ \t]*)%{1,2}(?:timeit|time|matplotlib|precision)\b(?:[ \t]+-[a-z]\w*(?:[ \t]+\d+)?)*[ \t]*(.*)$", re.MULTILINE
)


def _reaches_further(source: str) -> bool:
    try:
        tree = ast.parse(_MAGIC.sub(r"\1\2", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True  # a magic command, or nothing that Python runs
    return any(_refused(name) for name in _names(tree))


def _names(tree: ast.AST) -> Iterator[str]:
    asked: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield from _module(alias.name)
            case ast.ImportFrom(module=module, names=names):
                yield from _module(module or ".")
                for alias in names:
                    yield alias.name if alias.name != "measure" else "exec"
                    if alias.name == "*" and module not in ("math", "cmath", "numpy", "matplotlib.pyplot"):
                        yield "exec"
            case ast.Attribute(attr="measure"):
                yield "exec"  # numpy.testing.measure runs a text; a student's own function may well be called so
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if not name.startswith("__"):
                yield name.lstrip("_")
            case ast.Attribute(attr=name):
                yield name
            case ast.Call(func=ast.Name(id="type") as function, args=[_], keywords=[]):
                asked.add(
                    id(function)
                )  # a question; with more arguments it makes a class, of attributes that texts name
            case ast.Name(id="type") if id(node) not in asked:
                yield "exec"
            case ast.Name(id=name):
                yield name.lstrip("_") if not name.startswith("__") else name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if name.startswith("__") and name not in _SPECIAL:
                    yield "exec"
            case ast.MatchClass(kwd_attrs=names):
                yield from names


def _module(name: str) -> Iterator[str]:
    first, *rest = name.split(".")
    if first not in _MODULES:
        yield "exec"  # as bad as any refused name
    yield from rest


def _refused(name: str) -> bool:
    return name in _REFUSED or (name.startswith("_") and name not in _COMMON) or name.startswith(_INSIDE)
