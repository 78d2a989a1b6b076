"""`autograder check-archive`: grades everything in an archive anew, and compares."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.options import add_jobs

SUMMARY = "Grade everything in an archive anew, with the engine and the sets inside, and compare the scores."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="an archive that autograder archive wrote")
    add_jobs(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.reports.term_archive import check_archive

    checked = check_archive(options.file, options.jobs)
    for line in checked.versions:
        print(f"another version: {line}")
    for line in checked.differences:
        print(f"different: {line}", file=sys.stderr)
    same = checked.compared - len(checked.differences)
    print(f"{checked.compared} submissions graded again, {same} of them with the same result.")
    return SOME_FAILED if checked.differences else DONE
