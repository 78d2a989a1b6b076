"""Repair by content: locked cells are restored, and what the student wrote is found and counts."""

import base64
import copy
import itertools
import json

import hypothesis
import nbformat
import pytest
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

from autograder.common.errors import SubmissionError
from autograder.engine.execution import Executed
from autograder.engine.restore import NOT_RUN, handed_in_pictures, is_run, restore
from autograder.engine.score import grade
from autograder.engine.submitted_notebook import MAX_CODE, read_submission
from autograder.problem_set.source import answered, grade_id, is_solution
from autograder.problem_set.versions import from_source, student_version, without_hidden_tests
from tests.support.jupyter_kernel import KernelExecutor

HIDDEN = "nats_to_bits-hidden"


@pytest.fixture
def solved(warmup):
    return answered(student_version(warmup), warmup.reference_answers)


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if grade_id(cell) == name)


# ---- a small set, and a fast stand-in for a kernel


def set_cell(name, text, kind="code", **flags):
    flags = {"locked": True, "solution": False, "grade": False, **flags}
    make = new_code_cell if kind == "code" else new_markdown_cell
    metadata = {"nbgrader": {**flags, "grade_id": name, "schema_version": 3}}
    return make(text, id=name, metadata=metadata)


def stub(name, text):
    return set_cell(name, f"### BEGIN SOLUTION\n{text}\n### END SOLUTION", solution=True, locked=False)


def hidden_test(name, text):
    return set_cell(name, f"# {name}\n### BEGIN HIDDEN TESTS\n{text}\n### END HIDDEN TESTS", grade=True, points=1)


RIGHT = {
    "double": "def double(x):\n    return 2 * x",
    "four": "p = 2\nfour = double(p)",
    "why": "Since two and two are four.",
}


def small_set():
    """Return the instructor's version of a set with two code answers, one prose answer and a figure cell."""
    cells = [
        set_cell("checks", "def judge(found, right):\n    assert found == right"),
        stub("double", RIGHT["double"]),
        set_cell("double-test", "judge(double(4), 8)", grade=True, points=2),
        hidden_test("double-hidden", "judge(double(5), 10)"),
        new_code_cell("figure = [double(x) for x in range(3)]", id="figure"),
        stub("four", RIGHT["four"]),
        set_cell("four-test", "judge(four, 4)", grade=True, points=1),
        set_cell("why", "### BEGIN SOLUTION\nx\n### END SOLUTION", "markdown", solution=True, grade=True, locked=False, points=1),
    ]  # fmt: skip
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "autograder": {"problem_set": "small"}}
    return from_source(nbformat.v4.new_notebook(cells=cells, metadata=metadata))


SMALL = small_set()
FULL = {"double-test": 2.0, "double-hidden": 1.0, "four-test": 1.0, "why": None}


def released():
    return without_hidden_tests(SMALL)


def solved_small():
    return answered(released(), RIGHT)


def kernel(notebook, reference=None, undrawn=()):
    """Run a notebook from top to bottom in one namespace, as a kernel does."""
    executed, names = copy.deepcopy(notebook), {}
    for cell in executed.cells:
        if is_run(cell):
            try:
                exec(compile(cell.source, "<cell>", "exec"), names)
            except Exception as error:
                cell.outputs.append(new_output("error", ename=type(error).__name__, evalue=str(error), traceback=[]))
    return Executed(executed)


def scores(notebook):
    return graded(notebook).scores


def graded(notebook):
    return grade(SMALL, read_submission(json.dumps(notebook)), kernel)


def copied(notebook, name, source, place=None, **more):
    """Insert a copy of an answer cell with a different text at a place; by default, after the original."""
    index = next(index for index, cell in enumerate(notebook.cells) if grade_id(cell) == name)
    copy_of = copy.deepcopy(notebook.cells[index])
    copy_of.update({"source": source, "id": f"copy-{len(notebook.cells)}", **more})
    notebook.cells.insert(index + 1 if place is None else place, copy_of)
    return copy_of


