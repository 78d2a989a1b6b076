"""Problem sets on a page, with points and downloads: `{problem-sets}` in a chapter, `{problem-set-table}` for all."""

import html
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

from book.extensions.problem_sets.released_sets import FOLDER, ReleasedSet, read_released, released

logger = logging.getLogger(__name__)

#: Where in the site JupyterLite shows a notebook. It is added after the pages are made (book/lite/build.py).
IN_BROWSER = "lite/notebooks/index.html"

#: The head of the table of all sets, and how its width is shared out.
COLUMNS = {"Set": 52, "Chapters": 24, "Time": 12, "Points": 12}


def in_browser(builder: Builder, page: str, notebook: str) -> str:
    """Return the address, relative to a page, at which a notebook opens in the browser, ready to run.

    Parameters
    ----------
    builder : Builder
        Knows where the page is.
    page : str
        The page that shows the link.
    notebook : str
        The notebook's place in JupyterLite, for example ``chapters/entropy.ipynb``.
    """
    return f"{relative_uri(builder.get_target_uri(page), IN_BROWSER)}?path={quote(notebook)}"


def _readable(directive: SphinxDirective) -> Iterator[ReleasedSet]:
    """Go through the released sets; warn of one that cannot be read."""
    for notebook in released(Path(directive.env.srcdir)):
        try:
            problem_set = read_released(notebook)
        except ValueError as error:
            logger.warning(str(error), location=directive.get_location())
            continue
        yield problem_set


class ProblemSetsDirective(SphinxDirective):
    """List the problem sets of the chapter named in the argument; print nothing if there are none."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        chapter = self.arguments[0].strip()
        if f"book/{chapter}" not in self.env.found_docs:
            logger.warning("problem-sets: there is no chapter %s", chapter, location=self.get_location())
        listing = nodes.bullet_list(classes=["problem-sets"])
        for problem_set in _readable(self):
            if chapter in problem_set.chapters:
                listing += self._item(problem_set)
        return [listing] if len(listing) else []

    def _item(self, problem_set: ReleasedSet) -> nodes.list_item:
        """One line: title, points, time, download."""
        points = f"{problem_set.points} point{'s' if problem_set.points != 1 else ''}"
        if problem_set.by_hand:
            points += f", {problem_set.by_hand} of them graded by hand"
        line = nodes.paragraph("", "", nodes.strong(text=problem_set.title))
        line += nodes.Text(f": {points}, about {problem_set.minutes} minutes. Download ")
        line += [
            _download(problem_set, self.env.docname),
            _open(problem_set, self.env, "open it in the browser", before=", or "),
            nodes.Text("."),
        ]
        return nodes.list_item("", line)


class ProblemSetTableDirective(SphinxDirective):
    """List every released problem set in a table; the directive's content, in YAML, describes each in a sentence.

    A sentence about a set that is not released is left out, so that the page promises nothing that does not exist.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        sentences = yaml.safe_load("\n".join(self.content)) or {}
        table = nodes.table(classes=["ledger", "problem-set-table"])
        group = nodes.tgroup(cols=len(COLUMNS))
        table += group
        group += [nodes.colspec(colwidth=width) for width in COLUMNS.values()]
        head = nodes.row()
        head += [nodes.entry("", nodes.paragraph(text=name)) for name in COLUMNS]
        group += nodes.thead("", head)
        body = nodes.tbody()
        group += body
        for problem_set in _readable(self):
            if problem_set.name not in sentences:
                message = f"problem-set-table: say in a sentence what {problem_set.name} asks"
                logger.warning(message, location=self.get_location())
            body += self._row(problem_set, sentences.get(problem_set.name, ""))
        return [table] if len(body) else []

    def _row(self, problem_set: ReleasedSet, sentence: str) -> nodes.row:
        """The row of one set: each cell repeats the name of its column for screens too narrow for a table."""
        about = [
            nodes.paragraph("", "", nodes.strong(text=problem_set.title)),
            nodes.paragraph(text=sentence),
            nodes.paragraph("", "", _open(problem_set, self.env, "Open in the browser")),
            nodes.paragraph("", "", _download(problem_set, self.env.docname)),
        ]
        row = nodes.row()
        row += nodes.entry("", *about)
        links: list[nodes.Node] = []
        for chapter in problem_set.chapters:
            link = addnodes.pending_xref(
                "", nodes.inline("", chapter), refdomain="std", reftype="doc", reftarget=f"/book/{chapter}",
                refdoc=self.env.docname, refexplicit=False, refwarn=True,
            )  # fmt: skip
            link.source = str(Path(self.env.srcdir, "solutions", problem_set.name, f"{problem_set.name}.md"))
            links += [nodes.Text(", "), link] if links else [link]
        points = f"{problem_set.points}"
        if problem_set.by_hand:
            points += f", {problem_set.by_hand} by hand"
        contents = [links, [nodes.Text(f"{problem_set.minutes} min")], [nodes.Text(points)]]
        for name, content in zip(list(COLUMNS)[1:], contents, strict=True):
            label = nodes.inline(text=f"{name}: ", classes=["ledger-label"])
            row += nodes.entry("", nodes.paragraph("", "", label, *content))
        return row


def _download(problem_set: ReleasedSet, page: str) -> addnodes.download_reference:
    """A link that downloads the notebook of a set."""
    file = f"/{FOLDER}/{problem_set.name}/{problem_set.name}.ipynb"
    return addnodes.download_reference(
        file, "", nodes.literal(text=f"{problem_set.name}.ipynb"), reftarget=file, refdoc=page,
        refdomain="", reftype="download", refexplicit=True, refwarn=True,
    )  # fmt: skip


def _open(problem_set: ReleasedSet, env: BuildEnvironment, words: str, before: str = "") -> nodes.raw:
    """A link that opens a set in the browser; only in HTML, since a downloaded chapter does not know the site."""
    address = html.escape(in_browser(env.app.builder, env.docname, f"{problem_set.name}.ipynb"))
    return nodes.raw("", f'{before}<a class="in-browser" href="{address}">{words}</a>', format="html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("problem-sets", ProblemSetsDirective)
    app.add_directive("problem-set-table", ProblemSetTableDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
