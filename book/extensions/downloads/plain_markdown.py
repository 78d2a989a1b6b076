"""Turn a page, as resolved by Sphinx, into plain Markdown and code cells that read well in any notebook."""

import base64
import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node
from sphinx_proof.nodes import NODE_TYPES, proof_node

from book.extensions.site.self_checks import FOLD, TITLE, self_check, self_check_reasons

NUMBERED = tuple(NODE_TYPES.values())  # definitions, theorems and their like
EXERCISES = (exercise_node, exercise_enumerable_node)
DEEPEST_HEADING = 6


@dataclass(frozen=True)
class Code:
    """A code cell; `folded` ones show their output only."""

    source: str
    folded: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Text:
    """A block of Markdown: a paragraph, a list, a table, a formula, or a heading."""

    source: str
    heading: int = 0  # its level, or 0
    closed: bool = False  # a heading that JupyterLab shows folded, with everything below it
    attachments: tuple[tuple[str, str, str], ...] = ()  # name, media type, base64


Block = Code | Text


@dataclass
class Page:
    """What the writer needs to know about a page, and what it collects on the way.

    Attributes
    ----------
    section_numbers, figure_numbers : dict
        Sphinx's numbers on this page: sections by anchor, everything else by kind and id.
    link : callable
        Maps a reference to an address that a reader of the notebook can follow, or to None.
    cited, terms : list of str
        Addresses of the bibliography and glossary entries that the page refers to, in order.
    """

    section_numbers: dict[str, tuple[int, ...]]
    figure_numbers: dict[str, dict[str, tuple[int, ...]]]
    link: Callable[[nodes.reference], str | None] = lambda reference: None
    cited: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)


def dotted(number: Iterable[int]) -> str:
    """Write a number as it appears on the page: 2.1."""
    return ".".join(map(str, number))


def escaped(text: str) -> str:
    """Escape characters in prose that Markdown or a notebook's mathematics would take for markup."""
    text = re.sub(r"([\\`*$<])", r"\\\1", re.sub(r"\s+", " ", text))
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    return re.sub(r"\[(?=[^\[\]]*\][(\[:])", r"\\[", text)  # else it would be a link


def paragraph(text: str) -> str:
    """Escape the start of a paragraph that looks like a heading, a quotation or a list item."""
    text = re.sub(r"^([#>+-])(?=\s|[#>])", r"\\\1", text.strip())
    return re.sub(r"^(\d+)([.)])(?=\s)", r"\1\\\2", text)


def quoted(blocks: Iterable[str]) -> str:
    """Set blocks as one quotation."""
    lines = "\n\n".join(blocks).splitlines()
    return "\n".join(f"> {line}".rstrip() for line in lines)


def fence(code: str) -> str:
    """Return as many backticks as a span of this code needs."""
    return "`" * (max((len(run) for run in re.findall("`+", code)), default=0) + 1)


