"""What a sheet of paper may tear apart, and what the file of the book says about itself; test_printing.py prints."""

import pytest

from book.pdf import INFORMATION, Page, numbered_links, without_dates

# How the first element of a kind may be divided between two sheets; null if there is none, or none is shown.
BREAKS = """selector => {
    const one = [...document.querySelectorAll(`article ${selector}`)].find(one => one.checkVisibility());
    return one ? getComputedStyle(one).breakInside : null;
}"""
SHORT, LONG = "table:not(.ledger, :has(tr:nth-child(8)))", "table:has(tr:nth-child(8))"


@pytest.mark.parametrize(
    ("page", "kind", "expected"),
    [
        ("book/information/entropy", "h3", "avoid"),
        ("book/information/entropy", "div.cell_input", "avoid"),
        ("book/information/entropy", ".self-check", "avoid"),
        ("book/information/entropy", "div.proof.theorem", "avoid"),
        ("book/information/entropy", "div.proof:not(:has(> .admonition-title))", "auto"),
        ("book/information/entropy", "div.solution", "auto"),
        ("book/practice/for-instructors", SHORT, "avoid"),
        ("book/practice/for-instructors", LONG, "auto"),
        ("book/practice/for-instructors", "details:has(table.proof-table)", None),
    ],
)
@pytest.mark.sampled(3)
def test_short_things_stay_on_one_sheet_and_long_ones_leave_none_half_empty(opened, page, kind, expected):
    window = opened(f"{page}.html")
    window.emulate_media(media="print")
    assert window.evaluate(BREAKS, kind) == expected


def test_the_file_says_what_it_is_and_not_when_or_by_what_it_was_made():
    before, after = b"%PDF-1.4\n", b"\nendobj\n2 0 obj\n<</Title (another)>>\nendobj\n"
    said = b"/Title (x)\n/Creator (%s)\n/CreationDate (D:20260101000000+00'00')" % (b"Mozilla/5.0 " * 30)
    pdf = before + b"1 0 obj\n<<" + said + b">>" + after
    changed = without_dates(pdf)
    assert len(changed) == len(pdf), "the file's table of places would be wrong"
    assert changed.startswith(before)
    assert changed.endswith(after)
    assert b"/Title (From Bits to Backprop)" in INFORMATION.search(changed)[1]
    assert not any(name in changed for name in (b"CreationDate", b"Creator", b"Mozilla"))
    assert without_dates(changed) == changed


def test_the_way_into_the_ledger_gets_the_number_of_its_page():
    page = Page("book/a", "", '<a href="#reference-derivations--checks-of-slope">ledger</a> <a href="#b">ledger</a>')
    assert numbered_links(page) == (
        '<a class="numbered" href="#reference-derivations--checks-of-slope">ledger</a> <a href="#b">ledger</a>'
    )