def test_the_small_set_is_graded_correctly():
    assert scores(solved_small()) == FULL
    assert graded(solved_small()).notices == []
    blank = graded(released())
    assert set(blank.scores.values()) == {0.0}
    assert blank.not_attempted == ["double", "four", "why"]


# ---- what the set locks


def test_restoring_an_honest_submission_gives_no_notices(source, solved):
    notebook, notices = restore(source, solved)
    assert notices == []
    assert "BEGIN HIDDEN TESTS" in cell_of(notebook, HIDDEN).source


def test_a_deleted_test_cell_returns_to_its_place(source, solved):
    solved.cells = [cell for cell in solved.cells if grade_id(cell) != HIDDEN]
    notebook, notices = restore(source, solved)
    names = [grade_id(cell) for cell in notebook.cells if grade_id(cell)]
    assert names == [grade_id(cell) for cell in source.cells if grade_id(cell)]
    assert any(HIDDEN in notice and "put back" in notice for notice in notices)


def test_a_deleted_test_comes_after_what_the_student_added_to_the_answer():
    notebook = solved_small()
    cell_of(notebook, "double").source = "def double(x):\n    return twice(x)"
    notebook.cells = [cell for cell in notebook.cells if grade_id(cell) not in ("double-test", "double-hidden")]
    index = next(index for index, cell in enumerate(notebook.cells) if grade_id(cell) == "double")
    notebook.cells.insert(index + 1, new_code_cell("def twice(x):\n    return 2 * x"))
    assert scores(notebook) == FULL


def test_all_cells_but_one_may_be_deleted(source, solved):
    for name in [grade_id(cell) for cell in source.cells if grade_id(cell)]:
        only = copy.deepcopy(solved)
        only.cells = [cell_of(only, name)]
        notebook, _ = restore(source, only)
        names = [grade_id(cell) for cell in notebook.cells if grade_id(cell)]
        assert names == [grade_id(cell) for cell in source.cells if grade_id(cell)]
        nbformat.validate(notebook)


def test_a_changed_test_cell_is_restored_with_a_notice(source, solved):
    cell_of(solved, HIDDEN).source = "pass"
    cell_of(solved, HIDDEN).metadata.nbgrader["points"] = 100
    notebook, notices = restore(source, solved)
    assert cell_of(notebook, HIDDEN).source == cell_of(source, HIDDEN).source
    assert cell_of(notebook, HIDDEN).metadata.nbgrader["points"] == 1
    assert any(HIDDEN in notice and "restored" in notice for notice in notices)


def test_a_cell_turned_into_another_type_gets_its_own_type_back(source, solved):
    index = next(i for i, cell in enumerate(solved.cells) if grade_id(cell) == HIDDEN)
    metadata = solved.cells[index].metadata
    solved.cells[index] = nbformat.v4.new_markdown_cell(solved.cells[index].source, metadata=metadata)
    notebook, notices = restore(source, solved)
    assert cell_of(notebook, HIDDEN).cell_type == "code"
    assert any(HIDDEN in notice and "restored" in notice for notice in notices)
    nbformat.validate(notebook)


def test_an_edited_copy_of_a_test_is_the_students_own_cell():
    """A student who copies a test cell to try something may define part of an answer in the copy."""
    for place in (0, None):
        notebook = solved_small()
        cell_of(notebook, "four").source = "four = try_out()"
        copied(notebook, "double-test", "def try_out():\n    return 4", place)
        assert scores(notebook) == FULL
        copied(notebook, "double-test", cell_of(released(), "double-test").source, 0)
        result = graded(notebook)
        assert result.scores == FULL
        assert [cell.cell_type for cell in result.notebook.cells].count("raw") == 1


@pytest.mark.parametrize("metadata", ["text", 3, None, [1], {"grade_id": ["list"]}, {"grade_id": 7}, {"grade": True}])
def test_nonsense_in_nbgrader_metadata_is_ignored(source, solved, metadata):
    stray = nbformat.v4.new_code_cell("1 + 1")
    stray.metadata["nbgrader"] = metadata
    solved.cells.append(stray)
    notebook, _ = restore(source, solved)
    assert "nbgrader" not in notebook.cells[-1].metadata


