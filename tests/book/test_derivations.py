"""The checked derivations: no result without a check, no check without a result, no check that cannot fail."""

import functools
import re
import textwrap
from pathlib import Path

import pytest

from book.extensions.ledger.book_autodiff import BookAutodiff, CannotDifferentiate, autodiff_in
from book.extensions.ledger.check_cells import KINDS, Check, CheckError, check_of, checks_in, collect
from book.extensions.ledger.derivations import BOOK, Result, run_alone, verify, verify_all
from tests.support import ROOT, TEST_ALL
from tests.support.book_pages import html_of, pages, text_of
from tests.support.perturbation import undetected_errors

SLOPE = """
import sympy as sp

p = sp.symbols("p", positive=True)
H = -(p * sp.log(p) + (1 - p) * sp.log(1 - p))
slope = sp.log((1 - p) / p)
assert sp.simplify(sp.expand_log(sp.diff(H, p) - slope, force=True)) == 0
"""
SOFTMAX = """
import sympy as sp

z = sp.symbols("z1:3", real=True)
p = [sp.exp(zi) / sum(sp.exp(zj) for zj in z) for zi in z]
J = sp.Matrix([[p[0] * (1 - p[0]), -p[0] * p[1]], [-p[0] * p[1], p[1] * (1 - p[1])]])
assert sp.simplify(sp.Matrix(p).jacobian(z) - J) == sp.zeros(2, 2)
"""
ABOUT_SLOPE = {
    "result": "eq-slope",
    "kind": "derivative",
    "function": "H",
    "variables": ["p"],
    "claim": "slope",
    "domain": {"p": [0.01, 0.99]},
}
ABOUT_SOFTMAX = {
    "result": "eq-softmax",
    "kind": "jacobian",
    "function": "p",
    "variables": ["z"],
    "claim": "J",
    "domain": {"z": [-3, 3]},
    "proved": "for k = 2",
}

# What a displayed equation must not contain unless it has a label or is in a proof.
DERIVATIVE_SIGN = re.compile(
    r"\\[dt]?frac\s*\{\s*(?:\\mathrm\s*\{?\s*)?d\b.*?\}\s*\{\s*(?:\\mathrm\s*\{?\s*)?d|\\partial|\\nabla"
)


def check(source: str = SLOPE, **changed: object) -> Check:
    """A check of the page `page`; a key changed to None is left out."""
    about = {key: value for key, value in {**ABOUT_SLOPE, **changed}.items() if value is not None}
    return check_of("page", 1, source, about)


@functools.cache
def book_checks() -> list[Check]:
    return collect({page: ROOT / f"{page}.md" for page in pages()})


@functools.cache
def book_autodiff() -> BookAutodiff | None:
    return autodiff_in({page: ROOT / f"{page}.md" for page in pages()})


@functools.cache
def verified(check: Check) -> Result:
    return verify(check, book_autodiff())


def labels_in(page: str) -> list[str]:
    """The labels `eq-…` of the equations of a page."""
    text = text_of(page)
    dollars = re.findall(r"^\$\$\s*\((eq-[\w-]+)\)", text, re.MULTILINE)
    directives = re.findall(r"^\s*(?:`{3,}|:{3,})\{math\}[^\n]*\n\s*:label:\s*(eq-[\w-]+)", text, re.MULTILINE)
    return dollars + directives


# The book


def test_every_labelled_result_has_a_check_on_its_page():
    checked = {(check.page, check.result) for check in book_checks()}
    missing = [(page, label) for page in pages() for label in labels_in(page) if (page, label) not in checked]
    assert not missing, f"these equations have no check cell on their page; add one beside each: {missing}"


def test_every_check_has_its_result_on_its_page():
    labels = {(page, label) for page in pages() for label in labels_in(page)}
    stray = [(check.where) for check in book_checks() if (check.page, check.result) not in labels]
    assert not stray, f"no equation on the page has the label that these checks name: {stray}"


