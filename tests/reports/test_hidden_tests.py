"""What a failed hidden test tells its student is fixed when the set is released, whatever the submission does."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from nbconvert.exporters.exporter import ResourcesDict

from autograder.authoring.proof.prove import Proof, prove
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.problem_set.known_behaviour import (
    HIDDEN_TESTS,
    behaviour_path,
    known_behaviour,
    known_messages,
    record_behaviour,
)
from autograder.problem_set.source import ProblemSet, grade_id
from autograder.reports.feedback import ConcealHiddenTests, write_feedback
from autograder.reports.hidden_tests import FAILED
from tests.support.copied_sets import copy_set
from tests.support.scripted import Scripted, hand_in, script

SET, HIDDEN = "ps0-warmup", "nats_to_bits-hidden"
ADA = Submission("ada", SET)
FIXED = "nats_to_bits: a hidden test failed. See the chapter Information content."


@pytest.fixture
def released(course, tmp_path):
    """A copy of the warm-up, released with one fixed text."""
    copy_set(course, SET, tmp_path / "solutions" / SET)
    problem_set = ProblemSet(tmp_path / "solutions" / SET)
    behaviour_path(problem_set).unlink()
    record_behaviour(problem_set, [], {HIDDEN: [FIXED]})
    return problem_set


def test_the_proof_collects_the_hidden_tests_own_messages(course, tmp_path, warmup):
    class Talking(Scripted):
        """Every bank entry fails the hidden test in one of these ways."""

        errors = [("AssertionError", FIXED), ("AssertionError (raised by the submission)", "mine"), ("KeyError", "1")]

        def __call__(self, notebook, reference=None, undrawn=()):
            executed = super().__call__(notebook, reference, undrawn)
            answer = next(cell for cell in executed.notebook.cells if grade_id(cell) == "nats_to_bits")
            if answer.source.strip() != warmup.reference_answers["nats_to_bits"].strip():
                for cell in executed.notebook.cells:
                    if grade_id(cell) in warmup.tests:
                        name, text = self.errors[self.runs % 3]
                        cell.outputs = [nbformat.v4.new_output("error", ename=name, evalue=text)]
            return executed

    proof = prove(warmup, Talking(), 1)
    assert proof.messages == {HIDDEN: {FIXED}}
    assert Proof(["a fault"]).messages == {}


def test_what_was_fixed_is_kept_beside_the_bank_until_the_set_changes(released):
    assert known_messages(released) == {HIDDEN: [FIXED]}
    before = behaviour_path(released).read_bytes()
    # A file written by an older version has no messages: it still identifies misconceptions, and the next release adds
    # them.
    kept = json.loads(before)
    del kept["messages"]
    kept["misconceptions"] = {"nats_to_bits": {}}
    behaviour_path(released).write_text(json.dumps(kept))
    assert known_messages(released) == {}
    assert known_behaviour(released) == {"nats_to_bits": {}}
    record_behaviour(released, [], {HIDDEN: [FIXED]})
    assert known_messages(released) == {HIDDEN: [FIXED]}
    released.notebook.cells[-1].metadata.nbgrader = {"grade_id": "new"}
    assert known_messages(released) == {}


def error_of(cell):
    return [(output.ename, output.evalue, output.traceback) for output in cell.outputs]


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        (FIXED, FIXED),
        (f"{FIXED} 424242", FAILED),
        ("424242", FAILED),
        (f"AssertionError|{FIXED}", FIXED),
        (f"Leak424242|{FIXED}", FAILED),
        (f"AssertionError (raised by the submission)|{FIXED}", FAILED),
        ("KeyError|424242", FAILED),
        ("TimeoutError|this test did not finish", FAILED),
    ],
)
@pytest.mark.sampled(4)
def test_a_page_shows_the_fixed_text_or_always_the_same_sentence(released, tmp_path, raised, shown):
    root = tmp_path / "class"
    hand_in(root, released, "ada", script(fails=raised))
    directory = ClassDirectory(root)
    grade_class(directory, [released], Scripted(), 1)
    write_feedback(directory, [released])
    page = directory.feedback_page(ADA).read_text(encoding="utf-8")
    hidden = page.split("<h3 id=")[1].split('<div class="test')[-1]
    assert shown in hidden
    assert "424242" not in hidden
    assert "Leak" not in hidden

    # nbgrader's own button knows only the class.
    notebook = nbformat.read(directory.graded_notebook(ADA), as_version=4)
    resources = ResourcesDict(metadata={"path": str(directory.graded_folder(ADA))})
    concealed, _ = ConcealHiddenTests().preprocess(notebook, resources)
    (cell,) = [cell for cell in concealed.cells if grade_id(cell) == HIDDEN]
    assert error_of(cell) == [("AssertionError", shown, [f"AssertionError: {shown}"])]
    assert "424242" not in json.dumps(cell)
    assert not HIDDEN_TESTS.search(cell.source)

    write_feedback(directory, [released], reveal=True)
    page = directory.revealed_page(ADA).read_text(encoding="utf-8")
    assert raised.rpartition("|")[2] in page
    assert ("In the submission&#39;s own words:" in page or "In the submission's own words:" in page) == (
        shown == FAILED
    )


@pytest.mark.parametrize("kept", [None, "", "[]", '{"nats_to_bits-hidden": 3}', "{"])
@pytest.mark.sampled(2)
def test_without_what_was_fixed_the_sentence_is_always_the_same(released, tmp_path, kept):
    root = tmp_path / "class"
    hand_in(root, released, "ada", script(fails=FIXED))
    directory = ClassDirectory(root)
    grade_class(directory, [released], Scripted(), 1)
    path = directory.fixed_messages(SET)
    if kept is None:
        path.unlink()
    else:
        path.write_text(kept)
    write_feedback(directory, [released])
    page = directory.feedback_page(ADA).read_text(encoding="utf-8")
    assert FAILED in page.split('<div class="test')[-1]
    for resources in (ResourcesDict(), ResourcesDict(metadata={"path": "."}), ResourcesDict(metadata={"path": ""})):
        notebook = nbformat.read(directory.graded_notebook(ADA), as_version=4)
        concealed, _ = ConcealHiddenTests().preprocess(notebook, resources)
        assert FAILED in json.dumps([cell for cell in concealed.cells if grade_id(cell) == HIDDEN])


def test_nbgraders_own_feedback_shows_what_was_fixed(released, tmp_path):
    root = tmp_path / "class"
    for student, raised in (("ada", FIXED), ("eve", f"Leak|{FIXED} 424242")):
        hand_in(root, released, student, script(fails=raised))
    directory = ClassDirectory(root)
    grade_class(directory, [released], Scripted(), 1)
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "generate_feedback", SET],
        cwd=root,
        env={**os.environ, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = {s: (root / "feedback" / s / SET / f"{SET}.html").read_text(encoding="utf-8") for s in ("ada", "eve")}
    assert FIXED in pages["ada"]
    assert FAILED in pages["eve"]
    # The visible test says what it received; it failed in the same way.
    assert pages["eve"].count("424242") == 1
    assert "BEGIN HIDDEN" not in pages["ada"] + pages["eve"]
