"""The names that a cell takes from its notebook."""

from autograder.common.cell_names import foreign_names


def test_names_taken_from_the_notebook_are_found_at_every_depth():
    source = """
import numpy as np
def helper(a):
    return outer(a) + np.sum(a) + len(a)
class Case:
    value = given
    def run(self):
        return [inner(i) for i in range(3)]
f = lambda: free
for i in range(3):
    total = i
"""
    assert foreign_names(source) == {"outer", "given", "inner", "free"}
