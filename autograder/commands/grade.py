"""`autograder grade`: grades what a class handed in."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.next_command import next_command
from autograder.commands.shared.options import (
    add_class,
    add_jobs,
    add_roster,
    add_sets,
    class_of,
    course_of,
    roster_of,
    usable_sets_of,
)
from autograder.commands.shared.progress import Progress
from autograder.common.errors import UsageError

if TYPE_CHECKING:
    from autograder.classroom.directory import ClassDirectory
    from autograder.classroom.grading.batch import Batch
    from autograder.classroom.roster import Roster

SUMMARY = "Grade what a class handed in."

#: Missing students whom the summary names.
NAMED = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_sets(parser)
    add_class(parser)
    add_jobs(parser)
    parser.add_argument("--scheduler", metavar="URL", help="grade on the Dask cluster at tcp://… or tls://…")
    parser.add_argument("--db", metavar="URL", help="keep the gradebook there from now on: postgresql+psycopg://…")
    parser.add_argument(
        "--no-sandbox",
        action="store_true",
        help="run students' code with your own rights, unprotected; only for submissions that you trust",
    )
    add_roster(parser)
    parser.add_argument(
        "--due",
        type=Path,
        metavar="FILE",
        help="due dates, a CSV with the columns assignment, due and student_id; the class remembers it as due.csv",
    )
    parser.add_argument(
        "--again",
        nargs="*",
        metavar="STUDENT",
        help="grade anew what has not changed, too: of these students, or of all",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.due_dates import remember_due_dates
    from autograder.classroom.grading.batch import grade_class
    from autograder.problem_set.source import problem_set_names

    problem_sets, left_out = usable_sets_of(options)
    with class_of(options) as directory:
        roster = roster_of(options, directory)
        due_dates = remember_due_dates(directory, options.due, problem_set_names(course_of(options)), roster)
        if options.db:
            directory.use_database(options.db)
        with _executor(options, directory) as executor, Progress("grading") as progress:
            jobs = getattr(executor, "workers", options.jobs)
            batch = grade_class(
                directory,
                problem_sets,
                executor,
                jobs,
                progress.start,
                progress.step,
                roster,
                due_dates,
                options.again,
            )
    _print_summary(batch)
    graded = [problem_set.name for problem_set in problem_sets if problem_set.name not in batch.refused]
    _print_absent(directory, graded, batch, roster)
    troubled = _print_troubles(directory, batch, left_out)
    by_hand = sorted(
        {s.problem_set for s, outcome in batch.outcomes.items() if outcome.outcome == "needs-manual-grading"}
    )
    for command in [f"hand {name}" for name in by_hand] or ["feedback"]:
        print(next_command(command, directory.root))
    return SOME_FAILED if troubled else DONE


def _print_summary(batch: Batch) -> None:
    from autograder.classroom.directory import summary

    unchanged = len(batch.outcomes) - batch.graded_now
    note = f" ({unchanged} unchanged since they were graded)" if unchanged else ""
    print(f"{len(batch.outcomes)} submissions: {summary(batch.outcomes.values())}{note}.")
    for name in batch.changed_sets:
        print(
            f"{name}: changed since its release, so that no misconception is named in the feedback; "
            f"run: autograder release {name}",
            file=sys.stderr,
        )


def _print_absent(directory: ClassDirectory, names: list[str], batch: Batch, roster: Roster | None) -> None:
    """Name the students of the roster who handed in nothing, and those who handed in without being on it."""
    from autograder.classroom.roster import strangers, with_missing

    everyone = with_missing(directory, roster, names, batch.outcomes)
    for name in names:
        missing = [s.student for s in everyone if s.problem_set == name and s not in batch.outcomes]
        if missing:
            print(f"missing: {name}: {len(missing)} of {len(roster.students)} students: {few(missing)}")
    if unknown := strangers(roster, batch.outcomes):
        print(f"not on the roster: {', '.join(unknown)}")


def _print_troubles(directory: ClassDirectory, batch: Batch, left_out: list[str]) -> bool:
    """Name everything that failed or was not graded, with the reason; return whether there was anything."""
    failed = {submission: outcome for submission, outcome in batch.outcomes.items() if outcome.outcome == "failed"}
    for submission, outcome in failed.items():
        print(f"failed: {submission}: {outcome.reason}", file=sys.stderr)
    not_graded = {s: outcome for s, outcome in batch.outcomes.items() if outcome.outcome == "not-graded"}
    for submission, outcome in not_graded.items():
        print(f"not graded: {submission}: {outcome.reason}", file=sys.stderr)
    if not_graded:
        count = f"{len(not_graded)} submission{'' if len(not_graded) == 1 else 's'}"
        print(f"{count} could not be graded on this machine; the next run tries again.", file=sys.stderr)
    for submission, problem in batch.unread_times.items():
        print(f"time not known, so never late: {submission}: {problem}", file=sys.stderr)
    for reason in batch.refused.values():
        print(f"not graded: {reason}", file=sys.stderr)
    waiting = directory.submissions(left_out)
    for submission in waiting:
        print(f"not graded: {submission}: the set cannot be read.", file=sys.stderr)
    misnamed = directory.misnamed()
    for name, problem in misnamed.items():
        print(
            f"not graded: {name}: the name of this folder in {directory.submitted} {problem}; rename it.",
            file=sys.stderr,
        )
    return bool(failed or not_graded or batch.refused or waiting or misnamed or batch.unread_times)


def few(students: list[str]) -> str:
    """Name some of many, and where all are."""
    more = len(students) - NAMED
    return ", ".join(students) if more <= 0 else f"{', '.join(students[:NAMED])} and {more} more, in autograder status"


def _executor(options: argparse.Namespace, directory):
    """Choose where submissions run: on a cluster, in a sandbox of this machine, or without one where that is allowed."""
    from autograder.classroom.sample_class import is_untouched_sample
    from autograder.engine.execution import SandboxExecutor
    from autograder.engine.sandbox import NO_SANDBOX, require_sandbox, working_sandbox

    if options.scheduler:
        if options.no_sandbox:
            raise UsageError("--no-sandbox and --scheduler do not go together: a cluster's workers have sandboxes.")
        from autograder.engine.cluster import ClusterExecutor

        return ClusterExecutor(options.scheduler)
    if options.no_sandbox:
        print("autograder: without a sandbox, as you asked: students' code has your rights.", file=sys.stderr)
        return SandboxExecutor(NO_SANDBOX)
    directory.require_existing()
    if not is_untouched_sample(directory):
        return SandboxExecutor(require_sandbox(course_of(options) / "solutions", directory.root))
    sandbox = working_sandbox()
    if sandbox is NO_SANDBOX:
        print(
            "autograder: no sandbox works here (autograder doctor says why); the sample class, which the course itself "
            "made, is graded without one.",
            file=sys.stderr,
        )
    return SandboxExecutor(sandbox)
