"""The command line: `autograder`, or `python -m autograder`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from autograder.errors import AutograderError, UsageError

#: Exit codes of every command.
DONE, CANNOT_RUN, WRONG_USAGE, SOME_FAILED = 0, 1, 2, 3


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands and their options."""
    parser = argparse.ArgumentParser(
        prog="autograder",
        description="Release, grade and report the problem sets of From Bits to Backprop.",
        epilog="Exit codes: 0, done; 1, it could not run; 2, wrong usage; 3, it ran, and a submission failed.",
    )
    parser.add_argument(
        "--course", type=Path, default=None, metavar="DIR", help="the course's folder (default: found from here)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, summary: str, sets: bool = True, directory: bool = True) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        if sets:
            added.add_argument("sets", nargs="*", metavar="PS", help="problem sets (default: all)")
        if directory:
            added.add_argument(
                "--class", dest="directory", type=Path, required=True, metavar="DIR", help="the class directory"
            )
        return added

    def jobs(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--jobs",
            type=_positive,
            default=os.cpu_count() or 1,
            metavar="N",
            help="notebooks to run at once (default: one per processor)",
        )

    def sandbox(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--no-sandbox",
            action="store_true",
            help="run students' code with your own rights, unprotected; only for submissions that you trust",
        )

    release = command("release", "Prove problem sets and make their exercises.", directory=False)
    jobs(release)
    sample = command("sample-class", "Make a class of known answers, with the scores they must get.")
    sample.add_argument("--students", type=_positive, default=20, metavar="N", help="size of the class (default: 20)")
    sample.add_argument("--seed", type=int, default=1, help="the same seed gives the same class (default: 1)")
    grade = command("grade", "Grade what a class handed in.")
    jobs(grade)
    sandbox(grade)
    command("feedback", "Write an HTML page for each student and set.")
    command("report", "Write a report on the class: distribution, items, discrimination.")
    export = command("export", "Write the grades as CSV.")
    export.add_argument("--format", choices=["plain", "canvas", "moodle"], default="plain", help="(default: plain)")
    command("doctor", "Say whether this machine can grade, and what to do if not.", sets=False, directory=False)
    return parser


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = build_parser().parse_args(arguments)
    # A terminated batch stops like an interrupted one: what is recorded stays, the next run goes on from there.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _COMMANDS[options.command](options)
    except UsageError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return WRONG_USAGE
    except AutograderError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        print(
            "autograder: interrupted; what was finished is kept, and the same command goes on from there.",
            file=sys.stderr,
        )
        return 130


def _course(options: argparse.Namespace) -> Path:
    """Find the course: the folder named, the nearest one above the current folder, or where this package lies."""
    if options.course:
        if not (options.course / "solutions").is_dir():
            raise AutograderError(f"{options.course} is not the course: it has no folder solutions.")
        return options.course.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parent.parent):
        if (folder / "solutions").is_dir() and (folder / "_toc.yml").is_file():
            return folder
    raise AutograderError("The course was not found from here; name its folder with --course DIR.")


def _problem_sets(options: argparse.Namespace):
    from autograder.problem_set import find_problem_sets

    return find_problem_sets(_course(options), options.sets)


def _class(options: argparse.Namespace):
    from autograder.class_directory import ClassDirectory

    return ClassDirectory(options.directory)


