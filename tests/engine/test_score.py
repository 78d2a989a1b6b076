"""What a submission earns, what students are told about it, and what makes it fail."""

import functools

import nbformat
import pytest
from nbformat.v4 import new_output

from autograder.common.errors import SubmissionError
from autograder.engine.execution import Executed
from autograder.engine.score import grade
from autograder.problem_set.source import answered, grade_id
from autograder.problem_set.versions import student_version

HIDDEN = "nats_to_bits-hidden"


def test_correct_answers_that_print_and_warn_lose_nothing(source, warmup, executor):
    code = "import warnings\nprint('hello')\n" + warmup.reference_answers["nats_to_bits"].replace(
        "    return", "    warnings.warn('look'); print('called')\n    return"
    )
    graded = grade(source, answered(student_version(warmup), {"nats_to_bits": code}), executor)
    assert graded.scores[HIDDEN] == 1.0
    assert any("warning" in notice for notice in graded.notices)


def test_a_blank_notebook_earns_nothing_and_counts_as_not_attempted(source, warmup, executor):
    graded = grade(source, student_version(warmup), executor)
    assert set(graded.scores.values()) == {0.0}
    assert graded.not_attempted == ["nats_to_bits"]


def test_an_infinite_loop_fails_its_cell_and_the_rest_is_graded(source, warmup, impatient):
    code = warmup.reference_answers["nats_to_bits"]
    notebook = answered(student_version(warmup), {"nats_to_bits": code})
    notebook.cells.insert(0, nbformat.v4.new_code_cell("while True: pass"))
    graded = grade(source, notebook, impatient)
    assert graded.score == 1.0


def test_a_process_that_dies_fails_the_submission_with_a_reason(source, warmup, executor):
    notebook = answered(student_version(warmup), {"nats_to_bits": "import os\nos._exit(0)"})
    with pytest.raises(SubmissionError, match="died while running the cell 'nats_to_bits'"):
        grade(source, notebook, executor)


def test_a_test_that_could_not_be_judged_awaits_manual_grading(source, warmup):
    reason = "The steps could not be counted; a person looks at this answer."

    def execute(notebook, reference=None, undrawn=()):
        return Executed(notebook, awaiting={HIDDEN: reason})

    graded = grade(source, answered(student_version(warmup), warmup.reference_answers), execute)
    assert graded.scores[HIDDEN] is None
    assert graded.awaiting == {HIDDEN: reason}
    assert graded.needs_manual_grading


def test_an_untouched_cell_whose_tests_pass_counts_as_attempted_elsewhere(source, warmup):
    def execute(notebook, reference=None, undrawn=(), failing=()):
        for cell in notebook.cells:
            if grade_id(cell) in failing:
                cell.outputs = [new_output("error", ename="E", evalue="", traceback=[])]
        return Executed(notebook)

    blank = student_version(warmup)
    assert grade(source, blank, execute).not_attempted == []
    graded = grade(source, blank, functools.partial(execute, failing=("nats_to_bits-values", HIDDEN)))
    assert graded.not_attempted == ["nats_to_bits"]


def test_the_stub_of_a_deleted_answer_does_not_run(source, warmup, executor):
    notebook = answered(student_version(warmup), warmup.reference_answers)
    (answer,) = [cell for cell in notebook.cells if grade_id(cell) == "nats_to_bits"]
    notebook.cells.remove(answer)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(answer.source))
    assert grade(source, notebook, executor).score == 1.0
