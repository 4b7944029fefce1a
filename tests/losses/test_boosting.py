"""Objectives for gradient boosting against closed forms, differences, and by boosting trees with them."""

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