class PlainMarkdown:
    """Writes one page.

    Parameters
    ----------
    page : Page
        Numbers and links; citations are collected there.
    images : Path
        The folder to which the addresses of pictures are relative.
    """

    def __init__(self, page: Page, images: Path) -> None:
        self.page = page
        self.images = images
        self.level = 0

    # Inline

    def inline(self, node: nodes.Node) -> str:
        """Write the children of a node as a line of Markdown."""
        return "".join(self._span(child) for child in node.children)

    def _span(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Text):
            return escaped(node.astext())
        if isinstance(node, nodes.math):
            return f"${self._formula(node.astext())}$"
        if isinstance(node, nodes.literal):
            marks = fence(node.astext())
            return f"{marks}{node.astext()}{marks}"
        if isinstance(node, nodes.emphasis | nodes.strong | nodes.title_reference):
            marks = "**" if isinstance(node, nodes.strong) else "*"
            text = self.inline(node)
            inner = text.strip()
            before, after = (" " if text[:1] == " " else ""), (" " if text[-1:] == " " else "")
            return f"{before}{marks}{inner}{marks}{after}" if inner else text
        if isinstance(node, nodes.reference):
            return self._reference(node)
        if isinstance(node, nodes.inline) and "bibtex-citation" in node["classes"]:
            return self._citation(node)
        if isinstance(node, nodes.superscript | nodes.subscript):
            tag = "sup" if isinstance(node, nodes.superscript) else "sub"
            return f"<{tag}>{self.inline(node)}</{tag}>"
        if isinstance(node, nodes.raw | nodes.comment | nodes.target | addnodes.index):
            return self.inline(node) if isinstance(node, nodes.target) else ""
        return self.inline(node)

    def _reference(self, node: nodes.reference) -> str:
        if any("std-term" in inline["classes"] for inline in node.findall(nodes.inline)):
            self._note(self.page.terms, node["refuri"])
            return self.inline(node)
        address = self.page.link(node)
        return f"[{self.inline(node)}]({address})" if address else self.inline(node)

    def _citation(self, node: nodes.inline) -> str:
        """Write a citation in round brackets, since a square one begins a link."""
        for reference in node.findall(nodes.reference):
            self._note(self.page.cited, reference["refuri"])
        parts = [
            child.astext().replace("[", "(").replace("]", ")") if isinstance(child, nodes.Text) else child.astext()
            for child in node.children
        ]
        return escaped("".join(parts))

    @staticmethod
    def _note(seen: list[str], address: str) -> None:
        if address not in seen:
            seen.append(address)

    @staticmethod
    def _formula(latex: str) -> str:
        return re.sub(r"\s*\n\s*", " ", latex.strip())

    # Blocks

    def blocks(self, node: nodes.Node) -> Iterator[Block]:
        """Write the children of a node."""
        for child in node.children:
            yield from self.block(child)

    def block(self, node: nodes.Node) -> Iterator[Block]:
        """Write one node of the page."""
        if isinstance(node, nodes.section):
            yield from self._section(node)
        elif isinstance(node, nodes.paragraph):
            if text := paragraph(self.inline(node)):
                yield Text(text)
        elif isinstance(node, nodes.math_block):
            yield self._display(node)
        elif isinstance(node, nodes.container) and node.get("nb_element") == "cell_code":
            yield from self._cell(node)
        elif isinstance(node, NUMBERED):
            yield from self._numbered(node)
        elif isinstance(node, proof_node):
            yield from self._proof(node)
        elif isinstance(node, EXERCISES):
            yield from self._exercise(node)
        elif isinstance(node, solution_node):
            yield from self._solution(node)
        elif isinstance(node, self_check):
            yield from self._led(f"**{TITLE}.**", list(self.blocks(node)))
        elif isinstance(node, self_check_reasons):
            reasons = "\n\n".join(block.source for block in self.blocks(node))
            yield Text(f"<details><summary>{FOLD}</summary>\n\n{reasons}\n\n</details>")
        elif isinstance(node, nodes.Admonition):
            yield from self._admonition(node)
        elif isinstance(node, nodes.bullet_list | nodes.enumerated_list):
            yield from self._list(node)
        elif isinstance(node, nodes.definition_list):
            yield from self._definitions(node)
        elif isinstance(node, nodes.table):
            yield from self._table(node)
        elif isinstance(node, nodes.literal_block):
            marks = "`" * max(3, len(fence(node.astext())))
            language = node.get("language", "")
            yield Text(f"{marks}{'' if language in ('none', 'default') else language}\n{node.astext()}\n{marks}")
        elif isinstance(node, nodes.block_quote):
            yield from self._quotation(list(self.blocks(node)))
        elif isinstance(node, nodes.rubric):
            yield Text(f"**{self.inline(node)}**")
        elif isinstance(node, nodes.figure):
            yield from self.blocks(node)
            yield from self._caption(node)
        elif isinstance(node, nodes.image):
            yield self._picture(node)
        elif isinstance(node, nodes.transition):
            yield Text("---")
        elif isinstance(node, nodes.footnote):
            yield Text(f"({node.children[0].astext()}) " + " ".join(self.inline(child) for child in node.children[1:]))
        elif isinstance(node, nodes.Text | nodes.Inline):
            if text := self._span(node).strip():
                yield Text(text)
        elif not isinstance(node, nodes.Invisible | nodes.raw | nodes.title | nodes.caption | nodes.legend):
            yield from self.blocks(node)

    def _section(self, node: nodes.section) -> Iterator[Block]:
        """Write a section; one without text, such as a list of problem sets without an entry, is left out."""
        if not node.children or not isinstance(node.children[0], nodes.title):
            yield from self.blocks(node)  # a definition's body is a section without a title
            return
        self.level += 1
        content = [block for child in node.children[1:] for block in self.block(child)]
        level = min(self.level, DEEPEST_HEADING)
        self.level -= 1
        if content:
            number = self.page.section_numbers.get("" if level == 1 else f"#{node['ids'][0]}", ())
            title = f"{dotted(number)}. " if number else ""
            yield Text(f"{'#' * level} {title}{self.inline(node.children[0])}", heading=level)
            yield from content

    def _number(self, kind: str, node: nodes.Element) -> str:
        """Return the number that Sphinx gave to a figure, a theorem, an equation."""
        numbers = self.page.figure_numbers.get(kind, {})
        return next((dotted(numbers[name]) for name in node["ids"] if name in numbers), "")

    def _display(self, node: nodes.math_block) -> Text:
        formula = node.astext().strip()
        number = self._number("displaymath", node) if node.get("number") is not None else ""
        if re.match(r"\\begin\{(align|gather|equation|multline|flalign|alignat|eqnarray)\*?\}", formula):
            return Text(formula)  # these need no dollar signs
        return Text("$$\n" + formula + (rf" \tag{{{number}}}" if number else "") + "\n$$")

    def _cell(self, node: nodes.Element) -> Iterator[Block]:
        """Write a code cell without its outputs, followed by what the page says below a figure."""
        tags = tuple(node["cell_metadata"].get("tags", ()))
        for part in node.findall(nodes.container):  # a folded cell has one more container
            if part.get("nb_element") == "cell_code_source":
                source = next(part.findall(nodes.literal_block)).astext().rstrip()
                folded = bool({"hide-input", "hide-cell"} & set(tags))
                yield Code(source, folded, tuple(tag for tag in tags if tag == "raises-exception"))
            elif part.get("nb_element") == "cell_code_output":
                for figure in part.findall(nodes.figure):
                    yield from self._caption(figure)

    def _caption(self, figure: nodes.figure) -> Iterator[Text]:
        number = self._number("figure", figure)
        caption = next((self.inline(child) for child in figure.children if isinstance(child, nodes.caption)), "")
        label = f"**Fig. {number}.** " if number else ""
        alternatives = [image.get("alt", "") for image in figure.findall(nodes.image)]
        described = "".join(
            f"\n\n<details><summary>What the figure shows</summary>{html.escape(alt, quote=False)}</details>"
            for alt in alternatives
            if alt
        )
        if caption or described:
            yield Text(f"{label}{caption}{described}")

    def _picture(self, node: nodes.image) -> Text:
        """Write a picture from a file, with the file attached."""
        file = self.images / node["uri"]
        alt = escaped(node.get("alt", ""))
        kind = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".gif": "image/gif"}.get(
            file.suffix
        )
        if kind is None or not file.is_file():
            return Text(f"*{alt}*")
        content = base64.b64encode(file.read_bytes()).decode("ascii")
        return Text(f"![{alt}](attachment:{file.name})", attachments=((file.name, kind, content),))

    def _numbered(self, node: nodes.Element) -> Iterator[Block]:
        kind = node["realtype"].title()
        number = self._number(node["countertype"], node)
        title = self.inline(node.children[0]).strip() if isinstance(node.children[0], nodes.title) else ""
        name = " ".join(part for part in (kind, number, title) if part)
        yield from self._led(f"**{name}.**", list(self._body(node)))

    def _proof(self, node: nodes.Element) -> Iterator[Block]:
        blocks = list(self._body(node))
        if blocks and isinstance(blocks[0], Text):
            blocks[0] = Text(re.sub(r"^(?:\*?Proof\.?\*?)\s*", "", blocks[0].source))
        last = blocks[-1] if blocks else None
        if isinstance(last, Text) and not last.source.endswith("$$"):
            blocks[-1] = Text(f"{last.source} ∎")
        else:
            blocks.append(Text("∎"))
        yield from self._led("*Proof.*", blocks)

    @staticmethod
    def _led(label: str, blocks: list[Block]) -> Iterator[Block]:
        """Put a label at the start of blocks: in the first paragraph, or before everything else."""
        if blocks and isinstance(blocks[0], Text) and re.match(r"[^\W\d_]|\*|\$(?!\$)|`(?!``)", blocks[0].source):
            yield Text(f"{label} {blocks[0].source}")
            yield from blocks[1:]
        else:
            yield Text(label)
            yield from blocks

    def _body(self, node: nodes.Element) -> Iterator[Block]:
        """Write an admonition without its title."""
        for child in node.children:
            if isinstance(child, nodes.admonition) and isinstance(node, proof_node):
                yield from self._body(child)
            elif not isinstance(child, nodes.title):
                yield from self.block(child)

    def _title(self, node: nodes.Element, default: str) -> str:
        title = next((child for child in node.children if isinstance(child, nodes.title)), None)
        return re.sub(r"\s+", " ", self.inline(title)).strip() if title is not None else default

    def _exercise(self, node: nodes.Element) -> Iterator[Block]:
        """Write an exercise as a section, so that its solution can be folded."""
        level = min(self.level + 1, DEEPEST_HEADING)
        number = self._number("exercise", node)
        title = self._title(node, "").removeprefix("Exercise").strip()
        name = " ".join(part for part in ("Exercise", number, title) if part)
        yield Text(f"{'#' * level} {name}", heading=level)
        yield from self._body(node)

    def _solution(self, node: nodes.Element) -> Iterator[Block]:
        """Write a solution as a section below its exercise, folded if nothing else would be hidden with it."""
        level = min(self.level + 2, DEEPEST_HEADING)
        following = next(iter(node.parent.children[node.parent.index(node) + 1 :]), None)
        closed = following is None or isinstance(following, (nodes.section, *EXERCISES, nodes.target))
        yield Text(f"{'#' * level} {self._title(node, 'Solution')}", heading=level, closed=closed)
        yield from self._body(node)

    def _admonition(self, node: nodes.Element) -> Iterator[Block]:
        title = self._title(node, node.__class__.__name__.title())
        yield from self._quotation([Text(f"**{title}**"), *self._body(node)])

    @staticmethod
    def _quotation(blocks: list[Block]) -> Iterator[Block]:
        """Quote Text, with each formula on one line, since quotation marks of further lines would end up in it."""
        kept: list[str] = []
        for block in blocks:
            if isinstance(block, Code) or block.heading:
                if kept:
                    yield Text(quoted(kept))
                kept = []
                yield block
            elif block.source.startswith(("$$", "\\begin")):
                kept.append(re.sub(r"\s*\n\s*", " ", block.source))
            else:
                kept.append(block.source)
        if kept:
            yield Text(quoted(kept))

    def _list(self, node: nodes.Element) -> Iterator[Block]:
        """Write a list; a code cell in an item comes after the list's text up to that point."""
        start = int(node.get("start", 1))
        items: list[str] = []
        for place, item in enumerate(node.children):
            marker = f"{start + place}. " if isinstance(node, nodes.enumerated_list) else "- "
            if node.get("enumtype") in ("loweralpha", "lowerroman", "upperalpha", "upperroman"):
                marker = "- "
            parts: list[str] = []
            for block in self.blocks(item):
                if isinstance(block, Code):
                    yield Text("\n".join([*items, self._item(marker, parts)]))
                    yield block
                    items, parts, marker = [], [], ""
                else:
                    parts.append(block.source)
            if parts:
                items.append(self._item(marker, parts))
        if items:
            yield Text("\n".join(items))

    @staticmethod
    def _item(marker: str, parts: list[str]) -> str:
        text = "\n\n".join(parts) if any(not part.startswith(("- ", "1. ")) for part in parts[1:]) else "\n".join(parts)
        return marker + text.replace("\n", "\n" + " " * len(marker))

    def _definitions(self, node: nodes.definition_list) -> Iterator[Block]:
        for item in node.children:
            terms = ", ".join(self.inline(child) for child in item.children if isinstance(child, nodes.term))
            content = [
                block for child in item.children if isinstance(child, nodes.definition) for block in self.blocks(child)
            ]
            yield from self._led(f"**{terms}:**", content)

    def _table(self, node: nodes.table) -> Iterator[Block]:
        for title in node.children:
            if isinstance(title, nodes.title):
                number = self._number("table", node)
                label = f"**Table {number}.** " if number else ""
                yield Text(f"{label}{self.inline(title)}")
        rows = [[self._entry(entry) for entry in row.children] for row in node.findall(nodes.row)]
        if not rows:
            return
        if not any(True for _ in node.findall(nodes.thead)):
            rows.insert(0, [""] * len(rows[0]))
        rule = ["---"] * len(rows[0])
        yield Text("\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]]))

    def _entry(self, node: nodes.entry) -> str:
        """Write a cell of a table; a bar in it would end the cell."""
        entry = node.deepcopy()
        for formula in list(entry.findall(nodes.math)):
            latex = formula.astext().replace(r"\|", r"\Vert ").replace("|", r"\vert ")
            formula.parent.replace(formula, nodes.math("", latex))
        blocks = [block.source for block in self.blocks(entry) if isinstance(block, Text)]
        return " ".join(blocks).replace("|", r"\|").replace("\n", " ")
