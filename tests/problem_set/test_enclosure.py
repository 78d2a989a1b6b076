"""A test cell leaves no name behind and depends on none but the answer's: as written, in a kernel, in the examiner."""

import ast
import builtins
import pickle
import sys

import nbformat
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbgrader.preprocessors import ClearHiddenTests

from autograder.common.cell_names import foreign_names, scopes
from autograder.common.errors import AutograderError
from autograder.engine.examiner.locked_cells import definitions
from autograder.engine.score import grade
from autograder.problem_set.enclosure import EnclosureError, enclosed_module, enclosed_test
from autograder.problem_set.source import (
    ProblemSet,
    answered,
    find_problem_sets,
    grade_id,
    is_solution,
    is_support,
    is_test,
)
from autograder.problem_set.versions import instructor_version, student_version, without_hidden_tests
from tests.support.known_sets import SETS

# ---- how a cell is enclosed


def run(source: str, **names) -> dict:
    exec(compile(source, "<cell>", "exec"), names)
    names.pop("__builtins__", None)
    return names


def test_a_test_cell_becomes_the_body_of_a_function_that_runs_and_is_deleted():
    text = "# Test of f (1 point)\n# and more\n\nimport math\n\nassert f(math.pi) == max(1, 2)\n"
    assert enclosed_test(text, {}) == (
        "# Test of f (1 point)\n"
        "# and more\n"
        "\n"
        "@lambda test: test()\n"
        "def test_of_this_cell():\n"
        "    from builtins import max\n"
        "\n"
        "    import math\n"
        "\n"
        "    assert f(math.pi) == max(1, 2)\n"
        "del test_of_this_cell"
    )
    assert run(enclosed_test(text, {}), f=lambda x: 2).keys() == {"f"}
    with pytest.raises(AssertionError):
        run(enclosed_test(text, {}), f=lambda x: 3)


def test_a_failing_test_leaves_no_name_and_keeps_the_students_own():
    text = enclosed_test("check = 1\nassert f() == check", {})
    for names in ({"f": lambda: 2}, {"f": lambda: 2, "check": "mine"}):
        kept = dict(names)
        with pytest.raises(AssertionError):
            exec(text, names)
        names.pop("__builtins__")
        assert names == kept


def test_the_last_value_of_a_test_cell_gives_no_partial_credit():
    assert not isinstance(ast.parse(enclosed_test("f()\n0.5", {})).body[-1], ast.Expr)


def test_lines_inside_a_string_are_not_indented():
    text = 'a = """one\n  two\n"""\nb = f"""{1}\n{2} three\n"""\nc = (\n    "four"\n    "five"\n)\nd = "six\\\nseven"\nseen(a, b, c, d)'
    expected, received = [], []
    run(text, seen=lambda *values: expected.append(values))
    run(enclosed_test(text, {}), seen=lambda *values: received.append(values))
    assert received == expected


def test_a_hidden_cell_keeps_its_marks_and_students_receive_its_comment():
    text = "# Hidden test of f (1 point)\n### BEGIN HIDDEN TESTS\nassert f() == 1\n### END HIDDEN TESTS"
    enclosed = enclosed_test(text, {})
    assert enclosed.splitlines()[:2] == text.splitlines()[:2]
    assert enclosed.splitlines()[-1] == text.splitlines()[-1]
    metadata = {"nbgrader": {"grade": True, "grade_id": "f-hidden", "solution": False, "locked": True, "points": 1}}
    metadata["nbgrader"] |= {"schema_version": 3, "cell_type": "code", "task": False}
    cell = nbformat.v4.new_code_cell(enclosed, metadata=metadata)
    notebook, _ = ClearHiddenTests().preprocess(nbformat.v4.new_notebook(cells=[cell]), {})
    assert notebook.cells[0].source == "# Hidden test of f (1 point)"
    assert foreign_names(enclosed) == {"f"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("# Test\nfrom math import *\nassert f(pi)", 2, "import each name that is used"),
        ("count = 0\ndef g():\n    global count\n    count += 1\ng()", 3, "write `nonlocal count`"),
        ("f = 2 * f\nassert f", 1, "'f' is read before the cell assigns it"),
        ("assert f(1)\nfor f in [1]:\n    pass", 1, "'f' is read before"),
        ("f += 1", 1, "'f' is read before"),
        ("a = [f for g in [1]]\nf = 1", 1, "'f' is read before"),
        ("exec('x = 1')\nassert f(x)", 1, "exec() would not see the cell's names"),
        ("assert 'f' in globals()", 1, "globals() would not see"),
        ("assert f(1)\nreturn", 2, "not plain Python"),
        ("assert f(1)\nyield 3", 2, "not plain Python"),
        ("import math\n### BEGIN HIDDEN TESTS\nassert f(1)\n### END HIDDEN TESTS", 1, "hidden tests need a cell"),
    ],
)
def test_a_line_that_would_mean_something_different_in_a_function_is_refused(text, line, says):
    with pytest.raises(EnclosureError) as caught:
        enclosed_test(text, {})
    assert caught.value.line == line
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\nx = x + 1",
        "for x in [1]:\n    y = x",
        "with open(f) as g:\n    h = g",
        "def g(x=f):\n    return later\nlater = 1",
        "a = [b for b in f if b]\nb = 1",
        "try:\n    a = f()\nexcept ValueError as error:\n    a = error",
        "if (m := f()) > 1:\n    n = m",
        "nodes = {}\nexec('a = 1', {}, nodes)",
        "import os.path\nos.path.join('a')",
        "match f():\n    case [a, *b]:\n        c = a, b",
        "count = 0\ndef g():\n    nonlocal_free = count\n    return nonlocal_free\ng()",
    ],
)
def test_what_means_the_same_in_a_function_is_accepted(text):
    compile(enclosed_test(text, {}), "<cell>", "exec")


