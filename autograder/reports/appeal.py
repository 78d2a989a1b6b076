"""What an instructor wants to know when a student appeals: every test of an item, the hidden ones too.

For the instructor's screen alone: it shows hidden tests, and it is written nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nbformat import NotebookNode

from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.grading.observed import Observed, observe
from autograder.common.errors import UsageError
from autograder.engine.execution import Executor
from autograder.problem_set.source import ProblemSet, grade_id
from autograder.reports.hidden_tests import is_fixed, is_hidden, said_by
from autograder.reports.recorded_work import Recorded, Work
from autograder.reports.translation import diagnosis_sentence


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
    notebook = directory.read_graded_notebook(submission)
    told = observe(problem_set, notebook, execute) if execute is not None else {}
    cells = {grade_id(cell): cell for cell in notebook.cells}
    work = Recorded.read(directory, problem_set).of(submission, outcome)
    return [_item(work, name, cells, told) for name in problem_set.items if item in ("", name)]


def _item(work: Work, name: str, cells: dict[str, NotebookNode], told: dict[str, Observed]) -> ItemShown:
    problem_set, outcome = work.recorded.problem_set, work.outcome
    of_set = problem_set.items[name]
    tests = [] if of_set.by_hand else [test for test in of_set.tests if test in cells]
    return ItemShown(
        name,
        work.items.get(name),
        of_set.max_score,
        cells[name].source if name in cells else "",
        [_test(work, cells[test], of_set.tests[test], told.get(test, Observed())) for test in tests],
        diagnosis=diagnosis_sentence(problem_set, name, outcome.diagnoses.get(name, ""), work.recorded.say),
        comment=work.comments.get(name, ""),
    )


def _test(work: Work, cell: NotebookNode, full: float, seen: Observed) -> TestShown:
    name = grade_id(cell)
    says, errors = said_by(cell)
    return TestShown(
        name,
        is_hidden(cell),
        work.scores.get(name),
        full,
        says="\n".join(dict.fromkeys(filter(None, (says, seen.says)))),
        own_words=seen.says not in ("", says) or any(not is_fixed(e, name, work.recorded.messages) for e in errors),
        printed="".join(o.text for o in cell.get("outputs", ()) if o.output_type == "stream"),
        source=work.recorded.problem_set.authored.get(name, cell.source),
        awaiting=work.outcome.awaiting.get(name, ""),
        calls=seen.calls,
    )
