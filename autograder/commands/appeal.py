"""`autograder appeal`: shows an instructor what every test of a student's work received and expected."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.options import add_class, class_of, course_of, problem_sets_of
from autograder.common.errors import AutograderError, SubmissionError, UsageError

if TYPE_CHECKING:
    from autograder.engine.execution import Executor
    from autograder.reports.appeal import ItemShown, TestShown

SUMMARY = "Show what every test of a student's work, hidden ones too, received and expected: for your eyes."

#: Begins each line that comes from the submission, so that none passes for a test's or the command's own.
STUDENTS = "  student| "
#: Lines of an answer or an output that are shown; the graded notebook has them all.
MAX_LINES = 200


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("student", metavar="STUDENT", help="the student: id or name")
    parser.add_argument("set", metavar="SET", help="the problem set")
    parser.add_argument("item", nargs="?", default="", metavar="ITEM", help="one item (default: all)")
    add_class(parser)
    parser.add_argument(
        "--values",
        action="store_true",
        help="run the work again, and show what each test called and what came back, also where it passed",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.directory import Submission
    from autograder.classroom.grading.current_results import current_outcomes
    from autograder.classroom.roster import remember_roster
    from autograder.reports.appeal import appeal

    options.sets = [options.set]
    (problem_set,) = problem_sets_of(options)
    with class_of(options) as directory:
        outcomes, roster = current_outcomes(directory, [problem_set]), remember_roster(directory, None)
        submission = Submission(options.student, problem_set.name)
        if submission not in outcomes and roster is not None:
            submission = Submission(roster.only(options.student), problem_set.name)
        outcome = outcomes.get(submission)
        if outcome is None:
            raise UsageError(f"{submission.student!r} handed in no {problem_set.name}.")
        if outcome.outcome in ("failed", "not-graded"):
            print(f"{outcome.outcome.replace('-', ' ')}: {submission}: {outcome.reason}", file=sys.stderr)
            return SOME_FAILED
        with _executor(options, directory.root) as execute:
            try:
                items = appeal(directory, problem_set, submission, outcome, options.item, execute)
            except SubmissionError as error:
                raise AutograderError(f"The work could not be run again: {error}") from None
    name = f" ({roster.students[submission.student].name})" if roster and submission.student in roster.students else ""
    print(f"{submission.student}{name}, {problem_set.name}. Hidden tests are shown: do not pass this on.")
    for item in items:
        _print_item(item)
    return DONE


@contextlib.contextmanager
def _executor(options: argparse.Namespace, root: Path) -> Iterator[Executor | None]:
    """Give what runs the work again; None where the record is enough."""
    if not options.values:
        yield None
        return
    from autograder.engine.execution import SandboxExecutor
    from autograder.engine.sandbox import require_sandbox

    with SandboxExecutor(require_sandbox(course_of(options) / "solutions", root)) as execute:
        yield execute


def _print_item(item: ItemShown) -> None:
    print(f"\n{item.name}: {_points(item.points, item.full)}")
    _print_students(item.answer)
    if item.diagnosis:
        print(f"  {item.diagnosis}")
    if item.comment:
        print(f"  Your comment: {item.comment}")
    for test in item.tests:
        _print_test(test)


def _print_test(test: TestShown) -> None:
    print(f"  {test.name}{' (hidden)' if test.hidden else ''}: {_points(test.points, test.full)}")
    if test.awaiting:
        print("  The machine could not decide it:")
        _print_students(test.awaiting)
    if test.says and test.own_words:
        print("  It says, perhaps in the submission's own words:")
        _print_students(test.says)
    elif test.says:
        print("  It says:")
        _print_lines(test.says, "     test| ")
    if test.printed:
        print("  The submission printed:")
        _print_students(test.printed)
    if test.calls:
        print("  It called, and got:")
        _print_students("\n".join(test.calls))
    if test.says or test.awaiting or test.calls:
        print("  The test:")
        _print_lines(test.source, "     test| ")


def _points(points: float | None, full: float) -> str:
    from autograder.common.text import number

    return f"awaits a person, of {number(full)}" if points is None else f"{number(points)} of {number(full)}"


def _print_students(text: str) -> None:
    _print_lines(text, STUDENTS)


def _print_lines(text: str, mark: str) -> None:
    from autograder.common.text import printable

    lines = text.split("\n")
    for line in lines[:MAX_LINES]:
        print(mark + printable(line))
    if len(lines) > MAX_LINES:
        print(f"{mark}… (cut: {len(lines) - MAX_LINES} more lines)")
