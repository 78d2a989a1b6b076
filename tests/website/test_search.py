"""The search: what readers type finds the page that they want, by key or by hand, and with a site opened as files too."""

from pathlib import Path

import pytest
import yaml

from tests.support import ROOT
from tests.support.book_pages import html_of
from tests.support.visits import PATIENCE, PHONE

QUERIES = yaml.safe_load(Path(__file__).with_name("search_queries.yml").read_text(encoding="utf-8"))
MISSES = 2  # how many of the queries may have another page first

FIRST_PAGES = """async (queries) => {
    const first = [];
    for (const words of queries) {
        const [page] = await SEARCH.find(words);
        first.push(page ? page.url.replace(/^.*\\/book\\/|\\.html.*$/g, "") : "nothing");
    }
    return first;
}"""


def test_what_readers_type_finds_the_page_that_they_want(opened):
    assert len(QUERIES) == len({query[0] for query in QUERIES}) == 40
    page = opened("book/index.html")
    found = page.evaluate(FIRST_PAGES, [str(query[0]) for query in QUERIES])
    missed = {query[0]: first for query, first in zip(QUERIES, found, strict=True) if first not in query[1:]}
    assert len(missed) <= MISSES, f"another page comes first: {missed}"


def test_the_wanted_pages_exist(site):
    for _, *wanted in QUERIES:
        for name in wanted:
            assert (site / "book" / f"{name}.html").is_file(), name


def test_results_appear_while_the_reader_types_and_answer_to_keys(opened):
    page = opened("book/information/surprisal.html")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+k")
    page.keyboard.type("logsumexp")
    results = page.locator("#pst-search-dialog .search-results")
    results.locator("li a").first.wait_for()
    assert "Softmax" in results.locator("ul.search > li > a").first.inner_text()
    sections = results.locator("ul.search > li").first.locator("li a")
    assert "Log-sum-exp" in sections.first.inner_text()
    assert "⟦" not in results.inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == sections.first.inner_text()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.matches('#pst-search-dialog input')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/softmax.html#log-sum-exp")


def test_the_number_of_results_is_spoken(opened):
    page = opened("search.html?q=entropy")
    status = page.locator("#search-results [role=status]")
    page.locator("#search-results li a").first.wait_for()
    assert "entropy" in status.inner_text()
    page.locator(".bd-search-container input").fill("龘")
    page.wait_for_function("document.querySelector('#search-results [role=status]').textContent.includes('Nothing')")


def test_the_page_of_the_search_lists_what_the_address_asks_for(opened):
    page = opened("search.html?q=Kullback", PHONE)
    page.locator("#search-results li a").first.wait_for()
    excerpt = page.locator("#search-results li p.context").first.inner_text()
    assert len(excerpt) > 60
    assert "⟦" not in excerpt
    page.locator("#search-results li > a").first.click()
    page.wait_for_url("**/divergence.html*")


def test_the_search_opens_from_a_page_by_its_button(opened):
    page = opened("book/index.html")
    page.locator(".search-button__button:visible").first.click()
    page.keyboard.type("gradient")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=gradient")
    page.locator("#search-results li a").first.wait_for()


def test_a_site_opened_as_files_is_searched_too(site, browser):
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{(site / 'search.html').as_uri()}?q=entropy")
    page.locator("#search-results li a").first.wait_for()
    page.locator("#search-results li a").first.click()
    page.wait_for_url("**/*.html*")
    assert page.locator("article h1").count() == 1
    page.close()


def test_without_scripts_the_page_of_the_search_leads_elsewhere(site):
    links = {link["href"] for link in html_of(site, "search").select("noscript a[href]")}
    assert links == {"book/index.html", "book/reference/glossary.html", "genindex.html"}


def test_no_page_loads_the_index_before_it_is_used(site):
    html = html_of(site, "book/information/entropy")
    scripts = [script.get("src", "") for script in html.select("script[src]")]
    assert any(script.endswith("search.js") or "search.js?" in script for script in scripts)
    assert not [script for script in scripts if "searchindex" in script or "pagefind" in script]


def test_the_index_is_small(site):
    files = [file for file in (site / "pagefind").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 1_500_000
    assert not [file.name for file in files if "ui" in file.name]


def test_words_for_a_section_that_does_not_exist_are_a_warning(monkeypatch, tmp_path):
    from book.extensions.site import search_index

    warnings = []
    monkeypatch.setattr(search_index.logger, "warning", lambda text, *values: warnings.append(text % values))
    (tmp_path / "book").mkdir()
    (tmp_path / search_index.WORDS).write_text("sec-nowhere: [word]\n")
    assert search_index.other_words(tmp_path, {}, {}) == {}
    assert len(warnings) == 1
    assert "sec-nowhere" in warnings[0]


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\frac{1}{2}", "1/2"),
        (r"\tfrac12", "1/2"),
        (r"H(p) = -\sum_i p_i \log_2 p_i", "H(p) = -sum_i p_i log_2 p_i"),
        (r"\begin{aligned} & a \\ &= b \end{aligned}", "a = b"),
        (r"0 \le p_{i} \leq 1", "0 ≤ p_i leq 1"),
        (r"\operatorname{LSE}(z)", "LSE(z)"),
    ],
)
def test_formulas_are_indexed_as_they_are_typed(tex, text):
    from book.extensions.site.search_index import formula_as_text

    assert formula_as_text(tex) == text


def test_every_word_of_the_list_belongs_to_one_place():
    asked = yaml.safe_load((ROOT / "book" / "search-words.yml").read_text(encoding="utf-8"))
    assert all(isinstance(word, str) and word.strip() for words in asked.values() for word in words)
    for words in asked.values():
        assert len(words) == len(set(words)), words
