"""The frame of a chapter: above the text, its part and the time it takes; below, why to read on.

The role ``{hours}`` gives the time that all chapters take, or all problem sets.
"""

import html
import re
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxRole

from book.extensions.problem_sets.released_sets import read_released, released

NEXT = "book/next.yml"
TABLE_OF_CONTENTS = "_toc.yml"

# How long reading takes: words a minute of a text that is studied, and seconds for what is not made of words.
WORDS_A_MINUTE = 180
FORMULA, FIGURE, LINE_OF_CODE = 15, 20, 4
STEP = 5  # minutes; nobody reads to the minute


def parts_of_chapters(root: Path) -> dict[str, str]:
    """Return the part of each chapter, by the chapter's name; pages outside the numbered parts have none."""
    contents = yaml.safe_load((root / TABLE_OF_CONTENTS).read_text(encoding="utf-8"))
    numbered = [part for part in contents["parts"] if part.get("numbered")]
    return {chapter["file"]: part["caption"] for part in numbered for chapter in part["chapters"]}


def minutes(doctree: nodes.document) -> int:
    """Estimate how long a chapter takes to read: its text, formulas, figures and unfolded code, without solutions."""
    words = seconds = 0

    def count(node: nodes.Node) -> None:
        nonlocal words, seconds
        if "dropdown" in getattr(node, "attributes", {}).get("classes", ()):
            return
        if isinstance(node, nodes.container) and "tag_hide-input" in node["classes"]:
            seconds += FIGURE
        elif isinstance(node, nodes.math_block):
            seconds += FORMULA
        elif isinstance(node, nodes.literal_block):
            seconds += LINE_OF_CODE * len(node.astext().strip().splitlines())
        elif isinstance(node, nodes.Text):
            words += len(str(node).split())
        else:
            for child in node.children:
                count(child)

    count(doctree)
    return max(STEP, STEP * round((words / WORDS_A_MINUTE + seconds / 60) / STEP))


class hours(nodes.inline):  # noqa: N801 (docutils names nodes so)
    """The place of a number of hours, until all pages have been read."""


class HoursRole(SphinxRole):
    """``{hours}`chapters``` or ``{hours}`problem sets```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave what is asked for in the page."""
        return [hours("", "", of=self.text)], []


def write_hours(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Write the numbers of hours on a page."""
    for node in list(doctree.findall(hours)):
        if node["of"] == "chapters":
            total = sum(minutes(app.env.get_doctree(chapter)) for chapter in app.parts_of_chapters)
        else:
            root = Path(app.srcdir)
            total = sum(read_released(file).minutes for file in released(root))
        node.replace_self(nodes.Text(str(round(total / 60))))


def part_class(part: str) -> str:
    """Return the class that gives a part its colour (book/static/reading.css)."""
    return f"part-{part.lower()}"


def name_part(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Write the part and the time above a chapter's title, and below the chapter the line about the next one."""
    part = app.parts_of_chapters.get(page)
    if part is None or doctree is None:
        return
    context["part_of_page"] = part_class(part)
    above = f'<p class="chapter-part {part_class(part)}">{html.escape(part)} · about {minutes(doctree)} minutes</p>'
    why = app.reasons_to_read_on.get(page)
    following = context.get("next")
    if why is None or following is None:
        raise ExtensionError(f"{NEXT} has no line for {page}")
    title = re.sub(r'<span class="section-number">.*?</span>', "", following["title"])
    below = (
        f'<p class="next-why"><strong>Next: <a href="{html.escape(following["link"])}">{title}</a>.</strong>'
        f" {html.escape(why)}</p>"
    )
    context["body"] = f"{above}\n{context['body']}\n{below}"


def colour_parts(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Give each part in the contents beside the page the class of its colour."""
    write = context["generate_toctree_html"]

    def coloured(*arguments: object, **options: object) -> str:
        written = str(write(*arguments, **options))
        for part in dict.fromkeys(app.parts_of_chapters.values()):
            name = f'<span class="caption-text">{html.escape(part)}</span>'
            written = written.replace(name, name.replace("caption-text", f"caption-text {part_class(part)}"))
        return written

    context["generate_toctree_html"] = coloured


def read_sources(app: Sphinx) -> None:
    """Read the parts of the book, and the lines about the next chapter."""
    app.parts_of_chapters = parts_of_chapters(Path(app.srcdir))
    app.reasons_to_read_on = yaml.safe_load((Path(app.srcdir) / NEXT).read_text(encoding="utf-8"))
    if unknown := set(app.reasons_to_read_on) - set(app.parts_of_chapters):
        raise ExtensionError(f"{NEXT} has lines for pages that are no chapters: {', '.join(sorted(unknown))}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_node(hours)
    app.add_role("hours", HoursRole())
    app.connect("builder-inited", read_sources)
    app.connect("doctree-resolved", write_hours)
    app.connect("html-page-context", name_part, priority=600)
    app.connect("html-page-context", colour_parts, priority=950)  # after the theme has given its function
    return {"parallel_read_safe": True, "parallel_write_safe": True}
