"""Helpers for the tests of several folders; it contains no tests."""

import os
from pathlib import Path

#: The course: the folder with the book, the problem sets, the package and these tests.
ROOT = Path(__file__).resolve().parents[2]
#: Whether every check runs at full length, as in `make test-all`; otherwise the longest take samples.
TEST_ALL = bool(os.environ.get("TEST_ALL"))
