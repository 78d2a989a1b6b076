"""What a submission can put on a page is limited in number and size, and so is the effort of making the page."""

import base64
import json
import subprocess
import sys

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from traitlets.config import Config

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.pages.page_limits import CUT, PictureRoom, Room, short
from autograder.classroom.result.submission_folder import MAX_SUBMISSION_BYTES
from autograder.commands.main import main
from autograder.common.atomic_files import write_notebook
from autograder.engine.execution import Executed
from autograder.engine.submission_run import MAX_OUTPUT
from autograder.problem_set.source import grade_id, is_solution
from tests.support import ROOT, TEST_ALL
from tests.support.scripted import Scripted, hand_in

SET = "ps0-warmup"
EVE = Submission("eve", SET)
PICTURE = base64.b64encode(b"\x89PNG\r\n" + bytes(60_000)).decode()
#: How many headings are handed in; in `make test-all` as many as once made a page of 16 MB.
HEADINGS = 1_500_000 if TEST_ALL else 300_000
#: Characters of a graded notebook: of the largest that may be handed in, and of the outputs that grading adds.
LARGEST = MAX_SUBMISSION_BYTES + MAX_OUTPUT


def headings(notebook):
    notebook.cells.append(nbformat.v4.new_markdown_cell("# a\n" * HEADINGS))
    notebook.cells.append(nbformat.v4.new_markdown_cell("## " + "long " * 200_000))


