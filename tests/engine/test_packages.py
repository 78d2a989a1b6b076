"""Which packages an answer can import: those that its set names, whatever else this machine has."""

import importlib.util
import sys
from importlib.machinery import PathFinder

import nbformat
import pytest

from autograder.engine.score import grade
from autograder.engine.student import packages
from autograder.problem_set.source import answered, grade_id
from autograder.problem_set.versions import student_version

ANSWER = "import math\n\ndef nats_to_bits(x):\n    return x / math.log(2)"


def graded_with(imports, warmup, source, executor):
    submission = answered(student_version(warmup), {"nats_to_bits": f"{imports}\n{ANSWER}"})
    return grade(source, submission, executor)


@pytest.mark.parametrize(
    "imports",
    [
        "import numpy, sympy, mpmath",
        "import matplotlib.pyplot, mpl_toolkits, PIL, pylab",
        "import IPython, csv, sqlite3",
    ],
)
def test_what_a_set_names_and_what_that_requires_is_there(warmup, source, executor, imports):
    assert graded_with(imports, warmup, source, executor).score == warmup.max_score


@pytest.mark.parametrize("imports", ["import scipy", "from sklearn import metrics", "import autograd.numpy as np"])
def test_what_a_set_does_not_name_is_missing_though_it_is_installed(warmup, source, executor, imports):
    package = imports.split()[1].partition(".")[0]
    assert importlib.util.find_spec(package) is not None
    graded = graded_with(imports, warmup, source, executor)
    assert graded.score == 0
    [cell] = [cell for cell in graded.notebook.cells if grade_id(cell) == "nats_to_bits"]
    [error] = [output for output in cell.outputs if output.output_type == "error"]
    assert (error.ename, error.evalue) == ("ModuleNotFoundError", f"No module named '{package}'")


def test_it_is_missing_as_a_package_is_that_is_not_installed(warmup, source, executor):
    tried = "try:\n    import scipy\nexcept ImportError:\n    scipy = None\nimport importlib.util\n"
    tried += "assert scipy is None and importlib.util.find_spec('scipy') is None"
    assert graded_with(tried, warmup, source, executor).score == warmup.max_score


def test_a_set_that_names_no_packages_has_all_that_are_installed(warmup, source, executor):
    free = nbformat.from_dict(source)
    del free.metadata["autograder"]["packages"]
    assert graded_with("import scipy", warmup, free, executor).score == warmup.max_score


def test_what_a_submission_says_of_itself_changes_nothing(warmup, source, executor):
    submission = answered(student_version(warmup), {"nats_to_bits": f"import scipy\n{ANSWER}"})
    submission.metadata["autograder"] = {"packages": ["scipy"]}
    assert grade(source, submission, executor).score == 0


def test_the_modules_of_packages_are_found_through_what_they_require():
    modules = packages.modules_of(("matplotlib", "numpy", "sympy", "not-installed"))
    assert modules >= {"numpy", "sympy", "mpmath", "matplotlib", "dateutil", "PIL", "IPython", "traitlets", "zmq"}
    assert not modules & {"scipy", "pandas", "nbgrader", "pytest"}


def test_a_module_beside_the_notebook_is_there(tmp_path, monkeypatch):
    (tmp_path / "beside.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(packages._Finder, "offered", frozenset({"numpy"}))
    assert packages._Finder.find_spec("beside") is not None
    assert packages._Finder.find_spec("json") is not None
    assert packages._Finder.find_spec("numpy") is not None
    assert packages._Finder.find_spec("scipy") is None
    assert PathFinder in sys.meta_path, "this process stays as it was"
