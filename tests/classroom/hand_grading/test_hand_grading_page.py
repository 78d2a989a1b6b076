"""The page for grading by hand, question by question, in a real browser."""

import json
import shutil
import threading
from contextlib import contextmanager

import pytest
import requests
from nbgrader.api import Gradebook

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.grading.gradebook import read_comments, read_grades, read_waiting
from autograder.classroom.hand_grading.page import HandGrading
from autograder.classroom.hand_grading.questions import StaleAnswerError, give, read_questions
from autograder.classroom.pages.harmless_html import rendered
from autograder.common.atomic_files import write_notebook
from autograder.common.errors import AutograderError, UsageError
from autograder.problem_set.source import answered, find_problem_sets
from autograder.problem_set.versions import student_version
from tests.support.full_disk import room_for
from tests.support.scripted import Scripted

SET, PROSE = "ps1-information", "not_a_distance"
#: What an answer tries to do to the page.
HOSTILE = (
    '<script>document.title = "taken"</script><img src=x onerror="document.title=\'taken\'"></pre><h1>Full marks</h1>'
)
WORDS = {"ada": HOSTILE, "bob": "It is not symmetric.", "cem": "It can be negative."}


@pytest.fixture(scope="module")
def problem_set(course):
    return find_problem_sets(course, [SET])[0]


def hand_in(directory, problem_set, student, words):
    answers = dict(problem_set.reference_answers)
    answers.pop(PROSE)
    if words is not None:
        answers[PROSE] = words
    path = directory.submitted / student / SET / f"{SET}.ipynb"
    write_notebook(answered(student_version(problem_set), answers), path)


@pytest.fixture(scope="module")
def graded(tmp_path_factory, problem_set):
    """The class, graded once."""
    directory = ClassDirectory(tmp_path_factory.mktemp("graded"))
    for student, words in {**WORDS, "dan": None}.items():
        hand_in(directory, problem_set, student, words)
    grade_class(directory, [problem_set], Scripted(), 1)
    return directory.root


@pytest.fixture
def directory(tmp_path, graded):
    return ClassDirectory(shutil.copytree(graded, tmp_path / "class"))


@contextmanager
def served(directory, problem_set):
    """Serve the page in a thread, as the command does in its process."""
    page, up = HandGrading(directory, problem_set), threading.Event()
    thread = threading.Thread(target=page.serve, args=(up.set,))
    thread.start()
    assert up.wait(30)
    try:
        yield page
    finally:
        page.stop()
        thread.join(30)
    assert not thread.is_alive()


def question_of(directory, problem_set):
    (question,) = [q for q in read_questions(directory, problem_set) if q.name == PROSE]
    return question


def test_a_question_has_all_answers_and_its_rubric(directory, problem_set):
    question = question_of(directory, problem_set)
    assert {answer.student: answer.text for answer in question.answers} == WORDS
    assert question.untouched == ["dan"]
    assert question.waiting == 3
    assert "Why is the KL divergence not a distance" in question.asks
    assert question.rubric.startswith("**Rubric, 4 points.**")
    assert question.reference.startswith("A distance is symmetric")
    assert "### " not in question.reference + question.rubric


def test_one_key_gives_points_and_goes_on(directory, problem_set, browser):
    order = [answer.student for answer in question_of(directory, problem_set).answers]
    context = browser.new_context()
    with served(directory, problem_set) as served_page:
        page, loaded = context.new_page(), []
        page.on("request", lambda request: loaded.append(request.url))
        page.goto(served_page.address(PROSE))
        assert "token" not in page.url
        page.keyboard.press("3")
        page.keyboard.press("h")
        page.keyboard.press("2")
        page.keyboard.press("9")  # more than there are: refused, and the answer keeps waiting
        page.get_by_text("The question has 4 points.").wait_for()
        page.keyboard.press("c")
        page.keyboard.type("Which distance?")
        page.keyboard.press("Escape")
        page.keyboard.press("f")
        page.get_by_text("All answers have points.").wait_for()
        page.keyboard.press("k")  # the comment goes to the answer before, too
        page.keyboard.press("Shift+Digit1")
        page.locator('article[data-saved="Which distance?"]').nth(1).wait_for()
        assert page.title() != "taken"
        assert page.locator("article h1").count() == 0
        assert page.locator("article", has_text=HOSTILE).count() == 1
        assert page.locator("aside li", has_text="1 point: names a property").count() == 1, "a list, and not its source"
        assert page.locator("aside strong", has_text="Rubric, 4 points.").count() == 1
        assert all(url.startswith(f"http://{served_page.host}/") for url in loaded)
    context.close()
    grades = read_grades(directory, problem_set)
    assert [grades[student][PROSE] for student in order] == [3.0, 2.5, 4.0]
    comments = read_comments(directory, problem_set)
    assert {s: c[PROSE] for s, c in comments.items() if c} == dict.fromkeys(order[1:], "Which distance?")
    assert not any(PROSE in cells for cells in read_waiting(directory, SET).values())
    assert question_of(directory, problem_set).comments == ["Which distance?"]


