"""Mistakes to find: `{repair-this-one}` shows misconceptions of the problem sets' banks as small exercises.

The code of a bank answers an exercise in full but for one mistake, so repairing it would solve the exercise. A page
therefore shows a function of its own with the same mistake, which checks no input and knows only the plainest case.
What it returns is computed here and compared with the bank: the function must fail as the bank's own code fails.
"""

import contextlib
import html
import io
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

import autograder
from autograder.problem_set.chapter_links import book_addresses, with_links
from autograder.problem_set.source import ProblemSet
from book.extensions.build.kept import digest_of, kept

logger = logging.getLogger(__name__)

#: What an exercise consists of: set, item and entry of the bank; what the function is for; the function; a failing call.
KEYS = {"entry", "task", "code", "call"}


def outcome(code: str, call: str) -> object:
    """Run code and then a call, and return what the call returns, or what it raises.

    Parameters
    ----------
    code : str
        Definitions, which use NumPy as np.
    call : str
        An expression.
    """
    names: dict[str, object] = {"np": np, "math": math}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            exec(code, names)
            return eval(call, names)
        except Exception as error:
            return error


def same(one: object, other: object) -> bool:
    """Whether two outcomes have the same shapes and values, or are errors of the same type."""
    if isinstance(one, Exception) or isinstance(other, Exception):
        return type(one) is type(other)
    if isinstance(one, tuple) or isinstance(other, tuple):
        parts = isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other)
        return parts and all(map(same, one, other))
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True)


def shown(value: object) -> str:
    """Write an outcome as it follows “it returns”; an error with its type."""
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    if np.ndim(value):
        return f"[{', '.join(map(shown, value))}]"
    return f"{value + 0.0:.6g}"  # + 0.0: no minus sign before 0


def solved(course: Path, exercises: list[dict]) -> list[dict]:
    """Add to each exercise what it returns, what is right, and the bank's own words.

    Parameters
    ----------
    course : Path
        The course's root.
    exercises : list of dict
        As written on the page, with the keys `KEYS`.

    Returns
    -------
    list of dict
        With three more keys of text, `returned`, `right` and `diagnosis`, and `revisit`, `set` and `title`.

    Raises
    ------
    ValueError
        An exercise does not fail, or not as the bank's entry does.
    """
    sets: dict[str, ProblemSet] = {}
    for exercise in exercises:
        if exercise.keys() != KEYS:
            raise ValueError(f"an exercise needs the keys {', '.join(sorted(KEYS))}, not {', '.join(exercise)}")
        where = exercise["entry"]
        name, item, entry_name = where.split("/")
        problem_set = sets.setdefault(name, ProblemSet(course / "solutions" / name))
        entry = next((e for e in problem_set.bank if (e.replaces, e.name) == (item, entry_name)), None)
        if entry is None or not entry.diagnosis:
            raise ValueError(f"{where}: the bank has no such misconception")
        returned, of_bank, right = (
            outcome(code, exercise["call"])
            for code in (exercise["code"], entry.code, problem_set.reference_answers[item])
        )
        if not same(returned, of_bank):
            raise ValueError(f"{where}: it gives {shown(returned)}, but the bank's entry {shown(of_bank)}")
        if same(returned, right):
            raise ValueError(f"{where}: {exercise['call']} shows no mistake")
        if isinstance(right, Exception):
            raise ValueError(f"{where}: {exercise['call']} is no valid call: {shown(right)}")
        exercise |= {"returned": shown(returned), "right": shown(right), "raises": isinstance(returned, Exception)}
        exercise |= {"diagnosis": entry.diagnosis, "revisit": entry.revisit, "set": name, "title": problem_set.title}
    return exercises


class RepairThisOneDirective(SphinxDirective):
    """A section for each problem set, with exercises whose answers are folded; the content lists them, in YAML."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        try:
            exercises = self._solved()
        except ValueError as error:
            logger.warning("repair-this-one: %s", error, location=self.get_location())
            return []
        sections: list[nodes.Node] = []
        addresses = book_addresses(Path(self.env.srcdir), "")
        for number, exercise in enumerate(exercises, start=1):
            title = f"{exercise['set'].partition('-')[0]}: {exercise['title'].lower()}"
            if not sections or sections[-1]["names"] != [title]:
                section = nodes.section("", nodes.title(text=title), ids=[nodes.make_id(title)], names=[title])
                self.state.document.note_implicit_target(section, section)
                sections.append(section)
            sections[-1] += nodes.container("", *self._exercise(number, exercise, addresses), classes=["to-repair"])
        return sections

    def _solved(self) -> list[dict]:
        app = self.env.app
        root, text = Path(app.srcdir), "\n".join(self.content)
        exercises = yaml.safe_load(text) or []
        package = Path(autograder.__file__).parent
        files = [*(root / "solutions").rglob("*"), root / "requirements.txt"]
        digest = text + digest_of(root, files) + digest_of(package, package.rglob("*.py"))
        return kept(Path(app.outdir).parent / ".proofs" / "repair.json", digest, lambda: solved(root, exercises))

    def _exercise(self, number: int, exercise: dict, addresses: dict[str, str]) -> Iterator[nodes.Node]:
        yield nodes.paragraph("", "", nodes.strong(text=f"{number}."), nodes.Text(f" {exercise['task']}"))
        code = exercise["code"].rstrip()
        yield nodes.literal_block(code, code, language="python")
        call, returned = nodes.literal(text=exercise["call"]), nodes.literal(text=exercise["returned"])
        verb = " raises " if exercise["raises"] else " returns "
        right = [nodes.Text("; right is "), nodes.literal(text=exercise["right"]), nodes.Text(".")]
        yield from _folded("An input that shows it", nodes.paragraph("", "", call, nodes.Text(verb), returned, *right))
        answer = nodes.paragraph("", "", nodes.Text(f"It {exercise['diagnosis']}"))
        idea, pieces = _place(exercise["revisit"], addresses)
        if pieces:
            here = self.env.app.builder.get_target_uri(self.env.docname)
            answer += nodes.Text(f" Look again at {idea} ")
            answer += [
                nodes.reference("", piece, refuri=relative_uri(here, address)) if address else nodes.Text(piece)
                for piece, address in pieces
            ]
            answer += nodes.Text(".")
        yield from _folded("What is wrong", answer)


def _place(revisit: str, addresses: dict[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """Cut “the idea: Chapter, Section” in two, the second with links; it is empty where no page of the book is named."""
    for colon in re.finditer(": ", revisit):
        pieces = with_links(f"({revisit[colon.end() :]})", addresses)
        if any(address for _, address in pieces):
            return revisit[: colon.start()], pieces
    return revisit, []  # some name a part of the notebook, which is not at hand on the page


def _folded(title: str, content: nodes.Node) -> list[nodes.Node]:
    begin = nodes.raw("", f"<details><summary>{html.escape(title)}</summary>", format="html")
    return [begin, content, nodes.raw("", "</details>", format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("repair-this-one", RepairThisOneDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
