"""Newton's method against scikit-learn, and its leave-one-out scores against leaving out."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import LinearSVC

from manyhot.estimators.narrow import solve_narrow


def drawn(rows=80, width=4, seed=0):
    rng = np.random.default_rng(seed)
    features = np.column_stack([rng.normal(size=(rows, width)), np.ones(rows)])
    sign = np.where(features @ rng.normal(size=width + 1) + rng.normal(size=rows) > 0, 1.0, -1.0)
    return features, sign


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic", "squared"])
def test_the_minimum_is_scikit_learns(loss):
    features, sign = drawn()
    found = solve_narrow(features, sign, np.full(80, 2.0), loss=loss, start=np.zeros(5), leave_out=False)
    if loss == "logistic":
        model = LogisticRegression(C=2.0, solver="liblinear", tol=1e-12, fit_intercept=False, max_iter=1000)
    elif loss == "squared":
        model = RidgeClassifier(alpha=1 / 4, fit_intercept=False)
    else:
        model = LinearSVC(C=2.0, tol=1e-12, fit_intercept=False, max_iter=1_000_000)
    np.testing.assert_allclose(found.weights, np.ravel(model.fit(features, sign).coef_), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic", "squared"])
def test_left_out_scores_are_near_those_of_models_without_the_row(loss):
    features, sign = drawn()
    cost = np.full(80, 0.5)
    found = solve_narrow(features, sign, cost, loss=loss, start=np.zeros(5), leave_out=True)
    wanted = np.empty(80)
    for row in range(80):
        without = np.where(np.arange(80) == row, 0.0, cost)
        own = solve_narrow(features, sign, without, loss=loss, start=found.weights.copy(), leave_out=False)
        wanted[row] = features[row] @ own.weights
    assert found.left_out is not None
    kept = features @ found.weights
    # the closed form is first order: at most a tenth of what leaving out changes may be missed, on average
    assert np.abs(found.left_out - wanted).mean() < 0.1 * np.abs(kept - wanted).mean()


def test_rows_of_no_weight_take_no_part():
    features, sign = drawn()
    cost = np.where(np.arange(80) < 60, 1.0, 0.0)
    part = solve_narrow(features, sign, cost, loss="logistic", start=np.zeros(5), leave_out=False)
    only = solve_narrow(
        features[:60], sign[:60], cost[:60], loss="logistic", start=np.zeros(5), leave_out=False
    )
    np.testing.assert_allclose(part.weights, only.weights, rtol=1e-9)