def test_a_refused_line_is_reported_with_its_file_and_cell(course, tmp_path):
    folder = tmp_path / "ps0-warmup"
    folder.mkdir()
    text = (course / "solutions" / "ps0-warmup" / "ps0-warmup.md").read_text(encoding="utf-8")
    bad = text.replace("# Visible tests of nats_to_bits.\nimport math", "# Visible tests.\nfrom math import *")
    (folder / "ps0-warmup.md").write_text(bad, encoding="utf-8")
    with pytest.raises(AutograderError, match=r"ps0-warmup.md, cell 'nats_to_bits-values', line 2: import each name"):
        ProblemSet(folder)


# ---- modules


DEFINITIONS = '"""What tests share."""\n\nFACTOR = 2\n\n\ndef double(x):\n    """Twice.\n\n    More.\n    """\n    return max([FACTOR * x])\n'


def test_shared_definitions_become_a_module_and_leave_no_names():
    text = enclosed_module(DEFINITIONS, "shared_of_this_notebook", [], {})
    assert run(text, max=None, FACTOR="mine", double=None) == {"max": None, "FACTOR": "mine", "double": None}
    test = enclosed_test("assert double(f()) == 4", {"double": "shared_of_this_notebook"})
    assert "    from shared_of_this_notebook import double  # not found? Run the notebook from its top\n" in test
    assert run(test, f=lambda: 2, double=None).keys() == {"f", "double"}
    with pytest.raises(AssertionError):
        run(test, f=lambda: 3)


def test_shared_definitions_may_use_what_imports_from_c_code():
    """NumPy imports a module when it writes a dtype, and finds builtins in the globals of the calling function."""
    source = "def f(value):\n    return __import__('numpy').asarray(value).dtype.newbyteorder('S')"
    names = run(enclosed_module(source, "given_in_test", ["f"], {}))
    assert names["f"].__globals__["__builtins__"] is not None
    assert str(names["f"](1.0)) == ">f8"


def test_students_are_given_the_names_that_they_use_too():
    names = run(enclosed_module(DEFINITIONS, "shared_of_this_notebook", ["double"], {}), FACTOR=None)
    assert names.keys() == {"FACTOR", "double"}
    assert names["double"](2) == 4
    with pytest.raises(EnclosureError, match="'triple' is given to students"):
        enclosed_module(DEFINITIONS, "shared_of_this_notebook", ["triple"], {})


def test_the_examiner_can_import_a_module_that_leaves_no_name():
    for factor in ("2", "3"):
        text = enclosed_module(DEFINITIONS.replace("= 2", f"= {factor}"), "shared_of_this_notebook", [], {})
        assert definitions(text, "shared") == {}
        assert int(factor) == sys.modules.pop("shared_of_this_notebook").FACTOR


# ---- the sets

#: Names that students choose for helpers, and names that tests use or used.
HELPERS = """
    A B Check Complex G HINT P Q S T Undecided W X Y Z abs_error answer args b bits call case chain check checks
    check_expression check_failing_input check_points cmath columns cost count data definition error expected f f_x g h
    hidden idea io itertools k label left_shape logits loss math mean n names new_b new_w nodes np numbers one p points
    product q random receive received result rng rows s shape signal site slope sp steps sympy t table test tests time
    total truth u v values w warnings where x y y_hat z
""".split()  # noqa: SIM905
BUILTINS = (
    "abs all any bool dict enumerate float int len list max min print range round set sorted str sum tuple type zip"
)


