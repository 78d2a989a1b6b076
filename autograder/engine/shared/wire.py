"""The messages between the examiner and a student's process: frames of JSON and raw buffers, nothing executable.

A frame is a header with two lengths, a JSON document, and the bytes of the arrays that it mentions. Both ends use this
module, and each treats what it receives as data: whatever the other end sends, a decoder builds only values of the
types listed here.
"""

from __future__ import annotations

import decimal
import fractions
import itertools
import json
import math
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.engine.shared import expressions

#: Maximum bytes of one frame: its JSON, and all its arrays together. The largest honest argument of a test has some ten
#: million numbers.
MAX_JSON_BYTES = 32_000_000
MAX_BUFFER_BYTES = 256_000_000
#: Maximum levels of nesting. Both ends refuse a deeper value long before Python's own limit.
MAX_DEPTH = 40
#: Maximum digits of an integer or an expression: converting more would take longer than any test.
MAX_DIGITS = 4_000

_HEADER = struct.Struct("!QQ")
_encode = json.JSONEncoder(separators=(",", ":")).encode
#: Bytes to send or request in one call: most frames are shorter.
_TOGETHER = 1 << 16
#: From this length, lists of numbers of one of these types cross as arrays: node by node would take longer than most
#: computations.
_MANY = 64
_PACKED = {"float": (float, "<f8"), "int": (int, "<i8"), "float64": (np.float64, "<f8"), "int64": (np.int64, "<i8")}
_PACKED_NAMES = {kind: name for name, (kind, _) in _PACKED.items()}
#: Kinds of array that can cross: boolean, integer, unsigned, float, complex, text, bytes, times.
_KINDS = "biufcUSmM"


class WireError(Exception):
    """The other end sent something other than a frame, or closed the connection."""


class ConnectionEndedError(WireError):
    """The other end has closed the connection."""


class DeadlineError(WireError):
    """The other end did not answer in time."""


class EncodeError(ValueError):
    """A value cannot be sent."""


class Connection:
    """One end of a socket that carries frames.

    Parameters
    ----------
    end : socket.socket
        A connected stream socket; the connection owns it.
    most, most_buffers : int
        Maximum bytes of JSON, and of arrays, in a received frame.
    """

    def __init__(self, end: socket.socket, most: int = MAX_JSON_BYTES, most_buffers: int = MAX_BUFFER_BYTES):
        self.socket, self.most, self.most_buffers = end, most, most_buffers
        self._received = bytearray()  # the next frame so far, and any bytes after it
        self._slice = 0.0
        end.settimeout(None)

    def send(self, message: Any, buffers: list = (), deadline: float | None = None) -> None:
        """Send one frame.

        Parameters
        ----------
        message : object
            What `json.dumps` accepts.
        buffers : list of bytes-like
            The arrays' bytes, in the order in which the message mentions them.
        deadline : float, optional
            Time on the monotonic clock at which to give up.

        Raises
        ------
        WireError
            The other end is gone or does not read.
        """
        lengths = [len(part) for part in buffers]
        document = _encode([message, lengths]).encode()
        size = sum(lengths)
        parts = [_HEADER.pack(len(document), size) + document, *buffers]
        if size <= _TOGETHER:
            parts = [b"".join(parts)]
        for part in parts:
            view, sent = memoryview(part), 0
            while sent < len(view):
                self._wait_until(deadline)
                try:
                    sent += self.socket.send(view[sent:])
                except BlockingIOError:
                    if deadline is not None and time.monotonic() >= deadline:
                        raise DeadlineError("the other end does not read") from None
                except OSError:
                    raise ConnectionEndedError("the other end is gone") from None

    def receive(self, deadline: float | None = None) -> tuple[Any, list[memoryview]]:
        """Wait for one frame. After a DeadlineError, another call continues with the same frame.

        Returns
        -------
        tuple of (object, list of memoryview)
            The message and its buffers.

        Raises
        ------
        DeadlineError, ConnectionEndedError, WireError
            No frame in time, no more frames, or not a frame.
        """
        self._fill(_HEADER.size, deadline)
        size, buffer_size = _HEADER.unpack_from(self._received)
        if size > self.most or buffer_size > self.most_buffers:
            raise WireError("a message is too large")
        begin = _HEADER.size + size
        end = begin + buffer_size
        self._fill(end, deadline)
        frame, self._received = self._received, self._received[end:]
        buffers = memoryview(frame)[begin:end]
        try:
            message, lengths = json.loads(frame[_HEADER.size : begin])
            total = 0
            parts = []
            for length in lengths:
                if type(length) is not int or length < 0:
                    raise ValueError
                parts.append(buffers[total : total + length])
                total += length
            if total != buffer_size:
                raise ValueError
        except (ValueError, TypeError, RecursionError, MemoryError):
            raise WireError("a message is malformed") from None
        return message, parts

    def close(self) -> None:
        """Close this end."""
        self.socket.close()

    def _wait_until(self, deadline: float | None) -> None:
        """Have the kernel end a call after a second, or sooner near the deadline: most calls need no new setting."""
        left = math.inf if deadline is None else deadline - time.monotonic()
        wait = 0.0 if deadline is None else 1.0 if left > 0.5 else max(0.001, left)
        if wait != self._slice:
            seconds = struct.pack("ll", int(wait), int(1_000_000 * (wait % 1)))
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                self.socket.setsockopt(socket.SOL_SOCKET, option, seconds)
            self._slice = wait

    def _fill(self, count: int, deadline: float | None) -> None:
        """Receive until this many bytes have arrived. The buffer grows with the data, whatever a header claims."""
        while len(self._received) < count:
            self._wait_until(deadline)
            try:
                part = self.socket.recv(min(max(count - len(self._received), _TOGETHER), 1 << 20))
            except BlockingIOError:
                part = None
            except OSError:
                raise ConnectionEndedError("the other end is gone") from None
            if part == b"":
                raise ConnectionEndedError("the other end is gone")
            self._received += part or b""
            if deadline is not None and time.monotonic() > deadline:
                raise DeadlineError("no answer in time")


