"""What leaves a graded class: exports, the report, and feedback that shows hints and hides hidden tests."""

import html.parser
import json
import re

import pytest

from autograder.problem_set.source import find_problem_sets
from autograder.problem_set.versions import instructor_version, student_version
from autograder.reports.class_report import item_statistics
from tests.support.graded import LAST, SETS, STUDENTS
from tests.support.tables import rows


def test_the_plain_export_has_a_row_per_submission_and_a_column_per_item(graded_class, course):
    table = rows(graded_class / "grades.csv")
    assert list(table[0])[:4] == ["student_id", "assignment", "score", "max_score"]
    problem_sets = find_problem_sets(course, SETS)
    items = [f"{ps.name}:{item}" for ps in problem_sets for item in ps.items]
    assert list(table[0])[4:] == [*items, "outcome", "late_penalty", "hours_late"]
    assert [(row["student_id"], row["assignment"]) for row in table] == sorted(
        (f"student-{i:02d}", name) for i in range(1, STUDENTS + 1) for name in SETS
    )
    for row in table:
        own = [float(row[item]) for item in items if row[item]]
        assert sum(own) == pytest.approx(float(row["score"]))


def test_canvas_and_moodle_exports_have_a_file_a_set_and_a_row_for_each_complete_score(graded_class):
    plain = rows(graded_class / "grades.csv")
    for name in SETS:
        complete = {r["student_id"]: r["score"] for r in plain if (r["assignment"], r["outcome"]) == (name, "graded")}
        assert complete
        canvas = rows(graded_class / f"grades-canvas-{name}.csv")
        assert canvas[0]["Student"].strip() == "Points Possible"
        assert {row["SIS Login ID"]: row[name] for row in canvas[1:]} == complete
        moodle = rows(graded_class / f"grades-moodle-{name}.csv")
        assert list(moodle[0]) == ["username", name]
        assert {row["username"]: row[name] for row in moodle} == complete


class References(html.parser.HTMLParser):
    """Collects what a page would load."""

    def __init__(self):
        super().__init__()
        self.loaded = []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag in ("script", "img", "iframe", "link"):
            self.loaded.append(attrs.get("src") or attrs.get("href"))


def test_the_report_is_one_file_that_opens_offline(graded_class, course):
    page = (graded_class / "report" / "index.html").read_text(encoding="utf-8")
    parser = References()
    parser.feed(page)
    assert parser.loaded == []
    assert "@import" not in page
    assert page.count("<svg") == 2 * len(SETS)
    for problem_set in find_problem_sets(course, SETS):
        for item in problem_set.items:
            assert f"<td>{item}</td>" in page


def test_item_statistics_know_who_is_strong(course):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    names = list(problem_set.items)
    full = {name: item.max_score for name, item in problem_set.items.items()}
    strong, weak = dict(full), dict.fromkeys(full, 0.0)
    by_item = {s.name: s for s in item_statistics(problem_set, [strong, strong, weak])}
    assert all(s.earned == pytest.approx(2 / 3) for s in by_item.values())
    assert all(s.discrimination == pytest.approx(1) for s in by_item.values())
    against = strong | {names[0]: 0.0}, weak | {names[0]: full[names[0]]}
    by_item = {s.name: s for s in item_statistics(problem_set, list(against))}
    assert by_item[names[0]].discrimination == pytest.approx(-1)
    ungraded = item_statistics(problem_set, [dict.fromkeys(names)])
    assert all(s.graded == 0 and s.earned != s.earned for s in ungraded)


def test_feedback_shows_hints_and_hides_hidden_tests(graded_class, course):
    for problem_set in find_problem_sets(course, SETS):
        secrets = {
            line.strip()
            for cell in instructor_version(problem_set).cells
            if cell.cell_type == "code" and "### BEGIN HIDDEN TESTS" in cell.source
            for line in re.search(r"### BEGIN HIDDEN TESTS(.*?)### END HIDDEN TESTS", cell.source, re.DOTALL)[
                1
            ].splitlines()
            if len(line.strip()) > 12 and not line.strip().startswith(("import ", "from ", "#"))
        }
        visible = "\n".join(cell.source for cell in student_version(problem_set).cells)
        secrets = {line for line in secrets if line not in visible}
        pages = sorted(graded_class.glob(f"feedback/*/{problem_set.name}/*.html"))
        assert len(pages) == STUDENTS
        for page in pages:
            text = re.sub(r"<[^>]+>", "", html.unescape(page.read_text(encoding="utf-8")))
            submitted = graded_class / "submitted" / page.parent.parent.name / problem_set.name
            own = (submitted / f"{problem_set.name}.ipynb").read_text(encoding="utf-8")
            shown = [line for line in secrets if line in text and json.dumps(line)[1:-1] not in own]
            assert not shown, f"{page} reveals {shown[0]!r}"
    failed = (graded_class / "feedback" / LAST / "ps0-warmup" / "ps0-warmup.html").read_text(encoding="utf-8")
    assert "not attempted" in failed


def test_feedback_is_one_small_page_that_a_submission_cannot_mark_up(graded_class):
    pages = list(graded_class.glob("feedback/*/*/*.html"))
    assert len(pages) == len(list(graded_class.glob("submitted/*/*/*.ipynb"))) > 10
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert len(re.sub(r"data:image/[^\"]+", "", text)) < 300_000
        assert "<script" not in text
        assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
