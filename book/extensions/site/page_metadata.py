"""Say what each page is about: a description, a preview picture, a sitemap, and a page for addresses that lead nowhere.

The address of the site is the setting ``html_baseurl`` in _config.yml; the variable SITE_URL takes its place where a site is
published.
"""

import hashlib
import html
import os
import posixpath
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

from docutils import nodes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.config import Config

LONGEST = 158  # search engines show about this many characters
SHORTEST = 50  # a shorter paragraph says too little to stand for a page
NOT_FOUND = "404"
PREVIEWS = "_static/previews"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B8578F", "#A6761D", "#7F7F7F")  # those of the figures
# Pages that Sphinx makes, with what they are about.
GENERATED = {
    "genindex": "The index of the course: every term of the glossary, with the page that explains it.",
    "search": "Search the chapters, the problem sets and the reference pages of the course by any word that they contain.",
    NOT_FOUND: "There is no page at this address. The search and the list of contents lead to those that exist.",
}
LOST = (
    "<h1>This page does not exist</h1>\n<p>There is nothing at this address. A link may be old, or mistyped.</p>\n"
    '<p>Begin at the <a href="book/index.html">first page</a>, choose a chapter from the contents, or '
    '<a href="search.html">search</a> for what you wanted to read.</p>'
)


def shortened(text: str) -> str:
    """Cut a text after its last whole sentence that fits, or else after a word."""
    text = re.sub(r"\s+", " ", text).strip()
    if len(text) <= LONGEST:
        return text
    sentences = [end.end() for end in re.finditer(r"[.!?](?=\s)", text[: LONGEST + 1])]
    if sentences and sentences[-1] >= SHORTEST:
        return text[: sentences[-1]]
    return textwrap.shorten(text, LONGEST, placeholder=" …")


def description_of(doctree: nodes.document) -> str:
    """Return the first paragraph of a page that is long enough, preferably one without a formula.

    Parameters
    ----------
    doctree : nodes.document
        The page.

    Returns
    -------
    str
        At most `LONGEST` characters.
    """
    found = [
        paragraph
        for paragraph in doctree.findall(nodes.paragraph)
        if isinstance(paragraph.parent, nodes.section) and len(paragraph.astext()) >= SHORTEST
    ]
    plain = [paragraph for paragraph in found[:4] if not any(True for _ in paragraph.findall(nodes.math))]
    return shortened((plain or found)[0].astext()) if found else ""


def draw_preview(file: Path, book: str, title: str, description: str) -> None:
    """Draw the picture that stands for a page where its address is shared: 1200 by 630 pixels."""
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="#14202e")
    figure.text(0.06, 0.88, book, color="#9fc9e6", fontsize=22, va="center", parse_math=False)
    lines = textwrap.fill(title, 26)
    figure.text(0.06, 0.60, lines, color="white", fontsize=46, weight="bold", va="center", parse_math=False)
    figure.text(
        0.06, 0.24, textwrap.fill(description, 72), color="#d5dde6", fontsize=19, va="center", parse_math=False,
        linespacing=1.4,
    )  # fmt: skip
    for place, colour in enumerate(COLOURS):
        figure.add_artist(_stripe(place / len(COLOURS), colour, figure))
    file.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(file)


def _stripe(left: float, colour: str, figure: Figure) -> object:
    """A piece of the band at the bottom of a preview."""
    from matplotlib.patches import Rectangle

    return Rectangle((left, 0), 1 / len(COLOURS), 0.03, color=colour, transform=figure.transFigure)


def preview_of(app: Sphinx, page: str, title: str, description: str) -> str:
    """Return the address, seen from the site's root, of a page's preview; draw it unless it is there."""
    book = app.config.html_title
    digest = hashlib.sha256("\0".join((book, title, description)).encode()).hexdigest()[:10]
    name = f"{PREVIEWS}/{page.replace('/', '-')}-{digest}.png"
    file = Path(app.outdir, name)
    if not file.is_file():
        for old in file.parent.glob(f"{page.replace('/', '-')}-{'?' * 10}.png"):
            old.unlink()
        draw_preview(file, book, title, description)
    return name


