"""`autograder sample-class`: makes a class of known answers."""

from __future__ import annotations

import argparse

from autograder.commands.shared.exit_codes import DONE
from autograder.commands.shared.next_command import next_command
from autograder.commands.shared.options import add_class, add_sets, class_of, positive, problem_sets_of

SUMMARY = "Make a class of known answers, with the scores they must get."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_sets(parser)
    add_class(parser)
    parser.add_argument("--students", type=positive, default=20, metavar="N", help="size of the class (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same class (default: 1)")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.sample_class import write_sample_class

    problem_sets = problem_sets_of(options)
    with class_of(options, new=True) as directory:
        count = write_sample_class(directory, problem_sets, options.students, options.seed)
    print(f"{count} submissions of {options.students} students in {directory.submitted}")
    print(f"What each must score: {directory.root / 'promised.csv'}")
    print(next_command("grade", directory.root))
    return DONE
