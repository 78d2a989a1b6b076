"""Interactive figures: right at every setting, by keys and by mouse, and a still picture where scripts do not run."""

import copy
import functools
import gzip
import itertools
import math
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support import ROOT
from tests.support.book_pages import code_cells, html_of, pages
from tests.support.chapter_functions import functions_of
from tests.support.visits import DESK, PHONE, WIDER, Visit, violations

FIGURES = {
    "divergence": ("book/information/divergence", "fig-bill"),
    "softmax": ("book/likelihood/softmax", "fig-softmax-shift"),
    "graph": ("book/gradients/computation-graphs", "fig-backward-graph"),
    "descent": ("book/gradients/gradient-descent", "fig-descent-four"),
    "valley": ("book/gradients/gradient-descent", "fig-descent-valley"),
    "coin": ("book/likelihood/maximum-likelihood", "fig-pin-parabola"),
    "representation": ("book/models/neural-networks", "fig-representation"),
    "boundary": ("book/models/logistic-regression", "fig-table-a"),
    "shapes": ("book/arrays/broadcasting", "fig-incompatible"),
    "questions": ("book/information/surprisal", "fig-halving"),
    "huffman": ("book/information/entropy", "fig-huffman"),
}
SHARE = 0.005  # what an arrow key adds to a bar


@functools.cache
def alone(site: Path, kind: str) -> str:
    """The page of a figure without the rest of its article, which a browser shows in a fraction of the time."""
    page, name = FIGURES[kind]
    html = copy.copy(html_of(site, page))
    figure = html.select_one(f"#{name}").extract()
    html.select_one("article").clear()
    html.select_one("article").append(figure)
    return str(html)


@contextmanager
def opened(browser, site: Path, address: str, kind: str, whole: bool, **settings) -> Iterator:
    """A figure on its page; a page that requests another host or logs an error fails."""
    page, name = FIGURES[kind]
    context = browser.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **settings})
    if not whole:
        body = alone(site, kind)
        context.route(f"{address}{page}.html", lambda route: route.fulfill(body=body, content_type="text/html"))
    visit = Visit(context.new_page(), address, page)
    live = visit.page.locator(f"#{name}")
    live.scroll_into_view_if_needed()  # it comes to life when a reader is near
    if settings.get("java_script_enabled", True):
        visit.page.locator(f"#{name}.alive").wait_for()
    yield live
    assert not [url for url in visit.requested if not url.startswith((address, "data:"))]
    assert not visit.complaints
    context.close()


@pytest.fixture
def figure(browser, site, address) -> Iterator[Callable]:
    """Opens figures by kind, alone or on the whole page, and closes them after the test."""
    with ExitStack() as stack:
        yield lambda kind, whole=False, **settings: stack.enter_context(
            opened(browser, site, address, kind, whole, **settings)
        )


def shown(figure, name: str) -> str:
    return figure.locator(f'[data-show="{name}"]').inner_text()


def slider(figure, name: str):
    return figure.get_by_role("slider", name=name, exact=True)


def press(figure, role: str, name: str, *keys: str) -> None:
    """Use a control as a keyboard does: focus it, press keys."""
    figure.get_by_role(role, name=name, exact=True).focus()
    for key in keys:
        figure.page.keyboard.press(key)


# Any of them


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.sampled(3)
def test_every_control_is_reached_by_the_tabulator_in_order(figure, kind):
    live = figure(kind, whole=True)
    controls = live.locator(".interactive :is(input, button, [tabindex='0'])")
    assert controls.count() >= 4
    marked = """control => getComputedStyle(control).outlineStyle !== 'none'
        || getComputedStyle(control.querySelector('.reach')).stroke !== 'none'"""
    controls.first.focus()
    for place in range(controls.count()):
        assert controls.nth(place).evaluate("control => control === document.activeElement"), f"control {place}"
        assert controls.nth(place).evaluate(marked), f"control {place} shows no focus"
        live.page.keyboard.press("Tab")


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.sampled(3)
def test_axe_finds_nothing_while_the_figure_is_used(figure, kind):
    from axe_playwright_python.sync_playwright import Axe

    live = figure(kind, color_scheme="light")
    if kind == "divergence":
        press(live, "slider", "q of fog", "Home")
    if kind == "graph":
        press(live, "button", "Restart", "Enter")
        press(live, "button", "Next", *["Enter"] * 6)
    if kind == "coin":
        press(live, "button", "Throw 100", "Enter")
    if kind == "questions":
        press(live, "button", "Ask", "Enter", "Enter")
    if kind == "huffman":
        press(live, "button", "Join two", "Enter", "Enter", "Enter")
    for scheme in ("light", "dark"):
        live.page.emulate_media(color_scheme=scheme)
        live.page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        found = Axe().run(live.page, context=f"#{FIGURES[kind][1]}", options={"resultTypes": ["violations"]})
        assert not violations(found), scheme


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.sampled(3)
def test_a_phone_shows_the_figure_without_scrolling_sideways(figure, kind):
    live = figure(kind, whole=True, viewport=PHONE)
    assert live.locator(".interactive").is_visible()
    assert live.page.evaluate(WIDER) == []
    for drawing in live.locator("svg:has(text)").all():
        letters = "svg => parseFloat(getComputedStyle(svg).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"
        assert drawing.evaluate(letters) >= 12  # pixels


