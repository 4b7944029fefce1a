"""Landmark features against scikit-learn's Gaussian kernel, and a model on all rows against its ridge."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import make_multilabel_classification
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import f1_score
from sklearn.metrics.pairwise import rbf_kernel

from manyhot.estimators import LinearManyHot
from manyhot.estimators.landmarks import Landmarks


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(90, 6))


def mean_squared_distance(X):
    return np.square(X[:, None] - X[None]).sum(axis=2).mean()


def test_products_with_landmarks_are_their_gaussian_similarity(rows):
    found = Landmarks.drawn(rows, 20, np.ones(90), seed=0)
    assert found.scale == pytest.approx(mean_squared_distance(rows))
    wanted = rbf_kernel(rows, found.points, 1 / found.scale)
    np.testing.assert_allclose(found.features(rows) @ found.features(found.points).T, wanted, atol=1e-4)


def test_sparse_rows_are_as_dense_ones(rows, monkeypatch):
    rows = np.where(np.abs(rows) > 0.8, rows, 0)
    monkeypatch.setattr("manyhot.estimators.landmarks.BLOCK", 40)
    dense = Landmarks.drawn(rows, 20, np.ones(90), seed=0)
    sparse = Landmarks.drawn(csr_array(rows), 20, np.ones(90), seed=0)
    assert sparse.scale == pytest.approx(dense.scale)
    np.testing.assert_allclose(sparse.features(csr_array(rows)), dense.features(rows), atol=1e-5)


def test_rows_without_chance_are_never_drawn(rows):
    chance = np.where(np.arange(90) < 30, 1.0, 0.0)
    found = Landmarks.drawn(rows, 50, chance, seed=0)
    np.testing.assert_array_equal(found.points, rows[:30])


def test_equal_rows_do_not_break_it():
    found = Landmarks.drawn(np.ones((5, 2)), 5, np.ones(5), seed=0)
    assert np.isfinite(found.features(np.zeros((2, 2)))).all()


def test_with_all_rows_it_is_kernel_ridge(rows):
    y = (np.abs(rows[:, :2]) > 0.8).astype(int)
    model = LinearManyHot("squared", C=0.5, landmarks=90).fit(rows, y)
    kernel = rbf_kernel(rows, rows, 1 / mean_squared_distance(rows)) + 1
    wanted = KernelRidge(alpha=1.0, kernel="precomputed").fit(kernel, 2 * y - 1).predict(kernel)
    np.testing.assert_allclose(model.decision_function(rows), wanted, atol=1e-3)


def test_labels_that_no_line_parts_are_learned():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 2))
    y = np.column_stack([np.square(X).sum(axis=1) > 1.5, X[:, 0] * X[:, 1] > 0]).astype(int)
    options = {"loss": "squared", "goal": "f1_macro"}
    straight, bent = LinearManyHot(**options), LinearManyHot(**options, landmarks=60)
    figures = [
        f1_score(y[600:], model.fit(X[:600], y[:600]).predict(X[600:]), average="macro")
        for model in (straight, bent)
    ]
    assert figures[1] > 0.9 > figures[0] + 0.1


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic", "squared"])
def test_any_loss_takes_landmarks_and_unknown_cells(loss):
    X, y = make_multilabel_classification(80, 5, n_classes=3, random_state=0)
    y = y.astype(float)
    y[::7, 1] = np.nan
    model = LinearManyHot(loss, landmarks=10, goal="f1_micro").fit(X, y)
    assert model.coef_.shape == (3, 10)
    assert model.predict(X).shape == (80, 3)
    np.testing.assert_array_equal(model.predict_proba(X) > 0.5, model.decision_function(X) > 0)


def test_the_same_seed_draws_the_same_landmarks(rows):
    y = (rows[:, :3] > 0).astype(int)
    first, again, other = (
        LinearManyHot("squared", landmarks=9, random_state=seed).fit(rows, y).coef_ for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
