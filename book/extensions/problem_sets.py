"""The `{problem-sets}` directive: the released problem sets that belong to a chapter, with their points and a download."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

FOLDER = "exercises"


@dataclass(frozen=True)
class ProblemSet:
    """What a chapter says about a released problem set.

    Attributes
    ----------
    name : str
        Its folder, for example ``ps1-information``.
    title : str
        As in the metadata of the notebook.
    chapters : tuple of str
        For example ``information/entropy``.
    minutes : int
        How long a student may expect to need.
    points, by_hand : int
        All points, and those of them that a person gives.
    """

    name: str
    title: str
    chapters: tuple[str, ...]
    minutes: int
    points: int
    by_hand: int


def read_problem_set(notebook: Path) -> ProblemSet:
    """Read what a released notebook says about itself.

    Parameters
    ----------
    notebook : Path
        ``exercises/<ps>/<ps>.ipynb``.

    Returns
    -------
    ProblemSet
        Its metadata, and the sums of its points.

    Raises
    ------
    ValueError
        If it is no notebook, or its metadata lacks what a chapter needs.
    """
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        about = content["metadata"]["autograder"]
        graded = [
            cell["metadata"]["nbgrader"]
            for cell in content["cells"]
            if cell["metadata"].get("nbgrader", {}).get("grade")
        ]
        points = [(int(marks["points"]), bool(marks["solution"])) for marks in graded]
        return ProblemSet(
            notebook.parent.name,
            str(about["title"]),
            tuple(about["chapters"]),
            int(about["minutes"]),
            sum(value for value, _ in points),
            sum(value for value, manual in points if manual),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{notebook}: not a released problem set ({type(error).__name__}: {error}); release it again."
        ) from error


def released(root: Path) -> Iterator[Path]:
    """Yield the released notebooks, in the order of their names."""
    for folder in sorted((root / FOLDER).glob("*/")):
        notebook = folder / f"{folder.name}.ipynb"
        if notebook.is_file():
            yield notebook


def digest_of(root: Path) -> str:
    """Return a digest of all released notebooks."""
    digest = hashlib.sha256()
    for notebook in released(root):
        digest.update(f"{notebook.parent.name}\0".encode() + hashlib.sha256(notebook.read_bytes()).digest())
    return digest.hexdigest()


class ProblemSetsDirective(SphinxDirective):
    """List the problem sets of the chapter named in the argument; print nothing if there are none."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        self.env.problem_set_pages.add(self.env.docname)
        chapter = self.arguments[0].strip()
        if f"book/{chapter}" not in self.env.found_docs:
            logger.warning("problem-sets: there is no chapter %s", chapter, location=self.get_location())
        listing = nodes.bullet_list(classes=["problem-sets"])
        for notebook in released(Path(self.env.srcdir)):
            try:
                problem_set = read_problem_set(notebook)
            except ValueError as error:
                logger.warning(str(error), location=self.get_location())
                continue
            if chapter in problem_set.chapters:
                listing += self._item(problem_set)
        return [listing] if len(listing) else []

    def _item(self, problem_set: ProblemSet) -> nodes.list_item:
        """One line: title, points, time, download."""
        points = f"{problem_set.points} point{'s' if problem_set.points != 1 else ''}"
        if problem_set.by_hand:
            points += f", {problem_set.by_hand} of them graded by hand"
        file = f"/{FOLDER}/{problem_set.name}/{problem_set.name}.ipynb"
        download = addnodes.download_reference(
            file, "", nodes.literal(text=f"{problem_set.name}.ipynb"), reftarget=file, refdoc=self.env.docname,
            refdomain="", reftype="download", refexplicit=True, refwarn=True,
        )  # fmt: skip
        line = nodes.paragraph("", "", nodes.strong(text=problem_set.title))
        line += nodes.Text(f": {points}, about {problem_set.minutes} minutes. Download ")
        line += [download, nodes.Text(".")]
        return nodes.list_item("", line)


def read_again(app: Sphinx, env: BuildEnvironment, added: set, changed: set, removed: set) -> list[str]:
    """Name the pages that list problem sets if a release was added, changed or removed."""
    if not hasattr(env, "problem_set_pages"):
        env.problem_set_pages, env.problem_sets_digest = set(), ""
    before, env.problem_sets_digest = env.problem_sets_digest, digest_of(Path(app.srcdir))
    return sorted(env.problem_set_pages - removed) if env.problem_sets_digest != before else []


def forget_page(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    """Forget a page before it is read again."""
    if hasattr(env, "problem_set_pages"):
        env.problem_set_pages.discard(page)


def merge_pages(app: Sphinx, env: BuildEnvironment, pages: list[str], other: BuildEnvironment) -> None:
    """Take over what a parallel reader found in its pages."""
    env.problem_set_pages |= other.problem_set_pages & set(pages)


def setup(app: Sphinx) -> dict[str, object]:
    """Connect the extension to Sphinx."""
    app.add_directive("problem-sets", ProblemSetsDirective)
    app.connect("env-get-outdated", read_again)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
