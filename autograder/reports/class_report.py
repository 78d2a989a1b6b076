"""A report on a class: one HTML file, without anything from elsewhere, with a part for each problem set."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jinja2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from autograder.classroom.directory import ClassDirectory, Outcome, Submission, summary
from autograder.classroom.roster import Roster, with_missing
from autograder.common.atomic_files import write_text
from autograder.problem_set.source import ProblemSet
from autograder.reports.grades import Grades, class_grades

#: Notices that the report shows of one submission, and characters of each: a class has a thousand.
MAX_NOTICES, MAX_NOTICE = 5, 300
#: One colour for what was earned, one for guides: both have a contrast of at least 3:1 on white.
EARNED, GUIDE = "#0072B2", "#7F7F7F"


@dataclass(frozen=True)
class ItemStatistics:
    """How a class did on an item.

    Attributes
    ----------
    name : str
        Name of the item.
    max_score : float
        Points of the item.
    graded : int
        How many submissions have a grade for it.
    earned : float
        Share of its points that the class earned, from 0 to 1; nan where none has a grade.
    discrimination : float
        Pearson correlation, over the submissions, between the item and the sum of the set's other items: near 1, the
        strong earn it and the weak do not; near 0 or below, it says nothing about who understood the rest. nan where
        it is undefined, as when all earned the same.
    """

    name: str
    max_score: float
    graded: int
    earned: float
    discrimination: float


def item_statistics(problem_set: ProblemSet, scores: list[dict[str, float | None]]) -> list[ItemStatistics]:
    """Compute the statistics of each item over the submissions of a class.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    scores : list of dict of str to (float or None)
        Points of each item, a dict per graded submission.
    """
    names = list(problem_set.items)
    points = np.array([[np.nan if row[name] is None else row[name] for name in names] for row in scores], dtype=float)
    points = points.reshape(len(scores), len(names))
    rest = np.nansum(points, axis=1, keepdims=True) - np.nan_to_num(points)
    statistics = []
    for column, name in enumerate(names):
        known = ~np.isnan(points[:, column])
        own, others = points[known, column], rest[known, column]
        full = problem_set.items[name].max_score
        varies = known.sum() > 1 and np.ptp(own) > 0 and np.ptp(others) > 0
        statistics.append(
            ItemStatistics(
                name=name,
                max_score=full,
                graded=int(known.sum()),
                earned=float(own.mean() / full) if known.any() and full else float("nan"),
                discrimination=float(np.corrcoef(own, others)[0, 1]) if varies else float("nan"),
            )
        )
    return statistics


def write_report(
    directory: ClassDirectory,
    problem_sets: list[ProblemSet],
    outcomes: dict[Submission, Outcome],
    roster: Roster | None = None,
) -> Path:
    """Write `report/index.html` of a class.

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
    sections = [
        _section(problem_set, grades, {s: o for s, o in outcomes.items() if s.problem_set == problem_set.name})
        for problem_set in problem_sets
        if any(problem_set.name in sets for sets in grades.values())
    ]
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("autograder.reports"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html.j2")
    page = template.render(sections=sections, students=len(grades))
    path = directory.report / "index.html"
    write_text(page, path)
    return path


def _section(problem_set: ProblemSet, grades: Grades, outcomes: dict[Submission, Outcome]) -> dict:
    results = {student: sets[problem_set.name] for student, sets in grades.items() if problem_set.name in sets}
    graded = [result.items for result in results.values() if result.items is not None]
    totals = [result.score for result in results.values() if result.score is not None]
    statistics = item_statistics(problem_set, graded)
    return {
        "name": problem_set.name,
        "title": problem_set.title,
        "max_score": problem_set.max_score,
        "summary": summary(outcomes.values()),
        "failed": [(s.student, o.reason) for s, o in outcomes.items() if o.outcome == "failed"],
        "not_graded": [(s.student, o.reason) for s, o in outcomes.items() if o.outcome == "not-graded"],
        "missing": [s.student for s, o in outcomes.items() if o.outcome == "missing"],
        "late": [(student, r.hours_late, r.penalty) for student, r in results.items() if r.hours_late or r.penalty],
        "diagnosed": _diagnosed(problem_set, outcomes),
        "awaiting": [(s.student, test, text) for s, o in outcomes.items() for test, text in o.awaiting.items()],
        "noticed": [(s.student, notice) for s, o in outcomes.items() for notice in _few(o.notices)],
        "open": any(None in items.values() for items in graded),
        "median": float(np.median(totals)) if totals else None,
        "mean": float(np.mean(totals)) if totals else None,
        "statistics": statistics,
        "distribution_figure": _svg(_distribution(problem_set, totals)) if totals else None,
        "items_figure": _svg(_item_bars(statistics)) if totals else None,
    }


def _few(notices: list[str]) -> list[str]:
    """Shorten the notices of one submission, which it may have provoked, to what a class's report has room for."""
    shown = [notice if len(notice) <= MAX_NOTICE else f"{notice[:MAX_NOTICE]} … (cut)" for notice in notices]
    more = len(shown) - MAX_NOTICES
    return shown if more <= 0 else [*shown[:MAX_NOTICES], f"And {more} more, on the feedback page."]


def _diagnosed(problem_set: ProblemSet, outcomes: dict[Submission, Outcome]) -> list[tuple[int, str, str]]:
    """Count the misconceptions that wrong answers behave like: how many, the item, and what they do."""
    counts = Counter(item for outcome in outcomes.values() for item in outcome.diagnoses.items())
    wording = {(entry.replaces, entry.name): entry.diagnosis for entry in problem_set.bank}
    rows = [(count, item, wording.get((item, name), name)) for (item, name), count in counts.items()]
    # An item that was renamed since comes after those that the set has now.
    place = {item: number for number, item in enumerate(problem_set.items)}
    return sorted(rows, key=lambda row: (-row[0], place.get(row[1], len(place)), *row[1:]))


def _distribution(problem_set: ProblemSet, totals: list[float]) -> Figure:
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.subplots()
    bins = np.linspace(0, problem_set.max_score, 11)
    axes.hist(totals, bins=bins, color=EARNED, edgecolor="white")
    axes.axvline(np.median(totals), color="black", linestyle="--", label=f"median {np.median(totals):g}")
    axes.set(xlabel=f"score (points of {problem_set.max_score:g})", ylabel="submissions")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)
    return figure