def test_an_unrelated_notebook_is_refused(source):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    with pytest.raises(SubmissionError, match="None of the notebook's cells belongs to ps0-warmup"):
        restore(source, notebook)


def test_restoring_leaves_its_inputs_unchanged(source, solved):
    before = nbformat.writes(solved)
    source_before = nbformat.writes(source)
    notebook, _ = restore(source, solved)
    for cell in notebook.cells:
        cell.metadata["more"] = 1
        cell.metadata.get("nbgrader", {})["points"] = 100
    assert nbformat.writes(solved) == before
    assert nbformat.writes(source) == source_before


def test_a_notebook_without_ids_is_restored(source, solved):
    solved.nbformat_minor = 4
    for cell in solved.cells:
        del cell["id"]
    notebook, _ = restore(source, solved)
    nbformat.validate(notebook)


def test_the_students_tags_do_not_decide_what_runs():
    notebook = solved_small()
    for cell in notebook.cells:
        cell.metadata["tags"] = [NOT_RUN]
    restored, _ = restore(SMALL, notebook)
    assert all(is_run(cell) for cell in restored.cells if cell.cell_type == "code")


# ---- copies


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("far", [False, True])
def test_an_untouched_copy_never_beats_a_worked_one(lower, far):
    notebook = released()
    for name in ("double", "four"):
        worked = copied(notebook, name, RIGHT[name], (len(notebook.cells) if lower else 0) if far else None)
        if not lower and not far:
            position = notebook.cells.index(worked)
            notebook.cells[position - 1 : position + 1] = [worked, notebook.cells[position - 1]]
    if far and not lower:  # `four` uses `double` when it runs
        notebook.cells[0], notebook.cells[1] = notebook.cells[1], notebook.cells[0]
    result = graded(notebook)
    assert {**result.scores, "why": None} == FULL
    assert sum("the one with your answer counts" in notice for notice in result.notices) == 2
    assert result.not_attempted == ["why"]


@pytest.mark.parametrize(
    "change", [lambda text: f"{text}\n\n", lambda text: text.replace("\n", "  \n"), lambda text: ""]
)
def test_invisible_changes_do_not_count_as_work(change):
    notebook = solved_small()
    copied(notebook, "double", change(cell_of(released(), "double").source))
    assert scores(notebook) == FULL


WRONG = "def double(x):\n    return x"


@pytest.mark.parametrize(
    ("upper", "lower", "counts"),
    [(None, None, "lower"), (3, None, "upper"), (None, 3, "lower"), (3, 5, "lower"), (5, 3, "upper"), (4, 4, "lower")],
)
@pytest.mark.parametrize("broken", [WRONG, "def double(x:", "raise ValueError\n" + WRONG])
@pytest.mark.parametrize("far", [False, True])
def test_of_two_worked_copies_the_one_that_ran_last_counts(upper, lower, counts, broken, far):
    notebook = solved_small()
    first = cell_of(notebook, "double")
    first["execution_count"] = upper
    second = copied(notebook, "double", RIGHT["double"], len(notebook.cells) if far else None, execution_count=lower)
    other = first if counts == "lower" else second
    other.source = broken
    result = graded(notebook)
    expected = dict(FULL)
    if far and counts == "lower":
        # `four` calls `double` above the correct copy, where nothing else defines it.
        expected["four-test"] = 0.0
    assert result.scores == expected
    assert any("'double' was copied or split into 2 cells" in notice for notice in result.notices)
    other.source, (first if other is second else second).source = RIGHT["double"], WRONG
    assert scores(notebook)["double-hidden"] == 0.0


def test_a_copy_of_another_type_is_set_aside():
    for kind in ("raw", "markdown"):
        notebook = solved_small()
        copied(notebook, "double", WRONG, cell_type=kind)
        result = graded(notebook)
        assert result.scores == FULL
        assert [cell.cell_type for cell in result.notebook.cells if cell.source == WRONG] == ["raw"]


