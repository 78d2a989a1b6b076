"""`autograder status`: shows where each student stands with each set."""

from __future__ import annotations

import argparse
import csv
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from autograder.commands.exit_codes import DONE, SOME_FAILED
from autograder.commands.next_command import next_command
from autograder.commands.options import add_class, add_roster, add_sets, class_of, roster_of, usable_sets_of

if TYPE_CHECKING:
    from rich.text import Text

    from autograder.classroom.directory import Submission
    from autograder.classroom.status import Standing
    from autograder.problem_set.source import ProblemSet

SUMMARY = "Show where each student stands with each set."

#: Columns of the plain form.
PLAIN = ("student_id", "assignment", "outcome", "handed_in", "hours_late", "score", "by_hand", "feedback", "reason")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_sets(parser)
    add_class(parser)
    add_roster(parser)
    parser.add_argument(
        "--plain", action="store_true", help="a line for each student and set, separated by tabs, for other programs"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.status import class_status

    problem_sets, left_out = usable_sets_of(options)
    with class_of(options) as directory:
        roster = roster_of(options, directory)
        standings = class_status(directory, problem_sets, roster)
        waiting = directory.submissions(left_out)
    if options.plain:
        _print_plain(standings)
    else:
        known_as = {student.student_id: student.name for student in roster.students.values()} if roster else {}
        _print_table(standings, problem_sets, known_as)
        if any(standing.outcome == "not-graded" for standing in standings.values()):
            print(next_command("grade", directory.root))
    unwell = any(standing.outcome in ("failed", "not-graded") for standing in standings.values())
    return SOME_FAILED if unwell or waiting else DONE


def _print_plain(standings: dict[Submission, Standing]) -> None:
    from autograder.common.text import number, printable

    table = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    table.writerow(PLAIN)
    for submission, standing in standings.items():
        time = f"{standing.handed_in:%Y-%m-%dT%H:%M:%SZ}" if standing.handed_in else ""
        late = f"{standing.hours_late:.2f}" if standing.hours_late else ""
        about = [standing.outcome, time, late, number(standing.score), standing.by_hand or "", standing.feedback]
        table.writerow([submission.student, submission.problem_set, *about, printable(standing.reason)])


def _print_table(
    standings: dict[Submission, Standing], problem_sets: list[ProblemSet], known_as: dict[str, str]
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from autograder.common.text import number

    given_out = {submission.problem_set for submission in standings}
    problem_sets = [problem_set for problem_set in problem_sets if problem_set.name in given_out]
    students: dict[str, dict[str, Standing]] = {}
    for submission, standing in standings.items():
        students.setdefault(submission.student, {})[submission.problem_set] = standing
    table = Table(show_lines=False, show_footer=True)
    table.add_column("student", footer=f"{len(students)} students")
    if known_as:
        table.add_column("name")
    for problem_set in problem_sets:
        of_set = [sets[problem_set.name] for sets in students.values() if problem_set.name in sets]
        title = f"{problem_set.name} (of {number(problem_set.max_score)})"
        table.add_column(title, footer="\n".join(_counts(of_set)))
    for student, sets in students.items():
        # A name is text, whatever brackets it holds: rich would read [red] as a colour.
        cells = (_cell(sets[ps.name]) if ps.name in sets else Text("–") for ps in problem_sets)
        name = [Text(known_as.get(student, ""))] if known_as else []
        table.add_row(Text(student), *name, *cells)
    Console(highlight=False).print(table)


def _cell(standing: Standing) -> Text:
    """Word where a student stands with a set, worst news first, and coloured."""
    from rich.text import Text

    from autograder.common.text import number

    score = number(standing.score)
    first = {
        "graded": (score, "green"),
        "needs-manual-grading": (f"{score} so far, {standing.by_hand} by hand", "yellow"),
        "failed": ("failed", "red"),
        "not-graded": ("not graded", "red"),
        "missing": ("missing", "magenta"),
    }[standing.outcome]
    parts = [first]
    if standing.handed_in:
        parts.append((f"handed in {_utc(standing.handed_in)}", "dim"))
    if standing.hours_late:
        parts.append((f"late {_duration(standing.hours_late)}", "yellow"))
    if standing.feedback:
        words = {"given": "given back", "ready": "page ready", "outdated": "page out of date"}
        parts.append((words[standing.feedback], "dim"))
    text = Text()
    for place, (part, style) in enumerate(parts):
        text.append(", " if place else "").append(part, style)
    return text


def _duration(hours: float) -> str:
    return f"{hours / 24:.1f} d" if hours >= 48 else f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def _utc(moment: datetime) -> str:
    return f"{moment:%d %b %H:%M} UTC"


def _counts(standings: list[Standing]) -> list[str]:
    """Count what there is to know of a set, one thing a line."""
    counts = {
        "handed in": sum(standing.outcome != "missing" for standing in standings),
        "late": sum(standing.hours_late > 0 for standing in standings),
        "graded": sum(standing.outcome == "graded" for standing in standings),
        "by hand": sum(standing.outcome == "needs-manual-grading" for standing in standings),
        "failed": sum(standing.outcome == "failed" for standing in standings),
        "not graded": sum(standing.outcome == "not-graded" for standing in standings),
        "missing": sum(standing.outcome == "missing" for standing in standings),
        "pages ready": sum(standing.feedback == "ready" for standing in standings),
        "given back": sum(standing.feedback == "given" for standing in standings),
    }
    return [f"{count} {what}" for what, count in counts.items() if count]
