"""Writes the report on a class: one HTML file, without anything from elsewhere, and each figure's drawing and table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from autograder.classroom.directory import ClassDirectory, Outcome, Submission, summary
from autograder.classroom.roster import Roster, with_missing
from autograder.common.atomic_files import write_text
from autograder.common.text import number
from autograder.problem_set.source import ProblemSet
from autograder.reports.class_report import figures
from autograder.reports.class_report.statistics import (
    FALL,
    LATE,
    LOW,
    MISSING,
    ItemStatistics,
    Term,
    ToTeach,
    item_statistics,
    terms,
    to_teach,
)
from autograder.reports.csv_text import csv_text
from autograder.reports.grades import Grades, class_grades, given_out
from autograder.reports.page_templates import page_template

#: Notices that the report shows of one submission, and characters of each: a class has a thousand.
MAX_NOTICES, MAX_NOTICE = 5, 300
#: Items that the figure of misconceptions shows; the table has all.
MAX_BARS = 12
#: A smaller change than this counts as steady.
STEADY = 0.05


@dataclass(frozen=True)
class _Figure:
    """A figure of the page, and the files beside it."""

    name: str
    drawing: str


class _Files:
    """Writes drawings and tables into the folder of the report, and takes out those of an earlier run."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.written: set[Path] = set()

    def figure(self, name: str, figure: Figure, rows: list[list[str]]) -> _Figure:
        """Write a figure and the table beside it."""
        drawn = figures.svg(figure)
        self._write(drawn, f"{name}.svg")
        self.table(name, rows)
        return _Figure(name, figures.for_page(drawn))

    def table(self, name: str, rows: list[list[str]]) -> None:
        """Write a table."""
        self._write(csv_text(rows), f"{name}.csv")

    def _write(self, text: str, name: str) -> None:
        write_text(text, self.folder / name)
        self.written.add(self.folder / name)

    def remove_others(self) -> None:
        """Take out what an earlier run wrote, and this one did not: a set that is gone, a figure without numbers."""
        for path in [*self.folder.glob("*.csv"), *self.folder.glob("*.svg")]:
            if path not in self.written:
                path.unlink()


def write_report(
    directory: ClassDirectory,
    problem_sets: list[ProblemSet],
    outcomes: dict[Submission, Outcome],
    roster: Roster | None = None,
) -> Path:
    """Write `report/index.html` of a class, with the drawing and the table of each figure beside it.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_sets : list of ProblemSet
        The sets to report on.
    outcomes : dict of Submission to Outcome
        As `current_outcomes` returns them.
    roster : Roster, optional
        Who should have handed in.

    Returns
    -------
    Path
        The file.
    """
    names = [problem_set.name for problem_set in problem_sets]
    outcomes = with_missing(directory, roster, names, outcomes)
    grades = class_grades(directory, problem_sets, outcomes)
    given = given_out(grades, problem_sets)
    known_as = {s.student_id: s.name for s in roster.students.values()} if roster else {}
    of_set = {ps.name: {s: o for s, o in outcomes.items() if s.problem_set == ps.name} for ps in given}
    statistics = {ps.name: _statistics(ps, grades) for ps in given}
    graded = {name: {s.name: s.graded for s in rows} for name, rows in statistics.items()}
    teach = [found for ps in given for found in to_teach(ps, of_set[ps.name], graded[ps.name])]
    files = _Files(directory.report)
    students = terms(grades, given)
    template = page_template("report.html.j2")
    page = template.render(
        sections=[_section(ps, grades, of_set[ps.name], statistics[ps.name], teach, files) for ps in given],
        problem_sets=given,
        term=_term(given, students, files),
        students=_students(given, students, known_as, files),
        items=_items(statistics, files),
        teach=_teach(teach, files),
        known_as=known_as,
        rules={"low": LOW, "fall": FALL, "missing": MISSING, "late": LATE},
    )
    path = directory.report / "index.html"
    write_text(page, path)
    files.remove_others()
    return path


def _statistics(problem_set: ProblemSet, grades: Grades) -> list[ItemStatistics]:
    results = (sets[problem_set.name] for sets in grades.values() if problem_set.name in sets)
    return item_statistics(problem_set, [result.items for result in results if result.items is not None])


# ---- the term


def _term(problem_sets: list[ProblemSet], students: list[Term], files: _Files) -> _Figure | None:
    """Draw how the sets went, one after another."""
    shares = {ps.name: [t.shares[ps.name] for t in students if t.shares[ps.name] is not None] for ps in problem_sets}
    shares = {name: known for name, known in shares.items() if known}
    if not shares:
        return None
    rows = [["assignment", "students", "lowest", "lower_quartile", "median", "upper_quartile", "highest"]]
    for name, known in shares.items():
        rows.append([name, str(len(known)), *(f"{q:.4f}" for q in np.quantile(known, [0, 0.25, 0.5, 0.75, 1]))])
    return files.figure("term", figures.over_the_term(list(shares), list(shares.values())), rows)


def _students(
    problem_sets: list[ProblemSet], students: list[Term], known_as: dict[str, str], files: _Files
) -> list[dict]:
    """Make the table of students over the sets."""
    names = [ps.name for ps in problem_sets]
    rows = [["student_id", "name", *names, "overall", "trend", "at_risk"]]
    shown = []
    for term in students:
        name = known_as.get(term.student, "")
        cells = [_cell(term, assignment) for assignment in names]
        rows.append(
            [
                term.student,
                name,
                *(_csv_share(term.shares[assignment]) for assignment in names),
                _csv_share(term.overall),
                _csv_share(term.trend),
                "; ".join(term.reasons),
            ]
        )
        shown.append(
            {
                "student": term.student,
                "name": name,
                "cells": cells,
                "overall": _percent(term.overall),
                "trend": _trend(term.trend),
                "reasons": term.reasons,
            }
        )
    files.table("students", rows)
    return shown