SCRIPTS = re.compile(r'<script[^>]* src="[^"]*_static/(interactive\.js|figures/[\w-]+\.js)')


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.sampled(3)
def test_the_picture_stays_without_scripts_on_paper_and_when_the_script_fails(browser, address, figure, kind):
    still = figure(kind, java_script_enabled=False)
    assert still.locator("img").is_visible()
    assert not still.locator(".interactive").is_visible()

    live = figure(kind)
    assert live.locator(".interactive").is_visible()
    assert not live.locator("img").is_visible()
    live.page.emulate_media(media="print")
    assert live.locator("img").is_visible()
    assert not live.locator(".interactive").is_visible()

    page, name = FIGURES[kind]
    broken = browser.new_page()
    broken.route(f"**/figures/{kind}.js*", lambda route: route.abort())
    broken.goto(f"{address}{page}.html")
    broken.locator(f"#{name}").scroll_into_view_if_needed()
    assert broken.locator(f"#{name} img").is_visible()
    assert not broken.locator(f"#{name} .interactive").is_visible()
    broken.close()


def test_a_figure_further_down_waits_until_the_reader_comes_near(browser, address):
    page, name = FIGURES["representation"]
    window = browser.new_page(viewport=PHONE)
    window.goto(f"{address}{page}.html")
    window.wait_for_load_state("networkidle")
    assert window.locator(f"#{name}.alive").count() == 0
    window.locator(f"#{name}").scroll_into_view_if_needed()
    window.locator(f"#{name}.alive .interactive").wait_for()
    window.close()


def test_a_page_loads_the_scripts_of_its_own_figures(site):
    for page in pages():
        own = [f"figures/{box['data-interactive']}.js" for box in html_of(site, page).select("[data-interactive]")]
        assert {f"figures/{kind}.js" for kind, (where, _) in FIGURES.items() if where == page} <= set(own)
        loaded = SCRIPTS.findall((site / f"{page}.html").read_text(encoding="utf-8"))
        assert sorted(loaded) == sorted([*own, *(["interactive.js"] if own else [])]), page


def test_the_figures_are_light(site):
    sizes = {
        file.name: len(gzip.compress(file.read_bytes()))
        for file in [site / "_static" / "interactive.js", *(site / "_static" / "figures").iterdir()]
    }
    assert {f"{kind}.js" for kind in FIGURES} == sizes.keys() - {"interactive.js"}
    for page in {page for page, _ in FIGURES.values()}:
        names = [
            file.rpartition("/")[2] for file in SCRIPTS.findall((site / f"{page}.html").read_text(encoding="utf-8"))
        ]
        assert sum(sizes[name] for name in names) < 8_000, page  # bytes
    assert sum(sizes.values()) < 40_000


def test_the_notebook_has_the_picture_and_no_controls(site):
    for page, _ in FIGURES.values():
        notebook = (site / f"{page}.ipynb").read_text(encoding="utf-8")
        assert "data-interactive" not in notebook
        assert "interactive: {" not in notebook


def test_a_template_says_what_it_lacks():
    from jinja2 import UndefinedError

    from book.extensions.site.interactive_figures import controls

    assert 'value="0.75"' in controls(ROOT, "divergence", outcomes=["heads"], p=[0.75], q=[0.5])
    with pytest.raises(UndefinedError, match="'q' is undefined"):
        controls(ROOT, "divergence", outcomes=["heads"], p=[0.75])


def test_controls_need_a_figure():
    from docutils import nodes
    from docutils.utils import new_document
    from sphinx.errors import ExtensionError

    from book.extensions.site.interactive_figures import add_controls

    app = SimpleNamespace(env=SimpleNamespace(docname="a-page"))
    cell = nodes.container(nb_element="cell_code", cell_metadata={"interactive": {"template": "softmax"}})
    document = new_document("a-page")
    document += cell
    with pytest.raises(ExtensionError, match="a-page: a cell with `interactive:` draws no figure"):
        add_controls(app, document)


# p and q as bars


def shares(figure) -> dict[str, list[str]]:
    """The numbers beside the bars, which a screen reader also reads for the sliders."""
    both = {}
    for name in ("p", "q"):
        bars = figure.locator(f'[data-of="{name}"]')
        both[name] = bars.evaluate_all("bars => bars.map(bar => bar.nextElementSibling.textContent)")
        assert both[name] == bars.evaluate_all("bars => bars.map(bar => bar.getAttribute('aria-valuetext'))")
        assert [float(value) for value in both[name]] == bars.evaluate_all("bars => bars.map(bar => +bar.value)")
    return both


def check_bill(figure) -> None:
    """Compare what the figure says about its p and q with NumPy, and their sums with 1."""
    texts = shares(figure)
    assert sum(map(Decimal, texts["p"])) == sum(map(Decimal, texts["q"])) == 1
    p, q = (np.array(texts[name], dtype=float) for name in ("p", "q"))

    def cross_entropy(p, q):
        with np.errstate(divide="ignore"):
            return np.sum(p[p > 0] * -np.log2(q[p > 0]))

    expected = {
        "entropy": cross_entropy(p, p),
        "cross": cross_entropy(p, q),
        "lost": cross_entropy(p, q) - cross_entropy(p, p),
        "reverse": cross_entropy(q, p) - cross_entropy(q, q),
    }
    for name, bits in expected.items():
        text = shown(figure, name)
        if np.isinf(bits):
            assert text == "∞ bits", name
        else:
            assert re.fullmatch(r"\d+\.\d{3} bits", text), f"{name}: {text}"
            assert float(text.split()[0]) == pytest.approx(bits, abs=0.00051), name
    if 0 < expected["lost"] < np.inf:
        wasted = 100 * expected["lost"] / expected["cross"]
        assert shown(figure, "remark").startswith(f"{wasted:.0f} % of the bits"), wasted


def test_the_bars_start_with_the_numbers_of_the_chapter(figure):
    live = figure("divergence")
    assert shares(live) == {"p": ["0.250", "0.125", "0.500", "0.125"], "q": ["0.500", "0.250", "0.125", "0.125"]}
    assert [shown(live, name) for name in ("entropy", "lost", "cross", "reverse")] == [
        "1.750 bits",
        "0.625 bits",
        "2.375 bits",
        "0.500 bits",
    ]


