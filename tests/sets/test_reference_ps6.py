"""The reference solution of ps6 agrees with SciPy, scikit-learn and autograd on random inputs and extremes."""

from types import SimpleNamespace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression as ScikitLearns
from sklearn.metrics import log_loss

from autograder.engine.examiner.locked_cells import definitions
from autograder.problem_set.source import find_problem_sets, grade_id

#: Logits from 0 to values at which exp(z) overflows.
LOGITS = st.one_of(st.floats(-30, 30), st.floats(-2000, 2000), st.sampled_from([0.0, 1000.0, -1000.0]))


@pytest.fixture(scope="module")
def problem_set(course):
    """The problem set."""
    (found,) = find_problem_sets(course, ["ps6-logistic-regression"])
    return found


@pytest.fixture(scope="module")
def ps6(problem_set):
    """The names that the reference solution defines."""
    defined = {"np": np, "sp": sp}
    for name, answer in problem_set.reference_answers.items():
        if not problem_set.items[name].by_hand:
            exec(answer, defined)
    return SimpleNamespace(**defined)


@pytest.fixture(scope="module")
def titanic(problem_set):
    """What the locked cell gives the student: passengers and survived."""
    (source,) = (cell.source for cell in problem_set.notebook.cells if grade_id(cell) == "passengers")
    return SimpleNamespace(**definitions(source, "passengers"))


@st.composite
def data(draw, size=3.0):
    """Draw weights, a bias, samples and labels."""
    n, d = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    numbers = st.floats(-size, size, allow_subnormal=False)
    w, X = draw(hnp.arrays(float, d, elements=numbers)), draw(hnp.arrays(float, (n, d), elements=numbers))
    return w, draw(numbers), X, draw(hnp.arrays(int, n, elements=st.integers(0, 1)))


def close(received, expected):
    np.testing.assert_allclose(received, expected, rtol=1e-9, atol=1e-12)


@given(z=hnp.arrays(float, hnp.array_shapes(max_dims=3), elements=LOGITS))
def test_sigmoid_is_scipys(ps6, z):
    with np.errstate(all="raise", under="ignore"):
        close(ps6.sigmoid(z), scipy.special.expit(z))


@settings(max_examples=50)
@given(drawn=data())
def test_cost_is_scikit_learns(ps6, drawn):
    w, b, X, y = drawn
    p = scipy.special.expit(X @ w + b)
    received = ps6.cost(w, b, X, y)
    np.testing.assert_allclose(received, log_loss(y, np.column_stack([1 - p, p]), labels=[0, 1]), rtol=1e-6, atol=1e-9)
    close(received, np.mean(-scipy.special.log_expit(np.where(y == 1, 1, -1) * (X @ w + b))))


@given(drawn=data(size=1e3))
def test_cost_is_scipys_for_large_logits_and_silent(ps6, drawn):
    w, b, X, y = drawn
    signed = np.where(y == 1, 1, -1) * (X @ w + b)
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(
            ps6.cost(w, b, X, y), np.mean(-scipy.special.log_expit(signed)), rtol=1e-9, atol=1e-9
        )
        dw, db = ps6.gradients(w, b, X, y)
        assert np.all(np.isfinite([*dw, db]))
        assert np.all(np.isfinite(ps6.hessian(w, b, X)))


@settings(max_examples=30)
@given(drawn=data())
def test_gradients_and_hessian_are_autograds(ps6, drawn):
    w, b, X, y = drawn
    tilde = np.column_stack([X, np.ones(len(X))])

    def mean_cost(theta):
        z = anp.dot(tilde, theta)
        return anp.mean(anp.logaddexp(0.0, z) - y * z)

    theta = np.append(w, b)
    dw, db = ps6.gradients(w, b, X, y)
    close(np.append(dw, db), autograd.grad(mean_cost)(theta))
    received = ps6.hessian(w, b, X)
    np.testing.assert_allclose(received, autograd.hessian(mean_cost)(theta), rtol=1e-8, atol=1e-10)
    assert np.linalg.eigvalsh(received)[0] >= -1e-10


@settings(max_examples=30)
@given(drawn=data())
def test_largest_stable_rate_bounds_the_curvature(ps6, drawn):
    w, b, X, y = drawn
    bound = 2 / ps6.largest_stable_rate(X)
    close(bound, np.linalg.eigvalsh(ps6.hessian(np.zeros_like(w), 0.0, X))[-1])
    assert np.linalg.eigvalsh(ps6.hessian(w, b, X))[-1] <= bound * (1 + 1e-9)
    history = ps6.fit(X, y, 0.99 * ps6.largest_stable_rate(X), 30)[2]
    assert np.all(np.diff(history) <= 1e-12)


def test_fit_arrives_where_scikit_learn_does(ps6):
    rng = np.random.default_rng(6)
    X = rng.normal(0, 1, (60, 3))
    y = (rng.random(60) < scipy.special.expit(X @ [1.0, -0.5, 0.2] + 0.3)).astype(int)
    w, b, history = ps6.fit(X, y, 1.0, 2000)
    model = ScikitLearns(C=1e12, tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(np.append(w, b), np.append(model.coef_, model.intercept_), atol=1e-5)
    optimum = scipy.optimize.minimize(lambda theta: ps6.cost(theta[:3], theta[3], X, y), np.zeros(4))
    assert abs(history[-1] - optimum.fun) < 1e-9
    own = ps6.LogisticRegression(1.0, 2000).fit(X, y)
    close(own.w, w)
    close(own.history, history)
    close(own.predict_proba(X), scipy.special.expit(X @ w + b))
    assert np.array_equal(own.predict(X), model.predict(X))
    assert own.score(X, y) == model.score(X, y)


def test_the_titanic_is_scikit_learns(ps6, titanic):
    X, y = ps6.design_matrix(titanic.passengers), titanic.survived
    assert X.shape == (2201, 5)
    assert y.sum() == 711
    accuracy, ratios = ps6.odds_report(X, y, ps6.fit)
    model = ScikitLearns(C=1e12, tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(ratios, np.exp(model.coef_[0]), rtol=1e-4)
    assert accuracy == model.score(X, y) == 1713 / 2201
    np.testing.assert_allclose(ratios, [2.358, 0.852, 0.398, 11.247, 2.891], atol=5e-4)


def test_second_derivatives_are_those_of_the_losses(ps6):
    z, y = sp.symbols("z y")
    p = 1 / (1 + sp.exp(-z))
    losses = {"d2_bce": sp.log(1 + sp.exp(z)) - y * z, "d2_squared_error": (p - y) ** 2}
    for name, loss in losses.items():
        for at in ({z: sp.Rational(-5, 3), y: 1}, {z: sp.Rational(1, 7), y: 0}, {z: 4, y: sp.Rational(1, 3)}):
            difference = (sp.diff(loss, z, 2) - getattr(ps6, name)).subs(at).evalf(40)
            assert abs(difference) < sp.Float("1e-30")
    assert sp.diff(losses["d2_squared_error"], z, 2).subs({z: ps6.z_concave, y: 1}).evalf() < 0
