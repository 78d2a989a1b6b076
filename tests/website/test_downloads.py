"""Each chapter as a notebook: complete, plain, and running with only NumPy, SymPy and Matplotlib."""

import base64
import functools
import json
import os
import random
import re
import subprocess
import sys
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest
from docutils import nodes
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from packaging.requirements import Requirement

from book.extensions.downloads.chapter_notebooks import BUTTON, _cells, serialised, style_cell, with_cells_left_out
from book.extensions.downloads.plain_markdown import Code, Page, PlainMarkdown, Text, escaped, paragraph
from tests.support import ROOT, TEST_ALL
from tests.support.book_pages import chapters, code_cells, html_of, some_of, source_of

PACKAGES = ("numpy", "sympy", "matplotlib", "ipykernel")
TIMEOUT = 300  # seconds a cell, as in the build
# Markup that only the book's own tools can read: a role, a directive, a label, a colon fence.
MYST = re.compile(r"\{[\w:-]+\}`|^(?:`{3,}|:{3,})\{|^\([\w-]+\)=$|\$\$ *\([\w-]+\)|^:{3,}", re.MULTILINE)


def file_of(site: Path, page: str) -> Path:
    return site / f"{page}.ipynb"


@functools.cache
def notebook_of(site: Path, page: str) -> nbformat.NotebookNode:
    return nbformat.read(file_of(site, page), as_version=4)


def markdown_of(site: Path, page: str) -> str:
    cells = notebook_of(site, page).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


# The download


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_offers_its_notebook_below_its_title_and_in_the_menu(site, page):
    html = html_of(site, page)
    links = [
        link
        for link in html.select("a[href$='.ipynb']:not(.in-browser)")
        if not link.find_parent(class_="problem-sets")
    ]
    assert len(links) == 2, f"{page}: offers {[link['href'] for link in links]}"
    for link in links:
        assert (site / page).parent.joinpath(link["href"]) == file_of(site, page)
    assert html.select_one("h1 + p.notebook-download a").get_text() == BUTTON
    assert not html.select(".dropdown-download-buttons a[href$='.md']"), f"{page}: still offers a source in MyST"


@pytest.mark.parametrize("page", chapters())
def test_the_notebook_is_valid_plain_and_the_same_every_time(site, page):
    notebook = notebook_of(site, page)
    nbformat.validate(notebook)
    raw = file_of(site, page).read_bytes()
    assert serialised(json.loads(raw)) == raw
    assert [cell.id for cell in notebook.cells] == [
        f"{page.rpartition('/')[2]}-{i:03}" for i in range(len(notebook.cells))
    ]
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"jupyter", "tags", "jp-MarkdownHeadingCollapsed"}, f"{cell.id}: {cell.metadata}"
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        else:
            assert cell.source.strip(), f"{cell.id} is empty"
            found = MYST.search(re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL))
            assert not found, f"{cell.id}: only the book's own tools can read {found[0]!r}"


