"""Offer all released problem sets, with the packages that they need, in one file: `{problem-set-archive}`."""

import io
import zipfile
from importlib.metadata import version
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.extensions.problem_sets.released_sets import released

ARCHIVE = "problem-sets.zip"
REQUIREMENTS = "requirements.txt"
# What a student installs: something to open notebooks with, and what the notebooks import, in the versions with which
# this book was built, so that students see what graders see.
STUDENT_PACKAGES = ("jupyterlab", "matplotlib", "nbgrader", "numpy", "sympy")
EPOCH = (2026, 1, 1, 0, 0, 0)  # one date for all files, so that the same sets give the same archive


def student_requirements() -> str:
    """Return the requirements file for students."""
    lines = ["# What the problem sets need: pip install -r requirements.txt"]
    return "\n".join([*lines, *(f"{name}=={version(name)}" for name in STUDENT_PACKAGES), ""])


def archive(root: Path) -> bytes:
    """Return the archive of all released sets: their notebooks, the files beside them, and the requirements.

    Parameters
    ----------
    root : Path
        The root of the course. Only folders in ``exercises`` that contain a released notebook are included.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:

        def add(name: str, data: bytes) -> None:
            entry = zipfile.ZipInfo(f"problem-sets/{name}", EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            file.writestr(entry, data)

        add(REQUIREMENTS, student_requirements().encode())
        for notebook in released(root):
            for path in sorted(notebook.parent.rglob("*")):
                inside = path.relative_to(notebook.parent.parent)
                if path.is_file() and not any(part.startswith((".", "__")) for part in inside.parts):
                    add(inside.as_posix(), path.read_bytes())
    return content.getvalue()


class ProblemSetArchiveDirective(SphinxDirective):
    """Link the archive and the requirements file, which are in the page's folder."""

    def run(self) -> list[nodes.Node]:
        """Return the links."""
        count = sum(1 for _ in released(Path(self.env.srcdir)))
        links = [
            nodes.reference("", f"All {count} problem sets in one file (.zip)", refuri=ARCHIVE, internal=False),
            nodes.reference("", "the packages alone (requirements.txt)", refuri=REQUIREMENTS, internal=False),
        ]
        self.env.metadata[self.env.docname]["offers_archive"] = True
        return [nodes.paragraph("", "", links[0], nodes.Text(", or "), links[1], nodes.Text("."))]


def write(app: Sphinx, error: Exception | None) -> None:
    """Write both files beside each page that links them."""
    if error or app.builder.format != "html":
        return
    for page, about in app.env.metadata.items():
        if about.get("offers_archive"):
            folder = Path(app.outdir, page).parent
            (folder / ARCHIVE).write_bytes(archive(Path(app.srcdir)))
            (folder / REQUIREMENTS).write_text(student_requirements(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_directive("problem-set-archive", ProblemSetArchiveDirective)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
