"""Tell the browser about how high each section of a chapter is before it is laid out.

The style sheet leaves out the layout of sections that are not near (reading.css). The browser assumes a height for them
until then: the nearer it is, the less the scroll bar moves, and nothing that is asked for its place seems to lie in the
section below.
"""

import math

from docutils import nodes
from sphinx.application import Sphinx

#: Characters in a line of text, and heights in rem, as the style sheet has them for a wide window.
LINE = 72
TEXT, CODE = 1.7, 1.16
#: What a node takes besides the lines in it: margins, a frame, a picture.
EXTRA = {
    "paragraph": 1.1,
    "title": 3.5,
    "math_block": 4.5,
    "literal_block": 2.0,
    "image": 25.0,
    "row": 1.4,
    "definition_node": 2.0,
    "theorem_node": 2.0,
    "exercise_node": 2.0,
    "admonition": 3.0,
    "self_check": 8.0,
}
#: The line that is left of what is folded.
FOLD = 3.0
CLOSED = {"dropdown", "tag_hide-input", "tag_hide-cell", "checked"}


def height(node: nodes.Node) -> float:
    """Return about how high a node is in a wide window, in rem."""
    kind = type(node).__name__
    if isinstance(node, nodes.literal_block):
        return EXTRA["literal_block"] + CODE * len(node.astext().rstrip("\n").splitlines())
    if isinstance(node, nodes.paragraph | nodes.title | nodes.caption):
        return EXTRA.get(kind, 1.0) + TEXT * math.ceil(_characters(node) / LINE)
    if kind in ("math_block", "image"):
        return EXTRA[kind]
    if not isinstance(node, nodes.Element) or isinstance(node, nodes.raw):
        return 0.0
    classes = set(node.get("classes", ()))
    if "cell" in classes and classes & CLOSED:
        return FOLD + sum(height(child) for child in node.children if "cell_output" in child.get("classes", ()))
    if classes & CLOSED:
        return FOLD
    inner = [height(child) for child in node.children]
    # The cells of a row stand side by side.
    return EXTRA.get(kind, 0.0) + (max(inner, default=0.0) if isinstance(node, nodes.row) else sum(inner))


def _characters(node: nodes.Element) -> int:
    """Count what is seen of a text: of a formula, about half of its source."""
    formulas = sum(len(formula.astext()) for formula in node.findall(nodes.math))
    return len(node.astext()) - formulas // 2


def tell(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Write the height of each section of the page's one chapter into its tag."""
    if doctree is None or not page.startswith("book/"):
        return
    body = context["body"]
    for chapter in doctree.children:
        for section in chapter.children if isinstance(chapter, nodes.section) else ():
            if isinstance(section, nodes.section):
                tag = f'<section id="{section["ids"][0]}"'
                body = body.replace(tag, f'{tag} style="--height: {round(height(section))}"', 1)
    context["body"] = body


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("html-page-context", tell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
