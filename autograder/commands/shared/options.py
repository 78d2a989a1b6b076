"""Options that several commands share, and what they name: the course, its problem sets, the class, its roster."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.common.errors import AutograderError

if TYPE_CHECKING:
    from autograder.classroom.directory import ClassDirectory
    from autograder.classroom.roster import Roster
    from autograder.problem_set.source import ProblemSet


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number


# ---- what a command adds to its parser


def add_common(parser: argparse.ArgumentParser) -> None:
    """Let the course and the class be named before the command."""
    _add_course(parser, None)
    _add_class(parser, None)
    parser.set_defaults(needs_class=False)


def add_course(parser: argparse.ArgumentParser) -> None:
    """Let the course be named after the command, too."""
    _add_course(parser, argparse.SUPPRESS)


def add_class(parser: argparse.ArgumentParser) -> None:
    """Ask for a class, named before the command or after it."""
    _add_class(parser, argparse.SUPPRESS)
    parser.set_defaults(needs_class=True)


# A command's own parser suppresses the default: it would take the place of what was given before the command.


def _add_course(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--course", type=Path, default=default, metavar="DIR", help="the course's folder (default: found from here)"
    )


def _add_class(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--class",
        dest="directory",
        type=Path,
        default=default,
        metavar="DIR",
        help="the class directory; every command that works in a class needs it",
    )


def check_class(options: argparse.Namespace) -> None:
    """Exit with wrong usage where a command lacks its class, or was given one that it does not use."""
    if options.needs_class and options.directory is None:
        options.parser.error("the following arguments are required: --class")
    if not options.needs_class and options.directory is not None:
        options.parser.error(f"{options.command} works without a class: leave out --class")


def add_sets(parser: argparse.ArgumentParser) -> None:
    """Let the problem sets be chosen."""
    parser.add_argument("sets", nargs="*", metavar="PS", help="problem sets (default: all)")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Let the number of notebooks that run at once be chosen."""
    parser.add_argument(
        "--jobs",
        type=positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help="notebooks to run at once (default: one per processor)",
    )


def add_roster(parser: argparse.ArgumentParser) -> None:
    """Let the roster be named."""
    parser.add_argument(
        "--roster",
        type=Path,
        metavar="FILE",
        help="the students, a CSV with the column student_id; the class remembers it as roster.csv",
    )


# ---- what the options name


def course_of(options: argparse.Namespace) -> Path:
    """Find the course: the folder named, the nearest one above the current folder, or the one that holds this package.

    Raises
    ------
    AutograderError
        The folder named is not a course, or none was found.
    """
    if options.course:
        if not (options.course / "solutions").is_dir():
            raise AutograderError(f"{options.course} is not the course: it has no folder solutions.")
        return options.course.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[3]):
        if (folder / "solutions").is_dir() and (folder / "_toc.yml").is_file():
            return folder
    raise AutograderError("The course was not found from here; name its folder with --course DIR.")


def problem_sets_of(options: argparse.Namespace) -> list[ProblemSet]:
    """Read the problem sets that were asked for."""
    from autograder.problem_set.source import find_problem_sets

    return find_problem_sets(course_of(options), options.sets)


def usable_sets_of(options: argparse.Namespace) -> tuple[list[ProblemSet], list[str]]:
    """Read the problem sets that were asked for; of all sets, those that can be used.

    Returns
    -------
    tuple of (list of ProblemSet, list of str)
        The sets, and the names of those left out. What is wrong with them was said.
    """
    from autograder.problem_set.source import usable_problem_sets

    if getattr(options, "sets", None):
        return problem_sets_of(options), []
    usable, broken = usable_problem_sets(course_of(options))
    if not usable:
        raise next(iter(broken.values()))
    for name, error in broken.items():
        print(f"left out: {name}: {error}", file=sys.stderr)
    return usable, list(broken)


@contextlib.contextmanager
def class_of(options: argparse.Namespace, new: bool = False) -> Iterator[ClassDirectory]:
    """Keep the class for this command; where `new`, it need not exist yet."""
    from autograder.classroom.class_lock import class_lock
    from autograder.classroom.directory import ClassDirectory

    directory = ClassDirectory(options.directory)
    if not new:
        directory.require_existing()
    with class_lock(directory.root, options.command):
        if notice := directory.renew_config():
            print(notice, file=sys.stderr)
        yield directory


def roster_of(options: argparse.Namespace, directory: ClassDirectory) -> Roster | None:
    """Return the roster of a class; None where it has none."""
    from autograder.classroom.roster import remember_roster

    return remember_roster(directory, options.roster)
