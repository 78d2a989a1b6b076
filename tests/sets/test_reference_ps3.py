"""The reference solution of ps3-bugfix agrees with SciPy, scikit-learn and autograd on random inputs and extremes."""

from types import SimpleNamespace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import log_loss

from autograder.problem_set.source import find_problem_sets

LOGITS = st.floats(-1000, 1000)
CHANCES = st.one_of(st.sampled_from([0.0, 1.0, 1e-300, 0.5]), st.floats(0, 1))


@pytest.fixture(scope="module")
def ps3(course):
    """The names that the locked cells and the reference solution define."""
    (problem_set,) = find_problem_sets(course, ["ps3-bugfix"])
    defined = {"np": np}
    for cell in problem_set.notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("faulty_"):
            exec(cell.source, defined)
    for name, answer in problem_set.reference_answers.items():
        if not problem_set.items[name].by_hand:
            exec(answer, defined)
    return SimpleNamespace(**defined)


@st.composite
def samples(draw, elements, max_n=8):
    """Draw labels 0 or 1, and equally many numbers."""
    n = draw(st.integers(1, max_n))
    return draw(hnp.arrays(int, n, elements=st.integers(0, 1))), draw(hnp.arrays(float, n, elements=elements))


@st.composite
def scores(draw):
    """Draw a batch of logits with at most one -inf in a row of two or more."""
    z = draw(hnp.arrays(float, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5), elements=LOGITS))
    if z.shape[-1] > 1 and draw(st.booleans()):
        z[..., draw(st.integers(0, z.shape[-1] - 1))] = -np.inf
    return z


def close(received, expected):
    np.testing.assert_allclose(received, expected, rtol=1e-9, atol=1e-12)


@given(z=scores())
def test_softmax_and_its_logarithm_are_scipys(ps3, z):
    close(ps3.softmax(z), scipy.special.softmax(z, axis=-1))
    close(ps3.log_softmax(z), scipy.special.log_softmax(z, axis=-1))


@settings(max_examples=30, deadline=None)
@given(z=hnp.arrays(float, st.integers(1, 6), elements=st.floats(-20, 20)))
def test_the_jacobian_is_autograds(ps3, z):
    def plain(z):
        e = anp.exp(z - anp.max(z))
        return e / anp.sum(e)

    np.testing.assert_allclose(ps3.softmax_jacobian(z), autograd.jacobian(plain)(z), rtol=1e-7, atol=1e-12)
    close(ps3.softmax_jacobian(z).sum(axis=1), 0)


@given(z=hnp.arrays(float, hnp.array_shapes(max_dims=2), elements=LOGITS))
def test_the_sigmoid_is_scipys_and_its_slope_keeps_its_digits(ps3, z):
    with np.errstate(all="raise", under="ignore"):
        p, slope = ps3.sigmoid(z), ps3.sigmoid_derivative(z)
    close(p, scipy.special.expit(z))
    expected = scipy.special.expit(z) * scipy.special.expit(-z)
    np.testing.assert_allclose(slope, expected, rtol=1e-9, atol=1e-300)


@given(yp=samples(CHANCES))
def test_binary_cross_entropy_is_scipys(ps3, yp):
    y, p = yp
    expected = np.mean(-scipy.special.xlogy(y, p) - scipy.special.xlogy(1 - y, 1 - p))
    close(ps3.binary_cross_entropy(y, p), expected)
    assert ps3.binary_cross_entropy(y, y) == 0
    assert ps3.binary_cross_entropy(y, 1 - y) == np.inf


@given(yz=samples(LOGITS))
def test_the_loss_from_logits_is_scipys(ps3, yz):
    y, z = yz
    close(ps3.bce_with_logits(y, z), np.mean(-scipy.special.log_expit(np.where(y == 1, z, -z))))


@settings(max_examples=30, deadline=None)
@given(yz=samples(st.floats(-15, 15)))
def test_the_slopes_are_autograds(ps3, yz):
    y, z = yz
    p = scipy.special.expit(z)

    def losses(p):
        return -(y * anp.log(p) + (1 - y) * anp.log(1 - p))

    slopes = autograd.elementwise_grad(losses)(p)
    np.testing.assert_allclose(ps3.bce_derivative(y, p), slopes, rtol=1e-9)
    gradient = autograd.grad(lambda z: anp.mean(anp.logaddexp(0.0, z) - y * z))(z)
    np.testing.assert_allclose(ps3.output_gradient(y, p), gradient, rtol=1e-6, atol=1e-12)


