"""The names that a cell binds and uses are the same for every version of Python that the course supports."""

import pytest

from autograder.common.cell_names import foreign_names, scopes


@pytest.mark.parametrize("brackets", ["[{}]", "{{{}}}", "{{{}: 1}}", "max({})"])
def test_what_a_comprehension_binds_is_no_name_of_the_cell(brackets):
    """Python 3.12 and later work comprehensions out in place, and list what they bind among the names around them."""
    counted = brackets.format("f(i, j)")
    code = f"found = {counted[:-1]} for i in rows for j in i if (last := j){counted[-1]}"
    bound, imported, used = scopes(code)
    assert bound - {"last"} == {"found"}
    assert imported == frozenset()
    assert {"f", "rows"} <= used
    assert not used & {"i", "j"}
    assert foreign_names(code) - {"last"} == {"f", "rows"}
