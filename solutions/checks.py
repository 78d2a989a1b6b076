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


def _check_cut(text, limit):
    """Return a text, without its end if it is too long."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _check_in_short(text, limit=60):
    """Return a text on one short line."""
    return _check_cut(" ".join(text.split()), limit)


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
        elif isinstance(value, tuple) and array.ndim == 1:
            inside = ", ".join(str(item) if type(item) is int else _check_number(item, 9) for item in value)
            text = f"({inside}{',' * (len(value) == 1)})"
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
    return _check_in_short(text, limit)


_check_expressions = {}


def check_made(expression, **names):
    """Return what an expression of NumPy makes: an array too large for a message, or a function.

    Messages write the expression in the place of the value, so that a call that they print can be pasted.

    Parameters
    ----------
    expression : str
        The expression, in which `np` is NumPy.
    **names : object
        Names of the notebook that it uses.
    """
    import numpy as np

    value = eval(expression, {"np": np, **names})
    if callable(value):
        value.__name__ = expression
    else:
        _check_expressions[expression] = names
    return value


def _check_code(value, most=700):
    """Write an argument on one line, as code that makes it."""
    import numpy as np

    if isinstance(value, np.ufunc):
        return f"np.{value.__name__}"
    if callable(value) and isinstance(getattr(value, "__name__", None), str):
        return value.__name__
    small = _check_size(value) <= 200 or _check_is_constant(value)
    text = _check_literal(value) if small else ""
    if text and len(text) <= 120:
        return text
    # Made again, not kept: a hundred thousand numbers need not stay in memory for a message that may never come.
    for expression, names in _check_expressions.items():
        if _check_alike(value, eval(expression, {"np": np, **names})):
            return expression
    if text and len(text) <= most:
        return text
    return f"an array of shape {np.shape(value)}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def _check_literal(value):
    """Write a value as code: an array as an array, a list as a list, numbers with all their digits."""
    import numpy as np

    if isinstance(value, np.ndarray):
        shape = f"{value.shape[0] if value.ndim == 1 else value.shape}"
        kind = "object" if value.dtype == object else f"np.{value.dtype}"
        if value.size == 0:
            return f"np.zeros({shape})" if value.dtype == float else f"np.zeros({shape}, dtype={kind})"
        plain = value.dtype in (np.dtype(float), np.dtype(int), np.dtype(bool))
        if value.size > 4 and plain and _check_is_constant(value):
            entry = _check_literal(value.flat[0].item())
            return f"np.zeros({shape})" if entry == "0.0" else f"np.full({shape}, {entry})"
        return f"np.array({_check_literal(value.tolist())}{'' if plain else f', dtype={kind}'})"
    if isinstance(value, np.generic):
        return f"np.{type(value).__name__}({_check_literal(value.item())})"
    if isinstance(value, float):
        return f"{'-' * (value < 0)}np.{abs(value)}" if value != value or abs(value) == float("inf") else repr(value)
    if type(value) in (list, tuple):
        inside = ", ".join(_check_literal(item) for item in value)
        return f"[{inside}]" if type(value) is list else f"({inside}{',' * (len(value) == 1)})"
    if type(value) is dict:
        return "{" + ", ".join(f"{key!r}: {_check_literal(item)}" for key, item in value.items()) + "}"
    return " ".join(repr(value).split())


def _check_size(value):
    """Return about how many numbers a value holds."""
    import numpy as np

    if isinstance(value, np.ndarray):
        return value.size
    return sum(_check_size(item) for item in value) if isinstance(value, list | tuple) else 1


def _check_is_unread(value):
    """Whether a value, or an entry of a list, is something that must be read to know its numbers."""
    import numbers

    import numpy as np

    if isinstance(value, list | tuple):
        nested = [item for item in value if isinstance(item, list | tuple)]
        one_of_each = {type(item): item for item in value if not isinstance(item, list | tuple)}
        return any(map(_check_is_unread, [*one_of_each.values(), *nested]))
    return not (value is None or isinstance(value, np.ndarray | np.generic | numbers.Number | str))


def _check_is_constant(value):
    """Whether all entries of an array are the same number, to the last bit."""
    import numpy as np

    if not isinstance(value, np.ndarray) or value.size == 0 or value.dtype.kind not in "bif":
        return False
    first = value.flat[0]
    return bool(np.all(value == first) and np.all(np.signbit(value) == np.signbit(first))) if first == first else False


def _check_alike(value, other):
    """Whether two arrays or lists are the same."""
    import numpy as np

    if type(value) is not type(other) or not isinstance(value, np.ndarray):
        return type(value) is type(other) and value == other
    real = value.dtype.kind in "fc"
    return value.dtype == other.dtype and np.array_equal(value, other, equal_nan=real)


class _CheckText:
    """A text that is written when it is read: most calls never appear in a message."""

    def __init__(self, write):
        self._write = write

    def __str__(self):
        return self._write()


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


class _CheckError(AssertionError):
    """What a failing check says. A notebook shows this text alone: the lines of the checks would explain nothing."""

    def _render_traceback_(self):
        return [f"AssertionError: {self}"]


# Graders and feedback pages know a test's own words by the name of their class.
_CheckError.__name__ = _CheckError.__qualname__ = "AssertionError"


def check_that(condition, message):
    """Fail with a message unless a condition holds."""
    if not condition:
        raise _CheckError(message)


def _check_report(received, expected, idea, *remarks):
    """Write the message of a visible check: a line for each remark that is not empty."""
    lines = [f"{received}.", f"Expected: {expected}.", *filter(None, remarks), f"Look again at {idea}."]
    return "\n".join(lines)


def _check_lines(error):
    """Return the student's lines that led to an error, the line in which it arose last."""
    import linecache
    import sys

    told = getattr(error, "line_of_submission", None)  # of an error that came from another process
    if isinstance(told, str):
        return [told] if told else []
    frame, test = sys._getframe(), None
    while frame is not None and test is None:
        test = frame.f_code.co_filename if frame.f_code.co_name == "test_of_this_cell" else None
        frame = frame.f_back
    lines, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        # The checks and libraries have other globals; lines of the test itself are not the student's.
        if trace.tb_frame.f_globals.get("__name__") == "__main__" and code.co_filename != test:
            line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            lines += [_check_cut(line, 120)] if line else []
        trace = trace.tb_next
    return lines


def _check_is_own(error):
    """Whether the student's own raise or assert made an error."""
    import dis
    import re

    lines = _check_lines(error)
    if not lines or not re.search(r"(^|[:;]\s*)(raise|assert)\b", lines[-1]):
        return False
    if isinstance(getattr(error, "line_of_submission", None), str):
        return "truth value of an array" not in str(error)
    # In `if p < 0: raise ValueError`, it may be the condition that failed.
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"


