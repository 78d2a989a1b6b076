"""Grading a class: which submissions are due, what came of them in nbgrader's gradebook, and which results still hold."""
