"""The names of all problem sets of the course, for tests that look at each."""

from pathlib import Path

SOLUTIONS = Path(__file__).resolve().parent.parent / "solutions"
SETS = sorted(path.parent.name for path in SOLUTIONS.glob("*/bank"))