def pictures(notebook):
    output = nbformat.v4.new_output("display_data", {"image/png": PICTURE})
    notebook.cells += [nbformat.v4.new_code_cell("plot()", outputs=[output]) for _ in range(LARGEST // len(PICTURE))]


def texts(notebook):
    html, plain = "<b>&<table><tr><td>" * 200, "<" * 3_000
    output = nbformat.v4.new_output("display_data", {"text/html": html, "text/plain": plain})
    many = LARGEST // (100 * (len(html) + len(plain)))
    notebook.cells += [nbformat.v4.new_code_cell("show()", outputs=[output] * 100) for _ in range(many)]


def sources(notebook):
    for cell in notebook.cells:
        if is_solution(cell):
            cell.source += "\n# " + "<" * 490_000
    notebook.cells += [nbformat.v4.new_code_cell("# " + "<" * 100_000) for _ in range(50)]
    notebook.cells += [nbformat.v4.new_markdown_cell("*a `" + "<i>" * 30_000) for _ in range(50)]
    notebook.cells += [nbformat.v4.new_raw_cell("<" * 100_000) for _ in range(50)]


def attachments(notebook):
    for many in (
        "![](attachment:a.png) ",
        "![](attachment&#58;a.png) ",
        "[p]: attachment:a.png\n\n" + "![][p] " * 2_000,
    ):
        cell = nbformat.v4.new_markdown_cell(many * (2_000 if len(many) < 100 else 1))
        cell["attachments"] = {"a.png": {"image/png": PICTURE}}
        notebook.cells.append(cell)
    notebook.cells.append(nbformat.v4.new_markdown_cell("![](attachment:missing.png)"))


def messages(notebook):
    for cell in notebook.cells:
        if grade_id(cell) == "nats_to_bits-values":
            cell.outputs = [nbformat.v4.new_output("stream", text="<" * 3_000_000)]
            cell.outputs.append(nbformat.v4.new_output("error", ename="<" * 3_000_000, evalue="<" * 3_000_000))


def nested(notebook):
    for text in (">" * 20_000, "* " * 10_000, "[" * 20_000, "*a_ " * 5_000, "`" * 20_000, "![" * 10_000, "$" * 20_000):
        notebook.cells.append(nbformat.v4.new_markdown_cell(text))


HOSTILE = [headings, pictures, texts, sources, attachments, messages, nested]


class Showing(Scripted):
    """An executor that shows what the notebook contains, including notices."""

    def __call__(self, notebook, reference=None, undrawn=()):
        executed = super().__call__(notebook, reference, undrawn)
        notices = ["&" * 100_000] * 3_000 if len(notebook.cells) > 40 else []
        return Executed(executed.notebook, notices, {})


# Each page is made in a separate process, forked from one that has imported everything needed.
MAKE = """
import json, os, re, resource, sys, time
from pathlib import Path
import nbformat
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.problem_set.source import find_problem_sets
from nbconvert.exporters import HTMLExporter
from traitlets.config import Config
from autograder.reports.feedback import write_feedback

def make(root, page):
    directory = ClassDirectory(Path(root))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    if page == "feedback":
        write_feedback(directory, warmup)
        text = directory.feedback_page(Submission("eve", "ps0-warmup")).read_text(encoding="utf-8")
    else:
        config = Config()
        config.HTMLExporter.preprocessors = ["autograder.classroom.formgrader.DisarmMarkup"]
        config.HTMLExporter.filters = {"strip_files_prefix": "autograder.classroom.formgrader.without_scripts"}
        notebook = nbformat.read(directory.graded_notebook(Submission("eve", "ps0-warmup")), as_version=4)
        text, _ = HTMLExporter(config=config, template_name="basic").from_notebook_node(notebook)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    without = re.sub(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]*", "", text)
    return [len(without), len(text) - len(without), grown // 1024, time.process_time() - start]

warmup = find_problem_sets(Path(sys.argv[1]), ["ps0-warmup"])
for line in sys.stdin:
    child = os.fork()
    if not child:
        print(json.dumps(make(*json.loads(line))), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("null", flush=True)
"""


@pytest.fixture(scope="module")
def measured(course, tmp_path_factory):
    """A function that makes a page in a separate process: its characters, those of its pictures, megabytes, seconds."""
    home = tmp_path_factory.mktemp("home")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(home)}
    with (
        (home / "log").open("w+") as log,
        subprocess.Popen(
            [sys.executable, "-c", MAKE, str(course)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as maker,
    ):

        def measure(root, page):
            maker.stdin.write(json.dumps([str(root), page]) + "\n")
            maker.stdin.flush()
            found = json.loads(maker.stdout.readline() or "null")
            assert found, (home / "log").read_text()
            return found

        yield measure
        maker.stdin.close()


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.__name__)
@pytest.mark.sampled(2)
def test_every_page_of_a_hostile_notebook_is_small(tmp_path, warmup, measured, hostile):
    directory = ClassDirectory(tmp_path)
    hand_in(tmp_path, warmup, "eve")
    grade_class(directory, [warmup], Scripted(), 1)
    path = directory.graded_notebook(EVE)
    notebook = nbformat.read(path, as_version=4)
    hostile(notebook)
    write_notebook(notebook, path)
    for page in ("feedback", "formgrader"):
        text, shown, megabytes, seconds = measured(tmp_path, page)
        assert text < 3_000_000, page
        assert shown < 12_000_000, page
        assert megabytes < 400, page
        assert seconds < 60, page


def test_notices_of_any_number_and_size_make_no_large_page(tmp_path, warmup):
    path = hand_in(tmp_path, warmup, "eve")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell("1") for _ in range(40)]
    write_notebook(notebook, path)
    directory = ClassDirectory(tmp_path)
    outcome = grade_class(directory, [warmup], Showing(), 1).outcomes[EVE]
    assert len(outcome.notices) <= 50
    assert max(map(len, outcome.notices)) <= 1_000
    for command in ("feedback", "report"):
        assert main([command, SET, "--class", str(tmp_path)]) == 0
    assert directory.feedback_page(EVE).stat().st_size < 400_000
    assert (tmp_path / "report" / "index.html").stat().st_size < 100_000


def test_what_a_formgraders_page_shows_is_disarmed_and_kept(tmp_path):
    acting = "<script>act()</script><b>bold</b><a href='javascript:act()'>link</a>"
    html = nbformat.v4.new_output("display_data", {"text/html": acting, "application/javascript": "act()"})
    picture = nbformat.v4.new_output("display_data", {"image/png": PICTURE, "text/plain": "<Figure>"})
    attached = nbformat.v4.new_markdown_cell(f"![](attachment:a.png)\n\n{acting}")
    attached["attachments"] = {"a.png": {"image/png": PICTURE}}
    cells = [nbformat.v4.new_raw_cell(acting), attached, nbformat.v4.new_code_cell("1", outputs=[html, picture])]
    config = Config()
    config.HTMLExporter.preprocessors = ["autograder.classroom.formgrader.DisarmMarkup"]
    config.HTMLExporter.filters = {"strip_files_prefix": "autograder.classroom.formgrader.without_scripts"}
    page, _ = HTMLExporter(config=config, template_name="basic").from_notebook_node(
        nbformat.v4.new_notebook(cells=cells)
    )
    assert "<script>act" not in page
    assert 'href="javascript' not in page
    assert page.count("<b>bold</b>") == 2
    assert page.count(PICTURE) == 2
    assert CUT not in page


def test_an_honest_page_is_not_cut(tmp_path, warmup):
    path = hand_in(tmp_path, warmup, "eve")
    directory = ClassDirectory(tmp_path)
    grade_class(directory, [warmup], Scripted(), 1)
    notebook = nbformat.read(path, as_version=4)
    output = nbformat.v4.new_output("display_data", {"image/png": PICTURE, "text/plain": "<Figure>"})
    notebook.cells += [nbformat.v4.new_code_cell("plot()", outputs=[output]) for _ in range(30)]
    write_notebook(notebook, directory.graded_notebook(EVE))
    assert main(["feedback", SET, "--class", str(tmp_path)]) == 0
    page = directory.feedback_page(EVE).read_text(encoding="utf-8")
    assert page.count("<img") == 30
    assert CUT not in page


def test_room_is_counted_as_html():
    room = Room(100)
    assert room.fit("a" * 60) == "a" * 60
    assert room.fit("<" * 60).startswith("<" * 10 + "\n")
    assert room.fit("more") == CUT
    assert short("\x1b[31mred\x1b[0m") == "red"
    assert short("abc", 2) == f"ab\n{CUT}"
    pictures = PictureRoom()
    assert not pictures.fits("x" * 2_000_001)
    assert sum(pictures.fits("x" * 1_000_000) for _ in range(20)) == 10
