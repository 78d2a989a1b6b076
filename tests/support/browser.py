"""The browser in which tests open pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserType, sync_playwright


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """Start Chromium without a window, and close it afterwards.

    Parameters
    ----------
    *options : str
        Command-line options besides those that every test needs.
    """
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium, *options)
        yield browser
        browser.close()


def launched(kind: BrowserType, *options: str) -> Browser:
    """Start another Chromium of the same Playwright, of which a process can have only one; the caller closes it."""
    # The browsers that environment.sh looks for; without one, Playwright uses its own, which environment.sh fetched.
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    common = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
    return kind.launch(executable_path=path, args=[*common, *options])
