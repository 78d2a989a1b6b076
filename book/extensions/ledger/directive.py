"""The `{ledger}` directive: a table of every labelled result with its checks."""

import html
from collections.abc import Iterator
from pathlib import Path

import sphinx.errors
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from book.extensions.ledger.book_autodiff import autodiff_in
from book.extensions.ledger.check_cells import CheckError, collect
from book.extensions.ledger.derivations import METHODS, NUMERIC, Result, Verdict, verify_all
from book.extensions.ledger.folded_proofs import row_anchor

logger = logging.getLogger(__name__)

NAMES = {"hessian": "Hessian", "jacobian": "Jacobian"}  # people's names
COLUMNS = ("Result", "Proof (SymPy)", *(method.column for method in METHODS))
NONE = "–"  # where a check does not apply
WIDTHS = (40, *(60 // (len(COLUMNS) - 1) for _ in COLUMNS[1:]))


class ledger(nodes.General, nodes.Element):  # noqa: N801  (docutils names its nodes in lower case)
    """Holds the table's place until every page has been read and every equation has its number."""


class LedgerDirective(SphinxDirective):
    """Mark the place of the table; takes neither arguments nor content."""

    def run(self) -> list[nodes.Node]:
        """Return the placeholder, and remember the page for links to it."""
        self.env.ledger_page = self.env.docname
        return [ledger()]


class FillLedger(SphinxPostTransform):
    """Replace the placeholder with the tables, before Sphinx resolves the references in them."""

    default_priority = 5  # ReferencesResolver has 10

    def run(self, **kwargs: object) -> None:
        """Fill every placeholder of the page."""
        for place in list(self.document.findall(ledger)):
            place.replace_self(list(self._tables()))

    def _tables(self) -> Iterator[nodes.Node]:
        """A count, then for each page that has results a fold with its table.

        A browser does not lay out what is folded, which on this page is ten thousand parts of formulas. A link to a row
        opens its fold.
        """
        results: list[Result] = self.env.ledger_results
        by_page: dict[str, list[Result]] = {}
        for result in results:
            by_page.setdefault(result.check.page, []).append(result)
        yield nodes.paragraph(
            "", f"{len(results)} results have passed {sum(len(result.verdicts) for result in results)} checks."
        )
        for page, listed in by_page.items():
            table = nodes.table(classes=["ledger"])
            group = nodes.tgroup(cols=len(COLUMNS))
            table += group
            group += [nodes.colspec(colwidth=width) for width in WIDTHS]
            head = nodes.row()
            head += [nodes.entry("", nodes.paragraph(text=name)) for name in COLUMNS]
            group += nodes.thead("", head)
            body = nodes.tbody()
            body += [self._row(result) for result in listed]
            group += body
            yield nodes.raw("", self._fold(page, len(listed)), format="html")
            yield table
            yield nodes.raw("", "</details>", format="html")

    def _fold(self, page: str, count: int) -> str:
        """The start of a chapter's fold: its number, its title and how many results it has."""
        number = ".".join(map(str, self.env.toc_secnumbers.get(page, {}).get("", ())))
        title = html.escape(f"{number}. {self.env.titles[page].astext()}" if number else self.env.titles[page].astext())
        results = "1 result" if count == 1 else f"{count} results"
        return f'<details class="ledger-chapter"><summary>{title}: {results}</summary>'

    def _row(self, result: Result) -> nodes.row:
        """The row of one result."""
        check = result.check
        verdicts = {verdict.method: verdict for verdict in result.verdicts}
        statement = nodes.entry()
        statement += nodes.paragraph(
            "", "", nodes.strong("", "", _reference("math", "eq", check.result, self.env.docname)),
            nodes.Text(f" {NAMES.get(check.kind, check.kind)}"), classes=["ledger-name"],
        )  # fmt: skip
        if check.result in self.env.ledger_equations:
            latex = self.env.ledger_equations[check.result][1]
            statement += nodes.math_block(latex, latex, nowrap=False, number=None, classes=["ledger-equation"])
        row = nodes.row(classes=["ledger-row"], ids=[row_anchor(check.result)])
        row += statement
        row += _cell(COLUMNS[1], check.proved)
        for method in METHODS:
            sides = check.kind == "identity" and method.name == NUMERIC
            label = "Both sides evaluated" if sides else method.column
            row += _cell(label, _measured(verdicts[method.name]) if method.name in verdicts else NONE)
        return row


def _reference(domain: str, kind: str, target: str, page: str) -> addnodes.pending_xref:
    """A cross-reference for Sphinx to resolve; Sphinx warns if it cannot."""
    reference = addnodes.pending_xref(
        "", refdomain=domain, reftype=kind, reftarget=target, refdoc=page, refexplicit=False, refwarn=True
    )
    reference += nodes.inline("", target)
    return reference


def _cell(label: str, text: str) -> nodes.entry:
    """A cell that repeats the name of its column, which a narrow screen shows instead of the table's header."""
    words = nodes.paragraph("", "", nodes.inline(text=f"{label}: ", classes=["ledger-label"]), nodes.Text(text))
    return nodes.entry("", words, classes=["ledger-none"] if text == NONE else [])


def _measured(verdict: Verdict) -> str:
    """The largest error, to its one meaningful digit."""
    return "exact" if verdict.error == 0 else f"error {verdict.error:.0e}".replace("e-0", "e-")


def verify_results(app: Sphinx, env: BuildEnvironment, to_read: list[str]) -> None:
    """Check every result before any page is read.

    Raises
    ------
    sphinx.errors.ExtensionError
        If a check cell cannot be used or a result is false: the book is then not built.
    """
    pages = {page: Path(env.doc2path(page)) for page in _in_reading_order(env)}
    try:
        results = verify_all(collect(pages), Path(app.outdir).parent / ".derivations.json", autodiff_in(pages))
    except CheckError as error:
        raise sphinx.errors.ExtensionError(str(error)) from error
    failures = [failure for result in results for failure in result.failures]
    if failures:
        raise sphinx.errors.ExtensionError("The book states a result that is false.\n" + "\n".join(failures))
    logger.info("ledger: %d results, %d checks", len(results), sum(len(result.verdicts) for result in results))
    env.ledger_results, env.ledger_equations = results, {}


def _in_reading_order(env: BuildEnvironment) -> list[str]:
    """The pages in the order of _toc.yml, then any others."""
    toc = getattr(env.config, "external_site_map", None)
    ordered = [page for page in toc if page in env.found_docs] if toc is not None else []
    return list(dict.fromkeys(ordered + sorted(env.found_docs)))


def remember_equations(app: Sphinx, doctree: nodes.document) -> None:
    """Keep the formula of every labelled result, for the table."""
    for block in doctree.findall(nodes.math_block):
        label = block.get("label") or ""
        if label.startswith("eq-"):
            app.env.ledger_equations[label] = (app.env.docname, block.astext())


def require_equations(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn about a labelled result without a check, and about a check whose result is on no page or on another one."""
    checked = {result.check.result: result.check for result in env.ledger_results}
    for label, (page, _) in env.ledger_equations.items():
        if label not in checked:
            logger.warning("equation %s has no check cell; add one beside it", label, location=page)
    for label, check in checked.items():
        if label not in env.ledger_equations:
            logger.warning("%s: no equation has this label", check.where, location=check.page)
        elif env.ledger_equations[label][0] != check.page:
            logger.warning("%s: the equation is on another page", check.where, location=check.page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_node(ledger)
    app.add_directive("ledger", LedgerDirective)
    app.add_post_transform(FillLedger)
    app.connect("env-before-read-docs", verify_results)
    app.connect("doctree-read", remember_equations)
    app.connect("env-check-consistency", require_equations)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
