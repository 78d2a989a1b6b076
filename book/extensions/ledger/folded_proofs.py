"""Fold the check cells: below each result, one line says how often it was checked and opens the proof.

A proof stays open if its cell has the tag `open-proof`; its line then has nothing to open. The cell may be anywhere
between its equation and the next code cell, so that it need not split a sentence: the line always comes directly below
the equation. Nothing changes in the downloaded notebook, which has each cell where the author put it.
"""

import html
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

from book.extensions.ledger.derivations import Result

OPEN = "open-proof"
COUNTS = ("no", "one", "two", "three")
# Operators, numbers and the names of built-ins keep no colour of their own, since a page with twenty proofs would have
# thousands of elements that nobody sees.
MINOR_COLOURS = re.compile(r'<span class="(?!c1"|k|s)[\w-]+">([^<]*)</span>')


class proof_line(nodes.General, nodes.Element):  # noqa: N801  (docutils names its nodes in lower case)
    """The line below a result, with the code of its proof if that is folded."""


class folded_cell(nodes.General, nodes.Element):  # noqa: N801
    """A check cell that the page shows in a line; its content is for the downloaded notebook."""


def words_about(result: Result) -> str:
    """Say how often a result was checked, and for which sizes it was proved.

    Parameters
    ----------
    result : Result
        A result with its verdicts.

    Returns
    -------
    str
        For example "checked by SymPy for k = 3, and in three other ways".
    """
    others = len(result.verdicts) - 1
    number = COUNTS[others] if others < len(COUNTS) else str(others)
    proved = "" if result.check.proved == "in general" else f" {result.check.proved},"
    return f"checked by SymPy{proved} and in {number} other {'way' if others == 1 else 'ways'}"


class FoldProofs(SphinxPostTransform):
    """Put the lines below the results, and hide the cells."""

    default_priority = 5  # as the ledger, whose rows the lines lead to

    def run(self, **kwargs: object) -> None:
        """Change the page in place."""
        results = {result.check.result: result for result in self.env.ledger_results}
        equations = {block.get("label"): block for block in self.document.findall(nodes.math_block)}
        for cell in list(self.document.findall(nodes.container)):
            about = cell.get("cell_metadata", {}).get("check") if cell.get("nb_element") == "cell_code" else None
            if about is None or about["result"] not in equations:  # the ledger reports a check without its equation
                continue
            label = about["result"]
            folded = OPEN not in cell["cell_metadata"].get("tags", ())
            source = next(cell.findall(nodes.literal_block))
            line = proof_line(
                "", label=label, words=words_about(results[label]), ledger=self._ledger(label),
                code=source.astext() if folded else "",
            )  # fmt: skip
            equation = equations[label]
            equation.parent.insert(equation.parent.index(equation) + 1, line)
            if folded:
                if any(part.get("nb_element") == "cell_code_output" for part in cell.findall(nodes.container)):
                    raise ExtensionError(
                        f"{results[label].check.where}: the cell shows something, which the fold would hide; "
                        f"show it in a cell of its own, or give this one the tag `{OPEN}`."
                    )
                cell.replace_self(folded_cell("", cell.deepcopy()))

    def _ledger(self, label: str) -> str:
        """The address of a result's row in the ledger, or nothing if no page has the ledger."""
        page = getattr(self.env, "ledger_page", None)
        if page is None:
            return ""
        return f"{self.app.builder.get_relative_uri(self.env.docname, page)}#{row_anchor(label)}"


def row_anchor(label: str) -> str:
    """Return the id of a result's row in the ledger."""
    return f"checks-of-{label.removeprefix('eq-')}"


def visit_proof_line(self: HTML5Translator, node: proof_line) -> None:
    """Write the line."""
    words = f'<span class="tick">✓</span> {html.escape(node["words"])}'
    self.body.append('<div class="checked">')
    if node["code"]:
        code = self.highlighter.highlight_block(node["code"], "python", location=node)
        code = MINOR_COLOURS.sub(r"\1", code)
        self.body.append(
            f'<details><summary>{words}</summary><div class="highlight-python notranslate">{code}</div></details>'
        )
    else:
        self.body.append(f"<p>{words}</p>")
    if node["ledger"]:
        self.body.append(f'<a href="{html.escape(node["ledger"])}">ledger</a>')
    self.body.append("</div>\n")


def depart_proof_line(self: HTML5Translator, node: proof_line) -> None:
    """Nothing is left to write."""


def visit_folded_cell(self: HTML5Translator, node: folded_cell) -> None:
    """Leave the cell out: its line has the code."""
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_node(proof_line, html=(visit_proof_line, depart_proof_line))
    app.add_node(folded_cell, html=(visit_folded_cell, None))
    app.add_post_transform(FoldProofs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
