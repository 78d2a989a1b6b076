"""The gradient descent animation in a real browser: paused at first, run by keys, right at every step, self-hosted."""

import pytest

from tests.support.book_pages import html_of

PAGE = "book/gradients/gradient-descent"
RATES = {"crawls": 0.05, "settles": 0.3, "oscillates": 0.95, "diverges": 1.05}
STEPS = 20


@pytest.fixture
def movie(site, browser):
    """The animation on its page; a page with a script error, or one that requests another host, fails."""
    page = browser.new_page(reduced_motion="reduce")
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url.startswith("http") else None)
    page.goto((site / f"{PAGE}.html").as_uri())
    yield page.locator(".descent-movie")
    assert not troubles
    page.close()


def degrees(rate: float, step: int) -> str:
    """What the page says about a guest after some steps."""
    error = 8 * (1 - 2 * rate) ** step
    return f"{abs(error):.1f}° too {'cold' if error < 0 else 'hot'}"


def states(movie) -> list[str]:
    return [text.split(",")[0] for text in movie.locator(".state").all_inner_texts()]


def test_the_animation_waits_until_it_is_started(movie):
    movie.page.wait_for_timeout(1000)
    assert movie.locator(".now").inner_text() == "step 0 of 20"
    assert movie.get_by_role("button", name="Play").is_visible()


def test_the_slider_shows_each_step_as_the_formula_gives_it(movie):
    slider = movie.get_by_role("slider", name="Step")
    slider.focus()
    for step in range(STEPS + 1):
        assert movie.locator(".now").inner_text() == f"step {step} of {STEPS}"
        assert states(movie) == [degrees(rate, step) for rate in RATES.values()]
        assert all(words in slider.get_attribute("aria-valuetext") for words in [*RATES, *states(movie)])
        movie.page.keyboard.press("ArrowRight")


def test_the_keyboard_starts_and_pauses_it(movie):
    movie.get_by_role("button", name="Play").focus()
    movie.page.keyboard.press("Enter")
    movie.get_by_text("step 2 of 20").wait_for()
    movie.page.keyboard.press("Space")
    assert movie.get_by_role("button", name="Play").is_visible()
    stopped = movie.locator(".now").inner_text()
    movie.page.wait_for_timeout(1000)
    assert movie.locator(".now").inner_text() == stopped


def test_nothing_glides_for_readers_who_ask_for_less_motion(movie):
    assert movie.locator(".ball").first.evaluate("ball => getComputedStyle(ball).transitionDuration") == "0s"


def test_without_scripts_the_whole_paths_are_shown(site):
    movie = html_of(site, PAGE).select_one(".descent-movie")
    assert movie.select_one(".controls").has_attr("hidden")
    assert [len(trace["points"].split()) for trace in movie.select(".trace")] == [STEPS + 1] * len(RATES)
    assert all(picture["aria-label"] for picture in movie.select("svg"))
    assert not movie.select("[id]")  # a notebook may show it twice
