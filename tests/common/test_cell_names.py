"""The names that a cell binds and uses are the same for every version of Python that the course supports."""

import pytest

from autograder.common.cell_names import foreign_names, scopes


@pytest.mark.parametrize("brackets", ["[{}]", "{{{}}}", "{{{}: 1}}", "max({})"])
def test_what_a_comprehension_binds_is_not_a_name_of_the_cell(brackets):
    """Python 3.12 and later work comprehensions out in place, and list what they bind among the names around them."""
    counted = brackets.format("f(i, j)")
    code = f"found = {counted[:-1]} for i in rows for j in i if (last := j){counted[-1]}"
    bound, imported, used = scopes(code)
    assert bound - {"last"} == {"found"}
    assert imported == frozenset()
    assert {"f", "rows"} <= used
    assert not used & {"i", "j"}
    assert foreign_names(code) - {"last"} == {"f", "rows"}


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
