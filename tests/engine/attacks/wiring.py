"""Attacks on the examiner's protocol: the student's side of the wire is replaced by one that says whatever it likes.

Each is a function `reply(request, connection)` that answers the examiner's requests for a snapshot.
"""

import textwrap

from tests.engine.attacks import Attack

#: Finds the runner in memory and makes each snapshot serve `reply`.
HIJACK = """
import gc, json, os, struct, sys, time
(runner,) = [thing for thing in gc.get_objects() if type(thing).__name__ == "Runner"]
def raw(connection, document, buffers=b"", size=None, buffer_size=None):
    document = document if isinstance(document, bytes) else json.dumps(document).encode()
    connection.socket.sendall(struct.pack("!QQ", size or len(document), buffer_size or len(buffers)) + document + buffers)
def value(connection, request, node, buffers=(), **more):
    raw(connection, [{"id": request["id"], "value": node, **more}, [len(b) for b in buffers]], b"".join(buffers))
def hijacked(number):
    end = runner.waiting.pop(number)
    if os.fork() != 0:
        end.close()
        return
    try:
        while True:
            request, _ = end.receive()
            reply(request, end)
    except BaseException:
        pass
    os._exit(0)
runner._snapshot = hijacked
function = {"object": 1, "type": "function", "callable": True, "module": False}
"""


def wire(name, reply, **more):
    """Return an attack with this code as its `reply`."""
    code = HIJACK + "def reply(request, connection):\n" + textwrap.indent(textwrap.dedent(reply), "    ")
    return Attack("wiring", name, "\n" + code, **more)


def answer(name, node, **more):
    """Return an attack that answers calls with a node, and everything else with a function."""
    return wire(
        name,
        f"""
        if request["op"] == "get":
            value(connection, request, function)
        else:
            {node}
        """,
        **more,
    )


