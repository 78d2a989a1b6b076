"""Execute the pages in a known environment, keep their outputs, and execute again when that environment changes."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

STAMP = "environment.sha256"
# What a cell's output depends on besides its own text. jupyter-cache looks only at the text.
ENVIRONMENT_FILES = ("requirements.txt", "book/matplotlibrc")
DATA_FILES = "book/**/*.csv"
# Pages are executed side by side. Threads of their matrix products would wait for each other's processors.
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")


def environment_digest(root: Path) -> str:
    """Return the SHA-256 of everything, except their own text, that the outputs of the pages depend on.

    Parameters
    ----------
    root : Path
        The root of the course.

    Returns
    -------
    str
        Hexadecimal digest of the pins, the plotting style, the data files and the version of Python.
    """
    digest = hashlib.sha256(f"Python {sys.version_info[:2]}".encode())
    files = [root / name for name in ENVIRONMENT_FILES]
    files += sorted(root.glob(DATA_FILES))
    for file in files:
        if file.is_file():
            content = file.read_bytes()
            digest.update(f"\0{file.relative_to(root).as_posix()} {len(content)}\0".encode() + content)
    return digest.hexdigest()


def use_matplotlibrc(root: Path) -> None:
    """Make the kernels, which inherit this process's environment, draw in the book's style."""
    style = root / "book" / "matplotlibrc"
    if style.is_file():
        os.environ["MATPLOTLIBRC"] = str(style)


def use_one_thread() -> None:
    """Give each kernel one thread for linear algebra, unless the environment says otherwise."""
    for name in THREADS:
        os.environ.setdefault(name, "1")


def drop_stale_cache(app: Sphinx) -> None:
    """Empty the cache of executed pages if it was filled in another environment."""
    root = Path(app.srcdir)
    use_matplotlibrc(root)
    use_one_thread()
    cache = Path(app.outdir).parent / ".jupyter_cache"
    stamp = cache / STAMP
    digest = environment_digest(root)
    if stamp.is_file() and stamp.read_text() == digest:
        return
    if cache.exists():
        logger.info("the environment changed: every page is executed again")
        shutil.rmtree(cache)
    # On a new machine, matplotlib builds its font cache and says so on stderr, which the strict build would mistake for
    # a warning from the first page that imports it.
    import matplotlib.font_manager  # noqa: F401

    cache.mkdir(parents=True)
    stamp.write_text(digest)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("builder-inited", drop_stale_cache)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