def test_a_worked_copy_below_the_tests_runs_after_what_it_needs():
    """The student worked at the end of the notebook, with a helper that she wrote there."""
    notebook = answered(released(), {"four": RIGHT["four"], "why": RIGHT["why"]})
    notebook.cells.append(new_code_cell("def decorate(function):\n    return function", execution_count=7))
    copied(notebook, "double", "@decorate\n" + RIGHT["double"], len(notebook.cells), execution_count=8)
    result = graded(notebook)
    assert result.scores["double-test"] == 2.0
    assert result.scores["double-hidden"] == 1.0
    assert any("changed places" in notice for notice in result.notices)


def test_a_worked_copy_below_serves_the_cells_above_it():
    """In her kernel it had run before she ran the cells above."""
    notebook = answered(released(), {"four": RIGHT["four"], "why": RIGHT["why"]})
    copied(notebook, "double", RIGHT["double"], len(notebook.cells))
    result = graded(notebook)
    assert result.scores == FULL
    assert not any(output for cell in result.notebook.cells for output in cell.get("outputs", ()))


# ---- parts


@pytest.mark.parametrize("counts", [(None, None), (None, 5), (5, None), (6, 5), (5, 6)])
@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        ("import functools", "@functools.cache\ndef double(x):\n    return 2 * x"),
        ("def helper(x):\n    return 2 * x", "def double(x):\n    return helper(x)"),
        ("def double(x):\n    y = 2 * x", "    return y"),
        ("def double(x):\n    y = 2 * x", "\n    z = y\n    return z"),
        ("class Double:\n    def __call__(self, x):\n        return 2 * x", "double = Double()"),
        ("", RIGHT["double"]),
        (RIGHT["double"], "double(3)"),
        (RIGHT["double"], "double(3) + nothing"),
    ],
)
@pytest.mark.parametrize("between", [None, new_markdown_cell("see below"), new_code_cell("print('scratch')")])
@pytest.mark.sampled(12)
def test_the_parts_of_a_split_answer_count_as_one(counts, upper, lower, between):
    notebook = solved_small()
    first = cell_of(notebook, "double")
    first.update(source=upper, execution_count=counts[0])
    second = copied(notebook, "double", lower, execution_count=counts[1])
    if between is not None:
        notebook.cells.insert(notebook.cells.index(second), between)
    result = graded(notebook)
    assert result.scores == FULL
    assert [grade_id(cell) for cell in result.notebook.cells].count("double") == 1


PARTS = (
    ["import math\n\ndef double(x):\n    y = x", "    return 2 * y"],
    ["import math\n\ndef double(x):", "    y = math.floor(x)", "    return 2 * y"],
)


@pytest.mark.parametrize(("texts", "named"), [(texts, named) for texts in PARTS for named in range(len(texts))])
def test_only_one_of_the_parts_has_the_metadata(texts, named):
    notebook = solved_small()
    index = notebook.cells.index(cell_of(notebook, "double"))
    pieces = [new_code_cell(text) for text in texts]
    pieces[named].metadata = notebook.cells[index].metadata
    notebook.cells[index : index + 1] = pieces
    result = graded(notebook)
    assert result.scores == FULL
    assert any("middle of a block" in notice for notice in result.notices)


@pytest.mark.parametrize("more", ["    print(double(3))", "    double(1)\n    double(2)"])
def test_a_students_indented_cell_spoils_no_answer(more):
    """IPython removes the indentation of a whole cell, so an indented cell may run by itself."""
    notebook = solved_small()
    for name in ("double", "four"):
        notebook.cells.insert(notebook.cells.index(cell_of(notebook, name)) + 1, new_code_cell(more))
    assert scores(notebook) == FULL


def test_code_that_runs_again_has_a_valid_id():
    notebook = solved_small()
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"{index:064d}"
    cell_of(notebook, "double").update(source="def double(x):\n    y = 2 * x", execution_count=9)
    copied(notebook, "double", "    return y", id="1" * 64)
    copied(notebook, "double", "0", len(notebook.cells), id="2" * 64)
    restored, _ = restore(SMALL, read_submission(json.dumps(notebook)))
    nbformat.validate(restored)
    assert len({cell.id for cell in restored.cells}) == len(restored.cells)


