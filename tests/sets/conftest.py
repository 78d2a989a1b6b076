"""What tests of several problem sets share."""

import pytest


@pytest.fixture
def check(checks):
    """A function that makes a check of an item called `double`."""

    def make(function, **options):
        return checks.Check(function, "double", "what doubling means", "chapter Doubling", **options)

    return make
