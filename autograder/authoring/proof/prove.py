"""The proof of a problem set: its tests give every known answer exactly the points they should.

The reference solution and the unsolved notebook run whole. Known answers run without the cells that only show something
and without the items that they do not touch; those that do not depend on each other share a notebook. Where such a
notebook does not get the promised points, its entries run again, each alone, to find the one to blame.

What a matching record (`record`) already says is not tried again. This relies on names (`dependence`), so each proof
also checks that nothing else connects the items: where nothing it uses has changed, the reference solution must answer
as before, and so must a sample of the known answers. Otherwise everything is tried.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from nbformat import NotebookNode

from autograder.authoring.proof.entry_lint import faults_of_entries, ran_out_of_time
from autograder.authoring.proof.record import Known, Observation, known, record, says_of
from autograder.authoring.proof.test_cell_lint import faults_of_test_cells
from autograder.common.errors import SubmissionError
from autograder.engine.execution import Executor
from autograder.engine.score import Graded, grade
from autograder.problem_set.bank import BankEntry, promised_losses
from autograder.problem_set.known_behaviour import HIDDEN_TESTS, record_behaviour
from autograder.problem_set.source import ProblemSet, answered, grade_id, is_test
from autograder.problem_set.versions import instructor_version, without_hidden_tests

Outcome = Graded | SubmissionError


@dataclass
class Proof:
    """The result of proving a set.

    Attributes
    ----------
    faults : list of str
        What is wrong, one sentence each.
    observed : dict of BankEntry to Observation
        The result of each known answer, from this run or from the record.
    reference : dict of str to str
        For each test cell, a digest of what the reference solution answered.
    messages : dict of str to set of str
        For each hidden test cell, what it said to the answers that failed it.
    tried : list of BankEntry
        The known answers that were run, not counting the sample.
    """

    faults: list[str]
    observed: dict[BankEntry, Observation] = field(default_factory=dict)
    reference: dict[str, str] = field(default_factory=dict)
    messages: dict[str, set[str]] = field(default_factory=dict)
    tried: list[BankEntry] = field(default_factory=list)


def prove(
    problem_set: ProblemSet,
    execute: Executor,
    jobs: int = 1,
    progress: Callable[[], None] = lambda: None,
    given: Known | None = None,
    whole: bool = False,
) -> Proof:
    """Grade the reference solution, the unsolved notebook and every bank entry whose result is not on record.

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
    given : Known, optional
        What is already known; nothing by default.
    whole : bool
        Whether known answers run with every cell of the student's notebook.

    Returns
    -------
    Proof
        Free of faults if the set is proven.
    """
    if faults := faults_of_test_cells(problem_set) + faults_of_entries(problem_set, problem_set.bank):
        return Proof(faults)
    given = known(problem_set, anew=True) if given is None else given
    if given.complete:
        return Proof([], given.observed)
    with ThreadPoolExecutor(jobs) as pool:
        proving = _Proving(problem_set, execute, pool, progress, given, whole)
        try:
            return proving.prove()
        finally:
            pool.shutdown(cancel_futures=True)


def record_proof(problem_set: ProblemSet, given: Known, proof: Proof) -> None:
    """Store what a proof without faults has observed, in `behaviour.json` and `proof.json`."""
    behaviour = [(entry, proof.observed[entry].answers) for entry in problem_set.bank if entry.kind == "misconception"]
    record_behaviour(problem_set, behaviour, proof.messages)
    record(problem_set, given, proof.observed, proof.reference)


def notebooks_to_prove(given: Known, whole: bool = False) -> int:
    """Return how many notebooks the proof of a set runs if it finds no fault and no changed answer."""
    if given.complete:
        return 0
    twice = bool(given.dependence.only_shown) and not whole
    part = bool(given.unknown and given.dependence.untouched(given.unknown)) and not whole
    return 2 + 2 * twice + part + len(given.mixes) + bool(given.observed)


class _Proving:
    """One proof in progress."""

    def __init__(
        self,
        problem_set: ProblemSet,
        execute: Executor,
        pool: ThreadPoolExecutor,
        progress: Callable[[], None],
        given: Known,
        whole: bool,
    ):
        self.set, self.execute, self.pool, self.progress, self.given = problem_set, execute, pool, progress, given
        self.source = instructor_version(problem_set)
        self.released = without_hidden_tests(self.source)
        self.briefly = self.released if whole else _without(self.released, given.dependence.only_shown)
        self.whole = whole
        self.measured: dict[str, dict[str, float]] = {}
        self.messages: dict[str, set[str]] = {}

    def _run(self, notebook: NotebookNode, answers: dict[str, str], source: NotebookNode | None = None) -> Outcome:
        try:
            return grade(source or self.source, answered(notebook, answers), self.execute, self.measured, draw=False)
        except SubmissionError as error:
            return error
        finally:
            self.progress()

    def _with(self, entries: list[BankEntry], part: _Part | None = None) -> Future[Outcome]:
        part = part or _Part(self.source, self.briefly)
        answers = self.set.reference_answers | {entry.replaces: entry.code for entry in entries}
        return self.pool.submit(self._run, part.released, answers, part.source)

    def _part_for(self, entries: list[BankEntry], reference: Graded) -> _Part:
        """Return the part of the set that these answers touch, or all of it if its tests see other answers there."""
        all_of_it = _Part(self.source, self.briefly)
        part = all_of_it.without(self.given.dependence.untouched(entries))
        if self.whole or not entries or len(part.source.cells) == len(self.source.cells):
            return all_of_it
        outcome = self._run(part.released, self.set.reference_answers, part.source)
        kept = {grade_id(cell) for cell in part.source.cells if is_test(cell)}
        return part if isinstance(outcome, Graded) and not _differences(reference, outcome, kept) else all_of_it

    def prove(self) -> Proof:
        """Prove the set."""
        answers, given = self.set.reference_answers, self.given
        reference = self.pool.submit(self._run, self.released, answers)
        unsolved = self.pool.submit(self._run, self.released, {})
        part = None
        if isinstance(reference.result(), Graded):  # the others are measured against it
            self.measured |= reference.result().measured
            part = self._part_for(given.unknown, reference.result())
        alike = []
        if self.briefly is not self.released:
            alike = [
                (reference, self.pool.submit(self._run, self.briefly, answers)),
                (unsolved, self.pool.submit(self._run, self.briefly, {})),
            ]
        sample = self._with(chosen) if (chosen := _sample(given)) else None
        mixed = [(mix, self._with(mix, part)) for mix in given.mixes]
        faults = reference_faults(self.set, reference.result()) + _unsolved_faults(self.set, unsolved.result())
        faults = faults or [
            f for whole, brief in alike for f in _shown_faults(self.set, whole.result(), brief.result())
        ]
        if faults:
            return Proof(faults)
        self._listen(unsolved.result())
        observed = dict(given.observed)
        answered_now = reference.result().behaviour
        if observed and not (
            given.reference.items() <= answered_now.items() and self._as_recorded(chosen, sample.result())
        ):
            observed = {}
            mixed += [(mix, self._with(mix)) for mix in given.dependence.mixes(given.observed)]
        tried = [entry for mix, _ in mixed for entry in mix]
        suspects = []
        for mix, future in mixed:
            if self._keeps_promise(mix, future.result()):
                observed |= {entry: self._observation(entry, future.result()) for entry in mix}
            else:
                suspects += mix
        # With all items: an entry may touch more than its names suggest.
        alone = [(entry, self._with([entry])) for entry in suspects]
        faults = [fault for entry, future in alone for fault in _entry_faults(self.set, entry, future.result())]
        if suspects and not faults:
            names = ", ".join(str(entry) for entry in suspects)
            faults.append(
                f"{self.set.name}: some of these entries get the right points alone but not in one notebook, so one "
                f"of them calls or changes what another item defines; make them self-contained: {names}."
            )
        for future in [future for _, future in (*mixed, *alone)]:
            self._listen(future.result())
        if faults:
            return Proof(faults, messages=self.messages, tried=tried)
        self._look_again([entry for entry in tried if entry.kind == "misconception"], observed, reference.result())
        for test, texts in says_of(observed.values()).items():
            self.messages.setdefault(test, set()).update(texts)
        return Proof([], observed, answered_now, self.messages, tried)

    def _keeps_promise(self, mix: list[BankEntry], outcome: Outcome) -> bool:
        return (
            isinstance(outcome, Graded)
            and outcome.lost(_tests_of(outcome, self.set.tests)) == promised_losses(mix)
            and not ran_out_of_time(outcome.notebook)
        )

    def _as_recorded(self, mix: list[BankEntry], outcome: Outcome) -> bool:
        """Whether known answers, run again, still do what the record says."""
        return self._keeps_promise(mix, outcome) and all(
            not digest or outcome.behaviour.get(test) == digest
            for entry in mix
            for test, digest in self.given.observed[entry].answers.items()
        )

    def _observation(self, entry: BankEntry, outcome: Graded) -> Observation:
        said = _own_words(outcome)
        says = {test: said[test] for test in entry.loses if test in said}
        answers = {}
        if entry.kind == "misconception" and entry.replaces in self.set.items:
            tests = self.set.items[entry.replaces].tests
            answers = {test: outcome.behaviour[test] for test in tests if test in outcome.behaviour}
        return Observation(entry.loses, says, answers)

    def _look_again(self, entries: list[BankEntry], observed: dict[BankEntry, Observation], reference: Graded) -> None:
        """Run entries that answered something new a second time, and keep only the answers that repeat.

        A random answer without a seed identifies no misconception, and a record must have the same bytes on every run.
        """
        new = [entry for entry in entries if observed[entry].answers != self.given.before.get(entry)]
        part = self._part_for(new, reference)
        again = [(mix, self._with(mix, part)) for mix in self.given.dependence.mixes(new)]
        for mix, future in again:
            behaviour = future.result().behaviour if isinstance(future.result(), Graded) else {}
            for entry in mix:
                answers = observed[entry].answers
                for test, digest in answers.items():
                    answers[test] = digest if behaviour.get(test) == digest else ""

    def _listen(self, outcome: Outcome) -> None:
        """Collect what hidden tests said."""
        if isinstance(outcome, Graded):
            for test, text in _own_words(outcome).items():
                self.messages.setdefault(test, set()).add(text)


@dataclass(frozen=True)
class _Part:
    """A set or part of one, as the instructor's version and the student's."""

    source: NotebookNode
    released: NotebookNode

    def without(self, cells: frozenset[str]) -> _Part:
        """Return this part without some of its cells."""
        return _Part(_without(self.source, cells), _without(self.released, cells))


def _tests_of(outcome: Graded, tests: dict[str, float]) -> dict[str, float]:
    """Return the tests that a notebook contains."""
    return {name: full for name, full in tests.items() if name in outcome.scores}


def _differences(one: Graded, other: Graded, tests: Iterable[str]) -> list[str]:
    """Return the tests whose result or observed answers differ between two notebooks."""
    return [
        name
        for name in tests
        if (one.scores.get(name), one.behaviour.get(name)) != (other.scores.get(name), other.behaviour.get(name))
    ]


def _sample(given: Known) -> list[BankEntry]:
    """Return some of the answers whose result is known, as many as fit in one notebook."""
    entries = list(given.observed)
    random.Random(given.dependence.of_set).shuffle(entries)
    chosen: list[BankEntry] = []
    for entry in entries:
        if all(given.dependence.independent(entry, other) for other in chosen):
            chosen.append(entry)
    return chosen


def _without(notebook: NotebookNode, cells: frozenset[str]) -> NotebookNode:
    """Return a notebook without some of its cells, or the notebook itself if there are none to leave out."""
    if not cells:
        return notebook
    return NotebookNode({**notebook, "cells": [cell for cell in notebook.cells if cell.id not in cells]})


def _own_words(outcome: Graded) -> dict[str, str]:
    """Return the hidden tests' own messages when they failed, not the errors that answers raised."""
    return {
        grade_id(cell): output.evalue
        for cell in outcome.notebook.cells
        if is_test(cell) and HIDDEN_TESTS.search(cell.source)
        for output in cell.outputs
        if output.output_type == "error" and output.ename == "AssertionError" and output.evalue
    }


