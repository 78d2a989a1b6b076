"""Claims that a chapter makes in words, and that none of its cells prints: each is on its page, and holds for its code.

A claim is text of the page, alternative texts and captions included, and a function that computes what it says from the
names that the page's cells define. If a sentence is changed, its claim has to be looked at again.
"""

import functools
import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special

from tests.support.book_pages import code_cells, source_of, text_of
from tests.support.chapter_functions import functions_of, names_of

SURPRISAL, ENTROPY, DIVERGENCE = (f"book/information/{name}" for name in ("surprisal", "entropy", "divergence"))
LIKELIHOOD, SQUARES, SOFTMAX = (
    f"book/likelihood/{name}" for name in ("maximum-likelihood", "squared-error", "softmax")
)
GRAPHS, BACKPROPAGATION, DESCENT = (
    f"book/gradients/{name}" for name in ("computation-graphs", "backpropagation", "gradient-descent")
)
VECTORIZATION, BROADCASTING = "book/arrays/vectorization", "book/arrays/broadcasting"
LOGISTIC, NETWORKS = "book/models/logistic-regression", "book/models/neural-networks"

Names = dict[str, object]


@dataclass(frozen=True)
class Claim:
    """Text of a page, and a check of what it says.

    Attributes
    ----------
    page : str
        The page.
    texts : tuple of str
        What stands on the page, with single blanks.
    names : callable
        Returns the names that the check needs.
    check : callable
        Fails if the claim is false.
    """

    page: str
    texts: tuple[str, ...]
    names: Callable[[], Names]
    check: Callable[[Names], None]


CLAIMS: list[Claim] = []


def claim(page: str, *texts: str, until: str = "## Exercises", without: tuple[str, ...] = ()):
    """Register a check of claims; it is given what the page defines before the text `until`."""

    def register(check: Callable[[Names], None]) -> Callable[[Names], None]:
        CLAIMS.append(Claim(page, texts, functools.partial(names_of, page, until, without), check))
        return check

    return register


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.page.split('/')[-1]}-{claim.check.__name__}")
def test_what_is_said_in_words_is_true(claim):
    page = re.sub(r"\s+", " ", text_of(claim.page))
    for text in claim.texts:
        assert text in page, f"{claim.page} no longer says {text!r}: check what it says now"
    claim.check(claim.names())


# Information


@claim(SURPRISAL, "Three answers or five, they add up")
def games_take_three_to_five_answers(names):
    assert {len(names["play"](animal)) for animal in names["ANIMALS"]} == {3, 4, 5}


@claim(SURPRISAL, "come as close to the information content as we like, and never fall below it")
def digits_come_down_to_the_information(names):
    each = [names["digits"](100**n) / n - math.log2(100) for n in range(1, 500)]
    assert min(each) > 0
    assert all(gap < 1 / n for n, gap in enumerate(each, start=1))


@claim(ENTROPY, "None of these beats 1.75", "each word holds as many coins as it has days")
def haggling_ends_at_the_shares_of_the_days(names):
    assert (names["coins"] == 80 * names["desert"]).all()
    assert names["bill"](names["coins"]) == names["entropy"](names["desert"])


@claim(ENTROPY, "Those at 0.4 and 0.8 are arcs that cut off the corners", "The inner contours, 1.2 and 1.5")
def contours_below_one_bit_reach_the_sides(names):
    on_a_side = [names["entropy"](np.array([t, 1 - t, 0])) for t in np.linspace(0, 1, 201)]
    assert 0.8 < max(on_a_side) == 1 < 1.2


@claim(ENTROPY, "one digit for three clear days, three digits for each block with one day of fog, five for the rest")
def lengths_of_the_drawn_codewords(names):
    lengths = [len(codeword) for codeword in names["huffman"](names["three"])]
    clear = [block.bit_count() for block in range(8)]  # from three days of fog to none
    assert set(zip(clear, lengths, strict=True)) == {(3, 1), (2, 3), (1, 5), (0, 5)}


@claim(ENTROPY, "No binary prefix code has a smaller mean length")
def no_lengths_that_the_budget_allows_beat_huffman(names):
    rng = np.random.default_rng(0)
    for k in (2, 3, 4, 5):
        allowed = np.array([v for v in itertools.product(range(1, k), repeat=k) if sum(2.0**-n for n in v) <= 1])
        for _ in range(10):
            p = rng.dirichlet(np.ones(k))
            lengths = [len(codeword) for codeword in names["huffman"](p)]
            assert p @ lengths <= (allowed @ p).min() + 1e-12


@claim(ENTROPY, "blocks of 86 days are enough, and of fewer than 18 too short")
def blocks_of_sticky_days(names):
    day, rate = names["entropy"](names["desert"]), names["desert"] @ names["after"]
    bits = {n: day + (n - 1) * rate for n in (17, 18, 85, 86)}
    assert bits[17] > 1.5 * 17
    assert bits[18] <= 1.5 * 18
    assert bits[85] + 1 > 1.5 * 85
    assert bits[86] + 1 <= 1.5 * 86


