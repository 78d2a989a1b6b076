"""Tables of what each item of the released problem sets was proven with: `{proof-table}` and `{mutant-survivors}`."""

import html
from collections import Counter
from dataclasses import astuple
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import autograder
from autograder.authoring.mutants import known_results
from autograder.authoring.proof_table import HEAD, ItemProof, item_proofs, table_rows
from autograder.problem_set.source import ProblemSet
from book.extensions.build.kept import digest_of, kept
from book.extensions.problem_sets.released_sets import released


def _proofs(app: Sphinx, name: str) -> dict:
    """What one set was proven with. Reading a set with its bank takes half a second, so the answer is cached."""
    root = Path(app.srcdir)

    def read() -> dict:
        problem_set = ProblemSet(root / "solutions" / name)
        return {
            "proofs": [astuple(proof) for proof in item_proofs(problem_set)],
            # Not the changes themselves: their names quote the reference solutions, and the page is public.
            "survivors": [
                (item, count, reason)
                for item, result in known_results(problem_set).items()
                for reason, count in Counter(result["survivors"].values()).items()
            ],
        }

    package = Path(autograder.__file__).parent
    files = [*(root / "solutions" / name).rglob("*"), *(root / "solutions").glob("*"), root / "requirements.txt"]
    digest = digest_of(root, files) + digest_of(package, package.rglob("*.py"))
    return kept(Path(app.outdir).parent / ".proofs" / f"{name}.json", digest, read)


def _sets(directive: SphinxDirective) -> dict[str, dict]:
    """What each released set was proven with."""
    app = directive.env.app
    return {file.parent.name: _proofs(app, file.parent.name) for file in released(Path(app.srcdir))}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]], numbers_from: int) -> nodes.table:
    table = nodes.table(classes=["proof-table"])
    group = nodes.tgroup(cols=len(head))
    table += group
    group += [nodes.colspec(colwidth=1) for _ in head]
    top = nodes.row()
    top += [nodes.entry("", nodes.paragraph(text=name)) for name in head]
    group += nodes.thead("", top)
    body = nodes.tbody()
    group += body
    for row in rows:
        line = nodes.row()
        for position, text in enumerate(row):
            name = nodes.literal(text=text) if position < numbers_from and row[0] != "all" else nodes.Text(text)
            line += nodes.entry("", nodes.paragraph("", "", name))
        body += line
    return table


def _folded(title: str, table: nodes.table) -> list[nodes.Node]:
    """Put a long table behind its title; on paper it would fill sheets that nobody asked for."""
    begin = nodes.raw("", f'<details class="only-on-screen"><summary>{html.escape(title)}</summary>', format="html")
    return [begin, table, nodes.raw("", "</details>", format="html")]


class ProofTableDirective(SphinxDirective):
    """A row for each set and a row of sums, followed by a folded table with a row for each item."""

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        sets = {name: [ItemProof(*proof) for proof in known["proofs"]] for name, known in _sets(self).items()}
        if not sets:
            return []
        sums = [(name, *table_rows(proofs)[-1][1:]) for name, proofs in sets.items()]
        sums.append(table_rows(proof for proofs in sets.values() for proof in proofs)[-1])
        sums = [(row[0], row[1].split()[0], *row[2:]) for row in sums]
        shown: list[nodes.Node] = [_table(("set", "items", *HEAD[2:]), sums, 1)]
        for name, proofs in sets.items():
            rows = [row[1:] for row in table_rows(proofs)[:-1]]
            shown += _folded(f"The items of {name}", _table(HEAD[1:], rows, 1))
        return shown


class MutantSurvivorsDirective(SphinxDirective):
    """For each set, a folded table of how many mutants keep their points, and the reasons why that is right."""

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        shown: list[nodes.Node] = []
        for name, known in _sets(self).items():
            if survivors := known["survivors"]:
                head = ("item", "mutants", "why they are not faults")
                rows = [(item, str(count), reason) for item, count, reason in survivors]
                shown += _folded(f"{sum(count for _, count, _ in survivors)} of {name}", _table(head, rows, 1))
        return shown


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("proof-table", ProofTableDirective)
    app.add_directive("mutant-survivors", MutantSurvivorsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