def test_what_is_not_saved_is_said_and_awaits_still(directory, problem_set, browser):
    context = browser.new_context()
    with served(directory, problem_set) as served_page:
        page = context.new_page()
        page.goto(served_page.address(PROSE))
        (directory.root / "gradebook.db").rename(directory.root / "away")
        (directory.root / "gradebook.db").mkdir()
        page.keyboard.press("1")
        page.get_by_text("Not saved: The gradebook").wait_for()
        assert page.locator("#left").text_content() == "3"
        (directory.root / "gradebook.db").rmdir()
        (directory.root / "away").rename(directory.root / "gradebook.db")
        assert served_page.saved == 0
    context.close()


def test_only_who_has_the_address_may_see_or_give(directory, problem_set):
    with served(directory, problem_set) as page:
        here = f"http://{page.host}"
        assert requests.get(f"{here}/{PROSE}").status_code == 403
        assert requests.get(f"{here}/{PROSE}?token=guess").status_code == 403
        cookie = {page.cookie: page.token}
        seen = requests.get(f"{here}/{PROSE}", cookies=cookie)
        assert seen.status_code == 200
        assert "default-src 'none'" in seen.headers["Content-Security-Policy"]
        assert requests.get(f"{here}/nothing", cookies=cookie).status_code == 404
        elsewhere = {"Host": f"example.org:{page.port}"}
        assert requests.get(f"{here}/{PROSE}", cookies=cookie, headers=elsewhere).status_code == 403
        answer = question_of(directory, problem_set).answers[0]
        message = {"question": PROSE, "student": answer.student, "digest": answer.digest, "points": 4, "comment": ""}
        own = {"Origin": here}
        put = {"url": f"{here}/grade", "json": message}
        assert requests.put(**put, headers=own).status_code == 403
        assert requests.put(**put, cookies=cookie).status_code == 403
        assert requests.put(**put, cookies=cookie, headers={"Origin": "http://example.org"}).status_code == 403
        assert page.saved == 0
        for wrong in ({"points": 5}, {"points": "nan"}, {"points": -1}, {"student": 3}, {"question": "ps"}):
            refused = requests.put(f"{here}/grade", json=message | wrong, cookies=cookie, headers=own)
            assert refused.status_code == 400, wrong
        assert requests.put(f"{here}/grade", json=[], cookies=cookie, headers=own).status_code == 400
        assert requests.put(**put, cookies=cookie, headers=own).json() == {"saved": True}
        assert page.saved == 1


def test_a_page_waits_for_no_other_command_and_says_which_runs(directory, problem_set):
    from autograder.classroom.class_lock import class_lock

    with served(directory, problem_set) as page, class_lock(directory.root, "grade"):
        seen = requests.get(f"http://{page.host}/", cookies={page.cookie: page.token})
        assert seen.status_code == 503
        assert "autograder grade runs as process" in seen.text


def test_points_are_for_the_answer_that_was_read(directory, problem_set):
    answer = question_of(directory, problem_set).answers[0]
    hand_in(directory, problem_set, answer.student, "Other words.")
    grade_class(directory, [problem_set], Scripted(), 1)
    with pytest.raises(StaleAnswerError, match="has changed"):
        give(directory, problem_set, PROSE, answer.student, answer.digest, 1, "")
    new = next(a for a in question_of(directory, problem_set).answers if a.student == answer.student)
    give(directory, problem_set, PROSE, new.student, new.digest, 1, "Good.")
    give(directory, problem_set, PROSE, new.student, new.digest, None, "")
    assert PROSE in read_waiting(directory, SET)[new.student]
    with pytest.raises(UsageError, match="between 0 and 4"):
        give(directory, problem_set, PROSE, new.student, new.digest, 4.5, "")