def test_there_are_results():
    assert len(book_checks()) >= 120, "the labels or the check cells of the chapters are no longer found"


def test_the_book_checks_its_results_with_its_own_engine():
    assert book_autodiff() is not None, "no page builds the engine in cells named `engine-…`, or it lacks an operation"
    checked = sum(BOOK in {verdict.method for verdict in verified(check).verdicts} for check in book_checks())
    assert checked >= 60, f"the engine evaluates {checked} results only"


@pytest.mark.parametrize("page", pages())
def test_an_equation_with_a_derivative_is_a_checked_result_or_part_of_a_proof(site, page):
    html = html_of(site, page)
    loose = []
    for shown in html.select("article .katex-display"):
        latex = shown.select_one("annotation").get_text()
        block = shown.find_parent("div", class_="math")
        is_result = block is not None and (block.get("id") or "").startswith("equation-eq-")
        in_proof = any(
            parent["class"][:1] == ["proof"] and set(parent["class"]) <= {"proof", "admonition", "dropdown"}
            for parent in shown.find_parents("div", class_="proof")
        )
        exempt = shown.find_parent(class_=["cell_output", "ledger-equation"])  # SymPy's own words, and copies
        if DERIVATIVE_SIGN.search(latex) and not (is_result or in_proof or exempt):
            loose.append(latex.strip())
    assert not loose, (
        f"{page}: these equations state a derivative; label each `eq-…` and check it, or put it into a prf:proof: {loose}"
    )


@pytest.mark.parametrize("check", book_checks(), ids=lambda check: check.result)
def test_a_result_is_true(check):
    assert verified(check).failures == []


#: The number of entries of a claim in which an error is planted; `make test-all` plants one in each.
PLANTED = None if TEST_ALL else 2


@pytest.mark.parametrize("check", book_checks(), ids=lambda check: check.result)
@pytest.mark.sampled(30)
def test_a_wrong_result_would_fail_every_check(check):
    assert undetected_errors(check, book_autodiff(), PLANTED) == []


def test_the_ledger_lists_every_result_with_its_checks(site):
    html = html_of(site, "book/reference/derivations")
    rows = {row.select_one("a")["href"].rpartition("#")[2]: row for row in html.select("table.ledger tbody tr")}
    for check in book_checks():
        row = rows.get(f"equation-{check.result}")
        assert row is not None, f"{check.where}: the ledger page does not list it"
        page = row.select_one("a")["href"].partition("#")[0]
        assert (site / "book/reference" / page).resolve() == site / f"{check.page}.html", f"{check.where}: wrong link"
        text = row.get_text(" ")
        assert re.search(r"\(\d+(\.\d+)?\)", text), f"{check.where}: the ledger gives no equation number: {text}"
        assert check.kind in text.lower(), f"{check.where}: the ledger does not say that it is a {check.kind}: {text}"
        assert check.proved in text, f"{check.where}: the ledger does not say for what it is proved: {text}"
        cells = [cell.get_text(" ") for cell in row.find_all("td")]
        measured = cells[2:3] if check.kind == "identity" else cells[2:4]
        assert all("error" in cell or "exact" in cell for cell in measured), f"{check.where}: unmeasured: {cells}"
        by_book = BOOK in {verdict.method for verdict in verified(check).verdicts}
        assert by_book == ("error" in cells[4] or "exact" in cells[4]), f"{check.where}: {cells[4]}"
        assert row.select_one(".katex"), f"{check.where}: the ledger does not show the formula"
    assert len(rows) == len(book_checks()), "the ledger page lists a result that the book does not have"


# The checks themselves


def test_a_true_result_passes_three_checks_and_an_identity_two():
    verdicts = verify(check()).verdicts
    assert [verdict.method for verdict in verdicts] == ["symbolic", "numeric", "automatic"]
    assert all(verdict.passed for verdict in verdicts)
    assert verdicts[1].error < 1e-15
    assert verdicts[2].error < 1e-12
    identity = check(
        SLOPE.replace("sp.diff(H, p) - slope", "H - slope").replace(
            "slope = sp.log((1 - p) / p)", "slope = -p * sp.log(p) - (1 - p) * sp.log(1 - p)"
        ),
        kind="identity",
    )
    assert [verdict.method for verdict in verify(identity).verdicts] == ["symbolic", "numeric"]


