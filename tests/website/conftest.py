"""Fixtures for the tests of the website: a server."""

from collections.abc import Iterator

import pytest

from tests.support.visits import DESK, PATIENCE, served


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    """The address of the served site: under a sub-path, so that no address may start at the server's root."""
    with served(site) as address:
        yield address


@pytest.fixture
def opened(address, browser):
    """Open a page of the site in a new window."""
    contexts = []

    def open_page(name: str, viewport: dict = DESK, **options):
        contexts.append(browser.new_context(viewport=viewport, **options))
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        page.goto(f"{address}{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