@claim(ENTROPY, "on new text a memory of more than three letters hardly helps", "rise a little at the end")
def a_longer_memory_hardly_helps(names):
    three, four, five = (names["bits_each"](names["unseen"], m) for m in (3, 4, 5))
    assert abs(four - three) < 0.01
    assert 0 < five - four < 0.1


@claim(ENTROPY, "more than three times as much", "still twice what chance did at its best", until="## Summary")
def age_on_the_titanic(names):
    told_by = names["told_by"]
    alone = told_by("age")
    assert told_by("age", "class", "sex") - told_by("class", "sex") > 3 * alone
    assert alone > 2 * max(names["told"])


@claim(ENTROPY, "none of its probabilities is a power of $\\tfrac12$")
def sticky_shares_are_no_powers_of_one_half(names):
    assert all(math.frexp(share)[0] != 0.5 for share in names["sticky"].ravel())


@claim(DIVERGENCE, "end between 12 and 41 bits", "overlap for the first twenty words and are apart in the end")
def records_of_two_places_part(names):
    bergen, desert = (
        np.cumsum(names["evidence"][names["draws"][place][:12]], axis=1) for place in ("Bergen", "desert")
    )
    assert (bergen[:, -1].min(), bergen[:, -1].max()) == (12, 41)
    apart = bergen.min(axis=0) > desert.max(axis=0)
    assert 18 <= np.flatnonzero(~apart).max() <= 23
    assert apart[-1]


@claim(DIVERGENCE, "Between 0.1 and 0.9, where they cross, the curve from the true coin to the model is the lower one")
def two_directions_for_a_coin(names):
    def gap(b):
        true, model = np.array([0.1, 0.9]), np.array([b, 1 - b])
        return names["divergence"](true, model) - names["divergence"](model, true)

    assert all(gap(b) < 0 for b in np.linspace(0.11, 0.89, 79))
    assert all(gap(b) > 0 for b in (1e-6, 0.05, 0.09, 0.91, 0.95, 1 - 1e-6))
    assert gap(0.9) == pytest.approx(0, abs=1e-12)


@claim(DIVERGENCE, "it lies seven of its standard deviations away")
def distance_of_the_ignored_bump(names):
    m, s, _ = names["reverse"]
    assert (2.5 - m) / s == pytest.approx(7, abs=0.2)


@claim(DIVERGENCE, "grows from a half-and-half mixture over the uniform code and the desert code")
def five_code_books_in_order(names):
    bergen, desert = names["bergen"], names["desert"]
    models = [(bergen + desert) / 2, np.full(4, 1 / 4), desert, np.array([1 / 16, 1 / 16, 1 / 8, 3 / 4])]
    waste = [names["divergence"](bergen, model) for model in models]
    assert waste == sorted(waste)
    assert waste[0] > 0


# Likelihood


@claim(LIKELIHOOD, "more than twice as probable under 0.7 as under 0.5", "leads by more than a hundred nats")
def the_second_friend_leads(names):
    def nats(record, theta):
        return np.log(np.where(record == 1, theta, 1 - theta)).sum()

    record, many = names["record"], names["many"]
    assert math.exp(nats(record, 0.7) - nats(record, 0.5)) > 2
    assert nats(many, 0.7) - max(nats(many, 0.5), nats(many, 0.9)) > 100


@claim(LIKELIHOOD, "Chance does as much in about one field of fifty")
def one_field_of_fifty(names):
    seen, fields = names["seen"], names["fields"]
    for chance in (np.mean(names["two_n_d"](fields) >= seen), math.erfc(math.sqrt(seen / 2))):
        assert 1 / 60 < chance < 1 / 40


@claim(LIKELIHOOD, "the result is a tenth too small")
def a_slope_near_one(names):
    slope = 1 / (1 - (1 - 1e-16))
    assert slope / 1e16 == pytest.approx(0.9, abs=0.005)


@claim(LIKELIHOOD, "lies, on average, near five sixths of the way up", "So $\\hat N$ is 6000/13, rounded down: 461")
def serial_numbers_and_fish(names):
    largest = np.arange(1, 101)
    assert largest @ (largest**5.0 - (largest - 1) ** 5.0) / 100**5 == pytest.approx(100 * 5 / 6, rel=0.01)
    caught = [math.comb(n - 100, 47) / math.comb(n, 60) for n in range(147, 3000)]
    assert 147 + int(np.argmax(caught)) == 6000 // 13 == 461


without_descents = {"without": ("starts = [", "paths[name]", 'paths["squared error"]', "worse = sum(")}