def describe(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Add a page's description and preview to its head."""
    if is_here(app.config.html_baseurl):
        context["pageurl"] = None  # a copy on this machine is not what a search engine should prefer
    description = description_of(doctree) if doctree is not None else GENERATED.get(page, "")
    if not description:
        return
    if page == NOT_FOUND:
        tags = [("name", "description", description), ("name", "robots", "noindex")]
        context["metatags"] = context.get("metatags", "") + _lines(tags)
        return
    title = html.unescape(re.sub(r"<[^>]*>", "", context.get("title") or "")).strip() or app.config.html_title
    base = app.config.html_baseurl
    tags = [
        ("name", "description", description),
        ("property", "og:title", title),
        ("property", "og:description", description),
        ("property", "og:type", "article" if doctree is not None else "website"),
        ("property", "og:site_name", app.config.html_title),
        ("property", "og:url", urljoin(base, app.builder.get_target_uri(page))),
        ("property", "og:image", urljoin(base, preview_of(app, page, title, description))),
        ("property", "og:image:width", "1200"),
        ("property", "og:image:height", "630"),
        ("property", "og:image:alt", f"{title}. {description}"),
        ("name", "twitter:card", "summary_large_image"),
    ]
    context["metatags"] = context.get("metatags", "") + _lines(tags)


def _lines(tags: list[tuple[str, str, str]]) -> str:
    """Write the tags of a head."""
    lines = [f'<meta {kind}="{name}" content="{html.escape(value)}" />' for kind, name, value in tags]
    return "\n".join(["", *lines, ""])


def is_here(address: str) -> bool:
    """Whether an address is one of this machine, or none."""
    return urlsplit(address).hostname in (None, "localhost", "127.0.0.1")


def sitemap(base: str, pages: list[str]) -> str:
    """Write the sitemap of pages whose addresses are seen from the site's root."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">']
    lines += [f"  <url><loc>{escape(urljoin(base, page))}</loc></url>" for page in pages]
    return "\n".join([*lines, "</urlset>", ""])


def redirect(title: str, address: str) -> str:
    """Write the page that sends on to another."""
    title, address = html.escape(title), html.escape(address)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8" />\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f'<meta name="description" content="The course {title} begins on another page, which opens by itself." />\n'
        f'<meta http-equiv="refresh" content="0; url={address}" />\n</head>\n<body>\n'
        f'<main>\n<h1>{title}</h1>\n<p><a href="{address}">Begin to read</a></p>\n</main>\n</body>\n</html>\n'
    )


def from_root(page: str, base: str) -> str:
    """Return a page of the site's root with addresses that hold wherever it is shown."""
    folder = urlsplit(base).path or "/"

    def absolute(match: re.Match[str]) -> str:
        address = match[2]
        if address.startswith(("#", "/", "data:")) or urlsplit(address).scheme:
            return match[0]
        return f'{match[1]}="{posixpath.normpath(posixpath.join(folder, address))}"'

    page = re.sub(r'\b(href|src|action)="([^"]*)"', absolute, page)
    return re.sub(r'data-content_root="[^"]*"', f'data-content_root="{folder}"', page)


def lost_page(app: Sphinx) -> Iterator[tuple[str, dict, str]]:
    """Yield the page that a server shows for an address that leads nowhere."""
    yield NOT_FOUND, {"title": "This page does not exist", "body": LOST}, "page.html"


def write_site_files(app: Sphinx, error: Exception | None) -> None:
    """Write what the site has beside its pages."""
    if error or app.builder.format != "html":
        return
    base, site = app.config.html_baseurl, Path(app.outdir)
    pages = [app.builder.get_target_uri(page) for page in sorted(app.env.found_docs)]
    (site / "sitemap.xml").write_text(sitemap(base, pages), encoding="utf-8")
    (site / "robots.txt").write_text(f"User-agent: *\nAllow: /\nSitemap: {urljoin(base, 'sitemap.xml')}\n")
    first = app.builder.get_target_uri(app.config.root_doc)
    if first != "index.html":
        (site / "index.html").write_text(redirect(app.config.html_title, first), encoding="utf-8")
    # GitHub, publishing a branch, would otherwise leave out the folders that begin with an underscore.
    (site / ".nojekyll").touch()
    lost = site / f"{NOT_FOUND}.html"
    lost.write_text(from_root(lost.read_text(encoding="utf-8"), base), encoding="utf-8")


def take_address(app: Sphinx, config: Config) -> None:
    """Take the site's address from the environment, if it stands there."""
    config.html_baseurl = os.environ.get("SITE_URL", "").strip() or config.html_baseurl
    if not config.html_baseurl.endswith("/"):
        config.html_baseurl += "/"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("config-inited", take_address)
    app.connect("html-page-context", describe)
    app.connect("html-collect-pages", lost_page)
    app.connect("build-finished", write_site_files, priority=950)  # the page for lost addresses is light by then
    return {"parallel_read_safe": True, "parallel_write_safe": True}
