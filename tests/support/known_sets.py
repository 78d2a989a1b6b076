"""The names of all problem sets of the course, for tests that examine each."""

from tests.support import ROOT

SOLUTIONS = ROOT / "solutions"
SETS = sorted(path.parent.name for path in SOLUTIONS.glob("*/bank"))
