"""Build the pages of the website: strictly, reusing only executed cells and proofs of problem sets.

The Makefile and the tests run ``python book/build.py [--if-changed] [--output FOLDER] [--jobs N]``. It does what
``jupyter-book build . -W -n --keep-going`` does, but writes pages on all processors, and it never continues an earlier
build, because Sphinx would not repeat the warnings of pages that it has already read.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

# Jupyter Book checks its configuration with jsonschema, whose import would compile a grammar of addresses: a second
# spent on a format that this configuration does not use.
sys.modules.setdefault("rfc3987_syntax", None)

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # for the extensions; no module in this file's own folder is imported by another

# What the pages are made from: files, and folders with everything in them.
SOURCES = (
    *("_config.yml", "_toc.yml", "requirements.txt", "CHANGELOG.md", "CITATION.cff"),
    *("benchmarks", "book", "exercises", "solutions", "autograder"),
)
MADE_FROM = ".pages-made-from"


def digest_of_sources() -> str:
    """Return a digest of everything that the pages are made from."""
    from book.extensions.build.kept import digest_of

    files = [file for name in SOURCES for file in (ROOT / name, *(ROOT / name).rglob("*"))]
    own = [file for file in files if "__pycache__" not in file.parts and ".ipynb_checkpoints" not in file.parts]
    return f"{digest_of(ROOT, own)} {sys.version_info[:2]} {os.environ.get('SITE_URL', '')}"


def build(output: Path, jobs: int) -> int:
    """Build the pages.

    Parameters
    ----------
    output : Path
        The folder in which ``html`` is made, beside what is kept for the next build.
    jobs : int
        How many processes write pages; the result does not depend on it.

    Returns
    -------
    int
        0 if there was neither an error nor a warning.
    """
    from jupyter_book.sphinx import build_sphinx

    digest = digest_of_sources()
    (output / MADE_FROM).unlink(missing_ok=True)
    for made in ("html", ".doctrees"):
        shutil.rmtree(output / made, ignore_errors=True)
    result = build_sphinx(
        ROOT,
        output / "html",
        noconfig=True,
        path_config=ROOT / "_config.yml",
        confoverrides={
            "external_toc_path": str(ROOT / "_toc.yml"),
            "latex_individualpages": False,
            "nitpicky": True,
            "writers": jobs,
        },
        warningiserror=True,
        keep_going=True,
    )
    if result:  # a status, or what ended the build
        return 1
    (output / MADE_FROM).write_text(digest)
    return 0


def is_current(output: Path) -> bool:
    """Whether the pages in a folder were made from the current files, without a warning."""
    made_from = output / MADE_FROM
    return made_from.is_file() and made_from.read_text() == digest_of_sources()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--output", type=Path, default=ROOT / "_build", metavar="FOLDER", help="where to build (_build)"
    )
    parser.add_argument(
        "--jobs", type=int, default=len(os.sched_getaffinity(0)), help="how many processes (all processors)"
    )
    parser.add_argument(
        "--if-changed", action="store_true", help="leave pages alone that were made from the same files"
    )
    given = parser.parse_args()
    given.output = given.output.resolve()
    sys.exit(0 if given.if_changed and is_current(given.output) else build(given.output, given.jobs))
