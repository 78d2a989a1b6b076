"""Runs one submission, from its first cell to its last test.

First its own cells run, in order, in the student's process, which leaves a snapshot of itself for each group of test
cells. Then an examiner runs the visible tests, followed by the hidden ones, so that nothing that a hidden test shows to
the student's functions can reach an output. Whatever both processes say is data, accepted only in the expected form.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from autograder.common.cell_names import is_hidden
from autograder.common.errors import MachineError, SubmissionError
from autograder.engine.restore import is_run
from autograder.engine.shared.limits import Limits
from autograder.engine.shared.outputs import size, unpack
from autograder.engine.shared.wire import Connection, ConnectionEndedError, DeadlineError, WireError
from autograder.engine.warm_processes import START, Control, ExaminerProcess, StudentProcess
from autograder.problem_set.source import grade_id, is_support, is_test

#: Seconds of processor time beyond its limit in which a process may stop by itself before it is abandoned.
GRACE = 2.0
#: How long a submission may sleep, as a multiple of a cell's time limit: a busy machine makes nobody sleep.
SLEEP = 3.0
#: Seconds between checks on a long-running cell.
LOOK = 1.0
#: Maximum characters of all outputs of a submission.
MAX_OUTPUT = 12_000_000
#: Seconds that an examiner may take beyond the submission's own limit.
MARGIN = 30.0

_DIGEST = re.compile(r"[0-9a-f]{16}")
_VERDICTS = frozenset(["passed", "failed", "undecided"])


class ExaminerEndedError(Exception):
    """The examiner stopped, or sent an invalid answer."""


@dataclass(frozen=True)
class _Test:
    """A test cell, its index among the tests, and the group whose snapshot it judges."""

    cell: NotebookNode
    index: int
    group: int


def run_submission(
    student: StudentProcess,
    examiner: ExaminerProcess,
    notebook: NotebookNode,
    limits: Limits,
    seed: int,
    directory: str,
    reference: dict[str, dict[str, float]],
    undrawn: Collection[str],
    last: bool,
) -> tuple[NotebookNode, list[str], dict[str, str], dict[str, str], dict[str, dict[str, float]]]:
    """Run a restored submission.

    Parameters
    ----------
    student, examiner : StudentProcess, ExaminerProcess
        The warm processes.
    notebook : NotebookNode
        The result of `restore`; changed in place.
    limits, seed, directory : Limits, int, str
        As for `StudentProcess.submission`.
    reference : dict
        What the tests measured for the reference solution.
    undrawn : collection of str
        Ids of cells whose figures are not drawn.
    last : bool
        Whether this is the last attempt: tests that an examiner did not finish are then left for a person.

    Returns
    -------
    tuple
        The fields of `execution.Executed`.

    Raises
    ------
    SubmissionError, MachineError, ExaminerEndedError
        The submission, the machine or the examiner failed.
    """
    run = _Run(notebook, limits)
    control, runner, snapshots = student.submission(run.groups, limits, seed, directory, run.locked, run.packages)
    judge = None
    report: dict[str, Any] = {}
    try:
        judge = examiner.examiner(run.key, run.cells, limits, snapshots)
        snapshots = []
        run.own_cells(control, runner, undrawn)
        if run.plan and not _is_up(judge):
            examiner.renew(run.key)
            raise MachineError("the examiner failed to start")
        run.tests(control, judge, reference, last)
    except _RunnerEndedError as error:
        control.ask(gone=True)
        report = control.end()
        raise _reason_for_end(error.where, report, limits, student.sandbox.program is not None) from None
    finally:
        for connection in (runner, judge, *snapshots):
            if connection is not None:
                connection.close()
        report = report or control.end()
    if report.get("reason") == "isolation":
        raise MachineError(f"a submission could not be isolated: {report.get('text')}")
    if report.get("reason") == "processor":
        raise SubmissionError(f"The notebook used more than {limits.total_seconds:g} seconds of processor time.")
    return notebook, run.notices, run.behaviour, run.awaiting, run.measured


def _is_up(judge: Connection) -> bool:
    """Wait for an examiner's first message, which comes before the submission can influence anything."""
    try:
        return judge.receive(time.monotonic() + START)[0] == {"ready": True}
    except WireError:
        return False


class _RunnerEndedError(Exception):
    """The student's process ended."""

    def __init__(self, where: str):
        super().__init__(where)
        self.where = where