def test_arrow_keys_move_a_bar_and_the_others_give_way(figure):
    live = figure("divergence")
    for name in ("p of sun", "q of rain", "p of fog", "q of sun"):
        before = float(slider(live, name).input_value())
        press(live, "slider", name, "ArrowRight", "ArrowUp", "ArrowUp")
        assert float(slider(live, name).input_value()) == pytest.approx(before + 3 * SHARE)
        check_bill(live)
        press(live, "slider", name, "PageDown", "ArrowLeft")
        check_bill(live)


def test_a_bar_can_go_to_either_end_and_back_without_changing_the_proportions(figure):
    live = figure("divergence")
    start = shares(live)
    press(live, "slider", "q of rain", "End")
    assert shares(live)["q"] == ["0.000", "0.000", "1.000", "0.000"]
    check_bill(live)
    press(live, "slider", "q of rain", "Home")
    assert shares(live)["q"][2] == "0.000"
    check_bill(live)
    press(live, "slider", "q of rain", *["ArrowRight"] * 25)
    assert shares(live) == start


def test_a_zero_in_q_alone_costs_infinitely_many_bits(figure):
    live = figure("divergence")
    press(live, "slider", "q of fog", "Home")
    assert shown(live, "lost") == shown(live, "cross") == "∞ bits"
    assert "p sends fog" in shown(live, "remark")
    assert live.locator(".part.lost").evaluate("part => part.classList.contains('endless')")
    check_bill(live)
    press(live, "slider", "p of fog", "Home")
    assert "fog" not in shown(live, "remark")
    assert not live.locator(".part.lost").evaluate("part => part.classList.contains('endless')")
    check_bill(live)


def test_the_bar_of_bits_is_as_long_as_the_bits(figure):
    live = figure("divergence")
    press(live, "slider", "q of sun", *["ArrowRight"] * 10)
    whole = live.locator(".stack").bounding_box()["width"] / 8
    for part in ("entropy", "lost"):
        bits = float(shown(live, part).split()[0])
        assert live.locator(f".part.{part}").bounding_box()["width"] / whole == pytest.approx(bits, abs=0.02)


def test_the_buttons_swap_equal_and_restore(figure):
    live = figure("divergence")
    start = shares(live)
    press(live, "button", "Swap p and q", "Enter")
    assert shares(live) == {"p": start["q"], "q": start["p"]}
    check_bill(live)
    press(live, "button", "Set q to p", "Space")
    assert shares(live)["p"] == shares(live)["q"] == start["q"]
    assert shown(live, "lost") == "0.000 bits"
    press(live, "slider", "q of wind", "ArrowRight")  # p stays as it was
    assert shares(live)["p"] == start["q"]
    check_bill(live)
    press(live, "button", "Start again", "Enter")
    assert shares(live) == start


@pytest.mark.parametrize("target", [0.8, 0.05])
def test_a_bar_follows_the_mouse_and_ends_where_it_is(figure, target):
    live = figure("divergence")
    bar = slider(live, "q of sun")
    bar.scroll_into_view_if_needed()
    box, mouse = bar.bounding_box(), live.page.mouse
    scale = live.locator(".axis").first.bounding_box()  # from 0 to 1
    middle = box["y"] + box["height"] / 2
    mouse.move(scale["x"] + 0.5 * scale["width"], middle)
    mouse.down()
    mouse.move(scale["x"] + target * scale["width"], middle, steps=5)
    mouse.up()
    assert float(shares(live)["q"][0]) == pytest.approx(target, abs=2 * SHARE)
    check_bill(live)


# Softmax


def choose(figure, c: float, T: float) -> None:
    slider(figure, "shift c").fill(str(c))
    slider(figure, "temperature T").fill(str(T))


def softmax_rows(figure) -> dict[str, list[str]]:
    return {
        form: figure.locator(f'[data-form="{form}"] [data-show="p"]').all_inner_texts() for form in ("naive", "shifted")
    }


def in_numpy(c: float, T: float, scores: tuple[float, ...] = (2, 1, 0.1)) -> dict[str, list[str]]:
    z = (np.array(scores) + c) / T
    e = np.exp(z - z.max())
    with np.errstate(all="ignore"):
        naive = np.exp(z) / np.sum(np.exp(z))
    return {"naive": [f"{p:.4f}" for p in naive], "shifted": [f"{p:.4f}" for p in e / e.sum()]}


def test_softmax_agrees_with_numpy_at_every_setting(figure):
    live = figure("softmax")
    assert softmax_rows(live) == in_numpy(1000, 1)
    overflows = 0
    for c, T in [(0, 1), (707, 1), (708, 1), (709, 1), (1000, 1), (1000, 10), (70, 0.1), (68, 0.1), (3, 0.5), (-700, 1),
                 (-746, 1), (-1000, 1), (-1000, 2), (-70, 0.1), (0, 10)]:  # fmt: skip
        choose(live, c, T)
        expected = in_numpy(c, T)
        assert softmax_rows(live) == expected, f"c = {c}, T = {T}"
        overflows += "nan" in expected["naive"]
        assert ("nan" in shown(live, "remark")) == ("nan" in expected["naive"])
    assert 5 <= overflows <= 10


def test_the_sliders_of_the_softmax_take_keys(figure):
    live = figure("softmax")
    press(live, "button", "No shift, T = 1", "Enter")
    assert (shown(live, "c"), shown(live, "T")) == ("0", "1")
    assert softmax_rows(live) == in_numpy(0, 1)
    press(live, "slider", "shift c", "ArrowLeft", "ArrowLeft")
    press(live, "slider", "temperature T", "ArrowRight")
    assert (shown(live, "c"), shown(live, "T")) == ("−2", "1.1")
    assert softmax_rows(live) == in_numpy(-2, 1.1)
    press(live, "button", "Start again", "Enter")
    assert softmax_rows(live) == in_numpy(1000, 1)


