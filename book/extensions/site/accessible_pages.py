"""Fix what the theme and the extensions leave inaccessible in the pages: landmarks, empty headers, colour mode."""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from book.extensions.site.page_weight import pages_of

REPAIRS = [
    # The title, the search button and the contents are outside every landmark.
    (
        re.compile(r'<div class="(sidebar-primary-items__start [^"]*)">'),
        r'<div class="\1" role="complementary" aria-label="Title, search and contents">',
    ),
    # A list has items, and the role of an entry of a bibliography is deprecated.
    (re.compile(r'(<div class="citation"[^>]*) role="doc-biblioentry"'), r'\1 role="listitem"'),
    # The name of a fold is its visible text.
    (re.compile(r'<summary aria-label="[^"]*">'), "<summary>"),
    # A server that calls a notebook JSON would make the browser show it in a new window.
    (re.compile(r'(<a href="[^"]+\.ipynb") target="_blank"'), r"\1 download"),
    # HTML allows no paragraph in the summary of a fold.
    (re.compile(r'<p class="((?:collapsed|expanded) admonition-title)">([^<]*)</p>'), r'<span class="\1">\2</span>'),
    # The corner of a table that has row names heads nothing.
    (re.compile(r'<th class="head">(?:<p>\s*</p>|\s*)</th>'), "<td></td>"),
    # Two extensions and the theme each write this line.
    (re.compile(r'(<meta name="viewport"[^>]*>)(.*?)(?=</head>)', re.DOTALL), None),
]


def _one_viewport(match: re.Match[str]) -> str:
    """Keep only the first of several equivalent lines."""
    return match[1] + re.sub(r'\s*<meta name="viewport"[^>]*>', "", match[2])


def repaired(page: str) -> str:
    """Return a page in its accessible form."""
    for pattern, replacement in REPAIRS:
        page = pattern.sub(replacement or _one_viewport, page, count=1 if replacement is None else 0)
    return page


def repair(app: Sphinx, error: Exception | None) -> None:
    """Rewrite the finished pages."""
    if error or app.builder.format != "html":
        return
    for file in pages_of(Path(app.outdir)):
        text = file.read_text(encoding="utf-8")
        if (better := repaired(text)) != text:
            file.write_text(better, encoding="utf-8")


def follow_the_reader(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Make the theme start in the reader's own colour mode; without a setting it would report an error."""
    context["default_mode"] = "auto"


class PlainTermIds(SphinxTransform):
    """Give glossary terms ids without dots: the theme's scripts use ids as selectors, and would fail."""

    default_priority = 840  # before the domains note the terms, for the index and for the search

    def apply(self, **kwargs: object) -> None:
        """Change the page in place, and what the directive has recorded about it."""
        names = {
            old: re.sub(r"[^\w-]+", "-", old).strip("-")
            for term in self.document.findall(nodes.term)
            for old in term["ids"]
            if re.search(r"[^\w-]", old)
        }
        if not names:
            return
        for term in self.document.findall(nodes.term):
            term["ids"] = [names.get(name, name) for name in term["ids"]]
        for index in self.document.findall(addnodes.index):
            index["entries"] = [(kind, text, names.get(to, to), *rest) for kind, text, to, *rest in index["entries"]]
        objects = self.env.get_domain("std").objects
        for key, (page, name) in list(objects.items()):
            if page == self.env.docname and name in names:
                objects[key] = (page, names[name])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("html-page-context", follow_the_reader)
    app.add_transform(PlainTermIds)
    app.connect("build-finished", repair, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