@pytest.mark.parametrize(
    ("kind", "function", "variables", "claim", "domain"),
    [
        ("gradient", "x**2 * y", "[x, y]", "[2 * x * y, x**2]", {"x": [-2, 2], "y": [-2, 2]}),
        ("hessian", "x**2 * y", "[x, y]", "sp.Matrix([[2 * y, 2 * x], [2 * x, 0]])", {"x": [-2, 2], "y": [-2, 2]}),
        ("hessian", "x**4", "[x]", "12 * x**2", {"x": [-2, 2]}),
        ("jacobian", "[x + y, x * y, 7]", "[x, y]", "[[1, 1], [y, x], [0, 0]]", {"x": [-2, 2], "y": [-2, 2]}),
        ("derivative", "sp.Max(x, 0) + y", "[x]", "sp.Piecewise((1, x > 0), (0, True))", {"x": [-2, 2], "y": [0, 1]}),
        ("derivative", "y", "[x]", "sp.Integer(0)", {"x": [-2, 2], "y": [0, 1]}),
    ],
)
def test_each_kind_is_checked_in_each_way(kind, function, variables, claim, domain):
    source = f"import sympy as sp\nx, y = sp.symbols('x y', real=True)\nf = {function}\nclaim = {claim}\nassert claim is not None"
    made = check(
        source, kind=kind, function="f", variables=variables.strip("[]").split(", "), claim="claim", domain=domain
    )
    assert verify(made).failures == []
    wrong = check(
        source.replace(
            f"claim = {claim}", f"claim = {claim.replace('2', '3').replace('1,', '2,').replace('(0)', '(1)')}"
        ),
        kind=kind,
        function="f",
        variables=variables.strip("[]").split(", "),
        claim="claim",
        domain=domain,
    )
    symbolic, *others = verify(wrong).verdicts
    assert symbolic.passed  # this cell's assertion is blind on purpose
    assert [verdict.passed for verdict in others] == [False, False]


def test_the_message_of_a_false_result_names_page_label_point_and_values():
    source = SLOPE.replace("(1 - p) / p)", "(1 - p) / p) + p").rpartition("assert")[0] + "assert slope is not None"
    numeric, automatic = verify(check(source)).failures
    for failure in (numeric, automatic):
        assert failure.startswith("page, code cell 1, check of eq-slope: the claim `slope` is ")
        assert re.search(r"of `H` is -?\d.* at p = 0\.\d+\.$", failure), failure
    assert "central difference" in numeric
    assert "automatic differentiation" in automatic


def test_a_wrong_entry_of_a_matrix_is_named():
    made = check_of(
        "page",
        1,
        SOFTMAX.replace(
            "J = sp.Matrix([[p[0] * (1 - p[0]), -p[0]", "J = sp.Matrix([[p[0] * (1 - p[0]), p[0]"
        ).rpartition("assert")[0]
        + "assert J",
        ABOUT_SOFTMAX,
    )
    assert "entry (1, 2) of the claim" in verify(made).failures[0]


def test_a_false_assertion_is_reported_and_ends_the_checks():
    [verdict] = verify(check(SLOPE.replace("(1 - p) / p)", "p / (1 - p))"))).verdicts
    assert (verdict.method, verdict.passed) == ("symbolic", False)
    assert "the cell's own assertion fails" in verdict.detail


def test_a_nan_does_not_count_as_agreement():
    source = "import sympy as sp\nx = sp.symbols('x')\nH = sp.log(x)\nslope = 1 / x\nassert slope"
    assert verify(check(source, variables=["x"], domain={"x": [1, 2]})).failures == []
    [failure] = verify(check(source, variables=["x"], domain={"x": [-2, -1]})).failures
    assert "central difference of `H` is nan at x = -1." in failure


