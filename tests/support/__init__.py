"""Helpers for the tests of several folders; it contains no tests."""

from pathlib import Path

#: The course: the folder with the book, the problem sets, the package and these tests.
ROOT = Path(__file__).resolve().parents[2]
