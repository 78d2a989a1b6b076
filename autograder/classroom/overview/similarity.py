"""Which answers to a set have more in common than chance and the task explain.

Fingerprints of k-grams, as of Schleimer, Wilkerson and Aiken, "Winnowing" (SIGMOD 2003), by the package copydetect. What
the released notebook, the reference solution or the bank has counts for nothing, nor what many students share. What is
left says where to look; it decides nothing.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import nbformat
from copydetect import CodeFingerprint, compare_files
from nbformat import NotebookNode

from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.pages.page_limits import MAX_ANSWER
from autograder.problem_set.source import ProblemSet, grade_id, is_prose, is_solution
from autograder.problem_set.versions import student_version

#: Shortest passage that counts: of code, in characters after each name has become one letter, and of words as written.
CODE_LENGTH, WORDS_LENGTH = 25, 40
#: A pair with less in common than this many passages' length is chance.
LEAST = 2
#: What more students than this share is how the task is solved here, as a part of the class and as a number.
MANY, AT_LEAST = 0.05, 3
#: Stands between two cells, and is another character in each student's text: a passage that reaches from one cell into the
#: next is nobody else's, though both cells may be answers of the bank.
BETWEEN, _OWN = "\ue000", 0xF0000
_SHOWN = re.compile(r"[\ue000\U000f0000-\U000ffffd]")
#: Characters of one student's answers that are compared.
MAX_TEXT = 150_000


@dataclass(frozen=True)
class Passages:
    """What two texts have in common.

    Attributes
    ----------
    length : int
        Characters in common, in the first.
    shares : tuple of (float, float)
        For each of the two, the part of what is its own that is in common, from 0 to 1.
    texts : tuple of (str, str)
        The two texts.
    places : tuple of (list of tuple of (int, int), ...)
        For each, where what is in common begins and ends.
    """

    length: int
    shares: tuple[float, float]
    texts: tuple[str, str]
    places: tuple[list[tuple[int, int]], list[tuple[int, int]]]


@dataclass(frozen=True)
class Pair:
    """Two students with more in common than most.

    Attributes
    ----------
    students : tuple of (str, str)
        Who.
    code : Passages
        The same steps, whatever names and comments.
    words : Passages
        The same text: names, comments and answers in words as written.
    """

    students: tuple[str, str]
    code: Passages
    words: Passages

    @property
    def weight(self) -> float:
        """By how much the two stand out, in passages."""
        return self.code.length / CODE_LENGTH + self.words.length / WORDS_LENGTH


@dataclass(frozen=True)
class Similarity:
    """The result of comparing a set's answers: how many were compared, and the pairs, the most conspicuous first."""

    compared: int
    pairs: list[Pair]


def similar_answers(
    directory: ClassDirectory, problem_set: ProblemSet, outcomes: Mapping[Submission, Outcome], most: int = 30
) -> Similarity:
    """Compare everyone's answers to a set.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_set : ProblemSet
        The set.
    outcomes : mapping of Submission to Outcome
        As `current_outcomes` returns them; work without points is left out.
    most : int
        How many pairs to return.
    """
    notebooks = {}
    for submission, outcome in outcomes.items():
        if outcome.outcome in ("graded", "needs-manual-grading"):
            notebooks[submission.student] = _answers(directory, submission)
    texts = {student: text for student, text in notebooks.items() if text is not None}
    return Similarity(len(texts), compare(texts, known_texts(problem_set), most))


@dataclass(frozen=True)
class Answers:
    """What a student wrote: the code, and the answers in words."""

    code: str
    prose: str = ""

    @property
    def words(self) -> str:
        """All of it, as text."""
        return f"{self.code}\n{BETWEEN}\n{self.prose}"


def known_texts(problem_set: ProblemSet) -> list[Answers]:
    """Return what nobody can have copied from another student: the released notebook, the reference, the bank."""
    released = student_version(problem_set).cells
    texts = [cell.source for cell in released if cell.cell_type == "code"]
    texts += [*problem_set.reference_answers.values(), *(entry.code for entry in problem_set.bank)]
    prose = [cell.source for cell in released if cell.cell_type != "code"]
    return [*map(Answers, texts), *(Answers("", text) for text in prose)]


