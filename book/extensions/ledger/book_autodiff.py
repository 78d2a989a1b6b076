"""The book's own automatic differentiation (in its chapters, "the engine"), read from its page to check results."""

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jupytext
import sympy

# The engine is spread over cells named `engine-…`, beginning with this one.
FIRST, PREFIX = "engine-node", "engine-"
NEEDED = ("Node", "add", "multiply", "divide", "exp", "log", "backward")
FUNCTIONS = {sympy.exp: "exp", sympy.log: "log", sympy.tanh: "tanh"}
LARGEST_POWER = 64  # as repeated products


class CannotDifferentiate(Exception):  # noqa: N818  (not an error: the engine knows few operations, and says so)
    """An expression for which the engine lacks an operation, or which it cannot evaluate at a point."""


@dataclass(frozen=True)
class BookAutodiff:
    """The names that the page defines.

    Attributes
    ----------
    source : str
        The code, on which verdicts depend.
    names : dict
        What it defines: at least `NEEDED`.
    """

    source: str
    names: dict[str, Callable]

    def gradient(self, expression: sympy.Expr, variables: list, values: dict) -> list[float]:
        """Differentiate an expression at a point, by one sweep backwards through its graph.

        Parameters
        ----------
        expression : sympy.Expr
            Made of sums, products, powers, and the functions that the page defines.
        variables : list of sympy.Symbol
            The variables to differentiate with respect to.
        values : dict
            A number for each symbol.

        Returns
        -------
        list of float
            One partial derivative for each variable.

        Raises
        ------
        CannotDifferentiate
            If an operation is missing, or a value overflows on the way.
        """
        leaves = {symbol: self.names["Node"](float(value)) for symbol, value in values.items()}
        try:
            slopes = self.names["backward"](self._node(expression, leaves))
        except (OverflowError, ZeroDivisionError, ValueError) as error:
            raise CannotDifferentiate(str(error)) from error
        return [float(slopes.get(leaves[variable], 0.0)) for variable in variables]

    def _node(self, expression: sympy.Expr, leaves: dict) -> object:
        """Compute an expression with nodes, which build the graph on the way."""
        if expression in leaves:
            return leaves[expression]
        if expression.is_number:
            value = float(expression)
            if not math.isfinite(value):
                raise CannotDifferentiate(f"{expression} is not finite")
            return self.names["Node"](value)
        if isinstance(expression, sympy.Add | sympy.Mul):
            combine = self.names["add" if isinstance(expression, sympy.Add) else "multiply"]
            first, *others = [self._node(argument, leaves) for argument in expression.args]
            for other in others:
                first = combine(first, other)
            return first
        if isinstance(expression, sympy.Pow):
            return self._power(expression, leaves)
        name = FUNCTIONS.get(expression.func)
        if name not in self.names or len(expression.args) != 1:
            raise CannotDifferentiate(f"the engine has no {expression.func.__name__}")
        return self.names[name](self._node(expression.args[0], leaves))

    def _power(self, power: sympy.Pow, leaves: dict) -> object:
        """Write a power as products, as a quotient, or with the logarithm."""
        base, exponent = power.as_base_exp()
        if exponent.is_Integer and 0 < abs(exponent) <= LARGEST_POWER:
            node = product = self._node(base, leaves)
            for _ in range(abs(int(exponent)) - 1):
                product = self.names["multiply"](product, node)
            return product if exponent > 0 else self.names["divide"](self.names["Node"](1.0), product)
        logarithm = self.names["log"](self._node(base, leaves))
        return self.names["exp"](self.names["multiply"](self._node(exponent, leaves), logarithm))


def autodiff_in(pages: dict[str, Path]) -> BookAutodiff | None:
    """Read the engine from the first page that builds one.

    Parameters
    ----------
    pages : dict
        The path of each page by its name.

    Returns
    -------
    BookAutodiff or None
        None if no page has a cell named `engine-node`, or its engine lacks an operation.
    """
    for path in pages.values():
        if path.suffix != ".md" or f"name: {FIRST}\n" not in (text := path.read_text(encoding="utf-8")):
            continue
        cells = jupytext.reads(text, fmt="md:myst").cells
        named = [cell for cell in cells if str(cell.metadata.get("name", "")).startswith(PREFIX)]
        source = "\n".join(
            ast.unparse(node) for cell in named for node in ast.parse(cell.source).body if _defines(node)
        )
        names: dict = {}
        exec(compile(source, f"<{path.stem}>", "exec"), names)
        return BookAutodiff(source, names) if all(name in names for name in NEEDED) else None
    return None


def _defines(node: ast.stmt) -> bool:
    """Whether a statement defines something: a class, a function, an import, or the operators of a class."""
    if isinstance(node, ast.Assign):
        targets = [part for target in node.targets for part in getattr(target, "elts", [target])]
        return all(isinstance(part, ast.Attribute) for part in targets)
    return isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Import | ast.ImportFrom)