# ---- values


class Encoder:
    """Turns values into JSON nodes and buffers for a frame.

    Parameters
    ----------
    other : callable
        Given a value of a type not listed here, returns its JSON node (a reference) or raises EncodeError.
    """

    def __init__(self, other: Callable[[Any], Any]):
        self.other = other
        self.buffers: list = []

    def encode(self, value: Any, depth: int = 0) -> Any:
        """Return the JSON node of a value; arrays' bytes are added to `buffers`."""
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if kind is float or kind is str:
            return _text(value) if kind is str else value
        if kind is int:
            return value if -(2**62) < value < 2**62 else _big_integer(value)
        if depth > MAX_DEPTH:
            raise EncodeError(f"the value is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value, depth)
        if kind is list and len(value) >= _MANY and (packed := self._packed(value)) is not None:
            return packed
        for base, tag in _CONTAINERS:
            if isinstance(value, base):
                return {tag: [self.encode(item, depth + 1) for item in base.__iter__(value)]}
        if isinstance(value, dict):
            items = dict.items(value)
            return {"dict": [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in items]}
        if isinstance(value, str):
            return _text(str.__str__(value))
        if isinstance(value, int):  # a subclass, such as IntEnum
            return self.encode(int.__index__(value))
        if isinstance(value, float):
            return float.__float__(value)
        if kind is complex:
            return {"complex": [value.real, value.imag]}
        if kind is bytes:
            self.buffers.append(value)
            return {"bytes": len(self.buffers) - 1}
        if kind is range:
            return {"range": [self.encode(part) for part in (value.start, value.stop, value.step)]}
        if kind is slice:
            return {"slice": [self.encode(part, depth + 1) for part in (value.start, value.stop, value.step)]}
        if value is Ellipsis or value is NotImplemented:
            return {"constant": repr(value)}
        if kind is fractions.Fraction:
            return {"fraction": [self.encode(value.numerator), self.encode(value.denominator)]}
        if kind is decimal.Decimal:
            return {"decimal": str(value)}
        expression = expressions.encode(value)
        return self.other(value) if expression is None else expression

    def _array(self, value: np.ndarray | np.generic, depth: int) -> Any:
        array = np.asarray(value)
        tag = "scalar" if isinstance(value, np.generic) else "array"
        if array.dtype == object:
            items = [self.encode(item, depth + 1) for item in array.ravel().tolist()]
            return {"objects": items, "shape": list(array.shape)}
        if array.dtype.kind not in _KINDS:
            return self.other(value)
        self.buffers.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.size else b"")
        return {tag: array.dtype.str, "shape": list(array.shape), "buffer": len(self.buffers) - 1}

    def _packed(self, value: list) -> Any:
        """Return the node of a list of numbers of one type, or of equally long lists of them; else None."""
        items, shape, kinds = value, [len(value)], set(map(type, value))
        if kinds == {list} and len({*map(len, value)}) == 1:
            items, shape = list(itertools.chain.from_iterable(value)), [len(value), len(value[0])]
            kinds = set(map(type, items))
        name = _PACKED_NAMES.get(next(iter(kinds))) if len(kinds) == 1 else None
        if name is None:
            return None
        try:
            array = np.array(items, dtype=_PACKED[name][1])
        except OverflowError:  # an integer of more than 64 bits
            return None
        self.buffers.append(array.view(np.uint8).data)
        return {"packed": name, "shape": shape, "buffer": len(self.buffers) - 1}


