"""Self-checks and guesses: complete on every page, answered in place, remembered in the browser, forgotten on request."""

import pytest

from tests.support.book_pages import chapters, html_of
from tests.support.visits import DESK, Visit, violations

PAGE, NEXT = "book/information/surprisal", "book/information/entropy"
CHECK = "#check-twice-the-teachers"
RIGHT, WRONG = "One bit more.", "Twice as much."
KEY = "from-bits-to-backprop"


@pytest.fixture
def visit(browser, address):
    """Opens pages in one browser profile; a page that requests another host or logs an error fails."""
    context = browser.new_context(viewport=DESK, reduced_motion="reduce")
    visits = []

    def visit(page: str):
        visits.append(Visit(context.new_page(), address, page))
        return visits[-1].page

    yield visit
    for one in visits:
        assert not [url for url in one.requested if not url.startswith((address, "data:"))]
        assert not one.complaints
    context.close()


def press(place, name: str, key: str = "Enter") -> None:
    place.get_by_role("button", name=name, exact=True).focus()
    place.page.keyboard.press(key)


def test_every_chapter_has_questions_with_a_reason_for_each_choice(site):
    for page in chapters():
        checks = html_of(site, page).select(".self-check")
        assert 2 <= len(checks) <= 4, page
        for check in checks:
            choices, reasons = check.select(":scope > ol > li"), check.select(":scope > details > ol > li")
            assert len(choices) == len(reasons) >= 2, check["id"]
            said = [reason.get_text().strip().partition(".")[0] for reason in reasons]
            assert said.count("Right") == 1
            assert said[int(check["data-answer"]) - 1] == "Right"
            assert set(said) == {"Right", "No"}
            assert all(len(reason.get_text().split()) > 3 for reason in reasons), check["id"]


def test_every_guess_comes_back(site):
    asked = 0
    for page in chapters():
        html = html_of(site, page)
        typed = [line["data-guess"] for line in html.select("[data-guess]")]
        # The puzzle of a whole chapter comes back last, after those within it.
        assert sorted(typed) == sorted(line["data-guessed"] for line in html.select("[data-guessed]")), page
        asked += len(typed)
    assert asked >= 6


def test_without_scripts_a_question_is_read_and_its_answer_unfolds(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / f"{PAGE}.html").as_uri())
    check = page.locator(CHECK)
    assert check.get_by_text(WRONG).is_visible()
    assert not check.get_by_text("No.").first.is_visible()
    check.locator("summary").click()
    assert check.get_by_text("Right.").is_visible()
    assert not page.locator(".guess").is_visible()
    assert page.locator(".guessed").evaluate_all("lines => lines.every(line => line.hidden)")
    context.close()


def test_an_answer_is_judged_in_place_with_its_reason(visit):
    check = visit(PAGE).locator(CHECK)
    assert check.get_by_role("status").inner_text() == ""
    press(check, WRONG)
    assert check.get_by_role("status").inner_text().startswith("No. Twice as many teachers")
    assert check.get_by_role("button", name=WRONG).get_attribute("aria-pressed") == "true"
    press(check, RIGHT, "Space")
    assert check.get_by_role("status").inner_text().startswith("Right.")
    assert check.get_by_role("status").locator(".katex").count() > 0
    assert check.locator("[aria-pressed=true]").all_inner_texts() == [RIGHT]


def ticks(page) -> dict[str, str]:
    """The marks in the contents, by chapter, as a screen reader says them."""
    marks = page.locator("nav.bd-links a:has(.answered)")
    return {
        link.get_attribute("href").rpartition("/")[2].removesuffix(".html"): link.locator(
            ".answered .visually-hidden"
        ).text_content()
        for link in marks.all()
    }