def _answers(directory: ClassDirectory, submission: Submission) -> Answers | None:
    try:
        cells = nbformat.read(directory.graded_notebook(submission), as_version=4).cells
    except (OSError, ValueError, nbformat.ValidationError):
        return None
    own = [cell for cell in cells if is_solution(cell) or grade_id(cell) is None]
    return Answers(
        _joined(cell for cell in own if cell.cell_type == "code"), _joined(cell for cell in own if is_prose(cell))
    )


def _joined(cells: Iterable[NotebookNode]) -> str:
    # The lexer ends lines as Unix does, and places count characters in what it has read.
    texts = [cell.source[:MAX_ANSWER].replace("\r\n", "\n").replace("\r", "\n").strip("\n") for cell in cells]
    return f"\n{BETWEEN}\n".join(texts)[:MAX_TEXT]


def compare(texts: dict[str, Answers], known: list[Answers], most: int) -> list[Pair]:
    """Compare texts with each other, and return the pairs that have most in common.

    Parameters
    ----------
    texts : dict of str to Answers
        What each student wrote.
    known : list of Answers
        What counts for nothing.
    most : int
        How many pairs to return.
    """
    code = _fingerprints(
        {student: text.code for student, text in texts.items()}, [t.code for t in known], CODE_LENGTH, True
    )
    words = _fingerprints(
        {student: text.words for student, text in texts.items()}, [t.words for t in known], WORDS_LENGTH, False
    )
    pairs = []
    for first, second in combinations(sorted(texts), 2):
        if not (code[first].hashes & code[second].hashes or words[first].hashes & words[second].hashes):
            continue
        pair = Pair((first, second), _passages(code[first], code[second]), _passages(words[first], words[second]))
        if pair.weight >= LEAST:
            pairs.append(pair)
    return sorted(pairs, key=lambda pair: (-pair.weight, pair.students))[:most]


def _fingerprints(
    texts: dict[str, str], known: Iterable[str], length: int, as_code: bool
) -> dict[str, CodeFingerprint]:
    """Return each student's fingerprint, without what is known or shared by many."""
    prints = {
        student: _fingerprint(text.replace(BETWEEN, chr(_OWN + number)), length, as_code)
        for number, (student, text) in enumerate(texts.items())
    }
    counts = Counter(value for of_student in prints.values() for value in of_student.hashes)
    allowed = max(AT_LEAST, round(MANY * len(texts)))
    common = {value for value, count in counts.items() if count > allowed}
    for text in known:
        common |= _fingerprint(text, length, as_code).hashes
    for of_student in prints.values():
        # copydetect's own way of leaving out what is common, 0.5.0, also takes out what occurs twice in one text.
        of_student.hashes = of_student.hashes - common
        of_student.hash_idx = {value: of_student.hash_idx[value] for value in of_student.hashes}
        covered = {index + i for places in of_student.hash_idx.values() for index in places for i in range(length)}
        of_student.token_coverage = len(covered)
    return prints


def _fingerprint(text: str, length: int, as_code: bool) -> CodeFingerprint:
    # A window of one passage keeps all of them: of a wider one, Python's own random hashes would choose some, and each
    # run would find other pairs.
    return CodeFingerprint("answer.py", length, 1, filter=as_code, language="python", fp=io.StringIO(text))


def _passages(first: CodeFingerprint, second: CodeFingerprint) -> Passages:
    length, shares, slices = compare_files(first, second)
    texts = _SHOWN.sub("┄", first.raw_code), _SHOWN.sub("┄", second.raw_code)
    places = tuple(
        [(int(start), int(end)) for start, end in zip(*of_text, strict=True)] if len(of_text) else []
        for of_text in slices
    )
    return Passages(int(length), (min(1.0, float(shares[0])), min(1.0, float(shares[1]))), texts, places)
