"""Runs one test cell against a snapshot of the student's process."""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import functools
import io
import linecache
import signal
import traceback
import warnings
from typing import Any

import numpy as np

from autograder.common.answer_digest import digest
from autograder.common.cell_names import foreign_names, is_hidden, scopes
from autograder.engine.examiner.remote import Snapshot

#: Why a test was not judged.
STRANDED = (
    "The answer did not come in time. A cell had left a thread running, which does not exist where tests run, so the "
    "answer may have waited for it in vain."
)
#: Maximum characters of an error's text, and of everything that a test cell prints.
MAX_TEXT, MAX_PRINTED = 20_000, 100_000


class _Stdout(io.TextIOBase):
    """Collects what a test cell writes, in order."""

    def __init__(self, name: str, outputs: list[dict], left: list[int]):
        self.stream, self.outputs, self.left = name, outputs, left

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        kept = text[: max(0, self.left[0])]
        self.left[0] -= len(kept)
        if kept:
            last = self.outputs[-1] if self.outputs else {}
            if last.get("name") == self.stream:
                last["text"] += kept
            else:
                self.outputs.append({"output_type": "stream", "name": self.stream, "text": kept})
        return len(text)


class _TestTimeoutError(BaseException):
    """A test cell itself took too long."""


class _StrandedError(Exception):
    """The answer may wait for a thread that does not exist where it is judged."""

    awaits_hand = True


def run_test_cell(source: str, name: str, known: dict[str, Any], student: Snapshot | None) -> list[dict]:
    """Run a test cell and return its outputs; a failing one ends with an error output.

    Parameters
    ----------
    source, name : str
        The cell's text, and what tracebacks call it.
    known : dict
        What the set's locked cells define; new names are not added to it.
    student : Snapshot or None
        The student's names.
    """
    outputs: list[dict] = []
    left, missing = [MAX_PRINTED], set()
    namespace = {"__name__": "__main__", "__builtins__": builtins, **known}
    filename = f"<{name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(_Stdout("stdout", outputs, left)))
        stack.enter_context(contextlib.redirect_stderr(_Stdout("stderr", outputs, left)))
        try:
            body, last = parsed(source, filename)
            # Tests do not see each other's changes to the given data. A table takes longer to copy than most tests take
            # to run, so each gets copies only of what it names.
            bound, _, used = scopes(source)  # `table += [1]` only binds
            for named in (bound | used) & known.keys():
                if isinstance(known[named], list | dict | set | np.ndarray):
                    namespace[named] = copy.deepcopy(known[named])
            for wanted in sorted(foreign_names(source) - known.keys()):
                try:
                    namespace[wanted] = student.fetch(wanted) if student else _missing(wanted)
                except NameError:  # using it then raises NameError, as in a notebook
                    missing.add(wanted)
            exec(body, namespace)
            if last is not None:
                result = eval(last, namespace)
                if result is not None:
                    data = {"text/plain": repr(result)[:MAX_TEXT]}
                    outputs.append({"output_type": "execute_result", "data": data})
        except BaseException as error:
            signal.setitimer(signal.ITIMER_PROF, 0)  # the alarm repeats until it takes effect, which it now has
            if type(error) is NameError and error.name in missing:
                error = NameError(
                    f"{error.name} is not defined: its cell does not define it, or stopped before it did."
                )
            outputs.append(_error_output(error, filename, is_hidden(source)))
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


def _error_output(error: BaseException, filename: str, hidden: bool = False) -> dict:
    """Write an error with the part of its traceback that lies in the test cell."""
    try:
        text = str(error)[:MAX_TEXT]
    except Exception:
        text = ""
    kind = "TimeoutError" if isinstance(error, _TestTimeoutError) else type(error).__name__
    if getattr(error, "from_submission", False):
        # The text is the student's: it may repeat a hidden argument, and must not pass for the test's own message.
        if hidden:  # the name may repeat one too
            kind = next(base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins")
        kind += " (raised by the submission)"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == filename]
    # The cell is the body of a function that runs immediately: the frames that call it are of no interest.
    frames = [frame for frame in frames if frame.name not in ("<module>", "<lambda>")] or frames
    lines = traceback.StackSummary.from_list(frames[:3]).format() if frames else []
    lines = ["Traceback (most recent call last):\n", *lines] if lines else []
    shown = "".join([*lines, f"{kind}: {text}"]).splitlines()
    output = {"output_type": "error", "ename": kind, "evalue": text, "traceback": shown}
    # The checks raise such an error when they cannot decide; the submission's errors never have one of their classes.
    return output | {"awaits_hand": True} if getattr(type(error), "awaits_hand", False) is True else output


def judge(
    source: str, name: str, known: dict[str, Any], student: Snapshot, seconds: float
) -> tuple[dict[str, Any], list[dict]]:
    """Judge with one test cell.

    Parameters
    ----------
    source, name : str
        The cell's text and its grade_id.
    known : dict
        What the set's locked cells define.
    student : Snapshot
        The student's names, after `Snapshot.begin`.
    seconds : float
        Processor time that the test itself may take, apart from calls to the student's functions.

    Returns
    -------
    tuple of (dict, list of dict)
        The ``verdict``: ``passed``, ``failed`` or ``undecided``; whether it is ``doubtful``, because the machine may be
        partly to blame; a ``digest`` of what the student's functions answered; what was ``measured``; and the outputs.
    """

    def too_long(*_: Any) -> None:
        raise _TestTimeoutError("the test did not finish in time")

    # The student's side stops itself; this alarm limits what its values make the test itself compute. Python handles it
    # between two steps; an endless step, such as a power of huge integers, is ended with the whole process.
    before = signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)
    try:
        with warnings.catch_warnings():
            outputs = run_test_cell(source, name, known, student)
    except _TestTimeoutError as error:
        outputs = [_error_output(error, "")]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    failed = bool(outputs) and outputs[-1]["output_type"] == "error"
    if failed and student.stranded:
        outputs[-1] = _error_output(_StrandedError(STRANDED), "")
    undecided = failed and outputs[-1].pop("awaits_hand", False)
    verdict = "undecided" if undecided else "failed" if failed else "passed"
    return {
        "verdict": verdict,
        "doubtful": student.doubtful,
        "digest": digest(student.behaviour),
        "measured": dict(list(student.measured.items())[:20]),
    }, outputs
