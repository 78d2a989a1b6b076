"""The book's Sphinx extensions, a folder for each purpose."""

from sphinx.application import Sphinx

EXTENSIONS = (
    "build.executed_cells",
    "build.missing_targets",
    "build.parallel_writing",
    "downloads.chapter_notebooks",
    "downloads.problem_set_archive",
    "ledger.directive",
    "ledger.folded_proofs",
    "problem_sets.listings",
    "problem_sets.proof_table",
    "problem_sets.repair",
    "site.accessible_pages",
    "site.author_year",
    "site.borrowed_figures",
    "site.chapter_frame",
    "site.descriptions",
    "site.glossary",
    "site.interactive_figures",
    "site.katex_prerender",
    "site.marked_cells",
    "site.page_weight",
    "site.pictures",
    "site.previews",
    "site.publishing",
    "site.search_index",
    "site.self_checks",
    "site.tidy_html",
    "site.section_heights",
)


def setup(app: Sphinx) -> dict[str, bool]:
    """Load them all."""
    for name in EXTENSIONS:
        app.setup_extension(f"{__name__}.{name}")
    return {"parallel_read_safe": False, "parallel_write_safe": True}