def test_the_scores_of_the_softmax_can_be_moved(figure):
    live = figure("softmax")
    press(live, "button", "No shift, T = 1", "Enter")
    for scores in [(2, 1, 0.1), (-5, 5, 0), (3.3, 3.3, 3.3), (0, 0, 0)]:
        for name, score in zip(("cat", "dog", "horse"), scores, strict=True):
            slider(live, f"score of {name}").fill(str(score))
        assert softmax_rows(live) == in_numpy(0, 1, scores)
        p = np.exp(scores) / np.exp(scores).sum()
        assert float(shown(live, "entropy").split()[0]) == pytest.approx(-np.sum(p * np.log(p)), abs=0.00051)
    assert shown(live, "scores") == "(0, 0, 0)"


def test_the_bars_of_the_softmax_are_as_long_as_the_probabilities(figure):
    live = figure("softmax")
    choose(live, 0, 2)
    for form, texts in softmax_rows(live).items():
        rows = live.locator(f'[data-form="{form}"]')
        for place, text in enumerate(texts):
            track = rows.nth(place).locator(".track").bounding_box()["width"] - 2  # less its two ends
            assert rows.nth(place).locator(".bar").bounding_box()["width"] == pytest.approx(float(text) * track, abs=1)


# The graph

GRADED = ["J", "v", "a", "u", "b", "c"]  # the order in which the gradients become known
VALUES = ["a", "b", "c", "u", "v", "J"]


def in_python(a: float, b: float, c: float) -> dict[str, float]:
    """Values from the formula; gradients by changing one value and keeping everything not computed from it."""

    def load(**fixed):
        u = fixed.get("u", fixed.get("b", b) * fixed.get("c", c))
        v = fixed.get("v", fixed.get("a", a) + u)
        return {"u": u, "v": v, "J": fixed.get("J", 3 * v)}

    values = {"a": a, "b": b, "c": c, **load()}
    slopes = {f"d{x}": load(**{x: y + 0.5})["J"] - load(**{x: y - 0.5})["J"] for x, y in values.items()}
    return values | slopes  # J is linear in each, so that these differences are the derivatives


def visible_numbers(figure) -> dict[str, float]:
    """What the graph shows: values in the nodes, gradients below them."""
    found = {}
    for text in figure.locator("svg [data-value]:not(.unseen)").all():
        found[text.get_attribute("data-value")] = float(text.text_content().split("= ")[-1].replace("−", "-"))
    return found


@pytest.mark.parametrize("inputs", [(5, 3, 2), (0, 4, 1.5), (2.5, 0, 10)])
def test_each_step_shows_its_number_and_no_later_one(figure, inputs):
    live = figure("graph")
    for name, value in zip(["a (kg)", "b (bottles)", "c (kg)"], inputs, strict=True):
        slider(live, name).fill(str(value))
    expected = in_python(*inputs)
    order = [*VALUES, *(f"d{name}" for name in GRADED)]
    assert visible_numbers(live) == {name: expected[name] for name in order[:3]}
    for known in range(3, len(order) + 1):
        assert visible_numbers(live) == {name: expected[name] for name in order[:known]}
        described = live.get_by_role("img").get_attribute("aria-label").partition(". ")[2]
        assert [part.split(" = ")[0] for part in described.strip(".").split(", ")] == order[:known]
        assert live.locator("svg .backward:not(.unseen)").count() == max(0, known - 7)
        assert live.locator("svg .forward:not(.unseen)").count() == 5 - max(0, known - 7)
        press(live, "button", "Next", "Enter")
    assert live.get_by_role("button", name="Next").get_attribute("aria-disabled") == "true"
    assert visible_numbers(live) == expected
    press(live, "button", "Back", "Space", "Space")
    assert visible_numbers(live) == {name: expected[name] for name in order[:-2]}


def test_the_steps_are_the_lines_of_the_chapter(site, figure):
    page, _ = FIGURES["graph"]
    named = {cell.metadata.get("name"): cell.source for cell in code_cells(site, page)}
    lines = "\n".join([named["graph-forward"], named["graph-backward"]]).splitlines()
    statements = [
        re.sub(r"\s*#.*", "", line).replace("1.0", "1") for line in lines if re.match(r"(?:[uvJ]|d\w) = ", line)
    ]
    live = figure("graph")
    press(live, "button", "Next", *["Enter"] * 9)
    told = live.locator("ol li").all_inner_texts()
    assert [line.split(" = ")[0] + " = " + line.split(" = ")[1] for line in told] == statements
    names: dict[str, float] = {"a": 5, "b": 3, "c": 2}
    for line in told:
        exec(" = ".join(line.split(" = ")[:2]), {}, names)
        assert float(line.split(" = ")[-1]) == names[line.split(" = ")[0]]
        assert eval(line.split(" = ")[2 if line.count("=") > 2 else 1]) == names[line.split(" = ")[0]]


def test_the_graph_takes_keys_and_says_its_step(figure):
    live = figure("graph")
    press(live, "button", "Next", *["Enter"] * 9)
    press(live, "slider", "b (bottles)", "ArrowRight", "ArrowRight")
    assert visible_numbers(live) == in_python(5, 4, 2)
    assert shown(live, "remark") == "Step 9 of 9, backward: dc = du * b = 3 * 4 = 12"
    press(live, "button", "Back", "Enter")
    assert shown(live, "remark") == "Step 8 of 9, backward: db = du * c = 3 * 2 = 6"
    assert live.locator('li[aria-current="step"]').inner_text() == "db = du * c = 3 * 2 = 6"
    press(live, "button", "Restart", "Enter")
    assert shown(live, "remark").startswith("Only the inputs are known.")
    press(live, "button", "Back", "Enter")  # nothing before the start
    press(live, "button", "Next", "Enter")
    assert shown(live, "remark") == "Step 1 of 9, forward: u = b * c = 4 * 2 = 8"


