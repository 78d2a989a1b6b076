"""Show at a glance which code is wrong: cells tagged ``faulty`` or ``repaired`` say so, and their changed words are marked.

A cell with both tags compares the two. ``changed`` in the metadata of a cell quotes the fault or the repair from the code:

    tags: [faulty]
    changed: ["np.exp(z)"]
"""

import html
import re
from collections.abc import Iterable, Sequence

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

# The words above a cell with these tags.
WORDS = {("faulty",): "faulty", ("repaired",): "repaired", ("faulty", "repaired"): "faulty and right"}
CLASS = "cell-mark"
CHANGED = "changed_code"

MARKED_CODE = re.compile(rf'<p class="{CLASS}">.*?<pre>(?P<code>.*?)</pre>', re.DOTALL)
PIECE = re.compile(r"<[^>]*>|&[^;\s]+;|[^<&]|&")


def marked(code: str, words: Iterable[str]) -> str:
    """Mark words in highlighted code.

    Parameters
    ----------
    code : str
        HTML, as Pygments writes it: text, and elements without elements in them.
    words : iterable of str
        What to mark, quoted from the code; each must be there.

    Returns
    -------
    str
        The code, with every place of each word in a ``mark``, or in several where it consists of several elements.

    Raises
    ------
    ValueError
        If a word is not in the code; the message is the word.
    """
    pieces = PIECE.findall(code)
    letters = [place for place, piece in enumerate(pieces) if not piece.startswith("<")]
    plain = "".join(html.unescape(pieces[place]) for place in letters)
    inside: set[int] = set()
    for word in words:
        starts = [found.start() for found in re.finditer(re.escape(word), plain)]
        if not starts:
            raise ValueError(word)
        inside.update(place for start in starts for place in letters[start : start + len(word)])
    written, is_open = [], False
    for place, piece in enumerate(pieces):
        if is_open != (place in inside):
            written.append("</mark>" if is_open else "<mark>")
            is_open = not is_open
        written.append(piece)
    return "".join([*written, "</mark>"] if is_open else written)


def mark_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Put the words above the tagged cells, and note what is to be marked in them."""
    changed: list[Sequence[str]] = []
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        metadata = cell.get("cell_metadata", {})
        tags = tuple(tag for tag in ("faulty", "repaired") if tag in metadata.get("tags", ()))
        if tags:
            changed.append(metadata.get("changed", []))
            cell.insert(0, nodes.paragraph("", WORDS[tags], classes=[CLASS]))
    app.env.metadata[app.env.docname][CHANGED] = changed


def mark_words(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Mark what has changed in the tagged cells."""
    waiting = iter(app.env.metadata[page].get(CHANGED, ()) if doctree is not None else ())

    def with_marks(cell: re.Match[str]) -> str:
        try:
            code = marked(cell["code"], next(waiting))
        except ValueError as word:
            logger.warning("a cell marks %r, which is not in its code", str(word), location=page)
            return cell[0]
        return cell[0].replace(cell["code"], code)

    if doctree is not None:
        context["body"] = MARKED_CODE.sub(with_marks, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("doctree-read", mark_cells)
    app.connect("html-page-context", mark_words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
