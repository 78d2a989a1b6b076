"""The chapter on softmax: its stable forms are as accurate as it says, and agree with SciPy and autograd."""

import math
import re

import autograd
import autograd.numpy
import mpmath as mp
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from tests.support.book_pages import markdown_of
from tests.support.chapter_functions import functions_of

CHAPTER = functions_of("book/likelihood/softmax")
GALLERY = functions_of("book/practice/fault-gallery")
softmax, log_softmax, bce_from_logit = CHAPTER["softmax"], CHAPTER["log_softmax"], CHAPTER["bce_from_logit"]
SHAPE = np.array([1, 0.7, 0.4])
BOTH = pytest.mark.parametrize("kind", [np.float64, np.float32])


def sizes(kind):
    """Sizes of logits with both signs, spread as evenly over the decades of a format as a test can."""
    info = np.finfo(kind)
    low, high = math.log10(float(info.smallest_subnormal)), math.log10(float(info.max) / 4)
    exponents = st.floats(low + 1, high) | st.floats(0, 4)
    return st.tuples(exponents, st.sampled_from([1, -1])).map(lambda e: e[1] * 10 ** e[0])


def error(got, true, kind) -> float:
    """The worst relative error in units of machine epsilon; for subnormal values, relative to the least normal one."""
    tiny, eps = float(np.finfo(kind).tiny), float(np.finfo(kind).eps)
    assert np.isfinite(got).all()
    return max(
        float(abs(mp.mpf(float(g)) - t) / max(abs(t), tiny)) / eps
        for g, t in zip(np.atleast_1d(got), true, strict=True)
    )


def allowance(z, kind) -> float:
    """Rounding of z - max z, magnified by exp, until exp is 0; plus a few units."""
    spread = float(z.max()) - float(z.min())
    return 8 + min(spread, -math.log(float(np.finfo(kind).smallest_subnormal)))


@BOTH
@given(data=st.data())
def test_the_stable_forms_are_right_at_logits_of_every_size(kind, data):
    z = (data.draw(sizes(kind)) * SHAPE).astype(kind)
    with mp.workdps(40):
        exact = [mp.mpf(float(v)) for v in z]
        top = exact.index(max(exact))
        rest = mp.fsum(mp.exp(v - exact[top]) for i, v in enumerate(exact) if i != top)
        equal_places = sum(v == exact[top] for v in exact) > 1  # all logits rounded to one subnormal
        assert error(softmax(z), [mp.exp(v - exact[top]) / (1 + rest) for v in exact], kind) <= allowance(z, kind)
        if not equal_places:
            assert error(log_softmax(z), [v - exact[top] - mp.log1p(rest) for v in exact], kind) <= allowance(z, kind)
        for y in (0, 1):
            true = mp.log1p(mp.exp(-abs(exact[0]))) + max(exact[0] * (1 - 2 * y), 0)
            assert error(bce_from_logit(z[0], kind(y)), [true], kind) <= 8


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=12))
def test_they_agree_with_scipy(logits):
    z = np.array(logits)
    np.testing.assert_allclose(softmax(z), scipy.special.softmax(z), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(log_softmax(z), scipy.special.log_softmax(z), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(CHAPTER["log_sum_exp"](z), scipy.special.logsumexp(z), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(CHAPTER["one_pass"](z), scipy.special.logsumexp(z), rtol=1e-9, atol=1e-9)


@given(st.floats(-700, 700))
def test_the_sigmoid_agrees_with_scipy_and_is_silent(z):
    assert CHAPTER["sigmoid"](z) == pytest.approx(float(scipy.special.expit(z)), rel=1e-12)
    assert (CHAPTER["sigmoid"](-1e300), CHAPTER["sigmoid"](1e300)) == (0, 1)


def test_the_jacobian_agrees_with_autograd():
    z = np.array([2, 1, 0.1])
    jacobian = autograd.jacobian(lambda z: autograd.numpy.exp(z) / autograd.numpy.sum(autograd.numpy.exp(z)))
    np.testing.assert_allclose(GALLERY["jacobian_from"](softmax(z)), jacobian(z), rtol=1e-12)


@given(st.lists(st.floats(-1000, 1000) | st.just(-math.inf), min_size=1, max_size=12))
def test_one_pass_takes_masked_logits_anywhere(logits):
    expected = float(np.logaddexp.reduce(logits))
    assert CHAPTER["one_pass"](logits) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-700, 700), st.floats(-5, 5)), min_size=1, max_size=12))
def test_attention_in_one_pass_is_the_mean_under_the_softmax(pairs):
    z, v = np.array(pairs).T
    assert CHAPTER["attention"](pairs) == pytest.approx(float(scipy.special.softmax(z) @ v), rel=1e-9, abs=1e-9)


def test_scipy_has_the_functions_that_the_table_names():
    """Each name in the column for SciPy is the function of its row."""
    z = np.array([2, 1, -0.5])
    formulas = {
        "sigma(z)": 1 / (1 + np.exp(-z)),
        "ln \\sigma(z)": -np.log(1 + np.exp(-z)),
        "s(z)": np.log(1 + np.exp(z)),
        "operatorname{softmax}(z)": np.exp(z) / np.exp(z).sum(),
        "ln \\operatorname{softmax}(z)": z - np.log(np.exp(z).sum()),
        "operatorname{LSE}(z)": np.log(np.exp(z).sum()),
    }
    rows = re.findall(
        r"^\| \$\\?(.*?)\$ \| `([\w.]+)(?:\(0, z\))?` \| `", markdown_of("book/likelihood/softmax"), re.MULTILINE
    )
    assert [row for row, _ in rows] == list(formulas)
    for row, name in rows:
        function = (lambda z: np.logaddexp(0, z)) if name == "np.logaddexp" else getattr(scipy.special, name)
        np.testing.assert_allclose(function(z), formulas[row], err_msg=name)
