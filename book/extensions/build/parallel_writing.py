"""Write pages in several processes but read them in one: sphinx_proof cannot merge what several readers found."""

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def begin_to_write(app: Sphinx, env: BuildEnvironment) -> None:
    """Tell Sphinx how many processes it may use, now that all pages are read; it asks again before it writes."""
    app.parallel = app.config.writers


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the setting `writers`: how many processes write pages (book/build.py sets it)."""
    app.add_config_value("writers", 1, "", types=int)
    app.connect("env-check-consistency", begin_to_write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
