"""Similar answers: what stands out, what does not, and the page that shows it."""

import re

import pytest

from autograder.classroom.directory import ClassDirectory
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.overview.similarity import BETWEEN, Answers, compare, known_texts
from autograder.commands.main import main
from autograder.problem_set.source import find_problem_sets
from autograder.reports.similarity_page import parts
from tests.support.scripted import Scripted, hand_in

#: Two different ways of computing the same, and one copied with other names, spaces and comments.
OWN = """
def entropy(p):
    total = 0.0
    for index in range(len(p)):
        if p[index] > 0:
            total = total + p[index] * (log(1 / p[index]) / log(2))
    return total
"""
RENAMED = """
def entropy(distribution):  # my own idea
    result = 0.0
    for position in range( len(distribution) ):

        if distribution[position] > 0:
            result = result + distribution[position] * (log(1 / distribution[position]) / log(2))
    return result
"""
OTHER = """
def entropy(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return float(-(p * np.log2(p)).sum())
"""
PROSE = "The divergence is no distance, since it lacks symmetry, as my grandmother in Ulm used to say on Sundays."


def test_a_copy_with_other_names_stands_out_and_independent_answers_do_not():
    texts = {"ada": Answers(OWN), "bob": Answers(OTHER), "cem": Answers(RENAMED)}
    (pair,) = compare(texts, [], 10)
    assert pair.students == ("ada", "cem")
    assert pair.code.shares[0] > 0.8
    assert pair.words.length < pair.code.length


def test_the_same_sentence_stands_out():
    texts = {
        "ada": Answers(OWN, PROSE),
        "bob": Answers(OTHER, f"I think: {PROSE} So it is."),
        "cem": Answers("", "No."),
    }
    (pair,) = compare(texts, [], 10)
    assert pair.students == ("ada", "bob")
    assert pair.code.length == 0
    assert PROSE in "".join(text for text, common in parts(pair.words, 1) if common)


def test_what_the_course_gave_is_no_sign():
    texts = {"ada": Answers(OWN, PROSE), "bob": Answers(OWN, PROSE)}
    assert compare(texts, [], 10)
    assert compare(texts, [Answers(OWN), Answers("", PROSE)], 10) == []


def test_what_occurs_twice_in_one_text_still_counts():
    twice = OWN + OWN.replace("entropy", "surprise")
    (pair,) = compare({"ada": Answers(twice), "bob": Answers(OWN)}, [Answers(OTHER)], 10)
    assert pair.students == ("ada", "bob")


def test_what_many_share_is_how_the_task_is_solved_here():
    texts = {f"student-{number}": Answers(OWN) for number in range(5)} | {"ada": Answers(RENAMED)}
    assert compare(texts, [], 10) == []


def test_all_answers_of_the_bank_are_known(course):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    entry = max(problem_set.bank, key=lambda entry: len(entry.code))
    texts = {"ada": Answers(entry.code), "bob": Answers(entry.code)}
    assert compare(texts, [], 10)
    assert compare(texts, known_texts(problem_set), 10) == []


def test_two_known_answers_one_after_the_other_are_known_too():
    both = Answers(f"{OWN}\n{BETWEEN}\n{OTHER}")
    assert compare({"ada": both, "bob": both}, [Answers(OWN), Answers(OTHER)], 10) == []
    (pair,) = compare({"ada": both, "bob": both}, [Answers(OTHER)], 10)
    assert BETWEEN not in pair.code.texts[0]


def test_the_text_around_what_is_in_common_is_cut_and_nothing_else_is_lost():
    before = "\n".join(f"line {number} = {number}" for number in range(50))
    (pair,) = compare({"ada": Answers(f"{before}\n{OWN}"), "bob": Answers(OWN)}, [], 10)
    shown = parts(pair.code, 0)
    common = "".join(text for text, is_common in shown if is_common)
    assert "total = total + p[index]" in common
    text = "".join(text for text, _ in shown)
    assert "line 49" in text
    assert "line 0 " not in text


def test_the_page_shows_the_pair_as_text_and_says_that_it_proves_nothing(tmp_path, warmup, capsys):
    root = tmp_path / "class"
    hostile = "print('<script>alert(1)</script>')\n" + OWN
    for student, answer in {"ada": hostile, "bob": RENAMED, "cem": OTHER}.items():
        hand_in(root, warmup, student, answer)
    grade_class(ClassDirectory(root), [warmup], Scripted(), 1)
    assert main(["similar", warmup.name, "--class", str(root)]) == 0
    assert "3 notebooks compared; 1 pair stands out" in capsys.readouterr().out
    page = (root / "similar" / f"{warmup.name}.html").read_text(encoding="utf-8")
    assert "ada and bob" in page
    assert "cem" not in page
    assert "<script" not in page
    assert re.search(r"<mark>[^<]*def entropy", page)
    assert "Nothing here proves that anybody copied." in page


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [(["ps99"], 2, "There is no problem set 'ps99'"), (["ps0-warmup"], 1, "Nothing was graded")],
)
def test_words_that_name_nothing(tmp_path, words, code, says, capsys):
    assert main(["similar", *words, "--class", str(tmp_path)]) == code
    assert says in capsys.readouterr().err
