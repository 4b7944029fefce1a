"""The dual solver against LIBLINEAR, which minimises the same function, and its folds against refitting."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from manyhot.kernels.linear_solver import Effort, Problem, solve

EXACT = Effort(tolerance=1e-6, passes=2000, fold_passes=2000, seed=0)


def drawn(rows=120, width=60, labels=3, seed=0):
    rng = np.random.default_rng(seed)
    features = csr_array(random_array((rows, width), density=0.2, rng=rng).astype(np.float32))
    features.sort_indices()
    scores = features @ rng.normal(size=(width, labels)) + rng.normal(size=(rows, labels)) * 0.1
    return features, (scores > 0.4).astype(np.float32)


def problem(features, truth, logistic, **changes):
    given = {
        "hidden": None,
        "row_weight": np.ones(len(truth)),
        "positive_weight": np.ones(truth.shape[1]),
        "bias": 1.0,
    }
    loss = "logistic" if logistic else "squared_hinge"
    return Problem(features, csr_array(truth), **{"loss": loss, **given, **changes})


def liblinear(logistic, C, **options):
    if logistic:
        return LogisticRegression(C=C, solver="liblinear", tol=1e-10, max_iter=5000, **options)
    return LinearSVC(C=C, tol=1e-10, max_iter=200_000, **options)


@pytest.mark.parametrize("logistic", [False, True])
@pytest.mark.parametrize("C", [0.01, 1.0, 30.0])
def test_coefficients_are_liblinears(logistic, C):
    features, truth = drawn()
    found = solve(problem(features, truth, logistic), [C], EXACT)[0]
    for label in range(truth.shape[1]):
        wanted = liblinear(logistic, C).fit(features, truth[:, label])
        np.testing.assert_allclose(found.weights[:, label], wanted.coef_[0], atol=2e-3, rtol=1e-3)
        np.testing.assert_allclose(found.intercepts[label], wanted.intercept_[0], atol=2e-3)


def test_the_squared_loss_is_ridge_regression_of_signs():
    features, truth = drawn()
    weight = np.random.default_rng(1).integers(0, 4, len(truth)).astype(float)
    found = solve(problem(features, truth, False, loss="squared", row_weight=weight), [0.5], EXACT)[0]
    constant = np.column_stack([features.toarray(), np.ones(len(truth))])
    wanted = Ridge(alpha=1.0, fit_intercept=False).fit(constant, 2 * truth - 1, sample_weight=weight)
    np.testing.assert_allclose(found.weights, wanted.coef_[:, :-1].T, atol=1e-4)
    np.testing.assert_allclose(found.intercepts, wanted.coef_[:, -1], atol=1e-4)


def test_a_large_strength_of_the_logistic_loss_converges_too():
    features, truth = drawn(seed=3)
    found = solve(problem(features, truth, True), [1000.0], Effort(1e-4, 3000, 1, 0))[0]
    for label in range(truth.shape[1]):
        wanted = liblinear(True, 1000.0).fit(features, truth[:, label])
        sign = 2 * truth[:, label] - 1

        def objective(w, b, sign=sign):
            margins = sign * (features @ w + b)
            return (w @ w + b * b) / 2 + 1000 * np.logaddexp(0, -margins).sum()

        reached = objective(found.weights[:, label].astype(np.float64), float(found.intercepts[label]))
        assert reached <= objective(wanted.coef_[0], wanted.intercept_[0]) * 1.01


@pytest.mark.parametrize("logistic", [False, True])
def test_row_weights_and_positive_weights_are_liblinears(logistic):
    features, truth = drawn()
    weight = np.random.default_rng(1).integers(0, 4, len(truth)).astype(float)
    changed = problem(features, truth, logistic, row_weight=weight, positive_weight=np.array([3.0, 1.0, 0.5]))
    found = solve(changed, [1.0], EXACT)[0]
    for label, positive in enumerate((3.0, 1.0, 0.5)):
        wanted = liblinear(logistic, 1.0, class_weight={1: positive, 0: 1.0})
        wanted.fit(features, truth[:, label], sample_weight=weight)
        np.testing.assert_allclose(found.weights[:, label], wanted.coef_[0], atol=2e-3, rtol=1e-3)


def test_hidden_cells_are_as_if_their_rows_were_not_there():
    features, truth = drawn()
    hidden = np.zeros(truth.shape, bool)
    hidden[::3, 1] = True
    shown = np.where(hidden, 0, truth).astype(np.float32)
    found = solve(problem(features, shown, False, hidden=csr_array(hidden)), [1.0], EXACT)[0]
    wanted = liblinear(False, 1.0).fit(features[~hidden[:, 1]], truth[~hidden[:, 1], 1])
    np.testing.assert_allclose(found.weights[:, 1], wanted.coef_[0], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("logistic", [False, True])
def test_out_of_fold_scores_are_those_of_models_without_the_fold(logistic):
    features, truth = drawn()
    fold = np.arange(len(truth)) % 3
    found = solve(problem(features, truth, logistic), [1.0], EXACT, fold)[0]
    for number in range(3):
        model = liblinear(logistic, 1.0).fit(features[fold != number], truth[fold != number, 0])
        wanted = model.decision_function(features[fold == number])
        np.testing.assert_allclose(found.out_of_fold[fold == number, 0], wanted, atol=2e-3)


def test_a_path_ends_where_each_strength_alone_does():
    features, truth = drawn()
    path = solve(problem(features, truth, False), [0.1, 1.0, 10.0], EXACT)
    for C, on_path in zip([0.1, 1.0, 10.0], path, strict=True):
        alone = solve(problem(features, truth, False), [C], EXACT)[0]
        np.testing.assert_allclose(on_path.weights, alone.weights, atol=1e-3)


def test_more_labels_than_a_block_and_threads_change_nothing(monkeypatch):
    features, truth = drawn(labels=70, rows=60)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = solve(problem(features, truth, False), [1.0], Effort(0.01, 20, 2, 0))[0]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    three = solve(problem(features, truth, False), [1.0], Effort(0.01, 20, 2, 0))[0]
    np.testing.assert_array_equal(one.weights, three.weights)
    assert one.weights.shape == (60, 70)


def test_labels_without_and_with_only_positives_are_finite():
    features, truth = drawn()
    truth[:, 0], truth[:, 1] = 0, 1
    for logistic in (False, True):
        found = solve(problem(features, truth, logistic), [1.0], EXACT)[0]
        scores = features @ found.weights + found.intercepts
        assert (scores[:, 0] < 0).all()
        assert (scores[:, 1] > 0).all()