def hostile_cell(problem_set: ProblemSet) -> nbformat.NotebookNode:
    """Return a cell that redefines all these names, except those that answers or the text's own cells use."""
    taken: set[str] = set()
    for cell in problem_set.notebook.cells:
        if cell.cell_type == "code" and not is_test(cell):
            text = problem_set.reference_answers[grade_id(cell)] if is_solution(cell) else cell.source
            bound, _, used = scopes(text)
            taken |= bound | used
    free = [name for name in [*HELPERS, *BUILTINS.split()] if name not in taken]
    assert {"check", "Check", "bits", "expected"} <= set(free)
    lines = [f"{name} = {['None', '3', repr('mine'), 'lambda *a, **k: None'][i % 4]}" for i, name in enumerate(free)]
    return nbformat.v4.new_code_cell("\n".join(lines))


def before_each_item(problem_set: ProblemSet, notebook: nbformat.NotebookNode, cell: nbformat.NotebookNode):
    """Return a notebook with a cell inserted before the first test of each item."""
    firsts = {next(iter(item.tests)) for item in problem_set.items.values() if not item.by_hand}
    cells = [[nbformat.from_dict(cell), other] if grade_id(other) in firsts else [other] for other in notebook.cells]
    changed = nbformat.from_dict(notebook)
    changed.cells = sum(cells, [])
    for number, other in enumerate(changed.cells):
        other["id"] = f"cell-{number}"
    return changed


class Shell:
    """Plain IPython, without a kernel."""

    def __init__(self):
        import matplotlib

        matplotlib.use("agg")
        self.shell = InteractiveShell._instance = InteractiveShell()  # the one that get_ipython finds
        # Nobody reads the tracebacks, which take far longer to write than the cells to run.
        self.shell.showtraceback = lambda *args, **kwargs: None

    def names(self) -> dict:
        """Return each name that the notebook defines, with its value, type and contents."""
        return {
            name: (value, type(value), contents(value))
            for name, value in self.shell.user_ns.items()
            if name not in self.hidden and not name.startswith(("_i", "_o", "_d")) and name not in ("_", "__", "___")
        }

    @property
    def hidden(self):
        # In the last one, Python records which warnings it has shown.
        return {"In", "Out", "get_ipython", "exit", "quit", "open", "__warningregistry__"}

    def run(self, source: str):
        """Run a cell; return what it raised, or None."""
        result = self.shell.run_cell(source, store_history=False, silent=True)
        return result.error_before_exec or result.error_in_exec


def contents(value):
    """Return the contents of plain data, so that a change in place shows; a figure changes by itself."""
    if not isinstance(value, np.ndarray | list | tuple | dict | set):
        return None
    try:
        text = pickle.dumps(value)
        return None if b"matplotlib" in text else text
    except Exception:
        return None


