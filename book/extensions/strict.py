"""Let no warning pass by being shown once: a build that had one is followed by a build that reads everything again."""

from pathlib import Path

from sphinx.application import Sphinx


def forget_environment(app: Sphinx, exception: Exception | None) -> None:
    """Remove what Sphinx remembers of a build with warnings.

    Sphinx would find every page up to date the next time, print no warning, and call the book sound. Reading again is
    cheap, because the outputs of the cells stay in their cache.
    """
    if exception is not None or app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("build-finished", forget_environment)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
