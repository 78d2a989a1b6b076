"""Check a result up to four times: symbolically, numerically, and twice by automatic differentiation.

The symbolic check is the cell itself, run alone. The others take the function and the claim that the cell defines, and
do not use SymPy's differentiation: automatic differentiation uses autograd and, where possible, the book's engine.
"""

import ast
import functools
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import autograd
import autograd.numpy
import mpmath
import numpy
import sympy

from book.extensions.ledger.book_autodiff import BookAutodiff, CannotDifferentiate
from book.extensions.ledger.check_cells import Check, CheckError, claim_statement

# Two different analytic functions agree at none of them; a claim wrong on a quarter of the domain only (say, one branch
# of a Piecewise) slips through all twenty in 3 cases of 1,000.
POINTS = 20
DIGITS = 50  # of the finite differences and of both sides of an identity
# Truncation is 1e-24 times the third derivative, rounding 1e-50 / 1e-24 in a second difference.
STEP = mpmath.mpf(10) ** -12
TOLERANCE_PRECISE = 1e-12  # leaves room for domains that come close to a pole
TOLERANCE_DOUBLE = 1e-9  # automatic differentiation runs in double precision

SYMBOLIC, NUMERIC, AUTOMATIC, BOOK = "symbolic", "numeric", "automatic", "book"
# lambdify translates Max and Min to these two, which in autograd.numpy are reductions over an array.
PAIRWISE = {
    "max": lambda *values: functools.reduce(autograd.numpy.maximum, values),
    "min": lambda *values: functools.reduce(autograd.numpy.minimum, values),
}
PACKAGES = ("sympy", "mpmath", "autograd", "numpy")