_CONTAINERS = [(list, "list"), (tuple, "tuple"), (set, "set"), (frozenset, "frozenset")]


def _text(value: str) -> str:
    # A lone surrogate is valid in a Python string, but not in UTF-8.
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _big_integer(value: int) -> dict:
    if value.bit_length() > 3.3 * MAX_DIGITS:
        raise EncodeError(f"the integer has more than {MAX_DIGITS} digits")
    return {"int": hex(value)}


class Decoder:
    """Turns a frame's JSON nodes and buffers into values.

    Parameters
    ----------
    buffers : list of memoryview
        The frame's arrays.
    other : callable
        Given a JSON node with a tag not listed here, returns its value or raises WireError.
    """

    def __init__(self, buffers: list[memoryview], other: Callable[[dict], Any]):
        self.buffers = buffers
        self.other = other

    def decode(self, node: Any, depth: int = 0) -> Any:
        """Return the value of a JSON node.

        Raises
        ------
        WireError
            The node is malformed.
        """
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if depth > MAX_DEPTH + 2 or not isinstance(node, dict) or not node:
            raise WireError("a value is malformed")
        try:
            return self._tagged(next(iter(node)), node, depth)
        except WireError:
            raise
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, ArithmeticError, RecursionError):
            raise WireError("a value is malformed") from None

    def _tagged(self, tag: str, node: dict, depth: int) -> Any:
        content = node[tag]
        if tag in _MAKE:
            return _MAKE[tag](self.decode(item, depth + 1) for item in _list(content))
        if tag == "dict":
            return {self.decode(k, depth + 1): self.decode(v, depth + 1) for k, v in _list(content)}
        if tag in ("array", "scalar"):
            return self._array(tag, node)
        if tag == "packed":
            kind, dtype = _PACKED[content]
            array = np.frombuffer(self.buffers[_integer(node["buffer"])], dtype=dtype).reshape(_shape(node["shape"]))
            if array.ndim not in (1, 2):
                raise ValueError
            if kind in (float, int):
                return array.tolist()
            return list(array) if array.ndim == 1 else [list(row) for row in array]
        if tag == "objects":
            shape = _shape(node["shape"])
            items = [self.decode(item, depth + 1) for item in _list(content)]
            if len(items) != math.prod(shape):
                raise ValueError
            array = np.empty(len(items), dtype=object)
            array[:] = items if items else []
            return array.reshape(shape)
        if tag == "complex":
            real, imaginary = content
            return complex(float(real), float(imaginary))
        if tag == "int":
            if len(content) > 4 * MAX_DIGITS:
                raise ValueError
            return int(content, 16)
        if tag == "bytes":
            return bytes(self.buffers[content])
        if tag == "range":
            return range(*(_integer(self.decode(part)) for part in _list(content)))
        if tag == "slice":
            return slice(*(self.decode(part, depth + 1) for part in _list(content)))
        if tag == "constant":
            return {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}[content]
        if tag == "fraction":
            return fractions.Fraction(*(_integer(self.decode(part)) for part in _list(content)))
        if tag == "decimal":
            if len(content) > MAX_DIGITS:
                raise ValueError
            number = decimal.Decimal(content)
            if number.is_finite() and abs(number.adjusted()) > MAX_DIGITS:
                raise ValueError
            return number
        if tag == "expression":
            return expressions.decode(content)
        if tag == "mpf":
            return expressions.decode_float(content)
        return self.other(node)

    def _array(self, tag: str, node: dict) -> Any:
        if not isinstance(node[tag], str) or len(node[tag]) > 32:
            raise ValueError
        dtype = np.dtype(node[tag])
        if dtype.kind not in _KINDS or dtype.hasobject or dtype.subdtype is not None:
            raise ValueError
        if dtype.kind == "b":  # a byte other than 0 or 1 is not a valid boolean
            flags = np.frombuffer(self.buffers[_integer(node["buffer"])], dtype=np.uint8) != 0
            array = flags.reshape(_shape(node["shape"]))
        else:
            array = np.frombuffer(self.buffers[_integer(node["buffer"])], dtype=dtype)
            # A copy, so that the examiner's arrays are writable and do not keep the frame alive.
            array = array.reshape(_shape(node["shape"])).copy()
        if tag == "array":
            return array
        if array.shape != ():
            raise ValueError
        return array[()]


_MAKE = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def _list(content: Any) -> list:
    if not isinstance(content, list):
        raise ValueError
    return content


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise ValueError
    return value


def _shape(content: Any) -> tuple[int, ...]:
    shape = tuple(_integer(length) for length in _list(content))
    if len(shape) > 32 or any(length < 0 for length in shape):
        raise ValueError
    return shape
