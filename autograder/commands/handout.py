"""`autograder handout`: the website and the released problem sets in a folder of their own, and nothing of the solutions."""

from __future__ import annotations

import argparse
from pathlib import Path

from autograder.commands.shared.exit_codes import DONE
from autograder.commands.shared.options import course_of
from autograder.common.atomic_files import NO_ROOM, DiskFullError
from autograder.common.errors import AutograderError

SUMMARY = "Write the website and the problem sets, without their solutions, into a folder."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to write the handout")
    parser.add_argument("--site", type=Path, required=True, metavar="DIR", help="the built website")
    parser.add_argument(
        "--check", action="store_true", help="only say whether the folder may be written, and write nothing"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.authoring.handout import hand_out, require_own

    if options.check:
        require_own(options.folder, options.site)
        return DONE
    try:
        hand_out(course_of(options), options.site, options.folder)
    except OSError as error:
        what = f"The handout could not be written: {error}"
        raise (DiskFullError(what) if error.errno in NO_ROOM else AutograderError(f"{what}.")) from None
    print(f"Handout: {options.folder}")
    return DONE
