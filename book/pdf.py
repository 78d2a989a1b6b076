"""Print the whole book as one PDF, from the finished website: ``make pdf``, or ``python book/pdf.py SITE``.

The pages become one document, with a title page, contents, and page numbers in the contents and the index; Chromium prints
it. It prints twice: the first time tells on which page everything is. Nothing is fetched, and the file depends on
nothing but the site and the browser.
"""

import argparse
import ctypes
import html
import posixpath
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from playwright.sync_api import Browser, sync_playwright
from pypdfium2 import PdfDocument, raw

ROOT = Path(__file__).resolve().parent.parent
NAME = "from-bits-to-backprop.pdf"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # as environment.sh looks for them
PATIENCE = 600_000  # milliseconds that a busy machine may take to lay out some hundred pages

TITLE = "From Bits to Backprop"
SUBTITLE = "Information theory, cross-entropy and gradients from first principles"
AUTHORS = "From Bits to Backprop contributors"
LICENCE = "Text and figures: Creative Commons Attribution 4.0. Code: BSD 3-Clause."

# What the file says about itself, instead of the first object that Chromium writes.
ABOUT = {"Title": TITLE, "Author": AUTHORS, "Subject": SUBTITLE}
INFORMATION = re.compile(rb"1 0 obj\n<<(/Title .*?)>>\nendobj", re.DOTALL)

# What a page has and a book does not.
ONLY_ON_SCREEN = (
    re.compile(r'<p class="notebook-download">.*?</p>', re.DOTALL),
    re.compile(r'<p class="next-why">.*?</p>', re.DOTALL),
    re.compile(r'<a class="headerlink"[^>]*>.*?</a>', re.DOTALL),
    re.compile(r'<span class="katex-mathml">.*?</math></span>', re.DOTALL),
    re.compile(r'<details class="admonition hide above-input">.*?</details>', re.DOTALL),
    re.compile(r'\bloading="lazy"'),
    re.compile(r'<div class="genindex-jumpbox">.*?</div>', re.DOTALL),
)
ARTICLE = re.compile(r'<article class="bd-article">(.*?)</article>', re.DOTALL)
SHEET = re.compile(r'<link rel="stylesheet" href="[^"]*(_static/site-\w+\.css)"')
HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
# Links after which the number of the page is printed: those of the contents, of the index, of the glossary, and into the
# ledger.
TO_LEDGER = re.compile(r'<a (href="#[^"]*--checks-of-[^"]*">ledger</a>)')
NUMBERED = re.compile(
    r'(?P<link><a class="[^"]*\bnumbered\b[^"]*" href="#(?P<name>[^"]+)">)(?P<text>.*?)</a>', re.DOTALL
)

STYLE = """
@page { @bottom-center { content: counter(page); font: 9pt sans-serif; color: #444; } }
@page :first { @bottom-center { content: none; } @top-center { content: none; } }
html { background: #fff; }
body { margin: 0; }
.sheet { break-before: page; }
.interactive, .interactive * { display: none !important; }
figure.alive img, figure img { display: inline; }
.title-page { padding-top: 7cm; text-align: center; }
.title-page h1 { font-size: 34pt; margin: 0 0 0.6cm; }
.title-page p { font-size: 12pt; }
.part-page { padding-top: 8cm; text-align: center; }
.part-page h1 { font-size: 28pt; }
.printed-contents ol { margin: 0; padding: 0; list-style: none; }
.printed-contents ol ol { padding-left: 1.2em; font-size: 0.92em; }
.printed-contents li { line-height: 1.35; }
.printed-contents li:has(> ol) { break-inside: auto; }
.printed-contents :is(.of-part, li > a:has(+ ol)) { break-after: avoid; }
.printed-contents .of-part { margin-top: 0.5em; font-weight: 700; }
.printed-contents a { display: flex; gap: 0.4em; text-decoration: none; }
.printed-contents a::before { content: ""; order: 1; flex: 1; border-bottom: 1px dotted #999; margin-bottom: 0.35em; }
.printed-contents .page { order: 2; }
a { text-decoration: none; }
table.indextable td { vertical-align: top; }
h2:has(+ table.indextable) { margin: 0.7em 0 0.2em; font-size: 12pt; }
"""


