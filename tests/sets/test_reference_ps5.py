"""The reference solution of ps5-arrays agrees with SciPy, scikit-learn and autograd on random inputs and extremes."""

from types import SimpleNamespace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import StandardScaler, label_binarize

from autograder.problem_set.source import find_problem_sets

NUMBERS = st.floats(-10, 10).map(lambda x: round(x, 6))
LOGITS = st.one_of(st.floats(-5, 5), st.floats(-1000, 1000))
FEW = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def ps5(course):
    """The names that the reference solution defines."""
    (problem_set,) = find_problem_sets(course, ["ps5-arrays"])
    defined = {"np": np}
    for name, answer in problem_set.reference_answers.items():
        if not problem_set.items[name].by_hand:
            exec(answer, defined)
    return SimpleNamespace(**defined)


def close(received, expected, atol=1e-12):
    np.testing.assert_allclose(received, expected, rtol=1e-9, atol=atol)


def table(n, d, elements=NUMBERS):
    return hnp.arrays(float, (n, d), elements=elements)


@FEW
@given(z=hnp.arrays(float, st.integers(1, 8), elements=LOGITS), b=st.floats(-3, 3))
def test_probabilities_are_scipys(ps5, z, b):
    np.testing.assert_allclose(
        ps5.predict_proba(z[:, None], [1.0], b), scipy.special.expit(z + b), rtol=1e-9, atol=np.finfo(float).tiny
    )


@FEW
@given(data=st.data(), n=st.integers(1, 6), d=st.integers(1, 4), rate=st.floats(0, 2))
def test_a_step_follows_autograds_gradient(ps5, data, n, d, rate):
    X, w = data.draw(table(n, d)), data.draw(hnp.arrays(float, d, elements=NUMBERS))
    y = data.draw(hnp.arrays(int, n, elements=st.integers(0, 1)))
    b = data.draw(NUMBERS)

    def cost(theta):
        z = anp.dot(X, theta[:-1]) + theta[-1]
        return anp.mean(anp.logaddexp(0.0, z) - y * z)

    expected = np.append(w, b) - rate * autograd.grad(cost)(np.append(w, b))
    new_w, new_b = ps5.gradient_step(w, b, X, y, rate)
    close(np.append(new_w, new_b), expected, atol=1e-9)


@FEW
@given(data=st.data(), n=st.integers(1, 8), d=st.integers(1, 4))
def test_standardised_data_are_scikit_learns(ps5, data, n, d):
    X = data.draw(table(n, d, st.integers(-1000, 1000).map(float)))
    constant = data.draw(st.sampled_from([0.1, 0.7, 1e9 / 3]))
    received = ps5.standardize(np.column_stack([X, np.full(n, constant)]))
    close(received[:, :-1], StandardScaler().fit_transform(X))
    assert not received[:, -1].any()


@FEW
@given(
    pairs=st.integers(2, 6).flatmap(
        lambda k: st.tuples(st.just(k), st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1))
    )
)
def test_labels_are_counted_as_by_scikit_learn(ps5, pairs):
    k, both = pairs[0], np.array(pairs[1])
    y, y_hat = both.T
    np.testing.assert_array_equal(ps5.confusion_matrix(y, y_hat, k), confusion_matrix(y, y_hat, labels=range(k)))
    np.testing.assert_array_equal(ps5.confusion_matrix(y * 1.0, y_hat, k), confusion_matrix(y, y_hat, labels=range(k)))
    expected = label_binarize(y, classes=range(k + 1))
    np.testing.assert_array_equal(ps5.one_hot(y * 1.0, k + 1), expected)
    for bad in (k, -1, 0.5):
        with pytest.raises(ValueError, match="y must"):
            ps5.one_hot([0, bad], k)
        with pytest.raises(ValueError, match="y_hat must"):
            ps5.confusion_matrix([0, 0], [0, bad], k)


@FEW
@given(data=st.data(), n=st.integers(1, 6), m=st.integers(1, 6), d=st.integers(1, 4))
def test_distances_are_scipys_and_never_negative(ps5, data, n, m, d):
    A, B = data.draw(table(n, d)), data.draw(table(m, d))
    received = ps5.pairwise_sq_distances(A, B)
    close(received, cdist(A, B, "sqeuclidean"))
    assert received.min() >= 0


@FEW
@given(
    Z=hnp.arrays(float, hnp.array_shapes(max_dims=3, max_side=4), elements=st.one_of(LOGITS, st.just(-np.inf))),
    place=st.integers(0, 2),
)
def test_log_sum_exp_is_scipys(ps5, Z, place):
    axis = place % Z.ndim
    expected = np.apply_along_axis(scipy.special.logsumexp, axis, Z)
    close(ps5.log_sum_exp(Z, axis=axis), expected)
    close(ps5.log_sum_exp(Z, axis=axis - Z.ndim), expected)


@FEW
@given(shapes=st.lists(st.lists(st.integers(0, 3), max_size=4).map(tuple), max_size=4))
def test_shapes_broadcast_as_numpys(ps5, shapes):
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ValueError, match="fit"):
            ps5.broadcast_shape(*shapes)
    else:
        assert ps5.broadcast_shape(*shapes) == expected


@FEW
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=4), seed=st.integers(0, 2**32 - 1))
def test_the_way_back_is_the_transpose_of_broadcasting(ps5, shapes, seed):
    rng = np.random.default_rng(seed)
    for shape in shapes.input_shapes:
        G, operand = rng.normal(size=shapes.result_shape), rng.normal(size=shape)
        back = ps5.unbroadcast(G, shape)
        assert np.shape(back) == shape
        close(np.sum(back * operand), np.sum(G * np.broadcast_to(operand, G.shape)), atol=1e-9)


@FEW
@given(data=st.data(), n=st.integers(1, 8))
def test_residuals_do_not_depend_on_the_shape(ps5, data, n):
    y, p = data.draw(hnp.arrays(float, (2, n), elements=NUMBERS))
    for first in ((n,), (n, 1), (1, n)):
        for second in ((n,), (n, 1), (1, n)):
            close(ps5.mean_squared_residual(y.reshape(first), p.reshape(second)), np.mean((y - p) ** 2))
    with pytest.raises(ValueError, match="number of entries"):
        ps5.mean_squared_residual(y, np.append(p, 0.0))
