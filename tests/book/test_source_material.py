"""The facts and the faults that the course started from: each is in the book, and its numbers are printed there.

A row names a cell (``name: …`` in its metadata) whose output contains every number of the row, or a label for what is
shown without numbers. The numbers are those of the sources, recomputed where the sources are wrong.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.book_pages import CodeCell, chapters, code_cells, html_of, pages, source_of, text_of

DIGITS = 6  # significant ones that a page has to show, where the source shows as many


@dataclass(frozen=True)
class Row:
    """One fact.

    Attributes
    ----------
    what : str
        The fact, in words.
    page : str
        The page with the fact, without ``book/``.
    place : str
        The name of a cell if there are numbers, else a label or the name of a cell.
    numbers : str
        What the cell must print, as text.
    """

    what: str
    page: str
    place: str
    numbers: str = ""

    @property
    def id(self) -> str:
        return f"{self.page}:{self.place}"


LIKELIHOOD, SOFTMAX = "likelihood/maximum-likelihood", "likelihood/softmax"
GRAPHS, BACKPROP, DESCENT = "gradients/computation-graphs", "gradients/backpropagation", "gradients/gradient-descent"
VECTORS, BROADCASTING = "arrays/vectorization", "arrays/broadcasting"
LOGISTIC, NETWORKS = "models/logistic-regression", "models/neural-networks"
GALLERY = "practice/fault-gallery"

# A notebook of loss functions
LOSSES = [
    Row(
        "gradient descent on five points, the cost at steps 0, 100, ..., 900 and the parameters at the end",
        LOGISTIC,
        "table-a-run",
        "0.6931471805599453 0.5785085057822918 0.5101523134039823 0.45569542496216126 0.41178408708668 0.375887072920645 "
        "0.3461301007463976 0.32113124406621973 0.2998672766461169 0.28157381490682754 1.30487443 -0.58558045 "
        "-1.2931549586737172",
    ),
    Row("binary cross-entropy of five predictions", LIKELIHOOD, "bce-five", "0.20273661557656092"),
    Row("fault: the minus sign binds to the first term only", LIKELIHOOD, "fault-bce-sign", "0.0713349887877465"),
    Row("fault: log(0) without a guard", LIKELIHOOD, "fault-log-zero", "nan"),
    Row("categorical cross-entropy of five samples", LIKELIHOOD, "cce-five", "0.2571233586732892"),
    Row("softmax of (2, 1, 0.1)", SOFTMAX, "softmax-right", "0.65900114 0.24243297 0.09856589"),
    Row(
        "fault: the maximum is subtracted in the denominator only",
        SOFTMAX,
        "fault-softmax-numerator",
        "4.86939638 1.79135082 0.72830889 7.389",
    ),
    Row("the same, repaired", SOFTMAX, "fault-softmax-numerator-repaired", "0.65900114 0.24243297 0.09856589"),
    Row("fault: maximum and sum over a whole batch", GALLERY, "fault-softmax-batch"),
    Row(
        "fault: the Jacobian of something that is not a distribution",
        GALLERY,
        "fault-softmax-jacobian",
        "-18.84162476 -8.72279721 -3.54642469 -1.41758694 -1.30465673 0.19787505",
    ),
    Row(
        "the Jacobian of softmax",
        GALLERY,
        "fault-softmax-jacobian-repaired",
        "0.22471864 -0.1597636 -0.06495503 0.18365923 -0.02389562 0.08885066",
    ),
]

# A blog chapter on logistic regression
BLOG = [
    Row("the sigmoid on [-10, 10], and the threshold at one half", SOFTMAX, "sigmoid-threshold", "-10 0.5 10"),
    Row(
        "why not squared error: the vanishing gradient",
        "likelihood/squared-error",
        "vanishing-gradient",
        "-9.08e-5 -0.99995",
    ),  # fmt: skip
    Row(
        "the sunrise, one teacher of 100, one of 1000",
        "information/surprisal",
        "information-of-events",
        "0 6.644 9.966",
    ),
    Row(
        "fault: information inversely proportional to probability",
        "information/surprisal",
        "fault-inversely-proportional",
    ),  # fmt: skip
    Row(
        "entropy of the weather: the expectation of the information content",
        "information/entropy",
        "entropy-weather",
        "1.75",
    ),  # fmt: skip
    Row("entropy of a Bernoulli variable", "information/entropy", "entropy-bernoulli", "0.469 1.000"),
    Row(
        "divergence of (1, 0, 0) and (0.7, 0.2, 0.1), both ways",
        "information/divergence",
        "divergence-of-certainty",
        "0.3567 0.5146 inf",
    ),  # fmt: skip
    Row("divergence is cross-entropy minus entropy", "information/divergence", "eq-cross-entropy-split"),
    Row(
        "the penalty of binary cross-entropy, up to infinity",
        LIKELIHOOD,
        "bce-penalty",
        "0.01005033585350145 1.6094379124341005 1.6094379124341003 11.512925464970229 23.025850929940457 inf",
    ),
    Row("the gradient of the loss by the chain rule", LOGISTIC, "eq-logreg-chain"),
    Row("the Titanic, worked: 2201 people, 711 survivors", "information/entropy", "titanic-sums", "2201 711"),
    Row("the Titanic, worked: odds ratios", LOGISTIC, "titanic-odds-ratios"),
    Row("the Titanic, worked: accuracy", LOGISTIC, "titanic-accuracy"),
]

# A lesson on gradient descent and backpropagation
LESSON = [
    Row("from the likelihood of Bernoulli variables to cross-entropy", LIKELIHOOD, "bce-five", "0.20273661557656092"),
    Row("the loss at 0.9, right and wrong", LIKELIHOOD, "bce-one-sample", "0.105 2.303"),
    Row(
        "fault: binary cross-entropy called asymmetric, for 0.105 rounded in two ways",
        GALLERY,
        "fault-bce-asymmetric",
        "0.10 0.11 0.105",
    ),  # fmt: skip
    Row("fault: a cost with clipping", SOFTMAX, "fault-clipped-bce"),
    Row(
        "too large a rate oscillates on the logistic loss and still ends low",
        DESCENT,
        "logistic-rates",
        "0.693147 21.4 0.0008",
    ),  # fmt: skip
    Row("crawl, convergence, oscillation and divergence on a quadratic", DESCENT, "quadratic-four-rates"),
    Row("a rate that decays", DESCENT, "rate-decay"),
    Row("fault: one minimum promised; separable data have none", DESCENT, "separable-growth", "3.96 7.46 11.5"),
    Row("fault: one minimum promised", DESCENT, "fault-one-minimum"),
    Row("the graph of 3 (a + b c), forward", GRAPHS, "graph-forward", "6 11 33"),
    Row("the graph of 3 (a + b c), backward", GRAPHS, "graph-backward", "3 6 9"),
    Row("backpropagation through logistic regression", BACKPROP, "logistic-backward"),
    Row("one step of gradient descent with loops and without", VECTORS, "gradient-step-times"),
    Row("fault: the loop over epochs called the only one that stays", VECTORS, "fault-epoch-loop"),
    Row("the rules of broadcasting", BROADCASTING, "broadcasting-rules", "2 3 8 7 6 5"),
    Row("fault: arrays of one axis where a column is meant", BROADCASTING, "fault-rank-one"),
    Row("fault: a column less a row", BROADCASTING, "fault-mixed-shapes"),
    Row("a class that fits 1000 samples of 10 features", LOGISTIC, "class-run", "0.1003 0.990"),
    Row(
        "fault: a small number inside the logarithm makes a negative cost",
        GALLERY,
        "fault-negative-cost",
        "-1.1e-15",
    ),  # fmt: skip
    Row("logistic regression fails on XOR", LOGISTIC, "xor-fails", "0.693147180560"),
]

# Answers about the derivative of cross-entropy
DERIVATIVES = [
    Row("fault: probabilities where logits are expected", GALLERY, "fault-probabilities-as-logits", "0.3412 0.1054"),
    Row("the derivative by hand", LIKELIHOOD, "bce-derivative", "0.41666667 -0.55555556 1.66666667"),
    Row("the derivative by hand near 0 and 1", LIKELIHOOD, "bce-derivative-unstable", "inf nan"),
    Row("fault: a function reads weights that it assigns later", GALLERY, "fault-unassigned-weights"),
    Row("fault: a derivative that expects an activation and does not say so", BACKPROP, "fault-sigmoid-derivative"),
    Row("fault: dividing by p (1 - p) and multiplying by it again", BACKPROP, "fault-saturated-division"),
    Row("fault: a mean for the loss, a sum for the gradient", GALLERY, "fault-mean-sum"),
    Row(
        "two hidden layers solve XOR from 37 of 40 starts, with the mean gradient from 33",
        GALLERY,
        "xor-three-layers",
        "37 33 40",
    ),  # fmt: skip
]

# An answer on a network "by hand"
NETWORK = [
    Row("one hidden layer, tanh, then sigmoid", NETWORKS, "xor-one-hidden-layer"),
    Row("fault: the title says logistic regression, the code is a network", GALLERY, "fault-title"),
    Row("fault: no guard on the logarithm", GALLERY, "fault-no-guard"),
    Row("fault: a seed set twice", GALLERY, "fault-seed-twice"),
    Row("fault: loss and gradient average over different axes", GALLERY, "fault-averages"),
    Row(
        "fault: a start so small that XOR is never learned, with 2, 3, 4 and 8 units",
        NETWORKS,
        "tiny-start",
        "2 0.693147 3 4 8",
    ),  # fmt: skip
    Row("fault: a start so small that XOR is never learned", NETWORKS, "fault-tiny-start"),
]

ROWS = LOSSES + BLOG + LESSON + DERIVATIVES + NETWORK

# Each fault of the sources has a place that other pages can link to.
FAULTS = {
    "information/surprisal": ["inversely-proportional"],
    LIKELIHOOD: ["bce-sign", "log-zero"],
    SOFTMAX: ["softmax-numerator", "clipped-bce"],
    DESCENT: ["one-minimum"],
    BACKPROP: ["sigmoid-derivative", "saturated-division"],
    VECTORS: ["epoch-loop"],
    BROADCASTING: ["rank-one", "mixed-shapes"],
    NETWORKS: ["tiny-start"],
    GALLERY: [
        *("softmax-batch", "softmax-jacobian", "probabilities-as-logits", "bce-asymmetric", "negative-cost"),
        *("unassigned-weights", "mean-sum", "seed-twice", "title", "averages", "no-guard"),
    ],
}

PRINTED = re.compile(r"(?<![\w.])[-\u2212]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|inf|nan)(?![\w])")


def significant(number: str) -> int:
    """How many significant digits a number shows."""
    return len(re.split("[eE]", number)[0].replace(".", "").lstrip("-0")) or 1


def last_place(number: str) -> float:
    """What one more in the last digit shown would add."""
    mantissa, _, exponent = number.lower().partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def agrees(expected: str, printed: str) -> bool:
    """Whether two texts show the same number, to the digits that both show, and to enough digits."""
    printed = printed.replace("\u2212", "-")
    if {"inf", "nan"} & {expected.lstrip("-"), printed.lstrip("-")}:
        return expected.lstrip("-") == printed.lstrip("-")
    if "." not in expected and "e" not in expected:
        return float(printed) == float(expected)
    half = 0.5 * max(last_place(expected), last_place(printed))
    close = abs(float(expected) - float(printed)) <= half * (1 + 1e-9) + 1e-12 * abs(float(expected))
    # A float is printed without the zeros at its end, so fewer digits may be all there are.
    enough = significant(printed) >= min(DIGITS, significant(expected)) or float(printed) == float(expected)
    return close and enough


def numbers_in(text: str) -> list[str]:
    """The numbers in an output, without thousands separators."""
    return PRINTED.findall(re.sub(r"(?<=\d)[,_](?=\d{3}(?!\d))", "", text))


@functools.cache
def named_cells(site: Path, page: str) -> dict[str, CodeCell]:
    return {cell.metadata["name"]: cell for cell in code_cells(site, page) if "name" in cell.metadata}


def labels_of(page: str) -> set[str]:
    """The labels by which a page's text can be linked."""
    found = re.findall(r"^\(([\w-]+)\)=$|^\$\$\s*\(([\w-]+)\)|^:label:\s*([\w-]+)", text_of(page), re.MULTILINE)
    return {name for names in found for name in names if name}


