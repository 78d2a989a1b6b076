"""What leaves a graded class: exports, the report, and feedback that shows hints and hides hidden tests."""

import html.parser
import json
import re

import pytest

from autograder.classroom.directory import Outcome, Submission
from autograder.problem_set.source import find_problem_sets
from autograder.problem_set.versions import instructor_version, student_version
from autograder.reports.class_report.statistics import FREQUENT, ToTeach, item_statistics, share, terms, to_teach
from autograder.reports.grades import Result
from tests.support.graded import LAST, SETS, STUDENTS
from tests.support.tables import rows


def test_the_plain_export_has_a_row_per_submission_and_a_column_per_item(graded_class, course):
    table = rows(graded_class / "grades.csv")
    assert list(table[0])[:4] == ["student_id", "assignment", "score", "max_score"]
    problem_sets = find_problem_sets(course, SETS)
    items = [f"{ps.name}:{item}" for ps in problem_sets for item in ps.items]
    assert list(table[0])[4:] == [*items, "outcome", "late_penalty", "hours_late", "marked_late"]
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
    assert page.count("<svg") == 3 + 2 * len(SETS)
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


def test_no_page_is_wider_than_a_phone(graded_class, browser):
    """Of the feedback, the longest page of each set: the others have the same parts."""
    longest = [
        max(graded_class.glob(f"feedback/*/{name}/*.html"), key=lambda page: page.stat().st_size) for name in SETS
    ]
    phone = browser.new_page(viewport={"width": 390, "height": 844})
    for path in [*longest, graded_class / "report" / "index.html"]:
        phone.goto(path.as_uri())
        phone.evaluate("document.querySelectorAll('details').forEach(fold => (fold.open = true))")
        assert phone.evaluate("document.documentElement.scrollWidth") == 390, path.name
    phone.close()


def test_each_figure_has_its_drawing_and_its_numbers_beside_it(graded_class):
    folder = graded_class / "report"
    page = (folder / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'<a href="([^"#]+)"', page))
    assert linked == {path.name for path in folder.iterdir()} - {"index.html"}
    assert {"term.csv", "term.svg", "items.csv", "misconceptions.csv", "students.csv"} <= linked
    scores = [row for row in rows(graded_class / "grades.csv") if row["assignment"] == SETS[0]]
    counted = sum(int(row["submissions"]) for row in rows(folder / f"scores-{SETS[0]}.csv"))
    assert counted == len([row for row in scores if row["score"]])


def result(problem_set, part, outcome="graded", late=0.0):
    """A result with this share of every item's points; None for none at all."""
    items = None if part is None else {name: part * item.max_score for name, item in problem_set.items.items()}
    return Result(outcome, items, hours_late=late)


def test_the_term_of_a_student_is_held_against_the_class(course):
    sets = find_problem_sets(course, ["ps0-warmup", "ps1-information", "ps2-likelihood", "ps3-bugfix"])
    parts = {
        "steady": [0.9, 0.9, 0.6, 0.6],  # the last two sets were hard for all
        **{f"like-her-{number}": [0.9, 0.9, 0.6, 0.6] for number in range(6)},
        "falling": [1.0, 1.0, 0.4, 0.4],
        "low": [0.4, 0.4, 0.4, 0.4],
    }
    grades = {who: {ps.name: result(ps, p) for ps, p in zip(sets, own, strict=True)} for who, own in parts.items()}
    grades["gone"] = {
        ps.name: result(ps, None, "missing") if number > 1 else result(ps, 1) for number, ps in enumerate(sets)
    }
    grades["late"] = {ps.name: result(ps, 1, late=2.0) for ps in sets}
    grades["broken"] = {ps.name: result(ps, None, "failed") if ps is sets[-1] else result(ps, 1) for ps in sets}
    found = {term.student: term for term in terms(grades, sets)}
    assert found["steady"].reasons == []
    assert abs(found["steady"].trend) < 0.05
    assert found["falling"].trend < -0.2
    assert [reason.split(" by ")[0] for reason in found["falling"].reasons] == ["falling"]
    assert found["low"].overall == pytest.approx(0.4)
    assert found["low"].reasons == ["40 % of the points"]
    assert found["gone"].reasons[0] == "2 of 4 sets missing"
    early = sum(ps.max_score for ps in sets[:2]) / sum(ps.max_score for ps in sets)
    assert found["gone"].overall == pytest.approx(early)
    assert found["late"].reasons == ["late 4 times"]
    assert found["broken"].reasons == ["the last set could not be graded"]
    assert found["broken"].overall == pytest.approx(1)


def test_what_awaits_a_person_counts_neither_as_points_nor_as_full_points(course):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    half = result(problem_set, 0.5, "needs-manual-grading")
    prose = next(item.name for item in problem_set.items.values() if item.by_hand)
    half.items[prose] = None
    assert share(half, problem_set) == pytest.approx(0.5)
    assert share(Result("missing"), problem_set) is None


def test_misconceptions_are_counted_by_item_with_the_section_to_teach_again(course):
    (problem_set,) = find_problem_sets(course, ["ps0-warmup"])
    first, second = [entry for entry in problem_set.bank if entry.kind == "misconception"][:2]
    names = [first.name, second.name, second.name, "renamed-since"]
    outcomes = {
        Submission(str(number), problem_set.name): Outcome("graded", diagnoses={first.replaces: name})
        for number, name in enumerate(names)
    }
    (found,) = to_teach(problem_set, outcomes, {first.replaces: 9})
    assert (found.item, found.students, found.graded) == (first.replaces, 4, 9)
    assert [count for count, _, _ in found.misconceptions] == [2, 1, 1]
    assert found.misconceptions[0][1:] == (second.diagnosis.rstrip("."), second.revisit)
    assert (1, "renamed-since", "") in found.misconceptions


def test_a_page_folds_the_rare_misconceptions_of_an_item_and_loses_none():
    rows = [(9 - number, f"does {number}", "") for number in range(FREQUENT + 2)]
    found = ToTeach("ps", "item", 30, 40, rows)
    assert found.frequent == rows[:FREQUENT]
    assert [*found.frequent, *found.rare] == rows
    one_over = ToTeach("ps", "item", 30, 40, rows[: FREQUENT + 1])
    assert one_over.rare == []


def test_the_report_has_every_misconception_and_few_of_an_item_in_sight(graded_class):
    page = (graded_class / "report" / "index.html").read_text(encoding="utf-8")
    table = page[page.index('id="teach"') : page.index('id="items"')]
    in_sight = html.unescape(re.sub(r"<details>.*?</details>", "", table, flags=re.DOTALL))
    by_item: dict[str, list[str]] = {}
    for row in rows(graded_class / "report" / "misconceptions.csv"):
        by_item.setdefault(row["item"], []).append(row["behaves_as_one_that"])
    for texts in by_item.values():
        assert all(text in html.unescape(table) for text in texts)
        assert sum(text in in_sight for text in texts) <= FREQUENT + 1
    assert max(map(len, by_item.values())) > FREQUENT + 1  # or nothing was folded
