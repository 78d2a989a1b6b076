"""Evaluates symbolic answers with mpmath, with a bound on the work.

An expression is a list of nodes, each made of earlier ones. A node's value is a number, a truth value, or none: at a
pole, outside a function's domain, when a number is too large to work with, and when a part that matters has no value.
The judging side then tries another point. The cost of each call to mpmath is known in advance: from the size of its
arguments, which is bounded, and from its precision, which the work counter takes into account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from mpmath import mp

#: Digits computed beyond those requested. Rounding errors are smaller than this.
GUARD_DIGITS = 20
#: Maximum binary orders of magnitude of a number. No notebook's probability or likelihood is that far from 1.
MAX_MAGNITUDE = 1_000_000
#: Maximum argument of `exp`: the result then stays within the bound above.
MAX_EXPONENT = 600_000
#: Maximum binary order of a sine's argument: it takes as many digits of pi.
MAX_TURNS = 300
#: Maximum argument of `gamma` and similar functions, and of the slow ones' complex arguments.
MAX_GAMMA, MAX_COMPLEX = 100_000, 100
#: Maximum order of `polygamma`, and branch of `LambertW`.
MAX_ORDER, MAX_BRANCH = 6, 100
#: Maximum work of one evaluation, and of all evaluations of one answer, in units of some 20 to 50 microseconds.
MAX_WORK, MAX_WORK_OF_ALL = 10_000, 60_000


class NoValueError(Exception):
    """There is no value here."""


class TooMuchWorkError(Exception):
    """The evaluation would take too long."""


class Function(NamedTuple):
    """A function of one or more numbers.

    Attributes
    ----------
    least, most : int
        How many arguments it has.
    value : callable
        Given numbers, returns a number; raises if there is none.
    special : bool
        Whether it costs a hundred times as much as a logarithm.
    """

    least: int
    most: int
    value: Callable[..., Any]
    special: bool = False


# ---- numbers


def _magnitude(number: Any) -> int:
    """Return the binary order of a number: 1 for 1, 11 for 1000."""
    if isinstance(number, mp.mpc):
        return max(_magnitude(number.real), _magnitude(number.imag))
    _, mantissa, exponent, bits = number._mpf_
    return exponent + bits if mantissa else -MAX_MAGNITUDE


def _real(number: Any) -> Any:
    if isinstance(number, mp.mpc):
        raise NoValueError
    return number


def _within(number: Any, bound: float) -> Any:
    """Return the number if it does not exceed the bound."""
    if _magnitude(number) > 60 or abs(number) > bound:
        raise NoValueError
    return number


def _finite(number: Any) -> bool:
    parts = (number.real, number.imag) if isinstance(number, mp.mpc) else (number,)
    return all(mp.isfinite(part) for part in parts)


def _integer(number: Any, least: int, most: int) -> int:
    if _real(number) != mp.floor(number) or not least <= number <= most:
        raise NoValueError
    return int(number)


def _tidy(number: Any, noise: Any) -> Any:
    """Drop a part of a complex number that is only rounding error: it must not decide the side of a branch cut."""
    if not isinstance(number, mp.mpc):
        return number
    real, imaginary = abs(number.real), abs(number.imag)
    if imaginary <= noise * real:
        return number.real
    return mp.mpc(0, number.imag) if real <= noise * imaginary else number


def _nearly(left: Any, right: Any) -> bool:
    """Whether two numbers differ only by rounding."""
    if not (_finite(left) and _finite(right)):
        return left == right
    return abs(left - right) <= _noise() * max(1, abs(left), abs(right))


def _noise() -> Any:
    return mp.mpf(10) ** (GUARD_DIGITS // 2 - mp.dps)


# ---- functions


def _power(base: Any, exponent: Any) -> Any:
    if base == 0:
        if isinstance(exponent, mp.mpc) or exponent < 0:
            raise NoValueError
        return mp.mpf(exponent == 0)
    if exponent == 0 or base == 1:
        return mp.mpf(1)
    if not (_finite(base) and _finite(exponent)):
        raise NoValueError
    if _magnitude(exponent) > 60:
        raise NoValueError
    with mp.workprec(20):
        _within(abs(exponent) * mp.log(abs(base)), MAX_EXPONENT)
    if exponent == mp.mpf(1) / 2:
        return mp.sqrt(base)
    return mp.power(base, exponent)


def _exp(x: Any) -> Any:
    return mp.exp(x if not _finite(x) else _within(x, MAX_EXPONENT))


def _log(x: Any, base: Any = None) -> Any:
    if x == 0:
        raise NoValueError
    return mp.log(x) if base is None else mp.log(x) / _log(base)


def _periodic(function: Callable) -> Callable:
    def value(x: Any) -> Any:
        imaginary = x.imag if isinstance(x, mp.mpc) else 0
        if not _finite(x) or _magnitude(x) > MAX_TURNS or abs(imaginary) > MAX_EXPONENT:
            raise NoValueError
        return function(x)

    return value


def _hyperbolic(function: Callable) -> Callable:
    return lambda x: function(x if not _finite(x) and _real(x) is x else _within(x, MAX_EXPONENT))


def _slow(function: Callable, order: bool = False) -> Callable:
    """Guard a function that is slow to evaluate."""

    def value(*args: Any) -> Any:
        first, *rest = args
        if order:  # the order comes first
            first = _integer(first, 0, MAX_ORDER)
        for arg in rest if order else args:
            _within(arg, MAX_COMPLEX if isinstance(arg, mp.mpc) else MAX_GAMMA)
        return function(first, *rest)

    return value


def _floor(x: Any) -> Any:
    if isinstance(x, mp.mpc):
        return mp.mpc(_floor(x.real), _floor(x.imag))
    nearest = mp.nint(x)
    return nearest if _nearly(x, nearest) else mp.floor(x)


def _sign(x: Any) -> Any:
    if isinstance(x, mp.mpc):
        return x / abs(x)
    return mp.mpf((x > 0) - (x < 0))


def _lambert(x: Any, branch: Any = 0) -> Any:
    return mp.lambertw(_within(x, mp.mpf(2) ** 59), _integer(mp.mpf(branch), -MAX_BRANCH, MAX_BRANCH))


def _of(name: str) -> Callable:
    return lambda *args: getattr(mp, name)(*args)


def _plain(name: str) -> Function:
    return Function(1, 1, _of(name))


#: The functions that an answer may use, by their names in SymPy.
FUNCTIONS: dict[str, Function] = {
    "Add": Function(1, 10_000, lambda *args: mp.fsum(args)),
    "Mul": Function(1, 10_000, lambda *args: mp.fprod(args)),
    "Pow": Function(2, 2, _power),
    "exp": Function(1, 1, _exp),
    "log": Function(1, 2, _log),
    **{name: Function(1, 1, _periodic(_of(name))) for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinc")},
    **{name: _plain(name) for name in ("asin", "acos", "atan", "acot", "asec", "acsc")},
    "atan2": Function(2, 2, lambda y, x: mp.atan2(_real(y), _real(x))),
    **{name: Function(1, 1, _hyperbolic(_of(name))) for name in ("sinh", "cosh", "tanh", "coth", "sech", "csch")},
    **{name: _plain(name) for name in ("asinh", "acosh", "atanh", "acoth", "asech", "acsch")},
    "Abs": Function(1, 1, abs),
    "sign": Function(1, 1, _sign),
    "Max": Function(1, 10_000, lambda *args: max(map(_real, args))),
    "Min": Function(1, 10_000, lambda *args: min(map(_real, args))),
    "floor": Function(1, 1, _floor),
    "ceiling": Function(1, 1, lambda x: -_floor(-x)),
    "frac": Function(1, 1, lambda x: x - _floor(x)),
    "Mod": Function(2, 2, lambda x, y: x - y * _floor(x / _real(y))),
    "Heaviside": Function(2, 2, lambda x, h: h if _nearly(x, mp.mpf(0)) else mp.mpf(_real(x) > 0)),
    "re": Function(1, 1, lambda x: x.real),
    "im": Function(1, 1, lambda x: x.imag),
    "conjugate": Function(1, 1, mp.conj),
    "arg": Function(1, 1, mp.arg),
    "gamma": Function(1, 1, _slow(_of("gamma")), True),
    "loggamma": Function(1, 1, _slow(_of("loggamma")), True),
    "digamma": Function(1, 1, _slow(_of("digamma")), True),
    "polygamma": Function(2, 2, _slow(_of("psi"), order=True), True),
    "factorial": Function(1, 1, _slow(_of("factorial")), True),
    "binomial": Function(2, 2, _slow(_of("binomial")), True),
    "beta": Function(2, 2, _slow(_of("beta")), True),
    "erf": Function(1, 1, _slow(_of("erf")), True),
    "erfc": Function(1, 1, _slow(_of("erfc")), True),
    "LambertW": Function(1, 2, _lambert, True),
}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "pi": lambda: +mp.pi,
    "E": lambda: +mp.e,
    "I": lambda: mp.mpc(0, 1),
    "EulerGamma": lambda: +mp.euler,
    "GoldenRatio": lambda: +mp.phi,
    "Catalan": lambda: +mp.catalan,
    "oo": lambda: mp.inf,
    "-oo": lambda: mp.ninf,
    "true": lambda: True,
    "false": lambda: False,
}


# ---- conditions


def _related(name: str, left: Any, right: Any) -> bool:
    same = _nearly(left, right)
    if name in ("Eq", "Ne"):
        return same == (name == "Eq")
    left, right = _real(left), _real(right)
    if name in ("Le", "Ge") and same:
        return True
    return not same and (left < right if name in ("Lt", "Le") else left > right)


def _connected(name: str, parts: Sequence[bool | None]) -> bool:
    decisive = {"And": False, "Or": True}.get(name)
    if decisive is not None and decisive in parts:
        return decisive
    if None in parts:
        raise NoValueError
    return not parts[0] if name == "Not" else not decisive


# ---- evaluation


class Evaluation:
    """Evaluates the nodes of one answer and counts the work of all evaluations.

    Parameters
    ----------
    nodes : sequence of sequence
        Nodes that `expressions.decode` accepts; the last one is the answer.
    """

    def __init__(self, nodes: Sequence[Sequence]):
        self.nodes, self.done = nodes, 0.0

    def value(self, point: Mapping[str, Any], digits: int) -> Any:
        """Return the value at a point.

        Parameters
        ----------
        point : mapping of str to int or Fraction
            The value of each symbol.
        digits : int
            How many digits to compute, apart from cancellation.

        Returns
        -------
        mpmath.mpf or mpmath.mpc or bool or None
            None if there is no finite value.

        Raises
        ------
        TooMuchWorkError
            The evaluation takes too long.
        """
        with mp.workdps(digits + GUARD_DIGITS):
            noise = _noise()
            # mpmath's multiplication is quadratic in the digits; its slow functions are a little worse.
            factor, slow_factor = 1 + (mp.dps / 300) ** 2, (max(60, mp.dps) / 60) ** 2.6
            values: list[Any] = []
            work = 0.0
            for node in self.nodes:
                function = FUNCTIONS.get(node[0])
                if function is not None:
                    args = [values[index] for index in node[1:]]
                    cost = 5 if any(isinstance(arg, mp.mpc) for arg in args) else 1
                    work += (30 * cost * slow_factor if function.special else cost * factor) + 0.1 * len(args)
                    if work > MAX_WORK or self.done + work > MAX_WORK_OF_ALL:
                        self.done = MAX_WORK_OF_ALL  # do not try again
                        raise TooMuchWorkError
                values.append(self._node(node, values, point, noise))
            self.done += work
            result = values[-1]
        if result is None or isinstance(result, bool):
            return result
        return result if _finite(result) else None

    def _node(self, node: Sequence, values: list, point: Mapping[str, Any], noise: Any) -> Any:
        try:
            value = _tidy(self._computed(node[0], node[1:], values, point), noise)
            if value is None or isinstance(value, bool):
                return value
            unusable = mp.isnan(value) or (_finite(value) and abs(_magnitude(value)) > MAX_MAGNITUDE)
            return None if unusable else value
        except Exception:  # a pole, the end of a domain, a series that does not converge: whatever mpmath raises
            return None

    @staticmethod
    def _computed(name: str, content: Sequence, values: list, point: Mapping[str, Any]) -> Any:
        if name in ("outside", "too long"):
            raise NoValueError
        if name == "integer":
            return mp.mpf(int(content[0]))
        if name == "rational":
            return mp.mpf(int(content[0])) / int(content[1])
        if name == "float":
            return mp.ldexp(mp.mpf(int(content[0])), content[1])
        if name == "symbol":
            number = Fraction(point[content[0]])
            return mp.mpf(number.numerator) / number.denominator
        if name == "constant":
            return _CONSTANTS[content[0]]()
        args = [values[index] for index in content]
        if name == "Piecewise":
            for value, condition in zip(args[::2], args[1::2], strict=True):
                if condition or condition is None:
                    return value if condition else None
            return None
        if name in ("And", "Or", "Not"):
            return _connected(name, args)
        if None in args:
            raise NoValueError
        if name in ("Eq", "Ne", "Lt", "Le", "Gt", "Ge"):
            return _related(name, *args)
        return FUNCTIONS[name].value(*args)
