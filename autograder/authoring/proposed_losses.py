"""Measures what a new misconception loses, so that its author need not type it.

The line is printed, not written into the bank. A bank says which tests *should* catch a misconception; its author
decides whether those that do are the right ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from autograder.authoring.proof.entry_lint import faults_of_entries
from autograder.authoring.proof.prove import fault_of_run, reference_faults
from autograder.authoring.proof.test_cell_lint import faults_of_test_cells
from autograder.common.errors import SubmissionError
from autograder.engine.execution import Executor
from autograder.engine.score import Graded, grade
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.source import ProblemSet, answered
from autograder.problem_set.versions import instructor_version, without_hidden_tests


def propose_losses(
    problem_set: ProblemSet,
    drafts: Sequence[BankEntry],
    execute: Executor,
    jobs: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> list[str]:
    """Grade each of these misconceptions alone, and say which tests it fails.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    drafts : sequence of BankEntry
        Misconceptions that do not say what they lose.
    execute : Executor
        Runs the notebooks.
    jobs : int
        How many at once.
    progress : callable
        Called when a notebook is done: one for each draft, and one for the reference solution.

    Returns
    -------
    list of str
        For each draft, a sentence and a line to paste, or what is wrong with it; or else what is wrong with the set.
    """
    faults = faults_of_test_cells(problem_set) + faults_of_entries(problem_set, drafts)
    if faults:
        return faults
    source = instructor_version(problem_set)
    released = without_hidden_tests(source)

    def run(replaced: dict[str, str], measured: dict[str, dict[str, float]] | None = None) -> Graded | SubmissionError:
        try:
            answers = problem_set.reference_answers | replaced
            return grade(source, answered(released, answers), execute, measured, draw=False)
        except SubmissionError as error:
            return error
        finally:
            progress()

    reference = run({})
    if not isinstance(reference, Graded) or reference_faults(problem_set, reference):
        return reference_faults(problem_set, reference)
    with ThreadPoolExecutor(jobs) as pool:
        outcomes = pool.map(lambda draft: run({draft.replaces: draft.code}, reference.measured), drafts)
        return [_proposal(problem_set, draft, outcome) for draft, outcome in zip(drafts, outcomes, strict=True)]


def _proposal(problem_set: ProblemSet, draft: BankEntry, outcome: Graded | SubmissionError) -> str:
    if fault := fault_of_run(problem_set, draft, outcome):
        return fault
    where = problem_set.where(draft)
    lost = outcome.lost(problem_set.tests)
    if not lost:
        return f"{where}: it keeps all points; add a test that it fails, or make it an alternative if it is right."
    line = ", ".join(test for test in problem_set.tests if test in lost)
    return f"{where}: it fails these tests; if they are the ones that should catch it, add the line\n  loses: [{line}]"