@claim(SQUARES, "the MSE sinks towards four tenths and no farther", **without_descents)
def the_other_valley_ends_at_four_tenths(names):
    at = names["descend"]((-1.0, 5.0), True, steps=2000)[-1]
    costs = [np.mean((names["forecast"](scale * at) - names["lived"]) ** 2) for scale in (1, 1.5, 2, 4, 8, 100)]
    assert all(cost > 0.4 - 1e-12 for cost in costs)
    assert (np.diff(costs) < 1e-12).all()
    assert costs[-1] == pytest.approx(0.4)


@claim(
    SQUARES,
    "five are worse off after 1000 steps",
    "Within 1000 more, two of them get out; the other three never do",
    **without_descents,
)
def three_of_five_starts_stay_where_they_are(names):
    water, lived = names["water"], names["lived"]
    at = np.random.default_rng(0).normal(0, [1, 3], (40, 2))
    worse = {}
    for step in range(10_001):
        p = scipy.special.expit(at[:, :1] * water + at[:, 1:])
        costs = np.mean((p - lived) ** 2, axis=1)
        worse[step] = costs > 0.25
        dz = 2 * (p - lived) * p * (1 - p)
        at -= 0.1 * np.column_stack([(dz * water).mean(axis=1), dz.mean(axis=1)])
    assert worse[1000].sum() == 5
    assert worse[2000].sum() == 3
    assert (worse[10_000] == worse[2000]).all()
    assert (costs[worse[10_000]] > 0.4).all()  # four tenths, which they can only approach


@claim(
    SQUARES,
    "starts at less than a ten-thousandth of that pace",
    "one that makes steps of length 1 at $z = -10$ makes steps of thousands near $z = 0$",
    "sees a difference of two hundredths",
    "only a hundred-millionth of the probability",
    **without_descents,
)
def squares_of_confident_mistakes(names):
    def slope(z):
        p = 1 / (1 + math.exp(-z))
        return 2 * p * (1 - p) ** 2

    assert slope(-10) < 1e-4
    assert 1000 < slope(0) / slope(-10) < 10_000
    rare, rarer = 1e-2, 1e-10
    assert (1 - rarer) ** 2 - (1 - rare) ** 2 == pytest.approx(0.02, abs=0.0005)
    assert rarer / rare == pytest.approx(1e-8)


@claim(SQUARES, "far less rare than under a bell of the same standard deviation, $s\\sqrt2$", **without_descents)
def the_width_of_laplace_noise(names):
    variance, _ = scipy.integrate.quad(lambda e: e**2 * math.exp(-abs(e) / 3) / 6, -math.inf, math.inf)
    assert math.sqrt(variance) == pytest.approx(3 * math.sqrt(2))


@claim(SQUARES, "If one reading in five may be a slip, 30.3 is the better report", **without_descents)
def the_median_of_readings_with_slips(names):
    rng = np.random.default_rng(0)
    readings = rng.normal(0, 0.1, (20_000, 5))
    readings += (rng.random(readings.shape) < 0.2) * rng.choice([-1, 1], readings.shape)
    assert np.std(np.median(readings, axis=1)) < 0.8 * np.std(readings.mean(axis=1))


@claim(SQUARES, "Cross-entropy needs 21", until="## Summary", **without_descents)
def steps_of_cross_entropy_from_minus_twenty(names):
    assert names["steps_until_half"](-20.0, False) == 21


penguins = {"until": "(sec-how-sure)=", "without": ("draw(",)}


@claim(
    SOFTMAX,
    "Adélie and gentoo are never mistaken for each other",
    "All twelve mistakes involve the chinstrap",
    **penguins,
)
def mistakes_about_penguins(names):
    confusions = names["confusions"]
    assert confusions[0, 2] == confusions[2, 0] == 0
    assert confusions.sum() - confusions.trace() == 12


@claim(
    SOFTMAX,
    "Once the model tells the 35 birds apart without a mistake, larger weights always lower their cost",
    **penguins,
)
def larger_weights_on_a_few_birds(names):
    few = np.arange(342) % 10 == 0
    X, species = names["X"][few], names["species"][few]
    W, b = names["fit"](X, names["Y"][few], 1000)
    Z = X @ W + b
    assert few.sum() == 35
    assert (Z.argmax(axis=1) == species).all()
    costs = [names["nats"](scale * Z, species) for scale in np.linspace(1, 20, 100)]
    assert (np.diff(costs) < 0).all()


@claim(SOFTMAX, "Without an `axis`, SciPy takes the whole array for one sample", **penguins)
def scipy_without_an_axis(names):
    assert scipy.special.softmax(np.eye(3)).sum() == pytest.approx(1)
    assert np.ndim(scipy.special.logsumexp(np.eye(3))) == 0


@claim(SOFTMAX, "The smallest whole logit that shows it is 17", until="(sec-softmax)=")
def the_first_logit_that_is_clipped(_):
    chapter = functions_of(SOFTMAX)
    wrong = [z for z in range(-40, 41) if abs(chapter["clipped"](z) - chapter["bce_from_logit"](z, 0)) > 1e-6]
    assert min(z for z in wrong if z > 0) == 17


