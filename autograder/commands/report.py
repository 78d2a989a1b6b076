"""`autograder report`: writes a report on a class."""

from __future__ import annotations

import argparse

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.options import add_class, add_roster, add_sets, class_of, roster_of, usable_sets_of
from autograder.commands.shared.without_score import name_without_score

SUMMARY = "Write a report on the class: distribution, items, discrimination."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_sets(parser)
    add_class(parser)
    add_roster(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.grading.current_results import current_outcomes
    from autograder.reports.class_report.page import write_report

    problem_sets, left_out = usable_sets_of(options)
    with class_of(options) as directory:
        outcomes = current_outcomes(directory, problem_sets)
        print(f"Report: {write_report(directory, problem_sets, outcomes, roster_of(options, directory))}")
        waiting = directory.submissions(left_out)
    return SOME_FAILED if name_without_score(outcomes) or waiting else DONE
