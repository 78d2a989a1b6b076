"""Symbolic answers as they cross the wire: a list of nodes, and nothing else.

`encode` runs in the submission's process and reads SymPy's objects there. `decode` runs where answers are judged: it
neither imports SymPy nor builds its objects, and accepts only what is in the tables below. Each node gives its kind and
its parts, which are nodes earlier in the list; so a part that occurs a thousand times crosses once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from autograder.engine.shared.expression_values import FUNCTIONS, Evaluation, TooMuchWorkError

#: Maximum distinct nodes, and levels. The longest answer in a set, exactly as `diff` returns it, has about a hundred.
MAX_NODES, MAX_DEPTH = 1_500, 300
#: Maximum references from nodes to their parts, in total.
MAX_PARTS = 10_000
#: Maximum digits of all numbers together. Answers are compared to at least twice as many digits, so that no number can
#: pass for another; this bound limits the time that takes.
MAX_DIGITS = 1_000
#: Maximum binary exponent of a float.
MAX_FLOAT_EXPONENT = 20_000
#: Maximum characters in the name of a symbol, or of a SymPy class that is not in the tables.
MAX_NAME = 40
#: Maximum number of functions that are slow to evaluate.
MAX_SPECIAL = 50
#: Maximum entries of a matrix.
MAX_ENTRIES = 10_000

CONSTANTS = ("pi", "E", "I", "EulerGamma", "GoldenRatio", "Catalan", "oo", "-oo", "zoo", "nan", "true", "false")
RELATIONS = {"Eq": "==", "Ne": "!=", "Lt": "<", "Le": "<=", "Gt": ">", "Ge": ">="}
CONNECTIVES = ("And", "Or", "Not")
#: What SymPy leaves unevaluated until `doit` is called.
UNEVALUATED = ("Derivative", "Integral", "Limit", "Product", "Subs", "Sum")
#: What crosses instead of an expression that exceeds the bounds.
_TOO_LONG = [["too long"]]
_WHOLE = re.compile(r"-?\d{1,1500}")


class TooLongError(ValueError):
    """An expression exceeds the bounds."""


# ---- in the submission's process


def encode(value: Any) -> dict | None:
    """Return the wire node of a SymPy object; None for anything else. Does not import SymPy.

    Parameters
    ----------
    value : object
        Any value in a notebook.

    Returns
    -------
    dict or None
        ``int`` and ``fraction`` for plain numbers, ``mpf`` for floats of SymPy and mpmath, ``objects`` for matrices,
        ``tuple`` for tuples, ``expression`` for all other expressions, conditions and sets.
    """
    mpmath = sys.modules.get("mpmath")
    if mpmath is None:  # SymPy cannot be loaded either
        return None
    try:
        if isinstance(value, mpmath.mpf):
            return _float(value._mpf_)
        sympy = sys.modules.get("sympy")
        if sympy is None or not isinstance(value, sympy.Basic | sympy.MatrixBase):
            return None
        return _encode(value, sympy)
    except TooLongError:
        return {"expression": _TOO_LONG}
    except Exception:  # an object that breaks SymPy's own rules is treated like any other object
        return None


def _encode(value: Any, sympy: Any) -> Any:
    if isinstance(value, sympy.MatrixBase):
        rows, columns = (int(length) for length in value.shape)
        if rows * columns > MAX_ENTRIES:
            return None
        entries = [_encode(entry, sympy) for entry in value.flat()]
        return None if None in entries else {"objects": entries, "shape": [rows, columns]}
    if isinstance(value, sympy.Tuple):
        return {"tuple": [_encode(part, sympy) for part in value.args]}
    if isinstance(value, sympy.Integer):
        return {"int": hex(_bounded(value.p))}
    if isinstance(value, sympy.Rational):
        return {"fraction": [{"int": hex(_bounded(value.p))}, {"int": hex(_bounded(value.q))}]}
    if isinstance(value, sympy.Float):
        return _float(value._mpf_)
    boolean = sympy.logic.boolalg.Boolean
    if isinstance(value, sympy.Lambda) or not isinstance(value, sympy.Expr | boolean | sympy.Set):
        return None  # an object that tests call, or ask for its parts, stays in its process
    return {"expression": _Writer(sympy).write(value)}


def _float(parts: tuple) -> Any:
    sign, mantissa, exponent, _ = parts
    if not mantissa and exponent:  # how mpmath writes infinities and nan
        return float({-456: "inf", -789: "-inf"}.get(exponent, "nan"))
    if abs(exponent) > MAX_FLOAT_EXPONENT:
        raise TooLongError
    return {"mpf": [_digits(-mantissa if sign else mantissa), int(exponent)]}


def _bounded(number: int) -> int:
    if number.bit_length() > 3.32 * MAX_DIGITS:
        raise TooLongError
    return int(number)


def _digits(number: Any) -> str:
    return str(_bounded(int(number)))


class _Writer:
    """Writes one expression. Equal parts are recognised by their content, so that comparing them costs nothing."""

    def __init__(self, sympy: Any):
        self.sympy = sympy
        self.classes, self.constants = _classes(sympy), _constants(sympy)
        self.nodes: list[list] = []
        self.numbers: dict[tuple, int] = {}  # by a node's content
        self.known: dict[int, int] = {}  # by an object's id
        self.kept: list[Any] = []  # keeps objects with a known id alive

    def write(self, value: Any) -> list[list]:
        # An explicit stack: SymPy expressions may be nested more deeply than Python's calls.
        waiting = [value]
        replaced: dict[int, Any] = {}
        while waiting:
            part = waiting[-1]
            if id(part) in self.known:
                waiting.pop()
                continue
            if id(part) not in replaced:
                replaced[id(part)] = self._evaluated(part)
                self.kept += [part, replaced[id(part)]]
                if len(self.kept) > 20 * MAX_NODES:
                    raise TooLongError
            meant = replaced[id(part)]
            if meant is not part:
                needed = [meant]
            else:
                name, needed = self._parts(part)
            missing = [inner for inner in needed if id(inner) not in self.known]
            if missing:
                waiting += missing
                if len(waiting) > MAX_PARTS:
                    raise TooLongError
                continue
            waiting.pop()
            if meant is not part:
                self.known[id(part)] = self.known[id(meant)]
            elif needed:
                self.known[id(part)] = self._number([name, *(self.known[id(inner)] for inner in needed)])
            else:
                self.known[id(part)] = self._number(name if isinstance(name, list) else [name])
        nodes = self.nodes[: self.known[id(value)] + 1]
        _measure(nodes)
        return nodes

    def _number(self, content: list) -> int:
        key = tuple(content)
        if key not in self.numbers:
            if len(self.nodes) == MAX_NODES:
                raise TooLongError
            self.numbers[key] = len(self.nodes)
            self.nodes.append(content)
        return self.numbers[key]

    def _parts(self, value: Any) -> tuple[Any, list]:
        """Return a node's name and its parts; the whole node if it has none."""
        sympy = self.sympy
        if isinstance(value, sympy.Symbol):
            name = value.name
            plain = isinstance(name, str) and name.isidentifier() and len(name) <= MAX_NAME
            return ["symbol", name] if plain else ["outside", "symbol"], []
        if isinstance(value, sympy.Integer):
            return ["integer", _digits(value.p)], []
        if isinstance(value, sympy.Rational):
            return ["rational", _digits(value.p), _digits(value.q)], []
        if isinstance(value, sympy.Float):
            written = _float(value._mpf_)
            return ["float", *written["mpf"]] if isinstance(written, dict) else ["constant", "nan"], []
        for name, constant in self.constants:
            if value is constant:
                return ["constant", name], []
        name = self.classes.get(type(value))
        if name is None:
            return ["outside", _class_name(value)], []
        args = list(value.args)
        if name == "Piecewise":
            args = [part for pair in args for part in pair.args]
        if name == "Heaviside" and len(args) == 1:
            args.append(sympy.Rational(1, 2))
        return (name, args) if args else (["outside", _class_name(value)], [])

    def _evaluated(self, value: Any) -> Any:
        """Evaluate an unevaluated derivative, sum and so on; return anything else unchanged."""
        sympy = self.sympy
        if type(value) is sympy.UnevaluatedExpr:
            return value.args[0]
        if _class_name(value) not in UNEVALUATED:
            return value
        # One plain symbol for each name: Symbol("p") and Symbol("p", positive=True) are different objects, but mean the
        # same to the student who wrote both.
        plain = {symbol: sympy.Symbol(symbol.name, real=True) for symbol in value.atoms(sympy.Symbol)}
        for attempt in (lambda: value.xreplace(plain).doit(), value.doit):
            try:
                result = attempt()
            except Exception:  # what cannot be evaluated stays unchanged
                continue
            if not result.has(*(getattr(sympy, name) for name in UNEVALUATED)):
                return result
        return value


