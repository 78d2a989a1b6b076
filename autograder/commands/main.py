"""The command line: `autograder`, or `python -m autograder`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from autograder.common.errors import AutograderError, MachineError, UsageError

#: Exit codes of every command.
DONE, CANNOT_RUN, WRONG_USAGE, SOME_FAILED = 0, 1, 2, 3


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands and their options."""
    parser = argparse.ArgumentParser(
        prog="autograder",
        description="Release, grade and report the problem sets of From Bits to Backprop.",
        epilog="Exit codes: 0, done; 1, it could not run; 2, wrong usage; 3, it ran, and a submission failed or was not "
        "graded.",
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

    mutants = command("mutants", "Try small changes of the reference solutions on the tests.", directory=False)
    jobs(mutants)

    def sandbox(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--no-sandbox",
            action="store_true",
            help="run students' code with your own rights, unprotected; only for submissions that you trust",
        )

    def roster(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--roster",
            type=Path,
            metavar="FILE",
            help="the students, a CSV with the column student_id; the class remembers it as roster.csv",
        )

    release = command("release", "Prove problem sets and make their exercises.", directory=False)
    jobs(release)
    sample = command("sample-class", "Make a class of known answers, with the scores they must get.")
    sample.add_argument("--students", type=_positive, default=20, metavar="N", help="size of the class (default: 20)")
    sample.add_argument("--seed", type=int, default=1, help="the same seed gives the same class (default: 1)")
    collect = command("collect", "Sort what a learning platform exports into DIR/submitted.", sets=False)
    collect.add_argument("archives", nargs="+", type=Path, metavar="ZIP", help="zips, folders or notebooks")
    roster(collect)
    collect.add_argument("--student", default="", metavar="ID", help="all of it is this student's work")
    collect.add_argument(
        "--zone",
        default="",
        metavar="ZONE",
        help="zone of the times in zips, as Europe/London (default: this computer's)",
    )
    collect.add_argument(
        "--times",
        choices=["auto", "yes", "no"],
        default="auto",
        help="whether the times in an archive are those of handing in; Canvas and some Moodles write the time of "
        "packing (default: auto, if they lie more than ten minutes apart and are not Canvas')",
    )
    grade = command("grade", "Grade what a class handed in.")
    jobs(grade)
    grade.add_argument("--scheduler", metavar="URL", help="grade on the Dask cluster at tcp://… or tls://…")
    grade.add_argument("--db", metavar="URL", help="keep the gradebook there from now on: postgresql+psycopg://…")
    sandbox(grade)
    roster(grade)
    grade.add_argument(
        "--due",
        type=Path,
        metavar="FILE",
        help="due dates, a CSV with the columns assignment, due and student_id; the class remembers it as due.csv",
    )
    grade.add_argument(
        "--again",
        nargs="*",
        metavar="STUDENT",
        help="grade anew what has not changed, too: of these students, or of all",
    )
    feedback = command("feedback", "Write an HTML page for each student and set.")
    feedback.add_argument("--reveal", action="store_true", help="show hidden tests too, for a set that is over")
    report = command("report", "Write a report on the class: distribution, items, discrimination.")
    roster(report)
    export = command("export", "Write the grades as CSV.")
    export.add_argument("--format", choices=["plain", "canvas", "moodle"], default="plain", help="(default: plain)")
    roster(export)
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
    except MachineError as error:
        print(f"autograder: the machine failed: {str(error).rstrip('.')}; run the command again.", file=sys.stderr)
        return CANNOT_RUN
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        print(f"autograder: it could not go on: {error.strerror or error}{where}.", file=sys.stderr)
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
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "solutions").is_dir() and (folder / "_toc.yml").is_file():
            return folder
    raise AutograderError("The course was not found from here; name its folder with --course DIR.")


def _problem_sets(options: argparse.Namespace):
    from autograder.problem_set.source import find_problem_sets

    return find_problem_sets(_course(options), options.sets)


def _class(options: argparse.Namespace):
    from autograder.classroom.directory import ClassDirectory

    return ClassDirectory(options.directory)


@contextlib.contextmanager
def _class_for(options: argparse.Namespace, new: bool = False):
    """Keep the class for this command; where `new`, it need not exist yet."""
    from autograder.classroom.class_lock import class_lock

    directory = _class(options)
    if not new:
        directory.require_existing()
    with class_lock(directory.root, options.command):
        if notice := directory.renew_config():
            print(notice, file=sys.stderr)
        yield directory