# What the figures with axes share


def curve(figure, drawing: str, path: str, x: tuple[float, float], y: tuple[float, float]) -> np.ndarray:
    """The points of a line in the numbers of the axes, whose frame is drawn down and then right."""
    frame = figure.locator(f"{drawing} .frame path").get_attribute("d")
    left, top, bottom, right = map(float, re.fullmatch(r"M([\d.]+) ([\d.]+)V([\d.]+)H([\d.]+)", frame).groups())
    drawn = figure.locator(f"{drawing} {path}").get_attribute("d")
    points = np.array([float(number) for number in re.findall(r"-?[\d.]+", drawn)]).reshape(-1, 2)
    share = (points - [left, bottom]) / [right - left, top - bottom]
    return [x[0], y[0]] + share * [x[1] - x[0], y[1] - y[0]]


def drag(figure, handle, right: float, down: float) -> None:
    """Drag a point by so many pixels."""
    handle.scroll_into_view_if_needed()
    box, mouse = handle.locator(".reach").bounding_box(), figure.page.mouse
    place = box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2 + 3  # not quite in its middle
    mouse.move(*place)
    mouse.down()
    mouse.move(place[0] + right, place[1] + down, steps=4)
    mouse.up()


@pytest.mark.parametrize(("kind", "every"), [("descent", 350), ("representation", 60), ("huffman", 900)])
def test_the_player_runs_stops_and_announces_only_when_it_has_stopped(figure, kind, every):
    live = figure(kind)
    time, said = live.locator('[data-set="t"]'), live.locator("output")
    press(live, "button", "Play", "Enter")
    live.page.wait_for_function(
        "([slider, most]) => slider.value > 0 && slider.value < most",
        arg=[time.element_handle(), time.get_attribute("max")],
    )
    assert said.get_attribute("aria-live") == "off"
    press(live, "button", "Pause", "Space")
    stopped = time.input_value()
    live.page.wait_for_timeout(3 * every)
    assert time.input_value() == stopped
    assert said.get_attribute("aria-live") is None
    assert live.get_by_role("button", name="Play").is_visible()


# Gradient descent on a parabola


@pytest.mark.parametrize("rate", [0, 0.05, 0.3, 0.5, 0.95, 1, 1.05, 1.1])
def test_the_parabola_shows_each_step_as_the_formula_gives_it(figure, rate):
    live = figure("descent")
    slider(live, "learning rate η").fill(str(rate))
    for step in (0, 1, 7, 20):
        slider(live, "step").fill(str(step))
        error = 8 * (1 - 2 * rate) ** step
        degrees, words = re.fullmatch(r"([\d.]+)° too (hot|cold)", shown(live, "error")).groups()
        assert float(degrees) == pytest.approx(abs(error), abs=0.0051)
        assert words == ("cold" if error < 0 else "hot") or degrees == "0.00"
        assert float(shown(live, "factor").replace("−", "-")) == pytest.approx(1 - 2 * rate, abs=0.0051)
        path = curve(live, "svg.parabola", ".trace", (-6.4, 6.4), (-2, 41))
        assert path[:, 0] == pytest.approx(4 * (1 - 2 * rate) ** np.arange(step + 1), abs=0.03)
    words = {0: "changes nothing", 0.05: "crawls", 0.3: "settles", 0.5: "One step arrives", 0.95: "oscillates"}
    assert words.get(rate, "to and fro" if rate == 1 else "diverges") in shown(live, "remark")


