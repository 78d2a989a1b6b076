"""Let nothing stale pass: after a warning, or a change of the bibliography, every page is read again."""

import hashlib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def forget_environment(app: Sphinx, exception: Exception | None) -> None:
    """Remove what Sphinx remembers of a build with warnings.

    Sphinx would find every page up to date the next time, print no warning, and call the book sound. Reading again is
    cheap, because the outputs of the cells stay in their cache.
    """
    if exception is not None or app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def read_all_when_sources_change(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Name the pages to read again when the bibliography changed: all, since a new entry renumbers the others."""
    digest = hashlib.sha256(b"".join(Path(app.srcdir, file).read_bytes() for file in app.config.bibtex_bibfiles))
    same = getattr(env, "bibliography_digest", None) == digest.hexdigest()
    env.bibliography_digest = digest.hexdigest()
    return [] if same else sorted(env.found_docs)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("build-finished", forget_environment)
    app.connect("env-get-outdated", read_all_when_sources_change)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