@pytest.mark.parametrize("row", [row for row in ROWS if row.numbers], ids=lambda row: row.id)
def test_every_number_is_in_the_output_of_its_cell(site, row):
    page = f"book/{row.page}"
    cell = named_cells(site, page).get(row.place)
    assert cell is not None, f"{page}: no cell has `name: {row.place}`; it shows {row.what}"
    printed = numbers_in(cell.printed)
    missing = [number for number in row.numbers.split() if not any(agrees(number, found) for found in printed)]
    assert not missing, (
        f"{cell.where}, `{row.place}`, shows {row.what}, but does not print {missing}; it prints {printed}"
    )


@pytest.mark.parametrize("row", [row for row in ROWS if not row.numbers], ids=lambda row: row.id)
def test_what_has_no_numbers_has_its_place(row):
    page = f"book/{row.page}"
    names = {cell.metadata["name"] for cell in source_of(page).cells if "name" in cell.metadata}
    assert row.place in labels_of(page) | names, f"{page}: has no label and no cell `{row.place}`; it shows {row.what}"


@pytest.mark.parametrize(("page", "name"), [(page, name) for page, names in FAULTS.items() for name in names])
def test_every_fault_can_be_linked_to(site, page, name):
    target = f"fault-{name}"
    found = re.search(rf"^\({target}\)=\n(?:\([\w-]+\)=\n)*#{{2,4}} ", text_of(f"book/{page}"), re.MULTILINE)
    assert found, f"book/{page}.md: put `({target})=` on the line before the heading of this fault"
    assert html_of(site, f"book/{page}").select_one(f'[id="{target}"]'), f"book/{page}.html has no anchor {target}"


