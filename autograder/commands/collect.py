"""`autograder collect`: sorts what a learning platform exports into the class."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.next_command import next_command
from autograder.commands.shared.options import add_class, add_roster, class_of, roster_of, usable_sets_of
from autograder.common.errors import AutograderError, UsageError

SUMMARY = "Sort what a learning platform exports into DIR/submitted."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_class(parser)
    parser.add_argument("archives", nargs="+", type=Path, metavar="ZIP", help="zips, folders or notebooks")
    add_roster(parser)
    parser.add_argument("--student", default="", metavar="ID", help="all of it is this student's work")
    parser.add_argument(
        "--timezone",
        "--zone",
        dest="zone",
        default="",
        metavar="ZONE",
        help="zone of times that do not tell it, as Europe/London, which the class remembers (default: the class's, else "
        "this computer's)",
    )
    parser.add_argument(
        "--pattern",
        default="",
        metavar="TEXT",
        help="how another platform names its files, as {last}_{first}_{login}/{time}_{file}; also {name}, {number}, "
        "{upload}, and {*} for what does not matter",
    )
    parser.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="Moodle's grading worksheet of the assignment, which has the times of handing in",
    )
    parser.add_argument(
        "--times",
        choices=["auto", "yes", "no"],
        default="auto",
        help="whether the times in an archive are those of handing in; Canvas and some Moodles write the time of "
        "packing (default: auto, if they lie more than ten minutes apart and are not Canvas')",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.class_zone import remember_zone
    from autograder.classroom.collecting.collect import collect
    from autograder.classroom.collecting.moodle_worksheet import read_worksheet
    from autograder.classroom.collecting.platforms.pattern import platform_of
    from autograder.classroom.result.moments import zone
    from autograder.classroom.roster import folder_problem
    from autograder.common.text import printable

    problem_sets, _ = usable_sets_of(options)
    for path in options.archives:
        if not path.exists():
            raise AutograderError(f"There is no file or folder {printable(str(path))}.")
    if options.student and folder_problem(options.student):
        raise UsageError(f"The student {options.student!r} {folder_problem(options.student)}.")
    pattern = platform_of(options.pattern) if options.pattern else None
    if options.zone:
        zone(options.zone)  # there is one, before a class is made
    worksheet = read_worksheet(options.table) if options.table else None
    with class_of(options, new=True) as directory:
        roster, time_zone = roster_of(options, directory), remember_zone(directory, options.zone)
        if options.student and roster is not None and options.student not in roster.students:
            raise UsageError(f"The student {options.student!r} is not on the roster.")
        result = collect(
            directory,
            problem_sets,
            options.archives,
            roster,
            options.student,
            time_zone,
            options.times,
            pattern,
            worksheet,
        )
    for notice in result.notices:
        print(notice)
    if options.roster and roster is not None and roster.ignored:
        print(f"Columns of the roster that are not used: {', '.join(map(printable, roster.ignored))}.")
    counts = {
        "placed": len(result.placed),
        "replaced by a later attempt": len(result.replaced),
        "unchanged": len(result.unchanged),
        "of these with a new time of handing in": len(result.timed),
        "without a notebook that can be graded": len(result.refused),
        "not placed": len(result.unplaced),
        "of the system's or Jupyter's own files ignored": result.ignored,
    }
    counted = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing found"
    print(f"In {directory.submitted}: {counted}.")
    for where, reason in result.ungradable:
        print(f"failed: {where}: {reason}", file=sys.stderr)
    for where, reason in result.unplaced:
        print(f"not placed: {where}: {reason}", file=sys.stderr)
    for text in result.untimed:
        print(f"time not known: {text}", file=sys.stderr)
    if result.placed or result.replaced or result.refused or result.timed:
        print(next_command("grade", directory.root))
    return SOME_FAILED if result.ungradable or result.unplaced or result.untimed else DONE
