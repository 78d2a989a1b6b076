"""Links to the chapters and sections that a problem set names, if the course has a public website."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml
from docutils.nodes import make_id
from nbformat import NotebookNode

from autograder.common.errors import AutograderError
from autograder.problem_set.source import grade_id, is_test

#: Hosts at which nobody else can find the website.
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
_FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1`*\s*$", re.MULTILINE | re.DOTALL)
#: What a message writes in parentheses, at its end: "(chapter Entropy, Codes)".
_PLACES = re.compile(r"\([^()]*\)")


def chapter_addresses(course: Path) -> dict[str, str]:
    """Return the address of each page of the book; none if the course has no public website.

    The keys are titles, such as "Entropy", and titles with a section's, such as "Entropy, Codes".

    Parameters
    ----------
    course : Path
        The course, whose ``_config.yml`` has the setting ``html_baseurl`` and whose ``_toc.yml`` lists the pages. The
        variable SITE_URL takes the place of that setting, as it does where the website is built.

    Raises
    ------
    AutograderError
        The address is not that of a website.
    """
    config = yaml.safe_load((course / "_config.yml").read_text(encoding="utf-8"))
    base, where = os.environ.get("SITE_URL", "").strip(), "SITE_URL"
    if not base:
        base = ((config.get("sphinx") or {}).get("config") or {}).get("html_baseurl") or ""
        where = f"{course / '_config.yml'}: html_baseurl"
    if base and (urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname):
        raise AutograderError(
            f"{where} is {base!r}, which is not the address of a website: write it in full, as in "
            "https://example.org/course/"
        )
    if not base or urlsplit(base).hostname in _OWN_HOSTS:
        return {}
    return book_addresses(course, f"{base.rstrip('/')}/")


def book_addresses(course: Path, base: str) -> dict[str, str]:
    """Return the address of each page and section of the book below a base address, as `chapter_addresses` does."""
    contents = yaml.safe_load((course / "_toc.yml").read_text(encoding="utf-8"))
    addresses = {}
    for page in _pages(contents):
        title, *sections = _headings(course / f"{page}.md")
        addresses[title] = f"{base}{quote(page)}.html"
        for section in sections:  # the text of a formula is its source, in an id; and the letter, in a message
            name = section.replace(r"\sigma", "σ")
            addresses.setdefault(f"{title}, {name}", f"{addresses[title]}#{make_id(section)}")
    return addresses


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


def _headings(page: Path) -> list[str]:
    """Return a page's headings; the first one is its title."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [re.sub(r"[*`$]", "", found[1]) for found in re.finditer(r"^#{1,4} (.+?)\s*$", text, re.MULTILINE)]


def link_chapters(notebook: NotebookNode, addresses: dict[str, str]) -> None:
    """Turn chapters and sections that a notebook's text names into links; the notebook is changed in place.

    A chapter stands in italics there, and a section behind it in quotes: *Entropy*, "Codes".

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
    title = re.compile(rf'(?<![*\[])\*({_any_of(_titles(addresses))})\*(?![*\]])(?:(, )"([^"\n]+)")?')

    def linked(found: re.Match) -> str:
        name, comma, section = found.groups()
        if section and (address := addresses.get(f"{name}, {section}")):
            return f'[*{name}*, "{section}"]({address})'
        return f"[*{name}*]({addresses[name]})" + (f'{comma}"{section}"' if section else "")

    for cell in notebook.cells:
        if cell.cell_type == "markdown" and grade_id(cell) is None:
            cell.source = title.sub(linked, cell.source)
    # The text of a test is the same wherever the site is, and its messages are plain text.
    named = dict(piece for cell in notebook.cells if is_test(cell) for piece in _places_of(cell.source, addresses))
    start = next((i for i, cell in enumerate(notebook.cells) if grade_id(cell)), 0)
    text = next((c for c in notebook.cells[:start][::-1] if c.cell_type == "markdown" and not grade_id(c)), None)
    if named and text is not None:
        rows = "\n".join(f"- [{place}]({address})" for place, address in sorted(named.items()))
        text.source += (
            f"\n\n<details>\n<summary>Where the messages of the tests point</summary>\n\n{rows}\n\n</details>"
        )


def _places_of(source: str, addresses: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the chapters and sections that a test cell names, with a chapter's title before each, and their addresses."""
    of = {address: name for name, address in addresses.items()}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "hapter" in node.value:
            text = node.value if "(" in node.value else f"({node.value})"
            yield from ((of[address], address) for _, address in with_links(text, addresses) if address)


def with_links(text: str, addresses: dict[str, str]) -> list[tuple[str, str]]:
    """Cut what a test says into pieces, each with the address of the chapter or section that it names, or an empty one.

    Parameters
    ----------
    text : str
        A message or a diagnosis, which names places in parentheses: "(chapter Entropy, Codes, and Two outcomes)".
    addresses : dict of str to str
        As `chapter_addresses` returns them.
    """
    pieces, end = [], 0
    for start, stop, address in _named(text, addresses) if addresses else ():
        pieces += [(text[end:start], ""), (text[start:stop], address)]
        end = stop
    return [piece for piece in [*pieces, (text[end:], "")] if piece[0]]


def _named(text: str, addresses: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    """Yield where a text names chapters and sections, and their addresses."""
    titles = _titles(addresses)
    chapter = re.compile(rf"(?:(?<=\()|(?<=hapter )|(?<=hapters )|(?<=, and )|(?<=; ))({_any_of(titles)})\b")
    sections = {
        title: re.compile(rf"(, and |, from |, | to | and )({_any_of(names)})(?=[,;)]| and | to |$)")
        for title in titles
        if (names := [key[len(title) + 2 :] for key in addresses if key.startswith(f"{title}, ")])
    }
    for group in _PLACES.finditer(text):
        at = group.start()
        while found := chapter.search(text, at, group.end()):
            name, at = found[1], found.end()
            section = sections[name].match(text, at, group.end()) if name in sections else None
            if section is None or section[1] != ", ":
                yield found.start(), at, addresses[name]
            else:
                at = section.end()
                yield found.start(), at, addresses[f"{name}, {section[2]}"]
            while name in sections and (section := sections[name].match(text, at, group.end())):
                at = section.end()
                yield section.start(2), at, addresses[f"{name}, {section[2]}"]


def _titles(addresses: dict[str, str]) -> list[str]:
    return [name for name, address in addresses.items() if "#" not in address]


def _any_of(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