@pytest.mark.parametrize("page", chapters())
def test_the_notebook_has_every_code_cell_in_order(site, page):
    style, *code = [cell.source for cell in notebook_of(site, page).cells if cell.cell_type == "code"]
    assert style == style_cell(ROOT / "book" / "matplotlibrc")
    assert code == [cell.source.strip() for cell in source_of(page).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("page", chapters())
def test_the_notebook_has_what_the_page_has(site, page):
    html, text = html_of(site, page), markdown_of(site, page)
    found = {re.sub(r"\$.*?\$|\W", "", h) for h in re.findall(r"^#{1,2} (.*)$", text, re.MULTILINE)}
    for heading in some_of(html, "article h1, article h2"):
        words = "".join(part for part in heading.find_all(string=True) if not part.find_parent(class_="math"))
        is_empty = "Problem sets" in words and not html.select("ul.problem-sets")
        assert is_empty or re.sub(r"\W", "", words) in found, f"{page}: the section {words} is missing"
    for number in some_of(html, ".eqno"):
        tag = number.get_text().rstrip("#").strip("()")
        assert rf"\tag{{{tag}}}" in text, f"{page}: equation {tag} is missing"
    for caption in some_of(html, ".caption-number"):
        name = caption.get_text().strip()
        if name.startswith("Fig"):
            assert f"**{name}.** " in text, f"{page}: the caption of {name} is missing"
    for title in some_of(html, "div.proof > .admonition-title, div.exercise > .admonition-title"):
        name = re.match(r"\w+ [\d.]+", title.get_text())
        assert name is None or re.search(rf"(\*\*|### ){re.escape(name[0])}[ .]", text), f"{page}: no {name[0]}"
    assert len(html.select("div.solution")) == len(re.findall(r"^#{3,} Solution", text, re.MULTILINE))
    cited = {a["href"].partition("#")[2] for a in html.select(".bibtex-citation a")}
    assert len(cited) == len(re.findall(r"^- ", text.partition("\n## References\n")[2], re.MULTILINE))
    terms = {a["href"].partition("#")[2] for a in html.select("a.reference") if a.select_one(".std-term")}
    listed = text.partition("\n## Terms\n")[2].partition("\n## References\n")[0]
    assert len(terms) == len(re.findall(r"^- \*\*", listed, re.MULTILINE))


@pytest.mark.parametrize("page", chapters())
def test_the_links_of_the_notebook_lead_to_other_chapters_or_elsewhere(site, page):
    names = {f"{chapter.rpartition('/')[2]}.ipynb" for chapter in chapters()}
    assert len(names) == len(chapters()), "two chapters have one name, so their notebooks cannot stand in one folder"
    for target in re.findall(r"(?<!!)\]\(([^)\s]+)\)", markdown_of(site, page)):
        assert target in names or target.startswith(("https://", "http://")), (
            f"{page}: {target} leads nowhere in a notebook"
        )


# It runs with little


def requirements(names: tuple[str, ...]) -> dict[str, Distribution]:
    """Find distributions and all their requirements, by canonical name."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform or version of Python
        for line in found[name].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


@pytest.fixture(scope="session")
def small_environment(tmp_path_factory) -> Path:
    """A virtual environment with only NumPy, SymPy, Matplotlib and ipykernel, made of links to this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    for package in requirements(PACKAGES).values():
        for name in {file.parts[0] for file in package.files} - {"..", "__pycache__"}:
            if not (packages / name).exists():
                (packages / name).symlink_to(package.locate_file(name))
    kernel = folder / "kernels" / "small"
    kernel.mkdir(parents=True)
    command = [str(folder / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": command, "display_name": "small", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(about))
    return folder


def surroundings(folder: Path) -> dict[str, str]:
    """This process's environment variables, without those that lead to the book or to other packages."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MATPLOTLIBRC", "VIRTUAL"))
    }
    # Matplotlib's font list takes long to make, so it is shared.
    return {**kept, "IPYTHONDIR": str(folder / "ipython"), "MPLCONFIGDIR": mpl.get_cachedir()}


def test_the_small_environment_has_nothing_else(small_environment):
    script = (
        "import importlib.util, sys\n"
        f"print([n for n in {PACKAGES!r} if importlib.util.find_spec(n) is None])\n"
        "others = 'autograd scipy sklearn jupytext nbformat nbclient myst_nb sphinx autograder pandas yaml pytest'\n"
        "print([n for n in others.split() if importlib.util.find_spec(n) is not None])\n"
        "import matplotlib\n"
        "print(matplotlib.rcParams['font.size'])\n"
    )
    run = subprocess.run(
        [small_environment / "bin" / "python", "-c", script],
        env=surroundings(small_environment), cwd=small_environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout == "[]\n[]\n10.0\n", "the environment lacks a package, has another one, or knows the book's style"


#: Chapters whose notebooks run in the small environment; `make test-all` runs all of them.
RUN = chapters() if TEST_ALL else random.Random("downloads").sample(chapters(), 1)


@pytest.mark.parametrize("page", chapters())
def test_the_notebook_imports_nothing_else(site, page):
    code = "\n".join(cell.source for cell in notebook_of(site, page).cells if cell.cell_type == "code")
    imported = {name.partition(".")[0] for name in re.findall(r"^\s*(?:from|import)\s+([\w.]+)", code, re.MULTILINE)}
    # mpmath and IPython come with SymPy and ipykernel.
    assert imported, f"{page}: no import is found"
    assert imported - set(sys.stdlib_module_names) <= {*PACKAGES, "mpmath", "IPython"}


@pytest.mark.parametrize("page", RUN)
def test_the_notebook_runs_from_top_to_bottom(site, page, small_environment, tmp_path):
    notebook = nbformat.read(file_of(site, page), as_version=4)
    manager = AsyncKernelManager(
        kernel_name="small",
        connection_file=str(tmp_path / "connection.json"),
        kernel_spec_manager=KernelSpecManager(
            kernel_dirs=[str(small_environment / "kernels")], ensure_native_kernel=False
        ),
    )
    client = NotebookClient(notebook, km=manager, timeout=TIMEOUT, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=surroundings(small_environment))
    pictures = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output.get("name") != "stderr", f"{page}, {cell.id} writes to stderr: {output['text']}"
            pictures += any(kind.startswith("image/") for kind in output.get("data", {}))
    expected = sum(
        any(kind.startswith("image/") for kind in output.get("data", {}))
        for cell in code_cells(site, page)
        for output in cell.outputs
    )
    assert pictures == expected, f"{page}: the notebook draws {pictures} figures, the page {expected}"


# Its parts


def test_the_first_cell_sets_the_style_of_the_book():
    file = ROOT / "book" / "matplotlibrc"
    style = mpl.rc_params_from_file(file, use_default_template=False)
    with mpl.rc_context():
        mpl.rcdefaults()
        exec(style_cell(file), {})
        for key, value in style.items():
            assert key.startswith("svg.") or mpl.rcParams[key] == value, f"{key} is {mpl.rcParams[key]}, not {value}"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("2 * 3 * 4", r"2 \* 3 \* 4"),
        ("a_b and _c_", r"a_b and \_c\_"),
        ("[0, 1) and [a](b)", r"[0, 1) and \[a](b)"),
        ("it costs $5 and `x` <y>", r"it costs \$5 and \`x\` \<y>"),
        ("two\nlines", "two lines"),
    ],
)
def test_prose_stays_prose(text, markdown):
    assert escaped(text) == markdown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [("# no title", r"\# no title"), ("- no item", r"\- no item"), ("1. no item", r"1\. no item"), ("**b**", "**b**")],
)
def test_a_paragraph_is_no_heading_and_no_list(text, markdown):
    assert paragraph(text) == markdown


def written(*content: nodes.Node, folder: Path = ROOT) -> list:
    document = nodes.container("", *content)
    return list(PlainMarkdown(Page({}, {}), folder).blocks(document))


def test_bars_do_not_end_the_cell_of_a_table():
    def row(*cells):
        entries = [nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells]
        return nodes.row("", *entries)

    head = nodes.thead("", row([nodes.Text("a|b")], [nodes.math("", r"D(p \| q)")]))
    body = nodes.tbody("", row([nodes.literal("", "x|y")], [nodes.math("", "|x|")]))
    [block] = written(nodes.table("", nodes.tgroup("", head, body, cols=2)))
    assert block.source == "| a\\|b | $D(p \\Vert  q)$ |\n| --- | --- |\n| `x\\|y` | $\\vert x\\vert$ |"


def test_a_formula_in_a_quotation_is_on_one_line():
    note = nodes.admonition("", nodes.title("", "Note"), nodes.math_block("", "x\n= 1", number=None))
    [block] = written(note)
    assert block.source == "> **Note**\n>\n> $$ x = 1 $$"


def test_code_in_a_list_keeps_its_place():
    code = nodes.container("", nodes.container("", nodes.literal_block("", "x = 1"), nb_element="cell_code_source"),
                           nb_element="cell_code", cell_metadata={"tags": ["hide-input"]})  # fmt: skip
    items = nodes.bullet_list(
        "",
        nodes.list_item("", nodes.paragraph("", "one")),
        nodes.list_item("", nodes.paragraph("", "two"), code, nodes.paragraph("", "after")),
        nodes.list_item("", nodes.paragraph("", "three")),
    )
    assert written(items) == [Text("- one\n- two"), Code("x = 1", folded=True), Text("after\n- three")]


def test_a_picture_goes_with_the_notebook(tmp_path):
    (tmp_path / "map.png").write_bytes(b"PNG")
    [block] = written(nodes.image(uri="map.png", alt="A map"), folder=tmp_path)
    [cell] = _cells("page", [block])
    assert cell["source"] == ["![A map](attachment:map.png)"]
    assert base64.b64decode(cell["attachments"]["map.png"]["image/png"]) == b"PNG"


def test_a_cell_that_the_page_leaves_out_precedes_the_code_that_follows_it_in_the_notebook():
    def code(source, *tags):
        return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})

    cells = [code("a"), code("packed", "remove-cell"), code("b", "hide-input"), code("end", "remove-cell")]
    shown = [Text("one"), Code("a"), Text("two"), Code("b", folded=True), Text("three")]
    assert list(with_cells_left_out(shown, cells)) == [
        *shown[:3], Code("packed", folded=True), *shown[3:], Code("end", folded=True)
    ]  # fmt: skip


def test_a_heading_begins_a_cell_and_a_closed_one_has_its_own():
    blocks = [Text("# A", heading=1), Text("a"), Text("## B", heading=2), Text("- b"), Text("- c"),
              Text("#### S", heading=4, closed=True), Text("s"), Code("1"), Text("t")]  # fmt: skip
    made = list(_cells("page", blocks))
    assert ["".join(cell["source"]) for cell in made] == ["# A\n\na", "## B\n\n- b\n- c", "#### S", "s", "1", "t"]
    assert [cell["metadata"].get("jp-MarkdownHeadingCollapsed", False) for cell in made] == [False, False, True] + [
        False
    ] * 3
    assert [cell["id"] for cell in made] == [f"page-{i:03}" for i in range(6)]
