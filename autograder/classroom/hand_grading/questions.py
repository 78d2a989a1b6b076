"""The questions of a set that people grade, with everyone's answers, and the points and comments given for them.

nbgrader's gradebook holds what is given, in the same fields as the formgrader writes, so that either can go on where the
other stopped.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace

from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry

from autograder.classroom.class_lock import class_lock
from autograder.classroom.collecting.handed_in_together import handed_in_together
from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.grading.current_results import current_outcomes
from autograder.classroom.grading.gradebook import open_gradebook, read_comments, read_waiting
from autograder.classroom.hand_grading.rubric import answer_and_rubric
from autograder.classroom.pages.page_limits import MAX_ANSWER, short
from autograder.common.errors import AutograderError, UsageError
from autograder.problem_set.source import Item, ProblemSet, grade_id, is_prose, is_solution

#: Characters of a comment; the feedback page has to stay a page.
MAX_COMMENT = 10_000


@dataclass
class Answer:
    """A student's answer to a question.

    Attributes
    ----------
    student : str
        Whose it is.
    text : str
        What she wrote.
    digest : str
        Hash of all of it: points are for this text and no other.
    waits : bool
        Whether it awaits a person.
    points : float or None
        Those it has, by hand or by machine; None where there are none yet.
    comment : str
        What a person wrote.
    reason : str
        Why the machine could not decide it, where it is a test.
    members : tuple of str
        Who else handed it in, and has the same points and comment: a group's answer is graded once.
    """

    student: str
    text: str
    digest: str
    waits: bool
    points: float | None = None
    comment: str = ""
    reason: str = ""
    members: tuple[str, ...] = ()

    @property
    def everyone(self) -> tuple[str, ...]:
        """All whose answer it is."""
        return (self.student, *self.members)


@dataclass
class Question:
    """A cell of a set that awaits people.

    Attributes
    ----------
    name : str
        grade_id of the cell that has the points.
    max_score : float
        Its points.
    asks : str
        The question, or the code of the test.
    reference, rubric : str
        The reference answer, and its rubric; a test has none.
    in_words : bool
        Whether the answers are in words, and not code that a test judges.
    answers : list of Answer
        Those that await a person first.
    untouched : list of str
        Students who left the cell as it was.
    """

    name: str
    max_score: float
    asks: str
    reference: str
    rubric: str
    in_words: bool
    answers: list[Answer] = field(default_factory=list)
    untouched: list[str] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many answers await a person."""
        return sum(answer.waits for answer in self.answers)

    @property
    def comments(self) -> list[str]:
        """The comments given so far, the most frequent first."""
        given = [answer.comment for answer in self.answers if answer.comment]
        return sorted(set(given), key=lambda comment: (-given.count(comment), given.index(comment)))


class StaleAnswerError(AutograderError):
    """The answer is no longer the one that was read."""


def read_questions(
    directory: ClassDirectory, problem_set: ProblemSet, outcomes: Mapping[Submission, Outcome] | None = None
) -> list[Question]:
    """Gather what people grade in a set: every question in words, and every test that the machine could not decide.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_set : ProblemSet
        The set.
    outcomes : mapping of Submission to Outcome, optional
        As `current_outcomes` returns them; read anew by default.

    Raises
    ------
    AutograderError
        Nothing was graded, or a graded notebook cannot be read.
    """
    if outcomes is None:
        outcomes = current_outcomes(directory, [problem_set])
    with_points = {
        submission.student: outcome
        for submission, outcome in outcomes.items()
        if outcome.outcome in ("graded", "needs-manual-grading")
    }
    waiting, comments = read_waiting(directory, problem_set.name), read_comments(directory, problem_set)
    hand_ins = handed_in_together(directory, problem_set.name)
    with open_gradebook(directory) as gradebook:
        work = {
            student: _Work(
                outcome,
                _cells(directory, Submission(student, problem_set.name)),
                _given(gradebook, problem_set.name, student),
                waiting.get(student, set()),
                comments.get(student, {}),
            )
            for student, outcome in sorted(with_points.items())
        }
    questions = []
    for item in problem_set.items.values():
        for name, full in item.tests.items():
            if not item.by_hand and not any(of_student.is_question(name) for of_student in work.values()):
                continue
            asks = _question(problem_set.notebook, name) if item.by_hand else problem_set.authored.get(name, "")
            answer, rubric = answer_and_rubric(problem_set.reference_answers[item.name])
            question = Question(name, full, asks, answer, rubric, item.by_hand)
            for student, of_student in work.items():
                _add(question, item, student, of_student)
            question.answers = _one_of_each_group(question.answers, hand_ins)
            question.answers.sort(key=lambda answer: (not answer.waits, _order(name, answer.student)))
            questions.append(question)
    return questions


@dataclass(frozen=True)
class _Given:
    """What the gradebook holds for a cell."""

    points: float | None
    by_a_person: bool


