"""Grades given by hand, and tests that the machine could not decide."""

import csv
from dataclasses import replace

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.grading.gradebook import read_grades
from autograder.classroom.result.diagnosis import diagnose
from autograder.commands.main import main
from autograder.engine.score import Graded
from autograder.problem_set.chapter_links import book_addresses
from autograder.problem_set.source import answered, find_problem_sets, is_prose
from autograder.problem_set.versions import student_version
from autograder.reports.feedback import UNDECIDED, _items, write_feedback
from autograder.reports.recorded_work import Recorded
from tests.support.scripted import Scripted, hand_in, script

SET = "ps0-warmup"
HIDDEN = "nats_to_bits-hidden"


def by_hand(directory, name, cell, points=None, student="ada"):
    """Give points as the formgrader does; return whether the grade is flagged."""
    with Gradebook(directory.database_url) as gradebook:
        grade = gradebook.find_grade(cell, name, name, student)
        if points is not None:
            grade.manual_score, grade.needs_manual_grade = points, False
            gradebook.db.commit()
        return grade.needs_manual_grade


@pytest.fixture(scope="module")
def with_prose(course):
    """A set with a prose item, and the item."""
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    cell = next(cell for cell in problem_set.notebook.cells if is_prose(cell))
    return problem_set, cell.metadata.nbgrader.grade_id


def test_prose_is_flagged_again_only_if_it_has_changed(tmp_path, with_prose):
    problem_set, prose = with_prose
    directory, name = ClassDirectory(tmp_path), problem_set.name

    def hand_in_prose(text, engine="one"):
        notebook = answered(student_version(problem_set), problem_set.reference_answers | {prose: text})
        notebook.cells.append(nbformat.v4.new_markdown_cell(engine))  # another file, with the same answer
        path = directory.submission_folder(Submission("ada", name)) / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        assert grade_class(directory, [problem_set], Scripted(engine), 1).graded_now == 1
        return by_hand(directory, name, prose)

    assert hand_in_prose("My reasons.") is True
    by_hand(directory, name, prose, 3.0)
    assert hand_in_prose("My reasons.", "two") is False
    assert hand_in_prose("My reasons.", "three") is False
    assert hand_in_prose("Other reasons.") is True
    assert hand_in_prose("Other reasons.", "two") is True  # nobody has looked yet
    assert hand_in_prose("My reasons.") is False  # the graded version is back
    assert hand_in_prose("Other reasons.") is True
    by_hand(directory, name, prose, 3.0)
    assert hand_in_prose("Other reasons.", "two") is False
    assert read_grades(directory, problem_set)["ada"][prose] == 3.0


def test_an_overruled_test_is_flagged_again_if_the_answer_or_the_machines_points_change(tmp_path, warmup):
    directory = ClassDirectory(tmp_path)

    def run(answer, engine="one"):
        hand_in(tmp_path, warmup, "ada", answer)
        grade_class(directory, [warmup], Scripted(engine), 1)
        return by_hand(directory, SET, HIDDEN)

    wrong = script(fails="no")
    assert run(wrong) is False
    by_hand(directory, SET, HIDDEN, 0.5)
    assert run(wrong, "two") is False
    assert run(script(shows="no")) is True
    assert run(wrong) is False
    assert run(wrong + "# more\n") is True

    # Points that another tool gives without clearing the flag also count as a person's.
    with Gradebook(directory.database_url) as gradebook:
        gradebook.find_grade(HIDDEN, SET, SET, "ada").manual_score = 0.25
        gradebook.db.commit()
    assert run(wrong + "# more\n", "two") is False

    # A failing file in between changes nothing.
    path = directory.submission_folder(Submission("ada", SET)) / f"{SET}.ipynb"
    path.write_text("spoiled")
    assert grade_class(directory, [warmup], Scripted(), 1).outcomes[Submission("ada", SET)].outcome == "failed"
    assert run(wrong + "# more\n", "two") is False
    assert read_grades(directory, warmup)["ada"] == {"nats_to_bits": 0.25}


