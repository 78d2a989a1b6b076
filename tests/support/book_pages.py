"""The book's pages as the tests see them: their sources, their executed notebooks, their HTML."""

import functools
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jupytext
import yaml
from bs4 import BeautifulSoup, Tag
from jupyter_cache import get_cache
from nbformat import NotebookNode

from book.extensions.ledger.folded_proofs import OPEN
from tests.support import ROOT

HIDDEN_INPUT = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


@functools.cache
def pages() -> list[str]:
    """Every page that _toc.yml names, in its order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"]] + [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]


@functools.cache
def chapters() -> list[str]:
    """The pages of the numbered parts, which teach."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [chapter["file"] for part in toc["parts"] if part.get("numbered") for chapter in part["chapters"]]


def text_of(page: str) -> str:
    """The source of a page."""
    return (ROOT / f"{page}.md").read_text(encoding="utf-8")


@functools.cache
def source_of(page: str) -> NotebookNode:
    """The source of a page as a notebook without outputs."""
    return jupytext.reads(text_of(page), fmt="md:myst")


def markdown_of(page: str) -> str:
    """The Markdown cells of a page, joined."""
    return "\n\n".join(cell.source for cell in source_of(page).cells if cell.cell_type == "markdown")


NOT_PROSE = [
    re.compile(r"^#+ .*$", re.MULTILINE),  # headings
    re.compile(r"\$\$.*?\$\$(?: *\([\w-]+\))?", re.DOTALL),  # displayed formulas
    re.compile(r"\$[^$\n]*(?:\n[^$\n]+)*\$"),  # formulas in the text
    re.compile(r"^\s*(?:`{3,}|:{3,})(?:\{[\w:-]+\}.*)?$", re.MULTILINE),  # the frame of a directive
    re.compile(r"^\s*:[\w-]+:.*$|^\([\w-]+\)=$", re.MULTILINE),  # options and labels
    re.compile(r"\{(?:eq|numref|prf:ref|ref|cite|cite:[a-z]+)\}`[^`]*`"),  # references
]


QUESTION = re.compile(r"^```\{(?:self-check|guess|guessed)\}.*?^```$", re.DOTALL | re.MULTILINE)


def prose_of(page: str, questions: bool = True) -> str:
    """The running text of a page on one line, without headings, formulas, code, labels and references.

    Self-checks belong to it unless `questions` is false.
    """
    text = markdown_of(page)
    text = _without_listings(text if questions else QUESTION.sub("", text))
    for pattern in NOT_PROSE:
        text = pattern.sub(" ", text)
    return re.sub(r"\s+", " ", text)


@dataclass(frozen=True)
class CodeCell:
    """A code cell of an executed page.

    Attributes
    ----------
    page : str
        The page.
    number : int
        The number of the code cell on the page, from 1.
    source : str
        Its code.
    metadata : dict
        Its metadata, tags included.
    outputs : tuple
        Its outputs, in nbformat's form.
    """

    page: str
    number: int
    source: str
    metadata: dict
    outputs: tuple

    @property
    def where(self) -> str:
        return f"{self.page}, code cell {self.number}"

    @property
    def is_in_view(self) -> bool:
        tags = set(self.metadata.get("tags", []))
        return not HIDDEN_INPUT & tags and ("check" not in self.metadata or OPEN in tags)

    @property
    def lines(self) -> int:
        return len(self.source.strip().splitlines())

    @property
    def has_image(self) -> bool:
        return any(kind.startswith("image/") for output in self.outputs for kind in output.get("data", {}))

    @property
    def printed(self) -> str:
        """Everything textual that the cell shows."""
        texts = []
        for output in self.outputs:
            texts.append(output.get("text", ""))
            texts.extend(value for kind, value in output.get("data", {}).items() if kind.startswith("text/"))
        return "\n".join("".join(text) for text in texts)


@functools.cache
def code_cells(site: Path, page: str) -> list[CodeCell]:
    """The executed code cells of a page, from the cache beside the site (its notebooks may lack their outputs)."""
    notebook = source_of(page)
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        return []
    try:
        _, executed = get_cache(str(site.parent / ".jupyter_cache")).merge_match_into_notebook(notebook)
    except KeyError:
        raise AssertionError(f"{page} has changed since it was executed; build the book again.") from None
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    return [
        CodeCell(page, number, cell.source, cell.metadata, tuple(cell.get("outputs", ())))
        for number, cell in enumerate(cells, start=1)
    ]


@functools.cache
def html_of(site: Path, page: str) -> BeautifulSoup:
    """A page of the site, parsed."""
    return BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser")


def some_of(html: BeautifulSoup, selector: str) -> list[Tag]:
    """The elements of a page that a selector finds, at least one: without any, a test would pass whatever it asserts."""
    found = html.select(selector)
    assert found, f"{selector} finds nothing"
    return found


def _without_listings(markdown: str) -> str:
    """Leave out fenced code but keep the text in directives."""
    kept, fence = [], ""
    open_directives: list[str] = []
    for line in markdown.splitlines():
        marks = re.match(r"\s*(`{3,}|:{3,})(.*)$", line)
        if fence:
            fence = "" if marks and marks[1] == fence and not marks[2].strip() else fence
        elif marks and marks[2].lstrip().startswith("{"):
            open_directives.append(marks[1])
        elif marks and open_directives and marks[1] == open_directives[-1] and not marks[2].strip():
            open_directives.pop()
        elif marks:
            fence = marks[1]
        else:
            kept.append(line)
    return "\n".join(kept)


def linked_terms(page: str) -> set[str]:
    """The glossary terms that a page links, in lower case."""
    found = re.findall(r"\{term\}`(?:[^`<]*<([^`>]*)>|([^`<]*))`", text_of(page))
    return {re.sub(r"\s+", " ", target or shown).strip().lower() for target, shown in found}


@functools.cache
def glossary() -> list[str]:
    """The terms of the glossary."""
    body = re.search(r"```\{glossary\}\n(.*?)^```", text_of("book/reference/glossary"), re.MULTILINE | re.DOTALL)
    return [line.strip() for line in body[1].splitlines() if line.strip() and not line.startswith((" ", ":"))]


def directives(page: str) -> Iterator[tuple[str, str, dict[str, str], int]]:
    """Each fenced directive of a page: its name, argument, options (``:key: value`` lines) and line number."""
    lines = text_of(page).splitlines()
    for number, line in enumerate(lines):
        opening = re.match(r"\s*(?:`{3,}|:{3,})\{([\w:-]+)\}\s*(.*)$", line)
        if opening:
            options = {}
            for following in lines[number + 1 :]:
                option = re.match(r"\s*:([\w-]+):\s*(.*)$", following)
                if not option:
                    break
                options[option[1]] = option[2].strip()
            yield opening[1], opening[2].strip(), options, number + 1


def sections(page: str) -> dict[str, str]:
    """The text of a page by its second-level headings; the opening has the key ''."""
    parts = re.split(r"^## +(.+)$", markdown_of(page), flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def median_of_visible_lines(cells: list[CodeCell]) -> float:
    """The median number of lines of the code cells that a reader sees unfolded."""
    return statistics.median([cell.lines for cell in cells if cell.is_in_view] or [0])
