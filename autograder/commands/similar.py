"""`autograder similar`: shows which answers to a set have most in common."""

from __future__ import annotations

import argparse

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.options import add_class, class_of, positive, problem_sets_of
from autograder.commands.shared.without_score import name_without_score

SUMMARY = "Compare everyone's answers to a set, and show the most similar pairs side by side."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("set", metavar="SET", help="the problem set")
    add_class(parser)
    parser.add_argument("--pairs", type=positive, default=30, metavar="N", help="pairs to show (default: 30)")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.grading.current_results import current_outcomes
    from autograder.classroom.overview.similarity import similar_answers
    from autograder.reports.similarity_page import write_similarity

    options.sets = [options.set]
    (problem_set,) = problem_sets_of(options)
    with class_of(options) as directory:
        outcomes = current_outcomes(directory, [problem_set])
        found = similar_answers(directory, problem_set, outcomes, options.pairs)
        path = write_similarity(directory, problem_set, found)
    count = len(found.pairs)
    print(
        f"{found.compared} notebook{'' if found.compared == 1 else 's'} compared; {count} pair{' stands' if count == 1 else 's stand'} out."
    )
    print(f"Side by side: {path}")
    print("Similar answers prove nothing by themselves; read both before you ask anybody.")
    return SOME_FAILED if name_without_score(outcomes) else DONE
