"""`autograder release`: proves problem sets and makes their exercises."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from autograder.commands.shared.exit_codes import CANNOT_RUN, DONE
from autograder.commands.shared.options import add_jobs, add_sets, course_of, problem_sets_of
from autograder.commands.shared.progress import Progress
from autograder.commands.shared.tables import print_table

SUMMARY = "Prove problem sets and make their exercises."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_sets(parser)
    add_jobs(parser)
    parser.add_argument(
        "--prove",
        action="store_true",
        help="prove all anew, with every cell of the notebooks; by default, what has changed since proof.json was written",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.authoring.proof.prove import notebooks_to_prove, prove, record_proof
    from autograder.authoring.proof.record import known
    from autograder.authoring.proof_table import HEAD, item_proofs, table_rows
    from autograder.authoring.proposed_losses import propose_losses
    from autograder.authoring.released_notebook import handed_out
    from autograder.common.atomic_files import write_notebook
    from autograder.engine.execution import SandboxExecutor
    from autograder.engine.sandbox import working_sandbox
    from autograder.engine.shared.limits import Limits
    from autograder.problem_set.chapter_links import chapter_addresses

    problem_sets, addresses = problem_sets_of(options), chapter_addresses(course_of(options))
    # All banks are read first: a slip in the last one is named before the others are proven.
    drafts = {problem_set.name: [e for e in problem_set.entries if e.is_draft] for problem_set in problem_sets}
    faults: list[str] = []
    measured: list[str] = []
    # What a set's proof runs is the course's own code; where there is no sandbox, it runs without. It has more time
    # than a submission, so that a busy machine does not refuse a set.
    with SandboxExecutor(working_sandbox(), Limits(cell_seconds=120, total_seconds=1_200)) as executor:
        for problem_set in problem_sets:
            if new := drafts[problem_set.name]:
                with Progress(f"measuring {problem_set.name}") as progress:
                    progress.start(1 + len(new))
                    measured += propose_losses(problem_set, new, executor, options.jobs, progress.step)
                continue
            given = known(problem_set, anew=options.prove)
            with Progress(f"proving {problem_set.name}") as progress:
                progress.start(notebooks_to_prove(given, options.prove))
                proof = prove(problem_set, executor, options.jobs, progress.step, given, whole=options.prove)
            if proof.faults:
                faults += proof.faults
                continue
            if not given.complete:
                record_proof(problem_set, given, proof)
            path = course_of(options) / "exercises" / problem_set.name / f"{problem_set.name}.ipynb"
            write_notebook(handed_out(problem_set, addresses), path)
            kinds = Counter(entry.kind for entry in problem_set.bank)
            print(
                f"{problem_set.name}: {len(problem_set.items)} items, {problem_set.max_score:g} points; proven by the "
                f"reference solution, {kinds['misconception']} misconceptions and {kinds['alternative']} alternatives"
                f"{_when(given.complete, len(proof.tried), len(problem_set.bank))}."
            )
    if not faults and not measured:
        print_table([HEAD, *table_rows(p for problem_set in problem_sets for p in item_proofs(problem_set))])
    for sentence in measured + faults:
        print(f"autograder: {sentence}", file=sys.stderr)
    if measured:
        print(
            "autograder: a set with a new entry was not released; complete the entry and run this again.",
            file=sys.stderr,
        )
    if faults:
        print("autograder: a set with a fault was not released.", file=sys.stderr)
    return CANNOT_RUN if faults or measured else DONE


def _when(complete: bool, tried: int, answers: int) -> str:
    """Say what of a proof was taken from its record."""
    if complete:
        return ", as proof.json records it: nothing has changed since"
    return (
        f", {tried} of these {answers} tried now and the others as proof.json records them" if tried < answers else ""
    )
