"""The list of problem sets in a chapter matches the released notebooks."""

import json

import pytest

from book.extensions.problem_sets.released_sets import read_released, released
from tests.support import ROOT
from tests.support.book_pages import chapters, html_of


def notebook(**changed) -> dict:
    about = {"title": "Information", "chapters": ["information/entropy"], "minutes": 90, **changed}
    cells = [
        {"cell_type": "code", "metadata": {"nbgrader": {"grade": True, "solution": False, "points": 3}}},
        {"cell_type": "code", "metadata": {"nbgrader": {"grade": False, "solution": True}}},
        {"cell_type": "markdown", "metadata": {"nbgrader": {"grade": True, "solution": True, "points": 2}}},
        {"cell_type": "markdown", "metadata": {}},
    ]
    return {"metadata": {"autograder": about}, "cells": cells, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "exercises" / "ps1"
    folder.mkdir(parents=True)
    (folder / "ps1.ipynb").write_text(json.dumps(notebook()))
    return folder / "ps1.ipynb"


def test_what_a_released_notebook_says(path):
    found = read_released(path)
    assert (found.name, found.title, found.chapters) == ("ps1", "Information", ("information/entropy",))
    assert (found.points, found.by_hand, found.minutes) == (5, 2, 90)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", json.dumps(notebook(minutes="long")), json.dumps(notebook(chapters=None))]
)
def test_what_is_not_a_released_problem_set_is_refused(path, content):
    path.write_text(content)
    with pytest.raises(ValueError, match="not a released problem set .*; release it again"):
        read_released(path)


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_offers_its_problem_sets_as_they_were_released(site, chapter):
    expected = [file for file in released(ROOT) if chapter.removeprefix("book/") in read_released(file).chapters]
    links = html_of(site, chapter).select("ul.problem-sets a.download")
    assert len(links) == len(expected), f"{chapter}: offers {[link['href'] for link in links]}, released are {expected}"
    for link, file in zip(links, expected, strict=True):
        offered = (site / chapter).parent / link["href"]
        assert offered.read_bytes() == file.read_bytes(), f"{chapter}: {link['href']} is not {file}"
        line = link.find_parent("li").get_text()
        assert f"{read_released(file).points} point" in line, f"{chapter}: the points of {file} are missing: {line}"