def test_answers_are_remembered_ticked_and_forgotten(visit):
    page = visit(PAGE)
    assert not page.get_by_role("button", name="Forget my answers").is_visible()
    press(page.locator(CHECK), WRONG)
    assert ticks(page) == {}
    press(page.locator(CHECK), RIGHT)
    total = page.locator(".self-check").count()
    assert list(ticks(page).values()) == [f", 1 of {total} questions answered"]
    for check in page.locator(".self-check").all():
        choice = int(check.get_attribute("data-answer")) - 1
        check.locator("button.choice").nth(choice).click()
    assert list(ticks(page).values()) == [", all questions answered"]

    other = visit(NEXT)
    assert ticks(other) == {"surprisal": ", all questions answered"}
    page.reload()
    assert page.locator(CHECK).locator("[aria-pressed=true]").all_text_contents() == [RIGHT]

    press(page.locator("nav.bd-links"), "Forget my answers")
    assert ticks(page) == {}
    assert page.locator("[aria-pressed=true]").count() == 0
    assert page.locator(CHECK).get_by_role("status").inner_text() == ""
    assert page.evaluate(f"localStorage.getItem('{KEY}')") is None
    other.reload()
    assert ticks(other) == {}


def test_a_guess_is_shown_again_where_the_answer_is(visit):
    page = visit(PAGE)
    line = page.get_by_role("textbox", name="How many questions for 1000 teachers?")
    assert not page.locator(".guessed").is_visible()
    line.fill(" a dozen <b>")
    assert page.locator(".guessed").inner_text() == "Your guess: a dozen <b>"
    page.reload()
    assert line.input_value() == "a dozen <b>"
    assert page.locator(".guessed").is_visible()
    line.fill("")
    assert not page.locator(".guessed").is_visible()


def test_storage_that_is_forbidden_or_foreign_stops_nothing(visit):
    page = visit(NEXT)
    page.evaluate(f"localStorage.setItem('{KEY}', 'not ours')")
    page.reload()
    check = page.locator(".self-check").first
    check.locator("button.choice").first.click()
    assert check.get_by_role("status").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.sampled(1)
def test_axe_finds_nothing_in_an_answered_question(visit, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(PAGE)
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
    check = page.locator(CHECK)
    press(check, WRONG)
    for part in (CHECK, ".guess", "nav.bd-links"):
        assert not violations(Axe().run(page, context=part, options={"resultTypes": ["violations"]})), part
    press(check, RIGHT)
    for part in (CHECK, "nav.bd-links"):
        assert not violations(Axe().run(page, context=part, options={"resultTypes": ["violations"]})), part


def test_the_notebook_has_the_question_and_a_folded_answer(site):
    notebook = (site / f"{PAGE}.ipynb").read_text(encoding="utf-8")
    assert "**Check yourself.** Another school has twice as many teachers." in notebook
    assert "<details><summary>Answer</summary>" in notebook
    assert "guess-teachers" not in notebook


@pytest.mark.parametrize(
    "content",
    [
        ":answer: 1\nA question.\n\n- One choice.\n\n  Its reason.",
        ":answer: 3\nA question.\n\n- One.\n\n  A reason.\n- Two.\n\n  A reason.",
        ":answer: 1\nA question.\n\n- One.\n\n  A reason.\n- Two.",
        "A question.\n\n- One.\n\n  A reason.\n- Two.\n\n  A reason.",
        ":answer: 1\nNo list.",
    ],
)
def test_an_incomplete_question_ends_the_build(tmp_path, content):
    from sphinx.application import Sphinx

    (tmp_path / "index.md").write_text(f"# A page\n\n```{{self-check}} check-it\n{content}\n```\n", encoding="utf-8")
    settings = {"extensions": ["myst_parser", "book.extensions.site.self_checks"], "html_theme": "basic"}
    with open(tmp_path / "log", "w") as log:
        app = Sphinx(tmp_path, None, tmp_path / "out", tmp_path / "tree", "html", settings, status=None, warning=log)
        app.build()
    assert "check-it: a self-check has a question, a list of two or more choices" in (tmp_path / "log").read_text()
