"""Let readers interact with a figure: where scripts run, controls replace the still picture.

A cell that draws a figure requests this in its metadata, and gives the controls' initial values:

    interactive: {template: softmax, outcomes: [cat, dog, horse], scores: [2, 1, 0.1], shift: 1000, temperature: 1}

The template of that name in ``book/interactive`` goes into the figure, between picture and caption, and the script of
that name in ``book/static/figures`` shows it instead of the picture, with what ``book/static/interactive.js`` has for
all of them. A page loads only the scripts of its own figures. Without scripts, on paper and in the downloaded notebook
the picture remains.

Why our own script, and not Vega-Altair, whose charts are written in Python and can have sliders? Both were tried. With
Altair 6.3 and the bundle of vl-convert 1.9, a page loads 305 kB compressed (898 kB to parse), and on a processor slowed
down four times the softmax figure appears after about a second, 14 pixels wider than a telephone; with these
scripts, less than 8 kB compressed, after 10 ms. Vega also suits only that figure. A draggable bar that keeps the sum
at 1 would be a program in Vega's own signal language, and without keyboard control, since Vega's marks take no focus;
here each bar is the browser's own slider, which already supports keys and touch and has a role. A walk through a graph
is not a chart at all. And Vega has neither patterns to distinguish bars on paper nor announcements for screen readers.
"""

from pathlib import Path

from docutils import nodes
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

TEMPLATES = "book/interactive"
SCRIPT, STYLES = "interactive.js", "interactive.css"
SCRIPTS = "figures"


def controls(root: Path, template: str, **start: object) -> str:
    """Write the controls of a figure.

    Parameters
    ----------
    root : Path
        The course's root.
    template : str
        The name of a template in ``book/interactive``, without its extension.
    **start
        The values that the template needs; a missing name is an error.

    Returns
    -------
    str
        HTML, hidden until the script shows it.
    """
    environment = Environment(
        loader=FileSystemLoader(root / TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(f"{template}.html").render(**start)


def add_controls(app: Sphinx, doctree: nodes.document) -> None:
    """Put the controls into the figures of cells that request them."""
    for cell in list(doctree.findall(nodes.container)):
        asked = cell.get("cell_metadata", {}).get("interactive") if cell.get("nb_element") == "cell_code" else None
        if asked is None:
            continue
        place = next(cell.findall(nodes.caption), None)
        if place is None:
            raise ExtensionError(f"{app.env.docname}: a cell with `interactive:` draws no figure with a caption")
        html = controls(Path(app.srcdir), **asked)
        place.parent.insert(place.parent.index(place), nodes.raw("", html, format="html"))
        own = app.env.metadata[app.env.docname].setdefault("interactive", {})
        own |= dict.fromkeys(place.parent["names"], asked["template"])


def load_scripts(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Make a page load the scripts of its figures, borrowed ones included, and what they share."""
    if doctree is None:
        return
    told = app.env.metadata
    asked = list(told[page].get("interactive", {}).values())
    asked += [told[lender].get("interactive", {}).get(figure) for lender, figure in told[page].get("borrows", ())]
    scripts = [f"{SCRIPTS}/{name}.js" for name in dict.fromkeys(asked) if name]
    for script in [SCRIPT, *scripts] if scripts else ():
        app.add_js_file(script, loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_css_file(STYLES)
    app.connect("doctree-read", add_controls)
    app.connect("html-page-context", load_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
