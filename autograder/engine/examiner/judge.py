"""The process that judges: it runs the test cells, with the student's functions at the other end of a wire.

The split is by cell. The submission's own cells run in the student's process; their outputs are data. A test cell runs
here, in a namespace that holds what the set's locked cells define. A name that such a cell uses and does not define is
looked up in the student's process: data are copied, anything else becomes a `Remote`, which forwards calls and operators.
Built-in names and modules never come from there.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import functools
import io
import linecache
import signal
import time
import traceback
import warnings
from typing import Any

import nbformat
import numpy as np
from nbformat import NotebookNode

from autograder.common.answer_digest import canonical, digest
from autograder.common.errors import SubmissionError
from autograder.engine.lasting_state import Dependence
from autograder.engine.shared.isolation import Limits
from autograder.engine.shared.wire import (
    Connection,
    ConnectionEndedError,
    DeadlineError,
    Decoder,
    EncodeError,
    Encoder,
    UnreadableError,
    WireError,
)
from autograder.engine.test_cells import compiled, definitions, foreign_names, is_support, uses_any
from autograder.problem_set.source import grade_id, is_test

#: Seconds beyond its limit that a process has to stop by itself, before it is given up.
GRACE = 2.0
#: Calls from the student's side to a function of a test, within one call of a student's function.
MAX_CALLBACKS = 100_000
#: Bytes of all outputs of a submission, and how many outputs one cell may have.
MAX_OUTPUT_BYTES, MAX_OUTPUTS = 12_000_000, 200
#: Lines of a traceback, and characters of what a test cell's calls answered that count for a diagnosis.
MAX_LINES, MAX_RECORDED = 300, 4_000_000

#: Kinds of output that a notebook's cell shows.
_MIME_TYPES = {
    "text/plain",
    "text/html",
    "text/markdown",
    "text/latex",
    "image/png",
    "image/jpeg",
    "image/svg+xml",
    "image/gif",
}


class GivenUpError(SubmissionError):
    """The submission cannot be run to its end."""


# ---- names of the student


class Remote:
    """An object that lives in the student's process. Calls, attributes and operators are forwarded."""

    __slots__ = ("_service", "_number", "_callable")

    def __init__(self, service: Service, number: int, is_callable: bool):
        object.__setattr__(self, "_service", service)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_callable", is_callable)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it there."""
        return self._service.call(self, args, kwargs)

    def _count_steps(self, args: list) -> tuple[Any, int, bool]:
        """Call it there; return its value, the number of Python lines and calls, and whether nothing disturbed the count."""
        answer = self._service.ask("count", function=self, args=list(args))
        if type(answer) is not tuple or len(answer) != 2 or type(answer[1]) is not int:
            raise TypeError("the steps could not be counted")
        return answer[0], answer[1], answer[1] != -1

    def __getattr__(self, name: str) -> Any:
        # NumPy and copy ask objects for protocols; a student's object follows none of them here.
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self._service.ask("attribute", of=self, name=name)

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
        # Whoever answers for the object would like to be equal to everything.
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


def _forward(name: str, reflected: bool = False) -> Any:
    def method(self: Remote, *others: Any) -> Any:
        args = [*others, self] if reflected else [self, *others]
        result = self._service.ask("operate", name=name, args=args)
        # A number made here could be a forged one: `abs(answer - right) < 1e-9` must not ask the answer.
        if not isinstance(result, Remote):
            raise TypeError(f"{name} of a {type(self).__name__} gave a {type(result).__name__}")
        return result

    return method


for _name in ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"]:
    _operation = {"and": "and_", "or": "or_"}.get(_name, _name)
    setattr(Remote, f"__{_name}__", _forward(_operation))
    setattr(Remote, f"__r{_name}__", _forward(_operation, reflected=True))
for _name in ["neg", "pos", "abs", "invert"]:
    setattr(Remote, f"__{_name}__", _forward(_name))
# An array that meets such an object in an operator asks the object instead of its elements one by one.
Remote.__array_ufunc__ = None