def test_the_points_are_the_same_every_time():
    assert verify(check()) == verify(check())


def test_verdicts_are_kept_until_the_cell_changes(tmp_path, monkeypatch):
    cache = tmp_path / "verdicts.json"
    first = verify_all([check()], cache)
    monkeypatch.setattr("book.extensions.ledger.derivations.verify", lambda check, autodiff: Result(check, ()))
    assert verify_all([check()], cache) == first
    assert verify_all([check(SLOPE + "\n# another proof")], cache)[0].verdicts == ()
    cache.write_text('{"half a fi')
    assert verify_all([check()], cache)[0].verdicts == ()


# The book's engine

ENGINE_CELLS = """
import math
import builtins as ignored

class Node:
    def __init__(self, value, parents=(), slopes=()):
        self.value, self.parents, self.slopes = value, parents, slopes

def add(x, y):
    return Node(x.value + y.value, (x, y), (1.0, 1.0))

def multiply(x, y):
    return Node(x.value * y.value, (x, y), (y.value, x.value))

def divide(x, y):
    return Node(x.value / y.value, (x, y), (1 / y.value, -x.value / y.value**2))

def exp(x):
    return Node(math.exp(x.value), (x,), (math.exp(x.value),))

def log(x):
    return Node(math.log(x.value), (x,), (1 / x.value,))

def backward(top, weight=1.0, found=None):
    found = {} if found is None else found
    found[top] = found.get(top, 0.0) + weight
    for parent, slope in zip(top.parents, top.slopes):
        backward(parent, weight * slope, found)
    return found

Node.__add__ = add
top = Node(1.0) + undefined
"""


def engine_page(tmp_path, source: str = ENGINE_CELLS) -> dict[str, Path]:
    head = "---\nkernelspec: {display_name: Python 3, language: python, name: python3}\njupytext: {text_representation: {extension: .md, format_name: myst}}\n---\n"
    path = tmp_path / "page.md"
    path.write_text(f"{head}```{{code-cell}} ipython3\n---\nname: engine-node\n---\n{source}\n```\n")
    return {"picture": Path("picture.png"), "page": path}


def test_the_engine_is_read_from_its_cells_and_only_definitions_are_run(tmp_path):
    autodiff = autodiff_in(engine_page(tmp_path))
    assert {"Node", "backward"} <= set(autodiff.names)
    assert "top" not in autodiff.names
    assert autodiff_in({"page": ROOT / "book/reference/glossary.md"}) is None
    assert autodiff_in(engine_page(tmp_path, ENGINE_CELLS.replace("def divide", "def quotient"))) is None


def test_the_engine_adds_a_check_where_it_can(tmp_path):
    autodiff = autodiff_in(engine_page(tmp_path))
    verdict = verify(check(), autodiff).verdicts[-1]
    assert (verdict.method, verdict.passed) == (BOOK, True)
    assert verdict.error < 1e-12
    wrong = SLOPE.replace("(1 - p) / p)", "(1 - p) / p) + p").rpartition("assert")[0] + "assert slope is not None"
    assert "the book's own derivative of `H` is" in verify(check(wrong), autodiff).failures[-1]
    jacobian = verify(check_of("page", 1, SOFTMAX, ABOUT_SOFTMAX), autodiff)
    assert jacobian.passed
    assert len(jacobian.verdicts) == 4
    source = "import sympy as sp\nx = sp.symbols('x', real=True)\nf = {}\nslope = {}\nassert slope is not None"
    about = {"function": "f", "variables": ["x"], "claim": "slope", "domain": {"x": [0.1, 2]}}
    for function, slope, methods in [
        ("x**3 + x**-2", "3 * x**2 - 2 / x**3", 4),
        ("sp.sqrt(x) + 2**x", "1 / (2 * sp.sqrt(x)) + sp.log(2) * 2**x", 4),
        ("sp.Integer(3)", "sp.Integer(0)", 4),
        ("sp.sin(x)", "sp.cos(x)", 3),
        ("sp.Max(x, 1)", "sp.Piecewise((1, x > 1), (0, True))", 3),
    ]:
        result = verify(check(source.format(function, slope), **about), autodiff)
        assert result.passed, result.failures
        assert len(result.verdicts) == methods, function


