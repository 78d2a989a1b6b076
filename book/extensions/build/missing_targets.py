"""List in one warning everything that the pages refer to but the book lacks, with the places that refer to it.

After a chapter is removed, the list shows everything that depends on it: links in the text, boxes on the map, problem
sets.
"""

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import docname_join, logging

logger = logging.getLogger(__name__)

# An address with a colon or with a slash in front is another host's, or not written for this book.
LINK_TO_PAGE = re.compile(r'<a\b[^>]*\bhref="(?![^"]*:|/)([^"#?]+)\.html')


def note(app: Sphinx, target: str, source: str, line: int | None) -> None:
    """Remember that a place refers to what is missing."""
    file = Path(source)
    name = file.relative_to(app.srcdir).as_posix() if file.is_relative_to(app.srcdir) else source
    app.missing_targets.setdefault(target, set()).add((name, line or 0))


def note_reference(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Node) -> nodes.Node:
    """Turn a reference that Sphinx cannot resolve into text, so that Sphinx does not warn about each one separately."""
    kind, target = node["reftype"], node["reftarget"]
    if kind == "doc":
        target = docname_join(node["refdoc"], target)
    source, line = _place(node)
    note(app, f"{kind} {target}", source or env.doc2path(node["refdoc"]), line)
    return text


def _place(node: nodes.Node | None) -> tuple[str, int | None]:
    """The file and the line of the nearest node that knows them."""
    while node is not None:
        if node.source:
            return node.source, node.line
        node = node.parent
    return "", None


class LinksInHtml(SphinxPostTransform):
    """Follow links to pages in our own HTML, which Sphinx passes on unchanged."""

    default_priority = 10

    def run(self, **kwargs: object) -> None:
        """Note those that do not lead to a page."""
        folder = posixpath.dirname(self.env.docname)
        chapters = posixpath.dirname(self.config.root_doc) + "/"  # other addresses are made elsewhere
        for raw in self.document.findall(nodes.raw):
            for link in LINK_TO_PAGE.finditer(raw.astext()):
                page = posixpath.normpath(posixpath.join(folder, link[1]))
                if page.startswith(chapters) and page not in self.env.found_docs:
                    source, line = _place(raw)
                    note(self.app, f"doc {page}", source, line)


def begin(app: Sphinx) -> None:
    """Expect nothing to be missing."""
    app.missing_targets = {}


def warn(app: Sphinx) -> Iterable[tuple[str, dict, str]]:
    """Warn once, when every page is resolved and Sphinx still counts warnings. There are no pages to add."""
    if app.missing_targets:
        lines = [
            f"  {target}: {', '.join(f'{name}:{line}' if line else name for name, line in sorted(places))}"
            for target, places in sorted(app.missing_targets.items())
        ]
        logger.warning("The book lacks these, but other places refer to them:\n%s", "\n".join(lines))
    return ()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("builder-inited", begin)
    app.connect("missing-reference", note_reference)
    app.add_post_transform(LinksInHtml)
    app.connect("html-collect-pages", warn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