def _check_cause(error):
    """Return what usually causes such an error, or where to begin; and whether the idea of the test may help, too."""
    import re

    if _check_is_own(error):
        return "Your function refuses this input itself: which of its conditions is met here, and should it be?", False
    kinds, text = {"", *(kind.__name__ for kind in type(error).__mro__)}, str(error)
    call = "The function has to be called as its docstring says: compare the names and the order of the parameters."
    own = r"(?!list|tuple|dict|str|NoneType|int|float|complex|set|ndarray|Symbol|Add|Mul|Pow|numpy)\w+"  # a student's class
    of_arrays = r"(shape|size|ndim|T|dtype|sum|mean|max|min|any|all|astype|reshape|ravel|copy|tolist)\b"
    idea = True  # such an error is as good as a wrong value: the cause alone does not tell what is meant
    anew = "If a cell adds it to the class, run that cell again: the class was defined anew since."
    causes = [
        ("TypeError", r"\(\) (takes|missing|got) .*argument", call),
        ("", r"object is not callable", "Round brackets call a function, and this is none: is a * missing, are square brackets meant, or did one of your cells give the name of a function, such as sum, to something else?"),
        ("", r"operand type\(s\) for [^:]+: '(int|float)' and '(?!list|tuple|dict|str|NoneType)\w+'", f"For a number on the left of an operator, Python calls a method with r in its name, such as __radd__. {anew}"),
        ("", r"'list' object cannot be interpreted as an integer", "An integer is meant there, or, for several axes, a tuple of them: axis=(1, 2) and not axis=[1, 2]."),
        ("", r"[Cc]annot cast ufunc", "An array of integers stays one, and x -= 0.5 cannot change that: write x = x - 0.5, which makes a new array."),
        ("", r"indices must be integers or slices, not (numpy\.)?float|be interpreted as an integer|of integer \(or boolean\) type|are valid indices|from dtype\('float64'\) to dtype\('int64'\)", "Places and counts are integers, and this is something else: check the values, then convert them with int(…) or .astype(int)."),
        ("", r"unhashable type", "Only what cannot change is a key or belongs to a set: no list, and no object of a class that defines __eq__ without __hash__."),
        ("", rf"'(list|tuple)' object has no attribute '(?!{of_arrays})", "A list or a tuple stands where one of its entries is meant: go through it in a loop, or take it apart, as in a, b = pair."),
        ("", r"'list'|sequence by non-int|list indices", "A list has no arithmetic of its own: begin with x = np.asarray(x, dtype=float), or take its entries one by one."),
        ("", r"'tuple'", "A tuple was used where an array is meant: begin with x = np.asarray(x, dtype=float)."),
        ("", rf"'(int|float)' object has no attribute '(?!{of_arrays})", "A plain number stands where an object of a class is meant: turn it into one first, or let the method return one."),
        ("", r"'numpy.ndarray' object has no attribute", "An array has other methods than a list: the functions of NumPy take both."),
        ("", r"'(int|float)' object (has no attribute|is not subscriptable|is not iterable)|of type '(int|float)' has no len|len\(\) of unsized", "A plain number was used like an array: begin with x = np.asarray(x, dtype=float)."),
        ("", r"'numpy\.\w+' object is not iterable|iteration over a 0-d", "A single number has no entries to go through: np.max, np.sum and the like take numbers, and arrays of any shape."),
        ("", r"'NoneType'|not NoneType", "Something is None there: a function without a return statement gives None."),
        ("AttributeError", rf"'{own}' object has no attribute", f"The object has no such name: is it misspelt, or set without self. before it? {anew}"),
        ("TypeError", rf"operand type\(s\) for [^:]+: '{own}'", f"The class has no method for this operator. {anew}"),
        ("TypeError", rf"must be real number, not {own}", "The functions of math take numbers: call a method of the object instead."),
        ("TypeError", rf"not supported between instances of ('{own}'|'\w+' and '{own}')", "Objects of your own class have no order: compare the numbers in them."),
        ("TypeError", r"(length-1|0-dimensional) arrays|must be real number, not", "The functions of math take one number, and so do int and float; np.exp, np.log and the like take whole arrays, and .astype(int) converts one."),
        ("TypeError", r"return arrays must be of ArrayType", "The second argument of np.log and the like is no base, but an array for the result."),
        ("", r"truth value of an array", "`if`, `and`, `or`, max and min need one answer, and an array has many: np.where, np.maximum and np.minimum choose for each entry, np.any and np.all make one of them."),
        ("", r"be broadcast|not aligned|mismatch in its core|shape mismatch|must match exactly|inhomogeneous", "Two shapes do not fit together: print the shape of each array in that line.", idea),
        ("ValueError", r"cannot reshape", "A new shape must hold exactly the entries that are there: print the shape of the array before it.", idea),
        ("ValueError", r"values to unpack", "There are more or fewer values on the right than names on the left: print what stands on the right.", idea),
        ("", r"negative integer powers", "An array of integers stays one: begin with x = np.asarray(x, dtype=float)."),
        ("IndexError", r"", "The array has fewer axes or entries than the index asks for: print its shape.", idea),
        ("KeyError", r"", "A dictionary lacks this key: print its keys, and compare them with the docstring.", idea),
        ("OverflowError", r"", "A number grew beyond all floats: which exponent is large and positive here?", idea),
        ("ZeroDivisionError", r"", "A divisor is 0 for this input: what should the result be then?", idea),
        ("ValueError", r"math domain error|expected a positive input", "math.log has no value at 0 and below: which number arrives there, and what should the result be?", idea),
        ("ValueError", r"(arg|iterable argument) is (an )?empty( sequence)?", "Nothing is there to choose from: max and min of nothing need a value for that, as in max(lengths, default=0).", idea),
        ("RecursionError", r"", "A function or an operator calls itself, without end or once for each of many: use a loop and a list of what is still to do; in an operator of a class, compute with the numbers in its objects."),
        ("UnboundLocalError", r"", "A name that is assigned anywhere in a function belongs to that function, and is read here before that."),
        ("NameError", r"'(np|sp|plt|math)'", "No cell that has been run imports it: run the first cell of the notebook, or add the import to yours."),
        ("NameError", r"", "The name is misspelt, or the cell that defines it has not been run."),
        ("TypeError", r"argument", call),
    ]  # fmt: skip
    for name, pattern, cause, *helps in causes:
        if name in kinds and re.search(pattern, text):
            return cause, bool(helps)
    return "Paste the call into a cell of your own to see the whole error.", idea


def _check_boundless(received, expected):
    """Return where an inf or a nan may come from if a number was expected."""
    import numpy as np

    if np.any(np.isnan(received) & ~np.isnan(expected)):
        return "nan comes of 0 * inf, inf - inf or 0 / 0: which of them is met here?"
    if np.any(np.isinf(received) & np.isfinite(expected)):
        return "inf comes of an overflow, of a division by 0 or of the logarithm of 0: which of them is met here?"
    return ""


def _check_factors():
    """Return by what common mistakes multiply a result, and how each is named."""
    import math

    return [
        (-1, "That is right but for the sign."),
        (math.log(2), "That would be right in nats; bits are expected."),
        (1 / math.log(2), "That would be right in bits; nats are expected."),
    ]