@dataclass(frozen=True)
class Verdict:
    """The outcome of one of the checks of a result.

    Attributes
    ----------
    method : str
        "symbolic", "numeric", "automatic" or "book".
    passed : bool
        Whether function and claim agree.
    error : float or None
        The largest |claimed - measured| / max(1, |claimed|) at the random points; None for the symbolic check.
    detail : str
        What disagrees, if it failed.
    """

    method: str
    passed: bool
    error: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class Result:
    """A check and its verdicts: two for an identity, three for anything else, and one more if the book's engine can."""

    check: Check
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether every check of the result passed."""
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def failures(self) -> list[str]:
        """One sentence for each check that failed."""
        return [f"{self.check.where}: {verdict.detail}" for verdict in self.verdicts if not verdict.passed]


@dataclass(frozen=True)
class Statement:
    """What a check cell defines, in one shape: lists of entries, row by row.

    Attributes
    ----------
    function, claim : list of sympy.Expr
        Entries of the function, and of the claim.
    columns : int
        Number of columns of the claim, to name an entry.
    variables : list of sympy.Symbol
        The variables of differentiation.
    symbols : list of sympy.Symbol
        The variables, then every other free symbol.
    intervals : list of (float, float)
        The domain of each of `symbols`.
    """

    function: list[sympy.Expr]
    claim: list[sympy.Expr]
    columns: int
    variables: list[sympy.Symbol]
    symbols: list[sympy.Symbol]
    intervals: list[tuple[float, float]]


def run_alone(check: Check, change_claim: Callable[[object], object] | None = None) -> dict[str, object]:
    """Run a check cell in a fresh namespace.

    Parameters
    ----------
    check : Check
        The check.
    change_claim : callable, optional
        Applied to the claim as soon as the cell has assigned it; the tests plant errors with it.

    Returns
    -------
    dict
        The namespace after the last statement.

    Raises
    ------
    AssertionError
        If the cell's assertion fails.
    CheckError
        If the cell ends with any other error.
    """
    tree = ast.parse(check.source)
    namespace: dict[str, object] = {"__name__": "__main__"}
    if change_claim is not None:
        namespace["__change_claim__"] = change_claim
        change = ast.parse(f"{check.claim} = __change_claim__({check.claim})").body[0]
        tree.body.insert(claim_statement(check) + 1, change)
    try:
        exec(compile(tree, f"<{check.where}>", "exec"), namespace)
    except AssertionError:
        raise
    except NameError as error:
        raise CheckError(
            f"{check.where}: {error}; a check cell defines everything it mentions, so that it can run alone."
        ) from error
    except Exception as error:
        raise CheckError(f"{check.where}: the cell ends with {type(error).__name__}: {error}") from error
    return namespace


def _entries(value: object) -> tuple[list[sympy.Expr], tuple[int, int]]:
    """Flatten an expression, a list or a matrix, row by row."""
    if isinstance(value, sympy.MatrixBase):
        return list(value), value.shape
    if isinstance(value, (list, tuple, sympy.Tuple)):
        if value and all(isinstance(row, (list, tuple, sympy.Tuple)) for row in value):
            return _entries(sympy.Matrix([list(row) for row in value]))
        return [sympy.sympify(entry) for entry in value], (len(value), 1)
    return [sympy.sympify(value)], (1, 1)


def statement_of(check: Check, namespace: dict[str, object]) -> Statement:
    """Read function, claim, variables and domain from the namespace of a check cell.

    Parameters
    ----------
    check : Check
        The check.
    namespace : dict
        What its cell defined.

    Returns
    -------
    Statement
        Function and claim as lists of expressions.

    Raises
    ------
    CheckError
        If a name is missing, the shapes do not fit the kind, or a free symbol has no domain.
    """

    def named(name: str) -> object:
        if name not in namespace:
            raise CheckError(f"{check.where}: the metadata names `{name}`, which the cell does not define.")
        return namespace[name]

    def symbols_of(name: str) -> list[sympy.Symbol]:
        symbols, _ = _entries(named(name))
        if not all(isinstance(symbol, sympy.Symbol) for symbol in symbols):
            raise CheckError(f"{check.where}: the variable `{name}` is neither a symbol nor a tuple of symbols.")
        return symbols

    function, function_shape = _entries(named(check.function))
    claim, claim_shape = _entries(named(check.claim))
    variables = [symbol for name in check.variables for symbol in symbols_of(name)]
    _require_shape(check, function_shape, claim_shape, len(variables))

    free = set().union(*(entry.free_symbols for entry in function + claim))
    symbols = variables + sorted(free - set(variables), key=lambda symbol: symbol.name)
    intervals: dict[sympy.Symbol, tuple[float, float]] = {}
    for name, low, high in check.domain:
        matching = symbols_of(name) if name in namespace else [s for s in symbols if s.name == name]
        if not set(matching) & set(symbols):
            raise CheckError(f"{check.where}: the domain names `{name}`, which neither function nor claim contains.")
        intervals.update(dict.fromkeys(matching, (low, high)))
    for symbol in symbols:
        if symbol not in intervals:
            raise CheckError(f"{check.where}: the domain has no interval for `{symbol}`.")
    return Statement(function, claim, claim_shape[1], variables, symbols, [intervals[symbol] for symbol in symbols])


def _require_shape(check: Check, function: tuple[int, int], claim: tuple[int, int], variables: int) -> None:
    """Refuse a claim whose shape is not that of a derivative of this kind."""
    outputs = function[0] * function[1]
    expected = {
        "derivative": (1, 1),
        "gradient": (variables, 1),
        "jacobian": (outputs, variables),
        "hessian": (variables, variables),
        "identity": function,
    }[check.kind]
    if check.kind == "derivative" and variables != 1:
        raise CheckError(
            f"{check.where}: a derivative has one variable, but there are {variables} here; a gradient may have several."
        )
    if check.kind in ("derivative", "gradient", "hessian") and outputs != 1:
        raise CheckError(
            f"{check.where}: the function of a {check.kind} is one expression, but there are {outputs} here."
        )
    if claim != expected and not (check.kind == "gradient" and claim == expected[::-1]):
        raise CheckError(
            f"{check.where}: a {check.kind} of this function has shape {expected}, but the claim has shape {claim}."
        )


def random_points(check: Check, statement: Statement) -> list[list[float]]:
    """Draw the points of the domain at which a result is checked; the same ones in every build.

    Parameters
    ----------
    check : Check
        The check, whose label is the seed.
    statement : Statement
        Its symbols and intervals.

    Returns
    -------
    list of list of float
        `POINTS` points, one coordinate per symbol; whole numbers for integer symbols.
    """
    source = random.Random(check.result)
    return [
        [
            source.randint(round(low), round(high)) if symbol.is_integer else source.uniform(low, high)
            for symbol, (low, high) in zip(statement.symbols, statement.intervals, strict=True)
        ]
        for _ in range(POINTS)
    ]


def _compare(
    check: Check,
    statement: Statement,
    method: str,
    what: str,
    tolerance: float,
    measured: Callable[[list[float]], list],
    claimed: Callable[[list[float]], list],
) -> Verdict:
    """Compare what a method measures (and calls `what`) with the claim at the random points."""
    largest = 0.0
    for point in random_points(check, statement):
        for place, (expected, found) in enumerate(zip(claimed(point), measured(point), strict=True)):
            error = float(abs(expected - found) / max(1, abs(expected)))
            if not error <= tolerance:  # a nan has to fail too
                at = ", ".join(f"{s} = {x:.6g}" for s, x in zip(statement.symbols, point, strict=True))
                row, column = divmod(place, statement.columns)
                entry = f"entry ({row + 1}, {column + 1}) of " if len(statement.claim) > 1 else ""
                detail = (
                    f"{entry}the claim `{check.claim}` is {_shown(expected)}, but {what} of `{check.function}` "
                    f"is {_shown(found)} at {at}."
                )
                return Verdict(method, False, error, detail)
            largest = max(largest, error)
    return Verdict(method, True, largest)


def _shown(number: object) -> str:
    return mpmath.nstr(number, 12) if isinstance(number, mpmath.mpf) else f"{number:.12g}"


def _precise(statement: Statement, entries: list[sympy.Expr]) -> Callable[..., list]:
    """Evaluate expressions with mpmath; a value that is not real becomes nan, which no comparison passes."""
    evaluate = sympy.lambdify(statement.symbols, entries, "mpmath")
    return lambda *point: [mpmath.re(value) if mpmath.im(value) == 0 else mpmath.nan for value in evaluate(*point)]


def check_numerically(check: Check, statement: Statement, autodiff: BookAutodiff | None = None) -> Verdict:
    """Compare the claim with central differences of the function; for an identity, compare both sides.

    Parameters
    ----------
    check : Check
        The check.
    statement : Statement
        Function and claim.
    autodiff : BookAutodiff, optional
        Not used.

    Returns
    -------
    Verdict
        With the largest error over all points and entries.
    """
    function, claim = _precise(statement, statement.function), _precise(statement, statement.claim)

    def moved(point: list, *steps: tuple[int, int]) -> list:
        point = [mpmath.mpf(x) for x in point]
        for index, sign in steps:
            point[index] += sign * STEP
        return function(*point)

    def first(point: list) -> list:
        columns = [
            [(a - b) / (2 * STEP) for a, b in zip(moved(point, (j, 1)), moved(point, (j, -1)), strict=True)]
            for j in range(len(statement.variables))
        ]
        return [column[i] for i in range(len(statement.function)) for column in columns]

    def second(point: list) -> list:
        def mixed(i: int, j: int) -> object:
            corners = [moved(point, (i, s), (j, t))[0] * s * t for s in (1, -1) for t in (1, -1)]
            return sum(corners) / (4 * STEP**2)

        return [mixed(i, j) for i in range(len(statement.variables)) for j in range(len(statement.variables))]

    measured = {"identity": moved, "hessian": second}.get(check.kind, first)
    what = "its value" if check.kind == "identity" else "the central difference"
    with mpmath.workdps(DIGITS):
        return _compare(
            check, statement, NUMERIC, what, TOLERANCE_PRECISE, measured, lambda point: claim(*map(mpmath.mpf, point))
        )


def check_automatically(check: Check, statement: Statement, autodiff: BookAutodiff | None = None) -> Verdict | None:
    """Compare the claim with automatic differentiation of the function in double precision.

    Parameters
    ----------
    check : Check
        The check.
    statement : Statement
        Function and claim.
    autodiff : BookAutodiff, optional
        Not used: this check uses autograd.

    Returns
    -------
    Verdict or None
        With the largest error over all points and entries; None for an identity, which has nothing to differentiate.
    """
    if check.kind == "identity":
        return None
    size = len(statement.variables)
    # The scalar printer writes Piecewise as a conditional expression, which autograd can follow.
    functions = [sympy.lambdify(statement.symbols, entry, [PAIRWISE, autograd.numpy]) for entry in statement.function]
    claim = sympy.lambdify(statement.symbols, statement.claim, "numpy")
    differentiate = autograd.hessian if check.kind == "hessian" else autograd.grad

    def measured(point: list[float]) -> list[float]:
        inside = autograd.numpy.array(point[:size], dtype=float)
        outside = point[size:]
        values: list[float] = []
        for function in functions:
            # Adding zero times the input keeps constants differentiable.
            def of_vector(x: object, function: Callable = function) -> object:
                return function(*(x[i] for i in range(size)), *outside) + 0.0 * autograd.numpy.sum(x)

            with numpy.errstate(all="ignore"):  # a nan is reported with the point where it arises
                values.extend(float(value) for value in differentiate(of_vector)(inside).ravel())
        return values

    return _compare(
        check, statement, AUTOMATIC, "automatic differentiation", TOLERANCE_DOUBLE, measured,
        lambda point: [float(x) for x in claim(*point)],
    )  # fmt: skip


def check_by_book_autodiff(check: Check, statement: Statement, autodiff: BookAutodiff | None) -> Verdict | None:
    """Compare the claim with the result of the book's engine, in double precision.

    Parameters
    ----------
    check : Check
        The check.
    statement : Statement
        Function and claim.
    autodiff : BookAutodiff or None
        The engine, if the book builds one.

    Returns
    -------
    Verdict or None
        With the largest error over all points and entries; None if there is no engine, if it lacks an operation, or for
        an identity or second derivatives, which it does not compute.
    """
    if autodiff is None or check.kind in ("identity", "hessian"):
        return None
    claim = sympy.lambdify(statement.symbols, statement.claim, "numpy")

    def measured(point: list[float]) -> list[float]:
        values = dict(zip(statement.symbols, point, strict=True))
        return [
            slope
            for function in statement.function
            for slope in autodiff.gradient(function, statement.variables, values)
        ]

    try:
        return _compare(
            check, statement, BOOK, "the book's own derivative", TOLERANCE_DOUBLE, measured,
            lambda point: [float(x) for x in claim(*point)],
        )  # fmt: skip
    except CannotDifferentiate:
        return None


@dataclass(frozen=True)
class Method:
    """A way to check a result at random points.

    Attributes
    ----------
    name : str
        The name of its verdicts.
    column : str
        The heading of its column in the ledger.
    run : callable
        Takes a check, its statement and the book's automatic differentiation (or None). Returns a verdict, or None if
        the method does not apply.
    """

    name: str
    column: str
    run: Callable[[Check, Statement, BookAutodiff | None], Verdict | None]


# Each entry is a check of every result that it applies to and a column of the ledger, and is tried on planted errors.
METHODS = (
    Method(NUMERIC, "Finite differences", check_numerically),
    Method(AUTOMATIC, "Automatic differentiation", check_automatically),
    Method(BOOK, "The book’s engine", check_by_book_autodiff),
)


def verify(check: Check, autodiff: BookAutodiff | None = None) -> Result:
    """Check one result in every way that applies to it.

    Parameters
    ----------
    check : Check
        The check.
    autodiff : BookAutodiff, optional
        The engine of the book, for one more check.

    Returns
    -------
    Result
        The verdicts, symbolic first. If the cell's own assertion fails, it is the only one.

    Raises
    ------
    CheckError
        If the cell cannot be run or does not define what its metadata names.
    """
    try:
        statement = statement_of(check, run_alone(check))
    except AssertionError:
        detail = f"the cell's own assertion fails: `{check.claim}` is not the {check.kind} of `{check.function}`."
        if check.kind == "identity":
            detail = f"the cell's own assertion fails: `{check.function}` and `{check.claim}` differ."
        return Result(check, (Verdict(SYMBOLIC, False, None, detail),))
    verdicts = [Verdict(SYMBOLIC, True)]
    for method in METHODS:
        try:
            verdict = method.run(check, statement, autodiff)
        except Exception as error:
            raise CheckError(
                f"{check.where}: the {method.name} check cannot evaluate it, {type(error).__name__}: {error}"
            ) from error
        if verdict is not None:
            verdicts.append(verdict)
    return Result(check, tuple(verdicts))


def cache_key(check: Check, autodiff: BookAutodiff | None = None) -> str:
    """Return a digest of what the verdicts on a check depend on: the cell, our code, the book's engine, packages."""
    digest = hashlib.sha256(repr(sorted(asdict(check).items())).encode())
    digest.update(autodiff.source.encode() if autodiff else b"")
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    digest.update(" ".join(f"{name} {version(name)}" for name in PACKAGES).encode())
    return digest.hexdigest()


def verify_all(checks: list[Check], cache: Path | None = None, autodiff: BookAutodiff | None = None) -> list[Result]:
    """Check every result, reusing verdicts on cells that did not change.

    Parameters
    ----------
    checks : list of Check
        The checks.
    cache : Path, optional
        A JSON file with the verdicts of an earlier run; it is rewritten if they have changed.
    autodiff : BookAutodiff, optional
        The engine of the book.

    Returns
    -------
    list of Result
        In the order of `checks`.

    Raises
    ------
    CheckError
        As in `verify`.
    """
    try:
        known = json.loads(cache.read_text()) if cache else {}
    except (OSError, ValueError):  # none yet, or half written by a killed build
        known = {}
    results, kept = [], {}
    for check in checks:
        key = cache_key(check, autodiff)
        if key in known:
            result = Result(check, tuple(Verdict(**verdict) for verdict in known[key]))
        else:
            result = verify(check, autodiff)
        if result.passed:
            kept[key] = [asdict(verdict) for verdict in result.verdicts]
        results.append(result)
    if cache and kept != known:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(json.dumps(kept))
    return results
