"""Link each term of the glossary to the section that explains it.

The definition of a term ends with ``{explained}`label```, where the label is that of a section or of something in it,
such as a definition. The page shows the titles of the section and of its chapter.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from book.extensions.site.places import Place, places

logger = logging.getLogger(__name__)


class explained(nodes.inline):  # noqa: N801 (docutils names nodes so)
    """The place of the link, until all pages have been read."""


class ExplainedRole(SphinxRole):
    """``{explained}`label```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave the label in the page."""
        return [explained("", "", label=self.text, classes=["explained"])], []


def explanations(doctree: nodes.document) -> dict[str, list[str]]:
    """Return the terms of a glossary that each label explains."""
    found: dict[str, list[str]] = {}
    for item in doctree.findall(nodes.definition_list_item):
        for node in item.findall(explained):
            found.setdefault(node["label"], []).append(item.next_node(nodes.term).astext())
    return found


def words_of(title: nodes.title) -> list[nodes.Node]:
    """Return copies of what a title consists of."""
    return [part.deepcopy() for part in title.children]


def remember(app: Sphinx, env: BuildEnvironment) -> None:
    """Note the section of each label, once all pages have been read."""
    app.places_of_labels = places(env)


def link(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Turn the labels of a page into links."""
    for node in list(doctree.findall(explained)):
        place: Place | None = app.places_of_labels.get(node["label"])
        if place is None:
            logger.warning("no section is labelled %s", node["label"], location=node)
            continue
        address = f"{app.builder.get_relative_uri(page, place.page)}#{place.section}"
        chapter = app.env.titles[place.page]
        reference = nodes.reference("", "", *words_of(place.title), internal=True, refuri=address)
        node += [nodes.Text("Explained in "), reference]
        if place.title.astext() != chapter.astext():
            node += [nodes.Text(", "), nodes.emphasis("", "", *words_of(chapter))]
        node += nodes.Text(".")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_node(
        explained, html=(lambda self, node: self.visit_inline(node), lambda self, node: self.depart_inline(node))
    )
    app.add_role("explained", ExplainedRole())
    app.connect("env-check-consistency", remember)
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
