"""What the numbers of a class say: how hard each item was, how each set went, who is falling behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from autograder.classroom.directory import Outcome, Submission
from autograder.problem_set.source import ProblemSet
from autograder.reports.grades import Grades, Result

#: A student is at risk with less than this share of the points over the term,
LOW = 0.5
#: or where the last two sets went this much worse, compared with the class, than those before,
FALL = 0.2
#: or with this many sets missing, or handed in late.
MISSING, LATE = 2, 3
#: Misconceptions of an item that a page shows at once: a class of 120 shows twenty of some items, most of them once.
FREQUENT = 3


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


def share(result: Result | None, problem_set: ProblemSet) -> float | None:
    """Return what a student has of the points that are decided, from 0 to 1, after any penalty for lateness.

    None where nothing is decided; items that await a person count neither as points nor as full points.
    """
    if result is None or result.items is None:
        return None
    decided = {name: points for name, points in result.items.items() if points is not None}
    full = sum(problem_set.items[name].max_score for name in decided if name in problem_set.items)
    return max(0.0, sum(decided.values()) - result.penalty) / full if full else None


@dataclass(frozen=True)
class Term:
    """Where a student stands over the term.

    Attributes
    ----------
    student : str
        Who.
    shares : dict of str to (float or None)
        For each set that was given out, in their order, the share of its decided points; None if none is decided.
    outcomes : dict of str to str
        What came of each set.
    overall : float or None
        Share of the decided points of all sets together; a set that is missing counts as 0, one that failed not at all.
    trend : float or None
        How much better the last two sets went than those before, in shares and against the class's medians: a hard set
        makes nobody fall. None with fewer than three sets.
    reasons : list of str
        Why the student is at risk; empty where she is not.
    """

    student: str
    shares: dict[str, float | None]
    outcomes: dict[str, str]
    overall: float | None
    trend: float | None
    reasons: list[str] = field(default_factory=list)


def terms(grades: Grades, problem_sets: Sequence[ProblemSet]) -> list[Term]:
    """Compute where each student stands over the sets that were given out.

    Parameters
    ----------
    grades : dict
        As `class_grades` returns them, missing sets included.
    problem_sets : sequence of ProblemSet
        The sets that were given out, in the order of the term.
    """
    shares = {
        student: {ps.name: share(sets.get(ps.name), ps) for ps in problem_sets} for student, sets in grades.items()
    }
    medians = {}
    for problem_set in problem_sets:
        known = [of[problem_set.name] for of in shares.values() if of[problem_set.name] is not None]
        medians[problem_set.name] = float(np.median(known)) if known else 0.0
    return [_term(student, grades[student], of, medians, problem_sets) for student, of in shares.items()]


def _term(
    student: str,
    sets: Mapping[str, Result],
    shares: dict[str, float | None],
    medians: Mapping[str, float],
    problem_sets: Sequence[ProblemSet],
) -> Term:
    outcomes = {name: sets[name].outcome for name in shares if name in sets}
    counted = [
        (0.0 if outcomes[ps.name] == "missing" else shares[ps.name], ps.max_score)
        for ps in problem_sets
        if ps.name in outcomes and (shares[ps.name] is not None or outcomes[ps.name] == "missing")
    ]
    overall = sum(own * full for own, full in counted) / sum(full for _, full in counted) if counted else None
    against = [own - medians[name] for name, own in shares.items() if own is not None]
    trend = float(np.mean(against[-2:]) - np.mean(against[:-2])) if len(against) > 2 else None
    return Term(student, shares, outcomes, overall, trend, _reasons(sets, outcomes, overall, trend, problem_sets))


def _reasons(
    sets: Mapping[str, Result],
    outcomes: Mapping[str, str],
    overall: float | None,
    trend: float | None,
    problem_sets: Sequence[ProblemSet],
) -> list[str]:
    names = [ps.name for ps in problem_sets if ps.name in outcomes]
    missing = [name for name in names if outcomes[name] == "missing"]
    late = sum(sets[name].hours_late > 0 or sets[name].marked_late for name in names)
    reasons = []
    if len(missing) >= MISSING:
        reasons.append(f"{len(missing)} of {len(names)} sets missing")
    elif missing and missing[-1] == names[-1]:
        reasons.append("the last set is missing")
    if names and outcomes[names[-1]] == "failed":
        reasons.append("the last set could not be graded")
    if overall is not None and overall < LOW:
        reasons.append(f"{100 * overall:.0f} % of the points")
    if trend is not None and trend <= -FALL:
        reasons.append(f"falling by {-100 * trend:.0f} percentage points")
    if late >= LATE:
        reasons.append(f"late {late} times")
    return reasons


@dataclass(frozen=True)
class ToTeach:
    """An item of which students showed misconceptions.

    Attributes
    ----------
    problem_set, item : str
        Which.
    students : int
        How many behave like a known misconception.
    graded : int
        How many have a grade for the item.
    misconceptions : list of tuple of (int, str, str)
        For each, the number of students, what such an answer does, and what to teach again: the idea and, in most
        entries, the section.
    """

    problem_set: str
    item: str
    students: int
    graded: int
    misconceptions: list[tuple[int, str, str]]

    @property
    def frequent(self) -> list[tuple[int, str, str]]:
        """The misconceptions that a page shows at once."""
        every = self.misconceptions
        # To fold a single one would save no line.
        return every if len(every) <= FREQUENT + 1 else every[:FREQUENT]

    @property
    def rare(self) -> list[tuple[int, str, str]]:
        """The others, which it folds."""
        return self.misconceptions[len(self.frequent) :]


def to_teach(
    problem_set: ProblemSet, outcomes: Mapping[Submission, Outcome], graded: Mapping[str, int]
) -> list[ToTeach]:
    """Count the misconceptions that the answers to a set behave like, by item, in the order of the set.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    outcomes : mapping of Submission to Outcome
        What came of its submissions.
    graded : mapping of str to int
        How many have a grade, by item.
    """
    entries = {(entry.replaces, entry.name): entry for entry in problem_set.bank}
    counts: dict[str, dict[str, int]] = {}
    for outcome in outcomes.values():
        for item, name in outcome.diagnoses.items():
            of_item = counts.setdefault(item, {})
            of_item[name] = of_item.get(name, 0) + 1
    found = []
    for item in [*problem_set.items, *sorted(counts.keys() - problem_set.items.keys())]:
        if item not in counts:
            continue
        rows = []
        for name, count in counts[item].items():
            # An entry that was renamed or taken out since is shown by its name.
            entry = entries.get((item, name))
            rows.append((count, entry.diagnosis.rstrip(".") if entry else name, entry.revisit if entry else ""))
        rows.sort(key=lambda row: (-row[0], *row[1:]))
        found.append(ToTeach(problem_set.name, item, sum(counts[item].values()), graded.get(item, 0), rows))
    return found
