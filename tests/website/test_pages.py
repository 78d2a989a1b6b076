"""The website as readers see it: in a browser, page by page, on a phone, with assistive technology."""

import contextlib
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from book.extensions.problem_sets.released_sets import released
from tests.support import ROOT, TEST_ALL
from tests.support.book_pages import chapters, html_of, pages, text_of
from tests.support.browser import launched
from tests.support.loaded_files import addresses_in, loaded
from tests.support.visits import DESK, PATIENCE, PHONE, WIDER, Visit, violations

SETS = "book/practice/problem-sets"
ENLARGED = {"width": 320, "height": 800}  # a desk's window at four times the size, narrower than any phone
PHONES = [PHONE, {"width": 390, "height": 844}]
CONTENT_BUDGET = 1_500_000  # bytes, compressed: what a chapter may transfer


def whole_site(site: Path) -> list[str]:
    """Every page, including those that Sphinx makes, except in the folders of tools."""
    made = sorted(path.stem for path in site.glob("*.html") if path.stem not in ("index", "404"))
    return [*pages(), *made]


# The equations whose number stands on their formula, as far as that is not scrolled out of sight, or beyond the window.
COVERED = """() => [...document.querySelectorAll("main div.math > .eqno")].filter(number => {
    const words = document.createRange();
    words.selectNodeContents(number.firstChild);
    const box = words.getBoundingClientRect();
    const formula = number.parentElement.querySelector(".katex-html");
    const ends = [...formula.querySelectorAll(".base")].map(part => part.getBoundingClientRect().right);
    const end = Math.min(Math.max(...ends), formula.getBoundingClientRect().right);
    return !(end + 3 < box.left && box.right <= innerWidth);
}).map(number => number.textContent)"""

# The words in these elements that begin on one line and end on another.
BROKEN = """selector => [...document.querySelectorAll(selector)].flatMap(element => {
    const broken = [];
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) for (const word of texts.currentNode.data.matchAll(/[a-z0-9]+/gi)) {
        const letters = document.createRange();
        letters.setStart(texts.currentNode, word.index);
        letters.setEnd(texts.currentNode, word.index + word[0].length);
        if (new Set([...letters.getClientRects()].map(box => Math.round(box.top))).size > 1) broken.push(word[0]);
    }
    return broken;
})"""


# Scrolling boxes become reachable by keyboard in the frame after their size has changed.
BOXES_ARE_MARKED = """() => [...document.querySelectorAll("pre")].every(box =>
    (box.tabIndex >= 0) === (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight))"""


# Of the words of code that look alike, three are kept separate: all others have their colours.
ALIKE = """() => {
    const seen = {};
    for (const word of document.querySelectorAll("pre span")) {
        const kind = word.className + " in " + word.closest("div.cell_input, div.cell_output, div.admonition, article")?.className;
        seen[kind] = (seen[kind] || 0) + 1;
        if (seen[kind] > 3) word.replaceWith(...word.childNodes);
    }
}"""
#: axe takes longer than all else. `make test` asks it about every third page, in light mode or in dark mode alternately.
EVERY = 1 if TEST_ALL else 3
COLOURS = ["color-contrast", "link-in-text-block"]


# Fonts that a page asks for before its styles do, and then shows nothing in.
FONTS_FOR_NOTHING = """() => document.fonts.ready.then(() => {
    const loaded = [...document.fonts].filter(font => font.status !== "unloaded");
    const used = new Set(loaded.map(font => `${font.family}-${font.style === "italic" ? "Italic" : "Regular"}.woff2`));
    const asked = [...document.querySelectorAll("link[rel=preload][as=font]")].map(link => link.href.split("/").pop());
    return asked.filter(name => !used.has(name));
})"""


@pytest.fixture(scope="module")
def findings(site, address, browser) -> dict[str, dict]:
    """What a browser finds on each page; each page is opened once, in light mode, and also examined in dark mode."""
    from axe_playwright_python.sync_playwright import Axe

    found = {}
    light = browser.new_context(viewport=DESK, color_scheme="light", reduced_motion="reduce")
    light.set_default_timeout(PATIENCE)
    kinds: set[str] = set()  # for elements that a keyboard has reached on an earlier page
    for number, name in enumerate(whole_site(site)):
        page = light.new_page()
        visit = Visit(page, address, name)
        one = found[name] = {}
        one["coloured formulas"] = page.locator(".katex-html [style*='color']").count()
        one["fonts for nothing"] = page.evaluate(FONTS_FOR_NOTHING)
        one["pictures without a picture"] = blank_pictures(page)
        page.add_style_tag(content="section { content-visibility: visible !important; }")  # all sections, near or not
        page.set_viewport_size(ENLARGED)
        one["wider than a phone"] = page.evaluate(WIDER)
        for window in [*PHONES, DESK]:
            page.set_viewport_size(window)
            one[f"covered at {window['width']}"] = page.evaluate(COVERED)
            one[f"broken at {window['width']}"] = page.evaluate(BROKEN, "main td code, .prev-next-title")
        page.set_viewport_size(DESK)
        # The visual copy of a formula has the colours of the text around it, and thousands of elements; assistive
        # technology reads the other copy, in MathML. Without the visual copies axe needs a fraction of the time.
        page.evaluate("document.querySelectorAll('.katex-html').forEach(copy => copy.remove())")
        with contextlib.suppress(PlaywrightTimeoutError):  # if the marks are never right, axe says so
            page.wait_for_function(BOXES_ARE_MARKED, timeout=5000)
        page.evaluate(ALIKE)
        options = {"resultTypes": ["violations"], "preload": False}
        asked, odd = number % EVERY == 0, number % 2 == 1
        rules = {rule: {"enabled": TEST_ALL or not odd} for rule in COLOURS}
        one["light"] = violations(Axe().run(page, options={**options, "rules": rules})) if asked else []
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        one["dark"] = (
            violations(Axe().run(page, options={**options, "runOnly": COLOURS})) if asked and (TEST_ALL or odd) else []
        )
        page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
        one["keyboard"] = keyboard_faults(page, kinds)
        one["elsewhere"] = [url for url in visit.requested if not url.startswith((address, "data:"))]
        one["complaints"] = visit.complaints
        page.close()
    light.close()
    return found