def test_a_corrected_test_says_so_and_a_failed_one_has_no_tick(tmp_path, warmup):
    directory, ada = ClassDirectory(tmp_path), Submission("ada", SET)
    hand_in(tmp_path, warmup, "ada", script(fails="Look again (chapter Information content, Bits and nats)."))
    grade_class(directory, [warmup], Scripted(), 1)

    def page():
        write_feedback(directory, [warmup])
        return directory.feedback_page(ada).read_text(encoding="utf-8")

    assert "✗ 0 of 0</span>" in page(), "the visible test carries no points, and failed"
    assert "✗ 0 of 1</span>" in page()
    assert "✓" not in page()
    assert "Corrected by hand" not in page()
    by_hand(directory, SET, HIDDEN, 1.0)
    assert "✓ 1 of 1</span>" in page()
    assert "✗ 0 of 0</span>" in page()
    assert "<p>Corrected by hand: the machine gave 0. It said:</p>" in page()


def test_not_attempted_never_stands_beside_points(tmp_path, warmup):
    directory, ada = ClassDirectory(tmp_path), Submission("ada", SET)
    hand_in(tmp_path, warmup, "ada", "raise NotImplementedError()")
    grade_class(directory, [warmup], Scripted(), 1)
    outcome = directory.outcome(ada)
    outcome.not_attempted[:] = ["nats_to_bits"]
    work = Recorded.read(directory, warmup).of(ada, outcome)
    for points, says in ((0.0, "not attempted"), (1.0, "")):
        [row] = _items(replace(work, items={"nats_to_bits": points}), {})
        assert row["remark"] == says


def test_a_page_links_the_section_that_a_message_names_if_the_site_has_an_address(tmp_path, warmup, monkeypatch):
    directory, ada = ClassDirectory(tmp_path), Submission("ada", SET)
    hand_in(tmp_path, warmup, "ada", script(fails="<b> (chapter Information content, Bits and nats)."))
    grade_class(directory, [warmup], Scripted(), 1)
    write_feedback(directory, [warmup])
    assert '<a href="http' not in directory.feedback_page(ada).read_text(encoding="utf-8")
    course = warmup.folder.parents[1]
    monkeypatch.setattr(
        "autograder.reports.feedback.chapter_addresses", lambda _: book_addresses(course, "https://example.org/")
    )
    write_feedback(directory, [warmup])
    page = directory.feedback_page(ada).read_text(encoding="utf-8")
    address = "https://example.org/book/information/surprisal.html#bits-and-nats"
    assert (
        f'<p class="message">&lt;b&gt; (chapter <a href="{address}">Information content, Bits and nats</a>).</p>'
        in page
    )