def _message(outcome: Graded, name: str) -> str:
    """Return what the test cell of this name said, in parentheses."""
    for cell in outcome.notebook.cells:
        if grade_id(cell) == name:
            for output in cell.outputs:
                if output.output_type == "error":
                    return f" ({output.ename}: {output.evalue.strip()[:300]})"
    return ""


def reference_faults(problem_set: ProblemSet, outcome: Outcome) -> list[str]:
    """Say what is wrong with the reference solution's result."""
    if isinstance(outcome, SubmissionError):
        return [f"{problem_set.name}: the reference solution does not run: {outcome}"]
    faults = [
        f"{problem_set.name}: the reference solution loses points in {name}{_message(outcome, name)}."
        for name in sorted(outcome.lost(problem_set.tests))
    ]
    # nbgrader's own Autograde button takes all points of a cell that warns.
    return faults + [f"{problem_set.name}: the reference solution is not silent. {n}" for n in outcome.notices]


def _unsolved_faults(problem_set: ProblemSet, outcome: Outcome) -> list[str]:
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


def _shown_faults(problem_set: ProblemSet, whole: Outcome, brief: Outcome) -> list[str]:
    """Say where leaving out cells that seem only to show something changes what the tests see."""
    if isinstance(brief, SubmissionError):
        return [f"{problem_set.name}: without the cells that are neither graded nor locked, it does not run: {brief}"]
    return [
        f"{problem_set.name}: {name} sees other answers when cells are left out that are neither graded nor locked and "
        "define nothing that an answer uses; lock the cell it depends on, because students may change unlocked ones."
        for name in _differences(whole, brief, problem_set.tests)
    ]


def fault_of_run(problem_set: ProblemSet, entry: BankEntry, outcome: Outcome) -> str:
    """Say why an entry, run alone, did not finish: any test refuses such an answer, so it proves nothing."""
    if isinstance(outcome, SubmissionError):
        return f"{problem_set.where(entry)}: it does not run to its end: {outcome}"
    if ran_out_of_time(outcome.notebook):
        return f"{problem_set.where(entry)}: it never ends, or takes too long, so every test that calls it refuses it."
    return ""


def _entry_faults(problem_set: ProblemSet, entry: BankEntry, outcome: Outcome) -> list[str]:
    if fault := fault_of_run(problem_set, entry, outcome):
        return [fault]
    lost = outcome.lost(problem_set.tests)
    kept = sorted(entry.loses - lost)
    more = sorted(lost - entry.loses)
    return [f"{problem_set.name}: {entry} keeps the points of {name}, which it should lose." for name in kept] + [
        f"{problem_set.name}: {entry} loses the points of {name}, which it should keep{_message(outcome, name)}."
        for name in more
    ]
