"""How the test cells of a problem set judge an answer and word their messages.

You need not read this cell, but run it once: the test cells below use it.
"""


def _check_number(value, digits=6):
    """Write a number shortly: `1` for 1.0, `0.693147`, `inf`, `nan`, `-0.0`."""
    value = float(value)
    return "-0.0" if value == 0 and str(value).startswith("-") else f"{value:.{digits}g}"


def _check_two_numbers(received, expected):
    """Write two numbers with as many digits as it takes to tell them apart."""
    for digits in (6, 9, 12, 17):
        pair = _check_number(received, digits), _check_number(expected, digits)
        if pair[0] != pair[1]:
            break
    return pair


def _check_show(value, limit=60):
    """Write an argument or a result on one short line."""
    import numpy as np

    if isinstance(value, np.ndarray | list | tuple):
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            array = None
        if array is None:
            text = repr(value)
        elif array.size <= 12 and np.asarray(value).dtype.kind == "b":
            text = repr(np.asarray(value).tolist())
        elif array.size > 12:
            text = f"an array of shape {array.shape}"
        else:
            text = _check_nested(array.tolist())
    elif isinstance(value, dict) and value and all(isinstance(entry, np.ndarray) for entry in value.values()):
        text = "{" + ", ".join(f"{key}: shape {entry.shape}" for key, entry in value.items()) + "}"
    elif isinstance(value, bool | str | bytes):
        text = repr(value)
    elif callable(value) and isinstance(getattr(value, "__name__", None), str):
        text = value.__name__
    else:
        try:
            text = _check_number(value, 9)
        except (TypeError, ValueError, OverflowError):
            text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _check_typed(value):
    """Write a result with its type."""
    kind = type(value).__name__
    return f"{_check_show(value)} (type {f'{kind} of {value.dtype}' if kind == 'ndarray' else kind})"


def _check_nested(value):
    """Write nested lists of numbers shortly."""
    if isinstance(value, list):
        return "[" + ", ".join(_check_nested(item) for item in value) + "]"
    return _check_number(value, 9)


def _check_floats(value):
    """Return a number, or lists or arrays of real numbers, as an array of floats; None if it is something else."""
    import numbers

    import numpy as np

    try:
        array = np.asarray(value)
        if array.dtype == object:  # fractions, or Python integers beyond 64 bits
            real = all(isinstance(item, numbers.Real) and not isinstance(item, bool) for item in array.flat)
            return array.astype(float) if real else None
        return array.astype(float) if array.dtype.kind in "iuf" else None
    except (TypeError, ValueError, OverflowError):
        return None


class Undecided(Exception):  # noqa: N818 (it is no error of anybody)
    """A test can neither give nor refuse its points: a person has to look at the answer."""

    awaits_hand = True