def _cell(term: Term, assignment: str) -> str:
    if (own := term.shares[assignment]) is not None:
        # Points that a person has yet to give are in neither part of the share.
        return _percent(own) + ("*" if term.outcomes[assignment] == "needs-manual-grading" else "")
    return term.outcomes.get(assignment, "–").replace("-", " ")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _csv_share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _trend(value: float | None) -> str:
    if value is None:
        return "–"
    if abs(value) < STEADY:
        return "steady"
    return f"{'up' if value > 0 else 'down'} {abs(100 * value):.0f}"


def _items(statistics: dict[str, list[ItemStatistics]], files: _Files) -> dict | None:
    """Draw all items of the term by difficulty and discrimination."""
    every = [(name, row) for name, rows in statistics.items() for row in rows]
    known = [(name, row) for name, row in every if not np.isnan(row.earned) and not np.isnan(row.discrimination)]
    if not known:
        return None
    rows = [["assignment", "item", "points", "graded", "earned", "discrimination"]]
    rows += [[name, *_item_cells(row)] for name, row in every]
    look = [(name, row) for name, row in known if figures.needs_look(row)]
    return {"figure": files.figure("items", figures.all_items(known), rows), "look": look}


def _item_cells(row: ItemStatistics) -> list[str]:
    measured = ("" if np.isnan(value) else f"{value:.4f}" for value in (row.earned, row.discrimination))
    return [row.name, number(row.max_score), str(row.graded), *measured]


def _teach(teach: list[ToTeach], files: _Files) -> dict | None:
    """Draw and list what to teach again: the items in which most students show a known misconception."""
    if not teach:
        return None
    first = sorted(teach, key=lambda found: -found.students)
    rows = [["assignment", "item", "graded", "students", "behaves_as_one_that", "revisit"]]
    rows += [
        [found.problem_set, found.item, str(found.graded), str(count), text, place]
        for found in first
        for count, text, place in found.misconceptions
    ]
    bars = [(found.item, found.students, found.graded) for found in first[:MAX_BARS]]
    return {"figure": files.figure("misconceptions", figures.misconception_bars(bars), rows), "items": first}


# ---- one set


def _section(
    problem_set: ProblemSet,
    grades: Grades,
    outcomes: dict[Submission, Outcome],
    statistics: list[ItemStatistics],
    teach: list[ToTeach],
    files: _Files,
) -> dict:
    results = {student: sets[problem_set.name] for student, sets in grades.items() if problem_set.name in sets}
    graded = [result.items for result in results.values() if result.items is not None]
    totals = [result.score for result in results.values() if result.score is not None]
    return {
        "name": problem_set.name,
        "title": problem_set.title,
        "max_score": problem_set.max_score,
        "summary": summary(outcomes.values()),
        "failed": [(s.student, o.reason) for s, o in outcomes.items() if o.outcome == "failed"],
        "not_graded": [(s.student, o.reason) for s, o in outcomes.items() if o.outcome == "not-graded"],
        "missing": [s.student for s, o in outcomes.items() if o.outcome == "missing"],
        "late": [
            (student, "unknown" if result.marked_late else f"{result.hours_late:.1f}", result.penalty)
            for student, result in results.items()
            if result.hours_late or result.penalty or result.marked_late
        ],
        "diagnosed": [found for found in teach if found.problem_set == problem_set.name],
        "awaiting": [(s.student, test, text) for s, o in outcomes.items() for test, text in o.awaiting.items()],
        "noticed": [(s.student, notice) for s, o in outcomes.items() for notice in _few(o.notices)],
        "open": any(None in items.values() for items in graded),
        "median": float(np.median(totals)) if totals else None,
        "mean": float(np.mean(totals)) if totals else None,
        "statistics": statistics,
        "distribution": _distribution(problem_set, totals, files) if totals else None,
        "items": _item_figure(problem_set, statistics, files) if totals else None,
    }


def _distribution(problem_set: ProblemSet, totals: list[float], files: _Files) -> _Figure:
    counts, edges = np.histogram(totals, figures.bins(problem_set.max_score))
    rows = [["from_points", "to_points", "submissions"]]
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        rows.append([f"{low:g}", f"{high:g}", str(count)])
    return files.figure(f"scores-{problem_set.name}", figures.distribution(problem_set.max_score, totals), rows)


def _item_figure(problem_set: ProblemSet, statistics: list[ItemStatistics], files: _Files) -> _Figure:
    rows = [["item", "points", "graded", "earned", "discrimination"], *map(_item_cells, statistics)]
    return files.figure(f"items-{problem_set.name}", figures.item_bars(statistics), rows)


def _few(notices: list[str]) -> list[str]:
    """Shorten the notices of one submission, which it may have provoked, to what a class's report has room for."""
    shown = [notice if len(notice) <= MAX_NOTICE else f"{notice[:MAX_NOTICE]} … (cut)" for notice in notices]
    more = len(shown) - MAX_NOTICES
    return shown if more <= 0 else [*shown[:MAX_NOTICES], f"And {more} more, on the feedback page."]
