"""The student's names as test cells see them: data are copied, anything else is a `Remote`.

A `Remote` forwards calls, attributes and operators to the student's process and computes nothing itself.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import math
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.common.answer_digest import canonical
from autograder.engine.shared.wire import (
    Connection,
    ConnectionEndedError,
    DeadlineError,
    Decoder,
    EncodeError,
    Encoder,
    WireError,
)

#: Seconds of processor time beyond its limit in which a call may stop by itself before it is abandoned.
GRACE = 2.0
#: How many times longer than here the student's process may take to write a value.
WRITING = 4.0
#: Maximum calls back to a test's function within one call of a student's function.
MAX_CALLBACKS = 100_000
#: Maximum kinds of objects, and of errors, in a submission: each creates a class here, which stays.
MAX_KINDS = 1_000
#: Maximum characters of a test cell's answers that count for a diagnosis.
MAX_RECORDED = 4_000_000


class Remote:
    """An object that lives in the student's process. Calls, attributes and operators are forwarded."""

    __slots__ = ("_service", "_number", "_role")

    def __init__(self, service: Snapshot, number: int):
        object.__setattr__(self, "_service", service)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_role", "")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it there."""
        return _with_role(self._service.call(self, args, kwargs), "operand" if self._role == "maker" else "")

    def _count_steps(self, args: list) -> tuple[Any, int, bool]:
        """Call it there; return its value, the Python lines and calls it took, and whether counting was undisturbed."""
        answer = self._service.ask("count", function=self, args=list(args))
        if type(answer) is not tuple or len(answer) != 3 or type(answer[1]) is not int or type(answer[2]) is not bool:
            raise TypeError("the steps could not be counted")
        return answer

    def _cpu_seconds(self, args: list) -> tuple[Any, float]:
        """Call it there; return its value, and the processor time that its processes took, measured from outside."""
        before = self._service.processor()
        held = self._service.ask("hold", function=self, args=list(args))
        held_at = self._service.processor()
        value = self._service.ask("release", held=held)
        # Only now is the value serialised: a long list of numbers takes longer to write than to compute. Anything
        # beyond a small multiple of the writing time is computation that the answer postponed.
        late = self._service.processor() - held_at - WRITING * _seconds_to_write(value)
        seconds = held_at - before + max(0.0, late)
        if not math.isfinite(seconds):
            raise TimeoutError("the submission slept for too long")
        self._service.measured[str(len(self._service.measured))] = seconds
        return value, seconds

    def _reference_cpu(self) -> float | None:
        """Return the reference solution's time in the same run for the last call measured, if known."""
        return self._service.reference.get(str(len(self._service.measured) - 1))

    def __getattr__(self, name: str) -> Any:
        # NumPy and copy look for protocols; a student's object supports none of them here.
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        value = self._service.ask("attribute", of=self, name=name)
        return _with_role(value, "maker" if self._role == "operand" else "")

    def __setattr__(self, name: str, value: Any) -> None:
        self._service.ask("set", of=self, name=name, value=value)

    def __repr__(self) -> str:
        try:
            return str(self._service.ask("operate", name="repr", args=[self]))
        except Exception as error:
            return f"<an object whose repr raises {type(error).__name__}>"

    __str__ = __repr__

    def __copy__(self) -> Remote:
        return self

    def __deepcopy__(self, memo: dict) -> Remote:
        return self

    def __hash__(self) -> int:
        return hash((id(self._service), self._number))

    def __iter__(self) -> Any:
        return self._service.ask("operate", name="iter", args=[self])

    def __next__(self) -> Any:
        return self._service.ask("operate", name="next", args=[self])

    def __getitem__(self, key: Any) -> Any:
        return self._service.ask("operate", name="getitem", args=[self, key])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._service.ask("operate", name="setitem", args=[self, key, value])

    def __eq__(self, other: object) -> bool:
        # An object that answered for itself could claim to equal everything.
        return isinstance(other, Remote) and (self._service, self._number) == (other._service, other._number)

    def __bool__(self) -> bool:
        raise TypeError(f"a {type(self).__name__} is neither true nor false; a bool was expected")

    def __len__(self) -> int:
        return self._service.number("len", self, int)

    def __int__(self) -> int:
        return self._service.number("int", self, int)

    def __index__(self) -> int:
        return self._service.number("index", self, int)

    def __float__(self) -> float:
        return self._service.number("float", self, float)

    def __complex__(self) -> complex:
        return self._service.number("complex", self, complex)