def test_a_split_stub_counts_as_not_attempted():
    notebook = released()
    text = cell_of(notebook, "double").source
    lines = text.splitlines()
    cell_of(notebook, "double").source = lines[0]
    copied(notebook, "double", "\n".join(lines[1:]))
    assert "double" in graded(notebook).not_attempted


def test_a_prose_answer_is_joined_from_all_its_cells():
    notebook = solved_small()
    cell_of(notebook, "why").update(source="First this.", attachments={"a.png": {"image/png": "AAAA"}})
    copied(notebook, "why", "Then that.", attachments={"b.png": {"image/png": "BBBB"}})
    copied(notebook, "why", cell_of(released(), "why").source)
    result = graded(notebook)
    answer = cell_of(result.notebook, "why")
    assert answer.source == "First this.\n\nThen that."
    assert set(answer.attachments) == {"a.png", "b.png"}
    assert any("they were joined" in notice for notice in result.notices)
    nbformat.validate(result.notebook)


# ---- answers elsewhere


@pytest.mark.parametrize("where", ["in its place", "at the top", "before the tests"])
def test_a_restored_stub_overrides_nothing(where):
    notebook = solved_small()
    index = notebook.cells.index(cell_of(notebook, "double"))
    own = new_code_cell(RIGHT["double"])
    notebook.cells[index : index + 1] = [own] if where == "in its place" else []
    if where != "in its place":
        notebook.cells.insert(0 if where == "at the top" else index, own)
    result = graded(notebook)
    assert result.scores == FULL
    assert result.not_attempted == []
    assert not is_run(cell_of(result.notebook, "double"))
    assert any("'double' was missing" in notice and "not run" in notice for notice in result.notices)


def test_an_emptied_answer_cell_overrides_nothing():
    notebook = solved_small()
    cell_of(notebook, "double").source = "\n"
    notebook.cells.insert(0, new_code_cell(RIGHT["double"]))
    assert scores(notebook) == FULL


def test_two_answers_merged_into_one_cell_both_count():
    notebook = solved_small()
    cell_of(notebook, "double").source += "\n\n" + RIGHT["four"]
    notebook.cells.remove(cell_of(notebook, "four"))
    assert scores(notebook) == FULL


def test_a_kernel_skips_a_restored_stub_too(source, warmup, solved):
    text = cell_of(solved, "nats_to_bits").source
    solved.cells = [cell for cell in solved.cells if grade_id(cell) != "nats_to_bits"]
    solved.cells.insert(0, new_code_cell(text))
    assert grade(source, solved, KernelExecutor()).scores[HIDDEN] == 1.0


# ---- types


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_an_answer_turned_into_text_runs_with_a_notice(kind):
    notebook = solved_small()
    for name in ("double", "four"):
        cell = cell_of(notebook, name)
        make = new_markdown_cell if kind == "markdown" else new_raw_cell
        notebook.cells[notebook.cells.index(cell)] = make(cell.source, metadata=cell.metadata)
    result = graded(notebook)
    assert result.scores == FULL
    told = [notice for notice in result.notices if "it was run as code" in notice]
    assert len(told) == 2
    assert kind in told[0].lower()
    nbformat.validate(result.notebook)


def test_a_prose_answer_turned_into_code_is_read_with_a_notice():
    notebook = solved_small()
    cell = cell_of(notebook, "why")
    notebook.cells[notebook.cells.index(cell)] = new_code_cell(cell.source, metadata=cell.metadata)
    result = graded(notebook)
    assert result.scores == FULL
    assert any("was in a code cell; it was read as text" in notice for notice in result.notices)
    assert cell_of(result.notebook, "why").cell_type == "markdown"


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_code_in_a_text_cell_has_the_same_limit_as_code(kind):
    notebook = solved_small()
    cell_of(notebook, "double").update(cell_type=kind, source="#" * (MAX_CODE + 1))
    with pytest.raises(SubmissionError, match="more than 500000 characters"):
        graded(notebook)


