"""The book's inequalities, as property tests of the chapters' own functions."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.chapter_functions import functions_of

ROUNDING = 1e-9  # bits; sums of at most twelve terms below a hundred bits in double precision


entropy = functions_of("book/information/entropy")["entropy"]
huffman = functions_of("book/information/entropy")["huffman"]
divergence = functions_of("book/information/divergence")["divergence"]
information_content = functions_of("book/information/surprisal")["information_content"]
expected_bits = functions_of("book/information/surprisal")["expected_bits"]
log_sum_exp, softmax = (functions_of("book/likelihood/softmax")[name] for name in ("log_sum_exp", "softmax"))


@st.composite
def distributions(draw, outcomes: int | None = None, positive: bool = False):
    """Distributions over one to twelve outcomes, including zeros and tiny probabilities."""
    size = outcomes or draw(st.integers(1, 12))
    least = 1e-6 if positive else 0.0
    weights = draw(arrays(float, size, elements=st.floats(least, 1.0).map(lambda w: w if w > 1e-12 else 0.0)))
    if weights.sum() == 0:
        weights[draw(st.integers(0, size - 1))] = 1.0
    return weights / weights.sum()


@st.composite
def pairs(draw):
    """Two distributions over the same outcomes, none of which the model calls impossible."""
    p = draw(distributions())
    return p, draw(distributions(len(p), positive=True))


@given(distributions())
def test_entropy_is_between_zero_and_the_logarithm_of_the_number_of_outcomes(p):
    assert -ROUNDING <= entropy(p) <= math.log2(len(p)) + ROUNDING


@given(st.integers(1, 200))
def test_the_uniform_distribution_attains_the_bound(k):
    assert entropy(np.full(k, 1 / k)) == pytest.approx(math.log2(k), abs=ROUNDING)


@given(st.integers(1, 12), st.data())
def test_certainty_has_no_entropy(k, data):
    p = np.zeros(k)
    p[data.draw(st.integers(0, k - 1))] = 1.0
    assert entropy(p) == 0


@given(pairs())
def test_gibbs_inequality(pair):
    p, q = pair
    assert divergence(p, q) >= -ROUNDING


@given(pairs(), st.data())
def test_no_processing_increases_a_divergence(pair, data):
    p, q = pair
    results = data.draw(st.integers(1, 5))
    processing = np.array([data.draw(distributions(results)) for _ in p])
    assert divergence(p @ processing, q @ processing) <= divergence(p, q) + ROUNDING


@given(distributions())
def test_a_distribution_does_not_diverge_from_itself(p):
    assert abs(divergence(p, p)) <= ROUNDING


@given(pairs())
def test_a_divergence_of_zero_means_equal_distributions(pair):
    p, q = pair
    # Pinsker's inequality in bits: it says how far apart two distributions of a given divergence can be.
    assert divergence(p, q) >= np.abs(p - q).sum() ** 2 / (2 * math.log(2)) - ROUNDING


@given(distributions())
def test_the_entropy_is_what_the_uniform_code_would_save(p):
    uniform = np.full(len(p), 1 / len(p))
    assert divergence(p, uniform) == pytest.approx(math.log2(len(p)) - entropy(p), abs=ROUNDING)


@given(distributions())
def test_entropy_is_the_mean_information_content(p):
    seen = p[p > 0]
    assert entropy(p) == pytest.approx(float(np.sum(seen * information_content(seen))), abs=ROUNDING)


@given(st.floats(1e-12, 1.0), st.floats(1e-12, 1.0))
def test_information_content_adds_up_and_falls_with_probability(p, q):
    assert information_content(p * q) == pytest.approx(information_content(p) + information_content(q), abs=ROUNDING)
    assert (information_content(p) >= information_content(q)) == (p <= q) or math.isclose(p, q)


@given(distributions(positive=True))
def test_the_best_code_needs_at_least_the_entropy_and_less_than_one_bit_more(p):
    assume(len(p) > 1)
    code = huffman(p)
    assert entropy(p) - ROUNDING <= sum(p * [len(codeword) for codeword in code]) < entropy(p) + 1 + ROUNDING
    assert not any(a != b and a.startswith(b) for a in code for b in code), f"one codeword begins another: {code}"
    assert len(set(code)) == len(code)


# Sums such as m + log k round in proportion to the logits.
logits = arrays(float, st.integers(1, 12), elements=st.floats(-1e300, 1e300) | st.floats(-100, 100))


@given(logits)
def test_log_sum_exp_is_between_the_maximum_and_log_k_above_it(z):
    assert z.max() <= log_sum_exp(z) <= (z.max() + math.log(len(z))) + ROUNDING * max(1.0, abs(z.max()))


@given(st.floats(-1000, 1000), st.integers(1, 50))
def test_equal_logits_attain_the_upper_bound_of_log_sum_exp(value, k):
    assert log_sum_exp(np.full(k, value)) == pytest.approx(value + math.log(k), abs=ROUNDING)


@given(arrays(float, st.integers(1, 12), elements=st.floats(-1000, 1000)), st.floats(-1000, 1000))
def test_a_shift_of_the_logits_shifts_log_sum_exp(z, c):
    assert log_sum_exp(z + c) == pytest.approx(log_sum_exp(z) + c, abs=ROUNDING)


@given(distributions(positive=True), st.data())
def test_no_distribution_with_the_same_mean_has_more_entropy_than_a_softmax(q, data):
    """The softmax of these scores that has the mean of q, found by halving as the chapter does."""
    scores = np.array(data.draw(st.lists(st.floats(-3, 3), min_size=len(q), max_size=len(q))))
    low, high = -1e4, 1e4
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if softmax(middle * scores) @ scores < q @ scores else (low, middle)
    p = softmax(low * scores)
    assume(abs(p @ scores - q @ scores) < 1e-12)  # reached, unless the scores are nearly equal
    assert entropy(q) <= entropy(p) + 1e-6


@given(st.integers(1, 60), st.data())
def test_a_question_tells_most_on_average_where_its_answers_are_most_even(left, data):
    yes, other = (data.draw(st.integers(0, left)) for _ in range(2))
    if abs(2 * yes - left) <= abs(2 * other - left):
        assert expected_bits(yes, left) >= expected_bits(other, left) - ROUNDING
    assert expected_bits(yes, left) <= 1 + ROUNDING