def _roster(options: argparse.Namespace):
    """Return the roster of a class that exists; None where it has none."""
    from autograder.classroom.roster import remember_roster

    directory = _class(options)
    directory.require_existing()
    return remember_roster(directory, options.roster)


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
    from autograder.authoring.chapter_links import chapter_addresses, link_chapters
    from autograder.authoring.proof import notebooks_to_prove, prove
    from autograder.authoring.proof_table import HEAD, item_proofs, table_rows
    from autograder.common.atomic_files import write_notebook
    from autograder.engine.execution import SandboxExecutor
    from autograder.engine.sandbox import working_sandbox
    from autograder.engine.shared.isolation import Limits
    from autograder.problem_set.known_behaviour import record_behaviour
    from autograder.problem_set.versions import student_version

    problem_sets, addresses = _problem_sets(options), chapter_addresses(_course(options))
    faults: list[str] = []
    # What a set's proof runs is the course's own code; where there is no sandbox, it runs without. It has more time
    # than a submission, so that a busy machine does not refuse a set.
    with SandboxExecutor(working_sandbox(), Limits(cell_seconds=120, total_seconds=1_200)) as executor:
        for problem_set in problem_sets:
            with _progress(f"proving {problem_set.name}") as progress:
                progress.start(notebooks_to_prove(problem_set))
                proof = prove(problem_set, executor, options.jobs, progress.step)
            if proof.faults:
                faults += proof.faults
                continue
            record_behaviour(problem_set, proof.behaviour, proof.messages)
            path = _course(options) / "exercises" / problem_set.name / f"{problem_set.name}.ipynb"
            released = student_version(problem_set)
            link_chapters(released, addresses)
            write_notebook(released, path)
            kinds = Counter(entry.kind for entry in problem_set.bank)
            print(
                f"{problem_set.name}: {len(problem_set.items)} items, {problem_set.max_score:g} points; proven by the "
                f"reference solution, {kinds['misconception']} misconceptions and {kinds['alternative']} alternatives."
            )
    if not faults:
        _print_table([HEAD, *table_rows(p for problem_set in problem_sets for p in item_proofs(problem_set))])
    for fault in faults:
        print(f"autograder: {fault}", file=sys.stderr)
    if faults:
        print("autograder: a set with a fault was not released.", file=sys.stderr)
    return CANNOT_RUN if faults else DONE


def _mutants(options: argparse.Namespace) -> int:
    from autograder.authoring.mutants import notebooks_to_try, update_results
    from autograder.authoring.proof_table import HEAD, item_proofs, table_rows
    from autograder.engine.execution import SandboxExecutor
    from autograder.engine.sandbox import working_sandbox
    from autograder.engine.shared.isolation import Limits

    problem_sets = _problem_sets(options)
    unexplained = []
    # A mutant may loop for ever; no reference answer needs more than a second.
    with SandboxExecutor(working_sandbox(), Limits(cell_seconds=8, total_seconds=90)) as executor:
        for problem_set in problem_sets:
            with _progress(f"mutants of {problem_set.name}") as progress:
                progress.start(notebooks_to_try(problem_set))
                results = update_results(problem_set, executor, options.jobs, progress.step)
            for item, result in results.items():
                unexplained += [
                    f"{problem_set.name}: {item}: {change}"
                    for change, reason in result["survivors"].items()
                    if not reason
                ]
    _print_table([HEAD, *table_rows(p for problem_set in problem_sets for p in item_proofs(problem_set))])
    for mutant in unexplained:
        print(f"autograder: keeps all points, and mutants.json gives no reason: {mutant}", file=sys.stderr)
    return CANNOT_RUN if unexplained else DONE