def _check_mistake(received, expected, arguments):
    """Return what a wrong result looks like, if it looks like one common mistake and no other.

    Parameters
    ----------
    received, expected : ndarray of float
        Of the same shape.
    arguments : tuple
        What the function was called with: their lengths tell a sum from a mean.
    """
    import numpy as np

    if boundless := _check_boundless(received, expected):
        return boundless
    if not (received.size and np.all(np.isfinite(received)) and np.all(np.isfinite(expected))):
        return ""
    found, by_chance = [], []
    likely = [(expected * factor, words) for factor, words in _check_factors()]
    if expected.ndim == 2 and expected.shape[0] == expected.shape[1]:
        likely.append((expected.T, "Rows and columns are exchanged."))
    if not np.all(np.isin(np.abs(expected), [0, 0.25, 0.5, 1, 2, 4])):  # 1/4 is the square of 1/2, and half of it, too
        for n in {n for argument in arguments for n in _check_lengths(argument) if n > 1}:
            sums, means = (
                f": a {one} where a {other} is expected?" for one, other in (("sum", "mean"), ("mean", "sum"))
            )
            likely += [
                (expected * n, f"That is {n} times the right value{sums if n > 2 else '.'}"),
                (expected / n, f"That is the right value divided by {n}{means if n > 2 else '.'}"),
            ]
        with np.errstate(all="ignore"):
            by_chance = [
                (1 - expected, "That is 1 minus the right value."),
                (expected**2, "That is the square of the right value."),
                (np.sqrt(expected), "That is the root of the right value."),
                (np.log(expected), "That is the logarithm of the right value."),
                (np.exp(expected), "That is the right value in an exponential: is a logarithm missing?"),
                (1 / expected, "That is 1 divided by the right value."),
            ]
            likely += by_chance
    for wrong, words in likely:
        different = not np.allclose(wrong, expected, rtol=1e-6, atol=1e-9)
        if different and np.allclose(received, wrong, rtol=1e-9, atol=0):
            found.append(words)
    # A single whole number meets such a relation by chance: 9 for 3 may be anything but a square.
    single = expected.size == 1 and np.all(expected == np.round(expected))
    if len(found) > 1 or (single and found and found[0] in [words for _, words in by_chance]):
        return ""
    if found:
        return found[0]
    with np.errstate(all="ignore"):
        apart = float(np.max(np.where(received == expected, 0, np.abs(received / expected - 1))))
    if apart < 1e-5:
        digits = int(-np.log10(apart))
        return (
            f"That is right to {digits} digits only: was a small number added, a result rounded, or a difference taken of "
            "numbers that are nearly equal?"
        )
    return ""


def _check_misshapen(received, expected, arguments):
    """Return what a wrong shape looks like, if it looks like a common mistake."""
    lengths = {n for argument in arguments for n in _check_lengths(argument)}
    if received == (*expected, 1) or (len(received) > 1 and received == (1, *expected)):
        return "An axis of length 1 is left over: keepdims, or a column where a row is meant."
    if not received and expected and lengths - {1}:
        return "One number for everything: did a sum or a mean run over all axes, not along one?"
    if (
        len(received) == 2
        and received[0] == received[1] in lengths
        and expected in ((), received[:1], (received[0], 1))
    ):
        return "A row met a column, and broadcast to a table of all pairs."
    if len(received) > 1 and received == expected[::-1]:
        return "Rows and columns are exchanged."
    return ""


def _check_lengths(value):
    """Return the shape of an array or a nested list; of anything else, an empty one."""
    import numpy as np

    try:
        return np.shape(value)
    except ValueError:
        return ()


class Undecided(Exception):  # noqa: N818 (nobody has made an error)
    """A test can neither give nor refuse its points: a person has to look at the answer, for the reason given."""

    awaits_hand = True

    def __init__(self, reason):
        super().__init__(f"{reason}. A person looks at this answer.")


