"""Vouch for two extensions that do not say whether they may read pages in parallel: they may, for they keep nothing of a page."""

from sphinx.application import Sphinx
from sphinx.config import Config

# The first has transforms and nodes alone; the second numbers the sections when all pages are read.
SAFE = ("sphinx_jupyterbook_latex", "sphinx_multitoc_numbering")


def vouch(app: Sphinx, config: Config) -> None:
    """Say it in their place."""
    for name in SAFE:
        app.extensions[name].parallel_read_safe = True


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("config-inited", vouch)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
