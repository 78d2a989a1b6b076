"""`autograder export`: writes the grades as CSV."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.options import add_class, add_roster, add_sets, class_of, roster_of, usable_sets_of
from autograder.commands.shared.tables import narrow_table, set_titles, show_table
from autograder.commands.shared.without_score import name_without_score, some_of
from autograder.common.errors import UsageError

if TYPE_CHECKING:
    from autograder.problem_set.source import ProblemSet
    from autograder.reports.grades import Grades


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
    parser.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="the platform's own table: Canvas's gradebook as it is exported, which the class remembers, or Moodle's "
        "grading worksheet of the set, which is filled in",
    )
    parser.add_argument("--column", default="", metavar="TITLE", help="the set's column in Canvas's gradebook")
    parser.add_argument(
        "--provisional", action="store_true", help="for platforms: the points so far, too, where work awaits a person"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.grading.current_results import current_outcomes
    from autograder.classroom.roster import text_of_table, with_missing
    from autograder.reports.export import FORMATS, write_grades
    from autograder.reports.formats.form import Export
    from autograder.reports.grades import class_grades, given_out

    form = FORMATS[options.format]
    if options.table and not form.reads:
        raise UsageError("--table goes with --format canvas or moodle.")
    problem_sets, left_out = usable_sets_of(options)
    if options.column and len(problem_sets) != 1:
        raise UsageError("--column is the title of one set: name the set.")
    with class_of(options) as directory:
        roster = roster_of(options, directory)
        outcomes = current_outcomes(directory, problem_sets)
        everyone = with_missing(directory, roster, [problem_set.name for problem_set in problem_sets], outcomes)
        grades = class_grades(directory, problem_sets, everyone)
        problem_sets = given_out(grades, problem_sets)
        table = form.remembered(directory, text_of_table(options.table, form.reads) if options.table else "")
        export = Export(directory, grades, problem_sets, roster, table, options.column, options.provisional)
        paths, notices = write_grades(export, form)
        waiting = directory.submissions(left_out)
    _print_scores(grades, problem_sets)
    for problem_set in problem_sets:
        if line := _awaiting(problem_set.name, grades, form.name, options.provisional):
            print(line)
        if line := _marked_late(problem_set.name, grades):
            print(line)
    for notice in notices:
        print(notice)
    for path in paths:
        print(f"Grades: {path}")
    if not paths:
        print("Nobody has a score that could be exported; no file was written.")
    return SOME_FAILED if name_without_score(outcomes) or waiting else DONE


def _print_scores(grades: Grades, problem_sets: list[ProblemSet]) -> None:
    from rich.text import Text

    from autograder.reports.grades import summary_rows

    table = narrow_table("student", *set_titles(problem_sets))
    for row in summary_rows(grades, problem_sets):
        table.add_row(*map(Text, row))  # a name in brackets is no colour
    show_table(table)


def _awaiting(name: str, grades: Grades, form: str, provisional: bool) -> str:
    """Say whose score is not complete, and what the file has of it."""
    results = {student: sets[name] for student, sets in grades.items() if name in sets}
    students = [student for student, result in results.items() if result.outcome == "needs-manual-grading"]
    if not students:
        return ""
    if form == "plain" or provisional:
        has = "the file has their points so far"
    else:
        has = "the file leaves them out (--provisional exports their points so far)"
    await_it = "awaits" if len(students) == 1 else "await"
    return f"{name}: {len(students)} {await_it} grading by hand ({some_of(students)}); {has}."


def _marked_late(name: str, grades: Grades) -> str:
    """Say for whom lateness cost nothing because nobody knows how late it was."""
    students = [student for student, sets in grades.items() if name in sets and sets[name].marked_late]
    if not students:
        return ""
    return (
        f"{name}: marked as late by the platform, which gives no time, so that nothing was taken off: "
        f"{some_of(students)}."
    )