class Service:
    """One snapshot of the student's process, as the test cells of one group see it.

    Parameters
    ----------
    connection : Connection
        Leads to the snapshot.
    """

    def __init__(self, connection: Connection):
        self.connection = connection
        self.deadline = 0.0
        self.observe = False
        self.count = 0
        self.lost = ""
        self.behaviour: list[str] = []
        self.recorded = 0
        self.callbacks: dict[int, Any] = {}
        self.types: dict[str, type] = {}
        self.errors: dict[tuple, type] = {}

    def begin(self, seconds: float, observe: bool) -> None:
        """Prepare for a test cell.

        Parameters
        ----------
        seconds : float
            Its time.
        observe : bool
            Whether it sees what a call does to the arguments.
        """
        self.deadline, self.observe, self.callbacks = time.monotonic() + seconds, observe, {}
        self.behaviour, self.recorded = [], 0

    def fetch(self, name: str) -> Any:
        """Return the value of a global name of the notebook.

        Raises
        ------
        NameError
            The notebook does not define it.
        """
        return self.ask("get", name=name)

    def call(self, function: Remote, args: tuple, kwargs: dict) -> Any:
        """Call a function of the student."""
        return self.ask("call", function=function, args=list(args), kwargs=kwargs, _observed=args)

    def number(self, operation: str, of: Remote, kind: type) -> Any:
        """Return what `len`, `int`, … give."""
        value = self.ask("operate", name=operation, args=[of])
        if type(value) is not kind:
            raise TypeError(f"{operation}() gave no {kind.__name__}")
        return value

    def ask(self, operation: str, *, _observed: tuple | None = None, **fields: Any) -> Any:
        """Send one request and return the value it answers with; raise what it raised."""
        if self.lost:
            raise RuntimeError(self.lost)
        self.count += 1
        number = self.count
        encoder = Encoder(self._refer)
        request: dict[str, Any] = {"id": number, "op": operation}
        request["seconds"] = self.deadline - time.monotonic()
        for name, value in fields.items():
            request[name] = value if name == "name" else encoder.encode(value)
        if _observed is not None and self.observe:
            request["observe"] = True
        until = self.deadline + GRACE
        try:
            self.connection.send(request, encoder.buffers, until)
            reply, buffers = self._reply(until)
            if not isinstance(reply, dict) or reply.get("id") != number:
                raise WireError("an answer out of order")
            value = self._understand(reply, buffers, _observed if "observe" in request else None)
            if self.recorded < MAX_RECORDED:
                # Of counted steps only the value: another Python counts other steps for the same answer.
                self.behaviour.append(canonical(value[:1] if operation == "count" and type(value) is tuple else value))
                self.recorded += len(self.behaviour[-1])
            return value
        except UnreadableError as error:
            raise TypeError(f"the result cannot be read: {error}") from None
        except DeadlineError:
            self.lost = "the call did not end in time, so the tests that follow it here could not run"
            self.connection.close()
            raise TimeoutError("the time limit is over; look for a loop without an end") from None
        except WireError as error:
            self.lost = "the Python process ended during an earlier test, or answered what no Python process answers"
            self.connection.close()
            what = (
                "the Python process ended"
                if isinstance(error, ConnectionEndedError)
                else f"the answer is unusable: {error}"
            )
            raise RuntimeError(what) from None

    def _reply(self, until: float) -> tuple[dict, list]:
        for _ in range(MAX_CALLBACKS):
            reply, buffers = self.connection.receive(until)
            if not (isinstance(reply, dict) and "callback" in reply):
                return reply, buffers
            self._call_back(reply, buffers, until)
        raise WireError("too many calls of a test's function")

    def _call_back(self, request: dict, buffers: list, until: float) -> None:
        """Call a function of the test for the student's function."""
        function = self.callbacks.get(request["callback"]) if type(request["callback"]) is int else None
        if function is None:
            raise WireError("a call of a function that was not given")
        decoder = Decoder(buffers, self._resolve)
        args, kwargs = decoder.decode(request.get("args")), decoder.decode(request.get("kwargs"))
        if type(args) is not list or type(kwargs) is not dict:
            raise WireError("a call that is not well formed")
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
                raise WireError("an error that is not well formed")
            kinds = _texts(raised.get("kinds"), None)
            (text,) = _texts([raised.get("text")], 1)
            error = self._error(kinds[:20])(text[:10_000])
            error.from_submission = True
            self.behaviour.append(f"raises {type(error).__name__}")
            raise error
        decoder = Decoder(buffers, self._resolve)
        value = decoder.decode(reply.get("value"))
        if observed is not None:
            after = decoder.decode(reply.get("arguments"))
            if type(after) is not list or len(after) != len(observed):
                raise WireError("arguments that are not well formed")
            for mine, theirs in zip(observed, after, strict=True):
                _overwrite(mine, theirs)
        return value

    def _error(self, kinds: list[str]) -> type[Exception]:
        """Return a class that is named like the student's and derives from its nearest built-in exception."""
        base: type[Exception] = Exception
        for kind in kinds:
            found = getattr(builtins, kind, None)
            if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, Warning):
                base = found
                break
        name = kinds[0][:100] if kinds else "Exception"
        # Classes that take more than a text, or that mean something to whoever runs the test, are stood in for.
        if issubclass(base, UnicodeError | BaseExceptionGroup):
            base = ValueError
        if base.__name__ == name:
            return base
        return self.errors.setdefault((name, base), type(name, (base,), {"__module__": "notebook"}))

    def _refer(self, value: Any) -> dict:
        """Write a reference to something of this side."""
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
            # Not its own name: that tells a student's test which candidates are wrong.
            return {"callback": number, "name": "function"}
        raise EncodeError(f"a test cannot hand over a {type(value).__name__}")

    def _resolve(self, node: dict) -> Any:
        """Return what a reference from the student's process stands for."""
        if "yours" in node and type(node["yours"]) is int and node["yours"] in self.callbacks:
            return self.callbacks[node["yours"]]
        if type(node.get("object")) is int and isinstance(node.get("type"), str):
            if node.get("module"):
                raise NameError("a module does not cross; a test cell imports what it uses")
            name = node["type"][:100]
            kind = self.types.setdefault(name, type(name, (Remote,), {"__slots__": ()}))
            return kind(self, node["object"], bool(node.get("callable")))
        raise WireError("a reference that is not well formed")


