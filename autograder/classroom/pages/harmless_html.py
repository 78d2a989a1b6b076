"""HTML for a page that acts with the rights of the person who looks at it: without anything that acts or loads."""

from __future__ import annotations

import bleach
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

#: What Markdown makes, and the tables of pandas. Neither forms and scripts, nor identifiers and classes, by which a
#: submission could pass for a part of the page.
_TAGS = set(
    """
    a b blockquote br caption code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img li ol p
    pre s span strong sub summary sup table tbody td tfoot th thead tr u ul
    """.split()  # noqa: SIM905
)


def _may_stay(tag: str, name: str, value: str) -> bool:
    """Whether an attribute is harmless: a picture is in the page itself, a link leads to a page."""
    if tag == "a":
        return name == "title" or (name == "href" and not value.lower().startswith("data:"))
    if tag == "img":
        return name in ("alt", "title", "width", "height") or (name == "src" and value.startswith("data:image/"))
    return tag in ("td", "th") and name in ("colspan", "rowspan", "align")


def without_scripts(text: str) -> str:
    """Return HTML with nothing left that acts, loads or passes for a part of the page; the rest is shown as text.

    Parameters
    ----------
    text : str
        What nbconvert made of a Markdown cell, or the output of a cell.
    """
    return bleach.clean(text, tags=_TAGS, attributes=_may_stay, protocols={"http", "https", "mailto", "data"})


def rendered(markdown: str) -> str:
    """Return Markdown as HTML, as `without_scripts` leaves it, with formulas as they were written, between dollar signs.

    Parameters
    ----------
    markdown : str
        The source of a Markdown cell.
    """
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    return without_scripts(str(MarkdownWithMath(renderer=renderer).render(markdown)))
