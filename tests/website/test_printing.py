"""Pages on paper: every figure, every solution, no code that is cut off; and the whole book as one PDF."""

import re
import sys
import unicodedata

import pypdfium2
import pytest

from tests.support import ROOT, TEST_ALL
from tests.support.book_pages import chapters, html_of
from tests.support.visits import DESK, PATIENCE

# A browser takes the page as it is when it prints: instead of printing, count the pictures that are not there.
WATCH = """() => {
    const missing = (picture) => picture.checkVisibility() && !(picture.complete && picture.naturalWidth);
    window.print = () => { window.printedWithout = [...document.images].filter(missing).length; };
}"""


def words_of(text: str) -> str:
    """Letters and digits alone: a PDF has other spaces and hyphens, and one sign for two letters."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text))


def is_printed(words: str, text: str) -> bool:
    """Whether words are there in one piece, or in two: at the end of a page, pieces of its formulas come between."""
    return words in text or any(words[:end] in text and words[end:] in text for end in range(1, len(words)))


def texts_in(pdf: pypdfium2.PdfDocument) -> list[str]:
    """The text of each page of a PDF."""
    return [page.get_textpage().get_text_bounded() for page in pdf]


def pictures_in(pdf: pypdfium2.PdfDocument) -> int:
    """How many pictures the pages of a PDF show."""
    return sum(1 for page in pdf for _ in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))


@pytest.fixture(scope="module")
def window(address, browser):
    """A window of the browser."""
    context = browser.new_context(viewport=DESK)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.mark.parametrize("name", chapters())
@pytest.mark.sampled(2)
def test_a_chapter_is_printed_with_all_figures_and_solutions(site, address, window, name):
    page = window.new_page()
    page.goto(f"{address}{name}.html")
    page.wait_for_load_state("networkidle")
    page.evaluate(WATCH)
    page.locator(".btn-download-pdf-button").evaluate("button => button.click()")
    page.wait_for_function("window.printedWithout !== undefined")
    assert page.evaluate("window.printedWithout") == 0, "the page was printed before its pictures had arrived"
    pdf = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True, print_background=True))
    page.close()
    html = html_of(site, name)
    text = words_of("".join(texts_in(pdf)))
    figures = html.select("article figure img")
    assert figures
    assert pictures_in(pdf) == len(figures)
    solutions = html.select("article div.solution")
    assert len(solutions) >= 3
    for solution in solutions:
        # Proofs stay folded on paper, in solutions too.
        parts = [p for p in solution.select("p, pre") if not p.select(".katex") and not p.find_parent(class_="checked")]
        last = parts[-1]
        for line in last.get_text().splitlines():
            assert is_printed(words_of(line), text), f"not on paper: {line}"
    assert "Showcodecellsource" not in text
    for code in html.select("article div.cell:not(.tag_hide-input) > div.cell_input pre"):
        for line in code.get_text().splitlines():
            assert words_of(line) in text, f"cut off on paper: {line}"


def test_folds_are_open_on_paper_and_closed_again_after(address, window):
    page = window.new_page()
    page.goto(f"{address}book/information/entropy.html")
    page.evaluate(
        "document.querySelector('article').insertAdjacentHTML('beforeend', '<details id=\"fold\"><summary>s</summary><p>p</p></details>')"
    )
    is_open = "document.querySelector('#fold').open"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(is_open)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.evaluate(is_open)
    page.close()


def test_the_keys_for_printing_wait_for_the_pictures(address, window):
    page = window.new_page()
    page.goto(f"{address}book/likelihood/softmax.html")
    page.evaluate(WATCH)
    page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'p', ctrlKey: true, bubbles: true}))")
    page.wait_for_function("window.printedWithout === 0")
    page.close()


@pytest.fixture(scope="module")
def printed_pages(site):
    """What is printed as one PDF: two chapters and the index, or with TEST_ALL the whole book."""
    from book.pdf import read_pages

    pages = read_pages(site)
    return pages if TEST_ALL else [*pages[:2], pages[-1]]


@pytest.fixture(scope="module")
def file(site, browser, printed_pages, tmp_path_factory):
    """The PDF of these pages."""
    from book.pdf import print_book

    file = tmp_path_factory.mktemp("pdf") / "book.pdf"
    print_book(site, file, browser, printed_pages)
    return file


@pytest.fixture(scope="module")
def book(file):
    """The same, to be read."""
    return pypdfium2.PdfDocument(file)


def test_the_book_has_every_page_and_its_contents_lead_there(file, book, printed_pages):
    from book.pdf import page_numbers

    numbers = page_numbers(file)
    texts = [words_of(text) for text in texts_in(book)]
    for page in printed_pages:
        title = words_of(re.sub(r"<[^>]*>", "", page.title))
        assert title in texts[numbers[page.anchor] - 1], f"{page.name} is not on page {numbers[page.anchor]}"
    contents = "".join(texts[1:12])
    for page in printed_pages:
        title = words_of(re.sub(r"<[^>]*>", "", page.title))
        assert f"{title}{numbers[page.anchor]}" in contents, f"the contents have no number for {page.name}"


def test_the_book_has_all_figures(site, book, printed_pages):
    figures = sum(len(html_of(site, page.name).select("article figure img")) for page in printed_pages)
    assert pictures_in(book) == figures > 0


def test_the_book_has_no_date(book):
    assert {key for key, value in book.get_metadata_dict().items() if value} == {"Title", "Author", "Subject"}


def test_the_pdf_is_offered_on_the_first_page(tmp_path):
    from book.pdf import link_on_landing_page

    landing = tmp_path / "book" / "index.html"
    landing.parent.mkdir()
    landing.write_text('<div class="landing-actions docutils container">\n<p><a href="x.html">Start</a></p>\n</div>')
    for _ in range(2):
        link_on_landing_page(tmp_path, tmp_path / "book.pdf")
    assert landing.read_text().count('<a class="whole-book" href="../book.pdf">') == 1


def test_a_folder_without_a_site_is_refused(tmp_path, monkeypatch, capsys):
    from book import pdf

    monkeypatch.setattr(sys, "argv", ["pdf.py", str(tmp_path)])
    assert pdf.main() == 1
    assert "make website" in capsys.readouterr().err


def test_make_offers_the_pdf():
    assert "\npdf: $(STAMPS)/website browser ## " in (ROOT / "Makefile").read_text(encoding="utf-8")
