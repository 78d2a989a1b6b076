"""The style of the figures is uniform, and readable on light and dark pages."""

import os
import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb, to_rgba

from tests.support import ROOT

STYLE = mpl.rc_params_from_file(ROOT / "book" / "matplotlibrc", use_default_template=False)
CONTRAST = 3.0  # WCAG 2.2, 1.4.11: graphical objects needed to understand the content
TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


def backgrounds(site) -> set[str]:
    """The page colours of both themes, as the site's own style sheet gives them."""
    css = (site / "_static" / "styles" / "sphinx-book-theme.css").read_text(encoding="utf-8")
    css += (site / "_static" / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    return {to_hex(colour) for colour in re.findall(r"--pst-color-background:\s*(#[0-9a-f]{6})", css)} | {"#ffffff"}


# What `filter: invert(1) hue-rotate(180deg)` of book/static/course.css does to a colour: the matrix of the filter
# specification for hue-rotate, for half a turn.
HALF_TURN = np.array([[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]])


def in_the_dark(colour: str) -> str:
    """The colour that a figure's colour has on a dark page."""
    return to_hex(np.clip(HALF_TURN @ (1 - np.array(to_rgb(colour))), 0, 1))


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_every_colour_of_the_figures_can_be_seen_on_both_themes(site):
    colours = STYLE["axes.prop_cycle"].by_key()["color"]
    assert [to_hex(c).upper() for c in colours] == ["#0072B2", "#D55E00", "#009E73", "#B8578F", "#A6761D", "#7F7F7F"]
    named = dict(zip([f"C{i}" for i in range(len(colours))], colours, strict=True))
    named |= {
        key: STYLE[key] for key in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    }
    assert any(luminance(background) < 0.05 for background in backgrounds(site)), (
        "the dark theme's page colour is not found"
    )
    for background in backgrounds(site):
        for name, colour in named.items():
            shown = in_the_dark(colour) if luminance(background) < 0.05 else colour
            least = TEXT_CONTRAST if name.endswith("color") and "edge" not in name else CONTRAST
            assert contrast(shown, background) >= least, (
                f"book/matplotlibrc: {name} ({to_hex(colour)}) has a contrast of {contrast(shown, background):.2f} on "
                f"{background}; {least} is the least"
            )


def test_the_dark_page_reverses_the_figures_as_the_test_does():
    assert "filter: invert(1) hue-rotate(180deg);" in (ROOT / "book" / "static" / "course.css").read_text()
    assert in_the_dark("#595959") == "#a6a6a6"
    assert in_the_dark("#0072B2") == "#42b4f4"


def test_the_swatches_have_the_colours_of_the_figures():
    css = (ROOT / "book" / "static" / "reading.css").read_text(encoding="utf-8")
    light, dark = (
        re.findall(r"--concept-\w+: (#\w{6});", block)
        for block in re.findall(r'html\[data-theme="\w+"\] \{\s*(--concept.*?)\}', css, re.DOTALL)
    )
    colours = [to_hex(colour) for colour in STYLE["axes.prop_cycle"].by_key()["color"]]
    assert light == colours
    assert dark == [in_the_dark(colour) for colour in colours]


def test_figures_are_transparent():
    for key in ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor"):
        assert to_rgba(STYLE[key])[3] == 0, (
            f"book/matplotlibrc: {key} is {STYLE[key]}; on a dark page it would be a box"
        )


def test_the_build_uses_the_style(monkeypatch, tmp_path):
    from book.extensions.build import executed_cells

    monkeypatch.setenv("MATPLOTLIBRC", "elsewhere")
    executed_cells.use_matplotlibrc(tmp_path)
    assert os.environ["MATPLOTLIBRC"] == "elsewhere"
    executed_cells.use_matplotlibrc(ROOT)
    assert os.environ["MATPLOTLIBRC"] == str(ROOT / "book" / "matplotlibrc")


def test_pages_are_executed_again_when_the_pins_the_style_or_the_data_change(tmp_path):
    from book.extensions.build import executed_cells

    (tmp_path / "book" / "data").mkdir(parents=True)
    digests = [executed_cells.environment_digest(tmp_path)]
    for name in ("requirements.txt", "book/matplotlibrc", "book/data/titanic.csv"):
        (tmp_path / name).write_text("a")
        digests.append(executed_cells.environment_digest(tmp_path))
        (tmp_path / name).write_text("b")
        digests.append(executed_cells.environment_digest(tmp_path))
    assert len(set(digests)) == len(digests)
