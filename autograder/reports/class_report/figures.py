"""The figures of the report on a class, as SVG whose bytes depend on the numbers alone."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from autograder.reports.class_report.statistics import ItemStatistics

#: One colour for what was earned, one for guides, one for what needs a look: each has a contrast of at least 3:1 on white.
EARNED, GUIDE, LOOK = "#0072B2", "#7F7F7F", "#D55E00"
#: An item below both is named in the figure of all items: few earn it, and it does not tell who understood the rest.
HARD, FLAT = 0.5, 0.2


def distribution(max_score: float, totals: Sequence[float]) -> Figure:
    """Draw how the scores of a set are spread."""
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.hist(totals, bins=bins(max_score), color=EARNED, edgecolor="white")
    axes.axvline(np.median(totals), color="black", linestyle="--", label=f"median {np.median(totals):g}")
    axes.set(xlabel=f"score (points of {max_score:g})", ylabel="submissions")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)
    return figure


def bins(max_score: float) -> np.ndarray:
    """Return the eleven edges, in points, between which scores are counted."""
    return np.linspace(0, max_score, 11)


def item_bars(statistics: Sequence[ItemStatistics]) -> Figure:
    """Draw what the class earned of each item, and how well the item separates."""
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


def over_the_term(names: Sequence[str], shares: Sequence[Sequence[float]]) -> Figure:
    """Draw the spread of each set's shares of points, in the order of the term.

    Parameters
    ----------
    names : sequence of str
        The sets.
    shares : sequence of sequence of float
        For each, the shares of its students, from 0 to 1; at least one.
    """
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    percent = [100 * np.asarray(of_set) for of_set in shares]
    lines = {"color": EARNED, "linewidth": 1.5}
    axes.boxplot(
        percent,
        widths=0.5,
        whis=(0, 100),
        boxprops=lines,
        whiskerprops=lines,
        capprops=lines,
        medianprops={"color": "black", "linewidth": 2},
    )
    axes.set(ylim=(-3, 103), ylabel="points earned (%)", xticks=range(1, len(names) + 1))
    axes.set_xticklabels([_two_lines(name) for name in names], fontsize="small")
    return figure


def _two_lines(name: str) -> str:
    return name.replace("-", "\n", 1)


def all_items(statistics: Sequence[tuple[str, ItemStatistics]]) -> Figure:
    """Draw the items of all sets by difficulty and discrimination, and name those that need a look.

    Parameters
    ----------
    statistics : sequence of tuple of (str, ItemStatistics)
        Set and item; those without a discrimination are left out.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    known = [(name, s) for name, s in statistics if not np.isnan(s.earned) and not np.isnan(s.discrimination)]
    odd = [(name, s) for name, s in known if needs_look(s)]
    good = [(name, s) for name, s in known if not needs_look(s)]
    axes.axhline(FLAT, color=GUIDE, linewidth=1, linestyle=":")
    axes.plot([100 * s.earned for _, s in good], [s.discrimination for _, s in good], "o", color=EARNED, label="item")
    if odd:
        x, y = [100 * s.earned for _, s in odd], [s.discrimination for _, s in odd]
        axes.plot(x, y, "s", color=LOOK, label="item that needs a look")
        for (_, s), left, height in zip(odd, x, y, strict=True):
            axes.annotate(s.name, (left, height), xytext=(5, 4), textcoords="offset points", fontsize="small")
    axes.set(xlim=(-3, 103), ylim=(-1.05, 1.05), xlabel="points earned (%)", ylabel="discrimination")
    axes.legend(frameon=False, loc="lower left")
    return figure


def needs_look(statistics: ItemStatistics) -> bool:
    """Whether few earn an item, and it does not separate those who understood the rest of the set from the others."""
    return statistics.earned < HARD and statistics.discrimination < FLAT


def misconception_bars(items: Sequence[tuple[str, int, int]]) -> Figure:
    """Draw in which items most students show a misconception.

    Parameters
    ----------
    items : sequence of tuple of (str, int, int)
        Name, students with a misconception, and students with a grade; at least one item.
    """
    figure = Figure(figsize=(6.4, 0.9 + 0.34 * len(items)), layout="constrained")
    axes = figure.subplots()
    position = np.arange(len(items))[::-1]
    axes.barh(position, [graded for _, _, graded in items], color="white", edgecolor=GUIDE, label="graded")
    axes.barh(position, [students for _, students, _ in items], color=LOOK, label="with a known misconception")
    axes.set(xlabel="students", yticks=position, yticklabels=[name for name, _, _ in items])
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.9 / (0.9 + 0.34 * len(items))), ncols=2)
    return figure


def svg(figure: Figure) -> str:
    """Return a figure as an SVG element whose bytes depend on the figure alone."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "autograder", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    drawn = text.getvalue()
    return drawn[drawn.index("<svg") :]


def for_page(drawn: str) -> str:
    """Return an SVG element for a page: its width follows the page, and its numbers are in the table beside it."""
    tag, rest = drawn.split(">", 1)
    return re.sub(r' (width|height)="[^"]*"', "", tag) + ' aria-hidden="true">' + rest