@dataclass
class _Work:
    """What a student handed in, and what there is for it."""

    outcome: Outcome
    cells: dict[str, NotebookNode]
    given: dict[str, _Given]
    waiting: set[str]
    comments: dict[str, str]

    def is_question(self, name: str) -> bool:
        """Whether a person has given the points of this test, or has to."""
        return name in self.waiting or (name in self.given and self.given[name].by_a_person)


def _add(question: Question, item: Item, student: str, work: _Work) -> None:
    given, name = work.given.get(question.name), question.name
    if given is None or item.name not in work.cells:
        return
    waits = name in work.waiting
    if item.by_hand and not waits and not given.by_a_person and not given.points:
        question.untouched.append(student)  # nbgrader gives 0 for a cell that is as it was released
    elif item.by_hand or work.is_question(name):
        text, reason = work.cells[item.name].source, work.outcome.awaiting.get(name, "")
        about = (waits, given.points, work.comments.get(item.name, ""), short(reason))
        question.answers.append(Answer(student, short(text, MAX_ANSWER), _digest(text), *about))


def _one_of_each_group(answers: list[Answer], hand_ins: Mapping[str, str]) -> list[Answer]:
    """Put the answers that a group handed in together into one, unless its members have got different points for it."""
    groups: dict[tuple, list[Answer]] = {}
    for answer in answers:
        hand_in = hand_ins.get(answer.student, "")
        alike = replace(answer, student="")
        groups.setdefault((hand_in, *astuple(alike)) if hand_in else (answer.student,), []).append(answer)
    return [replace(first, members=tuple(other.student for other in others)) for first, *others in groups.values()]


def _cells(directory: ClassDirectory, submission: Submission) -> dict[str, NotebookNode]:
    notebook = directory.read_graded_notebook(submission)
    return {grade_id(cell): cell for cell in notebook.cells if is_solution(cell)}


def _given(gradebook: Gradebook, name: str, student: str) -> dict[str, _Given]:
    try:
        notebook = gradebook.find_submission_notebook(name, name, student)
    except MissingEntry:
        return {}
    return {
        grade.name: _Given(
            None if grade.auto_score is None and grade.manual_score is None else grade.score,
            grade.manual_score is not None,
        )
        for grade in notebook.grades
    }


def _question(notebook: NotebookNode, name: str) -> str:
    """Return the text that precedes an answer in words, since the last cell of another kind."""
    texts: list[str] = []
    for cell in notebook.cells:
        if grade_id(cell) == name:
            break
        texts = [*texts, cell.source] if cell.cell_type == "markdown" and not is_prose(cell) else []
    return "\n\n".join(texts)


def _order(name: str, student: str) -> str:
    """Put answers in an order of their own for each question: nobody is always the last to be read."""
    return hashlib.sha256(f"{name}\n{student}".encode("utf-8", "replace")).hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def give(
    directory: ClassDirectory,
    problem_set: ProblemSet,
    question: str,
    student: str,
    digest: str,
    points: float | None,
    comment: str,
    members: Iterable[str] = (),
) -> None:
    """Record the points and the comment for an answer, as the formgrader does.

    Parameters
    ----------
    directory : ClassDirectory
        The class; held while this is written, so that it never meets a run of `autograder grade`.
    problem_set : ProblemSet
        The set.
    question : str
        grade_id of the cell that has the points.
    student : str
        Whose answer it is.
    digest : str
        `Answer.digest` of what was read.
    points : float or None
        Points from 0 to those of the question; None to take back what was given.
    comment : str
        What the student is told about the answer; empty for nothing.
    members : iterable of str
        Who else gets the same: those who handed the answer in together with the student.

    Raises
    ------
    StaleAnswerError
        The answer has changed since it was read, or is gone.
    UsageError
        The points or the comment are impossible.
    AutograderError
        The class is in use by another command, or the gradebook cannot be written.
    """
    item = next((item for item in problem_set.items.values() if question in item.tests), None)
    if item is None:
        raise UsageError(f"{problem_set.name} has no question {question!r}.")
    full = item.tests[question]
    if points is not None and not (math.isfinite(points) and 0 <= points <= full):
        raise UsageError(f"{points:g} points are not between 0 and {full:g}.")
    if len(comment) > MAX_COMMENT:
        raise UsageError(f"A comment has at most {MAX_COMMENT} characters.")
    students = [student, *members]
    with class_lock(directory.root, "hand"):
        for who in students:
            cell = _cells(directory, Submission(who, problem_set.name)).get(item.name)
            if cell is None or _digest(cell.source) != digest:
                raise StaleAnswerError("The answer has changed since this page was opened; reload the page.")
        with open_gradebook(directory) as gradebook:
            for who in students:
                try:
                    grade = gradebook.find_grade(question, problem_set.name, problem_set.name, who)
                except MissingEntry:
                    raise StaleAnswerError("The gradebook has no such answer any more; reload the page.") from None
                grade.manual_score = points
                grade.needs_manual_grade = points is None and grade.auto_score is None
                # nbgrader attaches comments to answers: one on a test belongs to the answer that the test judges.
                about = gradebook.find_comment(item.name, problem_set.name, problem_set.name, who)
                about.manual_comment = comment or None
            gradebook.db.commit()
