"""The website as a reader meets it: in a browser, page by page, with a telephone, with assistive technology."""

import functools
import http.server
import io
import json
import re
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree import ElementTree

import pytest
from book_pages import ROOT, chapters, html_of, pages
from PIL import Image
from problem_sets import released

SETS = "book/practice/problem-sets"
PHONE = {"width": 360, "height": 800}
DESK = {"width": 1280, "height": 900}
CONTENT_BUDGET = 1_500_000  # bytes, compressed: what a chapter may transfer


def whole_site(site: Path) -> list[str]:
    """Every page, those that Sphinx makes included; folders of tools apart."""
    made = sorted(path.stem for path in site.glob("*.html") if path.stem not in ("index", "404"))
    return [*pages(), *made]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word, under a path of its own as a project's site on GitHub has it."""

    PREFIX = "/course/"

    def translate_path(self, path: str) -> str:
        if not path.startswith(self.PREFIX):
            return str(Path(self.directory, "outside-the-site"))
        return super().translate_path("/" + path.removeprefix(self.PREFIX))

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    """Where the site is served: under a sub-path, so that no address may begin at the server's root."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{Quiet.PREFIX}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    # The browsers that environment.sh looks for; without one, Playwright takes its own, which environment.sh fetched.
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


class Visit:
    """A page in a browser, with what it asked for and what it complained of."""

    def __init__(self, page, address: str, name: str):
        self.page, self.name = page, name
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("response", self._note_answer)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("console", self._note_message)
        page.goto(f"{address}{name}.html")
        page.wait_for_load_state("load")

    def _note_answer(self, answer) -> None:
        if answer.status >= 400:
            self.complaints.append(f"{answer.status}: {answer.url}")

    def _note_message(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


@pytest.fixture(scope="module")
def findings(site, address, browser) -> dict[str, dict]:
    """What a browser finds on each page; each page is opened once, in the light, and axe runs again in the dark."""
    from axe_playwright_python.sync_playwright import Axe

    found = {}
    light = browser.new_context(viewport=DESK, color_scheme="light", reduced_motion="reduce")
    for name in whole_site(site):
        page = light.new_page()
        visit = Visit(page, address, name)
        one = found[name] = {}
        one["coloured formulas"] = page.locator(".katex-html [style*='color']").count()
        page.set_viewport_size(PHONE)
        one["wider than a phone"] = page.evaluate(WIDER)
        page.set_viewport_size(DESK)
        # The visual copy of a formula has the colours of the text around it, and thousands of elements; assistive
        # technology reads the other copy, in MathML. Without the visual copies axe needs a fraction of the time.
        page.evaluate("document.querySelectorAll('.katex-html').forEach(copy => copy.remove())")
        options = {"resultTypes": ["violations"], "preload": False}
        one["light"] = violations(Axe().run(page, options=options))
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        colours = {**options, "runOnly": ["color-contrast", "link-in-text-block"]}
        one["dark"] = violations(Axe().run(page, options=colours))
        one["elsewhere"] = [url for url in visit.requested if not url.startswith((address, "data:"))]
        one["complaints"] = visit.complaints
        page.close()
    light.close()
    return found


# The elements that make a page wider than its window, outermost first.
WIDER = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > width + 1)
        .slice(0, 5).map(e => e.outerHTML.slice(0, 120));
}"""


def violations(results) -> list[str]:
    """The findings of axe in a form that can be read."""
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:160]} at {node['target']}"
        for rule in results.response["violations"]
        for node in rule["nodes"]
    ]


def all_of(findings: dict[str, dict], what: str) -> dict[str, list]:
    return {name: found[what] for name, found in findings.items() if found[what]}


def test_no_page_requests_another_host(findings):
    assert not all_of(findings, "elsewhere")


def test_no_page_complains_on_the_console(findings):
    assert not all_of(findings, "complaints")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_nothing(findings, mode):
    assert not all_of(findings, mode)


def test_formulas_have_the_colour_of_the_text(findings):
    assert not all_of(findings, "coloured formulas"), "axe is not asked about formulas: check these colours' contrast"


def test_no_page_scrolls_sideways_on_a_phone(findings):
    assert not all_of(findings, "wider than a phone")


def test_every_formula_is_there_for_assistive_technology(site):
    for name in pages():
        html = html_of(site, name)
        for formula in html.select(".katex"):
            assert formula.select_one(".katex-mathml math"), f"{name}: {formula.get_text()[:60]} has no MathML"
            assert formula.select_one(".katex-html")["aria-hidden"] == "true"


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


@pytest.mark.parametrize("name", [SETS, "book/information/entropy"])
def test_the_keyboard_reaches_everything(address, browser, name):
    page = browser.new_page(viewport=DESK)
    page.goto(f"{address}{name}.html")
    page.wait_for_load_state("networkidle")
    page.evaluate("""() => { let n = 0; for (const e of document.querySelectorAll("a[href], button, summary, input"))
        if (e.checkVisibility({visibilityProperty: true}) && !e.closest("dialog") && !e.closest("[inert]")) e.dataset.wanted = n++; }""")
    wanted = page.locator("[data-wanted]").count()
    reached = set()
    for _ in range(2 * wanted):
        page.keyboard.press("Tab")
        if (number := page.evaluate("document.activeElement.dataset.wanted")) is not None:
            reached.add(number)
        elif len(reached) > 5 and page.evaluate("document.activeElement === document.body"):
            break
    missed = [
        page.locator(f'[data-wanted="{number}"]').evaluate("e => e.outerHTML.slice(0, 120)")
        for number in range(wanted)
        if str(number) not in reached
    ]
    page.close()
    assert not missed


