"""The reference solution of ps1-information agrees with SciPy and scikit-learn on random inputs, including extremes."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import mutual_info_score

from autograder.problem_set.source import find_problem_sets

BASES = st.sampled_from([2, np.e, 10.0])

#: Weights from 0 over subnormal numbers to 1: normalised, they make distributions with zeros and vanishing entries.
WEIGHTS = st.one_of(
    st.just(0.0),
    st.just(1.0),
    st.floats(1e-3, 1.0),
    st.floats(-320, 0).map(lambda exponent: 10.0**exponent),
)


@pytest.fixture(scope="module")
def ps1(course):
    """The names that the reference solution defines."""
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    defined = {"np": np, "sp": sp}
    for name, answer in problem_set.reference_answers.items():
        if not problem_set.items[name].by_hand:
            exec(answer, defined)
    return SimpleNamespace(**defined)


@st.composite
def distributions(draw, count=1, max_k=8):
    """Draw `count` distributions over the same number of outcomes."""
    k = draw(st.integers(1, max_k))
    drawn = []
    for _ in range(count):
        weights = draw(hnp.arrays(float, k, elements=WEIGHTS))
        assume(weights.sum() > 1e-3)
        drawn.append(weights / weights.sum())
    return drawn[0] if count == 1 else drawn


def close(received, expected):
    np.testing.assert_allclose(received, expected, rtol=1e-9, atol=1e-12)


@given(p=hnp.arrays(float, hnp.array_shapes(max_dims=3), elements=st.floats(0, 1)), base=BASES)
def test_information_content(ps1, p, base):
    with np.errstate(divide="ignore"):
        expected = -np.log(p) / np.log(base)
    received = ps1.information_content(p, base=base)
    close(received, expected)
    assert not np.any(np.signbit(received))


@given(p=distributions(), base=BASES)
def test_entropy_is_scipys(ps1, p, base):
    close(ps1.entropy(p, base=base), scipy.stats.entropy(p, base=base))


@given(pq=distributions(count=2), base=BASES)
def test_divergence_is_scipys_and_never_negative_or_nan(ps1, pq, base):
    p, q = pq
    received = ps1.kl_divergence(p, q, base=base)
    expected = max(0.0, np.sum(scipy.special.rel_entr(p, q)))
    # rel_entr divides p by q first, which overflows for a tiny q: there, only the reference is finite.
    if np.isfinite(expected) or np.any((p > 0) & (q == 0)):
        close(received, expected / np.log(base))
    assert received >= 0
    assert np.isfinite(received) == (not np.any((p > 0) & (q == 0)))
    assert ps1.kl_divergence(p, p, base=base) == 0


@given(pq=distributions(count=2), base=BASES)
def test_cross_entropy_is_entropy_plus_divergence(ps1, pq, base):
    p, q = pq
    received = ps1.cross_entropy(p, q, base=base)
    with np.errstate(divide="ignore"):
        expected = np.sum(-scipy.special.xlogy(p, q)) / np.log(base)
    close(received, expected)
    if np.isfinite(received):
        close(received, ps1.entropy(p, base=base) + ps1.kl_divergence(p, q, base=base))


@given(counts=hnp.arrays(int, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 30)))
def test_mutual_information_is_scikit_learns(ps1, counts):
    assume(counts.sum() > 0)
    expected = mutual_info_score(None, None, contingency=counts)
    np.testing.assert_allclose(
        ps1.mutual_information(counts / counts.sum(), base=np.e), expected, rtol=1e-9, atol=1e-12
    )


@settings(max_examples=50)
@given(shape=hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), k=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_rows_are_treated_one_by_one(ps1, shape, k, seed):
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(k), size=shape), rng.dirichlet(np.ones(k))
    for index in np.ndindex(shape):
        close(ps1.entropy(p)[index], scipy.stats.entropy(p[index], base=2))
        close(ps1.kl_divergence(p, q)[index], scipy.stats.entropy(p[index], q, base=2))
        close(ps1.kl_divergence(q, p)[index], scipy.stats.entropy(q, p[index], base=2))


@given(exponents=st.lists(st.integers(0, 60), min_size=1, max_size=10))
def test_code_lengths_of_powers_of_two_are_exact(ps1, exponents):
    lengths = ps1.code_lengths([2.0**-e for e in exponents])
    assert list(lengths) == exponents
    assert ps1.kraft_sum(lengths) == pytest.approx(sum(2.0**-e for e in exponents))


@given(p=distributions())
def test_code_lengths_satisfy_kraft_and_are_within_a_bit_of_the_entropy(ps1, p):
    p = p[p > 1e-12]
    p = p / p.sum()
    lengths = np.asarray(ps1.code_lengths(p))
    assert ps1.kraft_sum(lengths) <= 1 + 1e-12
    assert ps1.entropy(p) - 1e-9 <= np.sum(p * lengths) < ps1.entropy(p) + 1 + 1e-9


def test_asymmetric_pair_is_one_by_scipys_measure(ps1):
    p, q = (np.asarray(d, dtype=float) for d in ps1.asymmetric_pair())
    assert scipy.stats.entropy(p, q, base=2) < 0.1
    assert scipy.stats.entropy(q, p, base=2) > 1


def test_binary_entropy_derivative_is_that_of_the_entropy(ps1):
    p = sp.Symbol("p", positive=True)
    entropy = -p * sp.log(p, 2) - (1 - p) * sp.log(1 - p, 2)
    answer = ps1.binary_entropy_derivative
    answer = answer.subs(dict.fromkeys(answer.free_symbols, p))
    for value in (sp.Rational(1, 7), sp.Rational(1, 2), sp.Rational(9, 10)):
        assert abs((sp.diff(entropy, p) - answer).subs(p, value).evalf(40)) < sp.Float("1e-30")
    assert ps1.p_star == sp.Rational(1, 2)