def _list_of(content: Any, most: int) -> list:
    if content is None:
        return []
    if not isinstance(content, list) or len(content) > most:
        raise WireError("an answer that is not well formed")
    return content


def _texts(content: Any, count: int | None) -> list[str]:
    good = isinstance(content, list) and all(isinstance(part, str) for part in content)
    if not good or (count is not None and len(content) != count):
        raise WireError("an answer that is not well formed")
    return content


def _stream(name: str) -> Any:
    import sys

    return sys.stderr if name == "stderr" else sys.stdout


def _overwrite(mine: Any, theirs: Any) -> None:
    """Give a mutable argument the contents it has in the student's process after the call."""
    if isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray):
        # Its memory is never moved: other arrays of the test may look at it.
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


# ---- test cells


class _Stdout(io.TextIOBase):
    """Collects what a test cell writes, in its order."""

    def __init__(self, name: str, outputs: list[NotebookNode], left: list[int]):
        self.stream, self.outputs, self.left = name, outputs, left

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        kept = text[: max(0, self.left[0])]
        self.left[0] -= len(kept)
        if kept:
            last = self.outputs[-1] if self.outputs else None
            if last is not None and last.output_type == "stream" and last.name == self.stream:
                last.text += kept
            else:
                self.outputs.append(nbformat.v4.new_output("stream", name=self.stream, text=kept))
        return len(text)


class _TestTimeoutError(BaseException):
    """A test cell itself takes too long."""


def run_test_cell(source: str, name: str, known: dict[str, Any], service: Service | None) -> list[NotebookNode]:
    """Run a test cell and return its outputs; a failing one ends with an error output.

    Parameters
    ----------
    source, name : str
        The cell's text, and what tracebacks call it.
    known : dict
        What the set's locked cells define; new names are not added to it.
    service : Service or None
        The student's names.
    """
    outputs: list[NotebookNode] = []
    left = [100_000]
    # What one test does to the given data, another does not see.
    given = {k: copy.deepcopy(v) if isinstance(v, list | dict | set | np.ndarray) else v for k, v in known.items()}
    namespace = {"__name__": "__main__", "__builtins__": builtins, **given}
    filename = f"<{name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(_Stdout("stdout", outputs, left)))
        stack.enter_context(contextlib.redirect_stderr(_Stdout("stderr", outputs, left)))
        try:
            body, last = parsed(source, filename)
            for wanted in sorted(foreign_names(source) - known.keys()):
                with contextlib.suppress(NameError):  # then using it raises NameError, as in a notebook
                    namespace[wanted] = service.fetch(wanted) if service else _missing(wanted)
            exec(body, namespace)
            if last is not None:
                result = eval(last, namespace)
                if result is not None:
                    data = {"text/plain": repr(result)}
                    outputs.append(nbformat.v4.new_output("execute_result", data=data, execution_count=None))
        except BaseException as error:
            signal.setitimer(signal.ITIMER_REAL, 0)  # the alarm rings until it is heard; it was
            outputs.append(_error_output(error, filename, _is_hidden(source)))
    return outputs


