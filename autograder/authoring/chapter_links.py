"""Links from a released notebook to the chapters that it names, if the course has a public website."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml
from nbformat import NotebookNode

from autograder.common.errors import AutograderError
from autograder.problem_set.source import grade_id

#: Hosts at which nobody else can find the website.
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")


def chapter_addresses(course: Path) -> dict[str, str]:
    """Return the address of each page of the book by its title; none if the course has no public website.

    Parameters
    ----------
    course : Path
        The course, whose ``_config.yml`` has the setting ``html_baseurl`` and whose ``_toc.yml`` lists the pages.

    Raises
    ------
    AutograderError
        The address is not that of a website.
    """
    config = yaml.safe_load((course / "_config.yml").read_text(encoding="utf-8"))
    base = ((config.get("sphinx") or {}).get("config") or {}).get("html_baseurl") or ""
    if base and (urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname):
        raise AutograderError(
            f"{course / '_config.yml'}: html_baseurl is {base!r}, which is not the address of a website: write it in "
            "full, as in https://example.org/course/"
        )
    if not base or urlsplit(base).hostname in _OWN_HOSTS:
        return {}
    contents = yaml.safe_load((course / "_toc.yml").read_text(encoding="utf-8"))
    return {_title(course / f"{page}.md"): f"{base.rstrip('/')}/{quote(page)}.html" for page in _pages(contents)}


def _pages(contents: object) -> Iterator[str]:
    """Yield the files that a table of contents lists at any depth."""
    if isinstance(contents, list):
        for part in contents:
            yield from _pages(part)
    elif isinstance(contents, dict):
        if "file" in contents:
            yield contents["file"]
        for part in contents.values():
            yield from _pages(part)


def _title(page: Path) -> str:
    """Return a page's first heading."""
    return re.search(r"^# (.+?)\s*$", page.read_text(encoding="utf-8"), re.MULTILINE)[1]


def link_chapters(notebook: NotebookNode, addresses: dict[str, str]) -> None:
    """Turn chapter titles in italics in a notebook's text into links; the notebook is changed in place.

    Cells that grading knows stay as they are, because submissions are compared with them.

    Parameters
    ----------
    notebook : NotebookNode
        A released problem set.
    addresses : dict of str to str
        As `chapter_addresses` returns them.
    """
    if not addresses:
        return
    title = re.compile(r"(?<![*\[])\*(" + "|".join(map(re.escape, addresses)) + r")\*(?![*\]])")
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and grade_id(cell) is None:
            cell.source = title.sub(lambda found: f"[*{found[1]}*]({addresses[found[1]]})", cell.source)
