"""Grading one submission: what is restored, what is scored, what is refused; the kernel runs only where it must."""

import copy
import json

import nbformat
import pytest

from autograder.common.errors import SubmissionError
from autograder.engine.grading import grade, read_submission, restore
from autograder.problem_set.source import answered, grade_id
from autograder.problem_set.versions import student_version

HIDDEN = "nats_to_bits-hidden"


@pytest.fixture
def solved(warmup):
    return answered(student_version(warmup), warmup.reference_answers)


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if grade_id(cell) == name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "JSON"),
        ("[1, 2]", "not a Jupyter notebook"),
        ('{"cells": []}', "not a Jupyter notebook"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}', "has no cells"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]}', "not a valid Jupyter notebook"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": {"a": 1}}', "not a valid Jupyter notebook"),
        ('{"nbformat": "x", "cells": []}', "not a valid Jupyter notebook"),
        ('{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}', "notebook"),
    ],
)
def test_what_is_not_a_notebook_is_refused_with_a_reason(text, says):
    with pytest.raises(SubmissionError, match=says):
        read_submission(text)


def test_an_old_notebook_is_read_as_a_current_one(solved):
    solved.nbformat_minor = 4
    for cell in solved.cells:
        del cell["id"]
    text = json.dumps(solved)
    notebook = read_submission(text)
    assert notebook.nbformat_minor == 5
    assert all(cell.id for cell in notebook.cells)


def test_restoring_leaves_an_honest_submission_without_notices(source, solved):
    notebook, notices = restore(source, solved)
    assert notices == []
    assert "BEGIN HIDDEN TESTS" in cell_of(notebook, HIDDEN).source


def test_a_deleted_test_cell_comes_back_where_it_stood(source, solved):
    solved.cells = [cell for cell in solved.cells if grade_id(cell) != HIDDEN]
    notebook, notices = restore(source, solved)
    names = [grade_id(cell) for cell in notebook.cells if grade_id(cell)]
    assert names == [grade_id(cell) for cell in source.cells if grade_id(cell)]
    assert any(HIDDEN in notice and "put back" in notice for notice in notices)


def test_every_cell_may_be_deleted_but_one(source, solved):
    for name in [grade_id(cell) for cell in source.cells if grade_id(cell)]:
        only = copy.deepcopy(solved)
        only.cells = [cell_of(only, name)]
        notebook, _ = restore(source, only)
        names = [grade_id(cell) for cell in notebook.cells if grade_id(cell)]
        assert sorted(names) == sorted(grade_id(cell) for cell in source.cells if grade_id(cell))


def test_of_a_duplicated_cell_the_first_counts_and_the_second_does_not_run(source, solved):
    duplicate = copy.deepcopy(cell_of(solved, "nats_to_bits"))
    duplicate["id"] = "another"
    duplicate.source = "raise RuntimeError('the second copy ran')"
    solved.cells.append(duplicate)
    notebook, notices = restore(source, solved)
    assert notebook.cells[-1].cell_type == "raw"
    assert any("more than once" in notice for notice in notices)


def test_a_changed_test_cell_is_restored_with_a_notice(source, solved):
    cell_of(solved, HIDDEN).source = "pass"
    cell_of(solved, HIDDEN).metadata.nbgrader["points"] = 100
    notebook, notices = restore(source, solved)
    assert cell_of(notebook, HIDDEN).source == cell_of(source, HIDDEN).source
    assert cell_of(notebook, HIDDEN).metadata.nbgrader["points"] == 1
    assert any(HIDDEN in notice and "restored" in notice for notice in notices)


def test_a_cell_of_another_type_gets_its_own_back(source, solved):
    index = next(i for i, cell in enumerate(solved.cells) if grade_id(cell) == HIDDEN)
    metadata = solved.cells[index].metadata
    solved.cells[index] = nbformat.v4.new_markdown_cell("nothing", metadata=metadata)
    notebook, _ = restore(source, solved)
    assert cell_of(notebook, HIDDEN).cell_type == "code"
    nbformat.validate(notebook)


@pytest.mark.parametrize("metadata", ["text", 3, None, [1], {"grade_id": ["list"]}, {"grade_id": 7}, {"grade": True}])
def test_nonsense_in_nbgrader_metadata_is_ignored(source, solved, metadata):
    stray = nbformat.v4.new_code_cell("1 + 1")
    stray.metadata["nbgrader"] = metadata
    solved.cells.append(stray)
    notebook, _ = restore(source, solved)
    assert "nbgrader" not in notebook.cells[-1].metadata


def test_a_notebook_of_something_else_is_refused(source):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    with pytest.raises(SubmissionError, match="None of the notebook's cells belongs to ps0-warmup"):
        restore(source, notebook)


def test_a_restored_submission_is_not_changed_itself(source, solved):
    before = nbformat.writes(solved)
    restore(source, solved)
    assert nbformat.writes(solved) == before


def test_right_answers_that_print_and_warn_lose_nothing(source, warmup, executor):
    code = "import warnings\nprint('hello')\n" + warmup.reference_answers["nats_to_bits"].replace(
        "    return", "    warnings.warn('look'); print('called')\n    return"
    )
    graded = grade(source, answered(student_version(warmup), {"nats_to_bits": code}), executor)
    assert graded.scores[HIDDEN] == 1.0
    assert any("warned" in notice for notice in graded.notices)


def test_a_blank_notebook_earns_nothing_and_counts_as_not_attempted(source, warmup, executor):
    graded = grade(source, student_version(warmup), executor)
    assert set(graded.scores.values()) == {0.0}
    assert graded.not_attempted == ["nats_to_bits"]


def test_a_loop_without_end_fails_its_cell_and_the_rest_is_graded(source, warmup, impatient):
    code = warmup.reference_answers["nats_to_bits"]
    notebook = answered(student_version(warmup), {"nats_to_bits": code})
    notebook.cells.insert(0, nbformat.v4.new_code_cell("while True: pass"))
    graded = grade(source, notebook, impatient)
    assert graded.score == 1.0


def test_a_dead_process_is_a_failure_with_a_reason(source, warmup, executor):
    notebook = answered(student_version(warmup), {"nats_to_bits": "import os\nos._exit(0)"})
    with pytest.raises(SubmissionError, match="died while running the cell 'nats_to_bits'"):
        grade(source, notebook, executor)
