"""Least squares against scikit-learn's ridge regression, and its leave-one-out scores against leaving out."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge

from manyhot.estimators.squared import solve_squared


def drawn(rows=60, width=5, labels=3):
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.normal(size=(rows, width)), np.ones(rows)])
    truth = (features @ rng.normal(size=(width + 1, labels)) + rng.normal(size=(rows, labels)) > 0.5) * 1.0
    return features, truth, rng.integers(0, 3, rows).astype(float)


def ridge(features, truth, weight, C):
    model = Ridge(alpha=1 / (2 * C), fit_intercept=False)
    return model.fit(features, 2 * truth - 1, sample_weight=weight).coef_


def test_weights_are_those_of_ridge_regression():
    features, truth, weight = drawn()
    found = solve_squared(features, csr_array(truth), weight, [0.1, 3.0], leave_out=False)
    for C, each in zip([0.1, 3.0], found, strict=True):
        np.testing.assert_allclose(each.weights, ridge(features, truth, weight, C), rtol=1e-9)
        assert each.left_out is None


def test_left_out_scores_are_those_of_models_without_the_row(monkeypatch):
    features, truth, weight = drawn()
    monkeypatch.setattr("manyhot.estimators.squared.BLOCK", 25)
    found = solve_squared(features, csr_array(truth), weight, [0.5], leave_out=True)[0]
    for row in range(len(truth)):
        without = np.where(np.arange(len(truth)) == row, 0.0, weight)
        wanted = ridge(features, truth, without, 0.5) @ features[row]
        np.testing.assert_allclose(found.left_out[row], wanted, rtol=1e-8)


def test_single_precision_agrees_with_double():
    features, truth, weight = drawn()
    double = solve_squared(features, csr_array(truth), weight, [1.0], leave_out=True)[0]
    single = solve_squared(features.astype(np.float32), csr_array(truth), weight, [1.0], leave_out=True)[0]
    assert single.left_out.dtype == np.float32
    np.testing.assert_allclose(single.weights, double.weights, atol=1e-5)
    np.testing.assert_allclose(single.left_out, double.left_out, atol=1e-5)


def test_a_row_that_alone_decides_a_weight_is_finite_without_itself():
    features = np.column_stack([np.eye(4), np.ones(4)])
    found = solve_squared(features, csr_array(np.eye(4)), np.ones(4), [1e12], leave_out=True)[0]
    assert np.isfinite(found.left_out).all()


@pytest.mark.parametrize("labels", [1, 4])
def test_labels_without_positives_score_low(labels):
    features, truth, weight = drawn(labels=labels)
    truth[:, 0] = 0
    found = solve_squared(features, csr_array(truth), weight, [1.0], leave_out=True)[0]
    assert (found.left_out[:, 0] < 0).all()
