"""Previews of links: what they show, by pointer and by keys, and that they are absent on touch."""

import json
import re

import pytest

from book.extensions.site.previews import LINK, element_at, preview_of
from tests.support.book_pages import html_of, pages
from tests.support.visits import DESK, PHONE, Visit, violations

PAGE = "book/information/divergence"
TERM = "a.reference.internal[href='../reference/glossary.html#term-bit']"


@pytest.fixture
def visit(browser, address):
    """Opens pages; a page that requests another host or logs an error fails."""
    visits = []

    def visit(page: str, **settings):
        context = browser.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **settings})
        visits.append(Visit(context.new_page(), address, page))
        return visits[-1].page

    yield visit
    for one in visits:
        assert not [url for url in one.requested if not url.startswith((address, "data:"))]
        assert not one.complaints
        one.page.context.close()


def shown(page):
    return page.get_by_role("tooltip")


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (TERM, "logarithms have base 2"),  # a term, on another page
        ("article a.reference.internal[href='#equation-eq-cross-entropy-split']", "H"),
        ("article a.reference.internal[href$='surprisal.html#thm-tangent']", "with equality only at"),
        ("article a.reference.internal[href='#fig-log-line']", "touches"),
        ("article a.reference.internal[href*='bibliography.html#']", "On information and sufficiency"),
    ],
    ids=["term", "equation", "theorem", "figure", "reference"],
)
@pytest.mark.sampled(2)
def test_the_pointer_shows_what_a_link_leads_to(visit, link, words):
    page = visit(PAGE)
    assert not shown(page).is_visible()
    place = page.locator(link).first
    place.hover()
    shown(page).wait_for()
    assert words in shown(page).inner_text()
    assert place.get_attribute("aria-describedby") == shown(page).get_attribute("id")
    assert shown(page).locator("a, button, summary, [id], .headerlink").count() == 0
    for picture in shown(page).locator("img:visible").all():
        picture.evaluate("picture => picture.decode()")  # it is found
    box = shown(page).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= DESK["width"]


def test_the_pointer_may_rest_on_the_card_and_escape_closes_it(visit):
    page = visit(PAGE)
    page.locator(TERM).first.hover()
    shown(page).wait_for()
    shown(page).hover()
    page.wait_for_timeout(600)  # longer than it takes a card to close
    assert shown(page).is_visible()
    page.keyboard.press("Escape")
    assert not shown(page).is_visible()
    assert page.locator("[aria-describedby=preview]").count() == 0
    page.locator(TERM).first.hover()
    shown(page).wait_for()
    page.locator("article h1").hover()
    shown(page).wait_for(state="hidden")


def test_the_focus_shows_a_card_and_takes_it_away(visit):
    page = visit(PAGE)
    page.locator(TERM).first.evaluate(
        "link => { const others = [...document.querySelectorAll('a, button, summary, input')];"
        " others[others.indexOf(link) - 1].focus(); }"
    )
    page.keyboard.press("Tab")
    assert page.evaluate(f'document.activeElement.matches("{TERM}")')
    shown(page).wait_for()
    page.evaluate("document.activeElement.blur()")
    assert not shown(page).is_visible()


def test_touch_shows_no_card(visit):
    page = visit(PAGE, viewport=PHONE, has_touch=True, is_mobile=True)
    page.locator(TERM).first.focus()
    page.locator(TERM).first.hover()
    page.wait_for_timeout(600)
    assert not shown(page).is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.sampled(1)
def test_axe_finds_nothing_in_a_card(visit, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(PAGE, color_scheme=scheme)
    page.locator("article a.reference.internal[href$='surprisal.html#thm-tangent']").first.hover()
    shown(page).wait_for()
    assert not violations(Axe().run(page, context=".preview", options={"resultTypes": ["violations"]}))


def test_every_marked_link_has_its_preview_and_nothing_is_stored_twice(site):
    stored: dict[str, set[str]] = {}
    for file in (site / "_static" / "previews").rglob("*.js"):
        page, data = re.fullmatch(r'previews\("([^"]+)", (\{.*\})\);\n', file.read_text(encoding="utf-8")).groups()
        stored[page] = set(json.loads(data))
        assert file.relative_to(site / "_static" / "previews").with_suffix("").as_posix() == page
    wanted: dict[str, set[str]] = {}
    for page in pages():
        for link in html_of(site, page).select("a[data-preview]"):
            target, _, name = link["href"].partition("#")
            where = ((site / f"{page}.html").parent / target).resolve().relative_to(site.resolve())
            wanted.setdefault(where.with_suffix("").as_posix(), set()).add(name)
    assert wanted == stored
    assert len(stored["book/reference/glossary"]) > 50


def test_a_target_is_taken_whole_and_without_ids():
    page = (
        '<dl><dt id="term-a">a<a class="headerlink" href="#term-a">#</a></dt><dt id="term-b">b</dt>'
        '<dd><p>Both <dl><dd id="x">inner</dd></dl></p></dd></dl><h2 id="title">no preview</h2>'
        '<div class="math" id="equation-e"><div>1</div></div>'
    )
    meaning = "<dd><p>Both <dl><dd>inner</dd></dl></p></dd>"
    assert preview_of(page, "term-a") == preview_of(page, "term-b") == meaning
    assert preview_of(page, "equation-e") == '<div class="math"><div>1</div></div>'
    assert preview_of(page, "title") is None
    assert preview_of(page, "absent") is None
    with pytest.raises(ValueError, match="<div> has no end"):
        element_at("<div><div></div>", 0)
    assert LINK.search('<a class="reference internal" href="../b.html#c">').groups() == ("../b.html", "c")
