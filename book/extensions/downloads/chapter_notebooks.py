"""Offer every numbered chapter as a single-file notebook that needs neither the book nor a style file."""

import html
import json
import posixpath
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import jupytext
import matplotlib
import pybtex_docutils
from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util import logging

from book.extensions.downloads.plain_markdown import Code, Page, PlainMarkdown, Text
from book.extensions.problem_sets.listings import in_browser

logger = logging.getLogger(__name__)

BUTTON = "Download as notebook (.ipynb)"
OPEN = "Open in the browser"
STYLE = "book/matplotlibrc"
SPLIT_BELOW = 4  # a heading of this level or higher up begins a new Markdown cell


def chapters(app: Sphinx) -> list[str]:
    """List the pages of the numbered parts: those that have a chapter number."""
    return [page for page, numbers in app.env.toc_secnumbers.items() if numbers.get("")]


def notebook_name(page: str) -> str:
    """Return the name of a chapter's notebook without its folder, since readers keep all downloads in one folder."""
    return f"{posixpath.basename(page)}.ipynb"


def style_cell(file: Path) -> str:
    """Write the book's figure style as code.

    Parameters
    ----------
    file : Path
        A ``matplotlibrc``.

    Returns
    -------
    str
        A cell that sets the same parameters.
    """
    settings = matplotlib.rc_params_from_file(file, use_default_template=False)
    lines = [
        "# The look of the figures. Nothing else depends on this cell.",
        "import matplotlib",
        "",
        "matplotlib.rcParams.update({",
    ]
    for key in sorted(settings):
        value = settings[key]
        if key == "axes.prop_cycle":
            lines.append(f'    "{key}": matplotlib.cycler("color", {json.dumps(value.by_key()["color"])}),')
        elif not key.startswith("svg."):
            lines.append(f'    "{key}": {value!r},')
    return "\n".join([*lines, "})"])


