"""The index of the search: Pagefind makes it from the pages, and ``book/static/search.js`` asks it.

Pagefind would index the finished pages, which contain each formula three times and in which a definition weighs as much
as the output of a cell. It gets a plain copy of each page instead, made from the source: headings with the ids of their
sections, text, formulas as text, and a weight for each. A section is also found by the terms of the glossary that it
explains, and by the words of ``book/search-words.yml``.
"""

import html
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pagefind_bin
import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node

from book.extensions.site.glossary import explanations
from book.extensions.site.places import Place

Words = dict[str, list[str]]
"""Other words for a section, by its id."""

logger = logging.getLogger(__name__)

FOLDER = "pagefind"
WORDS = "book/search-words.yml"
# What a page tells about its subject, compared with a chapter. A list mentions everything and explains nothing.
WEIGHTS = {
    "book/index": 0.3,
    "book/practice/for-instructors": 0.5,
    "book/reference/bibliography": 0.1,
    "book/reference/derivations": 0.05,
    "book/reference/glossary": 0.2,
    "book/reference/notation": 0.5,
}
TITLE, HEADING, TEXT, CODE, SAID_IN_OTHER_WORDS = 10, 6, 1, 0.1, 10
MOST = 10  # the largest weight that Pagefind knows

# Its interfaces, for which we have our own: 600 kB that no page would load.
NEEDLESS = ("pagefind-*.css", "pagefind-*ui*.js", "pagefind-highlight.js", "wasm.unknown.pagefind")

FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")
SIGNS = {
    **{r"\le": "≤", r"\ge": "≥", r"\ne": "≠", r"\approx": "≈", r"\to": "→", r"\in": "∈", r"\infty": "∞"},
    **{r"\cdot": "·", r"\cdots": "…", r"\dots": "…", r"\mid": "|", r"\|": "‖", r"\Vert": "‖", r"\quad": " "},
}
SIGN = re.compile("|".join(re.escape(tex) + ("(?![a-z])" if tex[-1].isalpha() else "") for tex in SIGNS))
COMMAND = re.compile(
    r"\\(?:left|right|[bB]igg?[lr]?|math[a-z]+|text|operatorname|[dt]?frac|(?:begin|end)\{\w+\}|[,;:!\s\\])(?![a-z])|&"
)


def formula_as_text(tex: str) -> str:
    r"""Write TeX as a reader would type it: ``\frac{1}{2}`` as ``1/2``."""
    tex = FRACTION.sub(lambda m: f" {m[1] or m[2]}/{m[3] or m[4]}", tex).replace("}{", "} / {")
    tex = COMMAND.sub(" ", SIGN.sub(lambda sign: SIGNS[sign[0]], tex))
    return re.sub(r"\s+", " ", re.sub(r"[\\{}]", "", tex)).strip()


def text_of(node: nodes.Node) -> str:
    """Return what a reader sees of a node; references that still have no words are left out."""
    if isinstance(node, nodes.Text):
        return str(node)
    if isinstance(node, nodes.math | nodes.math_block):
        return formula_as_text(node.astext())
    if isinstance(node, nodes.raw | nodes.target | addnodes.index):
        return ""
    if isinstance(node, addnodes.pending_xref) and not node.get("refexplicit") and node.get("reftype") != "term":
        return ""
    return "".join(text_of(child) for child in node.children)


def heading(level: int, name: str, text: str, weight: float, others: Sequence[str]) -> str:
    """Write a heading, and unseen below it the other words by which its section is found.

    The excerpts of the search leave out what is between ⟦ and ⟧.
    """
    written = f'<h{level} id="{html.escape(name)}" data-pagefind-weight="{weight:g}">{html.escape(text)}</h{level}>'
    if others:
        words = html.escape(" · ".join(others))
        written += f'<p data-pagefind-weight="{SAID_IN_OTHER_WORDS}">⟦ {words} ⟧</p>'
    return written


