"""Answers the examiner: looks up the notebook's names, calls functions, reads attributes."""

from __future__ import annotations

import _posixsubprocess
import _thread
import builtins
import contextlib
import importlib
import inspect
import linecache
import operator
import os
import signal
import sys
import time
import warnings
from typing import Any

from autograder.engine.shared.wire import Connection, ConnectionEndedError, Decoder, EncodeError, Encoder, WireError
from autograder.engine.student.display import Collector, Stream
from autograder.engine.student.kernel import text_of

#: Maximum warnings, and characters of output, that one function call returns.
MAX_WARNINGS, MAX_TEXT = 20, 10_000


class CellTimeoutError(BaseException):
    """A cell or a call is out of time. Not an Exception, so that `except Exception` does not swallow it."""


class Service:
    """Answers the examiner from a notebook's names.

    Parameters
    ----------
    names : dict
        The notebook's global names.
    examiner : Connection
        The connection to the examiner.
    """

    def __init__(self, names: dict, examiner: Connection):
        self.names, self.examiner = names, examiner
        self.objects: dict[int, Any] = {}
        self._collector = Collector(MAX_TEXT)
        self._streams = Stream("stdout", self._collector), Stream("stderr", self._collector)
        self._given: list = []
        warnings.simplefilter("always")
        warnings.showwarning = self._warned
        self._filters = list(warnings.filters)

    def _warned(self, message: Warning, category: type, *_: Any) -> None:
        if len(self._given) < MAX_WARNINGS:
            self._given.append([category.__name__, text_of(message)[:300]])

    def serve(self) -> None:
        """Serve until the examiner disconnects."""
        while True:
            try:
                request, buffers = self.examiner.receive()
            except ConnectionEndedError:
                return
            self._answer(request, buffers)

    def _answer(self, request: dict, buffers: list) -> None:
        reply: dict[str, Any] = {"id": request["id"]}
        encoder = Encoder(self._refer)
        kept = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self._streams
        begin = time.process_time()
        try:
            # Processor time does not advance while other programs have the processor.
            left, repeat = signal.setitimer(signal.ITIMER_PROF, max(0.01, request["seconds"]), 0.5)
            try:
                value, arguments = self._perform(request, buffers)
                reply["value"] = encoder.encode(value)
                if arguments is not None:
                    reply["arguments"] = encoder.encode(arguments)
            finally:
                # A call within a call, through a function of the test: the limit of the outer one goes on.
                left = max(0.01, left - (time.process_time() - begin)) if left else 0
                signal.setitimer(signal.ITIMER_PROF, left, repeat)
        except EncodeError as error:
            reply["raised"] = {"kinds": ["TypeError", "Exception"], "text": f"the result cannot be sent: {error}"}
        except BaseException as error:
            reply["raised"] = _raised(error)
        sys.stdout, sys.stderr = kept
        if "raised" in reply:
            encoder.buffers = []
            reply.pop("value", None)
        reply["used"] = time.process_time() - begin
        if self._given:
            reply["warnings"], self._given = self._given, []
        if warnings.filters != self._filters:  # the next call must not see what this one set
            warnings.filters[:] = self._filters
            warnings.simplefilter("always")
            self._filters = list(warnings.filters)
        if self._collector.outputs:
            written = self._collector.written()
            reply["printed"] = [[output["name"], output["text"]] for output in written if "text" in output]
            self._collector = Collector(MAX_TEXT)
            self._streams = Stream("stdout", self._collector), Stream("stderr", self._collector)
        self.examiner.send(reply, encoder.buffers)

    def _perform(self, request: dict, buffers: list) -> tuple[Any, Any]:
        decoder = Decoder(buffers, self._resolve)
        match request["op"]:
            case "get":
                name = request["name"]
                if name not in self.names:
                    raise NameError(f"name {name!r} is not defined")
                return self.names[name], None
            case "call":
                function = decoder.decode(request["function"])
                args, kwargs = decoder.decode(request["args"]), decoder.decode(request["kwargs"])
                value = function(*args, **kwargs)
                return value, (args if request.get("observe") else None)
            case "count":
                function, args = decoder.decode(request["function"]), decoder.decode(request["args"])
                return _count_steps(function, args), None
            case "hold":
                function, args = decoder.decode(request["function"]), decoder.decode(request["args"])
                return _Held(function(*args)), None
            case "release":
                return decoder.decode(request["held"]).value, None
            case "attribute":
                return getattr(decoder.decode(request["of"]), request["name"]), None
            case "set":
                setattr(decoder.decode(request["of"]), request["name"], decoder.decode(request["value"]))
                return None, None
            case "operate":
                return _OPERATIONS[request["name"]](*decoder.decode(request["args"])), None
        raise ValueError(request["op"])

    def _refer(self, value: Any) -> dict:
        """Encode a reference to an object that stays here."""
        if isinstance(value, _Callback):
            return {"yours": value.number}
        number = len(self.objects) + 1
        self.objects[number] = value
        return {
            "object": number,
            "type": type(value).__name__,
            "callable": callable(value),
            "module": type(value).__name__ == "module",
        }

    def _resolve(self, node: dict) -> Any:
        """Return what a reference from the examiner refers to."""
        if "object" in node:
            return self.objects[node["object"]]
        if "callback" in node:
            return _Callback(self, node["callback"], node["name"])
        if "numpy" in node:
            import numpy

            return getattr(numpy, node["numpy"])
        if "generator" in node:
            import numpy

            generator = numpy.random.Generator(getattr(numpy.random, node["generator"])())
            generator.bit_generator.state = Decoder([], self._resolve).decode(node["state"])
            return generator
        raise WireError("unknown reference")