@pytest.fixture(scope="module")
def quiet():
    """Remove the modules that sets register once the tests are done."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.endswith("_of_this_notebook"):
            del sys.modules[name]


def same(before: dict, after: dict) -> list[str]:
    """Return the names that differ in value, type or contents."""
    return sorted(
        name
        for name in before.keys() | after.keys()
        if name not in before
        or name not in after
        or before[name][0] is not after[name][0]
        or before[name][2] != after[name][2]
    )


@pytest.mark.parametrize("name", SETS)
@pytest.mark.sampled(3)
def test_the_namespace_is_the_same_with_and_without_the_test_cells(course, quiet, capsys, monkeypatch, name):
    monkeypatch.setattr("matplotlib.pyplot.show", lambda *args, **kwargs: None)
    (problem_set,) = find_problem_sets(course, [name])
    notebook = answered(instructor_version(problem_set), problem_set.reference_answers)
    shell, tested = Shell(), 0
    given = set(problem_set.modules)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        before = shell.names()
        error = shell.run(cell.source)
        assert error is None, f"{grade_id(cell)} or a cell of the text: {error!r}"
        changed = same(before, shell.names())
        if is_test(cell):
            tested += 1
            assert changed == [], f"{grade_id(cell)} leaves {changed}"
        elif is_support(cell) and grade_id(cell) in problem_set.authored:
            allowed = set() if grade_id(cell) == "checks" else given
            assert set(changed) <= allowed, f"{grade_id(cell)} leaves {changed}"
    assert tested == len(problem_set.tests)


@pytest.mark.parametrize("name", SETS)
def test_failing_tests_leave_no_name_either(course, quiet, capsys, name):
    (problem_set,) = find_problem_sets(course, [name])
    shell, failed = Shell(), 0
    for cell in student_version(problem_set).cells:
        if is_test(cell):
            before = shell.names()
            failed += shell.run(cell.source) is not None
            assert same(before, shell.names()) == []
        elif cell.cell_type == "code" and (is_solution(cell) or is_support(cell)):
            shell.run(cell.source)
    assert failed


@pytest.mark.parametrize("name", SETS)
@pytest.mark.sampled(3)
def test_any_names_that_students_choose_cost_no_points_in_ipython(course, quiet, capsys, monkeypatch, name):
    monkeypatch.setattr("matplotlib.pyplot.show", lambda *args, **kwargs: None)
    (problem_set,) = find_problem_sets(course, [name])
    notebook = answered(instructor_version(problem_set), problem_set.reference_answers)
    shell = Shell()
    for cell in before_each_item(problem_set, notebook, hostile_cell(problem_set)).cells:
        if cell.cell_type == "code":
            error = shell.run(cell.source)
            assert error is None, f"{grade_id(cell)}: {error!r}"


@pytest.mark.parametrize("name", SETS)
@pytest.mark.sampled(3)
def test_any_names_that_students_choose_cost_no_points_when_graded(course, executor, name):
    (problem_set,) = find_problem_sets(course, [name])
    source = instructor_version(problem_set)
    solved = answered(without_hidden_tests(source), problem_set.reference_answers)
    graded = grade(source, before_each_item(problem_set, solved, hostile_cell(problem_set)), executor)
    assert graded.lost(problem_set.tests) == set()


def test_any_names_that_students_choose_cost_no_points_in_a_kernel(course):
    (problem_set,) = find_problem_sets(course, ["ps0-warmup"])
    notebook = answered(instructor_version(problem_set), problem_set.reference_answers)
    notebook = before_each_item(problem_set, notebook, hostile_cell(problem_set))
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()


def test_an_answer_cannot_rely_on_what_a_test_imported(course, executor):
    (problem_set,) = find_problem_sets(course, ["ps0-warmup"])
    source = instructor_version(problem_set)
    lean = "def nats_to_bits(x):\n    return x / math.log(2)\n"
    # Nothing above it imports math, so it fails in a kernel just as it does when graded.
    shell = Shell()
    notebook = answered(instructor_version(problem_set), {"nats_to_bits": lean})
    errors = [shell.run(cell.source) for cell in [*notebook.cells, *notebook.cells] if is_test(cell)]
    assert all(isinstance(error, NameError | AssertionError) for error in errors)
    graded = grade(source, answered(without_hidden_tests(source), {"nats_to_bits": lean}), executor)
    assert graded.lost(problem_set.tests) == {"nats_to_bits-hidden"}


def test_a_student_may_use_the_checks_in_a_cell_of_her_own(course, executor):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    source = instructor_version(problem_set)
    notebook = answered(without_hidden_tests(source), problem_set.reference_answers)
    own = "from checks_of_this_notebook import Check\nCheck(entropy, 'entropy', 'x', 'y').gives(1.0, [0.5, 0.5])\nprint('mine')"
    notebook.cells.append(nbformat.v4.new_code_cell(own))
    graded = grade(source, notebook, executor)
    assert [output.text for output in graded.notebook.cells[-1].outputs] == ["mine\n"]


def test_tests_do_not_use_the_wall_clock(course):
    clocks = {"perf_counter", "monotonic", "time_ns", "perf_counter_ns", "datetime", "sleep", "timeit"}
    for problem_set in find_problem_sets(course):
        for cell in problem_set.notebook.cells:
            if is_test(cell) or (is_support(cell) and grade_id(cell) in problem_set.authored):
                tree = ast.parse(cell.source)
                words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
                words |= {
                    alias.name
                    for node in ast.walk(tree)
                    if isinstance(node, ast.ImportFrom | ast.Import)
                    for alias in node.names
                }
                assert not words & clocks, f"{problem_set.name}, {grade_id(cell)}"


def test_all_builtins_of_the_sets_are_imported(course):
    for problem_set in find_problem_sets(course):
        for cell in problem_set.notebook.cells:
            if is_test(cell):
                _, _, used = scopes(cell.source)
                assert not {name for name in used if hasattr(builtins, name)}, grade_id(cell)
