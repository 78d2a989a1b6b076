"""Build the part of the website where notebooks run: JupyterLite, with the chapters and the released problem sets.

Used as ``python book/lite/build.py SITE OUTPUT [--pyodide FOLDER [--check]]``, and by the tests. Every file to include
is listed here one by one, so JupyterLite never searches a folder that contains solutions. If only the text of notebooks
has changed, they are replaced in the earlier build.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path

from jupyterlite_pyodide_kernel.constants import PYODIDE_KERNEL_NPM_NAME, PYODIDE_LOCK, PYODIDE_MJS, PYODIDE_VERSION

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
#: The first says what is built: the notebook and the list of notebooks, without the extensions of this environment, of
#: which nbgrader's is one, and without source maps. The second is for the browser: packages come with Python or not at
#: all.
SETTINGS = ("jupyter_lite_config.json", "jupyter-lite.json")
#: What the kernel imports and neither Pyodide nor the kernel brings along: it would come from a third host, unpinned.
MISSING_PACKAGE = "comm"
#: What the kernel loads from Pyodide's folder before it runs anything, and what the notebooks import.
NEEDED, USEFUL = ("micropip", "packaging", "ipython", "jedi"), ("numpy", "sympy", "matplotlib")
#: A script for the page that shows a notebook, and where Python comes from if the site has none of its own.
NOTICES, CDN = "notices.js", f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE_VERSION}/full/{PYODIDE_MJS}"
EPOCH = (2026, 1, 1, 0, 0, 0)


def contents(site: Path) -> Iterator[tuple[str, Path]]:
    """List the notebooks to publish.

    Parameters
    ----------
    site : Path
        The built website, which has each chapter's notebook beside its page.

    Yields
    ------
    tuple of (str, Path)
        The place in the browser, and the file. Problem sets go to the top level, since a browser puts the folder's name
        before the file's in a download; the chapters share a folder, so that their links to each other work.
    """
    for notebook in sorted((ROOT / "exercises").glob("*/*.ipynb")):
        if notebook.stem == notebook.parent.name:
            yield notebook.name, notebook
    for notebook in sorted((site / "book").glob("*/*.ipynb")):
        if notebook.with_suffix(".html").is_file():
            yield f"chapters/{notebook.name}", notebook


def wheel_of(name: str, folder: Path) -> Path:
    """Pack an installed pure Python package into a wheel again.

    Parameters
    ----------
    name : str
        The name of its distribution.
    folder : Path
        Where to write the wheel.
    """
    package = distribution(name)
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{package.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(package.files):
            if file.suffix != ".pyc" and file.name not in ("INSTALLER", "REQUESTED", "direct_url.json"):
                archive.writestr(zipfile.ZipInfo(file.as_posix(), EPOCH), file.read_binary())
    return wheel


def absent(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the files that a folder lacks of Pyodide packages and of those that they depend on.

    Parameters
    ----------
    folder : Path
        A Pyodide distribution, with the list of its packages.
    names : iterable of str
        The packages, as that list calls them.
    """
    packages = json.loads((folder / PYODIDE_LOCK).read_text(encoding="utf-8"))["packages"]
    found, waiting = {}, list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            # The list writes dependencies' names as their authors do, but its own keys in the normalised form.
            package = packages[re.sub(r"[-_.]+", "-", name).lower()]
            found[name] = package["file_name"]
            waiting += package["depends"]
    return sorted({file for file in found.values() if not (folder / file).is_file()})


def check_runtime(folder: Path) -> None:
    """Refuse a folder with another Pyodide version than the kernel needs, or without the files that the kernel loads.

    Parameters
    ----------
    folder : Path
        The folder to include in the site.

    Raises
    ------
    SystemExit
        A file is missing, or the version is another.
    """
    for name in (PYODIDE_MJS, PYODIDE_LOCK):
        if not (folder / name).is_file():
            raise SystemExit(f"{folder} has no {name}: name the folder of a Pyodide {PYODIDE_VERSION} distribution.")
    if f'"{PYODIDE_VERSION}"' not in (folder / PYODIDE_MJS).read_text(encoding="utf-8"):
        raise SystemExit(f"{folder} holds another version of Pyodide: the kernel needs {PYODIDE_VERSION}.")
    try:
        missing = absent(folder, NEEDED)
        useful = absent(folder, USEFUL)
    except (KeyError, ValueError):
        raise SystemExit(
            f"{folder / PYODIDE_LOCK} is not Pyodide's list of its packages: unpack the folder again."
        ) from None
    if missing:
        raise SystemExit(
            f"{folder} has no {missing[0]}, without which no notebook runs: name the folder of the full distribution of"
            f" Pyodide {PYODIDE_VERSION}."
        )
    if useful:
        print(f"    {folder} has no {', '.join(useful)}: cells that import them will fail in the browser")