_check_any_result = "a result: this input is valid"


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
    call : str, optional
        How messages write a call, if `function` is more than the student's function: `"fit({})[0]"`, or
        `"fit({0}, {1}).score({2})"`, with the arguments in place of the braces. Whoever pastes it gets what `function`
        returns.
    told : dict of bool to str, optional
        What `gives_bool` tells, a hidden one too, by the truth value that was expected.
    """

    def __init__(self, function, name, idea, where, *, hidden=False, call=None, told=None):
        self.function = function
        self.name = name
        self.call = call or f"{name}({{}})"
        self.idea = idea
        self.where = where
        self.hidden = hidden
        self.told = told or {}
        self._reported = set()
        self._arguments = ()
        self._long_calls = {}
        _check_watch.say(name)

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

        value, _ = self._value(args, kwargs, wanted=self._wanted(expected))
        self._compare(expected, args, kwargs, value=value)
        if np.asarray(value).dtype.kind not in "iuO":
            kind = np.asarray(value).dtype
            self._fail(f"{self._call_text(args, kwargs)} returned numbers of type {kind}", "integers, of type int")

    def gives_between(self, low, high, *args, **kwargs):
        """Fail unless the result has the shape of `low` and lies between `low` and `high`, both included."""
        import numpy as np

        low, high = np.array(low, dtype=float), np.array(high, dtype=float)
        _, received = self._value(args, kwargs)
        call = _CheckText(lambda: self._call_text(args, kwargs))
        self._same_shape(call, received, received, low)
        right = (received >= low) & (received <= high)  # nan is neither
        if not np.all(right):
            place = tuple(int(i) for i in np.argwhere(~right)[0]) if received.ndim else ()
            got, least, most = (_check_number(a[place], 9) for a in (received, low, high))
            wanted = f"a number from {least} to {most}" if most != "inf" else f"never less than {least}, and never nan"
            hair = low[place] == 0 and -1e-9 < received[place] < 0
            likely = "A hair below 0 is the work of rounding: cut it off." if hair else _check_boundless(received, high)
            self._fail(f"{call} returned {got}{self._place_text(place)}", wanted, likely=likely)

    def accepts(self, *args, **kwargs):
        """Fail unless the call returns a number or numbers, whatever they are."""
        self._value(args, kwargs)

    def answers(self, one, other):
        """Fail unless calls with these two tuples of arguments give numbers that differ, whether right or wrong.

        So the points of a test about arguments do not go to a function that leaves them alone and does nothing else.
        """
        import numpy as np

        first, second = (self._numbers(args, {}) for args in (one, other))
        if np.array_equal(first, second, equal_nan=True):
            calls = " and ".join(self._call_text(args, {}) for args in (one, other))
            self._fail(f"{calls} returned the same", "results that depend on the arguments")

    def gives_entries(self, expected, *args, **kwargs):
        """Fail unless the call gives a dictionary with at least these keys, and the right shape and values under each."""
        keys = ", ".join(repr(key) for key in expected)
        entries = f"a dict with the keys {keys}"
        call, value, given = self._result(args, kwargs, wanted=entries)
        if not isinstance(value, dict):
            self._fail(f"{call} returned {_check_typed(value)}", entries)
        right = [key for key in expected if key in value and self._is_right(value[key], expected[key])]
        beside = right and f"Right: {', '.join(repr(key) for key in right)}."
        for key, wanted in expected.items():
            if key not in value:
                found = ", ".join(repr(key) for key in value) or "no keys"
                self._fail(f"{call} returned a dict with {found}", f"the keys {keys}")
            self._compare_part(f"{call}[{key!r}]", value[key], wanted, beside)
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
                self._same_shape(entry, arrays[key], arrays[key], np.empty(shape), verb="is")
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
            told = self.told.get(expected, "")
            self._fail(f"{call} returned {bool(value)}", repr(expected), told, told and f"{told[0].upper()}{told[1:]}.")

    def gives_parts(self, expected, *args, **kwargs):
        """Fail unless the call gives a tuple or list of these parts, by name and in this order; None stands for any value."""
        names = f"{len(expected)} parts, ({', '.join(expected)})"
        call, value, given = self._result(args, kwargs, wanted=names)
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
        call, wanted = self._call_text(args, kwargs), "a ValueError: this input is not valid"
        self._attempted(error)
        if error is None:
            self._fail(f"{call} returned {_check_show(value)}", wanted)
        if not isinstance(error, ValueError):
            # What breaks for want of an entry, of a key or of a result breaks because the input is not valid.
            chance = isinstance(error, LookupError | ArithmeticError)
            own = isinstance(error, AssertionError) or _check_is_own(error)
            refuse = f'Refuse it by raise ValueError("…"){", before that line" * chance}.'
            likely = refuse if own or chance else _check_cause(error)[0]
            self._fail(f"{call} raised {self._error_text(error)}{self._line_text(error)}", wanted, likely=likely)

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
        self._returned(value)
        # A loop takes at least a step a sample; steps that are wasted on few samples do not hide it.
        samples = max(len(a) for a in many if np.ndim(a))
        if more > min(fewer + most, samples - 1):
            shapes = " and ".join(self._call_text(args, {}) for args in (few, many))
            self._fail(
                f"{shapes} took {fewer} and {more} lines and calls of Python",
                "no more for many samples than for few: let NumPy loop over the samples. A function of Python that "
                "map, np.vectorize, np.apply_along_axis or reduce calls for each sample counts as a loop, and so does "
                "printing an array",
            )
        if expected is not None:
            self._same_results(value, expected, many)
        if first and second:
            return
        text = (
            f"The steps of {self.name} could not be counted: while it ran, another hook, thread or process was at work"
        )
        if getattr(type(self.function), "_count_steps", None) is not None:
            raise Undecided(text)
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
        value, seconds = self._quietly(measured, args)
        self._same_results(value, expected, args)
        reference = type(self.function)._reference_cpu(self.function)
        if reference is not None and seconds > 14 * reference and seconds > 30 * self._bare_loop(args):
            raise Undecided(
                f"The steps of {self.name} look like those of an answer without a loop, its processor time like that of one "
                "with a loop"
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

        self._arguments = tuple(args)
        call = _CheckText(lambda: self._call_text(args, {}))
        self._returned(value)
        if not isinstance(value, np.ndarray | np.generic | list | tuple | int | float):
            self._fail(f"{call} returned {_check_typed(value)}", "a number or an array")
        several = isinstance(expected, tuple) and isinstance(value, list | tuple)
        for number, part in enumerate(value if several else [value], 1):
            # What computes its numbers only when they are read has not done the work, whatever the call took.
            if _check_is_unread(part):
                named = f"part {number} of {call} is" if several else f"{call} returned"
                self._fail(f"{named} {_check_typed(part)}, which is more than numbers", "a number or an array")
        if isinstance(expected, tuple):
            value = dict(enumerate(value if several else [value]))
            # A part that is not judged holds no more than there are samples: its writing would hide much work.
            most = max(len(a) for a in args if np.ndim(a))
            for number in [number for number in value if number >= len(expected) and _check_size(value[number]) > most]:
                self._fail(f"part {number + 1} of {call} holds more than {most} numbers", "fewer")
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
                self._fail_on_error(self._call_text(args, {}), error)

    def keeps_arguments(self, *args, **kwargs):
        """Fail if the call changes one of its arguments.

        The cell that uses it has the metadata `observe_arguments: true`.
        """
        import copy

        import numpy as np

        passed = copy.deepcopy(args)
        self._numbers(passed, kwargs, copied=True)
        for position, (before, after) in enumerate(zip(args, passed, strict=True), start=1):
            if callable(before):
                continue
            text = f"{self._call_text(args, kwargs)} changed its argument number {position}"
            pairs, stay = [(text, before, after)], "arguments stay as they are: work on a copy"
            if isinstance(before, dict):  # of arrays
                names = list(after) if isinstance(after, dict) else []
                if names != list(before):
                    self._fail(f"{text}: its keys are now {', '.join(repr(name) for name in names) or 'gone'}", stay)
                pairs = [(f"{text}, the entry {name!r}", before[name], after[name]) for name in before]
            for changed, old, new in pairs:
                old, new = np.asarray(old), np.asarray(new)
                real = old.dtype.kind in "biufc" and new.dtype.kind in "biufc"  # only numbers can be nan
                if not np.array_equal(old, new, equal_nan=real):
                    self._fail(
                        f"{changed} to {_check_show(new)}",
                        stay,
                        idea="what changes an array in place, as x -= 1 and x[0] = 1 do, and that np.asarray makes no copy "
                        "of an array (chapter Broadcasting, Nothing is copied)",
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
        self._arguments = (*args, *kwargs.values())
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

    def _result(self, args, kwargs, copied=False, wanted=_check_any_result):
        """Call the function; return the call's text, the value and the warnings, or fail where there is no value."""
        # With `copied`, the function may change these very arguments: their text comes first.
        call = self._call_text(args, kwargs) if copied else _CheckText(lambda: self._call_text(args, kwargs))
        value, error, given = self._call(args, kwargs, copied)
        self._attempted(error)
        if error is not None:
            self._fail_on_error(call, error, wanted)
        self._returned(value)
        return call, value, given

    def _value(self, args, kwargs, copied=False, wanted=_check_any_result):
        """Call the function; return its value as it is and as an array of floats, or fail."""
        call, value, given = self._result(args, kwargs, copied, wanted)
        array = self._floats(call, value)
        self._report(call, given)
        return value, array

    def _numbers(self, args, kwargs, copied=False):
        """Call the function; return the numbers of its result, those of a dictionary one after the other, or fail."""
        import numpy as np

        call, value, given = self._result(args, kwargs, copied)
        if isinstance(value, dict):
            array = np.concatenate([np.zeros(0), *(np.ravel(self._floats(call, entry)) for entry in value.values())])
        else:
            array = self._floats(call, value)
        self._report(call, given)
        return array

    def _compare(self, expected, args, kwargs, tolerance=True, value=None):
        """Judge type, shape and value; return the received value as an array of floats."""
        import numpy as np

        wanted, expected = self._wanted(expected), np.array(expected, dtype=float)
        if value is None:
            value, received = self._value(args, kwargs, wanted=wanted)
        else:
            received = _check_floats(value)
        call = _CheckText(lambda: self._call_text(args, kwargs))

        def blame():
            return self._lists_alone(expected, args, kwargs)

        self._same_shape(call, value, received, expected, blame=blame)
        if np.any(np.isnan(received) & ~np.isnan(expected)):
            shown = _check_show(expected) if expected.size <= 12 else "no nan"
            nan = "nan (not a number)" + " in places" * (received.ndim > 0)
            self._fail(f"{call} returned {nan}", shown, likely=blame() or _check_boundless(received, expected))
        self._same_values(call, value, received, expected, tolerance=tolerance, blame=blame)
        return received

    def _lists_alone(self, expected, args, kwargs):
        """Return what to do about lists if the call is right with arrays in their place."""
        import contextlib
        import io

        import numpy as np

        def is_list_of_numbers(value):
            return isinstance(value, list) and _check_floats(value) is not None

        if self.hidden or not any(is_list_of_numbers(value) for value in (*args, *kwargs.values())):
            return ""
        args = [np.array(value) if is_list_of_numbers(value) else value for value in args]
        kwargs = {name: np.array(value) if is_list_of_numbers(value) else value for name, value in kwargs.items()}
        with contextlib.redirect_stdout(io.StringIO()):
            value, error, _ = self._call(args, kwargs)
        if error is not None or not self._is_right(value, expected):
            return ""
        return (
            "With arrays in the place of the lists it is right: begin with x = np.asarray(x). A list as a whole is never "
            "equal to a number, for instance."
        )

    @staticmethod
    def _wanted(expected):
        """Say what a call should have given that raised an error: the values, if they are few."""
        import numpy as np

        return _check_show(expected) if 0 < np.size(expected) <= 12 else _check_any_result

    def _compare_part(self, part, value, expected, beside=""):
        """Judge type, shape and value of a named part of a result; say on failing what is right beside it."""
        import numpy as np

        received, expected = self._floats(part, value, verb="is", beside=beside), np.array(expected, dtype=float)
        self._same_shape(part, value, received, expected, verb="is", beside=beside)
        self._same_values(part, value, received, expected, verb="is", beside=beside)

    @staticmethod
    def _is_right(value, expected):
        """Whether a part of a result has the right shape and values."""
        import numpy as np

        received = _check_floats(value)
        return (
            received is not None
            and received.shape == np.shape(expected)
            and np.allclose(received, expected, rtol=1e-9, atol=1e-12, equal_nan=True)
        )

    def _floats(self, call, value, verb="returned", beside=""):
        """Return a value as an array of floats, or fail."""
        import numpy as np

        array = _check_floats(value)
        if array is None:
            truths = isinstance(value, np.ndarray | np.bool_) and value.dtype.kind == "b"
            self._fail(
                f"{call} {verb} {_check_typed(value)}",
                "a real number, or an array of real numbers",
                likely="True and False are no numbers here: .astype(float) makes some." * truths,
                beside=beside,
            )
        return array

    def _same_values(self, call, value, received, expected, verb="returned", tolerance=True, beside="", blame=None):
        import numpy as np

        if tolerance:
            right = np.isclose(received, expected, rtol=1e-9, atol=1e-12, equal_nan=True)
        else:
            right = received == expected
        if not np.all(right):
            likely = "" if self.hidden else (blame and blame()) or _check_mistake(received, expected, self._arguments)
            difference = self._difference(call, value, received, expected, right, verb)
            self._fail(*difference, likely=likely, beside=beside)

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

    def _same_shape(self, call, value, received, expected, verb="returned", beside="", blame=None):
        if received.shape != expected.shape:
            if isinstance(value, list | tuple) and received.ndim == expected.ndim == 1:
                # A short list is shown: for a function that returns shapes, the shape of its result would mislead.
                kind = type(value)
                names = [_check_show(kind(a.tolist())) for a in (received, expected)]
                if any(a.size > 12 or name.endswith("…") for a, name in zip((received, expected), names, strict=True)):
                    names = [f"a {kind.__name__} of {a.size} numbers" for a in (received, expected)]
            else:
                names = [f"an array of shape {a.shape}" if a.ndim else "a single number" for a in (received, expected)]
            likely = (blame and blame()) or _check_misshapen(received.shape, expected.shape, self._arguments)
            self._fail(f"{call} {verb} {names[0]}", names[1], likely=likely, beside=beside)

    def _returned(self, value):
        check_that(value is not None, f"{self.name} returned None: is a return statement missing?")

    def _attempted(self, error):
        if isinstance(error, NotImplementedError):
            missing = _check_unwritten(error)
            needs = f" It needs {missing}, which is not written yet." if missing not in ("", self.name) else ""
            raise _CheckError(f"{self.name}: not attempted.{needs}")

    def _fail(self, received, expected, told="", likely="", beside="", idea=""):
        """Fail: a hidden check says no more than `told`; a visible one also what the result looks like, and what is right."""
        where = f"{self.idea} ({self.where})"
        if self.hidden:
            raise _CheckError(f"{self.name}: a hidden test failed{told and ': '}{told}. Look again at {where}.")
        raise _CheckError(self._with_short_calls(_check_report(received, expected, idea or where, likely, beside)))

    def _with_short_calls(self, message):
        """Return a message that says first what is wrong, and writes a long call out below."""
        for call, short in self._long_calls.items():
            if call in message:
                message = f"{message.replace(call, short)}\nThe call: {call}"
        return message

    def _fail_on_error(self, call, error, wanted=_check_any_result):
        """Say what was raised, in which line, and what usually causes it: the idea is for wrong values and the like."""
        if self.hidden:
            self._fail("", "")
        if isinstance(error, _CheckError):  # the test itself looks at the result first, and says what it lacks
            raise error
        raised = f"{call} raised {self._error_text(error)}{self._line_text(error)}"
        cause, idea_helps = _check_cause(error)
        if idea_helps:
            self._fail(raised, wanted, likely=cause)
        raise _CheckError(self._with_short_calls(f"{raised}.\nExpected: {wanted}.\n{cause}"))

    @staticmethod
    def _line_text(error):
        """Write the line in which an error arose, and that of the function that the test called, if it is another."""
        lines = _check_lines(error)
        if not lines:
            return ""
        called = f", which `{lines[0]}` called" if lines[0] != lines[-1] else ""
        return f", in your line `{lines[-1]}`{called}"

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
        """Write the call on one line, as code that can be pasted."""
        import re

        place = r"\{(\d*)\}"
        parts = [_check_code(a) for a in args] + [f"{k}={_check_code(v)}" for k, v in kwargs.items()]
        call = re.sub(place, lambda found: parts[int(found[1])] if found[1] else ", ".join(parts), self.call)
        if len(call) > 200:  # two lines of a notebook
            self._long_calls[call] = re.sub(place, "…", self.call)
        return call

    @staticmethod
    def _error_text(error):
        lines = str(error).strip().splitlines()
        if not lines:
            return type(error).__name__
        return f"{type(error).__name__}: {_check_cut(lines[0], 160).rstrip('.')}"


