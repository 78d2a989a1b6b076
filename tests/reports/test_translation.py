"""The feedback page in another language: every sentence of its own comes from the course's catalogue."""

import io
import shutil

import jinja2.ext
import pytest
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.common.errors import ProblemSetError
from autograder.problem_set.source import ProblemSet
from autograder.reports import translation
from autograder.reports.feedback import FAILED_PAGE_TEXT, UNDECIDED, write_feedback
from autograder.reports.hidden_tests import FAILED
from autograder.reports.translation import diagnosis_sentence, wording_of
from tests.support.scripted import Scripted, hand_in, script

SET = "ps0-warmup"
HIDDEN = "nats_to_bits-hidden"


def sentences(course):
    """What the page and the code around it say, as babel finds it."""
    reports = course / "autograder" / "reports"
    found = {UNDECIDED, FAILED}
    pages = [(reports / "templates" / "feedback.html.j2").read_bytes(), FAILED_PAGE_TEXT.encode()]
    for page in pages:
        found |= {entry[2] for entry in jinja2.ext.babel_extract(io.BytesIO(page), ["say"], [], {})}
    for name in ("feedback.py", "translation.py"):
        source = io.BytesIO((reports / name).read_bytes())
        found |= {entry[2] for entry in extract_python(source, ["say"], [], {}) if entry[2]}
    return {sentence[0] if isinstance(sentence, tuple) else sentence for sentence in found}


@pytest.fixture
def german(course, tmp_path):
    """The warm-up, as a set in German would be: its header names the language."""
    solutions = tmp_path / "course" / "solutions"
    shutil.copytree(course / "solutions" / SET, solutions / SET)
    shutil.copytree(course / "solutions" / "locale", solutions / "locale")
    for included in (course / "solutions").glob("*.py"):
        shutil.copy(included, solutions)
    source = solutions / SET / f"{SET}.md"
    text = source.read_text(encoding="utf-8")
    header, colon, rest = text.partition("\nautograder:\n")
    source.write_text(f"{header}{colon}  language: de\n{rest}", encoding="utf-8")
    return ProblemSet(solutions / SET)


def test_the_german_catalogue_has_every_sentence_and_no_other(course):
    with open(course / "solutions" / "locale" / "de.po", "rb") as file:
        entries = {message.id: message for message in read_po(file, abort_invalid=True) if message.id}
    assert len(sentences(course)) > 20
    assert entries.keys() == sentences(course)
    assert all(message.string and not list(message.check()) for message in entries.values())


def test_a_page_of_a_german_set_says_nothing_of_its_own_in_english(german, tmp_path, course):
    root = tmp_path / "class"
    hand_in(root, german, "ada")
    hand_in(root, german, "bob", script(fails="NameError|x"))
    hand_in(root, german, "cem").write_text("{")
    directory = ClassDirectory(root)
    grade_class(directory, [german], Scripted(), 1)
    write_feedback(directory, [german])
    pages = [directory.feedback_page(Submission(who, SET)).read_text(encoding="utf-8") for who in ("ada", "bob", "cem")]
    assert all('<html lang="de">' in page for page in pages)
    assert "Rückmeldung für" in pages[0]
    assert "Ein verborgener Test ist nicht bestanden." in pages[1]
    assert "auch keine 0" in pages[2]
    for sentence in sentences(course) - {"item", "of", "points", "Points"}:
        for page in pages:
            assert f">{sentence}<" not in page
            assert len(sentence) < 20 or sentence not in page


def test_a_diagnosis_is_worded_by_the_catalogue(german):
    entry = next(entry for entry in german.bank if entry.kind == "misconception")
    text = diagnosis_sentence(german, entry.replaces, entry.name, wording_of(german))
    assert text.startswith(f"Ihr {entry.replaces} verhält sich wie eines, für das gilt: ")
    assert diagnosis_sentence(german, entry.replaces, "renamed-since", wording_of(german)) == ""


def test_misconceptions_that_answer_alike_are_all_named(course, monkeypatch):
    """A student who wrote one of them read the diagnosis of the other, which the bank had first."""
    warmup = ProblemSet(course / "solutions" / SET)
    first, second = [entry for entry in warmup.bank if entry.kind == "misconception" and entry.loses == {HIDDEN}][:2]

    def sentence(digest):
        answered = {first.replaces: {first.name: {HIDDEN: "same"}, second.name: {HIDDEN: digest}}}
        monkeypatch.setattr(translation, "known_behaviour", lambda problem_set: answered)
        return diagnosis_sentence(warmup, first.replaces, first.name, wording_of(warmup))

    both = sentence("same")
    assert both.startswith(sentence("other"))
    assert f"cannot tell it from one that {second.diagnosis.rstrip('.')}." in both
    assert second.diagnosis.rstrip(".") not in sentence("other")


def test_a_language_without_a_catalogue_and_no_language_at_all_are_refused(german):
    options = german.notebook.metadata["autograder"]
    options["language"] = "fr"
    with pytest.raises(ProblemSetError, match=r"its language has no catalogue; write .*locale/fr\.po"):
        wording_of(german)
    options["language"] = "../de"
    with pytest.raises(ProblemSetError, match="must be such as de"):
        wording_of(german)