def test_what_the_engine_cannot_evaluate_is_left_to_the_others(tmp_path):
    autodiff = autodiff_in(engine_page(tmp_path))
    source = "import sympy as sp\nx = sp.symbols('x', real=True)\nf = {}\nassert f"
    for function in ("sp.exp(1000 * x)", "sp.sqrt(x)", "sp.Abs(x)"):
        made = check(source.format(function) + "\nslope = 2 * f", function="f", variables=["x"], domain={"x": [0, 1]})
        names = run_alone(made)
        with pytest.raises(CannotDifferentiate):
            autodiff.gradient(names["f"], [names["x"]], {names["x"]: 1.0 if "exp" in function else -1.0})


# Checks that cannot fail


@pytest.mark.parametrize("made", [check(), check_of("page", 1, SOFTMAX, ABOUT_SOFTMAX)], ids=["slope", "softmax"])
def test_a_sound_check_notices_every_planted_error(made):
    assert undetected_errors(made) == []


@pytest.mark.parametrize(
    "assertion",
    [
        "assert True",
        "assert slope is not None",
        "assert sp.simplify(sp.expand_log(sp.diff(H, p) - sp.log((1 - p) / p), force=True)) == 0",
        "assert sp.simplify(sp.diff(H, p) - slope) == 0 or True",
        "if sp.simplify(p) == 0:\n    assert slope == sp.diff(H, p)",
    ],
)
def test_a_check_that_cannot_fail_is_found(assertion):
    missed = undetected_errors(check(SLOPE[: SLOPE.index("assert")] + assertion))
    assert any("the cell's own assertion holds" in sentence for sentence in missed)


def test_a_check_of_a_copy_is_found():
    missed = undetected_errors(
        check(
            SLOPE.replace("slope = ", "copy = ")
            .replace("- slope", "- copy")
            .replace("\nassert", "\nslope = copy\nassert")
        )
    )
    assert any("it has to compare `slope` itself" in sentence for sentence in missed)


def test_a_matrix_check_that_looks_at_one_entry_is_found():
    blind = SOFTMAX.replace(
        "assert sp.simplify(sp.Matrix(p).jacobian(z) - J) == sp.zeros(2, 2)",
        "assert sp.simplify(sp.diff(p[0], z[0]) - J[0, 0]) == 0",
    )
    missed = undetected_errors(check_of("page", 1, blind, ABOUT_SOFTMAX))
    assert {sentence.split("with entry ")[1][0] for sentence in missed} == {"2", "3", "4"}


# Check cells that cannot be used


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"result": None}, "has no `result`"),
        ({"result": "slope"}, "starts with `eq-`"),
        ({"kind": None}, "lacks `kind`"),
        ({"kind": "integral"}, "not one of " + ", ".join(KINDS)),
        ({"claims": "slope"}, "unknown key `claims`"),
        ({"function": "H + 1"}, "`function` has to be the name"),
        ({"variables": "p"}, "`variables` has to be a list"),
        ({"variables": []}, "nothing to differentiate with respect to"),
        ({"domain": {}}, "`domain` has to map"),
        ({"domain": {"p": [1, 0]}}, "the domain of `p`"),
        ({"domain": {"p": ["0", 1]}}, "the domain of `p`"),
        ({"proved": 3}, "`proved` has to be text"),
    ],
)
def test_faulty_metadata_is_refused_in_one_sentence(changed, sentence):
    with pytest.raises(CheckError, match=re.escape(sentence)) as refused:
        check(**changed)
    assert str(refused.value).startswith("page, code cell 1")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("%matplotlib inline", "not plain Python"),
        ("import numpy as np\n" + SLOPE, "imports numpy"),
        (SLOPE.rpartition("assert")[0], "asserts nothing"),
        (SLOPE.replace("slope", "other"), "is assigned 0 times"),
        (SLOPE + "slope = 2", "is assigned 2 times"),
        (SLOPE.replace("slope = ", "slope, b = 1, "), "alone, by a statement `slope = …`"),
        (SLOPE.replace("slope = sp.log((1 - p) / p)", "slope = H.diff(p)"), "computed by differentiation"),
        (SLOPE.replace("slope = sp.log((1 - p) / p)", "d = sp.diff(H, p)\nslope = d"), "computed by differentiation"),
        (SLOPE.replace("slope = sp.log((1 - p) / p)", "slope = H"), "is the function itself"),
    ],
)
def test_a_faulty_cell_is_refused_in_one_sentence(source, sentence):
    with pytest.raises(CheckError, match=re.escape(sentence)):
        check(source)