def check_points(count=40, **intervals):
    """Return points inside the given open intervals, the same ones each time, as exact fractions.

    Parameters
    ----------
    count : int, default 40
        How many points: twice as many as are judged, for where an expression has no value.
    **intervals : tuple of numbers
        The open interval of each symbol, by its name: `p=(0, 1)`.

    Returns
    -------
    list of dict
        One dictionary from names to `fractions.Fraction` per point.
    """
    from fractions import Fraction

    # Multiples of a different irrational number per symbol, modulo 1, spread evenly; they are cut to exact fractions.
    steps = [(5**0.5 - 1) / 2, 2**0.5 - 1, 3**0.5 - 1, 7**0.5 - 2]
    points = []
    for i in range(1, count + 1):
        point = {}
        for step, (name, (low, high)) in zip(steps, intervals.items(), strict=False):
            share = Fraction(1 + int(9997 * (i * step % 1)), 9999)
            point[name] = Fraction(low) + share * (Fraction(high) - Fraction(low))
        points.append(point)
    return points


def check_expression(get, name, expected, points, idea, where, *, exact=True, hidden=False):
    """Judge a symbolic answer by what it means: by its values, however it is written.

    Parameters
    ----------
    get : callable
        Returns the answer: `lambda: slope`. A name that is not defined counts as not attempted.
    name : str
        The name of the answer, for messages.
    expected : callable, or sequence of numbers or strings, or None
        The right function of the symbols, which are its arguments, written with mpmath:
        `lambda p: mp.log((1 - p) / p, 2)`; or its values at the points, as fractions ("1/3") or decimals; with None, only
        the form is judged.
    points : list of dict
        Points, from the names of symbols to numbers; `[{}]` for a constant. Names are all that counts: a symbol's
        assumptions do not matter. Of points for a callable, twenty are judged where both sides have a value.
    idea, where : str
        The idea to look at again, and where it is explained.
    exact : bool, default True
        Whether floats are refused and values agree to 30 digits, and at two points, where `expected` is exact, to more
        than the numbers in the answer could feign; otherwise to 9.
    hidden : bool, default False
        Whether messages must not tell received or expected values.

    Returns
    -------
    list of mpmath.mpf or mpmath.mpc
        The values of the answer at the points that were judged, to 40 digits.
    """
    import fractions
    import numbers
    import sys

    from mpmath import mp

    spare = 20  # digits that rounding may take

    kind = "a SymPy expression" if points[0] else "an exact number of SymPy"

    def fail(text, but_expected, likely=""):
        if hidden:
            raise _CheckError(f"{name}: a hidden test failed. Look again at {idea} ({where}).")
        raise _CheckError(_check_report(text, but_expected, f"{idea} ({where})", likely))

    def refuse_float(text, number):
        """Refuse a float, and say how to write it: a decimal of few digits as the fraction or the integer that it is."""
        simple = fractions.Fraction(str(number)).limit_denominator(100) if mp.isfinite(number) else None
        if simple is not None and abs(mp.mpf(simple.numerator) / simple.denominator - number) < 1e-12 * abs(number):
            whole = simple.denominator == 1
            way = f"{simple}" if whole else f"sp.Rational({simple.numerator}, {simple.denominator})"
            fail(text, f"an exact expression: write {way}, not {mp.nstr(number, 9)}")
        fail(text, "an exact expression: write sp.Rational(1, 3) and sp.log(3), not 1/3 = 0.333… and 1.0986")

    def short(number, other):
        """Write a number with as many digits as it takes to tell it from the other one."""
        for digits in (9, 15, 25, 40):
            text = mp.nstr(number, digits)
            if text != mp.nstr(other, digits):
                break
        return _check_in_short(text)

    def right_at(i):
        """Return the right value at a point, None where there is none, and whether it is known exactly."""
        if expected is None:
            return None, False
        if callable(expected):
            try:
                at = {key: fractions.Fraction(value) for key, value in points[i].items()}
                right = expected(**{key: mp.mpf(value.numerator) / value.denominator for key, value in at.items()})
                return (mp.mpmathify(right) if mp.isfinite(right) else None), True
            except (ArithmeticError, ValueError):
                return None, False
        right = fractions.Fraction(expected[i])
        # Decimals have been rounded; all others are what they say.
        return mp.mpf(right.numerator) / right.denominator, "." not in str(expected[i])

    def close(value, right, digits):
        return abs(value - right) <= mp.mpf(10) ** -digits * max(1, abs(right))

    def value_near(point, digits):
        """Return the value at a point, or where it has none there, as sin(x)/x at 0, the one beside it."""
        value = answer.value_at(point, digits)
        if value is None and point and not callable(expected):
            beside = fractions.Fraction(1, 10**digits)
            near = {key: fractions.Fraction(number) + beside for key, number in point.items()}
            value = answer.value_at(near, 6 * digits)
        return value

    def mistake():
        """Return what the wrong values look like, if they look like one common mistake at every point."""
        if hidden:
            return ""
        with mp.workdps(30):
            pairs = [(value_near(point, 30), right_at(i)[0]) for i, point in enumerate(points)]
            pairs = [(value, right) for value, right in pairs if value is not None and right is not None]
            if all(right == 0 for _, right in pairs):
                return ""
            for factor, words in _check_factors():
                if all(close(value, factor * right, 9) for value, right in pairs):
                    return words
        return ""

    if not hidden:
        _check_watch.say(name)
    answer = error = None
    try:
        answer = get()
    except Exception as raised:
        error = raised
    if error is not None:
        if isinstance(error, NameError | NotImplementedError):
            raise _CheckError(f"{name}: not attempted, or its cell stopped, or does not assign to it: {name} = …")
        fail(f"{name} raised {type(error).__name__}", kind)
    if answer is None or answer is Ellipsis:
        raise _CheckError(f"{name} is {answer!r}: not attempted.")

    # In a notebook, the answer is an object of SymPy; where problem sets are graded, it is data that can be evaluated.
    sympy = sys.modules.get("sympy")
    if isinstance(answer, numbers.Real) and not isinstance(answer, bool):
        if exact and isinstance(answer, float):
            refuse_float(f"{name} is {mp.nstr(mp.mpf(answer), 9)}, a float", mp.mpf(answer))
        answer = _CheckSymbolic(answer)
    elif sympy and isinstance(answer, sympy.Expr):
        answer = _CheckSymbolic(answer)
    elif not hasattr(type(answer), "value_at"):
        several = isinstance(answer, list | tuple | set | (sympy.Set if sympy else set))
        more = " Take the element that you mean." if several else ""
        if several and all(isinstance(item, dict) for item in answer) and list(answer):
            more = " sp.solve chose for which symbol to solve: name it, as in sp.solve(equation, x)."
        fail(
            f"{name} is {_check_in_short(repr(answer))} (type {type(answer).__name__}).{more}".rstrip("."),
            kind,
        )
    too_long = f"{name} is longer than what can be judged", "a shorter expression of the same value"
    if answer.too_long:
        fail(*too_long)
    if list(answer.outside) == ["FiniteSet"]:
        fail(f"{name} is a set. Take the element that you mean", kind)
    if exact and answer.floats:
        some = min(answer.floats, key=lambda number: mp.nstr(number, 9))
        refuse_float(f"{name} contains the float {mp.nstr(some, 9)}, an approximation", some)
    names = sorted(points[0])
    strangers = sorted(set(answer.symbols) - set(names))
    if strangers:
        wanted = "an expression in " + ", ".join(names) if names else "a number, with no symbol in it"
        fail(f"{name} contains the symbol {', '.join(strangers)}", wanted)

    tolerance = 30 if exact else 9
    needed = min(20, len(points)) if callable(expected) else len(points)
    spared = len(points) - needed  # points that may be left out
    values, known = [], []
    for i, point in enumerate(points):
        place = ", ".join(f"{key} = {val}" for key, val in point.items())
        text = f"At {place}, {name}" if place else name
        # What cancels takes digits away: where the values differ, more digits decide.
        for digits in (50, 200):
            with mp.workdps(digits + spare):
                right, exactly = right_at(i)
                value = None if right is None and expected is not None else value_near(point, digits)
                agree = value is None or expected is None or close(value, right, tolerance)
            if agree:
                break
        if answer.too_long:
            fail(*too_long)
        if value is None:
            spared -= 1
            if spared < 0:
                unknown = _check_in_short(", ".join(sorted(set(answer.outside))))
                more = f": {unknown} is not among the functions that can be judged" if unknown else ""
                fail(f"{text} has no numerical value{more}", "a number")
            continue
        if not agree:
            fail(f"{text} is {short(value, right)}", short(right, value), mistake())
        values.append(value)
        if exactly:
            known.append((i, text))
        if len(values) == needed:
            break
    # So many digits could not be feigned by the numbers that the answer contains.
    digits = 100 + 2 * answer.digits
    for i, place in known[:2] if exact else []:
        with mp.workdps(digits + spare):
            right, value = right_at(i)[0], value_near(points[i], digits)
            if answer.too_long:
                fail(*too_long)
            if value is None:  # it had one to fewer digits: its meaning depends on how many are asked for
                text = f"{name} has a value to few digits and none to many, so it is open whether it is exact"
                raise Undecided(text)
            if not close(value, right, digits - 50):
                same = int(-mp.log10(abs(value - right) / max(1, abs(right))))
                fail(f"{place} agrees with the right value in {same} digits and then no longer", "an exact expression")
    return values