def _class_name(value: Any) -> str:
    name = type(value).__name__
    return name if name.isidentifier() and len(name) <= MAX_NAME else "object"


def _classes(sympy: Any) -> dict[type, str]:
    found = {sympy.Add: "Add", sympy.Mul: "Mul", sympy.Pow: "Pow", sympy.Piecewise: "Piecewise"}
    for name in FUNCTIONS:
        kind = getattr(sympy, name, None)
        if isinstance(kind, type):
            found[kind] = name
    for name in (*RELATIONS, *CONNECTIVES):
        found[getattr(sympy, name)] = name
    return found


def _constants(sympy: Any) -> list[tuple[str, Any]]:
    return [(name, -sympy.oo if name == "-oo" else getattr(sympy, name)) for name in CONSTANTS]


# ---- where answers are judged


class Expression:
    """A symbolic answer, as plain data.

    Parameters
    ----------
    nodes : list of list
        The nodes, as received.

    Attributes
    ----------
    symbols : frozenset of str
        Names of its symbols.
    floats : tuple of mpmath.mpf
        Its floats.
    digits : int
        Digits of all its numbers together.
    outside : tuple of str
        SymPy classes in it that are not in the tables; such parts have no value.
    too_long : bool
        Whether it exceeded the bounds and did not cross, or its evaluation took too long.

    Raises
    ------
    ValueError
        The nodes are malformed.
    """

    __slots__ = ("_nodes", "_evaluation", "digits", "floats", "outside", "symbols", "too_long")

    def __init__(self, nodes: list[list]):
        self.too_long = nodes == _TOO_LONG
        if self.too_long:
            self.digits = 0
        else:
            _validate(nodes)
            self.digits = _measure(nodes)
        self._nodes = nodes
        self._evaluation = Evaluation(nodes)
        self.symbols = frozenset(node[1] for node in nodes if node[0] == "symbol")
        self.outside = tuple(node[1] for node in nodes if node[0] == "outside")
        self.floats = tuple(_mpf(*node[1:]) for node in nodes if node[0] == "float")

    def value_at(self, point: Mapping[str, Any], digits: int) -> Any:
        """Return the value at a point as an mpmath number with this many digits; None if there is none.

        Also returns None if evaluation takes too long; from then on, `too_long` is true.
        """
        try:
            value = self._evaluation.value(point, digits)
        except TooMuchWorkError:
            self.too_long = True
            return None
        return None if isinstance(value, bool) else value

    def _number(self) -> Any:
        if self.symbols or (value := self.value_at({}, 20)) is None:
            raise TypeError(f"{self!r} is not a number")
        return value

    def __complex__(self) -> complex:
        return complex(self._number())

    def __float__(self) -> float:
        return float(self._number())  # TypeError for a complex number

    def __int__(self) -> int:
        value = self._number()
        if not abs(value) < 10**300:
            raise TypeError(f"{self!r} is too large for an int")
        return int(value)

    def __bool__(self) -> bool:
        if self._nodes in ([["constant", "true"]], [["constant", "false"]]):
            return self._nodes[0][1] == "true"
        raise TypeError(f"{self!r} is neither true nor false; a bool was expected")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bool):
            return self._nodes == [["constant", str(other).lower()]]
        return isinstance(other, Expression) and self._nodes == other._nodes

    def __hash__(self) -> int:
        return hash(str(self._nodes))

    def __copy__(self) -> Expression:
        return self

    def __deepcopy__(self, memo: dict) -> Expression:
        return self

    def __repr__(self) -> str:
        return "an expression that is too long" if self._nodes == _TOO_LONG else _text(self._nodes)


