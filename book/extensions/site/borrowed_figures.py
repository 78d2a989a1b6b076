"""Show a figure of a chapter on another page too, with its picture and controls, from the finished page of the chapter.

The directive ``borrowed-figure`` takes the figure's name, and the chapter in its option ``page``.
"""

import html
import posixpath
import re
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

PLACE = re.compile(r'<div class="borrowed-figure" data-page="(?P<page>[^"]*)" data-figure="(?P<figure>[^"]*)"></div>')


class BorrowedFigureDirective(SphinxDirective):
    """Leaves a place for the figure, which is filled when all pages are written."""

    required_arguments = 1
    option_spec: ClassVar = {"page": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the place."""
        page = posixpath.normpath(posixpath.join(posixpath.dirname(self.env.docname), self.options["page"]))
        self.env.metadata[self.env.docname].setdefault("borrows", []).append((page, self.arguments[0]))
        place = f'<div class="borrowed-figure" data-page="{html.escape(page)}" data-figure="{self.arguments[0]}"></div>'
        return [nodes.raw("", place, format="html")]


def figure_of(page: str, name: str, way: str) -> str:
    """Return a figure of a page for another page.

    Parameters
    ----------
    page : str
        The HTML of the page.
    name : str
        The id of the figure.
    way : str
        The way from the folder of the other page to that of the page.

    Returns
    -------
    str
        The figure, without what may occur only once in the site: its id, its number and the link to it.

    Raises
    ------
    ValueError
        If the page has no such figure.
    """
    found = re.search(rf'<figure[^>]*\bid="{re.escape(name)}".*?</figure>', page, re.DOTALL)
    if found is None:
        raise ValueError(name)
    figure = re.sub(rf' id="{re.escape(name)}"', "", found[0], count=1)
    figure = re.sub(r'<span class="caption-number">.*?</span>|<a class="headerlink".*?</a>', "", figure)

    def moved(match: re.Match[str]) -> str:
        return f'{match[1]}="{posixpath.normpath(posixpath.join(way, match[2]))}"'

    return re.sub(r'\b(src|href)="(?!#|[a-z]+:)([^"]*)"', moved, figure)


def fill_places(app: Sphinx, error: Exception | None) -> None:
    """Put the figures where they are asked for."""
    if error or app.builder.format != "html":
        return
    for name in sorted(name for name, data in app.env.metadata.items() if data.get("borrows")):
        file = Path(app.builder.get_outfilename(name))

        def filled(place: re.Match[str], borrower: str = name) -> str:
            lender = Path(app.builder.get_outfilename(place["page"]))
            way = posixpath.relpath(posixpath.dirname(place["page"]), posixpath.dirname(borrower))
            try:
                return figure_of(lender.read_text(encoding="utf-8"), place["figure"], way)
            except (OSError, ValueError):
                raise ExtensionError(f"{borrower}: {place['page']} has no figure {place['figure']}") from None

        file.write_text(PLACE.sub(filled, file.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_directive("borrowed-figure", BorrowedFigureDirective)
    app.connect("build-finished", fill_places, priority=450)  # before the pages are searched, repaired and made light
    return {"parallel_read_safe": True, "parallel_write_safe": True}