# Gradients


def lines_of(page: str, prefix: str) -> int:
    """How many lines of code the cells with this prefix have, without blank lines and documentation."""
    sources = [c.source for c in source_of(page).cells if str(c.metadata.get("name", "")).startswith(prefix)]
    lines = [line for source in sources for line in source.splitlines()]
    return sum(bool(line.strip()) and not line.strip().startswith('"""') for line in lines)


@claim(GRAPHS, "in about forty lines")
def the_engine_is_short(names):
    assert 36 <= lines_of(GRAPHS, "engine-") <= 44


@claim(GRAPHS, "refuses calls nested more than about a thousand deep")
def a_long_chain_is_beyond_the_engine(names):
    def chain(n):
        node = names["Node"](1.0)
        for _ in range(n):
            node = node + node
        return node

    assert len(names["order"](chain(300))) == 301
    with pytest.raises(RecursionError):
        names["order"](chain(100_000))


@claim(GRAPHS, "would save forward mode seven eighths of that, but the rest still grows with $n^2$")
def forward_mode_without_zeros(names):
    def used(n):
        inputs = [names["Node"](1.0) for _ in range(n)]
        J = inputs[0] * inputs[0]
        for x in inputs[1:]:
            J = J + x * x
        nodes, edges = names["order"](J), 0
        for chosen in inputs:
            reached = {chosen}
            for node in nodes:
                arriving = sum(parent in reached for parent in node.parents)
                edges += arriving
                if arriving:
                    reached.add(node)
        return 2 * edges

    steps, edges = names["count"](300)
    assert used(300) / (300 * 2 * edges) == pytest.approx(1 / 8, abs=0.01)
    assert used(300) / used(150) == pytest.approx(4, rel=0.05)


@claim(
    GRAPHS,
    "for these shapes one way costs a 500th of the other",
    "nearly every step is computed twice",
    "so their sum is least where they are equal, at $k = \\sqrt n = 100$",
    until="### The derivative of a derivative",
    without=("class Deep", "def derivative(", "for times in range(6)"),
)
def brackets_and_checkpoints(names):
    assert names["right"] / names["left"] == pytest.approx(500, rel=0.01)
    again, kept = {}, {}
    for k in (10, 50, 80, 100, 125, 200, 1000):
        _, again[k], kept[k] = names["with_checkpoints"](0.3, 10_000, k)
    assert again[100] > 0.98 * 10_000
    assert min(kept, key=kept.get) == 100


checks = {"until": "(sec-arrays)="}


@claim(BACKPROPAGATION, "The tip of the central difference lies more than two digits deeper", **checks)
def two_tips(names):
    steps, true = 10.0 ** np.linspace(-16, 0, 97), names["true"]
    central = sorted(abs(names["central"](math.tanh, 1.0, h) - true) for h in steps if h > 1e-14)
    forward = sorted(abs((math.tanh(1 + h) - math.tanh(1)) / h - true) for h in steps)
    assert np.median(forward[:9]) > 100 * np.median(central[:9])


@claim(
    BACKPROPAGATION,
    "Ben got ten digits, Ann two after rounding, and Cleo, with the smallest step of all, none",
    "changed by only a few units in its last binary digit",
    **checks,
)
def digits_of_three_friends(names):
    def digits(h):
        slope = names["central"](math.tanh, 1.0, h)
        return next(n for n in range(12, -1, -1) if n == 0 or round(slope, n) == round(names["true"], n))

    assert (digits(0.1), digits(1e-5)) == (2, 10)
    assert digits(1e-15) == 0
    last_digit = 2.0**-53  # of numbers between one half and 1
    assert abs(math.tanh(1 + 1e-15) - math.tanh(1 - 1e-15)) / last_digit < 12


@claim(
    BACKPROPAGATION,
    "With $|f|$ alone the error is more than a hundred thousand times what was promised, both times",
    "With both parts the promises hold",
    **checks,
)
def promises_about_two_roundings(names):
    cases = [(math.log, 1.0000001, 1 / 1.0000001, 2.0), (math.sin, 1e6, math.cos(1e6), math.cos(1e6))]
    for g, x, slope, third in cases:
        for N, kept in [(abs(g(x)), False), (abs(g(x)) + abs(x * slope), True)]:
            h, promised = names["promised"](third, N)
            met = abs(names["central"](g, x, h) - slope)
            assert met < promised if kept else met > 1e5 * promised


@claim(
    BACKPROPAGATION,
    "two half-moons of 100 points each, and no line separates them",
    until="Our engine, unchanged, runs a network",
    without=("network(**parameters)",),
)
def moons_that_no_line_separates(names):
    signs = 2 * names["labels"] - 1
    rows = -signs * np.column_stack([names["points"], np.ones(200)])
    line = scipy.optimize.linprog(np.zeros(3), A_ub=rows, b_ub=-np.ones(200), bounds=[(None, None)] * 3)
    assert line.status == 2  # infeasible


