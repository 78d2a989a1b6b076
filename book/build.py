"""Build the pages of the website: strictly, and from nothing but the executed cells and the proofs of problem sets.

Used as ``python book/build.py [--output FOLDER] [--jobs N]``, by the Makefile and the tests. It does what ``jupyter-book build . -W -n
--keep-going`` does, but writes on all processors, and it never continues an earlier build: Sphinx would not repeat the warnings of
pages that it has read.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

# Jupyter Book checks its configuration with jsonschema, which would compile a grammar of addresses at its import: a second,
# for a format that this configuration has not.
sys.modules.setdefault("rfc3987_syntax", None)

ROOT = Path(__file__).resolve().parent.parent


def build(output: Path, jobs: int) -> int:
    """Build the pages.

    Parameters
    ----------
    output : Path
        The folder in which ``html`` is made; what it keeps for the next build stands beside it.
    jobs : int
        How many processes write pages; the result is the same.

    Returns
    -------
    int
        0 if all went well, without any warning.
    """
    from jupyter_book.sphinx import build_sphinx

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
    return 1 if isinstance(result, BaseException) else result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--output", type=Path, default=ROOT / "_build", metavar="FOLDER", help="where to build (_build)"
    )
    parser.add_argument(
        "--jobs", type=int, default=len(os.sched_getaffinity(0)), help="how many processes (all processors)"
    )
    given = parser.parse_args()
    sys.exit(build(given.output.resolve(), given.jobs))