def test_every_fault_of_the_book_is_expected():
    """A target that is not expected here would be missing from the gallery."""
    found = {
        (page.removeprefix("book/"), name)
        for page in pages()
        for name in re.findall(r"^\(fault-([\w-]+)\)=$", text_of(page), re.MULTILINE)
    }
    expected = {(page, name) for page, names in FAULTS.items() for name in names}
    assert found - expected == set(), "add these to the table of faults"


def test_the_names_of_cells_are_unique_and_plain():
    seen: dict[str, str] = {}
    for page in pages():
        for cell in source_of(page).cells:
            name = cell.metadata.get("name")
            if name is None:
                continue
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), f"{page}: the name `{name}` is not in kebab-case"
            assert name not in seen, f"{page} and {seen[name]} both have a cell `{name}`"
            seen[name] = page
    assert seen


def test_the_rows_are_all_different_and_on_chapters_or_in_the_gallery():
    assert len({(row.what, row.id) for row in ROWS}) == len(ROWS)
    assert {f"book/{row.page}" for row in ROWS} <= {*chapters(), f"book/{GALLERY}"}
    assert all(
        row.place == f"fault-{row.place.removeprefix('fault-')}" for row in ROWS if row.place.startswith("fault")
    )


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("0.6931471805599453", "0.693147180560", True),
        ("0.6931471805599453", "0.693147", True),
        ("0.6931471805599453", "0.69315", False),
        ("0.6931471805599453", "0.693148", False),
        ("0.41178408708668", "0.41178408708668003", True),
        ("0.105", "0.105361", True),
        ("0.105", "0.106", False),
        ("0.1003", "0.10", False),
        ("0.990", "0.99", True),
        ("-9.08e-5", "-9.07915e-05", True),
        ("-9.08e-5", "9.07915e-05", False),
        ("-1.1e-15", "-1.110223e-15", True),
        ("37", "37", True),
        ("37", "37.2", False),
        ("33", "33.0", True),
        ("inf", "inf", True),
        ("nan", "inf", False),
        ("-0.55555556", "\u22120.55555556", True),
    ],
)
def test_two_texts_of_one_number_agree(expected, printed, same):
    assert agrees(expected, printed) is same


def test_the_numbers_of_an_output_are_found():
    assert numbers_in("z1 = [-1.5 2e-3], 1,000 of x2: inf, -nan 3.") == ["-1.5", "2e-3", "1000", "inf", "-nan", "3."]