class Check:
    """Judge the values that one function of a problem set returns.

    The order is always: attempted, raises nothing, returns something, type, shape, value. A visible check says what was
    received and what was expected; a hidden one says only which idea to look at again.

    Parameters
    ----------
    function : callable
        The function to judge.
    name : str
        Its name, for messages.
    idea : str
        The idea to look at again when a check fails, as the end of a sentence.
    where : str
        Where that idea is explained: chapter and section.
    hidden : bool, default False
        Whether messages must not tell arguments, received or expected values.
    """

    def __init__(self, function, name, idea, where, *, hidden=False):
        self.function = function
        self.name = name
        self.idea = idea
        self.where = where
        self.hidden = hidden
        self._reported = set()

    def gives(self, expected, *args, **kwargs):
        """Fail unless the call gives the shape and the values of `expected` (rtol 1e-9, atol 1e-12)."""
        self._compare(expected, args, kwargs)

    def gives_exactly(self, expected, *args, **kwargs):
        """Fail unless the values are equal, with no tolerance."""
        self._compare(expected, args, kwargs, tolerance=False)

    def gives_no_minus_zero(self, expected, *args, **kwargs):
        """Fail unless the values are right, and every zero is 0.0 and not -0.0."""
        import numpy as np

        received = self._compare(expected, args, kwargs)
        if np.any((received == 0) & np.signbit(received)):
            self._fail(f"{self._call_text(args, kwargs)} returned -0.0", "0.0, without the minus sign")

    def gives_integers(self, expected, *args, **kwargs):
        """Fail unless the values are right and of an integer type."""
        import numpy as np

        value, _ = self._value(args, kwargs)
        self._compare(expected, args, kwargs, value=value)
        if np.asarray(value).dtype.kind not in "iuO":
            kind = np.asarray(value).dtype
            self._fail(f"{self._call_text(args, kwargs)} returned numbers of type {kind}", "integers, of type int")

    def gives_between(self, low, high, *args, **kwargs):
        """Fail unless the result has the shape of `low` and lies between `low` and `high`, both included."""
        import numpy as np

        low, high = np.array(low, dtype=float), np.array(high, dtype=float)
        _, received = self._value(args, kwargs)
        call = self._call_text(args, kwargs)
        self._same_shape(call, received, low)
        right = (received >= low) & (received <= high)  # nan is neither
        if not np.all(right):
            place = tuple(int(i) for i in np.argwhere(~right)[0]) if received.ndim else ()
            got, least, most = (_check_number(a[place], 9) for a in (received, low, high))
            wanted = f"a number from {least} to {most}" if most != "inf" else f"never less than {least}, and never nan"
            self._fail(f"{call} returned {got}{self._place_text(place)}", wanted)

    def accepts(self, *args, **kwargs):
        """Fail unless the call returns a number or numbers, whatever they are."""
        self._value(args, kwargs)

    def gives_entries(self, expected, *args, **kwargs):
        """Fail unless the call gives a dictionary with at least these keys, and the right shape and values under each."""
        call, value, given = self._result(args, kwargs)
        keys = ", ".join(repr(key) for key in expected)
        if not isinstance(value, dict):
            self._fail(f"{call} returned {_check_typed(value)}", f"a dict with the keys {keys}")
        for key, right in expected.items():
            if key not in value:
                found = ", ".join(repr(key) for key in value) or "no keys"
                self._fail(f"{call} returned a dict with {found}", f"the keys {keys}")
            self._compare_part(f"{call}[{key!r}]", value[key], right)
        self._report(call, given)

    def gives_entries_of_shape(self, shapes, *args, **kwargs):
        """Fail unless the call gives a dictionary with arrays of these shapes; return them, as arrays of floats.

        None stands for any shape.
        """
        import numpy as np

        call, value, given = self._result(args, kwargs)
        keys = ", ".join(repr(key) for key in shapes)
        if not isinstance(value, dict) or any(key not in value for key in shapes):
            self._fail(f"{call} returned {_check_typed(value)}", f"a dict with the keys {keys}")
        arrays = {}
        for key, shape in shapes.items():
            entry, arrays[key] = f"{call}[{key!r}]", _check_floats(value[key])
            if arrays[key] is None or not np.all(np.isfinite(arrays[key])):
                self._fail(f"{entry} is {_check_typed(value[key])}", "a finite number, or an array of finite numbers")
            if shape is not None:
                self._same_shape(entry, arrays[key], np.empty(shape), verb="is")
        self._report(call, given)
        return arrays

    def gives_silently(self, expected, *args, **kwargs):
        """Fail unless the call gives the shape and the values of `expected`, and no warning: for text that asks for silence."""
        _, error, given = self._call(args, kwargs)
        if given and error is None:
            text = f"{given[0].category.__name__}: {str(given[0].message)[:80]}"
            self._fail(f"{self._call_text(args, kwargs)} gave {text}", "no warning")
        self._compare(expected, args, kwargs)

    def gives_bool(self, expected, *args, **kwargs):
        """Fail unless the call returns the truth value `expected`: True or False, of Python or of NumPy."""
        import numpy as np

        call, value, _ = self._result(args, kwargs, wanted=repr(expected))
        if not isinstance(value, bool | np.bool_):
            self._fail(f"{call} returned {_check_typed(value)}", "True or False")
        if bool(value) != expected:
            self._fail(f"{call} returned {bool(value)}", repr(expected))

    def gives_parts(self, expected, *args, **kwargs):
        """Fail unless the call gives a tuple or list of these parts, by name and in this order; None stands for any value."""
        call, value, given = self._result(args, kwargs)
        names = f"{len(expected)} parts, ({', '.join(expected)})"
        if not isinstance(value, tuple | list):
            self._fail(f"{call} returned {_check_typed(value)}", names)
        if len(value) != len(expected):
            self._fail(f"{call} returned {len(value)} parts", names)
        for part, (name, right) in zip(value, expected.items(), strict=True):
            if right is not None:
                self._compare_part(f"{call}: {name}", part, right)
        self._report(call, given)

    def refuses(self, *args, **kwargs):
        """Fail unless the call raises ValueError."""
        value, error, _ = self._call(args, kwargs)
        call = self._call_text(args, kwargs)
        self._attempted(error)
        if error is None:
            self._fail(f"{call} returned {_check_show(value)}", "a ValueError: this input is not valid")
        if not isinstance(error, ValueError):
            self._fail(f"{call} raised {self._error_text(error)}", "a ValueError: this input is not valid")

    def steps_do_not_grow(self, few, many, expected=None, most=20):
        """Fail if the call with `many` samples takes more Python lines and calls than the one with `few`.

        Parameters
        ----------
        few, many : tuple
            Arguments of the two calls.
        expected : array_like, optional
            What the call with `many` samples gives: else a function that knows when it is counted could do without the work.
        most : int, default 20
            How many more steps are no sign of a loop over samples.

        Raises
        ------
        Undecided
            The notebook is graded, and its code kept its steps from being counted.
        """
        import numpy as np

        (_, fewer, first), (value, more, second) = (self._count_steps(args) for args in (few, many))
        # A loop takes at least a step a sample; steps that are wasted on few samples do not hide it.
        samples = max(len(a) for a in many if np.ndim(a))
        if more > min(fewer + most, samples - 1):
            shapes = " and ".join(self._call_text(args, {}) for args in (few, many))
            self._fail(
                f"{shapes} took {fewer} and {more} lines and calls of Python",
                "no more for many samples than for few: let NumPy loop over the samples. A function of Python that "
                "map, np.vectorize, np.apply_along_axis or reduce calls for each sample counts as a loop",
            )
        if expected is not None:
            self._same_results(value, expected, many)
        if first and second:
            return
        text = (
            f"The steps of {self.name} could not be counted: while it ran, another hook, thread or process was at work"
        )
        if getattr(type(self.function), "_count_steps", None) is not None:
            raise Undecided(f"{text}. A person looks at this answer.")
        print(f"Note (no points lost): {text}, a debugger perhaps. Its steps are counted when your work is graded.")

    def serves(self, expected, *args):
        """Fail unless the call with very many samples gives what is expected.

        `steps_do_not_grow` finds a loop; this one shows that many samples are served. When the notebook is graded, the
        processor time of the call is a witness beside the count, which the notebook's code could have forged.

        Raises
        ------
        Undecided
            The call took far more processor time than the reference solution, as only a loop in Python does.
        """
        measured = getattr(type(self.function), "_cpu_seconds", None)
        if measured is None:
            self._same_results(self._result(args, {})[1], expected, args)
            return
        call = self._call_text(args, {})
        value, seconds = self._quietly(measured, args)
        self._same_results(value, expected, args)
        reference = type(self.function)._reference_cpu(self.function, call)
        if reference is not None and seconds > 30 * reference and seconds > 30 * self._bare_loop(args):
            raise Undecided(
                f"The steps of {self.name} look like those of an answer without a loop, its processor time like that of one "
                "with a loop. A person looks at this answer."
            )

    @staticmethod
    def _bare_loop(args):
        """Return the processor seconds that a loop of Python over the samples takes here if it does nothing."""
        # The fastest of three. Measured, thirty such loops are 0.09 s for 200,000 samples; answers without a loop take
        # 0.04 s at most, but for a sort of pairs by np.unique with 0.13 s, and loops over the samples from 0.1 s on.
        import time

        import numpy as np

        samples = max(len(a) for a in args if np.ndim(a))
        taken = []
        for _ in range(3):
            start = time.process_time()
            for _ in range(samples):
                pass
            taken.append(time.process_time() - start)
        return min(taken)

    def _same_results(self, value, expected, args):
        """Judge a value, or the parts of one where `expected` is a tuple."""
        import numpy as np

        call = self._call_text(args, {})
        if value is None:
            raise AssertionError(f"{self.name} returned None: is a return statement missing?")
        if not isinstance(value, np.ndarray | np.generic | list | tuple | int | float):
            self._fail(f"{call} returned {_check_typed(value)}", "a number or an array")
        if isinstance(expected, tuple):
            value = dict(enumerate(value if isinstance(value, list | tuple) else [value]))
            for number, right in enumerate(expected):
                self._compare_part(f"part {number + 1} of {call}", value.get(number), right)
        else:
            self._floats(call, value)
            self._compare(expected, args, {}, value=value)

    def _count_steps(self, args):
        """Call the function; return its value, how many lines and calls of Python it took, and whether nothing disturbed the count."""
        import sys

        remote = getattr(type(self.function), "_count_steps", None)
        if remote is not None:
            return self._quietly(remote, args)
        steps = 0

        def count(frame, event, argument):
            nonlocal steps
            steps += event in ("call", "line")
            return count

        def counted(function, args):
            before = sys.gettrace()
            sys.settrace(count)
            try:
                value = function(*args)
            finally:
                intact = sys.gettrace() is count
                sys.settrace(before)
            return value, intact

        value, intact = self._quietly(counted, args)
        return value, steps, intact

    def _quietly(self, ask, args):
        """Return what `ask` gives for the function and its arguments; fail where the function raises."""
        import contextlib
        import io
        import warnings

        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                return ask(self.function, list(args))
            except Exception as error:
                self._attempted(error)
                self._fail(f"{self._call_text(args, {})} raised {self._error_text(error)}", "a result")

    def keeps_arguments(self, *args, **kwargs):
        """Fail if the call changes one of its arguments.

        The cell that uses it has the metadata `observe_arguments: true`.
        """
        import copy

        import numpy as np

        passed = copy.deepcopy(args)
        self._value(passed, kwargs, copied=True)
        for position, (before, after) in enumerate(zip(args, passed, strict=True), start=1):
            if callable(before):
                continue
            if isinstance(before, dict):  # of arrays: one array for them all, where the names have stayed
                same = isinstance(after, dict) and list(after) == list(before)
                if same and all(np.shape(after[key]) == np.shape(before[key]) for key in before):
                    before, after = (np.concatenate([np.ravel(v) for v in d.values()]) for d in (before, after))
            before, after = np.asarray(before), np.asarray(after)
            real = before.dtype.kind in "biufc" and after.dtype.kind in "biufc"  # nan in words is no question
            if not np.array_equal(before, after, equal_nan=real):
                self._fail(
                    f"{self._call_text(args, kwargs)} changed its argument number {position} to {_check_show(after)}",
                    "arguments stay as they are: work on a copy",
                )

    def _call(self, args, kwargs, copied=False):
        """Call the function, quietly; return its value, the error it raised, and the warnings it gave."""
        import contextlib
        import copy
        import io
        import sys
        import warnings

        # A function that changes its arguments must not change what the next check passes or expects.
        if not copied:
            args, kwargs = copy.deepcopy((args, kwargs))
        # What it prints is shown by a visible test, and swallowed by a hidden one, whose arguments it could show.
        # stderr goes the same way: nbgrader gives 0 to a cell that wrote there, and a warning costs no points here.
        out = io.StringIO() if self.hidden else sys.stdout
        value = error = None
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                try:
                    value = self.function(*args, **kwargs)
                except Exception as raised:
                    error = raised
        return value, error, given

    def _result(self, args, kwargs, copied=False, wanted="a result: this input is valid"):
        """Call the function; return the call's text, the value and the warnings, or fail where there is no value."""
        # The call's text comes first: with `copied`, the function may change these very arguments.
        call = self._call_text(args, kwargs)
        value, error, given = self._call(args, kwargs, copied)
        self._attempted(error)
        if error is not None:
            self._fail(f"{call} raised {self._error_text(error)}", wanted)
        if value is None:
            raise AssertionError(f"{self.name} returned None: is a return statement missing?")
        return call, value, given

    def _value(self, args, kwargs, copied=False):
        """Call the function; return its value as it is and as an array of floats, or fail."""
        call, value, given = self._result(args, kwargs, copied)
        array = self._floats(call, value)
        self._report(call, given)
        return value, array

    def _compare(self, expected, args, kwargs, tolerance=True, value=None):
        """Judge type, shape and value; return the received value as an array of floats."""
        import numpy as np

        expected = np.array(expected, dtype=float)
        if value is None:
            value, received = self._value(args, kwargs)
        else:
            received = _check_floats(value)
        call = self._call_text(args, kwargs)
        self._same_shape(call, received, expected)
        if np.any(np.isnan(received) & ~np.isnan(expected)):
            shown = _check_show(expected) if expected.size <= 12 else "no nan"
            self._fail(f"{call} returned nan (not a number)" + " in places" * (received.ndim > 0), shown)
        self._same_values(call, value, received, expected, tolerance=tolerance)
        return received

    def _compare_part(self, part, value, expected):
        """Judge type, shape and value of a named part of a result."""
        import numpy as np

        received, expected = self._floats(part, value, verb="is"), np.array(expected, dtype=float)
        self._same_shape(part, received, expected, verb="is")
        self._same_values(part, value, received, expected, verb="is")

    def _floats(self, call, value, verb="returned"):
        """Return a value as an array of floats, or fail."""
        array = _check_floats(value)
        if array is None:
            self._fail(f"{call} {verb} {_check_typed(value)}", "a real number, or an array of real numbers")
        return array

    def _same_values(self, call, value, received, expected, verb="returned", tolerance=True):
        import numpy as np

        if tolerance:
            right = np.isclose(received, expected, rtol=1e-9, atol=1e-12, equal_nan=True)
        else:
            right = received == expected
        if not np.all(right):
            self._fail(*self._difference(call, value, received, expected, right, verb))

    @staticmethod
    def _difference(call, value, received, expected, right, verb):
        """Word the first difference between the received and the expected values."""
        import numpy as np

        place = tuple(int(i) for i in np.argwhere(~right)[0]) if received.ndim else ()
        got, want = _check_two_numbers(received[place], expected[place])
        if np.asarray(value).dtype in (np.float16, np.float32):
            got += f" (computed in {np.asarray(value).dtype}; use float64)"
        return f"{call} {verb} {got}{Check._place_text(place)}", want + " there" * bool(place)

    @staticmethod
    def _place_text(place):
        return f" at index {place[0] if len(place) == 1 else place}" if place else ""

    def _same_shape(self, call, received, expected, verb="returned"):
        if received.shape != expected.shape:
            names = [f"an array of shape {a.shape}" if a.ndim else "a single number" for a in (received, expected)]
            self._fail(f"{call} {verb} {names[0]}", names[1])

    def _attempted(self, error):
        if isinstance(error, NotImplementedError):
            raise AssertionError(f"{self.name}: not attempted.")

    def _fail(self, received, expected):
        if self.hidden:
            raise AssertionError(f"{self.name}: a hidden test failed. Look again at {self.idea} ({self.where}).")
        raise AssertionError(f"{received}.\nExpected: {expected}.\nLook again at {self.idea} ({self.where}).")

    def _report(self, call, given):
        """Say that valid input gave a warning; it costs nothing."""
        for warning in given:
            text = f"{warning.category.__name__}: {str(warning.message)[:80]}"
            if self.hidden:
                call, text = self.name, "a warning in a hidden test"
            if text not in self._reported:
                self._reported.add(text)
                print(f"Note (no points lost): {call} gave {text}.")

    def _call_text(self, args, kwargs):
        """Write the call as in code, on one line."""
        parts = [_check_show(a) for a in args] + [f"{k}={_check_show(v)}" for k, v in kwargs.items()]
        return f"{self.name}({', '.join(parts)})"

    @staticmethod
    def _error_text(error):
        lines = str(error).strip().splitlines()
        if not lines:
            return type(error).__name__
        text = lines[0] if len(lines[0]) <= 160 else lines[0][:159] + "…"
        return f"{type(error).__name__}: {text.rstrip('.')}"