@dataclass(frozen=True)
class Page:
    """A page of the site as a part of the book.

    Attributes
    ----------
    name : str
        Its name, as in ``_toc.yml``.
    part : str
        The part that begins with it, or nothing.
    body : str
        The HTML of its article.
    """

    name: str
    part: str
    body: str

    @property
    def anchor(self) -> str:
        """The id of the page in the document."""
        return anchor_of(self.name)

    @property
    def title(self) -> str:
        """Its heading, as HTML."""
        return HEADING.search(self.body)[1]

    def sections(self) -> Iterator[tuple[str, str]]:
        """Yield the id and the heading of each section, as HTML."""
        for found in re.finditer(
            r'<section id="([^"]+)">\s*(?:<span id="[^"]*"></span>\s*)*<h2>(.*?)</h2>', self.body, re.DOTALL
        ):
            yield found[1], found[2]


def anchor_of(page: str) -> str:
    """Return the id of a page in the document; the ids on the page begin with it."""
    return page.removeprefix("book/").replace("/", "-")


def rewritten(body: str, page: str, pages: set[str]) -> str:
    """Return the body of a page as a part of the document: with ids of its own, and links into the document.

    Parameters
    ----------
    body : str
        The HTML of the page's article.
    page : str
        The page's name.
    pages : set of str
        The names of all pages in the document; links to what is not among them are taken away.

    Returns
    -------
    str
        HTML.
    """
    for pattern in ONLY_ON_SCREEN:
        body = pattern.sub("", body)
    here, folder = anchor_of(page), posixpath.dirname(page)
    body = re.sub(r'\bid="([^"]+)"', lambda m: f'id="{here}--{m[1]}"', body)

    def address(match: re.Match[str]) -> str:
        target = html.unescape(match[1])
        if re.match(r"[a-z]+:", target):
            return match[0]
        path, _, fragment = target.partition("#")
        name = posixpath.normpath(posixpath.join(folder, path)).removesuffix(".html") if path else page
        if name not in pages:
            return ""
        return f'href="#{anchor_of(name)}{f"--{fragment}" if fragment else ""}"'

    def source(match: re.Match[str]) -> str:
        return f'src="{posixpath.normpath(posixpath.join(folder, match[1]))}"'

    body = re.sub(r'\bhref="([^"]*)"', address, body)
    return re.sub(r'\bsrc="(?![a-z]+:)([^"]*)"', source, body)


