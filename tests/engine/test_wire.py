"""The wire between the processes: values cross unchanged, and nonsense is refused."""

import contextlib
import json
import math
import re
import socket
import struct
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.engine.shared.wire import (
    Connection,
    ConnectionEndedError,
    DeadlineError,
    Decoder,
    EncodeError,
    Encoder,
    WireError,
)


def refuse(value):
    raise EncodeError(type(value).__name__)


def crossed(value):
    encoder = Encoder(refuse)
    node = json.loads(json.dumps(encoder.encode(value)))
    return Decoder([memoryview(bytes(part)) for part in encoder.buffers], refuse).decode(node)


def same(a, b):
    """Whether no test could tell two values apart: equality alone takes True for 1, and 0.0 for -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, a.dtype.kind in "fc")
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) or (a != a and b != b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, True),
        (2, 2.0),
        (0.0, -0.0),
        ([0], [False]),
        ((1,), [1]),
        ({"a": 1}, {"a": 1.0}),
        (0j, complex(0, -0.0)),
        ("1", 1),
    ],
)
def test_equal_values_need_not_be_the_same(a, b):
    assert not same(a, b)
    assert not same({"x": [(a,)]}, {"x": [(b,)]})


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.complex_numbers(allow_nan=False)
values = st.recursive(
    scalars | st.binary() | st.fractions(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_values_cross_unchanged(value):
    assert same(value, crossed(value))


@pytest.mark.parametrize("text", ["half \ud800 a pair", ["\udfff"], {"\ud83d": 1}])
def test_half_a_surrogate_pair_crosses_as_a_question_mark(text):
    assert repr(crossed(text)) == re.sub(r"\\ud[0-9a-f]{3}", "?", repr(text))


@given(hnp.arrays(dtype=hnp.scalar_dtypes(), shape=hnp.array_shapes(min_dims=0, min_side=0)))
def test_arrays_cross_with_their_type_and_shape(array):
    received = crossed(array)
    assert received.dtype == array.dtype
    assert received.shape == array.shape
    assert received.tobytes() == np.ascontiguousarray(array).tobytes()
    assert received.flags.writeable


@pytest.mark.parametrize(
    "value",
    [
        np.float32(1.5), np.int64(-3), np.bool_(True), {1, 2}, frozenset([3]), range(2, 9, 3), slice(1, None), ...,
        Fraction(1, 3), np.array([[1, None], ["a", 2.5]], dtype=object), 10**400, -0.0, {"a": [np.arange(3)]},
    ],
)  # fmt: skip
def test_other_values_cross(value):
    received = crossed(value)
    assert type(received) is type(value)
    assert repr(received) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        [0.1, -0.0, math.nan, math.inf] * 50,
        [1, -(2**62)] * 50,
        [1, 2**70] * 50,
        [True, False] * 50,
        [1, 2.5] * 50,
        [1.0, True] * 50,
        [np.float64(0.1), np.float64(-0.0)] * 50,
        [np.int64(7)] * 99,
        [np.float32(0.1)] * 99,
        [[0.5, 1.5]] * 99,
        [[1, 2, 3]] * 99,
        [[np.float64(1.5)]] * 99,
        [[0.5], [0.5, 1.0]] * 50,
        [[]] * 99,
        [(0.5, 1.0)] * 99,
        [[0.5], 1.0] * 50,
        [[[0.5]]] * 99,
        [None] * 99,
    ],
    ids=str,
)
def test_long_lists_cross_with_the_types_of_their_items(value):
    assert same(crossed(value), value)


@pytest.mark.parametrize(
    "node",
    [
        {"packed": "float", "shape": [3], "buffer": 0},
        {"packed": "float", "shape": [], "buffer": 0},
        {"packed": "float", "shape": [1, 1, 2], "buffer": 0},
        {"packed": "float32", "shape": [2], "buffer": 0},
        {"packed": ["float"], "shape": [2], "buffer": 0},
        {"packed": "float", "shape": [2], "buffer": 1},
        {"packed": "float", "shape": [-1], "buffer": 0},
        {"packed": "float"},
    ],
    ids=str,
)
def test_malformed_lists_are_refused(node):
    with pytest.raises(WireError):
        Decoder([memoryview(bytes(16))], refuse).decode(node)


def test_values_nested_too_deeply_or_too_long_do_not_cross():
    nested = []
    for _ in range(100):
        nested = [nested]
    for value in (nested, 10**5000):
        with pytest.raises(EncodeError):
            crossed(value)


@pytest.mark.parametrize(
    "node",
    [
        [], [1], {}, {"array": "<f8"}, {"array": "O", "shape": [1], "buffer": 0}, {"array": "<f8", "shape": [-1], "buffer": 0},
        {"array": "<f8", "shape": [10**9], "buffer": 0}, {"array": "<f8", "shape": [1], "buffer": 7},
        {"scalar": "<f8", "shape": [1], "buffer": 0}, {"array": "(3,)f8", "shape": [1], "buffer": 0},
        {"array": ["f8"], "shape": [1], "buffer": 0}, {"list": 3}, {"list": {"a": 1}}, {"dict": [[1]]}, {"dict": [[{"list": []}, 1]]},
        {"int": "zz"}, {"int": 5}, {"int": "f" * 100_000}, {"complex": [1]}, {"complex": "ab"}, {"fraction": [1, 0]}, {"bytes": 3},
        {"bytes": "a"}, {"constant": "quit"}, {"range": [1, 2, 0]}, {"objects": [1, 2], "shape": [3]}, {"decimal": "x"},
        {"set": [{"list": []}]}, {"unknown": 1}, {"object": 1}, {"slice": 1},
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_never_raises_anything_else(node):
    def unknown(node):
        raise WireError("unknown")

    with pytest.raises(WireError):
        Decoder([memoryview(bytes(8))], unknown).decode(node)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i), max_leaves=12
    )
)
def test_any_json_decodes_or_is_refused(node):
    def unknown(node):
        raise WireError("unknown")

    with contextlib.suppress(WireError):
        Decoder([], unknown).decode(node)


def exchange(raw, deadline=2.0):
    """Send raw bytes to a connection and return what it receives."""
    ours, theirs = socket.socketpair()

    def write():
        with contextlib.suppress(OSError):
            theirs.sendall(raw)
        theirs.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        return Connection(ours).receive(time.monotonic() + deadline)
    finally:
        ours.close()
        thread.join()


def frame(document, size=0, buffers=b""):
    return struct.pack("!QQ", len(document), size or len(buffers)) + document + buffers


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", ConnectionEndedError),
        (b"GET / HTTP/1.1\r\n\r\n", WireError),
        (struct.pack("!QQ", 2**63, 0), WireError),
        (struct.pack("!QQ", 10, 2**60), WireError),
        (struct.pack("!QQ", 10, 0) + b"abc", ConnectionEndedError),
        (frame(b"not json"), WireError),
        (frame(b"[1]"), WireError),
        (frame(b"[1, [5]]"), WireError),
        (frame(b'[1, ["a"]]', buffers=b"x"), WireError),
        (frame(b"[1, [-1, 2]]", buffers=b"x"), WireError),
        (frame(b"[" * 200_000), WireError),
        (frame(b"\xff\xfe"), WireError),
    ],
)
def test_malformed_frames_are_refused(raw, error):
    with pytest.raises(error):
        exchange(raw)


def test_waiting_for_a_silent_peer_ends_at_the_deadline():
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(DeadlineError):
        Connection(ours).receive(time.monotonic() + 0.1)
    ours.close()
