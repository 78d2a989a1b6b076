"""Tidy what Sphinx and the extensions produce: repeated ids, spaces in links."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

# sphinx_proof and sphinx_exercise give every block of a kind the same ids, which nothing refers to.
REPEATED = {"proof", "proof-content", "exercise-content", "solution-content"}


class DropRepeatedIds(SphinxPostTransform):
    """Remove ids that identify nothing in particular."""

    default_priority = 900  # last: the extensions have resolved their own references by then

    def run(self, **kwargs: object) -> None:
        """Change the page in place."""
        for node in self.document.findall(nodes.Element):
            if REPEATED & set(node["ids"]):
                node["ids"] = [name for name in node["ids"] if name not in REPEATED]


def move_spaces_out(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Move the space at the start of sphinx_exercise's link in a solution's title out of the link and its underline."""
    if doctree is not None:
        context["body"] = re.sub(r"(Solution to)(<a [^>]*>) ", r"\1 \2", context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_post_transform(DropRepeatedIds)
    app.connect("html-page-context", move_spaces_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