@claim(BACKPROPAGATION, "`ds` is $m = 3$, and `dm` is $s = 4$", "4 to $x$, 0 to $z$", until="(sec-by-hand)=")
def gates(names):
    at = {"x": 3.0, "y": 1.0, "z": 2.0}
    slopes = {
        name: names["central"](lambda value, name=name: names["J"](**{**at, name: value}), at[name], 1e-5)
        for name in at
    }
    assert slopes == pytest.approx({"x": 7, "y": 3, "z": 0}, abs=1e-8)


@claim(
    BACKPROPAGATION,
    "A single draw is easily off by a factor of two; the root of the mean square agrees",
    without=("plt.", "for step in range(301)", "count = sum("),
)
def the_law_of_the_mean_square(names):
    assert np.sqrt(np.mean(names["ratios"] ** 2)) == pytest.approx(2**-14.5, rel=0.1)
    assert np.mean(names["ratios"] < 2**-15.5) > 0.1


@claim(
    BACKPROPAGATION,
    "the gradient loses little, and most of that in the first layers",
    "There the values are large, and $\\tanh$ bends; further up they have shrunk",
    without=("plt.", "for step in range(301)", "count = sum("),
)
def a_gradient_through_thirty_tanh_layers(names):
    size = names["depths"]["tanh", 1]
    lost = np.log(size / size[-1])
    assert 0.2 < size[0] / size[-1] < 1
    assert lost[0] - lost[7] < 0.5 * lost[0]
    draw, A, values = np.random.default_rng(0), None, []
    A = draw.normal(size=(20, 64))
    for _ in range(30):
        values.append(np.sqrt(np.mean(A**2)))
        A = np.tanh(A @ draw.normal(size=(64, 64)) / 8)
    assert values[1] > 3 * values[-1]


quadratics = {"until": "## A promise for any smooth cost"}
logistic = {"until": "## The minimum that is not there"}


@claim(DESCENT, "so it overshoots across the valley at every step", **quadratics)
def the_best_pair_overshoots(names):
    path = names["roll"](lambda theta: names["bend"] * theta, [10, 1], *names["best"](10), 20)
    assert (np.diff(np.sign(path[:, 1])) != 0).all()


@claim(DESCENT, "and the errors fall like $(a + bt) \\, m^t$", **quadratics)
def a_double_root_brings_a_factor(names):
    for kappa in (10, 1000):
        rate, beta = names["best"](kappa)
        for curvature in (1, kappa):
            m = (1 + beta - rate * curvature) / 2
            assert m**2 == pytest.approx(beta)
            errors = names["roll"](lambda e, curvature=curvature: curvature * e, 1.0, rate, beta, 100)
            steps = np.diff(errors / m ** np.arange(101))
            np.testing.assert_allclose(steps, steps[0], rtol=1e-4)
            assert steps[0] > 0


@claim(DESCENT, "with $\\beta = 0.9$, ten plain steps in one", **quadratics)
def a_constant_slope_is_followed_ten_times_as_fast(names):
    path = names["roll"](lambda theta: np.ones(1), [0.0], 1, 0.9, 300)
    assert path[-2] - path[-1] == pytest.approx(10)


@claim(
    DESCENT, "so is the slope, except at the first bead", "has not reached the last after $n - 1$ steps", **quadratics
)
def news_travels_one_bead_a_step(names):
    n = 30
    A = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    A[-1, -1] = 1
    path = names["roll"](lambda theta: A @ theta - np.eye(n)[0], np.zeros(n), 0.9, 0.8, n)
    assert path[n - 1, -1] == 0 != path[n, -1]


@claim(
    DESCENT, "no step is longer than $\\eta$ times the longest row", "every step moves forward along $v$", **logistic
)
def steps_are_bounded_and_go_forward(names):
    v = names["descend"](names["gradient"], np.zeros(3), 5, 20_000)[-1]
    for rate in (5, 500):
        steps = np.diff(names["descend"](names["gradient"], np.zeros(3), rate, 300), axis=0)
        assert np.linalg.norm(steps, axis=1).max() <= rate * np.linalg.norm(names["ones"], axis=1).max()
        forward = steps[steps.any(axis=1)] @ v  # errors may be too small for a float
        assert (forward > 0).all()


@claim(DESCENT, "From this start, and it is the worst one", **quadratics)
def the_worst_start_for_a_greedy_walker(names):
    bend = names["bend"]

    def factor(angle):
        theta = np.array([math.cos(angle), math.sin(angle)])
        before = bend @ theta**2
        for _ in range(20):
            g = bend * theta
            if g.any():
                theta = theta - (g @ g) / (g @ (bend * g)) * g
        return (bend @ theta**2 / before) ** (1 / 40)

    at_the_start = factor(math.atan2(1, 10))
    assert at_the_start == pytest.approx(9 / 11)
    assert max(factor(angle) for angle in np.linspace(0.001, math.pi, 1000)) <= at_the_start + 1e-9


