"""The lines below results in a browser: they open without a script, lead into the ledger's folds, and stay short on paper."""

import pytest
from playwright.sync_api import expect

from tests.support.visits import DESK, PATIENCE, PHONE

CHAPTER = "book/gradients/computation-graphs"


@pytest.fixture(scope="module", params=[True, False], ids=["scripts", "no scripts"])
def window(browser, request):
    """A window, with and without scripts."""
    context = browser.new_context(viewport=DESK, java_script_enabled=request.param)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


def test_a_key_opens_the_proof_and_closes_it(address, window):
    page = window.new_page()
    page.goto(f"{address}{CHAPTER}.html")
    line = page.locator(".checked").first
    code, summary = line.locator("pre"), line.locator("summary")
    assert not code.is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    code.wait_for(state="visible")
    assert "import sympy" in code.inner_text()
    page.keyboard.press("Enter")
    code.wait_for(state="hidden")
    page.close()


def test_the_link_opens_the_fold_in_the_ledger_that_has_the_row(address, window):
    page = window.new_page()
    page.goto(f"{address}{CHAPTER}.html")
    page.locator(".checked > a").nth(1).click()
    row = page.locator("tr:target")
    row.wait_for(state="visible")
    expect(row).to_be_in_viewport(timeout=PATIENCE)  # it scrolls there
    assert page.locator("details.ledger-chapter[open]").count() == 1
    page.close()


def test_a_finger_hits_the_line(opened):
    page = opened(f"{CHAPTER}.html", PHONE, has_touch=True)
    for target in (page.locator(".checked summary").first, page.locator(".checked > a").first):
        assert target.bounding_box()["height"] >= 24  # WCAG 2.2, 2.5.8


def test_on_paper_proofs_stay_folded(opened):
    page = opened(f"{CHAPTER}.html")
    page.wait_for_load_state("networkidle")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".checked details[open]").count() == 0
    assert page.locator(".checked pre").first.is_hidden()
    assert page.locator(".solution pre, .self-check details ol").first.is_visible()