def check_points(count=20, **intervals):
    """Return points inside the given open intervals, the same ones each time, as exact SymPy numbers.

    Parameters
    ----------
    count : int, default 20
        How many points.
    **intervals : tuple of numbers
        The open interval of each symbol, by its name: `p=(0, 1)`.

    Returns
    -------
    list of dict
        One dictionary from names to `sympy.Rational` per point.
    """
    import sympy as sp

    # Multiples of a different irrational number per symbol, modulo 1, spread evenly; they are cut to exact fractions.
    steps = [(5**0.5 - 1) / 2, 2**0.5 - 1, 3**0.5 - 1, 7**0.5 - 2]
    points = []
    for i in range(1, count + 1):
        point = {}
        for step, (name, (low, high)) in zip(steps, intervals.items(), strict=False):
            share = sp.Rational(1 + int(9997 * (i * step % 1)), 9999)
            point[name] = sp.sympify(low) + share * (sp.sympify(high) - sp.sympify(low))
        points.append(point)
    return points


def check_expression(get, name, expected, points, idea, where, *, exact=True, hidden=False):
    """Judge a SymPy expression by what it means: by its values, however it is written.

    Parameters
    ----------
    get : callable
        Returns the answer: `lambda: slope`. A name that is not defined counts as not attempted.
    name : str
        The name of the answer, for messages.
    expected : sympy.Expr, or sequence of numbers or strings, or None
        The right expression, or its values at the points; with None, only the form is judged.
    points : list of dict
        Points, from the names of symbols to numbers; `[{}]` for a constant. Names are all that counts: a symbol's
        assumptions do not matter.
    idea, where : str
        The idea to look at again, and where it is explained.
    exact : bool, default True
        Whether floats are refused and values agree to 30 digits; otherwise to 9.
    hidden : bool, default False
        Whether messages must not tell received or expected values.

    Returns
    -------
    list of sympy.Expr
        The values of the answer at the points, to 40 digits.
    """
    import fractions
    import warnings

    import sympy as sp

    def fail(text, but_expected):
        if hidden:
            raise AssertionError(f"{name}: a hidden test failed. Look again at {idea} ({where}).")
        raise AssertionError(f"{text}.\nExpected: {but_expected}.\nLook again at {idea} ({where}).")

    def short(number):
        text = str(sp.N(number, 9))
        return text if len(text) <= 60 else text[:59] + "…"

    answer = error = None
    try:
        answer = get()
    except Exception as raised:
        error = raised
    if error is not None:
        if isinstance(error, NameError | NotImplementedError):
            raise AssertionError(f"{name}: not attempted, or its cell stopped before the name was defined.")
        fail(f"{name} raised {type(error).__name__}", "a SymPy expression")
    if answer is None or answer is Ellipsis:
        raise AssertionError(f"{name} is {answer!r}: not attempted.")
    if isinstance(answer, fractions.Fraction):
        answer = sp.Rational(answer.numerator, answer.denominator)
    if isinstance(answer, int) and not isinstance(answer, bool):
        answer = sp.Integer(answer)
    if isinstance(answer, float):
        if exact:
            fail(
                f"{name} is {_check_show(answer)}, a float",
                "an exact SymPy expression: write sp.Rational(1, 3) and sp.log(3), not 1/3 = 0.333… and 1.0986",
            )
        answer = sp.Float(answer)
    if not isinstance(answer, sp.Expr):
        more = " Take the element that you mean." if isinstance(answer, list | tuple | set | sp.Set) else ""
        text = " ".join(repr(answer).split())
        text = text if len(text) <= 60 else text[:59] + "…"
        fail(f"{name} is {text} (type {type(answer).__name__}).{more}".rstrip("."), "a SymPy expression")
    if exact and answer.atoms(sp.Float):
        some = min(answer.atoms(sp.Float), key=str)
        fail(
            f"{name} contains the float {short(some)}, an approximation",
            "an exact SymPy expression: write sp.Rational(1, 3) and sp.log(3), not 1/3 = 0.333… and 1.0986",
        )
    names = sorted(points[0])
    strangers = sorted({symbol.name for symbol in answer.free_symbols} - set(names))
    if strangers:
        wanted = "an expression in " + ", ".join(names) if names else "a number, with no symbol in it"
        fail(f"{name} contains the symbol {', '.join(strangers)}", wanted)
    # One plain symbol for each name, before anything is worked out: Symbol("p") and Symbol("p", positive=True) are
    # different objects, and an unevaluated derivative can't be taken with respect to a number.
    plain = {symbol: sp.Symbol(symbol.name, real=True) for symbol in answer.free_symbols}
    values = []
    for i, point in enumerate(points):
        at = {sp.Symbol(key, real=True): sp.sympify(value) for key, value in point.items()}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = sp.N(answer.xreplace(plain).doit().subs(at), 40)
            complex(value)  # fails where something without a value is left, an integral of an unknown function, say
            problem = value in (sp.nan, sp.zoo)
        except Exception:
            value, problem = None, True
        place = ", ".join(f"{key} = {val}" for key, val in point.items())
        text = f"At {place}, {name}" if place else name
        if problem:
            fail(f"{text} has no numerical value", "a number")
        values.append(value)
        if expected is None:
            continue
        if isinstance(expected, sp.Basic):
            by_name = {symbol: sp.sympify(point[symbol.name]) for symbol in expected.free_symbols}
            right = sp.N(expected.subs(by_name), 40)
        else:
            right = sp.N(sp.sympify(expected[i], rational=True), 40)
        digits = 30 if exact else 9
        if not abs(value - right) <= sp.Float(10, 40) ** -digits * max(1, abs(right)):
            fail(f"{text} is {short(value)}", short(right))
    return values