def notebook_of(app: Sphinx, page: str, doctree: nodes.document) -> dict:
    """Make the notebook of a chapter.

    Parameters
    ----------
    app : Sphinx
        The application, after reading all pages.
    page : str
        The chapter.
    doctree : nodes.document
        The chapter with its references resolved.

    Returns
    -------
    dict
        A notebook in format 4.5; the same book always gives the same notebook.
    """
    about = Page(
        app.env.toc_secnumbers.get(page, {}),
        app.env.toc_fignumbers.get(page, {}),
        lambda reference: _address(app, page, reference),
    )
    writer = PlainMarkdown(about, Path(app.srcdir))
    blocks: list[Code | Text] = list(writer.blocks(doctree))
    note = (
        f"*A chapter of {app.config.html_title}. It runs from top to bottom with NumPy, SymPy and Matplotlib. "
        "The text may be shared and adapted under CC BY 4.0, the code under BSD-3-Clause.*"
    )
    title = next(place for place, block in enumerate(blocks) if isinstance(block, Text) and block.heading == 1)
    cells = [cell for cell in jupytext.read(app.env.doc2path(page)).cells if cell.cell_type == "code"]
    blocks = list(with_cells_left_out(blocks, cells))
    blocks[title + 1 : title + 1] = [Text(note), Code(style_cell(Path(app.srcdir, STYLE)), folded=True)]
    if terms := list(_terms(app, page, writer, list(about.terms))):
        blocks += [Text("## Terms", heading=2), *terms]
    if references := list(_references(app, page, writer, about.cited)):
        blocks += [Text("## References", heading=2), *references]
    _require_all_code(page, blocks, cells)
    return {
        "cells": list(_cells(posixpath.basename(page), blocks)),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _address(app: Sphinx, page: str, reference: nodes.reference) -> str | None:
    """The address for a link: on another host, or the notebook of another chapter beside this one."""
    address = reference.get("refuri", "")
    if urlsplit(address).scheme in ("http", "https", "mailto"):
        return address
    target = _target(app, page, address)[0] if address else page
    return notebook_name(target) if target != page and target in chapters(app) else None


def _target(app: Sphinx, page: str, address: str) -> tuple[str, str]:
    """The page and the anchor that an address on a page leads to."""
    parts = urlsplit(urljoin(app.builder.get_target_uri(page), address))
    uri = parts.path
    return next((name for name in app.env.found_docs if app.builder.get_target_uri(name) == uri), ""), parts.fragment


def _references(app: Sphinx, page: str, writer: PlainMarkdown, cited: list[str]) -> Iterator[Text]:
    """The bibliography entries that the chapter cites, in the order of the bibliography."""
    domain = app.env.get_domain("cite")
    wanted = {_target(app, page, address) for address in cited}
    backend = pybtex_docutils.Backend()
    for citation in domain.citations:
        if (citation.bibliography_key.docname, citation.citation_id) in wanted:
            line = nodes.paragraph("", "", *citation.formatted_entry.text.render(backend))
            yield Text(f"- {writer.inline(line)}")


def _terms(app: Sphinx, page: str, writer: PlainMarkdown, terms: list[str]) -> Iterator[Text]:
    """The glossary entries of the terms that the chapter links, in the order of the glossary."""
    targets = {_target(app, page, address) for address in terms}
    for glossary in sorted({name for name, _ in targets if name}):
        wanted = {anchor for name, anchor in targets if name == glossary}
        for item in app.env.get_doctree(glossary).findall(nodes.definition_list_item):
            names = [child for child in item.children if isinstance(child, nodes.term) and wanted & set(child["ids"])]
            if names:
                meaning = [writer.inline(line) for line in item.findall(nodes.paragraph)]
                yield Text(f"- **{', '.join(name.astext() for name in names)}**: {' '.join(meaning)}")


def _cells(name: str, blocks: list[Code | Text]) -> Iterator[dict]:
    """Join the blocks into cells: a heading begins a new one, and so does text after code."""
    cells: list[dict] = []
    joins = False
    for block in blocks:
        metadata: dict = {}
        if isinstance(block, Code):
            if block.folded:
                metadata["jupyter"] = {"source_hidden": True}
            if block.tags:
                metadata["tags"] = list(block.tags)
            cells.append({"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": []})
            cells[-1]["source"] = block.source
            joins = False
            continue
        if not joins or 0 < block.heading < SPLIT_BELOW or block.closed:
            if block.closed:
                metadata["jp-MarkdownHeadingCollapsed"] = True
            cells.append({"cell_type": "markdown", "metadata": metadata, "source": block.source})
        else:
            is_list = block.source.startswith("- ") and cells[-1]["source"].splitlines()[-1].startswith("- ")
            cells[-1]["source"] += ("\n" if is_list else "\n\n") + block.source
        for file, kind, content in block.attachments:
            cells[-1].setdefault("attachments", {})[file] = {kind: content}
        # What follows a folded heading folds with it; what follows a figure's caption is about something else.
        joins = not (block.closed or block.source.endswith("</details>"))
    for place, cell in enumerate(cells):
        yield {"id": f"{name}-{place:03}", **cell, "source": cell["source"].splitlines(keepends=True)}


def with_cells_left_out(blocks: list[Code | Text], cells: list[NotebookNode]) -> Iterator[Code | Text]:
    """Yield the blocks of a page, with the cells that the page leaves out inserted before the code that follows them.

    Packed data, for example, are tagged `remove-cell`: they would make the page and its search slow, but the notebook
    does not run without them.

    Parameters
    ----------
    blocks : list of Code or Text
        What the page shows.
    cells : list of NotebookNode
        All code cells of its source.
    """
    waiting = iter(cells)
    for block in blocks:
        if isinstance(block, Code):
            for cell in waiting:
                if "remove-cell" not in cell.metadata.get("tags", []):
                    break
                yield Code(cell.source, folded=True)
        yield block
    for cell in waiting:
        if "remove-cell" in cell.metadata.get("tags", []):
            yield Code(cell.source, folded=True)


def _require_all_code(page: str, blocks: list[Code | Text], cells: list[NotebookNode]) -> None:
    """Warn if the notebook lacks a code cell of the page, or has it in another place: it would not run."""
    expected = [cell.source.strip() for cell in cells]
    found = [block.source.strip() for block in blocks if isinstance(block, Code)][1:]
    if found != expected:
        missing = next((cell for cell in expected if cell not in found), "the order differs")
        logger.warning("the notebook to download lacks a code cell of the page: %s", missing, location=page)


def serialised(notebook: dict) -> bytes:
    """Return the bytes of the file."""
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def offer(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Write the notebook beside the page, and link it below the title and in the theme's download menu."""
    if doctree is None or page not in chapters(app):
        return
    file = Path(app.outdir, page).with_name(notebook_name(page))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(serialised(notebook_of(app, page, doctree)))
    address = html.escape(in_browser(app.builder, page, f"chapters/{file.name}"))
    links = (
        f'<p class="notebook-download"><a href="{html.escape(file.name)}" download>{BUTTON}</a>'
        f' · <a class="in-browser" href="{address}">{OPEN}</a></p>'
    )
    context["body"] = context["body"].replace("</h1>", f"</h1>\n{links}", 1)
    for group in context.get("header_buttons", ()):
        for button in group.get("buttons", ()) if group.get("label") == "download-buttons" else ():
            if button["label"] == "download-source-button":  # a MyST source, which only the book's tools can read
                button |= {"url": file.name, "text": ".ipynb", "tooltip": BUTTON, "label": "download-notebook-button"}


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("html-page-context", offer, priority=900)  # the theme makes its buttons before
    return {"parallel_read_safe": True, "parallel_write_safe": True}