class _CheckSymbolic:
    """A number, or an expression of SymPy, read as the grading engine reads it: nodes, each made of earlier ones.

    Parameters
    ----------
    answer : numbers.Real or sympy.Expr
        The answer.

    Attributes
    ----------
    symbols, floats, outside : list
        Names of its symbols, its floats, and the classes in it that have no value here.
    digits : int
        Digits of all its numbers together.
    too_long : bool
        Whether it has more nodes, levels or digits than are judged.
    """

    _plain = ["exp", "sin", "cos", "tan", "cot", "sec", "csc", "sinc", "asin", "acos", "atan", "acot", "asec", "acsc", "atan2", "sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh", "acoth", "asech", "acsch"]  # fmt: skip
    _special = ["gamma", "loggamma", "digamma", "polygamma", "factorial", "binomial", "beta", "erf", "erfc", "LambertW"]
    _others = ["Add", "Mul", "Pow", "log", "Abs", "sign", "Max", "Min", "floor", "ceiling", "frac", "Mod", "Heaviside", "re", "im", "conjugate", "arg", "Piecewise", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not"]  # fmt: skip
    _constants = ["pi", "E", "I", "EulerGamma", "GoldenRatio", "Catalan", "oo", "zoo", "nan", "true", "false"]
    _unevaluated = ["Derivative", "Integral", "Limit", "Product", "Subs", "Sum"]

    def __init__(self, answer):
        import sys

        self.sympy = sympy = sys.modules.get("sympy")
        self.symbols, self.floats, self.outside = [], [], []
        self.digits = parts = special = 0
        self._nodes, self._depths, self._numbers, self._known, self._kept = [], [], {}, {}, []
        self.too_long = False
        self._classes = {}
        if sympy:
            kinds = [(getattr(sympy, name, None), name) for name in [*self._plain, *self._special, *self._others]]
            self._classes = {kind: name for kind, name in kinds if isinstance(kind, type)}
        try:
            self._read(answer)
        except RecursionError:
            self.too_long = True
        for name, *content in self._nodes:
            if name == "number":
                self.too_long |= len(content[0]) == 3 and abs(content[0][2]) > 20_000
                self.digits += sum(int(part).bit_length() * 3 // 10 + 1 for part in content[0])
            elif name in self._special or name in self._plain or name in self._others:
                parts += len(content)
                special += name in self._special
        # The grader's own bounds: what is judged here is judged there.
        self.too_long |= len(self._nodes) > 1_500 or max(self._depths, default=0) > 300 or parts > 10_000
        self.too_long |= self.digits > 1_000 or special > 50

    def _read(self, value):
        """Append the nodes of a value to the list, and return the number of the last one."""
        import numbers

        if id(value) in self._known:
            return self._known[id(value)]
        self._kept.append(value)  # an object that is gone may share its id with another
        sympy, depth = self.sympy, 0
        kind = type(value).__name__
        if len(self._nodes) > 1_500:
            node = ("outside", kind)
        elif isinstance(value, numbers.Rational):
            node = ("number", (int(value.numerator), int(value.denominator)))
        elif isinstance(value, numbers.Real):
            from mpmath import mp

            number = mp.mpmathify(value)
            node = ("number", number._mpf_[:3])
            self.floats.append(number)
        elif isinstance(value, sympy.Symbol):
            plain = value.name.isidentifier() and len(value.name) <= 40
            node = ("symbol", value.name) if plain else ("outside", "symbol")
        elif any(value is getattr(sympy, name) for name in self._constants):
            node = ("constant", next(name for name in self._constants if value is getattr(sympy, name)))
        elif value is -sympy.oo:
            node = ("constant", "-oo")
        elif (meant := self._worked_out(value)) is not value:
            self._known[id(value)] = self._read(meant)
            return self._known[id(value)]
        elif type(value) in self._classes and value.args:
            name, args = self._classes[type(value)], value.args
            if name == "Piecewise":
                args = [part for pair in args for part in pair.args]
            if name == "Heaviside" and len(args) == 1:
                args = [*args, sympy.Rational(1, 2)]
            node = (name, *map(self._read, args))
            depth = 1 + max(self._depths[index] for index in node[1:])
        else:
            node = ("outside", kind)
        if node not in self._numbers:
            self._numbers[node] = len(self._nodes)
            self._nodes.append(node)
            self._depths.append(depth)
            if node[0] == "symbol":
                self.symbols.append(node[1])
            if node[0] == "outside":
                self.outside.append(node[1])
        self._known[id(value)] = self._numbers[node]
        return self._known[id(value)]

    def _worked_out(self, value):
        """Return what an unevaluated derivative, sum and so on is; anything else as it is."""
        sympy = self.sympy
        if type(value) is sympy.UnevaluatedExpr:
            return value.args[0]
        if type(value).__name__ not in self._unevaluated:
            return value
        # One plain symbol for each name: Symbol("p") and Symbol("p", positive=True) are different objects.
        plain = {symbol: sympy.Symbol(symbol.name, real=True) for symbol in value.atoms(sympy.Symbol)}
        for attempt in (lambda: value.xreplace(plain).doit(), value.doit):
            try:
                result = attempt()
            except Exception:
                continue
            if not result.has(*(getattr(sympy, name) for name in self._unevaluated)):
                return result
        return value

    def value_at(self, point, digits):
        """Return the value at a point, to so many digits, as a number of mpmath; None where there is none."""
        from fractions import Fraction

        from mpmath import mp

        def real(x):
            if isinstance(x, mp.mpc):
                raise ValueError
            return x

        def power(x, y):
            if x == 0 and (isinstance(y, mp.mpc) or y < 0):
                raise ZeroDivisionError
            return mp.sqrt(x) if y == mp.mpf(1) / 2 else mp.power(x, y)

        def log(x, base=None):
            if x == 0:
                raise ZeroDivisionError
            return mp.log(x) if base is None else mp.log(x) / log(base)

        def nearly(x, y):
            finite = mp.isfinite(x) and mp.isfinite(y)
            return abs(x - y) <= noise * max(1, abs(x), abs(y)) if finite else x == y

        def floor(x):
            if isinstance(x, mp.mpc):
                return mp.mpc(floor(x.real), floor(x.imag))
            return mp.nint(x) if nearly(x, mp.nint(x)) else mp.floor(x)

        functions = {name: getattr(mp, name) for name in [*self._plain, *self._special] if hasattr(mp, name)} | {
            "Add": lambda *args: mp.fsum(args),
            "Mul": lambda *args: mp.fprod(args),
            "Pow": power,
            "log": log,
            "Abs": abs,
            "sign": lambda x: x / abs(x) if isinstance(x, mp.mpc) else mp.mpf((x > 0) - (x < 0)),
            "Max": lambda *args: max(map(real, args)),
            "Min": lambda *args: min(map(real, args)),
            "floor": floor,
            "ceiling": lambda x: -floor(-x),
            "frac": lambda x: x - floor(x),
            "Mod": lambda x, y: x - y * floor(x / real(y)),
            "Heaviside": lambda x, h: h if nearly(x, mp.mpf(0)) else mp.mpf(real(x) > 0),
            "re": mp.re,
            "im": mp.im,
            "conjugate": mp.conj,
            "arg": mp.arg,
            "polygamma": lambda order, x: mp.psi(int(order), x),
            "LambertW": lambda x, branch=0: mp.lambertw(x, int(branch)),
            "Eq": nearly,
            "Ne": lambda x, y: not nearly(x, y),
            "Lt": lambda x, y: not nearly(x, y) and real(x) < real(y),
            "Le": lambda x, y: nearly(x, y) or real(x) < real(y),
            "Gt": lambda x, y: not nearly(x, y) and real(x) > real(y),
            "Ge": lambda x, y: nearly(x, y) or real(x) > real(y),
            "Not": lambda x: not x,
        }
        constants = {"pi": mp.pi, "E": mp.e, "EulerGamma": mp.euler, "GoldenRatio": mp.phi, "Catalan": mp.catalan}
        constants |= {"I": mp.j, "oo": mp.inf, "-oo": mp.ninf, "true": True, "false": False}

        def worked_out(name, content):
            if name == "number":
                if len(content[0]) == 3:
                    sign, mantissa, exponent = content[0]
                    return mp.ldexp(mp.mpf(-mantissa if sign else mantissa), exponent)
                return mp.mpf(content[0][0]) / content[0][1]
            if name == "symbol":
                at = Fraction(point[content[0]])
                return mp.mpf(at.numerator) / at.denominator
            if name == "constant":
                value = constants[content[0]]
                return value if isinstance(value, bool) else +value
            args = [values[index] for index in content]
            if name == "Piecewise":
                for value, when in zip(args[::2], args[1::2], strict=True):
                    if when or when is None:
                        return value if when else None
                return None
            if name in ("And", "Or") and (name == "Or") in args:
                return name == "Or"
            if None in args:
                raise ValueError
            return name == "And" if name in ("And", "Or") else functions[name](*args)

        values = []
        with mp.workdps(digits + 20):
            noise = mp.mpf(10) ** (10 - mp.dps)
            for name, *content in self._nodes:
                try:
                    value = worked_out(name, content)
                except Exception:  # a pole, say: whatever mpmath raises there
                    value = None
                if isinstance(value, mp.mpc):  # a part that is nothing but rounding
                    across, up = abs(value.real), abs(value.imag)
                    if up <= noise * across:
                        value = value.real
                    elif across <= noise * up:
                        value = mp.mpc(0, value.imag)
                values.append(None if value is not None and value != value else value)
            value = values[-1]
            return value if value is not None and not isinstance(value, bool) and mp.isfinite(value) else None


def _check_unwritten(error):
    """Return the name of the student's function in whose empty place an error arose; empty if it arose elsewhere."""
    import linecache

    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_globals.get("__name__") != "__main__":
        return ""
    code = trace.tb_frame.f_code
    if not linecache.getline(code.co_filename, trace.tb_lineno).lstrip().startswith("raise NotImplementedError"):
        return ""
    name = getattr(code, "co_qualname", code.co_name)  # with the class of a method, from Python 3.11 on
    return code.co_name if "<locals>" in name else name


class _CheckWatch:
    """What a notebook is watched for while a student works in it; nothing where it is graded.

    Two errors say in one sentence what they mean: a function that is not written yet, and a test of a name that is not
    defined. A cell that stopped leaves what an earlier run of it made: tests say so. And where nbgrader validates the
    notebook, which shows failing tests alone, each of them counts the visible points that are left.

    Parameters
    ----------
    shell : InteractiveShell or None
        The notebook's; None for no notebook.

    Attributes
    ----------
    stopped : set of str
        The names whose cell stopped when it last ran, and that are what an earlier run made of them.
    seconds : dict of str to float
        How long each cell computed when it last ran, by its text.
    """

    def __init__(self, shell):
        self.shell, self.stopped, self.seconds = shell, set(), {}
        self._before, self._begun, self._lost = {}, 0.0, 0
        if shell is None:
            return
        earlier = getattr(shell, "_check_watch", None)  # this cell may run again
        if earlier is not None:
            self.stopped, self.seconds = earlier.stopped, earlier.seconds
            shell.events.unregister("pre_run_cell", earlier.before)
            shell.events.unregister("post_run_cell", earlier.after)
        shell._check_watch = self
        shell.events.register("pre_run_cell", self.before)
        shell.events.register("post_run_cell", self.after)
        shell.set_custom_exc((NameError, NotImplementedError), self.show)

    def before(self, info):
        """Note what the names that a cell sets are before it runs, and when it begins."""
        import re
        import time

        set_there = re.findall(r"^(?:def|class) +(\w+)|^(\w+) *(?::[^=\n]*)?=(?!=)", info.raw_cell, re.MULTILINE)
        names = {defined or assigned for defined, assigned in set_there}
        self._before = {name: self.shell.user_ns[name] for name in names if name in self.shell.user_ns}
        self._begun = time.process_time()

    def after(self, result):
        """Note how long it took, and which of them a cell that stopped has left as they were."""
        import os
        import time

        self.seconds[result.info.raw_cell.rstrip()] = time.process_time() - self._begun
        for name, value in self._before.items():
            if not result.success and self.shell.user_ns.get(name) is value:
                self.stopped.add(name)
            else:
                self.stopped.discard(name)
        if not result.success and os.environ.get("NBGRADER_VALIDATING"):
            self._count(result.info.raw_cell)

    def show(self, shell, kind, error, trace, tb_offset=None):
        """Show an error: in one sentence, if it has a plain reason."""
        frame = trace
        while frame.tb_next is not None:
            frame = frame.tb_next
        place, unwritten, text = frame.tb_frame.f_code.co_name, _check_unwritten(error), ""
        if unwritten == "<module>":
            text = "Nothing is written in this cell yet."
        elif unwritten:
            text = f"{unwritten} is not written yet."
        elif kind is NameError and place == "test_of_this_cell":
            text = f"{error.name} is not defined yet: write it in its cell, and run that cell."
        if text:
            error._render_traceback_ = lambda: [f"{kind.__name__}: {text}"]
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)

    def _count(self, test):
        """Write below a failing test how many visible points are left."""
        import json
        import sys
        from pathlib import Path

        for path in sorted(Path().glob("*.ipynb")):
            points = {}
            try:
                for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                    source, marks = "".join(cell["source"]).rstrip(), cell["metadata"].get("nbgrader", {})
                    if marks.get("grade") and not marks["solution"] and not source.startswith("# Hidden test"):
                        points[source] = marks["points"]
            except (OSError, ValueError, LookupError, TypeError):  # some other file
                continue
            if lost := points.get(test.rstrip()):
                self._lost += lost
                most = sum(points.values())
                # nbgrader shows what a failing test wrote there.
                print(
                    f"Visible points: {most - self._lost:g} of {most:g}, unless a test below fails, too.",
                    file=sys.stderr,
                )
                return

    def say(self, name):
        """Say of a name in a test's words that the test judges what an earlier run made of it."""
        import re

        for word in sorted(self.stopped & set(re.findall(r"\w+", name))):
            print(
                f"Note: the cell of {word} stopped when it last ran. This test judges what an earlier run made of {word}."
            )


def _check_notebook():
    """Return the shell of a student's notebook; None where it is graded, or where there is none."""
    import os
    import sys

    if os.environ.get("NBGRADER_EXECUTION") == "autograde" or "IPython" not in sys.modules:
        return None
    return sys.modules["IPython"].get_ipython()


_check_watch = _CheckWatch(_check_notebook())
