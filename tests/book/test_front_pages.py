"""The pages around the chapters: the map, the table of problem sets, the fault gallery, the bibliography."""

import posixpath
import re
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import Tag

from book.extensions.problem_sets.released_sets import read_released, released
from tests.support import ROOT
from tests.support.book_pages import chapters, html_of, pages, some_of, text_of

INDEX = "book/index"
SETS = "book/practice/problem-sets"
GALLERY = "book/practice/fault-gallery"
BIBLIOGRAPHY = "book/reference/bibliography"


def rows_of(table: Tag) -> list[list[str]]:
    """The texts of the cells of a table's body."""
    return [[cell.get_text(" ", strip=True) for cell in row.select("td")] for row in table.select("tbody tr")]


def test_the_map_leads_to_every_chapter_for_wide_screens_and_for_narrow_ones(site):
    maps = html_of(site, INDEX).select("article svg")
    assert len(maps) == 2
    for drawing in maps:
        leads_to = [link["href"] for link in drawing.select("a")]
        assert sorted(leads_to) == sorted(f"{page.removeprefix('book/')}.html" for page in chapters())
        assert drawing["aria-label"], "the map has no name for a screen reader"


def test_the_map_calls_the_chapters_by_their_titles(site):
    for drawing in some_of(html_of(site, INDEX), "article svg"):
        links = drawing.select("a")
        assert len(links) == len(chapters())
        for link in links:
            title = re.search(r"^# (.+)$", text_of(f"book/{link['href'].removesuffix('.html')}"), re.MULTILINE)[1]
            assert link.find("text").get_text() == title, f"the map calls {link['href']} by another name than {title}"


def test_the_table_lists_the_released_sets_and_no_other(site):
    table = html_of(site, SETS).select_one("table.problem-set-table")
    rows = table.select("tbody tr")
    files = list(released(ROOT))
    assert len(rows) == len(files)
    for row, file in zip(rows, files, strict=True):
        problem_set = read_released(file)
        text = row.get_text(" ", strip=True)
        assert problem_set.title in text
        assert f"{problem_set.minutes} min" in text
        assert re.search(rf"\b{problem_set.points}\b", text), f"{problem_set.name}: its points are not in {text}"
        linked = {urlsplit(link["href"]).path for link in row.select("a.internal:not(.download)")}
        assert linked == {posixpath.relpath(f"{chapter}.html", "practice") for chapter in problem_set.chapters}
        offered = (site / SETS).parent / row.select_one("a.download")["href"]
        assert offered.read_bytes() == file.read_bytes()


def test_a_set_that_is_not_released_is_not_promised(site):
    promised = set(re.findall(r"\bps\d-[a-z-]+", html_of(site, SETS).select_one("article").get_text()))
    assert promised <= {file.parent.name for file in released(ROOT)}


def test_the_gallery_has_every_fault_of_the_chapters(site):
    shown = {
        target
        for page in (*chapters(), GALLERY)
        for target in re.findall(r"^\((fault-[\w-]+)\)=$", text_of(page), re.MULTILINE)
    }
    collected = re.findall(r"^(?:\||\* - |\s+- ).*?\{ref\}`[^`<]*<(fault-[\w-]+)>`", text_of(GALLERY), re.MULTILINE)
    assert sorted(collected) == sorted(shown)
    table = html_of(site, GALLERY).select_one("table")
    assert len([row for row in table.select("tbody tr") if row.select_one("a")]) == len(shown)
    for row in rows_of(table):
        assert len(row) == 4
        assert all(row) or not any(row[1:]), f"the row of {row[0]} has a gap"


def citations(site, page):
    """The links of a page that lead to an entry of the bibliography, each with the entry's id."""
    for link in html_of(site, page).select("article a.internal"):
        parts = urlsplit(link["href"])
        if parts.path.endswith("bibliography.html") and parts.fragment:
            yield link, unquote(parts.fragment)


def test_every_chapter_cites(site):
    without = [page for page in chapters() if not list(citations(site, page))]
    assert not without, f"these chapters cite nothing, or their citations are no longer found: {without}"


@pytest.mark.parametrize("page", pages())
def test_a_citation_has_the_words_of_its_entry_in_the_bibliography(site, page):
    if page == BIBLIOGRAPHY:
        return
    entries = {
        entry["id"]: entry.select_one(".label").get_text().strip("[]")
        for entry in html_of(site, BIBLIOGRAPHY).select("div.citation")
    }
    for link, entry in citations(site, page):
        label, text = entries[entry], link.get_text()
        authors, _, year = label.rpartition(", ")
        assert text == label or (text == year and authors in link.find_parent().get_text()), (
            f"{page} cites {label} as {text}"
        )


def test_the_entries_of_the_bibliography_are_in_order_and_no_two_have_the_same_label(site):
    labels = [entry.get_text() for entry in html_of(site, BIBLIOGRAPHY).select("div.citation .label")]
    assert len(set(labels)) == len(labels), "give two works of the same authors and year different labels"
    assert [label.lower() for label in labels] == sorted(label.lower() for label in labels)


def test_the_glossary_is_in_alphabetical_order():
    body = re.search(r"```\{glossary\}\n(.*?)^```", text_of("book/reference/glossary"), re.MULTILINE | re.DOTALL)[1]
    terms = [line for line in body.splitlines() if line and not line[0].isspace()]
    assert len(set(terms)) == len(terms)
    assert [term.lower() for term in terms] == sorted(term.lower() for term in terms)
