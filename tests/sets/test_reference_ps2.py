"""The reference solution of ps2-likelihood agrees with SciPy, scikit-learn and autograd on random and extreme inputs."""

from types import SimpleNamespace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import log_loss

from autograder.problem_set.source import find_problem_sets

#: Probabilities from 0 over subnormal numbers to 1.
CHANCES = st.one_of(
    st.sampled_from([0.0, 1.0, 1 - 2.0**-53]),
    st.floats(0, 1),
    st.floats(-320, 0).map(lambda exponent: 10.0**exponent),
)

LABELS = hnp.arrays(int, st.integers(1, 12), elements=st.integers(0, 1))


@pytest.fixture(scope="module")
def ps2(course):
    """The names that the reference solution defines."""
    (problem_set,) = find_problem_sets(course, ["ps2-likelihood"])
    defined = {"np": np, "sp": sp}
    for name, answer in problem_set.reference_answers.items():
        if not problem_set.items[name].by_hand:
            exec(answer, defined)
    return SimpleNamespace(**defined)


def close(received, expected):
    np.testing.assert_allclose(received, expected, rtol=1e-9, atol=1e-12)


def value(expression, **numbers):
    """Substitute numbers for the symbols with these names."""
    return float(expression.subs({symbol: numbers[symbol.name] for symbol in expression.free_symbols}))


@given(theta=hnp.arrays(float, st.integers(1, 5), elements=CHANCES), y=LABELS)
def test_log_likelihood_is_scipys(ps2, theta, y):
    k, n = y.sum(), y.size
    expected = scipy.special.xlogy(k, theta) + scipy.special.xlog1py(n - k, -theta)
    close(ps2.bernoulli_log_likelihood(theta, y), expected)
    close(ps2.bernoulli_log_likelihood(theta[0], y.tolist()), expected[0])


@given(theta=st.floats(1e-12, 1 - 1e-12), k=st.integers(0, 1_000_000))
@settings(max_examples=10)
def test_log_likelihood_of_a_million_days(ps2, theta, k):
    y = (np.arange(1_000_000) < k).astype(float)
    close(ps2.bernoulli_log_likelihood(theta, y), k * np.log(theta) + (1_000_000 - k) * np.log1p(-theta))


@given(y=LABELS, others=hnp.arrays(float, 20, elements=CHANCES))
def test_no_chance_beats_the_estimate(ps2, y, others):
    best = ps2.bernoulli_log_likelihood(ps2.bernoulli_mle(y), y)
    assert np.all(ps2.bernoulli_log_likelihood(others, y) <= best + 1e-12)


@given(data=st.data(), y=LABELS)
def test_binary_cross_entropy_is_scikit_learns_and_minus_the_log_likelihood(ps2, data, y):
    p = data.draw(hnp.arrays(float, y.shape, elements=CHANCES))
    received = ps2.binary_cross_entropy(y, p)
    expected = np.mean(-scipy.special.xlogy(y, p) - scipy.special.xlog1py(1 - y, -p))
    close(received, expected)
    assert received >= 0
    close(received, ps2.binary_cross_entropy(1 - y, 1 - p) if np.all((p == 0) | (p > 1e-9)) else received)
    close(ps2.binary_cross_entropy(y, np.full(y.shape, p[0])), -ps2.bernoulli_log_likelihood(p[0], y) / y.size)
    inside = np.clip(p, 0.001, 0.999)
    close(ps2.binary_cross_entropy(y, inside), log_loss(y, inside, labels=[0, 1]))


@given(n=st.integers(1, 12), k=st.integers(2, 6), seed=st.integers(0, 2**32 - 1))
def test_categorical_cross_entropy_is_scikit_learns(ps2, n, k, seed):
    rng = np.random.default_rng(seed)
    P, labels = rng.dirichlet(np.full(k, 0.2), size=n), rng.integers(0, k, size=n)
    with np.errstate(divide="ignore"):
        expected = -np.log(P[np.arange(n), labels]).mean()
    close(ps2.categorical_cross_entropy(labels, P), expected)
    close(ps2.categorical_cross_entropy(np.eye(k)[labels], P), expected)
    P = (P + 0.01) / (1 + 0.01 * k)
    P /= P.sum(axis=1, keepdims=True)
    close(ps2.categorical_cross_entropy(labels, P), log_loss(labels, P, labels=range(k)))
    two = np.stack([1 - P[:, 0], P[:, 0]], axis=1)
    close(ps2.categorical_cross_entropy(labels == 0, two), ps2.binary_cross_entropy(labels == 0, P[:, 0]))


@given(
    errors=hnp.arrays(float, st.integers(1, 8), elements=st.floats(-1000, 1000)),
    mu=st.floats(-10, 10),
    unit=st.floats(-200, 200).map(lambda exponent: 10.0**exponent),
)
def test_gaussian_nll_is_scipys_in_every_unit(ps2, errors, mu, unit):
    y = mu * unit + errors * unit
    expected = -scipy.stats.norm.logpdf(y, loc=mu * unit, scale=unit).mean()
    close(ps2.gaussian_nll(y, mu * unit, unit), expected)
    close(ps2.gaussian_nll(y, np.full(y.shape, mu * unit), np.full(y.shape, unit)), expected)


@given(theta=st.floats(0.01, 0.99), k=st.integers(0, 20), more=st.integers(0, 20))
def test_score_and_curvature_are_autograds(ps2, theta, k, more):
    n = k + more + 1

    def log_likelihood(t):
        return k * anp.log(t) + (n - k) * anp.log(1 - t)

    close(value(ps2.score, theta=theta, k=k, n=n), autograd.grad(log_likelihood)(theta))
    close(value(ps2.curvature, theta=theta, k=k, n=n), autograd.grad(autograd.grad(log_likelihood))(theta))
    y = (np.arange(n) < k).astype(int)
    close(value(ps2.theta_hat, k=k, n=n), ps2.bernoulli_mle(y))


@given(y=st.floats(-5, 5), mu=st.floats(-5, 5), sigma=st.floats(0.1, 5))
def test_gaussian_slope_is_autograds(ps2, y, mu, sigma):
    def nll(m):
        return ((y - m) / sigma) ** 2 / 2 + anp.log(sigma) + anp.log(2 * anp.pi) / 2

    close(value(ps2.d_gaussian_nll_d_mu, y=y, mu=mu, sigma=sigma), autograd.grad(nll)(mu))
