"""The names of all problem sets of the course, and how their known answers share notebooks."""

from autograder.problem_set.bank import BankEntry, deal_out
from tests.support import ROOT

SOLUTIONS = ROOT / "solutions"
SETS = sorted(path.parent.name for path in SOLUTIONS.glob("*/bank"))


def bank_mixes(bank: list[BankEntry]) -> list[list[BankEntry]]:
    """Deal out a bank's entries, one per cell, to the fewest notebooks that hold them all."""
    return deal_out(bank, lambda one, other: one.replaces != other.replaces)
