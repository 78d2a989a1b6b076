"""`autograder status`: shows where each student stands with each set."""

from __future__ import annotations

import argparse
import csv
import sys
from typing import TYPE_CHECKING

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.next_command import next_command
from autograder.commands.shared.options import add_class, add_roster, add_sets, class_of, roster_of, usable_sets_of
from autograder.commands.shared.tables import narrow_table, set_titles, show_table
from autograder.commands.shared.without_score import name_without_score
from autograder.common.text import number

if TYPE_CHECKING:
    from rich.text import Text

    from autograder.classroom.directory import Submission
    from autograder.classroom.overview.status import Standing
    from autograder.problem_set.source import ProblemSet

SUMMARY = "Show where each student stands with each set."

#: Columns of the plain form.
PLAIN = (
    "student_id",
    "assignment",
    "outcome",
    "handed_in",
    "hours_late",
    "score",
    "by_hand",
    "feedback",
    "reason",
    "marked_late",
)

#: What the table says of a feedback page.
PAGES = {"": "", "given": "given back", "ready": "ready", "outdated": "out of date"}


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
    from autograder.classroom.overview.status import class_status

    problem_sets, left_out = usable_sets_of(options)
    with class_of(options) as directory:
        roster = roster_of(options, directory)
        standings = class_status(directory, problem_sets, roster)
        waiting = directory.submissions(left_out)
    if options.plain:
        _print_plain(standings)
        unwell = any(standing.outcome in ("failed", "not-graded") for standing in standings.values())
        return SOME_FAILED if unwell or waiting else DONE
    known_as = {student.student_id: student.name for student in roster.students.values()} if roster else {}
    _print_tables(standings, problem_sets, known_as)
    unwell = name_without_score(standings)
    if any(standing.outcome == "not-graded" for standing in standings.values()):
        print(next_command("grade", directory.root))
    return SOME_FAILED if unwell or waiting else DONE


def _print_tables(
    standings: dict[Submission, Standing], problem_sets: list[ProblemSet], known_as: dict[str, str]
) -> None:
    """Show one set in detail, several in short, and what each comes to."""
    given_out = {submission.problem_set for submission in standings}
    problem_sets = [problem_set for problem_set in problem_sets if problem_set.name in given_out]
    students: dict[str, dict[str, Standing]] = {}
    for submission, standing in standings.items():
        students.setdefault(submission.student, {})[submission.problem_set] = standing
    if len(problem_sets) == 1:
        (problem_set,) = problem_sets
        _print_set({student: sets[problem_set.name] for student, sets in students.items()}, problem_set, known_as)
    elif problem_sets:
        _print_term(students, problem_sets, known_as)
    if not problem_sets:
        print("Nobody has handed in anything.")
        return
    print()
    _print_counts(standings, problem_sets)
    print(f"{len(students)} student{'' if len(students) == 1 else 's'}.")


def _print_plain(standings: dict[Submission, Standing]) -> None:
    from autograder.common.text import printable

    table = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    table.writerow(PLAIN)
    for submission, standing in standings.items():
        time = f"{standing.handed_in:%Y-%m-%dT%H:%M:%SZ}" if standing.handed_in else ""
        late = f"{standing.hours_late:.2f}" if standing.hours_late else ""
        about = [standing.outcome, time, late, number(standing.score), standing.by_hand or "", standing.feedback]
        marked = "yes" if standing.marked_late else ""
        table.writerow([submission.student, submission.problem_set, *about, printable(standing.reason), marked])


def _print_set(standings: dict[str, Standing], problem_set: ProblemSet, known_as: dict[str, str]) -> None:
    """Show all that there is to know of one set, a column for each kind."""
    from rich.text import Text

    late = any(standing.hours_late or standing.marked_late for standing in standings.values())
    names = ["name"] if known_as else []
    table = narrow_table(
        "student", *names, f"of {number(problem_set.max_score)}", "handed in (UTC)", *["late"] * late, "page"
    )
    for student, standing in standings.items():
        # A name is text, whatever brackets it holds: rich would read [red] as a colour.
        row = [Text(student), *[Text(known_as.get(student, ""))] * len(names), _points(standing, in_words=True)]
        row.append(f"{standing.handed_in:%d %b %H:%M}" if standing.handed_in else "")
        if late:
            row.append(Text(_lateness(standing), "yellow"))
        table.add_row(*row, PAGES[standing.feedback])
    show_table(table)


def _print_term(
    standings: dict[str, dict[str, Standing]], problem_sets: list[ProblemSet], known_as: dict[str, str]
) -> None:
    """Show the sets beside each other, a few letters for each student."""
    from rich.text import Text

    names = [problem_set.name for problem_set in problem_sets]
    table = narrow_table("student", *set_titles(problem_sets), gap=1)
    for student, sets in standings.items():
        who = "\n".join(dict.fromkeys([student, known_as.get(student, student)]))
        table.add_row(Text(who), *(_cell(sets[name]) if name in sets else "–" for name in names))
    show_table(table)
    print("* awaits grading by hand; below the points, how late the work was.")


def _print_counts(standings: dict[Submission, Standing], problem_sets: list[ProblemSet]) -> None:
    counts = {
        ps.name: _counts([standing for submission, standing in standings.items() if submission.problem_set == ps.name])
        for ps in problem_sets
    }
    shown = [what for what in next(iter(counts.values()), {}) if any(of_set[what] for of_set in counts.values())]
    table = narrow_table("set", *(what.replace(" ", "\n") for what in shown))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, of_set in counts.items():
        table.add_row(name, *(str(of_set[what]) for what in shown))
    show_table(table)


def _points(standing: Standing, in_words: bool = False) -> Text:
    """Word the score, or what is in its place, and colour it."""
    from rich.text import Text

    score = number(standing.score)
    waits = f"{score} so far, {standing.by_hand} by hand" if in_words else f"{score}*"
    return {
        "graded": Text(score, "green"),
        "needs-manual-grading": Text(waits, "yellow"),
        "failed": Text("failed", "red"),
        "not-graded": Text("not graded", "red"),
        "missing": Text("missing", "magenta"),
    }[standing.outcome]


def _cell(standing: Standing) -> Text:
    text = _points(standing)
    if late := _lateness(standing):
        text.append("\n").append(late, "yellow")
    return text


def _lateness(standing: Standing) -> str:
    hours = standing.hours_late
    if not hours:
        return "late" if standing.marked_late else ""
    return f"{hours / 24:.1f} d" if hours >= 48 else f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def _counts(standings: list[Standing]) -> dict[str, int]:
    """Count what there is to know of a set."""
    return {
        "handed in": sum(standing.outcome != "missing" for standing in standings),
        "late": sum(standing.hours_late > 0 or standing.marked_late for standing in standings),
        "graded": sum(standing.outcome == "graded" for standing in standings),
        "by hand": sum(standing.outcome == "needs-manual-grading" for standing in standings),
        "failed": sum(standing.outcome == "failed" for standing in standings),
        "not graded": sum(standing.outcome == "not-graded" for standing in standings),
        "missing": sum(standing.outcome == "missing" for standing in standings),
        "pages ready": sum(standing.feedback == "ready" for standing in standings),
        "given back": sum(standing.feedback == "given" for standing in standings),
        "outdated": sum(standing.feedback == "outdated" for standing in standings),
    }