def _reason_for_end(where: str, report: dict, limits: Limits, isolated: bool) -> Exception:
    """Say why the student's process ended."""
    match report.get("reason"):
        case "memory":
            return SubmissionError(f"The notebook used more than {limits.memory >> 20} MB of memory.")
        case "processor":
            return SubmissionError(
                f"The notebook used more than {limits.total_seconds:g} seconds of processor time, in {where}."
            )
        case "files":
            return SubmissionError("The notebook wrote more files than can be kept, or nested folders too deeply.")
        case "isolation":
            return MachineError(f"a submission could not be isolated: {report.get('text')}")
        case None:
            return MachineError("the supervisor of a submission has ended")
    if isolated and report.get("ended") is not True:
        # We ended it after a long silence, for which the machine may be to blame, once.
        return SubmissionError(f"The Python process stopped answering while running {where}.", doubtful=True)
    lowered = report.get("lowered") is True  # only by lowering its own limit can process 1 get itself killed
    if isolated and report.get("code") == -9 and not lowered and report.get("processor", 0.0) < limits.total_seconds:
        return MachineError(f"a submission's process was killed from outside while running {where}")
    text = f"The Python process died while running {where}; it may have called exit, used all memory or crashed."
    # Without a sandbox, the submission may have done it, or a machine short of memory.
    return SubmissionError(text, doubtful=report.get("code") in (-9, -15))