class Copy:
    """A plain copy of a page for the index.

    Parameters
    ----------
    weight : float
        The weight of its words.
    words : Words
        The other words by which its sections are found.
    """

    def __init__(self, weight: float, words: Words):
        self.weight = weight
        self.words = words

    def _weighed(self, weight: float) -> float:
        return min(weight * self.weight, MOST)

    def _others(self, node: nodes.Element) -> list[str]:
        return [word for name in node["ids"] for word in self.words.get(name, ())]

    def _paragraph(self, node: nodes.Node, weight: float) -> Iterator[str]:
        if text := re.sub(r"\s+", " ", text_of(node)).strip():
            yield f'<p data-pagefind-weight="{self._weighed(weight):g}">{html.escape(text)}</p>'

    def blocks(self, node: nodes.Element, level: int = 1) -> Iterator[str]:
        """Yield the blocks of a part of a page as HTML."""
        for child in node.children:
            if isinstance(child, nodes.section) and (title := child.next_node(nodes.title)) in child.children:
                weight = self._weighed(TITLE if level == 1 else HEADING)
                yield heading(min(level, 5), child["ids"][0], text_of(title), weight, self._others(child))
                yield from self.blocks(child, level + 1)
            elif isinstance(child, nodes.definition_list_item) and (names := child.next_node(nodes.term)["ids"]):
                yield heading(5, names[0], text_of(child.next_node(nodes.term)), self._weighed(HEADING), [])
                yield from self.blocks(child.next_node(nodes.definition), level)
            elif isinstance(child, nodes.literal_block):
                yield from self._paragraph(child, CODE)
            elif named := self._name(child):
                yield heading(6, child["ids"][0], named, self._weighed(HEADING), self._others(child))
                yield from self.blocks(child, level)
            elif isinstance(child, nodes.title):
                continue
            elif isinstance(child, nodes.TextElement):
                yield from self._paragraph(child, TEXT)
            elif isinstance(child, nodes.Element) and not isinstance(child, nodes.raw | addnodes.toctree):
                yield from self.blocks(child, level)

    @staticmethod
    def _name(node: nodes.Node) -> str:
        """Return the name of a definition, theorem or exercise; nothing for other nodes and for those without one."""
        if isinstance(node, exercise_node | exercise_enumerable_node):
            kind, name = "Exercise", "".join(text_of(title) for title in node.findall(nodes.subtitle))
        elif isinstance(node, nodes.Element) and node.get("realtype"):
            kind, name = str(node["realtype"]).capitalize(), str(node.get("title", ""))
        else:
            return ""
        name = name.strip().removeprefix("(").removesuffix(")")
        return f"{kind}: {name}" if name and node["ids"] else ""

    def page(self, doctree: nodes.document) -> str:
        """Return the copy of a page."""
        body = "\n".join(self.blocks(doctree))
        return f'<!DOCTYPE html><html lang="en"><body data-pagefind-body>{body}</body></html>'


def other_words(root: Path, doctrees: Mapping[str, nodes.document], known: Mapping[str, Place]) -> dict[str, Words]:
    """Return the other words of the sections of each page.

    They come from ``book/search-words.yml`` and from the glossary: a section that explains a term is found by it.
    """
    found: dict[str, Words] = {}
    asked = yaml.safe_load((root / WORDS).read_text(encoding="utf-8"))
    terms = [pair for doctree in doctrees.values() for pair in explanations(doctree).items()]
    for label, words in [*terms, *asked.items()]:
        if label not in known:
            logger.warning("%s names %s, which is neither a label nor a page", WORDS, label)
            continue
        place = known[label]
        found.setdefault(place.page, {}).setdefault(place.section, []).extend(words)
    return found


def write_index(copies: Mapping[str, str], folder: Path) -> None:
    """Let Pagefind write its index.

    Its program is called as a command: its Python interface ends the program while files are still being written.

    Parameters
    ----------
    copies : mapping
        The plain copy of each page, by its address below the site's root.
    folder : Path
        Where the index is written.
    """
    with tempfile.TemporaryDirectory() as made:
        for address, copy in copies.items():
            file = Path(made, address)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(copy, encoding="utf-8")
        command = [pagefind_bin.get_executable(), "--site", made, "--output-path", str(folder), "--silent"]
        subprocess.run(command, check=True)
    for pattern in NEEDLESS:
        for file in folder.glob(pattern):
            file.unlink()


def index_pages(app: Sphinx, error: Exception | None) -> None:
    """Write the index of the search beside the pages."""
    if error or app.builder.format != "html":
        return
    doctrees = {page: app.env.get_doctree(page) for page in sorted(app.env.found_docs)}
    words = other_words(Path(app.srcdir), doctrees, app.places_of_labels)
    copies = {
        app.builder.get_target_uri(page): Copy(WEIGHTS.get(page, 1), words.get(page, {})).page(doctree)
        for page, doctree in doctrees.items()
    }
    folder = Path(app.outdir, FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    write_index(copies, folder)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("build-finished", index_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
