"""nbgrader's formgrader in a real browser, on a class directory made and graded by this package."""

import nbformat
import pytest

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.grading.gradebook import read_grades
from autograder.common.text import number
from autograder.problem_set.source import find_problem_sets
from tests.support.graded import STUDENTS
from tests.support.local_jupyter import TOKEN, jupyter


@pytest.fixture(scope="module")
def formgrader(graded_class, tmp_path_factory):
    """The address of a Jupyter server that runs in the class directory."""
    with jupyter("server", graded_class, tmp_path_factory.mktemp("jupyter")) as address:
        yield address


@pytest.fixture(scope="module")
def page(formgrader, browser):
    page = browser.new_page()
    page.goto(f"{formgrader}/tree?token={TOKEN}")  # sets the cookie
    return page


def test_the_formgrader_lists_the_assignments_with_their_submissions(formgrader, page):
    page.goto(f"{formgrader}/formgrader/manage_assignments")
    for name in ("ps0-warmup", "ps1-information"):
        row = page.locator("tr", has_text=name)
        row.wait_for()
        assert str(STUDENTS) in row.inner_text()


def test_the_formgrader_shows_every_student_the_grade_we_gave(formgrader, page, graded_class, course):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    grades = read_grades(ClassDirectory(graded_class), problem_set)
    page.goto(f"{formgrader}/formgrader/manage_submissions/ps1-information")
    page.locator("tr", has_text="student-01").wait_for()
    assert len(grades) == STUDENTS
    for student, items in grades.items():
        score = sum(points for points in items.values() if points is not None)
        text = page.locator("tr", has_text=student).inner_text()
        assert f"{number(score)} / {number(problem_set.max_score)}" in text, text


def test_a_submission_opens_in_the_formgrader_with_its_answers_and_scores(formgrader, page):
    listed = page.request.get(f"{formgrader}/formgrader/api/notebooks/ps1-information").json()
    assert [notebook["name"] for notebook in listed] == ["ps1-information"]
    submissions = page.request.get(
        f"{formgrader}/formgrader/api/submitted_notebooks/ps1-information/ps1-information"
    ).json()
    assert len(submissions) == STUDENTS
    page.goto(f"{formgrader}/formgrader/submissions/{submissions[0]['id']}/")
    page.locator(".nbgrader_cell").first.wait_for()
    scores = page.locator("input.score")
    assert scores.count() > 10
    assert page.locator(".nbgrader_cell", has_text="def entropy").count()


ACTING = (
    "<script>window.acted = 1</script> <img src=x onerror='window.acted = 2'> <svg onload='window.acted = 3'></svg> "
    "<iframe srcdoc='<script>parent.acted = 4</script>'></iframe> <a href='javascript:window.acted = 5'>link</a> "
    "<form action='/'><input class='score' name='score'></form> <b id='entropy-values'>bold</b>"
)


def test_what_a_submission_shows_does_not_act_in_the_formgrader(formgrader, page, graded_class):
    """It would act with the grader's rights: read and write files, run code on the Jupyter server."""
    path = graded_class / "autograded" / "student-02" / "ps1-information" / "ps1-information.ipynb"
    whole = path.read_bytes()
    notebook = nbformat.read(path, as_version=4)
    prose = next(cell for cell in notebook.cells if cell.cell_type == "markdown" and cell.metadata.get("nbgrader"))
    prose.source = f"{ACTING}\n\n[markdown](javascript:window.acted=6) and $a < b$"
    outputs = [nbformat.v4.new_output("display_data", {kind: ACTING}) for kind in ("text/html", "text/markdown")]
    svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='window.acted = 7'/>"
    outputs += [nbformat.v4.new_output("display_data", {"image/svg+xml": svg})]
    outputs += [nbformat.v4.new_output("display_data", {"application/javascript": "window.acted = 8"})]
    outputs += [nbformat.v4.new_output("error", ename=ACTING, evalue=ACTING, traceback=[ACTING])]
    notebook.cells += [
        nbformat.v4.new_markdown_cell(ACTING),
        nbformat.v4.new_raw_cell(ACTING),
        nbformat.v4.new_raw_cell(ACTING, metadata={"raw_mimetype": "text/html"}),
        nbformat.v4.new_code_cell("1", outputs=outputs),
    ]
    listed = f"{formgrader}/formgrader/api/submitted_notebooks/ps1-information/ps1-information"
    (number_of_it,) = [s["id"] for s in page.request.get(listed).json() if s["student"] == "student-02"]
    try:
        nbformat.write(notebook, path)
        page.goto(f"{formgrader}/formgrader/submissions/{number_of_it}/")
        page.locator(".nbgrader_cell").first.wait_for()
        assert page.get_by_text("window.acted = 1").count() >= 4  # it is shown, as text
        for text in ("link", "markdown"):
            for link in page.locator(f"a:text-is('{text}')").all():
                link.click(timeout=2000)
        assert page.evaluate("window.acted") is None
        assert page.locator("#notebook form[action='/'], iframe[srcdoc], b[id]").count() == 0
        assert page.locator("b:text-is('bold')").count()  # what is harmless stays
    finally:
        path.write_bytes(whole)