def test_the_first_key_leads_to_the_content(address, browser):
    page = browser.new_page(viewport=DESK)
    page.goto(f"{address}book/information/entropy.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert urlsplit(page.url).fragment == "main-content"
    page.close()


def test_an_address_within_a_page_leads_to_its_place(address, browser):
    page = browser.new_page(viewport=DESK)
    page.goto(f"{address}book/information/entropy.html#exercises")
    # The theme scrolls smoothly. Sections laid out late (content-visibility) would leave the reader elsewhere.
    arrived = "(top => 0 <= top && top <= innerHeight / 2)(document.querySelector('#exercises > h2').getBoundingClientRect().y)"
    page.wait_for_function(arrived, timeout=20_000)
    page.close()


@pytest.mark.parametrize(
    ("words", "expected"), [("entropy", "Entropy"), ("logits", "Softmax"), ("Kullback", "Divergence")]
)
def test_the_search_finds_terms(address, browser, words, expected):
    page = browser.new_page(viewport=DESK)
    page.goto(f"{address}search.html?q={words}")
    page.locator("#search-results li a").first.wait_for()
    page.wait_for_function("!document.querySelector('#search-progress')?.textContent.includes('.')", timeout=20_000)
    titles = page.locator("#search-results li > a").all_inner_texts()
    assert any(expected.lower() in title.lower() for title in titles), titles
    page.locator("#search-results li > a").first.click()
    page.wait_for_load_state("load")
    assert page.locator("article h1").count() == 1, f"the first result of {words} leads to {page.url}"
    page.close()


def test_the_search_opens_from_a_page_by_its_button(address, browser):
    page = browser.new_page(viewport=DESK)
    page.goto(f"{address}book/index.html")
    page.locator(".search-button__button:visible").first.click()
    page.keyboard.type("gradient")
    page.keyboard.press("Enter")
    page.locator("#search-results li a").first.wait_for()
    page.close()


def test_the_icons_are_drawn(address, browser):
    page = browser.new_page(viewport=DESK)
    page.goto(f"{address}book/information/entropy.html")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.fonts.check('900 16px \"Font Awesome 6 Free\"', '\\uf002')")
    for selector in (".search-button__button", ".theme-switch-button", ".primary-toggle", ".btn-fullscreen-button"):
        icon = page.locator(f"{selector}:visible :is(.fa-solid, .fas)").locator("visible=true").first
        assert icon.bounding_box()["width"] > 8, f"{selector} has no icon"
    page.close()


def test_the_colours_can_be_switched_and_stay(address, browser):
    context = browser.new_context(viewport=DESK, color_scheme="light")
    page = context.new_page()
    page.goto(f"{address}book/index.html")
    seen = set()
    for _ in range(3):
        page.locator(".theme-switch-button:visible").first.click()
        seen.add(page.evaluate("document.documentElement.dataset.mode"))
        if page.evaluate("document.documentElement.dataset.mode") == "dark":
            page.reload()
            assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert seen == {"light", "dark", "auto"}
    context.close()


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
    for name in whole_site(site):
        picture = meta(html_of(site, name), "og:image")
        assert picture.startswith("http"), f"{name}: {picture} is not a whole address"
        file = site / urlsplit(picture).path.removeprefix(urlsplit(base).path)
        with Image.open(file) as image:
            assert image.size == (1200, 630), name


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


def test_the_page_for_lost_addresses_holds_at_any_depth():
    from page_metadata import from_root

    page = (
        '<html data-content_root="./"><a href="book/index.html"><a href="#a"><script src="_static/x.js?v=1"></script>'
    )
    assert from_root(page, "https://example.org/course/") == (
        '<html data-content_root="/course/"><a href="/course/book/index.html"><a href="#a">'
        '<script src="/course/_static/x.js?v=1"></script>'
    )
    assert from_root(from_root(page, "http://localhost/"), "http://localhost/") == from_root(page, "http://localhost/")


def test_the_page_for_lost_addresses_loads_what_exists(site):
    html = html_of(site, "404")
    for tag in html.select("[href], [src]"):
        parts = urlsplit(tag.get("href") or tag.get("src"))
        if not parts.netloc and parts.path:
            assert parts.path.startswith("/")
            assert (site / unquote(parts.path).lstrip("/")).is_file(), f"404.html leads to {parts.path}"


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
    from problem_set_archive import STUDENT_PACKAGES

    for file in released(ROOT):
        code = "\n".join(
            "".join(cell["source"]) for cell in json.loads(file.read_text())["cells"] if cell["cell_type"] == "code"
        )
        imported = set(re.findall(r"^\s*(?:import|from)\s+(\w+)", code, re.MULTILINE))
        import sys

        assert imported <= set(STUDENT_PACKAGES) | set(sys.stdlib_module_names), file.name


def transferred(site: Path, name: str) -> int:
    """What a first visit to a page transfers, text compressed as servers do it: the page and all it requests."""
    import gzip

    from test_book_build import addresses_in, loaded

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


def test_a_rule_is_kept_only_where_it_can_apply():
    import tinycss2
    from page_weight import used_rules

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


def test_what_is_done_to_a_page_can_be_done_again(site):
    from accessible_pages import mended
    from page_weight import lighter

    (sheet,) = site.glob("_static/site-*.css")
    page = (site / "book/index.html").read_text(encoding="utf-8")
    assert lighter(mended(page), site / "_static", sheet.name) == page
