"""Wrong code looks wrong: the tagged cells, their words, and the marks in their code."""

import re

import pytest

from book.extensions.site.marked_cells import marked
from tests.support import ROOT
from tests.support.book_pages import html_of, pages, source_of

GALLERY = "book/practice/fault-gallery"


def tagged(page: str):
    """The cells of a page that are tagged as faulty or repaired."""
    return [cell for cell in source_of(page).cells if {"faulty", "repaired"} & set(cell.metadata.get("tags", ()))]


@pytest.mark.parametrize("page", pages())
def test_the_tagged_cells_say_so_and_mark_their_words(site, page):
    shown = html_of(site, page).select("div.cell:is(.tag_faulty, .tag_repaired)")
    cells = tagged(page)
    assert len(shown) == len(cells)
    for cell, html in zip(cells, shown, strict=True):
        faulty, repaired = "faulty" in cell.metadata["tags"], "repaired" in cell.metadata["tags"]
        words = html.select_one("p.cell-mark").get_text()
        assert words == ("faulty and right" if faulty and repaired else "faulty" if faulty else "repaired")
        marks = "".join(mark.get_text() for mark in html.select("pre mark"))
        for word in cell.metadata.get("changed", ()):
            assert word in marks, f"{word} is not marked: {marks}"


def test_every_fault_has_a_cell_that_shows_it_as_wrong():
    for page in pages():
        for section in re.split(
            r"^(?=\(fault-)", (ROOT / f"{page}.md").read_text(encoding="utf-8"), flags=re.MULTILINE
        )[1:]:
            name = re.match(r"\((fault-[\w-]+)\)=", section)[1]
            section = re.split(r"^#{1,3} ", section, maxsplit=2, flags=re.MULTILINE)[1]
            has_cells = "```{code-cell}" in section
            if has_cells and name not in ONLY_STATED:
                assert re.search(r"^tags: \[faulty", section, re.MULTILINE), f"{page}: no cell of {name} is tagged"


#: False statements: their cells compute what is right.
ONLY_STATED = {"fault-inversely-proportional", "fault-title"}


def test_the_gallery_marks_what_it_compares():
    assert len(tagged(GALLERY)) >= 25


def test_a_mark_runs_across_elements():
    code = '<span class="nb">sum</span>(x <span class="o">&lt;</span> y)'
    assert marked(code, ["x < y"]) == (
        '<span class="nb">sum</span>(<mark>x </mark><span class="o"><mark>&lt;</mark></span><mark> y</mark>)'
    )


def test_every_place_of_a_word_is_marked():
    assert marked("a + b + a", ["a"]) == "<mark>a</mark> + b + <mark>a</mark>"


def test_a_word_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="z"):
        marked("a + b", ["z"])