def test_what_a_group_handed_in_is_graded_once_for_all_its_members(directory, problem_set):
    for student in ("eve", "fay", "gil"):
        hand_in(directory, problem_set, student, "Ours.")
        record = directory.collected_record(Submission(student, SET))
        record.parent.mkdir(parents=True)
        # Gil wrote the same, and handed it in alone.
        where = "e.zip: gil_9_x.ipynb" if student == "gil" else "e.zip: group_7_x.ipynb"
        record.write_text(json.dumps({"sha256": "0" * 64, "where": where}))
    grade_class(directory, [problem_set], Scripted(), 1)

    def ours():
        found = question_of(directory, problem_set).answers
        return sorted((a.student, a.members, a.points) for a in found if a.text == "Ours.")

    assert ours() == [("eve", ("fay",), None), ("gil", (), None)]
    (answer,) = [a for a in question_of(directory, problem_set).answers if a.members]
    message = {"question": PROSE, "student": "eve", "members": ["fay"], "digest": answer.digest, "comment": "Why?"}
    with served(directory, problem_set) as page:
        here, cookie = f"http://{page.host}", {page.cookie: page.token}
        assert "(by 2 together)" in requests.get(f"{here}/{PROSE}", cookies=cookie).text
        put = {"url": f"{here}/grade", "cookies": cookie, "headers": {"Origin": here}}
        assert requests.put(json=message | {"points": 1, "members": ["bob"]}, **put).status_code == 409
        assert ours() == [("eve", ("fay",), None), ("gil", (), None)], "all of it, or nothing"
        assert requests.put(json=message | {"points": 1, "members": "fay"}, **put).status_code == 400
        assert requests.put(json=message | {"points": 3}, **put).json() == {"saved": True}
    assert ours() == [("eve", ("fay",), 3.0), ("gil", (), None)]
    assert [read_comments(directory, problem_set)[who][PROSE] for who in ("eve", "fay")] == ["Why?", "Why?"]
    # Who has other points, from nbgrader's formgrader, is shown alone.
    give(directory, problem_set, PROSE, "fay", answer.digest, 4, "")
    assert ours() == [("eve", (), 3.0), ("fay", (), 4.0), ("gil", (), None)]


def test_a_class_in_use_is_not_written_to(directory, problem_set):
    from autograder.classroom.class_lock import class_lock

    answer = question_of(directory, problem_set).answers[0]
    with class_lock(directory.root, "grade"), pytest.raises(AutograderError, match="autograder grade runs"):
        give(directory, problem_set, PROSE, answer.student, answer.digest, 1, "")


def test_points_for_which_the_disk_has_no_room_are_said_not_to_be_saved(directory, problem_set):
    answer = question_of(directory, problem_set).answers[0]
    message = {"question": PROSE, "student": answer.student, "digest": answer.digest, "points": 1, "comment": ""}
    with served(directory, problem_set) as page:
        here, cookie = f"http://{page.host}", {page.cookie: page.token}
        with room_for(0):
            refused = requests.put(f"{here}/grade", json=message, cookies=cookie, headers={"Origin": here})
            seen = requests.get(f"{here}/{PROSE}", cookies=cookie)
        assert refused.status_code == seen.status_code == 503
        assert "free some space" in refused.json()["error"]
        assert "free some space" in seen.text
        assert page.saved == 0
    assert question_of(directory, problem_set).answers[0].points is None


def test_a_test_that_awaits_a_person_is_a_question(directory, problem_set):
    test = next(iter(problem_set.tests))
    with Gradebook(directory.database_url) as gradebook:
        grade = gradebook.find_grade(test, SET, SET, "bob")
        grade.auto_score, grade.needs_manual_grade = None, True
        gradebook.db.commit()
    questions = {question.name: question for question in read_questions(directory, problem_set)}
    assert [answer.student for answer in questions[test].answers] == ["bob"]
    assert questions[test].asks == problem_set.authored[test]
    (answer,) = questions[test].answers
    give(directory, problem_set, test, "bob", answer.digest, 0.0, "")
    assert test not in read_waiting(directory, SET)["bob"]


def test_the_courses_own_words_are_rendered_and_act_on_nothing():
    html = rendered(
        "**Rubric**\n\n- half for $a_1 < b_1$\n\n| a |\n|---|\n| 1 |\n\n<details><summary>Idea</summary>\n\n*x*\n\n</details>\n\n"
        "## Part\n\n<script>act()</script><img src='https://x.org/a.png' onerror='act()'>[go](javascript:act)"
    )
    for shown in (
        "<strong>Rubric</strong>",
        "$a_1 &lt; b_1$",
        "<td>1</td>",
        "<em>x</em>",
        "</details>",
        "<h2>Part</h2>",
    ):
        assert shown in html
    for acting in ("<script", "onerror", "https://x.org", 'href="javascript:'):
        assert acting not in html