def _count_steps(function: Any, args: list) -> tuple[Any, int, bool]:
    """Call the function and count the Python lines and calls that this takes.

    Returns
    -------
    tuple of (object, int, bool)
        Its value, the steps, and whether counting was undisturbed: no other hook, thread or process.
    """
    steps, disturbed = 0, False

    def line(frame: Any, event: str, argument: Any) -> Any:
        nonlocal steps
        steps += event in ("call", "line")
        return line

    def called(frame: Any, event: str, argument: Any) -> None:
        nonlocal disturbed
        # Code that switches counting off, or works in another thread or process, escapes it.
        if event == "c_call":
            disturbed |= argument in _UNCOUNTED and frame.f_code is not own
        elif event == "return" and frame.f_code is not own:
            disturbed |= frame.f_trace is not line or not frame.f_trace_lines

    own = sys._getframe().f_code
    sys.setprofile(called)
    sys.settrace(line)
    try:
        value = function(*args)
    finally:
        disturbed |= sys.gettrace() is not line
        sys.settrace(None)
        sys.setprofile(None)
    return value, steps, not disturbed


_UNCOUNTED = {
    sys.settrace,
    sys.setprofile,
    os.fork,
    os.posix_spawn,
    _thread.start_new_thread,
    _posixsubprocess.fork_exec,
}
_UNCOUNTED |= {getattr(_thread, name) for name in ("start_joinable_thread",) if hasattr(_thread, name)}
# Python 3.12 and later.
_UNCOUNTED |= {getattr(sys, name) for name in ("_settraceallthreads", "_setprofileallthreads") if hasattr(sys, name)}
# Other interpreters in this process, whose module changed its name in Python 3.13.
for _name in ("_interpreters", "_xxsubinterpreters"):
    with contextlib.suppress(ImportError):
        _UNCOUNTED |= {value for value in vars(importlib.import_module(_name)).values() if inspect.isbuiltin(value)}


class _Held:
    """A value that stays here until it is requested."""

    def __init__(self, value: Any):
        self.value = value


class _Callback:
    """A test's function that a student's function may call."""

    def __init__(self, service: Service, number: int, name: str):
        self.service, self.number = service, number
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        encoder = Encoder(self.service._refer)
        arguments, named = encoder.encode(list(args)), encoder.encode(kwargs)
        self.service.examiner.send({"callback": self.number, "args": arguments, "kwargs": named}, encoder.buffers)
        while True:
            reply, buffers = self.service.examiner.receive()
            if "op" not in reply:
                break
            self.service._answer(reply, buffers)  # the test's function uses one of the student's
        if "raised" in reply:
            raise getattr(builtins, reply["raised"]["kind"], Exception)(reply["raised"]["text"])
        return Decoder(buffers, self.service._resolve).decode(reply["value"])


def _raised(error: BaseException) -> dict:
    kinds = [kind.__name__ for kind in type(error).__mro__]
    if isinstance(error, CellTimeoutError):
        kinds = ["TimeoutError", "Exception"]
    return {"kinds": kinds[:12], "text": text_of(error)[:MAX_TEXT], "line": _line_of(error)}


def _line_of(error: BaseException) -> str:
    """Return the notebook's line in which an error arose, or an empty text, so that a message can show it."""
    line = ""
    with contextlib.suppress(Exception):  # what the error consists of is the student's
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals.get("__name__") == "__main__":
                line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno).strip() or line
            trace = trace.tb_next
    return line[:120]


_OPERATIONS = {
    name: getattr(operator, name)
    for name in [
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "matmul",
        "neg",
        "pos",
        "abs",
        "invert",
        "getitem",
        "setitem",
        "and_",
        "or_",
        "xor",
        "index",
    ]
} | {"len": len, "iter": iter, "next": next, "float": float, "int": int, "complex": complex, "repr": repr}