@functools.cache
def parsed(source: str, filename: str) -> tuple[Any, Any]:
    """Compile a test cell: its statements, and its last expression or None."""
    tree = ast.parse(source, filename)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    body = compile(tree, filename, "exec")
    return body, last and compile(ast.Expression(last.value), filename, "eval")


def _missing(name: str) -> None:
    raise NameError(name)


def _error_output(error: BaseException, filename: str, hidden: bool = False) -> NotebookNode:
    """Write an error with those frames of its traceback that lie in the test cell or the set's locked cells."""
    try:
        text = str(error)[:20_000]
    except Exception:
        text = ""
    kind = "TimeoutError" if isinstance(error, _TestTimeoutError) else type(error).__name__
    if getattr(error, "from_submission", False):
        # Its text is the student's: it may repeat a hidden argument, and must not pass for the test's own message.
        if hidden:  # so may its name
            kind = next(base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins")
        kind += " (raised by the submission)"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == filename]
    lines = traceback.StackSummary.from_list(frames[:3]).format() if frames else []
    lines = ["Traceback (most recent call last):\n", *lines] if lines else []
    shown = "".join([*lines, f"{kind}: {text}"]).splitlines()
    return nbformat.v4.new_output("error", ename=kind, evalue=text, traceback=shown)


# ---- a whole notebook


def examine(
    notebook: NotebookNode, connections: list[Connection], limits: Limits
) -> tuple[NotebookNode, list[str], dict[str, str]]:
    """Run a restored submission: its own cells in the student's process, its test cells here.

    All own cells run first, in their order, with a snapshot for each group of test cells, left before a cell runs that may
    change what the group sees; then the visible tests are judged, then the hidden ones. So nothing that a hidden test shows
    to the student's functions can reach an output.

    Parameters
    ----------
    notebook : NotebookNode
        What `grading.restore` returned; changed in place.
    connections : list of Connection
        To the runner, and one for each group of test cells that `test_groups` counts.
    limits : Limits
        What a cell may take.

    Returns
    -------
    tuple of (NotebookNode, list of str, dict of str to str)
        The notebook with outputs, notices for the student, and for each test cell a digest of what the student's
        functions answered.

    Raises
    ------
    GivenUpError
        The student's process ended, or did not stop in time, or did not keep to the protocol.
    """
    runner, left, notices = connections[0], [MAX_OUTPUT_BYTES], []
    plan: list[tuple[NotebookNode, int, dict]] = []
    known: dict[str, Any] = {}
    end = time.monotonic() + limits.total_seconds
    count = 0
    groups: list[list[str]] = []
    waiting: dict[int, Dependence | None] = {}
    open_group = False
    own = [
        cell.source for cell in notebook.cells if cell.cell_type == "code" and not (is_test(cell) or is_support(cell))
    ]
    ran: list[str] = []

    def leave_snapshots() -> None:
        for number in waiting:
            _ask_runner(runner, {"snapshot": number}, "a snapshot", min(end, time.monotonic() + 30))
        waiting.clear()

    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        if is_test(cell):
            if not open_group:
                waiting[len(groups)] = None
                groups.append([])
                open_group = True
            groups[-1].append(cell.source)
            plan.append((cell, len(groups) - 1, dict(known)))
            continue
        if open_group:
            waiting[len(groups) - 1] = Dependence(groups[-1], ran)
            open_group = False
        if is_support(cell):
            defined = definitions(cell.source, grade_id(cell))
            known = {**known, **defined}
            # The student's side runs it only where the submission's own cells use it: the checks are long to compile.
            if not uses_any(own, defined):
                continue
        # A process that is forked copies every page that it writes to afterwards: so rarely, and then all at once.
        if not all(dependence.survives(cell.source) for dependence in waiting.values()):
            leave_snapshots()
        if not is_support(cell):  # the set's own, and trusted
            ran.append(cell.source)
        reply = _ask_runner(
            runner, {"run": cell.source}, _where(cell, count), min(end, time.monotonic() + limits.cell_seconds + GRACE)
        )
        cell.outputs, cut = _outputs(reply, count, left)
        if cut:
            notices.append(f"The output of {_where(cell, count)} was cut: it was too long to keep.")
    leave_snapshots()
    services = [Service(connection) for connection in connections[1:]]
    behaviour = {}
    for hidden in (False, True):
        for cell, number, defined in plan:
            if _is_hidden(cell.source) == hidden:
                cell.outputs = _judge(cell, defined, services[number], limits, end)
                behaviour[grade_id(cell)] = digest(services[number].behaviour)
    return notebook, notices, behaviour


