"""The command line: `autograder`, or `python -m autograder`."""

from __future__ import annotations

import argparse
import signal
import sys

from autograder.commands import (
    appeal,
    archive,
    check_archive,
    collect,
    doctor,
    export,
    feedback,
    grade,
    hand,
    handout,
    mutants,
    release,
    report,
    sample_class,
    similar,
    status,
)
from autograder.commands.shared.exit_codes import CANNOT_RUN, INTERRUPTED, MACHINE_FAILED, WRONG_USAGE
from autograder.commands.shared.options import add_common, add_course, check_class
from autograder.common.atomic_files import NO_ROOM, DiskFullError
from autograder.common.errors import AutograderError, MachineError, UsageError

#: In the order in which the help lists them. A module imports what its command needs when the command runs, so that the
#: help and a wrong word are answered at once.
_COMMANDS = (
    release,
    mutants,
    handout,
    sample_class,
    collect,
    grade,
    hand,
    status,
    feedback,
    appeal,
    similar,
    report,
    export,
    archive,
    check_archive,
    doctor,
)


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands and their options."""
    parser = argparse.ArgumentParser(
        prog="autograder",
        description="Release, grade and report the problem sets of From Bits to Backprop.",
        epilog="Exit codes: 0, done; 1, it could not run; 2, wrong usage; 3, it ran, and names a submission that failed, or "
        "was not graded, placed or given back, or the machine failed.",
    )
    add_common(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in _COMMANDS:
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        added = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        add_course(added)
        module.add_options(added)
        added.set_defaults(run=module.run, parser=added)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = build_parser().parse_args(arguments)
    check_class(options)
    # A terminated batch stops like an interrupted one: what is recorded stays, the next run goes on from there.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return options.run(options)
    except UsageError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return WRONG_USAGE
    except AutograderError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return CANNOT_RUN
    except DiskFullError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return MACHINE_FAILED
    except MachineError as error:
        print(f"autograder: the machine failed: {str(error).rstrip('.')}; run the command again.", file=sys.stderr)
        return MACHINE_FAILED
    except OSError as error:
        if error.errno in NO_ROOM:  # where no file of ours was written, but a temporary one, or a library's
            what = f"Cannot write {error.filename or 'a file'}: {error.strerror}"
            print(f"autograder: {DiskFullError(what)}", file=sys.stderr)
            return MACHINE_FAILED
        where = f": {error.filename}" if error.filename else ""
        print(f"autograder: it could not go on: {error.strerror or error}{where}.", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        print(
            "autograder: interrupted; what was finished is kept, and the same command goes on from there.",
            file=sys.stderr,
        )
        return INTERRUPTED
