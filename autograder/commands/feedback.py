"""`autograder feedback`: writes a page for each student and set."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.options import add_class, add_roster, add_sets, class_of, roster_of, usable_sets_of
from autograder.commands.shared.progress import Progress
from autograder.commands.shared.without_score import name_without_score
from autograder.common.errors import UsageError

SUMMARY = "Write an HTML page for each student and set."

#: Why a page cannot be given back, by the way that it would go.
UNKNOWN = {
    "moodle": "neither what was collected nor the roster's column moodle_id has Moodle's number of the student in this "
    "assignment; name its grading worksheet as --table, or use --mail",
    "canvas": "Canvas did not name a file of this student in what was collected; use --mail",
    "mail": "the roster has no address",
}

DIFFER = "the platform has one file for the group, but the members' pages differ; give them back with --mail"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_sets(parser)
    add_class(parser)
    parser.add_argument("--reveal", action="store_true", help="show hidden tests too; these pages go into DIR/revealed")
    parser.add_argument(
        "--zip",
        choices=("moodle", "canvas"),
        help="also write an archive that the platform takes in one upload, of the pages that have changed since the last",
    )
    parser.add_argument(
        "--mail", action="store_true", help="also write a mail (.eml) to each student whose pages have changed since"
    )
    parser.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="with --zip moodle: the set's grading worksheet, which has the numbers",
    )
    add_roster(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.collecting.moodle_worksheet import read_worksheet
    from autograder.reports.feedback import write_feedback
    from autograder.reports.give_back import write_archives, write_mails

    if options.reveal and (options.zip or options.mail):
        raise UsageError("Pages that reveal hidden tests are not given back: leave out --reveal.")
    if options.table and options.zip != "moodle":
        raise UsageError("--table is Moodle's grading worksheet: it goes with --zip moodle.")
    problem_sets, left_out = usable_sets_of(options)
    if options.table and len(problem_sets) != 1:
        raise UsageError("A grading worksheet is of one assignment: name one problem set.")
    worksheet = read_worksheet(options.table) if options.table else None
    with class_of(options) as directory, Progress("feedback") as progress:
        written = write_feedback(directory, problem_sets, progress.start, progress.step, reveal=options.reveal)
        waiting = directory.submissions(left_out)
        roster, given = roster_of(options, directory), {}
        if options.zip:
            given[options.zip] = write_archives(directory, options.zip, written.submissions, roster, worksheet)
        if options.mail:
            titles = {problem_set.name: problem_set.title for problem_set in problem_sets}
            given["mail"] = write_mails(directory, titles, written.submissions, roster)
    print(f"Feedback on {written.count} submissions in {directory.revealed if options.reveal else directory.feedback}")
    unwell = name_without_score(written.outcomes) or bool(waiting)
    if written.waiting:
        sets = sorted({submission.problem_set for submission in written.waiting})
        print(f"{len(written.waiting)} of them say that something awaits grading by hand, in {', '.join(sets)}.")
    for way, result in given.items():
        for path in result.paths:
            print(f"To give back: {path}")
        changed = len(result.given)
        print(f"{changed} page{'' if changed == 1 else 's'} new or changed since the last time.")
        for submission in result.unknown:
            print(f"not given back: {submission}: {UNKNOWN[way]}", file=sys.stderr)
        for group in result.differ:
            members = ", ".join(submission.student for submission in group)
            print(f"not given back: {members}, {group[0].problem_set}: {DIFFER}", file=sys.stderr)
    for submission, reason in written.left_out.items():
        print(f"no feedback: {submission}: {reason}", file=sys.stderr)
    kept = written.left_out or any(result.unknown or result.differ for result in given.values())
    return SOME_FAILED if unwell or kept else DONE