class _Run:
    """The state of one run."""

    def __init__(self, notebook: NotebookNode, limits: Limits):
        self.notebook, self.limits = notebook, limits
        self.notices: list[str] = []
        self.behaviour: dict[str, str] = {}
        self.awaiting: dict[str, str] = {}
        self.measured: dict[str, dict[str, float]] = {}
        self.left = MAX_OUTPUT
        self.steps: list[tuple[NotebookNode | None, int]] = []  # a cell and its count, or None and a group's number
        self.plan: list[_Test] = []
        self.cells: list[dict] = []
        self.groups = 0
        # The groups whose tests run while the notebook has threads, which their snapshots lack.
        self.threaded: set[int] = set()
        # How long the submission has slept while a test waited for it.
        self.asleep = 0.0
        self.slept = 0.0
        # Deadline on the clock for the whole submission: each of many cells may wait nearly as long as one may.
        self.end = math.inf
        self._arrange()
        self.key = hashlib.sha256(json.dumps(self.cells).encode()).hexdigest()

    def _arrange(self) -> None:
        """Decide which cells run where, and group the test cells that no other code cell separates."""
        count, before = 0, False
        for cell in self.notebook.cells:
            if not is_run(cell):
                continue
            count += 1
            cell.execution_count = count
            if is_support(cell) or is_test(cell):
                kind = "test" if is_test(cell) else "support"
                described = {"kind": kind, "name": grade_id(cell), "source": cell.source}
                described["observe"] = cell.metadata.get("observe_arguments") is True
                operands = cell.metadata.get("takes_operands")
                described["operands"] = sorted(map(str, operands)) if isinstance(operands, list) else []
                self.cells.append(described)
            if is_test(cell):
                if not before:
                    self.steps.append((None, self.groups))
                    self.groups += 1
                self.plan.append(_Test(cell, len(self.plan), self.groups - 1))
            else:
                self.steps.append((cell, count))
            before = is_test(cell)

    # ---- the submission's own cells

    @property
    def locked(self) -> list[str]:
        """The texts of the set's locked cells, except the tests."""
        return [cell["source"] for cell in self.cells if cell["kind"] == "support"]

    @property
    def packages(self) -> list[str] | None:
        """The packages that the set names; None if it names none, so that all that are installed are there."""
        return self.notebook.metadata.get("autograder", {}).get("packages")

    def own_cells(self, control: Control, runner: Connection, undrawn: Collection[str]) -> None:
        """Run the submission's own cells and have the snapshots made.

        Raises
        ------
        SubmissionError
            They took too much, ended the process or did not finish.
        MachineError
            The process did not start.
        """
        try:
            first = self._answer(control, runner, "its first cell", START, math.inf)
        except SubmissionError:  # nothing of the submission has run yet
            raise MachineError("the process of a submission did not start") from None
        if first != ({"ready": True}, []):
            raise MachineError(f"a submission could not be isolated: {str(first[0])[:300]}")
        control.ask()
        self.slept = control.asleep  # during preparation, which is not the submission's doing
        # A backstop for a notebook that waits a little in each of many cells without taking processor time.
        self.end = time.monotonic() + self.limits.patience * self.limits.total_seconds
        for cell, number in self.steps:
            if cell is None:
                control.ask(keep=number)
                message, _ = self._ask(control, runner, {"snapshot": number}, "a snapshot")
                if message.get("threads") is True:
                    self.threaded.add(number)
                continue
            where = _where(cell, number)
            begin = time.monotonic()
            message, buffers = self._ask(
                control, runner, {"run": cell.source, "draw": cell.get("id") not in undrawn}, where
            )
            if time.monotonic() - begin > 0.1:  # even two thousand shorter cells take little time
                self._require_within_limits(control, where)
            outputs = unpack(message.get("outputs"), buffers)
            cell.outputs = [_node(output, number) for output in outputs if self._fits(output)]
            if message.get("cut") is True or len(cell.outputs) < len(outputs):
                self.notices.append(f"The output of {where} was too long to keep, so it was cut off.")

    def _require_within_limits(self, control: Control, where: str) -> None:
        """Refuse what slept or computed too long; a control group may count more than the supervisor saw."""
        if control.ask() > self.limits.total_seconds:
            raise SubmissionError(
                f"The notebook used more than {self.limits.total_seconds:g} seconds of processor time, in {where}."
            )
        self._require_awake(control, where)

    def _require_awake(self, control: Control, where: str) -> None:
        if control.asleep - self.slept > SLEEP * self.limits.cell_seconds:
            raise SubmissionError(
                f"The notebook did not finish: its cells waited for more than {SLEEP * self.limits.cell_seconds:.0f} "
                f"seconds without computing, the last of them {where}; check what they are waiting for.",
                doubtful=True,
            )

    def _fits(self, output: dict) -> bool:
        length = size(output)
        if length > self.left:
            return False
        self.left -= length
        return True

    def _ask(self, control: Control, runner: Connection, request: dict, where: str) -> tuple[dict, list]:
        limits = self.limits
        try:
            runner.send(request, (), time.monotonic() + limits.patience * limits.cell_seconds)
        except WireError:
            raise _RunnerEndedError(where) from None
        message, buffers = self._answer(
            control, runner, where, limits.patience * limits.cell_seconds, limits.cell_seconds + GRACE
        )
        if not isinstance(message, dict):
            raise SubmissionError(f"The Python process sent an invalid answer in {where}.")
        return message, buffers

    def _answer(
        self, control: Control, runner: Connection, where: str, clock: float, processor: float
    ) -> tuple[Any, list]:
        """Wait for the runner's answer, up to this many seconds on the clock and of processor time."""
        start = time.monotonic()
        end, begin = min(start + clock, self.end), None
        while True:
            try:
                return runner.receive(min(end, time.monotonic() + LOOK))
            except DeadlineError:
                used = control.ask()
                self._require_awake(control, where)
                begin = used if begin is None else begin
                if used - begin > processor:
                    raise SubmissionError(
                        f"The notebook did not finish: {where} ran for too long and could not be interrupted; look for "
                        "an infinite loop."
                    ) from None
                if time.monotonic() >= end:
                    raise SubmissionError(
                        f"The notebook did not finish: {where} had not ended after {end - start:.0f} seconds; check "
                        "what it is waiting for."
                        if end < self.end
                        else "The notebook did not finish: its cells together waited for too long, the last of them "
                        f"{where}; check what they are waiting for.",
                        doubtful=True,
                    ) from None
            except ConnectionEndedError:
                raise _RunnerEndedError(where) from None
            except WireError as error:
                raise SubmissionError(f"The Python process sent an invalid answer ({error}) in {where}.") from None

    # ---- the tests

    def tests(self, control: Control, judge: Connection, reference: dict[str, dict[str, float]], last: bool) -> None:
        """Have the tests judged, visible ones first.

        Parameters
        ----------
        control : Control
            The supervisor of the submission.
        judge : Connection
            The examiner.
        reference : dict of str to dict of str to float
            What the reference solution took, by test.
        last : bool
            Whether tests that cannot be judged are left to a person; otherwise the submission is tried again.

        Raises
        ------
        SubmissionError, ExaminerEndedError
            The tests did not get complete answers, or the examiner ended, and this was not the last try.
        """
        order = sorted(self.plan, key=lambda test: is_hidden(test.cell.source))
        group = None
        for number, test in enumerate(order):
            if test.group != group:
                group = test.group
                control.ask(**{"put back": group})
            name = grade_id(test.cell)
            if time.monotonic() > self.end:
                if not last:
                    raise SubmissionError("The tests did not get complete answers.", doubtful=True)
                self._leave(order[number:], "The tests before this one took too long, so this test was not judged.")
                return
            try:
                question = {"test": test.index, "snapshot": group, "reference": reference.get(name, {})}
                question["threads"] = group in self.threaded
                message, buffers = self._from_examiner(control, judge, question, last)
                self._accept(name, test.cell, message, buffers, last)
            except ExaminerEndedError:
                if not last:
                    raise
                self._leave(
                    order[number:], "The examiner stopped while judging this submission, so this test was not judged."
                )
                return

    def _leave(self, tests: list[_Test], reason: str) -> None:
        """Leave tests for a person."""
        self.awaiting |= {grade_id(test.cell): reason for test in tests}

    def _from_examiner(self, control: Control, judge: Connection, question: dict, last: bool) -> tuple[dict, list]:
        """Ask the examiner for a verdict and wait for it, answering its questions meanwhile.

        It asks while it waits for the submission. A submission that has slept too long gets no more time to answer.
        """
        # The submission gets its time to answer, and the examiner as much for its own computing.
        patience = self.limits.patience * self.limits.cell_seconds
        clock = max(0.0, self.end - time.monotonic())
        end = time.monotonic() + min(patience, clock) + patience + MARGIN
        try:
            judge.send(question | {"clock": clock}, (), end)
            while True:
                # While it waits for the submission, an examiner keeps asking: silence means that it computes, or hangs.
                message, buffers = judge.receive(min(end, time.monotonic() + patience + MARGIN))
                if message not in ({"ask": "processor", "again": False}, {"ask": "processor", "again": True}):
                    return message, buffers
                asleep, used = control.asleep, control.ask()
                if message["again"]:  # it has only waited since it last asked
                    self.asleep += control.asleep - asleep
                if self.asleep > SLEEP * self.limits.cell_seconds:
                    if not last:
                        raise SubmissionError("The tests did not get complete answers.", doubtful=True)
                    used = math.inf
                judge.send({"processor": used}, (), end)
        except WireError:
            raise ExaminerEndedError from None

    def _accept(self, name: str, cell: NotebookNode, message: Any, buffers: list, last: bool) -> None:
        """Accept a verdict in the expected form, and nothing else."""
        if not isinstance(message, dict) or set(message) != {"verdict", "doubtful", "digest", "measured", "outputs"}:
            raise ExaminerEndedError
        verdict, digest, measured = message["verdict"], message["digest"], message["measured"]
        if not (isinstance(verdict, str) and verdict in _VERDICTS and isinstance(digest, str)):
            raise ExaminerEndedError
        if not _DIGEST.fullmatch(digest) or not isinstance(measured, dict) or len(measured) > 20:
            raise ExaminerEndedError
        outputs = unpack(message["outputs"], buffers)
        failed = bool(outputs) and outputs[-1]["output_type"] == "error"
        if failed == (verdict == "passed"):
            raise ExaminerEndedError
        if message["doubtful"] is True and not last:
            raise SubmissionError("A test did not get a complete answer.", doubtful=True)
        cell.outputs = [_node(output, cell.execution_count) for output in outputs]
        self.behaviour[name] = digest
        if verdict == "undecided":
            self.awaiting[name] = outputs[-1]["evalue"]
        kept = {key: seconds for key, seconds in measured.items() if type(seconds) is float and 0 <= seconds < 1e6}
        if kept:
            self.measured[name] = kept


def _where(cell: NotebookNode, count: int) -> str:
    name = grade_id(cell)
    return f"the cell {name!r}" if name else f"its code cell number {count}"


def _node(output: dict, count: int) -> NotebookNode:
    """Turn an output into a notebook node."""
    node = NotebookNode(
        {key: NotebookNode(value) if isinstance(value, dict) else value for key, value in output.items()}
    )
    if node.output_type == "execute_result":
        node.execution_count = count
    return node