def read_pages(site: Path) -> list[Page]:
    """Read the pages of the site in the order of the book; the first page of the site is replaced by a title page."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    order = [
        (chapter["file"], part["caption"] if number == 0 else "")
        for part in contents["parts"]
        for number, chapter in enumerate(part["chapters"])
    ]
    order.append(("genindex", ""))
    names = {name for name, _ in order}
    pages = []
    for name, part in order:
        body = ARTICLE.search((site / f"{name}.html").read_text(encoding="utf-8"))[1]
        pages.append(Page(name, part, rewritten(body, name, names)))
    return pages


def numbered_links(page: Page) -> str:
    """Return the body of a page in which the links that readers of paper follow by a number are marked."""
    if page.name == "genindex":
        return re.sub(r"<a href=", '<a class="numbered" href=', page.body)
    body = re.sub(r'(<span class="explained">Explained in )<a class="([^"]*)"', r'\1<a class="\2 numbered"', page.body)
    return TO_LEDGER.sub(r'<a class="numbered" \1', body)


def contents_of(pages: list[Page]) -> str:
    """Write the contents."""
    lines = []
    for page in pages:
        if page.part:
            lines.append(f'<li class="of-part">{html.escape(page.part)}</li>')
        sections = "".join(
            f'<li><a class="numbered" href="#{name}"><span>{title}</span></a></li>' for name, title in page.sections()
        )
        lines.append(
            f'<li><a class="numbered" href="#{page.anchor}"><span>{page.title}</span></a>'
            + (f"<ol>{sections}</ol></li>" if sections and page.name != "genindex" else "</li>")
        )
    return f'<nav class="printed-contents sheet"><h1>Contents</h1><ol>{"".join(lines)}</ol></nav>'


def document(pages: list[Page], sheet: str, numbers: Mapping[str, int]) -> str:
    """Write the whole book as one HTML document.

    Parameters
    ----------
    pages : list of Page
        The pages, in their order.
    sheet : str
        The style sheet of the site.
    numbers : mapping
        The number of the page on which each id is; empty before the first printing.

    Returns
    -------
    str
        HTML.
    """
    style = STYLE
    body = [
        f'<header class="title-page"><h1>{TITLE}</h1><p>{SUBTITLE}</p><p>{AUTHORS}</p><p>{LICENCE}</p></header>',
        contents_of(pages),
    ]
    for page in pages:
        if page.part:
            body.append(f'<div class="sheet part-page"><h1>{html.escape(page.part)}</h1></div>')
        heading = html.unescape(re.sub(r"<[^>]*>", "", page.title)).strip().replace('"', "\\22 ")
        style += (
            f'@page {page.anchor} {{ @top-center {{ content: "{heading}"; font: 9pt sans-serif; color: #444; }} }}\n'
        )
        body.append(
            f'<div class="sheet" id="{page.anchor}" style="page: {page.anchor}"><article class="bd-article">'
            f"{numbered_links(page)}</article></div>"
        )

    def with_number(link: re.Match[str]) -> str:
        number = numbers.get(link["name"], "")
        return f'{link["link"]}{link["text"]}<span class="page"> {number or "000"}</span></a>'

    text = NUMBERED.sub(with_number, "\n".join(body))
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8" />'
        f'<title>{TITLE}</title><link rel="stylesheet" href="{sheet}" /><style>{style}</style></head>\n'
        f'<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container">{text}</div></div></main></body></html>\n'
    )


def printed(browser: Browser, file: Path, result: Path) -> None:
    """Let the browser print a document when all its fonts and pictures are there."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(file.as_uri())
    page.evaluate("document.fonts.ready.then(() => Promise.all([...document.images].map(one => one.decode())))")
    page.pdf(path=result, prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
    page.close()


def page_numbers(file: Path) -> dict[str, int]:
    """Return the number of the page of each id to which a link of a PDF leads."""
    numbers = {}
    with PdfDocument(file) as pdf:
        for place in range(raw.FPDF_CountNamedDests(pdf)):
            size = ctypes.c_long()
            raw.FPDF_GetNamedDest(pdf, place, None, size)  # asked without a buffer, PDFium tells how long the name is
            name = ctypes.create_string_buffer(size.value)
            target = raw.FPDF_GetNamedDest(pdf, place, name, size)
            numbers[name.raw.decode("utf-16-le").rstrip("\0")] = raw.FPDFDest_GetDestPageIndex(pdf, target) + 1
    return numbers


def without_dates(pdf: bytes) -> bytes:
    """Return a PDF that says what it is instead of when and by which browser it was made: the same in every run.

    Parameters
    ----------
    pdf : bytes
        What Chromium has printed.

    Returns
    -------
    bytes
        The same, of the same length: every other object stays where the file's table says that it is.
    """
    said = INFORMATION.search(pdf)
    entries = "".join(f"/{name} ({text})\n" for name, text in ABOUT.items()).encode("ascii")
    return pdf[: said.start(1)] + entries.ljust(len(said[1])) + pdf[said.end(1) :]


def print_book(site: Path, result: Path, browser: Browser, pages: list[Page]) -> int:
    """Print the book.

    Parameters
    ----------
    site : Path
        The finished website.
    result : Path
        The PDF to write.
    browser : Browser
        A running Chromium.
    pages : list of Page
        What is printed.

    Returns
    -------
    int
        The number of sheets.
    """
    sheet = SHEET.search((site / f"{pages[0].name}.html").read_text(encoding="utf-8"))[1]
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "book.pdf")
        whole = site / "printed-book.html"  # beside what it loads

        def print_with(numbers: Mapping[str, int]) -> None:
            whole.write_text(document(pages, sheet, numbers), encoding="utf-8")
            printed(browser, whole, draft)

        try:
            print_with({})
            print_with(page_numbers(draft))
        finally:
            whole.unlink(missing_ok=True)
        result.write_bytes(without_dates(draft.read_bytes()))
        with PdfDocument(draft) as pdf:
            return len(pdf)


def link_on_landing_page(site: Path, file: Path) -> None:
    """Offer the PDF on the first page of the book."""
    landing = site / "book" / "index.html"
    text = landing.read_text(encoding="utf-8")
    link = f'<a class="whole-book" href="../{file.name}">The book as PDF</a>'
    if link not in text:
        text = re.sub(
            r'(<div class="landing-actions[^>]*>\s*<p>.*?)(</p>)', rf"\1 {link}\2", text, count=1, flags=re.DOTALL
        )
        landing.write_text(text, encoding="utf-8")


def main() -> int:
    """Print the book into the site, and say how long it is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "site", type=Path, nargs="?", default=ROOT / "_build" / "html", help="the website (_build/html)"
    )
    site = parser.parse_args().site.resolve()
    if not (site / "book" / "index.html").is_file():
        print(f"There is no website in {site}: run `make website` first.", file=sys.stderr)
        return 1
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        count = print_book(site, site / NAME, browser, read_pages(site))
        browser.close()
    link_on_landing_page(site, site / NAME)
    print(f"{site / NAME}: {count} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
