"""A problem set in JupyterLab and Notebook 7: opened as released, solved, run, validated, saved, and graded.

JupyterLite has its own tests, in tests/website/test_jupyterlite.py.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from autograder.engine.score import grade
from autograder.engine.submitted_notebook import read_submission
from autograder.problem_set.source import grade_id
from tests.support.local_jupyter import TOKEN, jupyter
from tests.support.notebook_page import choose, restart_and_run_all

# The application, and where it shows a notebook. A sample of one takes the last.
INTERFACES = {"notebook": "notebooks", "lab": "lab/tree"}
PATIENCE = 120_000  # milliseconds that a busy machine may take to show or run a notebook


@pytest.fixture(scope="module", params=INTERFACES)
def interface(request, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """Where a Jupyter application shows notebooks, and the folder that contains them."""
    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("jupyter")
    with jupyter(request.param, folder, home) as address:
        yield f"{address}/{INTERFACES[request.param]}", folder


@pytest.fixture
def released(course, warmup) -> Path:
    """The warm-up as students get it."""
    return course / "exercises" / warmup.name / f"{warmup.name}.ipynb"


@pytest.fixture
def notebook(interface, browser, released, request):
    """The opened warm-up: its page and its file. Each test has its own copy."""
    place, folder = interface
    file = folder / request.function.__name__ / released.name
    file.parent.mkdir()
    shutil.copyfile(released, file)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    # The page looks idle before it has a kernel; its messages to the kernel go through this socket.
    with page.expect_websocket(lambda socket: socket.url.partition("?")[0].endswith("/channels")):
        page.goto(f"{place}/{file.relative_to(folder)}?reset&token={TOKEN}")  # reset: JupyterLab opens no earlier tabs
    page.locator(".jp-CodeCell").nth(2).wait_for()  # all of the notebook is there
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for()
    yield page, file
    context.close()


def validation(page) -> tuple[bool, str]:
    """Press nbgrader's button; return whether it says that the notebook is right, and its whole message."""
    page.get_by_role("button", name="Validate").click()
    dialog = page.locator(".jp-Dialog")
    dialog.locator(".jp-Dialog-header", has_text="Validation Results").wait_for()
    verdict = dialog.locator("#validation-message").get_attribute("class").split()
    text = dialog.inner_text()
    dialog.locator("button.jp-mod-accept").click()
    dialog.wait_for(state="detached")
    assert ("validation-success" in verdict) != ("validation-failed" in verdict), verdict
    return "validation-success" in verdict, text


@pytest.mark.sampled(1)
def test_validate_names_the_visible_test_that_an_unsolved_notebook_fails(notebook):
    page, _ = notebook
    right, text = validation(page)
    assert not right
    assert "AssertionError: nats_to_bits: not attempted." in text


@pytest.mark.sampled(1)
def test_a_solved_notebook_passes_its_visible_tests_and_earns_all_points(notebook, released, warmup, source, executor):
    page, file = notebook
    answers = warmup.reference_answers
    [(name, answer)] = answers.items()
    cell = page.locator(".jp-CodeCell", has_text="YOUR CODE HERE")
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(answer)
    [text] = restart_and_run_all(page)  # of the last cell; a visible test that says something has failed
    assert re.search(r"^nats_to_bits .* passes$", text, re.MULTILINE), text
    assert "The cell that defined nats_to_bits is not in the saved file" in text
    right, text = validation(page)
    assert right, text
    with page.expect_response(
        lambda answer: answer.request.method == "PUT" and "/api/contents/" in answer.url
    ) as response:
        choose(page, "File", "Save Notebook")
    assert response.value.ok
    [text] = restart_and_run_all(page)
    assert "Nothing found that would be different" in text, text

    before, after = nbformat.read(released, as_version=4), nbformat.read(file, as_version=4)
    assert [cell.id for cell in after.cells] == [cell.id for cell in before.cells]
    for old, new in zip(before.cells, after.cells, strict=True):
        kept = {key: new.metadata.get(key) for key in old.metadata}
        assert kept == old.metadata, f"{new.id}: metadata changed"
        assert new.source == (answer if grade_id(new) == name else old.source), f"{new.id}: its text changed"
    assert after.metadata["autograder"] == before.metadata["autograder"]

    graded = grade(source, read_submission(file.read_text(encoding="utf-8")), executor)
    assert graded.scores == warmup.tests
    assert graded.notices == []