def _print_table(table: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _sample_class(options: argparse.Namespace) -> int:
    from autograder.classroom.sample_class import write_sample_class

    problem_sets = _problem_sets(options)
    with _class_for(options, new=True) as directory:
        count = write_sample_class(directory, problem_sets, options.students, options.seed)
    print(f"{count} submissions of {options.students} students in {directory.submitted}")
    return DONE


def _collect(options: argparse.Namespace) -> int:
    from autograder.classroom.collect import collect
    from autograder.classroom.due_dates import zone
    from autograder.classroom.roster import folder_problem, remember_roster
    from autograder.common.text import printable
    from autograder.problem_set.source import find_problem_sets

    problem_sets = find_problem_sets(_course(options))
    for path in options.archives:
        if not path.exists():
            raise AutograderError(f"There is no file or folder {printable(str(path))}.")
    if options.student and folder_problem(options.student):
        raise UsageError(f"The student {options.student!r} {folder_problem(options.student)}.")
    time_zone = zone(options.zone) if options.zone else None
    with _class_for(options, new=True) as directory:
        roster = remember_roster(directory, options.roster)
        if options.student and roster is not None and options.student not in roster.students:
            raise UsageError(f"The student {options.student!r} is not on the roster.")
        result = collect(directory, problem_sets, options.archives, roster, options.student, time_zone, options.times)
    for notice in result.notices:
        print(notice)
    count = f"{len(result.placed)} placed, {len(result.replaced)} replaced by a later attempt, {len(result.unchanged)} unchanged"
    ignored = f", {result.ignored} files of the system's or Jupyter's own ignored" if result.ignored else ""
    print(f"{count}, {len(result.unplaced)} not placed{ignored}; in {directory.submitted}")
    for where, reason in result.unplaced:
        print(f"not placed: {where}: {reason}", file=sys.stderr)
    return SOME_FAILED if result.unplaced else DONE


def _grade(options: argparse.Namespace) -> int:
    from autograder.classroom.batch import grade_class
    from autograder.classroom.directory import summary
    from autograder.classroom.due_dates import remember_due_dates
    from autograder.classroom.roster import strangers, with_missing
    from autograder.problem_set.source import problem_set_names

    problem_sets = _problem_sets(options)
    names = [problem_set.name for problem_set in problem_sets]
    with _class_for(options) as directory:
        roster = _roster(options)
        due_dates = remember_due_dates(directory, options.due, problem_set_names(_course(options)), roster)
        if options.db:
            directory.use_database(options.db)
        with _executor(options, directory) as executor, _progress("grading") as progress:
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
    unchanged = len(batch.outcomes) - batch.graded_now
    note = f" ({unchanged} unchanged since they were graded)" if unchanged else ""
    print(f"{len(batch.outcomes)} submissions: {summary(batch.outcomes.values())}{note}.")
    for name in batch.changed_sets:
        print(
            f"{name}: changed since its release, so that no misconception is named in the feedback; "
            f"run: autograder release {name}",
            file=sys.stderr,
        )
    everyone = with_missing(directory, roster, names, batch.outcomes)
    for name in names:
        missing = [s.student for s in everyone if s.problem_set == name and s not in batch.outcomes]
        if missing:
            print(f"missing: {name}: {len(missing)} of {len(roster.students)} students: {', '.join(missing)}")
    if unknown := strangers(roster, batch.outcomes):
        print(f"not on the roster: {', '.join(unknown)}")
    failed = {submission: outcome for submission, outcome in batch.outcomes.items() if outcome.outcome == "failed"}
    for submission, outcome in failed.items():
        print(f"failed: {submission}: {outcome.reason}", file=sys.stderr)
    not_graded = {s: outcome for s, outcome in batch.outcomes.items() if outcome.outcome == "not-graded"}
    for submission, outcome in not_graded.items():
        print(f"not graded: {submission}: {outcome.reason}", file=sys.stderr)
    if not_graded:
        count = f"{len(not_graded)} submission{'' if len(not_graded) == 1 else 's'}"
        print(f"{count} could not be graded on this machine; the next run tries again.", file=sys.stderr)
    misnamed = directory.misnamed()
    for name, problem in misnamed.items():
        print(
            f"not graded: {name}: the name of this folder in {directory.submitted} {problem}; rename it.",
            file=sys.stderr,
        )
    return SOME_FAILED if failed or not_graded or misnamed else DONE


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
        return SandboxExecutor(require_sandbox())
    sandbox = working_sandbox()
    if sandbox is NO_SANDBOX:
        print(
            "autograder: no sandbox works here (autograder doctor says why); the sample class, which the course itself "
            "made, is graded without one.",
            file=sys.stderr,
        )
    return SandboxExecutor(sandbox)


def _doctor(options: argparse.Namespace) -> int:
    from autograder.engine.doctor import examine_machine

    findings = examine_machine()
    for finding in findings:
        print(finding)
    return DONE if all(finding.good for finding in findings) else CANNOT_RUN


def _feedback(options: argparse.Namespace) -> int:
    from autograder.reports.feedback import write_feedback

    problem_sets = _problem_sets(options)
    with _class_for(options) as directory, _progress("feedback") as progress:
        written = write_feedback(directory, problem_sets, progress.start, progress.step, reveal=options.reveal)
    print(f"Feedback on {written.count} submissions in {directory.feedback}")
    for submission, reason in written.left_out.items():
        print(f"no feedback: {submission}: {reason}", file=sys.stderr)
    return SOME_FAILED if written.left_out else DONE


def _report(options: argparse.Namespace) -> int:
    from autograder.reports.class_report import write_report

    problem_sets = _problem_sets(options)
    with _class_for(options) as directory:
        print(f"Report: {write_report(directory, problem_sets, _roster(options))}")
    return DONE


def _export(options: argparse.Namespace) -> int:
    from autograder.classroom.roster import with_missing
    from autograder.reports.export import class_grades, summary_table, write_grades

    problem_sets = _problem_sets(options)
    names = [problem_set.name for problem_set in problem_sets]
    with _class_for(options) as directory:
        roster = _roster(options)
        outcomes = with_missing(directory, roster, names, directory.require_outcomes(names))
        grades = class_grades(directory, problem_sets, outcomes)
        path = write_grades(directory, grades, problem_sets, options.format, roster)
    _print_table(summary_table(grades, problem_sets))
    print(f"Grades: {path}")
    return DONE


_COMMANDS = {
    "release": _release,
    "mutants": _mutants,
    "sample-class": _sample_class,
    "collect": _collect,
    "grade": _grade,
    "feedback": _feedback,
    "report": _report,
    "export": _export,
    "doctor": _doctor,
}
