"""The reference solution of ps7 agrees with autograd, SciPy and scikit-learn on random inputs and extremes."""

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
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from autograder.problem_set.source import find_problem_sets


@pytest.fixture(scope="module")
def ps7(course):
    """The names that the reference solution and the set's locked cells define."""
    (problem_set,) = find_problem_sets(course, ["ps7-neural-networks"])
    defined = {"np": np, "sp": sp}
    for cell in problem_set.notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") in ("theatre", "witness"):
            exec(cell.source, defined)
    for name, answer in problem_set.reference_answers.items():
        if not problem_set.items[name].by_hand:
            exec(answer, defined)
    return SimpleNamespace(**defined)


@st.composite
def networks(draw, scales=(0.1, 1.0, 30.0)):
    """Draw the parameters of a network of any depth, with samples and labels."""
    sizes = [*draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)), 1]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale, parameters = draw(st.sampled_from(scales)), {}
    for layer in range(1, len(sizes)):
        parameters[f"W{layer}"] = scale * rng.standard_normal((sizes[layer - 1], sizes[layer]))
        parameters[f"b{layer}"] = scale * rng.standard_normal(sizes[layer])
    n = draw(st.integers(1, 6))
    return parameters, rng.standard_normal((n, sizes[0])), rng.integers(0, 2, size=(n, 1))


def close(received, expected):
    np.testing.assert_allclose(received, expected, rtol=1e-9, atol=1e-12)


def logits(parameters, X):
    """Compute the last layer's sums in a way that autograd can differentiate."""
    Z = X
    for layer in range(1, len(parameters) // 2 + 1):
        Z = anp.dot(Z if layer == 1 else anp.tanh(Z), parameters[f"W{layer}"]) + parameters[f"b{layer}"]
    return Z


def test_the_slope_of_tanh_is_sympys(ps7):
    z = sp.Symbol("z")
    assert sp.simplify((ps7.d_tanh - sp.diff(sp.tanh(z), z)).rewrite(sp.exp)) == 0
    at = np.linspace(-5, 5, 11)
    close(sp.lambdify(z, ps7.d_tanh)(at), autograd.elementwise_grad(anp.tanh)(at))


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 30), min_size=2, max_size=4), seed=st.integers(0, 10**6))
def test_the_start_is_normal(ps7, sizes, seed):
    drawn = ps7.init_parameters(sizes, seed)
    unit = []
    for layer in range(1, len(sizes)):
        assert drawn[f"W{layer}"].shape == (sizes[layer - 1], sizes[layer])
        assert np.array_equal(drawn[f"b{layer}"], np.zeros(sizes[layer]))
        unit.append(drawn[f"W{layer}"].ravel() * np.sqrt(sizes[layer - 1]))
    assert scipy.stats.kstest(np.concatenate(unit), "norm").pvalue > 1e-7
    assert all(np.array_equal(values, ps7.init_parameters(sizes, seed)[name]) for name, values in drawn.items())


@settings(max_examples=50)
@given(network=networks(scales=(0.1, 1.0, 30.0, 1000.0)))
def test_forward_and_cost_are_scipys(ps7, network):
    parameters, X, Y = network
    Z = logits(parameters, X)
    A, cache = ps7.forward(X, parameters)
    close(A, scipy.special.expit(Z))
    close(cache[f"A{len(parameters) // 2}"], A)
    received = ps7.cost(parameters, X, Y)
    close(received, -np.mean(scipy.special.log_expit((2 * Y - 1) * Z)))
    if np.all(np.abs(Z) < 20):
        np.testing.assert_allclose(received, log_loss(Y.ravel(), A.ravel(), labels=[0, 1]), rtol=1e-6)


@settings(max_examples=40)
@given(network=networks())
def test_backward_is_autograds_and_the_witness_agrees(ps7, network):
    parameters, X, Y = network
    _, cache = ps7.forward(X, parameters)
    received = ps7.backward(parameters, cache, X, Y)
    expected = autograd.grad(lambda moved: anp.mean(anp.logaddexp(0, logits(moved, X)) - Y * logits(moved, X)))(
        parameters
    )
    measured = ps7.numerical_gradients(lambda moved: ps7.cost(moved, X, Y), parameters)
    for name in parameters:
        assert received["d" + name].shape == parameters[name].shape
        np.testing.assert_allclose(received["d" + name], expected[name], rtol=1e-9, atol=1e-11)
        if max(np.max(np.abs(values)) for values in parameters.values()) < 5:
            np.testing.assert_allclose(received["d" + name], measured["d" + name], rtol=1e-5, atol=1e-7)


@settings(max_examples=15)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    rate=st.floats(0.01, 2),
    steps=st.integers(0, 12),
    seed=st.integers(0, 10**6),
)
def test_train_is_forward_backward_update(ps7, sizes, rate, steps, seed):
    sizes = [*sizes, 1]
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((5, sizes[0])), rng.integers(0, 2, size=(5, 1))
    final, history = ps7.train(X, Y, sizes, rate, steps, seed)
    expected, costs = ps7.train(X, Y, sizes, rate, 0, seed)
    for _ in range(steps):
        costs.append(ps7.cost(expected, X, Y))
        _, cache = ps7.forward(X, expected)
        expected = ps7.update(expected, ps7.backward(expected, cache, X, Y), rate)
    close(history, costs)
    for name, values in expected.items():
        np.testing.assert_allclose(final[name], values, rtol=1e-8, atol=1e-11)


def test_one_step_is_scikit_learns(ps7):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((10, 3)), rng.integers(0, 2, size=(10, 1))
    theirs = MLPClassifier((4,), activation="tanh", solver="sgd", alpha=0, momentum=0, batch_size=10, shuffle=False)
    theirs.set_params(learning_rate_init=0.3, max_iter=1, random_state=0)
    theirs.partial_fit(X, Y.ravel(), classes=[0, 1])  # makes the arrays; a step from our start follows
    start = ps7.init_parameters([3, 4, 1], 1)
    for layer in (1, 2):
        theirs.coefs_[layer - 1][...] = start[f"W{layer}"]
        theirs.intercepts_[layer - 1][...] = start[f"b{layer}"]
    close(theirs.predict_proba(X)[:, 1:], ps7.forward(X, start)[0])
    theirs.partial_fit(X, Y.ravel())
    _, cache = ps7.forward(X, start)
    moved = ps7.update(start, ps7.backward(start, cache, X, Y), 0.3)
    for layer in (1, 2):
        close(theirs.coefs_[layer - 1], moved[f"W{layer}"])
        close(theirs.intercepts_[layer - 1], moved[f"b{layer}"])


@pytest.mark.parametrize("sizes", [[2, 8, 1], [2, 8, 8, 1]])
def test_the_light_works(ps7, sizes):
    X, Y = ps7.lighting_book()
    for seed in range(2):
        parameters, history = ps7.train(X, Y, sizes, 0.5, 5000, seed)
        assert np.array_equal(ps7.forward(X, parameters)[0] > 0.5, Y == 1)
        assert len(history) == 5000