def warm_up(notebook: NotebookNode) -> None:
    """Compile the set's own cells, which are the same in each of its submissions; a fork then finds them compiled."""
    for cell in notebook.cells:
        if is_support(cell):
            compiled(cell.source, f"<{grade_id(cell)}>")
        elif is_test(cell):
            foreign_names(cell.source)
            parsed(cell.source, f"<{grade_id(cell)}>")


def test_groups(notebook: NotebookNode) -> int:
    """Return how many groups of test cells follow one another without another code cell between them."""
    code = [is_test(cell) for cell in notebook.cells if cell.cell_type == "code"]
    return sum(now and not before for before, now in zip([False, *code], code, strict=False))


def _judge(cell: NotebookNode, known: dict, service: Service, limits: Limits, end: float) -> list[NotebookNode]:
    seconds = min(limits.cell_seconds, end - time.monotonic())
    if seconds <= 0:
        raise GivenUpError(f"The notebook did not finish within {limits.total_seconds:g} seconds.")
    service.begin(seconds, cell.metadata.get("observe_arguments") is True)

    def too_long(*_: Any) -> None:
        raise _TestTimeoutError("the test did not finish in time")

    # The student's side stops itself; this alarm is for what its values make the test itself compute.
    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds + 2 * GRACE, 0.5)
    # Python hears it between two steps; one step of C, as a power of huge integers, is ended with the whole examiner.
    signal.setitimer(signal.ITIMER_PROF, seconds + 3 * GRACE)
    try:
        with warnings.catch_warnings():
            return run_test_cell(cell.source, grade_id(cell), known, service)
    except _TestTimeoutError as error:
        return [_error_output(error, "")]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGALRM, before)


def _is_hidden(source: str) -> bool:
    return "### BEGIN HIDDEN TESTS" in source


def _where(cell: NotebookNode, count: int) -> str:
    name = grade_id(cell)
    return f"the cell {name!r}" if name else f"its code cell number {count}"


def _ask_runner(runner: Connection, request: dict, what: str, until: float) -> dict:
    try:
        runner.send(request, (), until)
        reply, _ = runner.receive(until)
    except DeadlineError:
        raise GivenUpError(
            f"The notebook did not finish: {what} ran for too long and could not be interrupted; look for a loop "
            "without an end."
        ) from None
    except ConnectionEndedError:
        raise GivenUpError(
            f"The Python process died while running {what}; it may have called exit, used all memory or crashed."
        ) from None
    except WireError as error:
        raise GivenUpError(f"The Python process answered what no Python process answers ({error}) in {what}.") from None
    if not isinstance(reply, dict):
        raise GivenUpError(f"The Python process answered what no Python process answers in {what}.")
    return reply


def _outputs(reply: dict, count: int, left: list[int]) -> tuple[list[NotebookNode], bool]:
    """Build the outputs of a cell anew from what the student's process sent; return them and whether some were cut."""
    outputs, cut = [], reply.get("cut") is True
    sent = reply.get("outputs")
    for output in sent[:MAX_OUTPUTS] if isinstance(sent, list) else []:
        built, size = _output(output, count) if isinstance(output, dict) else (None, 0)
        if built is None:
            continue
        if size > left[0]:
            cut = True
            continue
        left[0] -= size
        outputs.append(built)
    return outputs, cut or (isinstance(sent, list) and len(sent) > MAX_OUTPUTS)


def _output(output: dict, count: int) -> tuple[NotebookNode | None, int]:
    kind = output.get("output_type")
    if kind == "stream":
        text, name = output.get("text"), output.get("name")
        if not isinstance(text, str) or name not in ("stdout", "stderr"):
            return None, 0
        return nbformat.v4.new_output("stream", name=name, text=text), len(text)
    if kind == "error":
        name, text, lines = output.get("ename"), output.get("evalue"), output.get("traceback")
        good = isinstance(name, str) and isinstance(text, str) and isinstance(lines, list)
        if not good or not all(isinstance(line, str) for line in lines):
            return None, 0
        lines = lines[:MAX_LINES]
        size = len(name) + len(text) + sum(map(len, lines))
        return nbformat.v4.new_output("error", ename=name, evalue=text, traceback=lines), size
    if kind in ("display_data", "execute_result") and isinstance(output.get("data"), dict):
        data = {k: v for k, v in output["data"].items() if k in _MIME_TYPES and isinstance(v, str)}
        more = {"execution_count": count} if kind == "execute_result" else {}
        return nbformat.v4.new_output(kind, data=data, **more), sum(map(len, data.values()))
    return None, 0
