"""What each item of a problem set was proven with: its tests, its bank, its mutants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass

from autograder.authoring.mutants import fingerprints, known_results
from autograder.common.text import number
from autograder.problem_set.source import ProblemSet


@dataclass(frozen=True)
class ItemProof:
    """The proof of one item.

    Attributes
    ----------
    problem_set, item : str
        Their names.
    points : float
        The item's total points.
    tests : int
        How many test cells it has.
    misconceptions, alternatives : int
        How many wrong answers its tests are proven to catch, and how many right ones to accept.
    mutants, killed : int or None
        How many mutants of the reference answer were tried, and how many lost points; None if the item has changed.
    """

    problem_set: str
    item: str
    points: float
    tests: int
    misconceptions: int
    alternatives: int
    mutants: int | None
    killed: int | None


def item_proofs(problem_set: ProblemSet) -> list[ItemProof]:
    """Return the proof of each item that is graded automatically."""
    kinds = [(entry.replaces, entry.kind) for entry in problem_set.bank]
    results, current = known_results(problem_set), fingerprints(problem_set)
    proofs = []
    for item in problem_set.items.values():
        if item.by_hand:
            continue
        result = results.get(item.name, {})
        known = result.get("of") == current[item.name]
        proofs.append(
            ItemProof(
                problem_set.name,
                item.name,
                item.max_score,
                len(item.tests),
                kinds.count((item.name, "misconception")),
                kinds.count((item.name, "alternative")),
                result["mutants"] if known else None,
                result["mutants"] - len(result["survivors"]) if known else None,
            )
        )
    return proofs


HEAD = ("set", "item", "points", "tests", "misconceptions", "alternatives", "mutants killed")


def table_rows(proofs: Iterable[ItemProof]) -> list[tuple[str, ...]]:
    """Write proofs as the rows of a table below `HEAD`, with a last row of sums."""
    proofs = list(proofs)
    rows = [_row(proof) for proof in proofs]
    if proofs:
        counted = [p for p in proofs if p.mutants is not None]
        columns = list(zip(*map(astuple, proofs), strict=True))
        sums = [sum(column) for column in columns[2:6]]
        mutants = f"{sum(p.killed for p in counted)} of {sum(p.mutants for p in counted)}"
        rows.append(("all", f"{len(proofs)} items", number(sums[0]), *map(str, sums[1:]), mutants))
    return rows


def _row(proof: ItemProof) -> tuple[str, ...]:
    mutants = "not tried" if proof.mutants is None else f"{proof.killed} of {proof.mutants}"
    return (
        proof.problem_set,
        proof.item,
        number(proof.points),
        str(proof.tests),
        str(proof.misconceptions),
        str(proof.alternatives),
        mutants,
    )