def decode(content: Any) -> Expression:
    """Return the expression that these nodes describe.

    Raises
    ------
    ValueError
        The nodes are malformed.
    """
    return Expression(content)


def decode_float(content: Any) -> Any:
    """Return a float of SymPy or mpmath as mpmath's; raise ValueError if it is malformed."""
    _validate([["float", *content]])
    return _mpf(*content)


def _mpf(mantissa: str, exponent: int) -> Any:
    from mpmath import libmp, mp

    return mp.make_mpf(libmp.from_man_exp(int(mantissa), exponent))


def _validate(nodes: Any) -> None:
    """Raise ValueError unless each node is in the tables and made of earlier nodes of the right kind."""
    good = isinstance(nodes, list) and 0 < len(nodes) <= MAX_NODES
    truths: list[bool | None] = []  # whether a node is a condition; None if it may be one
    for node in nodes if good else ():
        if not isinstance(node, list) or not node or not isinstance(node[0], str):
            raise ValueError("an expression is malformed")
        name, *content = node
        if name in ("outside", "symbol"):
            (label,) = content
            good = isinstance(label, str) and label.isidentifier() and len(label) <= MAX_NAME
            truths.append(None if name == "outside" else False)
        elif name == "constant":
            (label,) = content
            good = label in CONSTANTS
            truths.append(label in ("true", "false"))
        elif name in ("integer", "rational"):
            good = len(content) == (1 if name == "integer" else 2) and all(map(_is_whole, content))
            truths.append(False)
        elif name == "float":
            mantissa, exponent = content
            good = _is_whole(mantissa) and type(exponent) is int and abs(exponent) <= MAX_FLOAT_EXPONENT
            truths.append(False)
        else:
            known = len(truths)
            if not all(type(index) is int and 0 <= index < known for index in content):
                raise ValueError("an expression is malformed")
            conditions = _conditions(name, len(content))
            good = all(truths[i] in (None, wanted) for i, wanted in zip(content, conditions, strict=True))
            truths.append(name in RELATIONS or name in CONNECTIVES)
        if not good:
            break
    if not good:
        raise ValueError("an expression is malformed")


