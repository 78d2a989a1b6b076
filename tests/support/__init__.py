"""What tests of several folders use; none of it is a test."""

from pathlib import Path

#: The course: the folder that holds the book, the problem sets, the package and these tests.
ROOT = Path(__file__).resolve().parents[2]