def blank_pictures(page) -> list[str]:
    """The pictures that cannot be shown, including those further down, which load only when a reader comes near."""
    page.evaluate("[...document.images].forEach(picture => { picture.loading = 'eager'; })")
    page.wait_for_function("[...document.images].every(picture => picture.complete)", polling=50)
    return page.evaluate("[...document.images].filter(picture => !picture.naturalWidth).map(picture => picture.src)")


def all_of(findings: dict[str, dict], what: str) -> dict[str, list]:
    return {name: found[what] for name, found in findings.items() if found[what]}


def test_no_page_requests_another_host(findings):
    assert not all_of(findings, "elsewhere")


def test_no_page_complains_on_the_console(findings):
    assert not all_of(findings, "complaints")


def test_no_page_loads_a_font_for_nothing(site, findings):
    assert len(html_of(site, "book/information/entropy").select("link[rel=preload][as=font]")) >= 2
    assert not all_of(findings, "fonts for nothing")


def test_every_picture_is_there(findings):
    assert not all_of(findings, "pictures without a picture")


def test_the_plain_server_of_python_is_enough(site, browser):
    """`make serve`, or a folder that a reader has downloaded."""
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(site), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            port = re.search(r"port (\d+)", server.stdout.readline())[1]
            page = browser.new_page(viewport=DESK)
            page.set_default_timeout(PATIENCE)
            visit = Visit(page, f"http://127.0.0.1:{port}/", "index")
            page.wait_for_url("**/book/index.html")
            assert not blank_pictures(page)
            page.locator(".next-page-link, a.right-next").first.click()
            page.wait_for_url("**/surprisal.html")
            page.goto(f"http://127.0.0.1:{port}/search.html?q=entropy")
            page.locator("#search-results li a").first.wait_for()
            page.wait_for_load_state("networkidle")
            assert not visit.complaints
            page.close()
        finally:
            server.terminate()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_nothing(findings, mode):
    assert not all_of(findings, mode)


def test_formulas_have_the_colour_of_the_text(findings):
    assert not all_of(findings, "coloured formulas"), "axe is not asked about formulas: check these colours' contrast"


def test_no_page_scrolls_sideways_on_a_phone(findings):
    assert not all_of(findings, "wider than a phone")


@pytest.mark.parametrize("window", [*PHONES, DESK], ids=lambda window: f"{window['width']} px")
def test_no_number_covers_its_formula(site, findings, window):
    assert html_of(site, "book/information/divergence").select("div.math > .eqno"), "no number is found"
    assert not all_of(findings, f"covered at {window['width']}")


@pytest.mark.parametrize("window", [*PHONES, DESK], ids=lambda window: f"{window['width']} px")
def test_no_name_in_a_table_and_no_title_in_a_link_is_broken_within_a_word(site, findings, window):
    assert html_of(site, "book/likelihood/softmax").select("td code"), "no name is found"
    assert not all_of(findings, f"broken at {window['width']}")


def test_every_formula_is_there_for_assistive_technology(site):
    for name in pages():
        formulas = html_of(site, name).select(".katex")
        assert formulas or name not in chapters(), f"{name}: no formula is found"
        for formula in formulas:
            assert formula.select_one(".katex-mathml math"), f"{name}: {formula.get_text()[:60]} has no MathML"
            assert formula.select_one(".katex-html")["aria-hidden"] == "true"


def test_assistive_technology_is_told_of_every_formula_that_is_not_folded(browser, address):
    """Sections that are not laid out are in the tree of a browser that assistive technology has asked for one."""
    with contextlib.closing(launched(browser.browser_type, "--force-renderer-accessibility")) as asked:
        page = asked.new_page(viewport=DESK)
        page.goto(f"{address}book/information/entropy.html", wait_until="networkidle")
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
        told = sum(node["role"]["value"] == "MathMLMath" for node in tree if not node["ignored"])
        unfolded = page.locator(".katex math").evaluate_all(
            "all => all.filter(one => one.checkVisibility({visibilityProperty: true})).length"
        )
    # What is folded in a section that is not laid out is in the tree, too.
    assert told >= unfolded > 50