# ---- order


def test_cells_in_any_order_are_graded_as_far_as_a_kernel_could():
    """Locked cells and tests return to their places in the set; the student's own cells keep their order."""
    for order in itertools.permutations(range(4)):
        notebook = solved_small()
        notebook.cells[:4] = [notebook.cells[number] for number in order]
        result = graded(notebook)
        assert result.scores == FULL
        assert any("changed places" in notice for notice in result.notices) == (order != (0, 1, 2, 3))


@hypothesis.given(st.data())
def test_a_restored_notebook_has_each_cell_once_and_every_test_after_what_it_needs(data):
    cells = solved_small().cells
    cells += [new_code_cell("double = None", id="own"), new_markdown_cell("mine", id="text")]
    picked = data.draw(st.lists(st.sampled_from(cells), min_size=1, max_size=14))
    notebook = NotebookNode(nbformat=4, cells=[copy.deepcopy(cell) for cell in picked])
    for cell in notebook.cells:
        cell["source"] = data.draw(st.sampled_from([cell.source, cell.source, "", "    x = 1", "own = 1"]))
        cell["cell_type"] = data.draw(st.sampled_from([cell.cell_type, cell.cell_type, "code", "raw"]))
        cell["execution_count"] = data.draw(st.sampled_from([None, 1, 2]))
    submitted = read_submission(json.dumps(notebook))
    hypothesis.assume(any(grade_id(cell) for cell in submitted.cells))
    restored, _ = restore(SMALL, submitted)
    nbformat.validate(restored)
    names = [grade_id(cell) for cell in restored.cells if grade_id(cell)]
    wanted = [grade_id(cell) for cell in SMALL.cells if grade_id(cell)]
    assert sorted(names) == sorted(wanted)
    originals = {grade_id(cell): cell for cell in SMALL.cells}
    for cell in restored.cells:
        name = grade_id(cell)
        if name and not is_solution(originals[name]):
            assert (cell.source, cell.metadata) == (originals[name].source, originals[name].metadata)
        if name and name.endswith(("-test", "-hidden")):
            before = set(names[: names.index(name)])
            needed = wanted[: wanted.index(name)]
            assert {n for n in needed if n != "why" and is_run(cell_of(restored, n))} <= before
    assert restore(SMALL, submitted)[0] == restored


# ---- pictures


def test_an_unchanged_figure_cell_shows_the_picture_handed_in():
    text = base64.b64encode(b"\x89PNG").decode()
    picture = new_output("display_data", data={"image/png": text})
    notebook = solved_small()
    figure = next(cell for cell in notebook.cells if cell.id == "figure")
    figure.outputs = [picture]
    cell_of(notebook, "double").outputs = [picture]
    cell_of(notebook, "four-test").outputs = [picture]
    notebook.cells.append(new_code_cell("1", outputs=[picture]))
    assert handed_in_pictures(SMALL, notebook) == {"figure": text}
    result = grade(SMALL, notebook, kernel)
    assert result.pictures == {"figure": text}
    assert not any(cell.get("outputs") for cell in result.notebook.cells)
    figure["id"] = "another"
    assert handed_in_pictures(SMALL, notebook) == {"another": text}
    figure.outputs = [picture, picture]
    assert handed_in_pictures(SMALL, notebook) == {}
    figure.update(outputs=[picture], source=figure.source + "\nfigure = 1")
    assert handed_in_pictures(SMALL, notebook) == {}
    figure.update(source="figure = [double(x) for x in range(3)]  \n")
    assert handed_in_pictures(SMALL, notebook) == {"another": text}


def test_a_figure_cell_without_a_picture_has_none():
    notebook = solved_small()
    assert handed_in_pictures(SMALL, notebook) == {}
    next(cell for cell in notebook.cells if cell.id == "figure").outputs = [
        NotebookNode(output_type="stream", name="stdout", text="printed")
    ]
    assert handed_in_pictures(SMALL, notebook) == {}