def _seconds_to_write(value: Any) -> float:
    """Return the processor time that it takes here to write a value as the student's process does.

    Numbers are written as floats in an array or list: an answer could hide work behind forms that are slow to write.
    """
    value = _as_floats(value)
    begin = time.process_time()
    with contextlib.suppress(EncodeError):
        json.dumps(Encoder(lambda _: None).encode(value))
    return time.process_time() - begin


def _as_floats(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_as_floats, value))
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        if isinstance(value, list):
            return np.asarray(value, dtype=float).tolist()
        if isinstance(value, np.ndarray):
            return np.asarray(value, dtype=float)
    return None


def _with_role(value: Any, role: str) -> Any:
    """Record what a test may do with a student's object.

    A ``maker`` is a class named in the cell's metadata, or a method of its instances: it returns an ``operand``, whose
    operators accept the test's numbers. Other objects accept none.
    """
    if role and isinstance(value, Remote):
        object.__setattr__(value, "_role", role)
    return value


def _forward(name: str, reflected: bool = False) -> Any:
    def method(self: Remote, *others: Any) -> Any:
        # The other operand goes to the student's process. Unless the test gives it as input, it may be the expected
        # value: `received - expected` must not send it there.
        if self._role != "operand" and not all(isinstance(other, Remote) for other in others):
            raise TypeError(f"unsupported operand type(s) for {name}: a {type(self).__name__} is not a number")
        args = [*others, self] if reflected else [self, *others]
        result = self._service.ask("operate", name=name, args=args)
        # A number could be forged: `abs(answer - right) < 1e-9` must not let the answer decide.
        if not isinstance(result, Remote):
            raise TypeError(f"{name} of a {type(self).__name__} gave a {type(result).__name__}")
        return _with_role(result, self._role)

    return method


for _name in ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"]:
    _operation = {"and": "and_", "or": "or_"}.get(_name, _name)
    setattr(Remote, f"__{_name}__", _forward(_operation))
    setattr(Remote, f"__r{_name}__", _forward(_operation, reflected=True))
for _name in ["neg", "pos", "abs", "invert"]:
    setattr(Remote, f"__{_name}__", _forward(_name))
# In an operator with such an object, an array defers to the object as a whole, not element by element.
Remote.__array_ufunc__ = None