@pytest.mark.parametrize(
    ("source", "changed", "sentence"),
    [
        (SLOPE.replace("import sympy as sp\n", ""), {}, "name 'sp' is not defined"),
        (SLOPE.replace("H = ", "H = 1 / 0 + "), {}, "the cell ends with ZeroDivisionError"),
        (SLOPE, {"function": "G"}, "names `G`, which the cell does not define"),
        (SLOPE, {"variables": ["H"]}, "neither a symbol nor a tuple of symbols"),
        (SLOPE, {"domain": {"p": [0, 1], "q": [0, 1]}}, "names `q`, which neither function nor claim contains"),
        (SLOPE.replace("H = ", "H = 0 * sp.Symbol('a') + sp.Symbol('b') + "), {}, "no interval for `b`"),
        (SLOPE, {"kind": "hessian", "claim": "slope", "variables": ["pair"]}, "names `pair`"),
        (SOFTMAX + "slope = J", {"function": "p", "variables": ["z"], "domain": {"z": [0, 1]}}, "has one variable"),
        (
            SOFTMAX + "slope = J[0, 0]",
            {"kind": "jacobian", "function": "p", "variables": ["z"], "domain": {"z": [0, 1]}},
            "has shape (2, 2), but the claim has shape (1, 1)",
        ),
        (
            SOFTMAX + "slope = [1, 2]",
            {"kind": "gradient", "function": "p", "variables": ["z"], "domain": {"z": [0, 1]}},
            "the function of a gradient is one expression",
        ),
    ],
)
def test_a_check_that_cannot_be_made_is_refused_in_one_sentence(source, changed, sentence):
    with pytest.raises(CheckError, match=re.escape(sentence)):
        verify(check(source, **changed))


def test_two_checks_of_one_result_are_refused(tmp_path):
    cell = "```{code-cell} ipython3\n---\ncheck: {result: eq-a, kind: identity, function: f, variables: [], claim: g, domain: {p: [0, 1]}}\n---\nimport sympy\nf = sympy.Symbol('p')\ng = f + 0\nassert f == g\n```\n"
    page = "---\nkernelspec: {display_name: Python 3, language: python, name: python3}\njupytext: {text_representation: {extension: .md, format_name: myst}}\n---\n"
    assert [c.cell for c in checks_in(page + cell, "page")] == [1]
    path = tmp_path / "page.md"
    path.write_text(page + cell + "\ntext\n\n" + cell)
    with pytest.raises(
        CheckError, match="code cell 2, check of eq-a: page, code cell 1, check of eq-a checks the same"
    ):
        collect({"page": path, "book/other": Path("picture.png")})


def test_a_check_cell_runs_in_a_namespace_of_its_own():
    first = run_alone(check(SLOPE + "leak = 1"))
    assert first["leak"] == 1
    with pytest.raises(CheckError, match="leak"):
        run_alone(check(textwrap.dedent(SLOPE) + "leak"))