@claim(
    DESCENT,
    "some twenty times the safe rate",
    "below all the others",
    "after about fifteen steps drops below all others",
    **logistic,
)
def a_rate_far_above_the_safe_one(names):
    assert 5 / (2 / names["L"]) == pytest.approx(20, abs=1)
    costs = {
        rate: np.array([names["cost"](theta) for theta in names["descend"](names["gradient"], np.zeros(3), rate, 200)])
        for rate in (0.001, 0.01, 0.25, 5)
    }
    for rate in (0.001, 0.01, 0.25):
        assert 13 <= np.flatnonzero(costs[5] > costs[rate]).max() + 1 <= 17


@claim(
    DESCENT,
    "Up to rate 0.89, a dotted vertical line, they are one line near 0.6",
    "which fork again near 1.5 and ever sooner before 2",
    "the widest runs from 2.6 to 3.1",
    "from below 0 to over 8",
    **logistic,
)
def forks_of_the_flipped_labels(names):
    line, labels = np.column_stack([names["X"][:, 0], np.ones(5)]), np.array([0, 0, 1, 0, 1])
    rates = np.array([0.5, 0.88, 0.89, 1.5, 1.6, 1.8, 1.9, 1.94, 2.65, 2.8, 3.05, *np.linspace(2.1, 5, 100)])
    state, late = np.zeros((len(rates), 2)), []
    for step in range(3200):
        if step >= 3000:
            late.append(state[:, 0])
        p = scipy.special.expit(state @ line.T)
        state = state - rates[:, None] * (p - labels) @ line / 5
    late = np.array(late).T
    periods = [len(set(w.round(4))) for w in late[:11]]
    assert periods == [1, 1, 2, 2, 4, 4, 8, 16, 5, 5, 5]
    assert abs(late[0] - 0.6).max() < 0.01
    assert late.min() < 0
    assert late.max() > 8


# Arrays


@claim(VECTORIZATION, "one more product for each further 1 among the binary digits", until="(sec-one-step-thrice)=")
def products_of_a_matrix_power(_):
    made = 0

    class Number:
        def __mul__(self, other):
            nonlocal made
            made += 1
            return self

    for t in range(2, 200):
        made = 0
        np.linalg.matrix_power(np.array([[Number()]], dtype=object), t)
        assert made == t.bit_length() - 1 + t.bit_count() - 1 <= 2 * (t.bit_length() - 1)


@claim(
    BROADCASTING,
    "The rule holds if no operand repeats a letter, and each of its letters appears in another operand or in the result",
    "`i->ij` would not know how many there are",
    until="The weights that grew",
)
def letters_change_places(names):
    rng, length = np.random.default_rng(0), dict(zip("ijkl", (2, 3, 4, 5), strict=True))
    for rule in ("ij,jk->ik", "ik,jk->ij", "i,j->ij", "ij,jk,kl->il", "ij,ik,i->jk", "ijk,kl,j->il", "i,i->"):
        operands, result = rule.split("->")
        arrays = [rng.normal(size=[length[a] for a in letters]) for letters in operands.split(",")]
        G = rng.normal(size=[length[a] for a in result])
        for place, array in enumerate(arrays):
            back = np.einsum(names["letters_back"](rule, place), *[*arrays[:place], G, *arrays[place + 1 :]])
            step = rng.normal(size=array.shape)  # the result is linear in each operand
            ahead = np.einsum(rule, *[*arrays[:place], step, *arrays[place + 1 :]])
            assert np.sum(back * step) == pytest.approx(np.sum(G * ahead))
    with pytest.raises(ValueError, match="never appeared"):
        np.einsum(names["letters_back"]("ij->i", 0), np.ones(2))


@claim(BROADCASTING, "The labels have the variance 8", "gets $8 + 8$, and Ben, with no spread, $0 + 8$")
def anna_and_ben(names):
    y = names["y"]
    assert y.var() == 8
    for forecast, loss in [(names["anna"], 8 + 8), (names["ben"], 0 + 8)]:
        assert forecast.var() + y.var() == loss == names["mean_square"](y, forecast)


@claim(
    BROADCASTING,
    "It raises an error for $n \\ne d$, both larger than 1, and is silently wrong for $n = d > 1$",
    "For $n = 1$ the shapes $(1, d)$ and $(1{,})$ fit and the result is right",
)
def layers_normalised_by_columns(names):
    for n, d in itertools.product(range(1, 5), repeat=2):
        X = np.random.default_rng(0).normal(size=(n, d)) + np.arange(d) ** 2
        with np.errstate(all="ignore"):
            right = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
            try:
                wrong = (X - X.mean(axis=1)) / X.std(axis=1)
            except ValueError:
                assert n != d
                assert n > 1
                assert d > 1
                continue
        assert n == d or n == 1 or d == 1
        if n > 1:
            assert wrong.shape == (n, n)
            assert not np.allclose(wrong, right, equal_nan=d == 1 == n)
        elif d > 1:
            np.testing.assert_allclose(wrong, right)


