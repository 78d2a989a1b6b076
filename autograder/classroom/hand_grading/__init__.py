"""Grading by hand, question by question: what awaits a person, and the local page on which points are given."""