def build(site: Path, output: Path, pyodide: Path | None = None) -> None:
    """Build JupyterLite afresh, and move it into place when it is complete.

    Parameters
    ----------
    site : Path
        The built website.
    output : Path
        The folder to make; an existing one is replaced.
    pyodide : Path, optional
        A folder with Pyodide to include in the site. Without it, a browser fetches Pyodide from its CDN.
    """
    output = output.resolve()  # JupyterLite works in a folder of its own
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as workshop:
        source, made = Path(workshop, "source"), Path(workshop, "made")
        for place, notebook in contents(site):
            (source / "files" / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(notebook, source / "files" / place)
        for name in SETTINGS:
            shutil.copyfile(HERE / name, source / name)
        wheel_of(MISSING_PACKAGE, source / "pypi")
        if pyodide:
            check_runtime(pyodide)
            (source / "static").mkdir()
            (source / "static" / "pyodide").symlink_to(pyodide.resolve())
        kernel = Path(sys.prefix, "share", "jupyter", "labextensions", PYODIDE_KERNEL_NPM_NAME)
        run = subprocess.run(
            [sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", source, "--output-dir", made,
             f"--LiteBuildConfig.federated_extensions={kernel}"],
            cwd=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if run.returncode:
            raise SystemExit(f"JupyterLite could not be built:\n{run.stdout}")
        add_notices(made, pyodide)
        shutil.rmtree(output, ignore_errors=True)
        made.rename(output)


def add_notices(made: Path, pyodide: Path | None) -> None:
    """Put the script that gives notices into the page that shows a notebook.

    Parameters
    ----------
    made : Path
        JupyterLite as it was built.
    pyodide : Path or None
        The folder with Pyodide that it includes: the script then need not ask whether Python can be reached.
    """
    page = made / "notebooks" / "index.html"
    text, end = page.read_text(encoding="utf-8"), "</body>"
    if text.count(end) != 1:
        raise SystemExit(f"JupyterLite's page of a notebook, {page}, has changed its form: it has no {end}.")
    python = "" if pyodide else f' data-python="{CDN}"'
    script = f"<script{python}>\n{(HERE / NOTICES).read_text(encoding='utf-8')}</script>\n"
    page.write_text(text.replace(end, script + end), encoding="utf-8")


def made_from(pyodide: Path | None) -> str:
    """Return a digest of everything that JupyterLite is made from, except its notebooks."""
    files = [Path(__file__), ROOT / "requirements.txt", *(HERE / name for name in (*SETTINGS, NOTICES))]
    files += [pyodide / name for name in (PYODIDE_MJS, PYODIDE_LOCK)] if pyodide else []
    told = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return hashlib.sha256(json.dumps([sys.version_info[:2], str(pyodide), told]).encode()).hexdigest()


def replace_notebooks(site: Path, output: Path) -> bool:
    """Put the notebooks of a site into an earlier build, if that has notebooks of the same names.

    Parameters
    ----------
    site : Path
        The built website.
    output : Path
        JupyterLite, built earlier.

    Returns
    -------
    bool
        Whether it has; if not, nothing is changed.
    """
    files, wanted = output / "files", dict(contents(site))
    if {file.relative_to(files).as_posix() for file in files.rglob("*") if file.is_file()} != set(wanted):
        return False
    for listing in (output / "api" / "contents").rglob("all.json"):
        known = json.loads(listing.read_text(encoding="utf-8"))
        for entry in known["content"]:
            if entry["path"] not in wanted:  # a folder
                continue
            file, notebook = files / entry["path"], wanted[entry["path"]].read_bytes()
            if file.read_bytes() != notebook:
                now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
                file.write_bytes(notebook)
                entry |= {"created": now, "last_modified": now, "size": len(notebook)}
        listing.write_text(json.dumps(known, indent=2, sort_keys=True), encoding="utf-8")
    return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, metavar="SITE", help="the built website")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="the folder to make")
    parser.add_argument(
        "--pyodide", type=Path, metavar="FOLDER", help="a folder with Pyodide, to become part of the site"
    )
    parser.add_argument("--check", action="store_true", help="only say whether that folder will do, and build nothing")
    given = parser.parse_args()
    if given.check:
        if given.pyodide:
            check_runtime(given.pyodide)
        sys.exit()
    made_before = given.output.with_name(f".{given.output.name}-made-from")
    digest = made_from(given.pyodide)
    known = made_before.is_file() and made_before.read_text() == digest
    made_before.unlink(missing_ok=True)  # an interrupted build leaves none
    if not (known and replace_notebooks(given.site, given.output)):
        build(given.site, given.output, given.pyodide)
    made_before.write_text(digest)
