"""What an instructor wants to know when a student appeals: every test of an item, the hidden ones too.

For the instructor's screen alone: it shows hidden tests, and it is written nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import nbformat

from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.gradebook import item_grades, read_comments, read_scores
from autograder.classroom.observed import Observed, observe
from autograder.common.errors import AutograderError, UsageError
from autograder.engine.execution import Executor
from autograder.problem_set.source import ProblemSet, grade_id
from autograder.reports.hidden_tests import is_fixed, is_hidden, read_fixed_messages
from autograder.reports.wording import diagnosis_sentence, wording_of


@dataclass
class TestShown:
    """A test as the instructor sees it.

    Attributes
    ----------
    name : str
        grade_id of the test cell.
    hidden : bool
        Whether students cannot see it.
    points : float or None
        Those given; None where they await a person.
    full : float
        Those that it carries.
    says : str
        What the test said it received and expected; empty where it passed.
    own_words : bool
        Whether part of what it says may come from the submission.
    printed : str
        What the submission printed during the test.
    source : str
        Its code.
    awaiting : str
        Why the machine could not decide it.
    calls : tuple of str
        The calls that it made, each with what came back, where the work was run again to see them.
    """

    name: str
    hidden: bool
    points: float | None
    full: float
    says: str = ""
    own_words: bool = False
    printed: str = ""
    source: str = ""
    awaiting: str = ""
    calls: tuple[str, ...] = ()


@dataclass
class ItemShown:
    """An item as the instructor sees it: the answer, its tests, what it resembles, and the comment that was given."""

    name: str
    points: float | None
    full: float
    answer: str
    tests: list[TestShown] = field(default_factory=list)
    diagnosis: str = ""
    comment: str = ""


def appeal(
    directory: ClassDirectory,
    problem_set: ProblemSet,
    submission: Submission,
    outcome: Outcome,
    item: str = "",
    execute: Executor | None = None,
) -> list[ItemShown]:
    """Gather what is known about the items of a graded submission.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_set : ProblemSet
        The set.
    submission : Submission
        Whose work it is.
    outcome : Outcome
        What came of it; it has points.
    item : str
        One item; all by default.
    execute : Executor, optional
        Runs the work again, so that each test tells what it called and what came back, also where it passed.

    Raises
    ------
    UsageError
        The set has no such item.
    AutograderError
        The graded notebook cannot be read.
    SubmissionError, MachineError
        The work could not be run again.
    """
    if item and item not in problem_set.items:
        raise UsageError(f"{problem_set.name} has no item {item!r}; it has {', '.join(problem_set.items)}.")
    path = directory.graded_notebook(submission)
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        raise AutograderError(f"The graded notebook {path} cannot be read; grade it again with --again.") from None
    told = observe(problem_set, notebook, execute) if execute is not None else {}
    cells = {grade_id(cell): cell for cell in notebook.cells}
    scores = read_scores(directory, problem_set)
    of_cells, of_items = (
        scores.get(submission.student, {}),
        item_grades(problem_set, scores).get(submission.student, {}),
    )
    comments = read_comments(directory, problem_set).get(submission.student, {})
    messages = read_fixed_messages(directory, problem_set.name)
    shown, say = [], wording_of(problem_set)
    for name, of_set in problem_set.items.items():
        if item and name != item:
            continue
        about = ItemShown(
            name,
            of_items.get(name),
            of_set.max_score,
            cells[name].source if name in cells else "",
            diagnosis=diagnosis_sentence(problem_set, name, outcome.diagnoses.get(name, ""), say),
            comment=comments.get(name, ""),
        )
        for test, full in of_set.tests.items():
            if of_set.by_hand or test not in cells:
                continue
            cell = cells[test]
            errors = [output for output in cell.get("outputs", ()) if output.output_type == "error"][-1:]
            says = "".join(e.evalue if e.ename == "AssertionError" else f"{e.ename}: {e.evalue}" for e in errors)
            seen = told.get(test, Observed())
            about.tests.append(
                TestShown(
                    test,
                    is_hidden(cell),
                    of_cells.get(test),
                    full,
                    "\n".join(dict.fromkeys(filter(None, (says, seen.says)))),
                    seen.says not in ("", says) or any(not is_fixed(error, test, messages) for error in errors),
                    "".join(o.text for o in cell.get("outputs", ()) if o.output_type == "stream"),
                    problem_set.authored.get(test, cell.source),
                    outcome.awaiting.get(test, ""),
                    seen.calls,
                )
            )
        shown.append(about)
    return shown
