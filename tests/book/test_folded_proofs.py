"""Below each checked result one line says how it was checked, opens the proof without a script, and leads to the ledger."""

import json
import re
from pathlib import Path

import pytest

from book.extensions.ledger.check_cells import Check, checks_in
from book.extensions.ledger.derivations import AUTOMATIC, NUMERIC, SYMBOLIC, Result, Verdict
from book.extensions.ledger.folded_proofs import MINOR_COLOURS, OPEN, row_anchor, words_about
from tests.support.book_pages import chapters, html_of, source_of, text_of


def checks_of(page: str) -> list[Check]:
    return checks_in(text_of(page), page)


def is_open(check: Check) -> bool:
    cells = [cell for cell in source_of(check.page).cells if cell.cell_type == "code"]
    return OPEN in cells[check.cell - 1].metadata.get("tags", [])


@pytest.mark.parametrize("page", chapters())
def test_a_line_stands_directly_below_each_result(site, page):
    html = html_of(site, page)
    ledger = html_of(site, "book/reference/derivations")
    checks = checks_of(page)
    for check in checks:
        equation = html.find(id=f"equation-{check.result}")
        line = equation.find_next_sibling()
        assert line is not None, f"{check.where}: nothing below the equation"
        assert line.get("class") == ["checked"], f"{check.where}: no line directly below the equation"
        said = line.select_one("summary, p").get_text()
        assert re.search(r"checked by SymPy.* and in (?:one|two|three) other way", said), f"{check.where}: {said!r}"
        assert check.proved == "in general" or check.proved in said, (
            f"{check.where}: the line conceals {check.proved!r}"
        )
        address, _, anchor = line.select_one(":scope > a")["href"].partition("#")
        assert address.endswith("reference/derivations.html")
        row = ledger.find(id=anchor)
        assert row is not None, f"{check.where}: the line leads to {anchor}, which is nowhere"
        assert row.select_one("a")["href"].endswith(f"#equation-{check.result}"), (
            f"{check.where}: the line leads to the row of another result"
        )
    assert len(html.select("div.checked")) == len(checks)


@pytest.mark.parametrize("page", chapters())
def test_the_line_opens_the_whole_proof_and_the_cell_is_nowhere_else(site, page):
    html = html_of(site, page)
    shown_by_cells = [code.get_text().strip() for code in html.select("div.cell_input pre")]
    for check in checks_of(page):
        line = html.find(id=f"equation-{check.result}").find_next_sibling()
        proof = [code.get_text().strip() for code in line.select("details:not([open]) pre")]
        if is_open(check):
            assert proof == []
            assert check.source.strip() in shown_by_cells
        else:
            assert proof == [check.source.strip()], f"{check.where}: the line does not open the proof"
            assert check.source.strip() not in shown_by_cells, f"{check.where}: the proof is on the page twice"
            assert not line.select("script")


@pytest.mark.parametrize("page", chapters())
def test_the_notebook_to_download_has_the_proofs(site, page):
    file = (site / page).with_name(f"{Path(page).name}.ipynb")
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    code = {"".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "code"}
    missing = [check.result for check in checks_of(page) if check.source.strip() not in code]
    assert not missing


@pytest.mark.parametrize("page", chapters())
def test_no_proof_interrupts_a_sentence(page):
    """In the source and in the notebook, where the cells stand as the author placed them."""
    cells = source_of(page).cells
    for cell, following in zip(cells, cells[1:], strict=False):
        if "check" in cell.metadata and following.cell_type == "markdown":
            first = following.source.lstrip()[:1]
            assert not first.islower(), (
                f"{page}: the cell that checks {cell.metadata['check']['result']} interrupts a sentence; "
                f"end the sentence at the equation, or put the cell below: {following.source.strip()[:60]!r}"
            )


@pytest.mark.parametrize(
    ("proved", "methods", "words"),
    [
        ("in general", [SYMBOLIC, NUMERIC], "checked by SymPy and in one other way"),
        ("for k = 3", [SYMBOLIC, NUMERIC, AUTOMATIC], "checked by SymPy for k = 3, and in two other ways"),
    ],
)
def test_the_line_counts_the_checks(proved, methods, words):
    check = Check("page", 1, "", "eq-x", "derivative", "f", "g", ("x",), (("x", 0.0, 1.0),), proved)
    assert words_about(Result(check, tuple(Verdict(method, True) for method in methods))) == words


def test_rows_have_their_own_ids():
    assert row_anchor("eq-central-error") == "checks-of-central-error"


def test_folded_code_keeps_the_colours_of_words_and_comments_only():
    code = (
        '<span class="kn">import</span> <span class="o">+</span> <span class="mi">1</span> <span class="c1"># a</span>'
    )
    assert MINOR_COLOURS.sub(r"\1", code) == '<span class="kn">import</span> + 1 <span class="c1"># a</span>'
