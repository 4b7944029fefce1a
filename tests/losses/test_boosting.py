"""Objectives for gradient boosting against closed forms, differences, and by boosting trees with them."""

import pickle

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score
from sklearn.tree import DecisionTreeRegressor

from manyhot.errors import OptionError, ShapeError
from manyhot.losses import LOSSES, Pointwise
from manyhot.losses.boosting import boosting_objective

CONTEXT = {"label_counts": [30, 4, 1], "num_rows": 100}
Z = np.random.default_rng(0).normal(size=(6, 3)) * 3
Y = (np.random.default_rng(1).random((6, 3)) < 0.5).astype(float)


def test_cross_entropy_has_the_residual_and_the_variance():
    gradient, hessian = boosting_objective("bce")(Y[:, 0], Z[:, 0])
    p = expit(Z[:, 0])
    np.testing.assert_allclose(gradient, p - Y[:, 0])
    np.testing.assert_allclose(hessian, p * (1 - p))


@pytest.mark.parametrize(
    "name", ["bce", "focal", "poly1", "gce", "brier", "hill", "squared-hinge", "db", "psp"]
)
def test_hessians_are_slopes_of_the_gradients(name):
    objective = boosting_objective(name, least_hessian=1e-30, **CONTEXT)
    step = 1e-6
    slope = (objective(Y, Z + step)[0] - objective(Y, Z - step)[0]) / (2 * step)
    np.testing.assert_allclose(objective(Y, Z)[1], np.maximum(slope, 1e-30), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", [n for n, kind in LOSSES.items() if issubclass(kind, Pointwise)])
def test_every_pointwise_loss_has_an_objective_or_says_why_not(name):
    if name in ("ghm", "eqlv2", "cdb", "plm"):
        with pytest.raises(OptionError, match="each cell alone"):
            boosting_objective(name, **CONTEXT)
        return
    gradient, hessian = boosting_objective(name, **CONTEXT)(Y, Z)
    assert gradient.shape == hessian.shape == Y.shape
    assert np.isfinite(gradient).all()
    assert (hessian > 0).all()


def test_weights_and_unknown_cells():
    y = np.where(np.arange(18).reshape(6, 3) % 4 == 0, -1.0, Y)
    gradient, hessian = boosting_objective("bce", pos_weight=[1.0, 2, 3])(y, Z)
    assert (gradient[y < 0] == 0).all()
    assert (hessian[y < 0] == 0).all()
    weight = np.where(y == 1, [1.0, 2, 3], 1.0)
    np.testing.assert_allclose(gradient[y >= 0], (weight * (expit(Z) - y))[y >= 0])


@pytest.mark.parametrize("name", ["bce", "asl", "partial-bce", "csl(mode='ignore')"])
def test_unknown_cells_that_are_left_out_have_no_part(name):
    y = np.where(np.arange(18).reshape(6, 3) % 4 == 0, np.nan, Y)
    for part in (*boosting_objective(name)(y, Z), boosting_objective(name).value(y, Z)):
        assert (part[np.isnan(y)] == 0).all()


def test_unknown_cells_that_are_learned_from_have_a_gradient_and_a_hessian():
    y, p, alpha = np.full((6, 3), -1.0), expit(Z), 0.1
    for name in ("an", "em", "gr"):
        gradient, hessian = boosting_objective(name)(y, Z)
        assert (gradient != 0).all()
        assert (hessian > 0).all()
    gradient, hessian = boosting_objective("an")(y, Z)  # as negatives
    np.testing.assert_allclose(gradient, p)
    np.testing.assert_allclose(hessian, p * (1 - p))
    gradient, hessian = boosting_objective("em(alpha=0.1)", least_hessian=1e-9)(y, Z)
    np.testing.assert_allclose(gradient, alpha * Z * p * (1 - p))
    bend = alpha * p * (1 - p) * (1 + Z * (1 - 2 * p))
    np.testing.assert_allclose(hessian, np.maximum(bend, 1e-9), rtol=1e-9)


def test_the_value_is_what_the_gradient_is_of():
    objective = boosting_objective("poly1", pos_weight=[1.0, 2, 3])
    step = 1e-6
    slope = (objective.value(Y, Z + step) - objective.value(Y, Z - step)) / (2 * step)
    np.testing.assert_allclose(objective(Y, Z)[0], slope, rtol=1e-5, atol=1e-8)
    bce = boosting_objective("bce").value(Y[:, 0], Z[:, 0])
    np.testing.assert_allclose(bce, np.logaddexp(0, np.where(Y[:, 0] > 0, -Z[:, 0], Z[:, 0])))
    copied = pickle.loads(pickle.dumps(objective))
    np.testing.assert_allclose(copied(Y, Z), objective(Y, Z))


@pytest.mark.parametrize("loss", ["bce", "asl(gamma_neg=2)"])
def test_newton_steps_of_trees_learn(loss):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 4))
    targets = (inputs[:, 0] * inputs[:, 1] > 0.7).astype(float)
    objective, logits = boosting_objective(loss), np.zeros(300)
    for _ in range(20):
        gradient, hessian = objective(targets, logits)
        tree = DecisionTreeRegressor(max_depth=3, random_state=0)
        logits += 0.3 * tree.fit(inputs, -gradient / hessian, sample_weight=hessian).predict(inputs)
    assert average_precision_score(targets, logits) > 0.9


def test_wrong_use_says_what_was_wanted():
    with pytest.raises(OptionError, match="pointwise losses have it; 'zlpr' is none"):
        boosting_objective("zlpr")
    with pytest.raises(OptionError, match="least_hessian must be >="):
        boosting_objective(least_hessian=0)
    with pytest.raises(ShapeError, match=r"one shape, got \(6,\) and \(6, 3\)"):
        boosting_objective()(Y[:, 0], Z)