def _is_whole(text: Any) -> bool:
    return isinstance(text, str) and _WHOLE.fullmatch(text) is not None


def _conditions(name: str, count: int) -> list[bool]:
    """Return, for each of a node's parts, whether it is a condition; ValueError if it cannot have that many."""
    if name == "Piecewise" and count and count % 2 == 0:
        return [False, True] * (count // 2)
    if name in FUNCTIONS and FUNCTIONS[name].least <= count <= FUNCTIONS[name].most:
        return [False] * count
    if (name in RELATIONS and count == 2) or (name in CONNECTIVES and (count == 1 if name == "Not" else count)):
        return [name in CONNECTIVES] * count
    raise ValueError("an expression is malformed")


def _measure(nodes: list[list]) -> int:
    """Return the number of digits in all numbers; raise TooLongError if the nodes exceed the bounds."""
    depths: list[int] = []
    digits = parts = special = 0
    for name, *content in nodes:
        depth = 0
        if name in ("integer", "rational"):
            digits += sum(map(len, content))
        elif name == "float":
            digits += len(content[0])
            if abs(content[1]) > MAX_FLOAT_EXPONENT:
                raise TooLongError("an expression is too long")
        elif name not in ("constant", "outside", "symbol"):
            parts += len(content)
            depth = 1 + max(depths[index] for index in content)
            special += name in FUNCTIONS and FUNCTIONS[name].special
        depths.append(depth)
    long = len(nodes) > MAX_NODES or max(depths) > MAX_DEPTH or parts > MAX_PARTS
    if long or digits > MAX_DIGITS or special > MAX_SPECIAL:
        raise TooLongError("an expression is too long")
    return digits


#: Maximum characters of an expression, or of a part of it, in a message.
_LONGEST_TEXT = 200
_SIGNS = {"Add": (" + ", 1), "Mul": ("*", 2), "And": (" & ", 0), "Or": (" | ", 0)}
_SIGNS |= {name: (f" {sign} ", 0) for name, sign in RELATIONS.items()}


def _text(nodes: list[list]) -> str:
    """Write the expression as code, cut off if it grows long."""
    texts: list[tuple[str, int]] = []  # and the binding strength of their operators

    def bound(index: int, least: int) -> str:
        text, strength = texts[index]
        return text if strength > least else f"({text})"

    for name, *content in nodes:
        strength = 4
        if name in ("symbol", "constant", "outside", "integer"):
            text = content[0] if name != "outside" else f"{content[0]}(…)"
            strength = 1 if text.startswith("-") else 4
        elif name == "rational":
            text, strength = "/".join(content), 1 if content[0].startswith("-") else 2
        elif name == "float":
            from mpmath import nstr

            text = nstr(_mpf(*content), 9)
        elif name in _SIGNS:
            sign, strength = _SIGNS[name]
            text = sign.join(bound(index, strength) for index in content[:20])
        elif name == "Pow":
            text, strength = f"{bound(content[0], 3)}**{bound(content[1], 3)}", 3
        elif name == "Piecewise":
            pairs = zip(content[::2], content[1::2], strict=True)
            text = f"Piecewise({', '.join(f'({texts[value][0]}, {texts[when][0]})' for value, when in pairs)})"
        else:
            text = f"{name}({', '.join(texts[index][0] for index in content[:20])})"
        texts.append((text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…", strength))
    return texts[-1][0]
