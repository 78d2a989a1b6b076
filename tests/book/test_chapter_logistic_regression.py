"""The fits of the chapter on logistic regression agree with scikit-learn's, without its penalty."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as OtherLogisticRegression

from tests.support.chapter_functions import names_of


@pytest.fixture(scope="module")
def chapter():
    """The names that the chapter's cells before the exercises define."""
    return names_of("book/models/logistic-regression")


def unpenalised(X, y):
    return OtherLogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X, y)


def test_the_coefficients_of_the_titanic_agree(chapter):
    other = unpenalised(chapter["X"], chapter["y"])
    w, b = chapter["titanic"].theta
    np.testing.assert_allclose(w, other.coef_[0], rtol=1e-5)
    np.testing.assert_allclose(b, other.intercept_[0], rtol=1e-5)


def test_the_probabilities_and_the_accuracy_of_the_titanic_agree(chapter):
    X, y, titanic = (chapter[name] for name in ("X", "y", "titanic"))
    other = unpenalised(X, y)
    np.testing.assert_allclose(titanic.predict_proba(X), other.predict_proba(X)[:, 1], rtol=1e-5)
    assert titanic.score(X, y) == other.score(X, y)


def test_both_leave_xor_undecided(chapter):
    other = unpenalised(chapter["X_xor"], chapter["y_xor"])
    np.testing.assert_allclose(other.predict_proba(chapter["X_xor"]), 0.5, atol=1e-8)
    np.testing.assert_allclose(chapter["w_xor"], 0, atol=1e-3)


def test_the_known_run_is_reproduced(chapter):
    published = [
        0.6931471805599453, 0.5785085057822918, 0.5101523134039823, 0.45569542496216126, 0.41178408708668,
        0.375887072920645, 0.3461301007463976, 0.32113124406621973, 0.2998672766461169, 0.28157381490682754,
    ]  # fmt: skip
    np.testing.assert_allclose(chapter["history"][::100], published, rtol=0, atol=1e-8)