@given(yp=samples(st.sampled_from([0.0, 1.0])))
def test_certain_forecasts_make_no_nan(ps3, yp):
    y, p = yp
    close(ps3.output_gradient(y, p), (p - y) / len(y))
    slopes = ps3.bce_derivative(y, p)
    assert not np.any(np.isnan(slopes))
    assert np.all(np.sign(slopes) == 1 - 2 * y)


@settings(max_examples=50)
@given(n=st.integers(1, 6), k=st.integers(2, 5), scale=st.sampled_from([1, 300]), seed=st.integers(0, 2**32 - 1))
def test_categorical_cross_entropies_are_scikit_learns(ps3, n, k, scale, seed):
    rng = np.random.default_rng(seed)
    y, Z = rng.integers(0, k, n), rng.normal(0, scale, (n, k))
    P = scipy.special.softmax(rng.normal(0, 1, (n, k)), axis=1)
    close(ps3.categorical_cross_entropy(y, P), log_loss(y, P, labels=range(k)))
    expected = np.mean(-scipy.special.log_softmax(Z, axis=1)[np.arange(n), y])
    for labels in (y, np.eye(k)[y]):
        close(ps3.categorical_cross_entropy_with_logits(labels, Z), expected)
        close(ps3.categorical_cross_entropy(labels, P), ps3.categorical_cross_entropy(y.tolist(), P.tolist()))


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 6), d=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_training_follows_autograds_gradient(ps3, n, d, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, d)), rng.integers(0, 2, n)

    def cost(v):
        z = anp.dot(X, v[:-1]) + v[-1]
        return anp.mean(anp.logaddexp(0.0, z) - y * z)

    v, history = np.zeros(d + 1), []
    for _ in range(5):
        history.append(cost(v))
        w, b = ps3.gradient_step(v[:-1], v[-1], X, y, 0.3)
        v = v - 0.3 * autograd.grad(cost)(v)
        close([*w, b], v)
    w, b, recorded = ps3.train(X, y, 0.3, 5)
    close([*w, b], v)
    close(recorded, history)


def test_the_faults_print_the_numbers_of_the_source_material(ps3):
    """Each faulty function gives the same result as the texts from which the course started."""
    Y = [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]
    P = [[0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8], [0.3, 0.6, 0.1], [0.8, 0.1, 0.1]]
    np.testing.assert_allclose(ps3.faulty_softmax([2, 1, 0.1]), [4.86939638, 1.79135082, 0.72830889], atol=1e-8)
    jacobian = [
        [-18.84162476, -8.72279721, -3.54642469],
        [-8.72279721, -1.41758694, -1.30465673],
        [-3.54642469, -1.30465673, 0.19787505],
    ]
    np.testing.assert_allclose(ps3.faulty_softmax_jacobian([2, 1, 0.1]), jacobian, atol=1e-8)
    loss = ps3.faulty_binary_cross_entropy([1, 0, 1, 1, 0], [0.9, 0.1, 0.8, 0.7, 0.2])
    assert loss == pytest.approx(0.0713349887877465, abs=1e-12)
    slopes = ps3.faulty_bce_derivative([0, 1, 0], [0.2, 0.6, 0.8])
    np.testing.assert_allclose(slopes, [0.41666667, -0.55555556, 1.66666667], atol=1e-8)
    assert ps3.faulty_bce_with_logits([1], [np.log(9)]) == pytest.approx(0.3412, abs=1e-4)
    assert ps3.faulty_categorical_cross_entropy(Y, P) == pytest.approx(0.2571233586732892 / 3, abs=1e-12)
    assert -1.2e-15 < 2 * ps3.faulty_categorical_cross_entropy([[1, 0]], [[1.0, 0.0]]) < -1.0e-15
    with np.errstate(all="ignore"):
        assert np.isnan(ps3.faulty_binary_cross_entropy([1], [1.0]))
        assert np.isnan(ps3.faulty_output_gradient([1], [1.0])[0])
    with pytest.raises(UnboundLocalError):
        ps3.faulty_train([[1.0]], [1], 0.1, 1)