ATTACKS = [
    wire("a web server's answer", 'connection.socket.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n" * 50)'),
    wire("a length beyond all memory", 'raw(connection, b"x", size=2 ** 63)'),
    wire("buffers beyond all memory", 'raw(connection, b"[1,[]]", buffer_size=2 ** 60)'),
    wire("a length that is never filled", 'raw(connection, b"x", size=30_000_000); time.sleep(60)', quick=True),
    wire(
        "one byte at a time",
        """
        for byte in struct.pack("!QQ", 1000, 0) + b" " * 1000:
            connection.socket.sendall(bytes([byte]))
            time.sleep(0.05)
        """,
        quick=True,
    ),
    wire("JSON nested a million deep", 'raw(connection, b"[" * 1_000_000)'),
    answer(
        "values nested a million deep",
        'raw(connection, b\'[{"id":%d,"value":\' % request["id"] + b\'{"list":[\' * 400 + b"]}" * 400 + b"},[]]")',
    ),
    wire(
        "thirty megabytes of small objects",
        'raw(connection, b\'[{"id":%d,"value":{"list":[\' % request["id"] + b"{}," * 10_000_000 + b"{}]}},[]]")',
    ),
    wire(
        "answers sent before the requests",
        """
        for number in range(200):
            value(connection, {"id": number}, 1.4426950408889634)
        time.sleep(60)
        """,
        quick=True,
    ),
    wire("answers to other requests", 'value(connection, {"id": request["id"] + 1}, 1.0)'),
    wire("one request answered twice", "value(connection, request, function); value(connection, request, 1.0)"),
    answer("nan, and infinity", 'raw(connection, b\'[{"id":%d,"value":NaN},[]]\' % request["id"])'),
    answer(
        "an array of objects with forged references",
        'value(connection, request, {"objects": [{"object": 10 ** 9, "type": "float", "callable": True}] * 3, "shape": [3]})',
    ),
    answer(
        "an impossible array type", 'value(connection, request, {"array": "O", "shape": [1], "buffer": 0}, [b"x" * 8])'
    ),
    answer(
        "a boolean that is neither true nor false",
        'value(connection, request, {"array": "|b1", "shape": [], "buffer": 0}, [b"\\x02"])',
    ),
    answer(
        "characters outside Unicode",
        'value(connection, request, {"scalar": "<U1", "shape": [], "buffer": 0}, [b"\\xff" * 4])',
    ),
    answer(
        "one buffer as a thousand arrays",
        """
            buffer = bytes(8_000_000)
            node = {"array": "<f8", "shape": [1_000_000], "buffer": 0}
            value(connection, request, {"list": [node] * 5000}, [buffer])
        """.strip(),
    ),
    answer(
        "arrays without elements, of objects, of times, of bits that are not numbers",
        """
            nodes = [{"array": "<f8", "shape": [0], "buffer": 0}, {"array": "<U500000000", "shape": [0, 9], "buffer": 0},
                     {"array": "<m8[s]", "shape": [1], "buffer": 1}, {"array": "<M8[999999999Y]", "shape": [1], "buffer": 1},
                     {"array": "<f16", "shape": [1], "buffer": 2}, {"array": "<f8", "shape": [0, 2 ** 62, 2 ** 62], "buffer": 0},
                     {"objects": [function], "shape": [1]}, {"decimal": "sNaN123"}, {"complex": [float("nan"), 0.0]}]
            value(connection, request, nodes[request["id"] % len(nodes)], [b"", b"\\x7f" * 8, b"\\xff" * 16])
        """.strip(),
    ),
    wire(
        "an error named like the verdict that leaves a test to a person",
        'raw(connection, [{"id": request["id"], "raised": {"kinds": ["Undecided", "Exception"], "text": "A person looks."}}, []])',
    ),
    answer(
        "absurd amounts of used time",
        'value(connection, request, 0.0, used=[-1e9, 1e400, 1e-300][request["id"] % 3])',
    ),
    answer("a range of a trillion numbers", 'value(connection, request, {"range": [0, 10 ** 12, 1]})'),
    answer("a decimal of a billion digits", 'value(connection, request, {"decimal": "1e999999999"})'),
    answer(
        "a float of SymPy with a billion digits",
        'value(connection, request, {"mpf": ["1", 10 ** 9]})',
        quick=True,
    ),
    answer(
        "towers of powers, factorials, binomials",
        """
            big = [["integer", "9" * 900]]
            trees = [big + [["Pow", k, 0] for k in range(200)], big + [["factorial", 0]], big + [["binomial", 0, 0]],
                     big + [["exp", k] for k in range(200)], big + [["gamma", 0]], [["too long"]], [["eval", 0]]]
            value(connection, request, {"expression": trees[request["id"] % len(trees)]})
        """.strip(),
        quick=True,
    ),
    answer(
        "a set of integers with the same hash",
        'value(connection, request, {"set": [k * (2 ** 61 - 1) for k in range(500_000)]} if request["id"] == 2 else 0.0)',
        quick=True,
    ),
    wire(
        "names of classes that Python refuses",
        'value(connection, request, {"object": 1, "type": "a\\0\\ud800<script>", "callable": True})',
    ),
    answer(
        "a million kinds of objects",
        'value(connection, request, {"list": [{**function, "type": f"t{request[\'id\']}_{k}"} for k in range(300_000)]})',
    ),
    answer(
        "errors that carry two hundred megabytes each",
        """
            raised = {"kinds": ["ValueError", "Exception"], "text": "x"}
            raw(connection, [{"id": request["id"], "raised": raised}, [200_000_000]], bytes(200_000_000))
        """.strip(),
    ),
    wire(
        "an object that claims to be a float",
        'value(connection, request, {"object": 1, "type": "float", "callable": True})',
    ),
    wire("a module instead of a function", 'value(connection, request, {**function, "module": True})'),
    wire(
        "a call to a test function that was never passed",
        'raw(connection, [{"callback": 7, "args": {"list": []}, "kwargs": {"dict": []}}, []])',
    ),
    wire("a reference to the test's own functions", 'value(connection, request, {"yours": 1})'),
    wire(
        "errors that end a process",
        """
        kinds = [["SystemExit"], ["KeyboardInterrupt", "BaseException"], ["GeneratorExit"], ["BaseExceptionGroup"], [], ["UnicodeDecodeError"],
                 ["StopIteration"], ["MemoryError"], ["RecursionError"], ["_TestTimeoutError"], ["SubmissionError"], ["a\\0"], ["__import__"]]
        raw(connection, [{"id": request["id"], "raised": {"kinds": kinds[os.getpid() % len(kinds)], "text": "x"}}, []])
        """,
    ),
    wire("a malformed error", 'raw(connection, [{"id": request["id"], "raised": {"kinds": [[]], "text": 5}}, []])'),
    wire(
        "countless warnings and prints",
        """
        value(connection, request, 1.0, warnings=[["SystemExit", "x"]] * 90, printed=[["stderr", "x" * 10_000]] * 900)
        """,
    ),
    wire("malformed warnings", 'value(connection, request, 1.0, warnings={"a": 1}, printed=7)'),
    wire("nothing is read", "time.sleep(60)", quick=True),
    wire("the connection is closed", "connection.close(); time.sleep(0.2)"),
    wire("too many steps, or a negative number of them", 'value(connection, request, {"tuple": [1.0, -(10 ** 30)]})'),
    Attack(
        "wiring",
        "a forged answer waits in the sockets before any snapshot is made",
        "\n"
        + HIJACK
        + textwrap.dedent("""
        for end in runner.waiting.values():
            for number in range(1, 40):
                value(end, {"id": number}, 1.4426950408889634)
        del runner._snapshot
        """),
    ),
    Attack(
        "wiring",
        "no snapshot is made, but one is reported",
        "\n"
        + HIJACK
        + textwrap.dedent("""
        runner._snapshot = lambda number: None
        """),
        idle=True,
    ),
    Attack(
        "wiring",
        "the runner stops answering",
        "\n"
        + HIJACK
        + textwrap.dedent("""
        time.sleep(0.1); runner.grader.close()
        """),
        ends="died|invalid answer",
    ),
    Attack(
        "wiring",
        "the runner's connection is closed, but the process keeps running",
        "\n"
        + HIJACK
        + textwrap.dedent("""
        runner.grader.socket.shutdown(2); time.sleep(60)
        """),
        ends="stopped answering",
        quick=True,
    ),
    Attack(
        "wiring",
        "the runner's answer is nonsense",
        "\n"
        + HIJACK
        + textwrap.dedent("""
        raw(runner.grader, [[1, 2], []])
        """),
        ends="invalid answer",
    ),
    Attack(
        "wiring",
        "the runner's answer is larger than any answer",
        "\n"
        + HIJACK
        + textwrap.dedent("""
        raw(runner.grader, b"[" * 100, size=2 ** 62)
        """),
        ends="invalid answer",
    ),
    Attack(
        "wiring",
        "the runner's answer is a hundred million small things",
        "\n"
        + HIJACK
        + textwrap.dedent("""
        raw(runner.grader, b'[{"outputs":[' + b'{"a":{}},' * 3_400_000 + b'{}]},[]]')
        """),
        ends="invalid answer",
    ),
    Attack(
        "wiring",
        "the runner's outputs are forged: kinds, names, types",
        "\n"
        + HIJACK
        + textwrap.dedent("""
        wrong = [["display_data", ["text/plain", "text/html"], 2], ["stream", ["stdin"], 1], ["stream", ["stdout"], 2],
                 ["error", [], 1], ["error", [], 2], ["display_data", ["application/javascript"], 1],
                 ["update_display_data", ["text/plain"], 1], [[], [], 0], ["execute_result", ["text/plain"], 10 ** 9],
                 ["display_data", [5], 1], None, 1, {}]
        for end in (wrong, wrong[4:], wrong[8:], wrong[9:], wrong[10:], {"a": 1}):
            texts = [b"<b>", b"\\xff\\xfe", b"x"] * 4
            raw(runner.grader, [{"outputs": end, "cut": "yes"}, [len(text) for text in texts]], b"".join(texts))
        """),
        ends="graded|invalid answer|died",
    ),
    Attack(
        "wiring",
        "an error with ten million lines",
        "\n"
        + HIJACK
        + textwrap.dedent("""
        raw(runner.grader, b'[{"outputs":[["error",[],9000000]]},[' + b"0," * 8_999_999 + b"0]]")
        """),
        ends="graded|invalid answer",
    ),
    Attack(
        "wiring",
        "Encoder, Connection, json and struct are patched on the student's side",
        """
        import json, struct, sys
        import autograder.engine.shared.wire as wire
        wire.Encoder.encode = lambda self, value, depth=0: 1.4426950408889634
        wire.Connection.send = lambda self, *a, **k: self.socket.sendall(b"junk")
        json.dumps = lambda *a, **k: "[]"
        """,
        idle=True,
        ends="graded|invalid answer|died|did not",
    ),
]