def test_headings_are_in_order(site):
    for name in pages():
        headings = html_of(site, name).select(
            "article.bd-article h1, article.bd-article h2, article.bd-article h3,"
            "article.bd-article h4, article.bd-article h5, article.bd-article h6"
        )
        levels = [int(heading.name[1]) for heading in headings]
        assert levels.count(1) == 1, f"{name} has {levels.count(1)} titles"
        for before, after in zip(levels, levels[1:], strict=False):
            assert after <= before + 1, f"{name}: a heading of level {after} follows one of level {before}"


# What a keyboard must reach: its kind (tag, classes, and the part of the page) and its appearance without the focus.
REACHABLE = """() => {
    document.activeElement.blur();  // the page of the search puts it into the field
    const part = e => ["dialog", "nav", "header", "footer", "aside", "article", "main"].find(tag => e.closest(tag)) || "";
    window.reachable = [...document.querySelectorAll("a[href], button, summary, input, select, textarea, [tabindex='0']")].filter(e =>
        e.checkVisibility({visibilityProperty: true}) && !e.disabled && !e.closest("dialog:not([open]), [inert]"));
    window.looks = e => { const s = getComputedStyle(e); return [s.outlineStyle === "none" ? "" : s.outlineWidth + s.outlineColor,
        s.boxShadow, s.backgroundColor, s.borderColor, s.textDecorationLine + s.textDecorationThickness, s.opacity].join(); };
    return reachable.map(e => ({
        kind: [e.localName, ...[...e.classList].sort(), "in", part(e)].join(" "),
        text: e.outerHTML.slice(0, 120), order: e.tabIndex, looks: looks(e),
    }));
}"""


def keyboard_faults(page, kinds: set[str]) -> list[str]:
    """The elements that a reader with only a keyboard cannot reach, or cannot see to have the focus.

    Each element must be in the natural order. The first of each kind is reached with the Tab key from the one before
    it, and left again.
    """
    found = page.evaluate(REACHABLE)
    assert len(found) >= 5, "this looks at nothing"
    faults = [f"not in the natural order: {one['text']}" for one in found if one["order"] != 0]
    for place, one in enumerate(found):
        if one["kind"] in kinds or place == 0:
            continue
        kinds.add(one["kind"])
        page.evaluate("place => reachable[place - 1].focus()", place)
        page.keyboard.press("Tab")
        now = page.evaluate(
            "place => { const e = reachable[place]; return {reached: document.activeElement === e, looks: looks(e),"
            " shown: [...e.getClientRects()].some(box => box.width && box.height) && getComputedStyle(e).opacity !== '0'}; }",
            place,
        )
        if not now["reached"]:
            faults.append(f"not reached from {found[place - 1]['text']}: {one['text']}")
        elif not now["shown"]:
            faults.append(f"has the focus and is not shown: {one['text']}")
        elif now["looks"] == one["looks"]:
            faults.append(f"looks the same with the focus: {one['text']}")
        page.keyboard.press("Tab")
        if now["reached"] and page.evaluate("place => document.activeElement === reachable[place]", place):
            faults.append(f"keeps the focus: {one['text']}")
    return faults


def test_the_keyboard_reaches_everything_and_shows_where_it_is(findings):
    assert not all_of(findings, "keyboard")


def test_the_search_opens_and_closes_by_key(opened):
    page = opened("book/information/entropy.html")
    page.wait_for_load_state("load")
    dialog = page.locator("#pst-search-dialog")
    page.keyboard.press("Control+k")
    assert dialog.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.matches('#pst-search-dialog input')")
    page.keyboard.press("Escape")
    assert dialog.get_attribute("open") is None
    page.keyboard.press("Tab")
    assert not page.evaluate("!!document.activeElement.closest('dialog')")


def test_folds_and_buttons_answer_to_keys(opened):
    page = opened("book/information/entropy.html", permissions=["clipboard-read", "clipboard-write"])
    page.wait_for_load_state("networkidle")
    solution = page.locator(".solution.dropdown").first
    fold = solution.locator("summary, button").first
    body = solution.locator("p:not(.admonition-title):not(summary p)").last
    assert not body.is_visible()
    fold.focus()
    page.keyboard.press("Enter")
    body.wait_for(state="visible")
    copy = page.locator("main button.copybtn").first
    copy.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('main button.copybtn').classList.contains('success')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == page.locator("main .highlight pre").first.inner_text().strip()
    switch = page.locator(".theme-switch-button:visible").first
    before = page.evaluate("document.documentElement.dataset.mode")
    switch.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.dataset.mode") != before


def test_code_has_a_button_for_copying_and_what_it_prints_has_none(opened):
    page = opened("book/information/entropy.html")
    page.locator("div.cell_input button.copybtn").first.wait_for(state="attached")
    without = "all => all.filter(code => !code.parentElement.querySelector('.copybtn')).length"
    assert page.locator("main div.cell_input pre").evaluate_all(without) == 0
    assert page.locator("main div.cell_output button.copybtn").count() == 0


