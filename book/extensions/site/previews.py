"""Show what a link leads to, beside the link: terms, equations, theorems, figures, references.

For targets on the same page, ``book/static/previews.js`` copies the page's own elements. For targets on other pages,
this extension collects their HTML from the finished pages, one file of data for each page that is linked to. A browser
loads such a file when a reader first points at a link to it, so that no page becomes heavier by more than the script.

Why not sphinx-tippy (0.4.2)? Each page would load, before anyone points at anything, a script with the HTML of all that
it links to, its formulas included, and Tippy and Popper besides, from another host unless told otherwise. It parses
every page once more, and names its files at random, so that no two builds are equal.
"""

import json
import posixpath
import re
from pathlib import Path
from urllib.parse import urljoin

from sphinx.application import Sphinx

from book.extensions.site.page_weight import pages_of

SCRIPT, DATA = "previews.js", "previews"
# A link to the bibliography has the text of the entry in its title.
LINK = re.compile(r'<a class="reference internal" href="([^"#]+\.html)#([^"]+)"(?! title=)')
START = re.compile(r"<([a-z][a-z0-9]*)\b[^>]*\bid=\"{}\"[^>]*>")
SHOWN = re.compile(r'<(?:div class="(?:math|proof)\b|figure\b|dt\b)')


def element_at(page: str, start: int) -> str:
    """Return the element that begins at a place of a page, to its end tag."""
    tag = re.compile(r"<([a-z][a-z0-9]*)").match(page, start)[1]
    depth = 0
    for mark in re.compile(rf"<(/?){tag}\b[^>]*>").finditer(page, start):
        depth += -1 if mark[1] else 1
        if depth == 0:
            return page[start : mark.end()]
    raise ValueError(f"<{tag}> has no end")


def preview_of(page: str, name: str) -> str | None:
    """Return what to show of a target: a term's meaning, or the whole of another element, or None for what is neither.

    Parameters
    ----------
    page : str
        The HTML of the page with the target.
    name : str
        Its id.
    """
    found = re.search(START.pattern.format(re.escape(name)), page)
    if found is None or not SHOWN.match(found[0]):
        return None
    start = found.start()
    if found[1] == "dt":  # several terms may share a meaning
        start = page.index("<dd", start)
    return re.sub(r' id="[^"]*"|<a class="headerlink".*?</a>', "", element_at(page, start))


def collect(app: Sphinx, error: Exception | None) -> None:
    """Write the data of the pages that are linked to, and mark the links that have a preview there."""
    if error or app.builder.format != "html":
        return
    site = Path(app.outdir)
    texts = {page.relative_to(site).as_posix(): page.read_text(encoding="utf-8") for page in pages_of(site)}
    shown: dict[str, dict[str, str | None]] = {}
    for name, text in texts.items():

        def marked(link: re.Match[str], name: str = name) -> str:
            target = posixpath.normpath(urljoin(name, link[1]))
            if target not in texts or target == name:
                return link[0]
            previews = shown.setdefault(target, {})
            if link[2] not in previews:
                previews[link[2]] = preview_of(texts[target], link[2])
            return f"{link[0]} data-preview" if previews[link[2]] else link[0]

        if (after := LINK.sub(marked, text)) != text:
            (site / name).write_text(after, encoding="utf-8")
    for target, previews in shown.items():
        kept = {name: html for name, html in sorted(previews.items()) if html}
        if kept:
            file = site / "_static" / DATA / target.replace(".html", ".js")
            file.parent.mkdir(parents=True, exist_ok=True)
            page = json.dumps(target.removesuffix(".html"))
            file.write_text(f"previews({page}, {json.dumps(kept, ensure_ascii=False)});\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx: after the pages have got their final form, before their styles are chosen."""
    app.add_js_file(SCRIPT, loading_method="defer")
    app.connect("build-finished", collect, priority=890)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
