"""Release, grade and report the problem sets of From Bits to Backprop.

The data goes one way: `solutions/` is released to `exercises/`; students' submissions, in a class directory outside the
course, are graded into nbgrader's gradebook; feedback, report and export read the gradebook.
"""
