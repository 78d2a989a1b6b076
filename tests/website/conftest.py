"""Fixtures for the tests of the website: a server."""

from collections.abc import Iterator

import pytest

from tests.support.visits import served


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    """The address of the served site: under a sub-path, so that no address may start at the server's root."""
    with served(site) as address:
        yield address