def test_long_headings_wrap_on_a_phone(tmp_path, course, browser):
    (ps3,) = find_problem_sets(course, ["ps3-bugfix"])
    directory, ada = ClassDirectory(tmp_path), Submission("ada", ps3.name)
    hand_in(tmp_path, ps3, "ada", script(fails="no"))
    grade_class(directory, [ps3], Scripted(), 1)
    write_feedback(directory, [ps3])
    page = browser.new_page(viewport={"width": 360, "height": 640})
    page.goto(directory.feedback_page(ada).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.close()


@pytest.fixture
def undecided(monkeypatch):
    from autograder.classroom.grading import batch

    whole = batch.grade

    def grade(source, notebook, execute, reference=None):
        graded = whole(source, notebook, execute, reference)
        if any("# script undecided" in cell.source for cell in notebook.cells):
            graded.scores[HIDDEN] = None
            graded.awaiting = {HIDDEN: "Counting was disturbed by f(424242)."}
        return graded

    monkeypatch.setattr(batch, "grade", grade)


def test_a_test_that_the_machine_could_not_decide_awaits_a_person(tmp_path, warmup, undecided):
    directory, ada = ClassDirectory(tmp_path), Submission("ada", SET)
    hand_in(tmp_path, warmup, "ada", script(undecided="yes"))
    outcome = grade_class(directory, [warmup], Scripted(), 1).outcomes[ada]
    assert outcome.outcome == "needs-manual-grading"
    assert directory.outcome(ada).awaiting == {HIDDEN: "Counting was disturbed by f(424242)."}
    assert by_hand(directory, SET, HIDDEN) is True
    assert read_grades(directory, warmup)["ada"] == {"nats_to_bits": None}
    write_feedback(directory, [warmup])
    page = directory.feedback_page(ada).read_text(encoding="utf-8")
    assert page.count(UNDECIDED) == 2
    assert "awaits grading by hand" in page
    assert "Awaits grading by hand." in page
    assert "424242" not in page
    assert "0 of 1</span>" not in page
    write_feedback(directory, [warmup], reveal=True)
    assert "Counting was disturbed by f(424242)." in directory.revealed_page(ada).read_text(encoding="utf-8")
    assert directory.feedback_page(ada).read_text(encoding="utf-8") == page, "what one gives back was overwritten"
    assert main(["report", SET, "--class", str(tmp_path)]) == 0
    assert "Counting was disturbed" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")

    by_hand(directory, SET, HIDDEN, 1.0)
    grade_class(directory, [warmup], Scripted("another engine"), 1)
    assert by_hand(directory, SET, HIDDEN) is False
    assert main(["export", SET, "--class", str(tmp_path)]) == 0
    with open(tmp_path / "grades.csv", encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["score"], row["outcome"]) == ("1", "graded")
    write_feedback(directory, [warmup])
    page = directory.feedback_page(ada).read_text(encoding="utf-8")
    assert UNDECIDED not in page
    assert "1 of 1 points" in page


def test_what_awaits_a_person_is_not_taken_for_a_misconception(warmup):
    entry = next(entry for entry in warmup.bank if HIDDEN in entry.loses)
    digests = dict.fromkeys(warmup.items[entry.replaces].tests, "digest")
    behaviour = {entry.replaces: {entry.name: digests}}
    scores = {test: 0.0 if test in entry.loses else full for test, full in warmup.tests.items()}
    graded = Graded(nbformat.v4.new_notebook(), scores, behaviour=digests)
    assert diagnose(warmup, graded, behaviour) == {entry.replaces: entry.name}
    graded.scores[HIDDEN] = None
    assert diagnose(warmup, graded, behaviour) == {}


def test_of_two_mistakes_the_one_that_explains_most_is_named(with_prose):
    problem_set, _ = with_prose
    entries = {entry.name: entry for entry in problem_set.bank if entry.replaces == "entropy"}
    nats, unchecked = entries["natural-log"], entries["no-validation"]
    tests = problem_set.items["entropy"].tests
    behaviour = {"entropy": {e.name: {test: f"{e.name} {test}" for test in tests} for e in (nats, unchecked)}}
    mixed = {test: f"{(unchecked if test in unchecked.loses else nats).name} {test}" for test in tests}

    def said(lost, answers):
        scores = {test: 0.0 if test in lost else full for test, full in problem_set.tests.items()}
        return diagnose(problem_set, Graded(nbformat.v4.new_notebook(), scores, behaviour=answers), behaviour)

    assert len(nats.loses) > len(unchecked.loses) > 0
    assert said(nats.loses | unchecked.loses, mixed) == {"entropy": "natural-log"}
    other = mixed | dict.fromkeys(nats.loses - unchecked.loses, "something else")
    assert said(nats.loses | unchecked.loses, other) == {"entropy": "no-validation"}
    assert said(nats.loses | unchecked.loses, dict.fromkeys(tests, "something else")) == {}
    assert said(unchecked.loses - nats.loses, mixed) == {"entropy": "no-validation"}