class Snapshot:
    """One snapshot of the student's process, as the test cells of one group see it.

    Parameters
    ----------
    connection : Connection
        The connection to the snapshot.
    processor : callable
        Returns the seconds of processor time that the submission's processes have taken, as counted from outside. Its
        argument says whether the examiner has only waited since it last asked.
    patience : float
        How long a call may take on the clock, as a multiple of its limit on processor time.
    """

    def __init__(self, connection: Connection, processor: Callable[..., float], patience: float):
        self.connection, self.processor, self.patience = connection, processor, patience
        self.count = 0
        self.lost = ""
        self.doubtful = False
        #: Whether the notebook had threads, which this snapshot lacks; and whether it then did not answer in time.
        self.threads = self.stranded = False
        self.types: dict[str, type] = {}
        self.errors: dict[tuple, type] = {}
        self.begin(0.0, False, frozenset(), {}, 0.0)

    def begin(
        self, seconds: float, observe: bool, operands: frozenset[str], reference: dict[str, float], clock: float
    ) -> None:
        """Prepare for a test cell.

        Parameters
        ----------
        seconds : float
            The processor time for all its calls together.
        observe : bool
            Whether it sees what a call does to its arguments.
        operands : frozenset of str
            Names of the student's classes whose instances accept the test's numbers as operands.
        reference : dict of str to float
            What the measured calls took in the reference solution.
        clock : float
            Seconds on the clock that the whole submission has left.
        """
        # Processor time decides, since other processes cannot use it up; the clock is only a backstop. All calls of a
        # test share one deadline: otherwise each could wait a little, and together they would outlast the examiner.
        self.until = time.monotonic() + min(self.patience * seconds, clock) + GRACE
        self.left, self.observe, self.operands, self.reference = seconds, observe, operands, reference
        self.callbacks: dict[int, Any] = {}
        self.behaviour: list[str] = []
        self.measured: dict[str, float] = {}
        self.recorded = 0

    def fetch(self, name: str) -> Any:
        """Return the value of a global name of the notebook.

        Raises
        ------
        NameError
            The notebook does not define it.
        """
        return _with_role(self.ask("get", name=name), "maker" if name in self.operands else "")

    def call(self, function: Remote, args: tuple, kwargs: dict) -> Any:
        """Call one of the student's functions."""
        return self.ask("call", function=function, args=list(args), kwargs=kwargs, _observed=args)

    def number(self, operation: str, of: Remote, kind: type) -> Any:
        """Return the result of `len`, `int`, …."""
        value = self.ask("operate", name=operation, args=[of])
        if type(value) is not kind:
            raise TypeError(f"{operation}() did not give a value of type {kind.__name__}")
        return value

    def ask(self, operation: str, *, _observed: tuple | None = None, **fields: Any) -> Any:
        """Send one request; return its result, or raise the error that it raised."""
        if self.lost:
            raise RuntimeError(self.lost)
        self.count += 1
        number, left = self.count, self.left
        encoder = Encoder(self._refer)
        request: dict[str, Any] = {"id": number, "op": operation, "seconds": self.left}
        for name, value in fields.items():
            request[name] = value if name == "name" else encoder.encode(value)
        if _observed is not None and self.observe:
            request["observe"] = True
        try:
            self.connection.send(request, encoder.buffers, self.until)
            reply, buffers = self._reply(self.until)
            if not isinstance(reply, dict) or reply.get("id") != number:
                raise WireError("an answer is out of order")
            used = reply.get("used")
            if type(used) is float and used > 0:
                self.left = left - used  # which includes what calls within this one used
            value = self._understand(reply, buffers, _observed if "observe" in request else None)
            if self.recorded < MAX_RECORDED:
                # For counted steps, only the value: other Python versions count differently for the same answer.
                self.behaviour.append(canonical(value[:1] if operation == "count" and type(value) is tuple else value))
                self.recorded += len(self.behaviour[-1])
            return value
        except DeadlineError:
            self.lost = "an earlier call did not end in time, so the tests after it could not run"
            self.stranded = self.threads
            self.connection.close()
            raise TimeoutError("the time limit is over; look for an infinite loop") from None
        except WireError as error:
            self.lost = "the Python process ended or sent an invalid answer during an earlier test"
            self.connection.close()
            # It may have been ended from outside, for example by a machine short of memory.
            self.doubtful |= isinstance(error, ConnectionEndedError)
            what = (
                "the Python process ended"
                if isinstance(error, ConnectionEndedError)
                else f"the answer is unusable: {error}"
            )
            raise RuntimeError(what) from None

    def _reply(self, until: float) -> tuple[dict, list]:
        for _ in range(MAX_CALLBACKS):
            reply, buffers = self._receive(until)
            if not (isinstance(reply, dict) and "callback" in reply):
                return reply, buffers
            self._call_back(reply, buffers, until)
        raise WireError("too many calls to a test's function")

    def _receive(self, until: float) -> tuple[dict, list]:
        """Wait for a frame while the submission has processor time left."""
        begin = None
        while True:
            try:
                return self.connection.receive(min(until, time.monotonic() + 1.0))
            except DeadlineError:
                if time.monotonic() >= until:
                    self.doubtful = True
                    raise
                used = self.processor(begin is not None)
                begin = used if begin is None else begin
                # The grader reports infinity if the submission has slept too long.
                if used == math.inf or used - begin > max(self.left, 0.0) + GRACE:
                    raise

    def _call_back(self, request: dict, buffers: list, until: float) -> None:
        """Call one of the test's functions on behalf of the student's function."""
        function = self.callbacks.get(request["callback"]) if type(request["callback"]) is int else None
        if function is None:
            raise WireError("a call to a function that was never passed")
        decoder = Decoder(buffers, self._resolve)
        args, kwargs = decoder.decode(request.get("args")), decoder.decode(request.get("kwargs"))
        if type(args) is not list or type(kwargs) is not dict:
            raise WireError("a malformed call")
        encoder = Encoder(self._refer)
        try:
            answer = {"value": encoder.encode(function(*args, **kwargs))}
        except WireError:
            raise
        except Exception as error:
            kind = next((kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"), "Exception")
            answer, encoder = {"raised": {"kind": kind, "text": str(error)[:1000]}}, Encoder(self._refer)
        self.connection.send(answer, encoder.buffers, until)

    def _understand(self, reply: dict, buffers: list, observed: tuple | None) -> Any:
        for entry in _list_of(reply.get("warnings"), 100):
            kind, text = _texts(entry, 2)
            category = getattr(builtins, kind, None)
            if not (isinstance(category, type) and issubclass(category, Warning)):
                category = UserWarning
            warnings.warn_explicit(text[:1000], category, "<notebook>", 1)
        for entry in _list_of(reply.get("printed"), 1000):
            name, text = _texts(entry, 2)
            print(text[:20_000], end="", file=_stream(name))
        if "raised" in reply:
            raised = reply["raised"]
            if not isinstance(raised, dict):
                raise WireError("a malformed error")
            kinds = _texts(raised.get("kinds"), None)
            (text,) = _texts([raised.get("text")], 1)
            error = self._error(kinds[:20])(text[:10_000])
            error.from_submission = True
            (line,) = _texts([raised.get("line", "")], 1)
            error.line_of_submission = " ".join(line[:120].split())
            self.behaviour.append(f"raises {type(error).__name__}")
            raise error
        decoder = Decoder(buffers, self._resolve)
        value = decoder.decode(reply.get("value"))
        if observed is not None:
            after = decoder.decode(reply.get("arguments"))
            if type(after) is not list or len(after) != len(observed):
                raise WireError("malformed arguments")
            for mine, theirs in zip(observed, after, strict=True):
                _overwrite(mine, theirs)
        return value

    def _error(self, kinds: list[str]) -> type[Exception]:
        """Return a class with the name of the student's that derives from its nearest built-in exception."""
        base: type[Exception] = Exception
        for kind in kinds:
            found = getattr(builtins, kind, None)
            if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, Warning):
                base = found
                break
        name = kinds[0][:100] if kinds else "Exception"
        # Replace classes that need more than a text, or that have a meaning for the code that runs the test.
        if issubclass(base, UnicodeError | BaseExceptionGroup):
            base = ValueError
        if base.__name__ == name:
            return base
        if (name, base) not in self.errors and len(self.errors) >= MAX_KINDS:
            return base
        return self.errors.setdefault((name, base), type(name, (base,), {"__module__": "notebook"}))

    def _refer(self, value: Any) -> dict:
        """Encode a reference to something on this side."""
        if isinstance(value, Remote):
            return {"object": value._number}
        if isinstance(value, np.random.Generator):
            state = value.bit_generator.state
            return {"generator": state["bit_generator"], "state": Encoder(self._refer).encode(state)}
        if isinstance(value, np.ufunc) and getattr(np, value.__name__, None) is value:
            return {"numpy": value.__name__}
        if isinstance(value, type) and issubclass(value, np.generic):
            return {"numpy": value.__name__}
        if callable(value):
            number = len(self.callbacks) + 1
            self.callbacks[number] = value
            # Not its own name: that would tell a student's test which candidates are wrong.
            return {"callback": number, "name": "function"}
        raise EncodeError(f"a test cannot pass a value of type {type(value).__name__}")

    def _resolve(self, node: dict) -> Any:
        """Return what a reference from the student's process refers to."""
        if "yours" in node and type(node["yours"]) is int and node["yours"] in self.callbacks:
            return self.callbacks[node["yours"]]
        if type(node.get("object")) is int and isinstance(node.get("type"), str):
            if node.get("module"):
                raise NameError("modules are not passed between processes; a test cell imports what it uses")
            name = node["type"][:100]
            if name not in self.types and len(self.types) >= MAX_KINDS:
                raise WireError("too many kinds of objects")
            kind = self.types.setdefault(name, type(name, (Remote,), {"__slots__": ()}))
            return kind(self, node["object"])
        raise WireError("a malformed reference")


def _list_of(content: Any, most: int) -> list:
    if content is None:
        return []
    if not isinstance(content, list) or len(content) > most:
        raise WireError("a malformed answer")
    return content


def _texts(content: Any, count: int | None) -> list[str]:
    good = isinstance(content, list) and all(isinstance(part, str) for part in content)
    if not good or (count is not None and len(content) != count):
        raise WireError("a malformed answer")
    return content


def _stream(name: str) -> Any:
    return sys.stderr if name == "stderr" else sys.stdout


def _overwrite(mine: Any, theirs: Any) -> None:
    """Give a mutable argument the contents that it has in the student's process after the call."""
    if isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray):
        # Its memory never moves: other arrays in the test may be views of it.
        if mine.shape != theirs.shape:
            if mine.size != theirs.size or not mine.flags.c_contiguous:
                raise TypeError("the call changed the size of an argument")
            mine.shape = theirs.shape
        if mine.flags.writeable:
            mine[...] = theirs
    elif isinstance(mine, list) and isinstance(theirs, list):
        if len(mine) == len(theirs) and any(isinstance(part, list | np.ndarray) for part in mine):
            for inner, other in zip(mine, theirs, strict=True):
                _overwrite(inner, other)
            mine[:] = [
                inner if isinstance(inner, list | np.ndarray | dict) else other
                for inner, other in zip(mine, theirs, strict=True)
            ]
        else:
            mine[:] = theirs
    elif isinstance(mine, dict) and isinstance(theirs, dict):
        mine.clear()
        mine.update(theirs)
