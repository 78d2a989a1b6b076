"""Read a SymPy expression from the text that `sympy.srepr` writes, without evaluating that text.

The text is parsed into Python's syntax tree, and the tree may hold nothing but calls of the classes listed here, numbers,
names of constants, and lists. A class or a function that is not listed is refused.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import sympy as sp
from sympy.functions.elementary.piecewise import ExprCondPair

#: Characters of a text. The longest answer of a problem set has some hundred.
MAX_TEXT = 100_000
#: An integer raised to a larger power would be worked out digit by digit, before anybody could stop it.
MAX_EXPONENT = 10_000
#: Bits of a power that is worked out when it is built.
MAX_BITS = 100_000
#: What `srepr` writes in a Float: digits, and an exponent of a size that can be worked out.
_FLOAT = re.compile(r"[+-]?\d{0,4300}\.?\d{0,4300}(?:[eE][+-]?\d{1,5})?|[+-]?inf|nan")
#: Functions that are worked out for an integer at once.
_COUNTING = {"factorial", "binomial", "gamma", "loggamma", "digamma", "polygamma"}

_FUNCTIONS = [
    "exp",
    "log",
    "LambertW",
    "sin",
    "cos",
    "tan",
    "cot",
    "sec",
    "csc",
    "asin",
    "acos",
    "atan",
    "atan2",
    "acot",
    "sinh",
    "cosh",
    "tanh",
    "coth",
    "asinh",
    "acosh",
    "atanh",
    "sech",
    "csch",
    "Abs",
    "sign",
    "Max",
    "Min",
    "floor",
    "ceiling",
    "Heaviside",
    "gamma",
    "loggamma",
    "digamma",
    "polygamma",
    "factorial",
    "binomial",
    "erf",
    "erfc",
    "re",
    "im",
    "conjugate",
    "arg",
]
_CLASSES = [
    "Add",
    "Mul",
    "Derivative",
    "Subs",
    "Sum",
    "Product",
    "Tuple",
    "ExprCondPair",
    "Piecewise",
    "Equality",
    "Unequality",
    "StrictLessThan",
    "LessThan",
    "StrictGreaterThan",
    "GreaterThan",
    "And",
    "Or",
    "Not",
]
_CONSTANTS = {
    "pi": sp.pi,
    "E": sp.E,
    "I": sp.I,
    "oo": sp.oo,
    "zoo": sp.zoo,
    "nan": sp.nan,
    "EulerGamma": sp.EulerGamma,
    "GoldenRatio": sp.GoldenRatio,
    "Catalan": sp.Catalan,
    "true": sp.true,
    "false": sp.false,
}
_ASSUMPTIONS = [
    "commutative",
    "complex",
    "extended_real",
    "real",
    "positive",
    "negative",
    "nonnegative",
    "nonpositive",
    "zero",
    "nonzero",
    "integer",
    "rational",
    "irrational",
    "algebraic",
    "transcendental",
    "finite",
    "infinite",
    "even",
    "odd",
    "prime",
    "composite",
    "imaginary",
    "hermitian",
    "antihermitian",
    "extended_positive",
    "extended_negative",
    "extended_nonnegative",
    "extended_nonpositive",
    "extended_nonzero",
    "noninteger",
]


def parse(text: Any) -> Any:
    """Return the expression, matrix or tuple of expressions that the text describes.

    Parameters
    ----------
    text : str
        What `sympy.srepr` returned.

    Raises
    ------
    ValueError
        The text is too long, or holds something that is not in the list above.
    """
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise ValueError("the expression is too long")
    try:
        tree = ast.parse(text, mode="eval").body
        return _build(tree)
    except ValueError:
        raise
    except Exception:  # syntax, nesting, memory, and what SymPy's classes raise on arguments that do not fit
        raise ValueError("the expression cannot be read") from None


def _build(node: ast.AST) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return _call(name, args, {keyword.arg: _literal(keyword.value) for keyword in keywords})
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.Tuple(elts=parts):
            return tuple(_build(part) for part in parts)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Name() as operand):
            return -_build(operand)
        case ast.List(elts=parts):
            return [_build(part) for part in parts]
    return sp.Integer(_literal(node))


def _call(name: str, args: list[ast.AST], options: dict[str, Any]) -> Any:
    if name in ("Symbol", "Dummy"):
        (label,) = (_literal(arg) for arg in args)
        if name == "Dummy":
            options = {key: value for key, value in options.items() if key != "dummy_index"}
        if not isinstance(label, str) or not set(options) <= set(_ASSUMPTIONS):
            raise ValueError(f"the symbol {str(label)[:40]!r} cannot be read")
        return sp.Symbol(label, **{key: bool(value) for key, value in options.items()})
    if name == "Integer":
        return sp.Integer(*(_literal(arg, int) for arg in args))
    if name == "Rational":
        return sp.Rational(*(_literal(arg, int) for arg in args))
    if name == "Float":
        precision = options.get("precision", 53)
        if type(precision) is not int or not 1 <= precision <= 4000:
            raise ValueError("a float has too many digits")
        text = _literal(args[0], str)
        if not _FLOAT.fullmatch(text):
            raise ValueError("a float cannot be read")
        return sp.Float(text, precision=precision)
    if name in ("MutableDenseMatrix", "ImmutableDenseMatrix"):
        if args and isinstance(args[0], ast.List):
            return getattr(sp, name)(_build(args[0]))
        rows, columns = (_literal(arg, int) for arg in args[:2])
        return getattr(sp, name)(rows, columns, _build(args[2]))
    if options:
        raise ValueError(f"{name[:40]} with options cannot be read")
    parts = [_build(arg) for arg in args]
    if name == "Pow":
        base, exponent = parts
        if base.is_number and exponent.is_number and abs(exponent) > MAX_EXPONENT and base not in (0, 1, -1, sp.E):
            raise ValueError("the expression has a very large power")
        worked_out = base.is_Rational and exponent.is_Integer and base not in (0, 1, -1)
        if worked_out and max(base.p.bit_length(), base.q.bit_length()) * abs(int(exponent)) > MAX_BITS:
            raise ValueError("the expression has a very large power")
        return sp.Pow(base, exponent)
    if name == "ExprCondPair":
        return ExprCondPair(*parts)
    if name in _COUNTING and any(part.is_number and not abs(part) <= MAX_EXPONENT for part in parts):
        raise ValueError(f"{name} of a very large number cannot be read")
    if name in _FUNCTIONS or name in _CLASSES:
        return getattr(sp, name)(*parts)
    raise ValueError(f"{name[:40]} is not a function that an answer may use")


def _literal(node: ast.AST, kind: type | None = None) -> Any:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = -_literal(node.operand, kind or int)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | str):
        value = node.value
    else:
        raise ValueError("the expression cannot be read")
    if kind is not None and type(value) is not kind:
        raise ValueError("the expression cannot be read")
    return value