@claim(
    BROADCASTING, "there are $n$ models, one for each sample, each trained on inputs that all have that sample's label"
)
def weights_that_grew(names):
    def train(y, w, steps=5):
        X = np.random.default_rng(0).normal(size=(6, 2))
        for _ in range(steps):
            w = w - 0.1 * X.T @ (scipy.special.expit(X @ w) - y) / 6
        return w

    y = np.array([0, 1, 0, 1, 1, 0])
    grown = train(y, np.zeros((2, 1)))
    assert grown.shape == (2, 6)
    for i, label in enumerate(y):
        np.testing.assert_allclose(grown[:, i], train(np.full(6, label), np.zeros(2)))


# Models

titanic = {"until": "(sec-calibration)="}


@claim(
    LOGISTIC,
    "of the men of the second class one in twelve survived, of those of the first about one in three",
    "only the five boys of the first class change sides",
    "one of its groups is a single girl",
    "more than half of the way from sex alone to that floor",
    **titanic,
)
def groups_of_the_titanic(names):
    survived, people = (names[name].reshape(2, 2, 4) for name in ("survived", "people"))
    assert survived[1, 0, 1] * 12 == people[1, 0, 1]
    assert survived[1, 0, 0] / people[1, 0, 0] == pytest.approx(1 / 3, abs=0.01)
    changed = (names["guess"] != (names["sex"] == 1)) & (names["people"] > 0)
    assert names["people"][changed].tolist() == [5]
    assert changed.reshape(2, 2, 4)[0, 0, 0]
    assert 1 in people
    model, alone = (
        names["bits"](names["titanic"].predict_proba(names["group"])),
        names["bits"](names["share"][names["sex"]]),
    )
    assert alone - model > 0.5 * (alone - names["floor"])


@claim(LOGISTIC, "catches the true weight in about 95 of 100 repetitions", **titanic)
def intervals_of_a_true_model(names):
    rng, rows = np.random.default_rng(0), np.column_stack([names["group"], np.ones(16)])
    people, true = names["people"], np.append(*names["titanic"].theta)
    caught = 0
    for _ in range(400):
        survived, theta = rng.binomial(people, scipy.special.expit(rows @ true)), true
        for _ in range(6):  # Newton's method, from the truth
            p = scipy.special.expit(rows @ theta)
            information = rows.T @ (rows * (people * p * (1 - p))[:, None])
            theta = theta + np.linalg.solve(information, rows.T @ (survived - people * p))
        half = 1.96 * np.sqrt(np.diag(np.linalg.inv(information)))
        caught += np.abs(theta - true) < half
    assert (np.abs(caught / 400 - 0.95) < 0.035).all()


@claim(LOGISTIC, "The weights grow with each step, every $p_i (1 - p_i)$ shrinks towards 0", **titanic)
def newton_on_separable_data(_):
    A = np.array([[1, 2, 1], [1, 3, 1], [2, 3, 1], [4, 5, 1], [6, 7, 1]], dtype=float)
    labels, theta, sizes, spreads = np.array([0, 0, 0, 1, 1]), np.zeros(3), [], []
    for _ in range(25):
        p = scipy.special.expit(A @ theta)
        spreads.append(p * (1 - p))
        theta = theta - np.linalg.solve(A.T @ (A * (p * (1 - p))[:, None]), A.T @ (p - labels))
        sizes.append(np.linalg.norm(theta[:2]))
    assert (np.diff(sizes) > 0).all()
    assert (np.diff(spreads, axis=0) <= 0).all()
    assert max(spreads[-1]) < 1e-6


digits = {
    "until": "**The engine.**",
    "without": (
        *("solved(", "costs(", "lamp(", "A1 = np.tanh", "J()", "errors", "forward(pairs)", "gradient_size("),
        *("for depth in", "Z2 = ", "RandomState", "best = "),
    ),
}


@claim(
    NETWORKS,
    "reduced to 8 × 8 pixels of 17 shades of grey",
    "leaves out the cell with their 59 kB of packed text",
    "Near the edges they are white in all 500 pictures",
    **digits,
)
def pictures_of_digits(names):
    assert names["pixels"].shape == (1797, 64)
    assert len(np.unique(names["pixels"])) == 17
    assert len(names["PACKED"]) / 1000 == pytest.approx(59, abs=1)
    blank = np.flatnonzero(names["pixels"][names["train"]].max(axis=0) == 0)
    assert len(blank) > 0
    assert set(blank % 8) <= {0, 7}


