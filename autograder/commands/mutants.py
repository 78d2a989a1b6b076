"""`autograder mutants`: tries small changes of the reference solutions on the tests."""

from __future__ import annotations

import argparse
import sys

from autograder.commands.shared.exit_codes import CANNOT_RUN, DONE
from autograder.commands.shared.options import add_jobs, add_sets, problem_sets_of
from autograder.commands.shared.progress import Progress
from autograder.commands.shared.tables import print_table

SUMMARY = "Try small changes of the reference solutions on the tests."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_sets(parser)
    add_jobs(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.authoring.mutants import notebooks_to_try, update_results
    from autograder.authoring.proof_table import HEAD, item_proofs, table_rows
    from autograder.engine.execution import SandboxExecutor
    from autograder.engine.sandbox import working_sandbox
    from autograder.engine.shared.limits import Limits

    problem_sets = problem_sets_of(options)
    unexplained = []
    # A mutant may loop for ever; no reference answer needs more than a second.
    with SandboxExecutor(working_sandbox(), Limits(cell_seconds=8, total_seconds=90)) as executor:
        for problem_set in problem_sets:
            with Progress(f"mutants of {problem_set.name}") as progress:
                progress.start(notebooks_to_try(problem_set))
                results = update_results(problem_set, executor, options.jobs, progress.step)
            for item, result in results.items():
                unexplained += [
                    f"{problem_set.name}: {item}: {change}"
                    for change, reason in result["survivors"].items()
                    if not reason
                ]
    print_table([HEAD, *table_rows(p for problem_set in problem_sets for p in item_proofs(problem_set))])
    for mutant in unexplained:
        print(f"autograder: keeps all points, and mutants.json gives no reason: {mutant}", file=sys.stderr)
    return CANNOT_RUN if unexplained else DONE
