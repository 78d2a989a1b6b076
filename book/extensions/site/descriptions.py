"""Describe each page in its head, for search engines and for sphinxext.opengraph, which writes the tags for previews.

sphinxext.opengraph would use the first characters of a page: they end in mid-sentence and contain the source of
formulas, and pages without a source have none.
"""

import html
import re
import textwrap

from docutils import nodes
from sphinx.application import Sphinx

LONGEST = 158  # search engines show about this many characters
SHORTEST = 50  # a shorter paragraph says too little to describe a page
# Pages without a source, with their descriptions.
GENERATED = {
    "genindex": "The index of the course: every term of the glossary, with the page that explains it.",
    "search": "Search the chapters, the problem sets and the reference pages of the course by any word that they contain.",
    "404": "There is no page at this address. The search and the list of contents lead to those that exist.",
}


def shortened(text: str) -> str:
    """Cut a text after the last whole sentence that fits, or else after a word."""
    text = re.sub(r"\s+", " ", text).strip()
    if len(text) <= LONGEST:
        return text
    sentences = [end.end() for end in re.finditer(r"[.!?](?=\s)", text[: LONGEST + 1])]
    if sentences and sentences[-1] >= SHORTEST:
        return text[: sentences[-1]]
    return textwrap.shorten(text, LONGEST, placeholder=" …")


def description_of(doctree: nodes.document) -> str:
    """Return the first paragraph of a page that is long enough, preferably one without a formula.

    Parameters
    ----------
    doctree : nodes.document
        The page.

    Returns
    -------
    str
        At most `LONGEST` characters.
    """
    found = [
        paragraph
        for paragraph in doctree.findall(nodes.paragraph)
        if isinstance(paragraph.parent, nodes.section) and len(paragraph.astext()) >= SHORTEST
    ]
    plain = [paragraph for paragraph in found[:4] if not any(True for _ in paragraph.findall(nodes.math))]
    return shortened((plain or found)[0].astext()) if found else ""


def describe(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Add a page's description to its head, and pass it on for the preview."""
    description = html.escape(description_of(doctree) if doctree is not None else GENERATED.get(page, ""))
    if not description:
        return
    context["metatags"] = f'{context.get("metatags", "")}\n<meta name="description" content="{description}" />\n'
    title = re.sub(r"<[^>]*>", "", context.get("title") or "").strip()
    preview = {"og:description": description, "og:image:alt": f"{title}. {description}"}
    context["meta"] = {**(context.get("meta") or {}), **preview}


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("html-page-context", describe, priority=400)  # before sphinxext.opengraph
    return {"parallel_read_safe": True, "parallel_write_safe": True}
