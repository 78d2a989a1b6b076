"""`autograder export`: writes the grades as CSV."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from autograder.commands.exit_codes import DONE, SOME_FAILED
from autograder.commands.options import add_class, add_roster, add_sets, class_of, roster_of, usable_sets_of
from autograder.commands.tables import print_table


class _Formats:
    """The formats that the report room knows, read when somebody asks for one: that room takes a second to import."""

    def __iter__(self) -> Iterator[str]:
        from autograder.reports.export import FORMATS

        return iter(FORMATS)

    def __contains__(self, name: object) -> bool:
        return name in tuple(self)


SUMMARY = "Write the grades as CSV."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_sets(parser)
    add_class(parser)
    parser.add_argument("--format", choices=_Formats(), default="plain", help="(default: plain)")
    add_roster(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.roster import with_missing
    from autograder.reports.export import class_grades, summary_table, write_grades

    problem_sets, left_out = usable_sets_of(options)
    names = [problem_set.name for problem_set in problem_sets]
    with class_of(options) as directory:
        roster = roster_of(options, directory)
        outcomes = with_missing(directory, roster, names, directory.require_outcomes(names))
        grades = class_grades(directory, problem_sets, outcomes)
        path = write_grades(directory, grades, problem_sets, options.format, roster)
        waiting = directory.submissions(left_out)
    print_table(summary_table(grades, problem_sets))
    print(f"Grades: {path}")
    return SOME_FAILED if waiting else DONE