def _item_bars(statistics: list[ItemStatistics]) -> Figure:
    figure = Figure(figsize=(6.4, 0.9 + 0.34 * len(statistics)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    position = np.arange(len(statistics))[::-1]
    left.barh(position, [100 * s.earned for s in statistics], color=EARNED)
    left.set(xlim=(0, 100), xlabel="points earned (%)", yticks=position, yticklabels=[s.name for s in statistics])
    known = [(y, s.discrimination) for y, s in zip(position, statistics, strict=True) if not np.isnan(s.discrimination)]
    right.axvline(0, color=GUIDE, linewidth=1)
    if known:
        right.plot([d for _, d in known], [y for y, _ in known], "o", color=EARNED)
        right.hlines([y for y, _ in known], 0, [d for _, d in known], color=EARNED, linewidth=1)
    else:
        right.text(0.5, 0.5, "undefined", transform=right.transAxes, ha="center", va="center", backgroundcolor="white")
    right.set(xlim=(-1.05, 1.05), xlabel="discrimination")
    return figure


def _svg(figure: Figure) -> str:
    """Return a figure as an SVG element whose bytes depend on the figure alone."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "autograder", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    tag, rest = svg[svg.index("<svg") :].split(">", 1)
    # The width follows the page. The table below the figures says the same to those who do not see them.
    tag = re.sub(r' (width|height)="[^"]*"', "", tag) + ' aria-hidden="true">'
    return tag + rest
