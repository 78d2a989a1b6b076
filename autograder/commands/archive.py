"""`autograder archive`: packs a class with all that grading it again takes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autograder.commands.shared.exit_codes import DONE
from autograder.commands.shared.options import add_class, class_of, course_of

SUMMARY = "Pack a class, its sets and the engine into one file, from which everything can be graded again."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the archive to write, a name that ends in .zip")
    add_class(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.common.text import printable
    from autograder.reports.term_archive import write_archive

    with class_of(options) as directory:
        made = write_archive(directory, course_of(options), options.file)
    for name, reason in made.left_out.items():
        print(f"left out: {printable(name)}: {reason}", file=sys.stderr)
    print(f"{made.submissions} submissions, {made.files} files: {options.file}")
    print(f"It holds students' work and hidden tests. To check it: autograder check-archive {options.file}")
    return DONE
