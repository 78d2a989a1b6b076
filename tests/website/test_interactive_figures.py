"""Interactive figures: right at every setting, by keys and by mouse, and a still picture where scripts do not run."""

import copy
import functools
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
from tests.support.visits import DESK, PHONE, WIDER, Visit, violations

FIGURES = {
    "divergence": ("book/information/divergence", "fig-bill"),
    "softmax": ("book/likelihood/softmax", "fig-softmax-shift"),
    "graph": ("book/gradients/computation-graphs", "fig-backward-graph"),
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
    yield visit.page.locator(f"#{name}")
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
def test_every_control_is_reached_by_the_tabulator_in_order(figure, kind):
    live = figure(kind, whole=True)
    controls = live.locator("input, button")
    assert controls.count() >= 4
    controls.first.focus()
    for place in range(controls.count()):
        assert controls.nth(place).evaluate("control => control === document.activeElement"), f"control {place}"
        assert controls.nth(place).evaluate("control => getComputedStyle(control).outlineStyle") != "none"
        live.page.keyboard.press("Tab")


@pytest.mark.parametrize("kind", FIGURES)
def test_axe_finds_nothing_while_the_figure_is_used(figure, kind):
    from axe_playwright_python.sync_playwright import Axe

    live = figure(kind, color_scheme="light")
    if kind == "divergence":
        press(live, "slider", "q of fog", "Home")
    if kind == "graph":
        press(live, "button", "Restart", "Enter")
        press(live, "button", "Next", *["Enter"] * 6)
    for scheme in ("light", "dark"):
        live.page.emulate_media(color_scheme=scheme)
        live.page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        found = Axe().run(live.page, context=f"#{FIGURES[kind][1]}", options={"resultTypes": ["violations"]})
        assert not violations(found), scheme


@pytest.mark.parametrize("kind", FIGURES)
def test_a_phone_shows_the_figure_without_scrolling_sideways(figure, kind):
    live = figure(kind, whole=True, viewport=PHONE)
    assert live.locator(".interactive").is_visible()
    assert live.page.evaluate(WIDER) == []
    for drawing in live.locator("svg").all():
        letters = "svg => parseFloat(getComputedStyle(svg).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"
        assert drawing.evaluate(letters) >= 12  # pixels


@pytest.mark.parametrize("kind", FIGURES)
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
    broken.route("**/interactive.js*", lambda route: route.abort())
    broken.goto(f"{address}{page}.html")
    assert broken.locator(f"#{name} img").is_visible()
    assert not broken.locator(f"#{name} .interactive").is_visible()
    broken.close()


def test_only_pages_with_such_figures_load_the_script(site):
    loads = re.compile(r'<script[^>]* src="[^"]*interactive\.js')
    with_script = {page for page in pages() if loads.search((site / f"{page}.html").read_text(encoding="utf-8"))}
    assert with_script == {page for page, _ in FIGURES.values()}


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


def in_numpy(c: float, T: float) -> dict[str, list[str]]:
    z = (np.array([2, 1, 0.1]) + c) / T
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
    assert visible_numbers(live) == expected  # all steps done, as in the picture
    press(live, "button", "Restart", "Enter")
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
    told = live.locator("ol li").all_inner_texts()
    assert [line.split(" = ")[0] + " = " + line.split(" = ")[1] for line in told] == statements
    names: dict[str, float] = {"a": 5, "b": 3, "c": 2}
    for line in told:
        exec(" = ".join(line.split(" = ")[:2]), {}, names)
        assert float(line.split(" = ")[-1]) == names[line.split(" = ")[0]]
        assert eval(line.split(" = ")[2 if line.count("=") > 2 else 1]) == names[line.split(" = ")[0]]


def test_the_graph_takes_keys_and_says_its_step(figure):
    live = figure("graph")
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