def test_the_start_on_the_parabola_is_moved_by_keys_and_by_mouse(figure):
    live = figure("descent")
    start = slider(live, "Start")
    press(live, "slider", "Start", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    assert start.get_attribute("aria-valuetext") == "3.7 notches off"
    assert shown(live, "error") == "7.40° too hot"
    press(live, "slider", "Start", *["Shift+ArrowLeft"] * 20)
    assert start.get_attribute("aria-valuetext") == "−6.4 notches off"  # the edge
    press(live, "button", "Start again", "Enter")
    width = live.locator("svg.parabola").bounding_box()["width"] - 40 - 18  # of the axis: what is beside it
    drag(live, start, -3 / 12.8 * width, 0)
    assert float(start.get_attribute("aria-valuetext").split()[0]) == pytest.approx(1, abs=0.11)


def test_the_guests_choose_their_rates(figure):
    live = figure("descent")
    for name, rate in {"Crawls": "0.05", "Settles": "0.30", "Oscillates": "0.95", "Diverges": "1.05"}.items():
        press(live, "button", "One step", "Enter")
        press(live, "button", name, "Enter")
        assert (shown(live, "rate"), shown(live, "t")) == (rate, "0")


# The valley


def rolled(rate: float, beta: float, steps: int, start: tuple[float, float] = (10, 1)) -> np.ndarray:
    path, v = [np.array(start, dtype=float)], 0
    for _ in range(steps):
        v = beta * v - rate * np.array([1, 10]) * path[-1]
        path.append(path[-1] + v)
    return np.array(path)


@pytest.mark.parametrize(("rate", "beta"), [(0.05, 0), (0.18, 0), (0.2, 0), (0.21, 0), (0.23, 0.27), (0.1, 0.9)])
def test_the_valley_agrees_with_numpy(figure, rate, beta):
    live = figure("valley")
    slider(live, "learning rate η").fill(str(rate))
    slider(live, "momentum β").fill(str(beta))
    for step in (1, 5, 20):
        slider(live, "step").fill(str(step))
        path = rolled(rate, beta, step)
        place = [float(number) for number in shown(live, "place").replace("−", "-").strip("()").split(", ")]
        assert place == pytest.approx(path[-1], abs=0.00051)
        assert float(shown(live, "cost").replace("−", "-")) == pytest.approx(path[-1] ** 2 @ [0.5, 5], rel=0.006)
        assert curve(live, "svg", ".trace", (-4, 11.5), (-2.6, 2.6)) == pytest.approx(path, abs=0.02)
    for name, bend in (("along", 1), ("across", 10)):
        roots = np.roots([1, -(1 + beta - rate * bend), beta])
        assert float(shown(live, name)) == pytest.approx(abs(roots).max(), abs=0.00051)
    verdict = "diverges" if rate == 0.21 else "never arrives" if rate == 0.2 else "sets the pace"
    assert verdict in shown(live, "remark")


def test_the_start_in_the_valley_is_moved_by_keys_and_by_mouse(figure):
    live = figure("valley")
    press(live, "slider", "Start", "ArrowUp", "ArrowRight")
    assert slider(live, "Start").get_attribute("aria-valuetext") == "θ1 10.1, θ2 1.1"
    path = rolled(0.18, 0, 20, (10.1, 1.1))
    assert curve(live, "svg", ".trace", (-4, 11.5), (-2.6, 2.6)) == pytest.approx(path, abs=0.02)
    drag(live, slider(live, "Start"), -100, -40)
    x, y = map(float, re.findall(r"(?<= )[\d.]+", slider(live, "Start").get_attribute("aria-valuetext")))
    assert x < 9
    assert y > 1.3
    path = rolled(0.18, 0, 20, (x, y))
    assert curve(live, "svg", ".trace", (-4, 11.5), (-2.6, 2.6)) == pytest.approx(path, abs=0.02)


# The pin


def check_record(figure, truth: float) -> tuple[int, int]:
    """Compare what the figure says about its record with NumPy; return the record."""
    n, k = map(int, re.fullmatch(r"(\d+) times, (\d+) up", shown(figure, "counts")).groups())
    if 0 < k < n:
        best = k / n

        def log_likelihood(theta):
            return k * np.log(theta) + (n - k) * np.log(1 - theta)

        assert float(shown(figure, "estimate")) == pytest.approx(best, abs=0.000051)
        assert float(shown(figure, "width")) == pytest.approx(np.sqrt(best * (1 - best) / n), abs=0.000051)
        gap = log_likelihood(best) - log_likelihood(truth)
        assert float(shown(figure, "gap")) == pytest.approx(gap, abs=0.0051)
        points = curve(figure, "svg", ".curve.model", (0, 1), (-4, 0.3))
        near = points[(points[:, 1] > -4) & (points[:, 0] > 0.01) & (points[:, 0] < 0.99)]
        slope = abs(k / near[:, 0] - (n - k) / (1 - near[:, 0]))
        expected = log_likelihood(near[:, 0]) - log_likelihood(best)
        assert np.all(abs(near[:, 1] - expected) < 0.01 + 0.0003 * slope)  # drawn to tenths of pixels
    return n, k


def test_the_record_of_the_pin_grows_and_its_peak_agrees_with_numpy(figure):
    live = figure("coin")
    assert check_record(live, 0.7) == (10, 7)
    assert live.locator(".record").inner_text() == "●○●●○●●●○●"
    n, k = 10, 7
    for throws in (1, 10, 100, 1000):
        press(live, "button", "Throw 1 more" if throws == 1 else f"Throw {throws}", "Enter")
        after = check_record(live, 0.7)
        assert after[0] == n + throws
        assert k <= after[1] <= k + throws
        n, k = after
        assert len(live.locator(".record").inner_text()) == min(n, 40)
    assert abs(k / n - 0.7) < 0.15  # eleven standard errors


def test_another_chance_begins_a_new_record(figure):
    live = figure("coin")
    press(live, "slider", "True chance", "ArrowLeft", "Shift+ArrowLeft")
    assert slider(live, "True chance").get_attribute("aria-valuetext") == "0.59"
    assert check_record(live, 0.59) == (0, 0)
    assert "the curve is flat" in shown(live, "remark")
    press(live, "slider", "True chance", *["Shift+ArrowRight"] * 5)
    press(live, "button", "Throw 10", "Enter")
    assert check_record(live, 1) == (10, 10)
    assert "All throws fell alike" in shown(live, "remark")
    drag(live, slider(live, "True chance"), -200, 0)
    assert float(slider(live, "True chance").get_attribute("aria-valuetext")) < 0.8
    assert check_record(live, 0.5) == (0, 0)


# The hidden layer

CORNERS, ON = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
STARTS = {
    "A start that works": ([[-0.66, 0.34], [1.74, -0.17]], [[-0.33], [-1.25]]),
    "A start that gets stuck": ([[-0.61, 2.35], [0.16, -0.25]], [[0.46], [1.2]]),
}


def trained(first, second, steps: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Cost, probabilities and hidden values after some steps at rate 0.5."""
    W1, b1, W2, b2 = np.array(first), np.zeros(2), np.array(second), np.zeros(1)
    for step in range(steps + 1):
        A = np.tanh(CORNERS @ W1 + b1)
        Z = A @ W2 + b2
        if step < steps:
            dZ = 1 / (1 + np.exp(-Z)) - ON
            dA = dZ @ W2.T * (1 - A**2)
            W2, b2 = W2 - 0.5 * A.T @ dZ / 4, b2 - 0.5 * dZ.mean(axis=0)
            W1, b1 = W1 - 0.5 * CORNERS.T @ dA / 4, b1 - 0.5 * dA.mean(axis=0)
    return np.mean(np.logaddexp(0, Z) - ON * Z), 1 / (1 + np.exp(-Z[:, 0])), A


@pytest.mark.parametrize("name", STARTS)
def test_the_network_learns_as_numpy_does(figure, name):
    live = figure("representation")
    press(live, "button", name, "Enter")
    assert shown(live, "t") == "0"
    for steps in (0, 100, 1500):
        slider(live, "training step").fill(str(steps))
        cost, p, A = trained(*STARTS[name], steps)
        assert shown(live, "cost") == f"{cost:.4f} nats"
        assert shown(live, "probabilities") == ", ".join(f"{one:.2f}" for one in p)
        right = np.sum((p > 0.5) == (ON[:, 0] == 1))
        assert ("All four" if right == 4 else f"{right} of 4") in shown(live, "remark")
        described = live.locator("svg.hidden-plane").get_attribute("aria-label").replace("−", "-")
        told = [float(number) for number in re.findall(r"-?\d\.\d\d", described)]
        assert told == pytest.approx(A.ravel(), abs=0.0051)
        images = live.locator("svg.hidden-plane .sample")
        assert images.count() == 4
    assert (right == 4) == (name == "A start that works")


def test_the_starts_are_among_those_of_the_chapter():
    draw = np.random.default_rng(3)
    first, second = draw.standard_normal((40, 2, 2)) / np.sqrt(2), draw.standard_normal((40, 2, 1)) / np.sqrt(2)
    drawn = [(W1.round(2).tolist(), W2.round(2).tolist()) for W1, W2 in zip(first, second, strict=True)]
    assert all(start in drawn for start in STARTS.values())


def test_a_random_start_is_another_one(figure):
    live = figure("representation")
    costs = set()
    for _ in range(3):
        press(live, "button", "A start at random", "Enter")
        costs.add(shown(live, "cost"))
    assert len(costs) == 3


# The decision boundary

TABLE_A = [[1, 2], [1, 3], [2, 3], [4, 5], [6, 7]], [0, 0, 0, 1, 1]


def fitted(samples, labels, steps: int) -> tuple[np.ndarray, float]:
    X, y, theta = np.column_stack([samples, np.ones(len(labels))]), np.array(labels), np.zeros(3)
    for _ in range(steps):
        theta = theta - 0.01 * X.T @ (1 / (1 + np.exp(-X @ theta)) - y) / len(y)
    z = X @ theta
    return theta, np.mean(np.logaddexp(0, z) - y * z)


def check_fit(figure, samples, labels, steps: int) -> None:
    theta, cost = fitted(samples, labels, steps)
    told = [float(number) for number in re.findall(r"-?\d+\.\d+", shown(figure, "weights").replace("−", "-"))]
    assert told == pytest.approx(theta, abs=0.00051)
    assert float(shown(figure, "norm")) == pytest.approx(np.hypot(*theta[:2]), abs=0.00051)
    assert shown(figure, "cost") == f"{cost:.4f} nats"
    right = np.sum((np.array(samples) @ theta[:2] + theta[2] >= 0) == np.array(labels, dtype=bool))
    assert shown(figure, "right") == f"{right} of 5"
    line = curve(figure, "svg.plane", ".border:not(.quarter)", (0, 8), (0, 8))
    assert line @ theta[:2] + theta[2] == pytest.approx(0, abs=0.05)


def test_the_boundary_begins_with_the_run_of_the_chapter(figure):
    live = figure("boundary")
    check_fit(live, *TABLE_A, 1000)
    assert "A line separates" in shown(live, "remark")
    for power in (0, 2, 4):
        slider(live, "steps").fill(str(power))
        assert slider(live, "steps").get_attribute("aria-valuetext") == f"{10**power} steps"
        check_fit(live, *TABLE_A, 10**power)
    norms = curve(live, "svg.course", ".curve", (0, 5), (0, 8))
    for power in (0, 1, 2, 3, 4):
        assert norms[4 * power] == pytest.approx([power, np.hypot(*fitted(*TABLE_A, 10**power)[0][:2])], abs=0.02)


def test_samples_are_moved_by_keys_and_by_mouse_and_enter_changes_their_label(figure):
    live = figure("boundary")
    press(live, "slider", "Sample 3, label 0", "Shift+ArrowRight", "ArrowDown", "Enter")
    samples = [*TABLE_A[0][:2], [3, 2.9], *TABLE_A[0][3:]]
    assert slider(live, "Sample 3, label 1").get_attribute("aria-valuetext") == "x1 3, x2 2.9"
    check_fit(live, samples, [0, 0, 1, 1, 1], 1000)
    drag(live, slider(live, "Sample 4, label 1"), -90, 20)
    x, y = map(float, re.findall(r"(?<= )[\d.]+", slider(live, "Sample 4, label 1").get_attribute("aria-valuetext")))
    assert x < 3
    assert y < 5
    check_fit(live, [*samples[:3], [x, y], samples[4]], [0, 0, 1, 1, 1], 1000)
    press(live, "button", "Start again", "Enter")
    check_fit(live, *TABLE_A, 1000)


def test_the_boundary_knows_whether_a_line_separates_the_labels(figure):
    live = figure("boundary")
    press(live, "button", "Mix them", "Enter")
    check_fit(live, TABLE_A[0], [1, 0, 0, 1, 0], 1000)
    assert "No line separates" in shown(live, "remark")
    press(live, "button", "Start again", "Enter")
    for place in (1, 4):  # the first alone is on one side of a line, but not with the last
        press(live, "slider", f"Sample {place}, label {int(place == 4)}", "Enter")
    assert "No line separates" in shown(live, "remark")
    press(live, "slider", "Sample 5, label 1", "Enter")
    assert "A line separates" in shown(live, "remark")
    press(live, "slider", "Sample 1, label 1", "Enter")
    assert "A line separates" in shown(live, "remark")  # one label only


# Shapes


def put(figure, first: str, second: str) -> None:
    for name, shape in (("a", first), ("b", second)):
        figure.get_by_role("textbox", name=f"shape of {name}").fill(shape)


def test_shapes_broadcast_as_in_numpy(figure):
    live = figure("shapes")
    shapes = [(), (1,), (2,), (3,), (2, 3), (2, 1), (1, 3), (3, 2), (0,), (8, 1, 6, 1), (7, 1, 5), (7, 6, 5)]
    for first, second in itertools.product(shapes, repeat=2):
        put(live, ", ".join(map(str, first)), ", ".join(map(str, second)))
        verdict = shown(live, "verdict")
        try:
            result, refusal = (np.zeros(first) + np.zeros(second)).shape, ""
        except ValueError as error:
            refusal = f"ValueError: {error}".strip()
        if refusal:
            assert verdict == refusal
            assert live.locator(".axes .clash").count() >= 1
        else:
            count = math.prod(result)
            assert (
                verdict
                == f"{first} and {second} give {result}, {count:,} number{'s' if count != 1 else ''}.".replace(
                    f"{count:,}", f"{count:,}".replace(",", " ")
                )
            )
            assert [int(text) for text in live.locator(".axes tr:last-child td").all_inner_texts()] == list(result)


def test_the_cells_in_memory_are_solid(figure):
    live = figure("shapes")
    for first, second in [((2, 3), (2, 1)), ((2, 3), (3,)), ((2, 1), (3,)), ((4,), ())]:
        put(live, str(first), str(second))
        assert live.locator(".cells .one").count() == math.prod(first)
        assert live.locator(".cells .two").count() == math.prod(second)
        assert live.locator(".cells .three").count() == math.prod(np.broadcast_shapes(first, second))
    put(live, "8, 1, 6, 1", "7, 1, 5")
    assert not live.locator(".cells").is_visible()


def test_what_is_no_shape_is_said(figure):
    live = figure("shapes")
    for text in ("two", "2, -3", "2; 3", "1.5", ", 2", "1, 1, 1, 1, 1, 1, 1"):
        put(live, text, "2")
        assert shown(live, "verdict").startswith("A shape is a list of whole numbers")
        assert live.get_by_role("textbox", name="shape of a").get_attribute("aria-invalid") == "true"
    put(live, "2, 3", "2,")
    press(live, "button", "b[..., None]", "Enter")
    assert live.get_by_role("textbox", name="shape of b").input_value() == "2, 1"
    assert "give (2, 3)" in shown(live, "verdict")
    press(live, "button", "b[None]", "Enter")
    assert live.get_by_role("textbox", name="shape of b").input_value() == "1, 2, 1"
    press(live, "button", "Swap", "Enter")
    assert live.get_by_role("textbox", name="shape of a").input_value() == "1, 2, 1"


# Questions


@pytest.mark.parametrize("choose", ["half", "one", "third"])
def test_the_answers_tell_the_same_together_whatever_is_asked(figure, choose):
    live = figure("questions")
    left, asked = 100, 0
    while left > 1:
        if choose == "one":
            press(live, "button", "Name one", "Enter")
        if choose == "third":
            slider(live, "named in the question").fill(str(max(1, left // 3)))
        named = int(shown(live, "m"))
        assert live.locator(".dots .named").count() == named
        assert live.locator(".dots .possible").count() == left - named
        p = np.array([named, left - named]) / left
        told = [float(shown(live, name).split()[0]) for name in ("yes", "no", "mean")]
        assert told == pytest.approx([*-np.log2(p), -np.sum(p * np.log2(p))], abs=0.00051)
        press(live, "button", "Ask", "Enter")
        asked += 1
        cells = live.locator(".asked tbody tr").last.locator("td").all_inner_texts()
        after = int(shown(live, "left"))
        assert cells[:3] == [f"one of these {named}, of {left}?", "yes" if after == named else "no", str(after)] or (
            2 * named == left and cells[2] == str(after)
        )
        assert float(cells[3].split()[0]) == pytest.approx(np.log2(left / after), abs=0.00051)
        left = after
    assert shown(live, "told") == f"{np.log2(100):.3f} bits"
    assert f"Found with {asked} question" in shown(live, "remark")
    assert live.get_by_role("button", name="Ask").get_attribute("aria-disabled") == "true"
    if choose == "half":
        assert asked in (6, 7)
    press(live, "button", "Draw another teacher", "Enter")
    assert shown(live, "left") == "100"


# Huffman


@pytest.mark.parametrize("fog", [0.01, 0.1, 0.3, 0.5])
def test_the_codewords_are_those_of_the_chapter(figure, fog):
    live = figure("huffman")
    slider(live, "probability of fog").fill(str(fog))
    day = np.array([fog, 1 - fog])
    three = np.outer(np.outer(day, day), day).ravel()
    names = ["".join(sky) for sky in itertools.product("Fc", repeat=3)]
    expected = dict(zip(names, functions_of("book/information/entropy")["huffman"](three), strict=True))
    for joined in range(8):
        told = live.locator("svg.tree").get_attribute("aria-label")
        codewords = dict(re.findall(r"([Fc]{3}) ([01]+)", told))
        assert all(expected[name].endswith(codeword) for name, codeword in codewords.items())
        assert f"{joined} of 7 joinings" in told
        assert live.locator(".tree .branch").count() == 2 * joined
        assert live.locator(".tree .next").count() == (2 if joined < 7 else 0)
        press(live, "button", "Join two", "Enter")
    assert codewords == expected
    length = three @ [len(expected[name]) for name in names] / 3
    assert float(shown(live, "length")) == pytest.approx(length, abs=0.00051)
    assert float(shown(live, "entropy").split()[0]) == pytest.approx(-np.sum(day * np.log2(day)), abs=0.00051)
    assert float(shown(live, "length")) >= float(shown(live, "entropy").split()[0])
