"""What the tests of the website need: a server."""

from collections.abc import Iterator

import pytest

from tests.support.visits import served


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    """Where the site is served: under a sub-path, so that no address may begin at the server's root."""
    with served(site) as address:
        yield address