def _progress(description: str):
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return _Progress(
        Progress(
            TextColumn(description),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
    )


class _Progress:
    """A progress bar on a terminal, and nothing elsewhere."""

    def __init__(self, bar):
        self.bar = bar

    def __enter__(self):
        self.bar.__enter__()
        return self

    def __exit__(self, *details):
        return self.bar.__exit__(*details)

    def start(self, total: int) -> None:
        self.task = self.bar.add_task("", total=total)

    def step(self, *_: object) -> None:
        self.bar.advance(self.task)


def _release(options: argparse.Namespace) -> int:
    from autograder.execution import SandboxExecutor
    from autograder.proof import notebooks_to_prove, prove
    from autograder.release import student_version
    from autograder.sandbox import working_sandbox
    from autograder.whole_files import write_notebook

    faults: list[str] = []
    # What a set's proof runs is the course's own code; where there is no sandbox, it runs without.
    with SandboxExecutor(working_sandbox()) as executor:
        for problem_set in _problem_sets(options):
            with _progress(f"proving {problem_set.name}") as progress:
                progress.start(notebooks_to_prove(problem_set))
                found = prove(problem_set, executor, options.jobs, progress.step)
            if found:
                faults += found
                continue
            path = _course(options) / "exercises" / problem_set.name / f"{problem_set.name}.ipynb"
            write_notebook(student_version(problem_set), path)
            kinds = Counter(entry.kind for entry in problem_set.bank)
            print(
                f"{problem_set.name}: {len(problem_set.items)} items, {problem_set.max_score:g} points; proven by the "
                f"reference solution, {kinds['misconception']} misconceptions and {kinds['alternative']} alternatives."
            )
    for fault in faults:
        print(f"autograder: {fault}", file=sys.stderr)
    if faults:
        print("autograder: a set with a fault was not released.", file=sys.stderr)
    return CANNOT_RUN if faults else DONE


def _sample_class(options: argparse.Namespace) -> int:
    from autograder.sample_class import write_sample_class

    directory = _class(options)
    count = write_sample_class(directory, _problem_sets(options), options.students, options.seed)
    print(f"{count} submissions of {options.students} students in {directory.submitted}")
    return DONE


def _grade(options: argparse.Namespace) -> int:
    from autograder.batch import grade_class
    from autograder.class_directory import summary
    from autograder.execution import SandboxExecutor
    from autograder.sample_class import is_untouched_sample
    from autograder.sandbox import NO_SANDBOX, require_sandbox, working_sandbox

    directory, problem_sets = _class(options), _problem_sets(options)
    if options.no_sandbox:
        sandbox = NO_SANDBOX
        print("autograder: without a sandbox, as you asked: students' code has your rights.", file=sys.stderr)
    elif is_untouched_sample(directory):
        sandbox = working_sandbox()
        if sandbox is NO_SANDBOX:
            print(
                "autograder: no sandbox works here (autograder doctor says why); the sample class, which the course "
                "itself made, is graded without one.",
                file=sys.stderr,
            )
    else:
        directory.require_existing()
        sandbox = require_sandbox()
    with _progress("grading") as progress, SandboxExecutor(sandbox) as executor:
        batch = grade_class(directory, problem_sets, executor, options.jobs, progress.start, progress.step)
    unchanged = len(batch.outcomes) - batch.graded_now
    note = f" ({unchanged} unchanged since they were graded)" if unchanged else ""
    print(f"{len(batch.outcomes)} submissions: {summary(batch.outcomes.values())}{note}.")
    failed = {submission: outcome for submission, outcome in batch.outcomes.items() if outcome.outcome == "failed"}
    for submission, outcome in failed.items():
        print(f"failed: {submission}: {outcome.reason}", file=sys.stderr)
    return SOME_FAILED if failed else DONE


def _doctor(options: argparse.Namespace) -> int:
    from autograder.doctor import examine_machine

    findings = examine_machine()
    for finding in findings:
        print(finding)
    return DONE if all(finding.good for finding in findings) else CANNOT_RUN


def _feedback(options: argparse.Namespace) -> int:
    from autograder.feedback import write_feedback

    directory = _class(options)
    with _progress("feedback") as progress:
        count = write_feedback(directory, _problem_sets(options), progress.start, progress.step)
    print(f"Feedback on {count} submissions in {directory.feedback}")
    return DONE


def _report(options: argparse.Namespace) -> int:
    from autograder.report import write_report

    print(f"Report: {write_report(_class(options), _problem_sets(options))}")
    return DONE


def _export(options: argparse.Namespace) -> int:
    from autograder.export import class_grades, summary_table, write_grades

    directory, problem_sets = _class(options), _problem_sets(options)
    outcomes = directory.require_outcomes([problem_set.name for problem_set in problem_sets])
    grades = class_grades(directory, problem_sets, outcomes)
    path = write_grades(directory, grades, problem_sets, options.format)
    table = summary_table(grades, problem_sets)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"Grades: {path}")
    return DONE


_COMMANDS = {
    "release": _release,
    "sample-class": _sample_class,
    "grade": _grade,
    "feedback": _feedback,
    "report": _report,
    "export": _export,
    "doctor": _doctor,
}

if __name__ == "__main__":
    sys.exit(main())
