"""`autograder feedback`: writes a page for each student and set."""

from __future__ import annotations

import argparse
import sys

from autograder.commands.exit_codes import DONE, SOME_FAILED
from autograder.commands.not_graded import name_not_graded
from autograder.commands.options import add_class, add_sets, class_of, usable_sets_of
from autograder.commands.progress import Progress

SUMMARY = "Write an HTML page for each student and set."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_sets(parser)
    add_class(parser)
    parser.add_argument("--reveal", action="store_true", help="show hidden tests too; these pages go into DIR/revealed")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.reports.feedback import write_feedback

    problem_sets, left_out = usable_sets_of(options)
    with class_of(options) as directory, Progress("feedback") as progress:
        written = write_feedback(directory, problem_sets, progress.start, progress.step, reveal=options.reveal)
        waiting = directory.submissions(left_out)
    print(f"Feedback on {written.count} submissions in {directory.revealed if options.reveal else directory.feedback}")
    name_not_graded(written.not_graded)
    for submission, reason in written.left_out.items():
        print(f"no feedback: {submission}: {reason}", file=sys.stderr)
    return SOME_FAILED if written.left_out or written.not_graded or waiting else DONE
