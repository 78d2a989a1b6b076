"""Tidy what Sphinx and the extensions produce: repeated ids, spaces in links, proofs, brackets, long names."""

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


def breakable(code: re.Match[str]) -> str:
    """Let a long name in code break after its underscores and slashes, where a table has no room for it (reading.css)."""
    opening, name, closing = code.groups()
    return opening + re.sub(r"([_/])(?=.)", r"\1<wbr>", name) + closing


# sphinx_exercise puts the space before its link inside the link, whose underline then begins too early; sphinx_proof writes
# the word that begins a proof as if it were part of the sentence. A browser may break a line before a formula, even after
# an opening bracket, unless that is in an element that does not wrap (course.css); katex_prerender.py sees to what follows.
REPAIRS = (
    (re.compile(r"(Solution to)(<a [^>]*>) "), r"\1 \2"),
    (re.compile(r'(<div class="proof admonition"[^>]*>\s*<p>)(Proof\.)'), r"\1<strong>\2</strong>"),
    (re.compile(r'([(\[“‘])(?=<span class="math[ "])'), r'<span class="formula-end">\1</span>'),
    (re.compile(r'(<span class="pre">)([^<]{12,})(</span>)'), breakable),
)


def tidied(body: str) -> str:
    """Return the HTML of a page with these put right."""
    for pattern, replacement in REPAIRS:
        body = pattern.sub(replacement, body)
    return body


def tidy(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Change the page in place."""
    if doctree is not None:
        context["body"] = tidied(context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_post_transform(DropRepeatedIds)
    app.connect("html-page-context", tidy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
