"""A sample class made from the banks: students of different strength, whose scores are known in advance."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import random
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.hand_grading.rubric import answer_and_rubric
from autograder.common.atomic_files import write_notebook, write_text
from autograder.common.errors import AutograderError
from autograder.common.text import number
from autograder.problem_set.bank import BankEntry, promised_losses
from autograder.problem_set.source import ProblemSet, answered
from autograder.problem_set.versions import student_version

#: The file next to `submitted/` that says what each student of a sample class must score.
PROMISES = "promised.csv"
#: What separates two sentences.
_SENTENCE = re.compile(r"(?<=[.?!;]) +(?=[A-Za-z(])")


@dataclass(frozen=True)
class SampleSubmission:
    """A made-up submission, the points that the bank promises for it, and the entries it holds."""

    submission: Submission
    notebook: NotebookNode
    score: float
    entries: tuple[BankEntry, ...]


def make_submissions(problem_set: ProblemSet, students: int, seed: int) -> list[SampleSubmission]:
    """Fill in a set for a class of students from its bank.

    Each cell's entries are dealt out in turn: the weaker students get misconceptions, the stronger ones the reference
    solution and its alternatives, so that a class large enough holds every entry. With more than two students, the
    first gives only reference solutions and the last hands the notebook in as it was released.

    Parameters
    ----------
    problem_set : ProblemSet
        The set, whose bank is proven.
    students : int
        Size of the class.
    seed : int
        The same seed gives the same class.
    """
    rng = random.Random(f"{problem_set.name} {seed}")
    released = student_version(problem_set)
    strength = sorted((rng.betavariate(3, 1.5) for _ in range(students)), reverse=True)
    answers: list[dict[str, str]] = [dict(problem_set.reference_answers) for _ in range(students)]
    chosen: list[list[BankEntry]] = [[] for _ in range(students)]
    middle = range(1, students - 1) if students > 2 else range(students)
    for cell in problem_set.reference_answers:
        entries = [entry for entry in problem_set.bank if entry.replaces == cell]
        wrong = [entry for entry in entries if entry.kind == "misconception"]
        right = [entry for entry in entries if entry.kind == "alternative"]
        rng.shuffle(wrong)
        rng.shuffle(right)
        # The weakest are wrong, but not always the same: each draws how well this cell goes.
        form = sorted(middle, key=lambda i: strength[i] + rng.gauss(0, 0.2))
        expected_wrong = round(sum(1 - strength[i] for i in middle))
        # Room for every misconception, and for every alternative, as far as the class is large enough.
        number_wrong = max(len(wrong), min(expected_wrong, len(middle) - len(right))) if wrong else 0
        number_wrong = min(number_wrong, len(middle))
        for rank, student in enumerate(form):
            if rank < number_wrong:
                entry = wrong[rank % len(wrong)]
            elif right and (rank - number_wrong) % (len(right) + 1) < len(right):
                entry = right[(rank - number_wrong) % (len(right) + 1)]
            else:
                continue
            answers[student][cell] = entry.code
            chosen[student].append(entry)
    prose = [item.name for item in problem_set.items.values() if item.by_hand]
    for student, name in itertools.product(range(students), prose):
        whole = students > 2 and student == 0
        answers[student][name] = _in_words(answers[student][name], 1.0 if whole else strength[student], rng)
    if students > 2:
        answers[-1] = {}
    samples = []
    for index in range(students):
        lost = promised_losses(chosen[index]) if answers[index] else set(problem_set.tests)
        score = sum(full for name, full in problem_set.tests.items() if name not in lost)
        submission = Submission(f"student-{index + 1:02d}", problem_set.name)
        samples.append(SampleSubmission(submission, answered(released, answers[index]), score, tuple(chosen[index])))
    return samples


def _in_words(reference: str, strength: float, rng: random.Random) -> str:
    """Answer a question in words: the reference answer without its rubric, of which the weaker say less.

    So the answers differ, and grading them by hand can be rehearsed.
    """
    answer, _ = answer_and_rubric(reference)
    lines = []
    for line in answer.split("\n"):
        said = [sentence for sentence in _SENTENCE.split(line) if rng.random() < strength]
        if said or not line:
            lines.append(" ".join(said))
    return "\n".join(lines).strip() or "I do not know."


def write_sample_class(directory: ClassDirectory, problem_sets: list[ProblemSet], students: int, seed: int) -> int:
    """Write a sample class to a class directory, with `promised.csv` next to the submissions.

    Returns
    -------
    int
        How many submissions it has.

    Raises
    ------
    AutograderError
        The directory already holds submissions of a real class.
    """
    promises = directory.root / PROMISES
    if directory.submitted.is_dir() and any(directory.submitted.iterdir()) and not promises.is_file():
        raise AutograderError(
            f"{directory.root} already holds a class that sample-class did not make; choose another directory."
        )
    directory.prepare()
    samples = [sample for problem_set in problem_sets for sample in make_submissions(problem_set, students, seed)]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    for sample in samples:
        write_notebook(sample.notebook, _notebook_path(directory, sample.submission))
    writer.writerow(["student_id", "assignment", "score", "sha256"])
    for sample in sorted(samples, key=lambda sample: sample.submission):
        submission = sample.submission
        digest = _digest(_notebook_path(directory, submission))
        writer.writerow([submission.student, submission.problem_set, number(sample.score), digest])
    write_text(table.getvalue(), promises)
    keep = {sample.submission for sample in samples}
    for student in directory.submitted.iterdir():
        for folder in student.iterdir():
            if Submission(student.name, folder.name) not in keep:
                shutil.rmtree(folder)
    return len(samples)


def is_untouched_sample(directory: ClassDirectory) -> bool:
    """Whether every file handed in is one that `write_sample_class` wrote, as it wrote it."""
    try:
        with open(directory.root / PROMISES, encoding="utf-8", newline="") as promises:
            written = {
                _notebook_path(directory, Submission(row["student_id"], row["assignment"])): row["sha256"]
                for row in csv.DictReader(promises)
            }
        files = [path for path in directory.submitted.rglob("*") if not path.is_dir()]
        return all(path in written and _digest(path) == written[path] for path in files)
    except (OSError, KeyError, TypeError, ValueError):
        return False


def _notebook_path(directory: ClassDirectory, submission: Submission) -> Path:
    return directory.submission_folder(submission) / f"{submission.problem_set}.ipynb"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
