"""Tidy what Sphinx and the extensions produce: repeated ids, pictures of unknown size, spaces in links, excerpts."""

import re
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.config import Config
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


def size_pictures(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """State the size of each PNG picture, so that the text below does not jump when it arrives.

    The sizes become attributes; docutils would write a style, which the style sheet could not override on narrow
    screens.
    """
    files = {name: Path(app.srcdir, uri) for uri, name in app.builder.images.items()}

    def with_size(tag: re.Match[str]) -> str:
        file = files.get(tag["name"])
        if file is None or file.suffix != ".png" or re.search(r"\b(?:width|height)\b[=:]", tag[0]):
            return tag[0]
        with Image.open(file) as picture:
            width, height = picture.size
        return f'<img width="{width}" height="{height}"{tag[0].removeprefix("<img")}'

    if doctree is not None:
        context["body"] = re.sub(r'<img [^>]*src="[^"]*/(?P<name>[^"/]+)"[^>]*>', with_size, context["body"])


def move_spaces_out(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Move the space at the start of sphinx_exercise's link in a solution's title out of the link and its underline."""
    if doctree is not None:
        context["body"] = re.sub(r"(Solution to)(<a [^>]*>) ", r"\1 \2", context["body"])


def show_excerpts(app: Sphinx, config: Config) -> None:
    """Make the search page show our own excerpts; Sphinx loads a script named here after its search tools."""
    config.html_search_scorer = str(Path(__file__).with_name("search_excerpts.js"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_post_transform(DropRepeatedIds)
    app.connect("config-inited", show_excerpts)
    app.connect("html-page-context", size_pictures)
    app.connect("html-page-context", move_spaces_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