@pytest.mark.parametrize("side", ["primary", "secondary"])
def test_side_bars_on_a_phone_answer_to_keys(opened, side):
    page = opened("book/information/entropy.html", PHONE)
    page.wait_for_load_state("networkidle")
    button, dialog = page.locator(f".{side}-toggle:visible").first, page.locator(f"#pst-{side}-sidebar-modal")
    button.focus()
    page.keyboard.press("Enter")
    assert dialog.get_attribute("open") is not None
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('dialog') && document.activeElement.href"))
    links = dialog.locator("a[href]:visible").evaluate_all("links => links.map(link => link.href)")
    assert len(links) > 4
    assert set(links) <= reached
    page.keyboard.press("Escape")
    assert dialog.get_attribute("open") is None


def test_the_first_key_leads_to_the_content(opened):
    page = opened("book/information/entropy.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert urlsplit(page.url).fragment == "main-content"


# Sections are laid out late (content-visibility), and are then higher or lower than was assumed.
ARRIVED = """name => {
    const top = document.getElementById(name).getBoundingClientRect().y;
    return 0 <= top && top <= innerHeight / 2;
}"""


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
def test_an_address_within_a_page_leads_to_its_place_and_a_reload_stays_there(opened, window):
    page = opened("book/information/entropy.html#exercises", window)
    page.wait_for_function(ARRIVED, arg="exercises")
    page.evaluate("document.querySelector('a[href=\"#blocks\"]').click()")
    page.wait_for_function(ARRIVED, arg="blocks")
    page.mouse.move(window["width"] / 2, window["height"] / 2)
    page.mouse.wheel(0, 300)
    page.wait_for_function("document.getElementById('blocks').getBoundingClientRect().y < 0")
    nearest = """() => [...document.querySelectorAll("article p")]
        .filter(p => p.checkVisibility() && p.getBoundingClientRect().y >= 0)[0].textContent"""
    read = page.evaluate(nearest)
    page.reload()
    page.wait_for_function(f"read => ({nearest})() === read", arg=read)


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", ["gradients/gradient-descent", "likelihood/squared-error", "reference/derivations"])
def test_only_what_is_near_is_laid_out(opened, name, window):
    page = opened(f"book/{name}.html", window)
    page.wait_for_load_state("networkidle")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    counts = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
    parts = page.evaluate("document.getElementsByTagName('*').length")
    assert parts > 8000
    assert counts["LayoutObjects"] < parts / 3  # with all sections, there are more than elements, since text is counted


HEIGHTS = """() => [...document.querySelectorAll(".bd-article > section > section")].map(section => {
    const assumed = section.getBoundingClientRect().height;
    section.style.contentVisibility = "visible";
    return [section.id, assumed, section.getBoundingClientRect().height];
})"""


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", chapters())
@pytest.mark.sampled(4)
def test_the_assumed_height_of_a_section_is_near_its_own(opened, name, window):
    """Were it much lower, what is asked for its place would seem to lie in the section below."""
    heights = opened(f"{name}.html", window).evaluate(HEIGHTS)
    assert len(heights) > 4
    assert [one for one in heights if not 0.7 < one[1] / one[2] < 2.3] == []


def test_the_keyboard_goes_on_into_a_section_that_was_far_below(opened):
    page = opened("book/gradients/gradient-descent.html", PHONE)
    page.wait_for_load_state("networkidle")
    link = page.locator("article #problem-sets a:not(.headerlink)").first
    shown = "link => link.checkVisibility({contentVisibilityAuto: true})"
    assert not link.evaluate(shown)
    page.locator("article #exercises .toggle-button").last.evaluate("button => button.focus({preventScroll: true})")
    page.keyboard.press("Tab")  # the summary between them has nothing to press
    assert link.evaluate("link => link === document.activeElement")
    page.wait_for_function(shown, arg=link.element_handle())


def test_the_contents_mark_the_section_that_is_read(opened):
    page = opened("book/information/entropy.html", DESK)
    marked = page.locator("#pst-page-toc-nav li.active > a.active")
    assert marked.count() == 0
    page.evaluate("document.getElementById('the-next-letter').scrollIntoView()")
    page.wait_for_function("document.querySelector('#pst-page-toc-nav a.active[href=\"#the-next-letter\"]')")
    around = marked.evaluate_all("links => links.map(link => link.hash)")
    assert around == ["#when-the-past-is-known", "#the-next-letter"]


def test_code_in_a_fold_is_a_stop_of_the_tab_key_once_it_is_shown(opened):
    page = opened("book/information/entropy.html", PHONE)
    page.wait_for_load_state("networkidle")
    wide = page.locator("article details:not([open]) pre").evaluate_all(
        "all => all.findIndex(code => Math.max(...code.textContent.split('\\n').map(line => line.length)) > 75)"
    )
    assert wide >= 0
    code = page.locator("article details:not([open]) pre").nth(wide).element_handle()
    assert code.evaluate("code => code.tabIndex") == -1
    code.evaluate("code => { code.closest('details').open = true; code.scrollIntoView(); }")
    page.wait_for_function("code => code.tabIndex === 0", arg=code)


def test_the_icons_are_drawn(opened):
    page = opened("book/information/entropy.html")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.fonts.check('900 16px \"Font Awesome 6 Free\"', '\\uf002')")
    for selector in (".search-button__button", ".theme-switch-button", ".primary-toggle", ".btn-fullscreen-button"):
        icon = page.locator(f"{selector}:visible :is(.fa-solid, .fas)").locator("visible=true").first
        assert icon.bounding_box()["width"] > 8, f"{selector} has no icon"


def test_the_colours_can_be_switched_and_stay(opened):
    page = opened("book/index.html", color_scheme="light")
    seen = set()
    for _ in range(3):
        page.locator(".theme-switch-button:visible").first.click()
        seen.add(page.evaluate("document.documentElement.dataset.mode"))
        if page.evaluate("document.documentElement.dataset.mode") == "dark":
            page.reload()
            assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert seen == {"light", "dark", "auto"}


def test_a_page_is_printed_light_and_then_dark_again(opened):
    page = opened("book/index.html", color_scheme="dark")
    theme = "document.documentElement.dataset.theme"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(theme) == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(theme) == "dark"


def test_no_line_begins_with_the_punctuation_behind_a_formula(opened):
    """Browsers may break a line after each of KaTeX's boxes, and so before a full stop."""
    page = opened("book/information/entropy.html", PHONE)
    checked, torn = page.evaluate(
        """() => {
            const torn = [];
            let checked = 0;
            for (const formula of document.querySelectorAll("article span.math")) {
                const next = formula.nextSibling;
                if (next?.nodeType !== Node.TEXT_NODE || !/^[.,;:)]/.test(next.data) || !formula.offsetParent) continue;
                const range = document.createRange();
                range.setStart(next, 0);
                range.setEnd(next, 1);
                const sign = range.getBoundingClientRect();
                const boxes = formula.querySelectorAll(".katex-html .base");
                checked += 1;
                if (sign.x < boxes[boxes.length - 1].getBoundingClientRect().right - 2) torn.push(formula.textContent);
            }
            return [checked, torn];
        }"""
    )
    assert checked > 20
    assert not torn


@pytest.mark.parametrize("window", [PHONE, DESK], ids=["phone", "desk"])
def test_no_line_ends_with_the_bracket_before_a_formula(opened, window):
    page = opened("book/likelihood/squared-error.html", window)
    page.add_style_tag(content="section { content-visibility: visible !important; }")
    checked, torn = page.evaluate(
        """() => {
            const brackets = [];
            for (const formula of document.querySelectorAll("article span.math")) {
                const before = formula.previousSibling?.firstChild ?? formula.previousSibling;
                if (!/[(\\[]$/.test(before?.data ?? "") || !formula.offsetParent) continue;
                const range = document.createRange();
                range.setStart(before, before.data.length - 1);
                range.setEnd(before, before.data.length);
                brackets.push([formula, range.getBoundingClientRect()]);
            }
            const torn = brackets.filter(([formula, bracket]) =>
                formula.querySelector(".katex-html .base").getBoundingClientRect().x < bracket.right - 2);
            return [brackets.length, torn.map(([formula]) => formula.textContent)];
        }"""
    )
    assert checked > 2
    assert not torn


def test_no_number_of_an_equation_has_two_pairs_of_brackets(site):
    for name in chapters():
        text = html_of(site, name).select_one("article").get_text()
        assert re.search(r"\(\d+\.\d+\)", text), f"{name}: no equation is found"
        assert not re.findall(r"\(\(\d+\.\d+\)", text), name


def test_the_mode_is_settled_before_any_script_arrives(opened):
    """Otherwise a reader in dark mode sees a white page first, and a phone styles every page twice."""
    page = opened("404.html", color_scheme="dark")
    page.route("**/*.js*", lambda route: route.abort())
    for mode, theme in (("auto", "dark"), ("light", "light"), ("dark", "dark"), ("", "dark")):
        page.evaluate("mode => mode ? localStorage.setItem('mode', mode) : localStorage.clear()", mode)
        page.goto(page.url.replace("404.html", "book/index.html"))
        assert page.evaluate("document.documentElement.dataset.theme") == theme, f"the reader chose {mode!r}"


def meta(html, name: str) -> str:
    tag = html.select_one(f'meta[name="{name}"], meta[property="{name}"]')
    return tag["content"] if tag else ""


def test_every_page_has_a_description_of_its_own(site):
    told = {name: meta(html_of(site, name), "description") for name in whole_site(site)}
    bad = {name: text for name, text in told.items() if not 50 <= len(text) <= 160 or "\\" in text or "$" in text}
    assert not bad
    assert len(set(told.values())) == len(told), "two pages have one description"


def test_every_page_has_a_preview_picture(site):
    base = "http://localhost:8000/"
    for name in pages():  # those that Sphinx makes, such as the search, are not shared
        html = html_of(site, name)
        picture = meta(html, "og:image")
        assert meta(html, "og:description") == meta(html, "description"), name
        assert meta(html, "og:image:alt").endswith(meta(html, "description")), name
        assert meta(html, "og:url").endswith(f"/{name}.html"), name
        assert picture.startswith("http"), f"{name}: {picture} is not a whole address"
        file = site / urlsplit(picture).path.removeprefix(urlsplit(base).path)
        with Image.open(file) as image:
            assert image.size == (1146, 600), name


def test_every_page_has_the_icon_of_the_course(site):
    for name in whole_site(site):
        icon = html_of(site, name).select_one('link[rel="icon"]')
        assert (site / name).parent.joinpath(unquote(urlsplit(icon["href"]).path)).is_file()


def test_the_sitemap_lists_every_page(site):
    tree = ElementTree.parse(site / "sitemap.xml")
    listed = [element.text for element in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert all(urlsplit(place).netloc for place in listed)
    assert sorted(urlsplit(place).path.strip("/") for place in listed) == sorted(f"{name}.html" for name in pages())
    assert "Sitemap: http" in (site / "robots.txt").read_text()


@pytest.mark.parametrize(
    ("address", "base", "folder"),
    [
        ("", "http://localhost:8000/", "/"),
        ("https://example.org/course", "https://example.org/course/", "/course/"),
        ("https://example.org", "https://example.org/", "/"),
    ],
)
def test_the_address_of_the_site_reaches_every_extension_that_needs_it(monkeypatch, address, base, folder):
    from book.extensions.site.publishing import take_address

    monkeypatch.setenv("SITE_URL", address)
    config = SimpleNamespace(html_baseurl="http://localhost:8000/", html_title="A Course")
    take_address(None, config)
    assert config.html_baseurl == config.ogp_site_url == base
    assert config.notfound_urls_prefix == folder
    assert config.ogp_site_name == "A Course"


def test_the_page_for_lost_addresses_loads_what_exists(site):
    html = html_of(site, "404")
    assert html.html["data-content_root"] == "/"
    assert meta(html, "robots") == "noindex"
    places = [urlsplit(tag.get("href") or tag.get("src")) for tag in html.select("[href], [src]")]
    own = [parts for parts in places if not parts.netloc and parts.path]
    assert len(own) > len(pages())
    for parts in own:
        assert parts.path.startswith("/")
        assert (site / unquote(parts.path).lstrip("/")).is_file(), f"404.html leads to {parts.path}"


def test_the_page_for_lost_addresses_finds_a_site_in_a_folder(site, address, browser):
    """The address of the site is not set, and the site is two folders below the server's root."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    lost = (site / "404.html").read_text(encoding="utf-8")
    page.route("**/nowhere/at/all.html", lambda route: route.fulfill(body=lost, content_type="text/html", status=404))
    page.goto(f"{address}nowhere/at/all.html")
    page.wait_for_function("document.querySelector('link[rel=stylesheet]').sheet?.cssRules.length > 100")
    page.locator(".navbar-brand").first.click()
    page.wait_for_url(f"{address}book/index.html")
    page.close()


def test_a_notebook_is_downloaded_whatever_a_server_calls_it(site):
    for name in chapters():
        links = html_of(site, name).select('a[href$=".ipynb"]:not(.in-browser)')
        assert len(links) >= 2
        assert all(link.has_attr("download") and not link.has_attr("target") for link in links), name


def test_the_word_above_a_proof_stands_out_and_no_title_runs_into_its_text(site):
    untitled = 0
    for name in chapters():
        for proof in html_of(site, name).select("div.proof:not(:has(> .admonition-title))"):
            untitled += 1
            assert proof.select_one("p").contents[0].name == "strong", f"{name}: {proof.get_text()[:60]}"
            assert proof.select_one("p > strong").get_text() == "Proof."
        assert not re.search(r"^`{3,}\{prf:proof\} *\S", text_of(name), re.MULTILINE), f"{name}: a proof has no title"
    assert untitled, "no proof is found"


def test_lines_of_seventy_characters_are_whole_on_a_desk(opened):
    page = opened("book/information/entropy.html", DESK)
    cut = page.evaluate("""() => [...document.querySelectorAll("article div.highlight > pre")]
        .filter(code => code.checkVisibility() && code.scrollWidth > code.clientWidth)
        .map(code => Math.max(...code.textContent.split("\\n").map(line => line.length)))""")
    assert [longest for longest in cut if longest <= 70] == []


def test_no_fold_has_a_paragraph_in_its_summary(site):
    for name in pages():
        html = html_of(site, name)
        assert html.select("summary") or name not in chapters(), f"{name}: no fold is found"
        assert not html.select("summary p"), name


def test_the_name_of_the_search_button_is_what_it_shows(site):
    button = html_of(site, "book/index").select_one(".search-button-field")
    assert not button.has_attr("aria-label")
    assert "Search" in button.get_text()


def test_a_selected_formula_is_copied_as_tex(opened):
    page = opened("book/information/entropy.html")
    page.wait_for_load_state("networkidle")
    copied = page.evaluate("""() => {
        const formula = document.querySelector("article p > span.math .katex-html");
        const range = document.createRange();
        range.selectNodeContents(formula.closest("p"));
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        const data = new DataTransfer();
        document.dispatchEvent(new ClipboardEvent("copy", {clipboardData: data, bubbles: true, cancelable: true}));
        return [data.getData("text/plain"), formula.closest(".katex").querySelector("annotation").textContent];
    }""")
    assert f"${copied[1].strip()}$" in copied[0]
    assert "\u2061" not in copied[0]


@pytest.mark.parametrize("name", ["book/models/neural-networks", "book/practice/for-instructors"])
def test_the_title_and_the_search_stay_in_sight(opened, name):
    page = opened(f"{name}.html", {"width": 1366, "height": 768})
    page.wait_for_load_state("networkidle")
    for box in (".bd-sidebar-primary", ".sidebar-primary-item:has(> .bd-docs-nav)"):
        page.locator(box).first.evaluate("bar => bar.scrollTo(0, bar.scrollHeight)")
    for selector in (".navbar-brand", ".search-button-field"):
        box = page.locator(f".bd-sidebar-primary {selector}").first.bounding_box()
        assert 0 <= box["y"] < 160, selector


@pytest.mark.parametrize("window", [{"width": 1280, "height": 720}, {"width": 1366, "height": 768}], ids=str)
def test_no_entry_of_the_contents_is_covered_or_cut_at_its_top(site, address, browser, window):
    """Entered at any page; the sidebar then shows that page's entry."""
    scrolled = 0
    for name in whole_site(site):
        page = browser.new_page(viewport=window)
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}{name}.html")
        covered, moved, seen = page.evaluate("""() => {
            const list = PAGE.contents.getBoundingClientRect();
            const above = document.querySelector(".bd-sidebar-primary .search-button-field").getBoundingClientRect();
            const links = [...PAGE.contents.querySelectorAll("a")];
            const boxes = links.map((link) => [link.textContent, link.getBoundingClientRect()]);
            const open = links.findLast((link) => link.matches(".current"))?.getBoundingClientRect();
            return [
                boxes.filter(([text, box]) => box.bottom > list.top + 0.5 && box.top < list.top - 0.5).map(([text]) => text)
                    .concat(list.top < above.bottom ? ["the search lies on the contents"] : []),
                PAGE.contents.scrollTop,
                !open || open.top >= list.top - 0.5 && open.bottom <= innerHeight,
            ];
        }""")
        assert not covered, name
        assert seen, name
        scrolled += moved > 0
        page.close()
    assert scrolled > 3, "the contents need not scroll in this window"


def test_a_line_of_text_has_about_seventy_characters(opened):
    page = opened("book/information/entropy.html", {"width": 1600, "height": 900})
    longest = page.evaluate("""() => {
        const range = document.createRange();
        const lines = [];
        for (const text of document.querySelectorAll("article section > p")) {
            if (text.querySelector(".katex, code")) continue;
            range.selectNodeContents(text);
            const rows = new Set([...range.getClientRects()].map((box) => Math.round(box.bottom)));
            if (rows.size > 2) lines.push(text.textContent.length / rows.size);
        }
        return Math.max(...lines);
    }""")
    assert 55 <= longest <= 80


def test_the_ledger_needs_no_scrolling_on_a_desk(opened):
    page = opened("book/reference/derivations.html", DESK)
    page.evaluate("document.querySelectorAll('.ledger-chapter').forEach((chapter) => { chapter.open = true; })")
    tables = page.locator(".pst-scrollable-table-container:has(table.ledger)")
    widths = tables.evaluate_all("boxes => boxes.map((box) => [box.scrollWidth, box.clientWidth])")
    assert len(widths) == len(chapters())
    assert all(needed <= shown for needed, shown in widths), widths


def test_headings_are_larger_and_no_lighter_than_those_below_them(opened):
    for viewport in (PHONE, DESK):
        page = opened("book/information/entropy.html", viewport)
        styles = page.evaluate("""() => ["h1", "h2", "h3"].map((level) => {
            const style = getComputedStyle(document.querySelector(`article ${level}`));
            return [parseFloat(style.fontSize), Number(style.fontWeight)];
        })""")
        sizes, weights = zip(*styles, strict=True)
        assert sizes[0] > sizes[1] > sizes[2], f"{viewport}: {sizes}"
        assert weights[0] >= weights[1] >= weights[2], f"{viewport}: {weights}"


def test_the_index_of_terms_can_be_reached(site):
    assert any(
        link["href"].endswith("genindex.html")
        for link in html_of(site, "book/reference/glossary").select("article a[href]")
    )
    assert len(html_of(site, "genindex").select("article li")) > 50


@pytest.mark.parametrize("place", range(1, 4))
def test_the_pages_follow_one_another(site, place):
    html = html_of(site, pages()[place])
    for relation, other in (("prev", place - 1), ("next", place + 1)):
        leads_to = urljoin(
            f"/{pages()[place]}.html",
            html.select_one(f"a.{'left' if relation == 'prev' else 'right'}-{relation}")["href"],
        )
        assert leads_to == f"/{pages()[other]}.html"


def test_all_problem_sets_are_in_one_file(site):
    page = html_of(site, SETS)
    link = next(link for link in page.select("article a[href]") if link["href"].endswith(".zip"))
    with zipfile.ZipFile(io.BytesIO((site / SETS).parent.joinpath(link["href"]).read_bytes())) as archive:
        names = archive.namelist()
        requirements = archive.read("problem-sets/requirements.txt").decode()
        notebooks = [name for name in names if name.endswith(".ipynb")]
        assert sorted(Path(name).stem for name in notebooks) == sorted(file.stem for file in released(ROOT))
        for file in released(ROOT):
            assert archive.read(f"problem-sets/{file.parent.name}/{file.name}") == file.read_bytes()
        text = b"".join(archive.read(name) for name in names)
    assert b"BEGIN SOLUTION" not in text
    assert b"BEGIN HIDDEN TESTS" not in text
    pinned = dict(line.split("==") for line in requirements.splitlines() if not line.startswith("#"))
    assert {"numpy", "sympy", "matplotlib", "jupyterlab"} <= set(pinned)
    assert all(re.fullmatch(r"[\d.]+\w*", version) for version in pinned.values())
    assert (site / SETS).with_name("requirements.txt").read_text() == requirements


def test_the_students_packages_suffice_for_every_set():
    from book.extensions.downloads.problem_set_archive import STUDENT_PACKAGES

    for file in released(ROOT):
        code = "\n".join(
            "".join(cell["source"]) for cell in json.loads(file.read_text())["cells"] if cell["cell_type"] == "code"
        )
        imported = set(re.findall(r"^\s*(?:import|from)\s+(\w+)", code, re.MULTILINE))
        assert imported, f"{file.name}: no import is found"
        # mpmath comes with SymPy, IPython with every Jupyter, and the checks are a cell of the notebook itself.
        there = {*STUDENT_PACKAGES, "mpmath", "IPython", "builtins", *sys.stdlib_module_names}
        own = {name for name in imported if name.endswith("_of_this_notebook")}
        assert imported - own <= there, file.name


def transferred(site: Path, name: str) -> int:
    """What a first visit to a page transfers, with text compressed as servers do: the page and all that it requests."""
    import gzip

    page = site / f"{name}.html"
    files = {page} | {
        (page.parent / unquote(urlsplit(place).path)).resolve()
        for place in loaded(html_of(site, name))
        if not place.startswith("data:")
    }
    for sheet in [file for file in files if file.suffix == ".css"]:
        fonts = [unquote(urlsplit(place).path) for place in addresses_in(sheet.read_text(encoding="utf-8"))]
        files |= {sheet.parent / font for font in fonts if font.endswith((".woff2", "fa-solid-900.woff"))}
    packed = (".html", ".css", ".js", ".svg")
    return sum(len(gzip.compress(file.read_bytes()) if file.suffix in packed else file.read_bytes()) for file in files)


@pytest.mark.parametrize("name", chapters())
def test_a_chapter_is_light(site, name):
    assert transferred(site, name) <= CONTENT_BUDGET


def test_a_page_waits_for_one_style_sheet_and_no_script(site):
    for name in whole_site(site):
        head = html_of(site, name).select_one("head")
        assert len(head.select('link[rel="stylesheet"]')) == 1, name
        waits = [script["src"] for script in head.select("script[src]") if not script.has_attr("defer")]
        assert not waits, f"{name} waits for {waits}"


def test_code_has_no_elements_that_show_nothing(site):
    from book.extensions.site.page_weight import PLAIN_CODE

    code = html_of(site, "book/information/entropy").select("article .highlight pre")
    assert any(block.select("span.k, span.kn") for block in code), "the code is not coloured"
    assert not [block for block in code if PLAIN_CODE.search(str(block)) or str(block).startswith("<pre><span></span>")]


def test_plain_code_keeps_its_text():
    from book.extensions.site.page_weight import lighter

    page = '<pre><span></span><span class="k">def</span><span class="w"> </span><span class="n">f</span><span class="p">(</span></pre>'
    assert lighter(page, ROOT, "x.css") == '<pre><span class="k">def</span> f(</pre>'
    page = '<pre><span></span>\n<span class="n">f</span></pre><p><span class="n">f</span></p>'
    assert lighter(page, ROOT, "x.css") == page, "a line break at the start of a listing would be lost"


def test_a_long_name_may_break_after_an_underscore():
    from book.extensions.site.tidy_html import tidied

    short, long = '<span class="pre">log_sigmoid</span>', '<span class="pre">softmax_cross_entropy</span>'
    assert tidied(short + long) == short + '<span class="pre">softmax_<wbr>cross_<wbr>entropy</span>'
    path = '<span class="pre">submitted/&lt;set&gt;/</span>'
    assert tidied(path) == '<span class="pre">submitted/<wbr>&lt;set&gt;/</span>'


def test_a_theme_that_asks_boxes_for_their_widths_otherwise_ends_the_build():
    from sphinx.errors import ExtensionError

    from book.extensions.site.page_weight import without_tab_stops

    asks = (
        'document.querySelectorAll(["pre",".x"].join(", ")).forEach((e=>{e.tabIndex=e.scrollWidth>e.clientWidth?0:-1}))'
    )
    assert without_tab_stops(f"const e=()=>{{{asks}}};f(e)") == "const e=()=>{};f(e)"
    with pytest.raises(ExtensionError, match="TAB_STOPS"):
        without_tab_stops("const e=()=>{};f(e)")


def test_a_rule_is_kept_only_if_it_can_apply():
    import tinycss2

    from book.extensions.site.page_weight import used_rules

    css = """
        .shown, .hidden > p { color: red } .hidden { color: blue } p:not(.hidden)::before { content: "x" }
        @media (width < 9px) { .hidden { top: 0 } } @media print { #name a[href] { top: 0 } } #other { top: 0 }
        .bs-tooltip-top { top: 0 }
    """
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    assert used_rules(rules, {"shown", "p", "name", "a"}).splitlines() == [
        ".shown{color: red}",
        'p:not(.hidden)::before{content: "x"}',
        "@media print{#name a[href]{top: 0}}",
        ".bs-tooltip-top{top: 0}",
    ]
