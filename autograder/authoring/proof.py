"""The proof of a problem set: its tests give every known answer exactly the points they should.

Bank entries of different items do not depend on each other, so one notebook carries an entry of each item at once.
Where such a notebook gets other points than promised, its entries run again, alone, to find which one is to blame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from autograder.authoring.entry_lint import faults_of_entries, ran_out_of_time
from autograder.authoring.test_cell_lint import faults_of_test_cells
from autograder.common.errors import SubmissionError
from autograder.engine.execution import Executor
from autograder.engine.score import Graded, grade
from autograder.problem_set.bank import BankEntry, bank_mixes, promised_losses
from autograder.problem_set.known_behaviour import HIDDEN_TESTS
from autograder.problem_set.source import ProblemSet, answered, grade_id, is_test
from autograder.problem_set.versions import instructor_version, without_hidden_tests


@dataclass
class Proof:
    """What the proof of a set came to.

    Attributes
    ----------
    faults : list of str
        What is wrong, a sentence each.
    behaviour : list of tuple of (BankEntry, dict of str to str)
        Each misconception, and for every test cell a digest of what it answered.
    messages : dict of str to set of str
        Each hidden test cell, and what it said to whoever failed it.
    """

    faults: list[str]
    behaviour: list[tuple[BankEntry, dict[str, str]]] = field(default_factory=list)
    messages: dict[str, set[str]] = field(default_factory=dict)


def prove(
    problem_set: ProblemSet, execute: Executor, jobs: int = 1, progress: Callable[[], None] = lambda: None
) -> Proof:
    """Grade the reference solution, the unsolved notebook and every bank entry.

    Parameters
    ----------
    problem_set : ProblemSet
        The set to prove.
    execute : Executor
        Runs the notebooks.
    jobs : int
        How many at once.
    progress : callable
        Called when a notebook is done; `notebooks_to_prove` says how many there are.

    Returns
    -------
    Proof
        Without faults for a set that is proven.
    """
    faults = faults_of_test_cells(problem_set) + faults_of_entries(problem_set, problem_set.bank)
    if faults:
        return Proof(faults)
    source = instructor_version(problem_set)
    released = without_hidden_tests(source)

    measured: dict[str, dict[str, float]] = {}

    def run(answers: dict[str, str]) -> Graded | SubmissionError:
        try:
            return grade(source, answered(released, answers), execute, measured, draw=False)
        except SubmissionError as error:
            return error
        finally:
            progress()

    def run_with(entries: Iterable[BankEntry]) -> Graded | SubmissionError:
        return run(problem_set.reference_answers | {entry.replaces: entry.code for entry in entries})

    mixes = bank_mixes(problem_set.bank)
    with ThreadPoolExecutor(jobs) as pool:
        reference, unsolved = pool.submit(run_with, []), pool.submit(run, {})
        if isinstance(reference.result(), Graded):  # what the others are measured beside
            measured |= reference.result().measured
        mixed = [pool.submit(run_with, mix) for mix in mixes]
        faults = reference_faults(problem_set, reference.result()) + _unsolved_faults(problem_set, unsolved.result())
        if faults:
            for future in mixed:
                future.cancel()
            return Proof(faults)
        suspects = [
            entry
            for mix, future in zip(mixes, mixed, strict=True)
            if not _keeps_promise(problem_set, mix, future.result())
            for entry in mix
        ]
        behaviour = [
            (entry, future.result().behaviour)
            for mix, future in zip(mixes, mixed, strict=True)
            for entry in mix
            if entry.kind == "misconception" and isinstance(future.result(), Graded)
        ]
        alone = [(entry, pool.submit(run_with, [entry])) for entry in suspects]
        for entry, future in alone:
            faults += _entry_faults(problem_set, entry, future.result())
        messages: dict[str, set[str]] = {}
        for future in [unsolved, *mixed, *(future for _, future in alone)]:
            if isinstance(future.result(), Graded):
                _collect_messages(future.result(), messages)
    if suspects and not faults:
        names = ", ".join(str(entry) for entry in suspects)
        faults.append(
            f"{problem_set.name}: some of these entries get the right points alone but not in one notebook, so one "
            f"of them calls or changes what another item defines; make them self-contained: {names}."
        )
    return Proof(faults, behaviour, messages)


def notebooks_to_prove(problem_set: ProblemSet) -> int:
    """Return how many notebooks the proof of a set runs if nothing is wrong."""
    return 2 + len(bank_mixes(problem_set.bank))


def _keeps_promise(problem_set: ProblemSet, mix: list[BankEntry], outcome: Graded | SubmissionError) -> bool:
    return (
        isinstance(outcome, Graded)
        and outcome.lost(problem_set.tests) == promised_losses(mix)
        and not ran_out_of_time(outcome.notebook)
    )


def _message(outcome: Graded, name: str) -> str:
    """Return the last line of what the test cell of this name said."""
    for cell in outcome.notebook.cells:
        if grade_id(cell) == name:
            for output in cell.outputs:
                if output.output_type == "error":
                    return f" ({output.ename}: {output.evalue.strip()[:300]})"
    return ""


def _collect_messages(outcome: Graded, messages: dict[str, set[str]]) -> None:
    """Add what the hidden tests of a notebook said of their own when they failed: not what an answer raised."""
    for cell in outcome.notebook.cells:
        if is_test(cell) and HIDDEN_TESTS.search(cell.source):
            texts = messages.setdefault(grade_id(cell), set())
            texts.update(
                output.evalue
                for output in cell.outputs
                if output.output_type == "error" and output.ename == "AssertionError" and output.evalue
            )


def reference_faults(problem_set: ProblemSet, outcome: Graded | SubmissionError) -> list[str]:
    """Say what the reference solution does that it must not."""
    if isinstance(outcome, SubmissionError):
        return [f"{problem_set.name}: the reference solution does not run: {outcome}"]
    faults = [
        f"{problem_set.name}: the reference solution loses points in {name}{_message(outcome, name)}."
        for name in sorted(outcome.lost(problem_set.tests))
    ]
    # nbgrader's own Autograde button takes all points of a cell that warns.
    return faults + [f"{problem_set.name}: the reference solution is not silent. {n}" for n in outcome.notices]


def _unsolved_faults(problem_set: ProblemSet, outcome: Graded | SubmissionError) -> list[str]:
    if isinstance(outcome, SubmissionError):
        return [f"{problem_set.name}: the unsolved notebook does not run: {outcome}"]
    return [
        f"{problem_set.name}: the unsolved notebook gets points in {name}."
        for name, score in outcome.scores.items()
        if score
    ] + [
        f"{problem_set.name}: the unsolved notebook counts as attempted in {name}."
        for name in problem_set.items
        if name not in outcome.not_attempted
    ]


def fault_of_run(problem_set: ProblemSet, entry: BankEntry, outcome: Graded | SubmissionError) -> str:
    """Say why an entry, run alone, came to no end of its own: any test refuses such an answer, so it proves nothing."""
    if isinstance(outcome, SubmissionError):
        return f"{problem_set.where(entry)}: it does not run to its end: {outcome}"
    if ran_out_of_time(outcome.notebook):
        return f"{problem_set.where(entry)}: it never ends, or takes too long, so every test that calls it refuses it."
    return ""


def _entry_faults(problem_set: ProblemSet, entry: BankEntry, outcome: Graded | SubmissionError) -> list[str]:
    if fault := fault_of_run(problem_set, entry, outcome):
        return [fault]
    lost = outcome.lost(problem_set.tests)
    kept = sorted(entry.loses - lost)
    more = sorted(lost - entry.loses)
    return [f"{problem_set.name}: {entry} keeps the points of {name}, which it should lose." for name in kept] + [
        f"{problem_set.name}: {entry} loses the points of {name}, which it should keep{_message(outcome, name)}."
        for name in more
    ]