@claim(NETWORKS, "two of the corners stay undecided", until="The gradients are right, and yet")
def one_network_that_gets_stuck(names):
    undecided = np.abs(names["A2"].ravel() - 0.5) < 0.02
    assert undecided.sum() == 2
    assert ((names["A2"] > 0.5) == names["Y"]).ravel()[~undecided].all()


@claim(NETWORKS, "$X^\\top dZ_2 = 0$", "of the first order in the weights cancels", until="(sec-forty-starts)=")
def what_is_left_on_xor_is_of_the_third_order(names):
    X, Y, rng = names["X"], names["Y"], np.random.default_rng(0)
    assert not (X.T @ (0.5 - Y)).any()
    V1, V2 = rng.standard_normal((2, 3)), rng.standard_normal((3, 1))

    def slopes(scale):
        A1 = np.tanh(X @ (scale * V1))
        dZ2 = scipy.special.expit(A1 @ (scale * V2)) - Y
        dZ1 = dZ2 @ (scale * V2).T * (1 - A1**2)
        return A1.T @ dZ2, X.T @ dZ1

    for small, smaller in zip(slopes(1e-2), slopes(1e-3), strict=True):
        np.testing.assert_allclose(np.linalg.norm(small) / np.linalg.norm(smaller), 1000, rtol=0.01)


def printed(site, page: str, code: str) -> str:
    """What the cell with this code prints."""
    (text,) = [cell.printed for cell in code_cells(site, page) if code in cell.source]
    return text


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text.replace(",", ""))]


def says(page: str, *texts: str) -> None:
    source = re.sub(r"\s+", " ", text_of(page))
    for text in texts:
        assert text in source, f"{page} no longer says {text!r}: check what it says now"


def test_the_hidden_layer_gains_nine_digits(site):
    says(NETWORKS, "The hidden layer gains nine digits over none. It does *not* beat the nearest neighbour")
    right = int(re.search(r"(\d+) of 797 right", printed(site, NETWORKS, 'print(f"test: cost'))[1])
    single, nearest, *_ = numbers(printed(site, NETWORKS, 'print("no hidden layer:'))
    assert right - single == 9
    assert right < nearest


def test_shuffled_digits_flatter_by_two_to_four_in_a_hundred(site):
    says(NETWORKS, "It rises by two to four in a hundred")
    (honest,) = re.findall(r"797 right, (0\.\d+)", printed(site, NETWORKS, 'print(f"test: cost'))
    for flattering in re.findall(r"shuffled: (0\.\d+)", printed(site, NETWORKS, 'print(f"shuffled:')):
        assert 0.02 <= float(flattering) - float(honest) <= 0.04


def test_decay_ends_lower_than_any_epoch_without_it(site):
    says(NETWORKS, "the validation cost ends at 0.33, lower than it ever was without")
    lines = printed(site, NETWORKS, "runs = {decay: learn(decay)").splitlines()
    found = {float(decay): list(map(float, rest)) for decay, *rest in map(numbers_of_run, lines)}
    assert found[0.001][0] < found[0.0][1]


def numbers_of_run(line: str) -> tuple[str, str, str]:
    return re.search(r"decay +([\d.]+): .* validation ([\d.]+), lowest ([\d.]+)", line).groups()


def test_the_best_scale_of_a_start(site):
    says(NETWORKS, "At 0.01 no start gets anywhere in 5000 steps", "at 0.3 more starts succeed", "And width forgives")
    _, *rows = printed(site, NETWORKS, "widths, scales = ").splitlines()
    table = np.array([[int(count) for count in row.split()[2:]] for row in rows])
    assert (table[:, 0] == 0).all()
    assert (table[:, 2] >= table[:, 3]).all()
    assert (table[:3, 2] > table[:3, 3]).all()
    assert (np.diff(table[:, -1]) > 0).all()


def test_more_digits_ask_for_other_settings(site):
    says(NETWORKS, "none of these beats the 500 digits at their best")
    text = printed(site, NETWORKS, "for part, epochs, units, decay in")
    few, more, few_wide, more_wide = (float(cost) for cost in re.findall(r": +(0\.\d{4})", text))
    assert few < more
    assert more_wide < few_wide
    assert few < more_wide


def test_a_ruled_out_word_can_tell_more(site):
    says(SURPRISAL, "Can the best guess be a word that has already been ruled out? Yes")
    fits, ruled_out = (float(bits) for bits in re.findall(r"(\d\.\d\d) bits", printed(site, SURPRISAL, "alike = ")))
    assert ruled_out > fits


def test_spare_units_help_with_three_switches(site):
    says(NETWORKS, "half of the starts with two units succeed", "a few spare units make success much more likely")
    counts = dict(re.findall(r"(\d+): (\d+)", printed(site, NETWORKS, "print({width: int(solved(net)")))
    assert int(counts["2"]) == 20
    assert int(counts["4"]) >= 1.5 * int(counts["2"])
