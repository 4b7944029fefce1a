"""Pointwise losses as objectives of gradient boosting: gradient and hessian from the same formulas."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from manyhot import _check
from manyhot.errors import OptionError, ShapeError
from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.make import make_loss
from manyhot.losses.pointwise import Pointwise

Objective: TypeAlias = Callable[[ArrayLike, ArrayLike], tuple[NDArray[np.float64], NDArray[np.float64]]]


def boosting_objective(
    loss: str | type[MultiLabelLoss] = "bce", *, least_hessian: float = 1e-6, **context: Any
) -> Objective:
    """A loss as `objective=` of LightGBM's and XGBoost's scikit-learn classes, one model a label.

        LGBMRegressor(objective=boosting_objective("asl(gamma_neg=2)")).fit(X, targets[:, label])

    The model then predicts logits. Targets are (rows,) or (rows, labels), 0/1 or soft, -1 or NaN for unknown,
    whose gradient and hessian are 0.

    Args:
        loss: name, name with arguments, or class, of a pointwise loss.
        least_hessian: what the hessian of a known cell is raised to where the cost bends down or not at all,
            > 0; a step of Newton's would go the wrong way there.
        context: further arguments of the loss, such as pos_weight or label_counts, each for the labels that
            one model predicts.

    Returns:
        function of (targets, logits) that gives (gradient, hessian) of the summed cost, in their shape.

    Raises:
        OptionError: no such loss, or one whose cells do not stand alone.
    """
    _check.at_least("least_hessian", least_hessian, np.finfo(float).tiny)
    made = make_loss(loss, **{**context, "reduction": "none"})
    if not isinstance(made, Pointwise) or made.training_state():
        raise OptionError(
            f"boosting takes a hessian for each cell alone, as pointwise losses have it; {loss!r} is none"
        )

    def objective(targets: ArrayLike, logits: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        given = np.asarray(logits, np.float64)
        y = np.asarray(targets, np.float64)
        if y.shape != given.shape or y.ndim not in (1, 2):
            raise ShapeError(f"expected targets and logits of one shape, got {y.shape} and {given.shape}")
        y = torch.tensor(y.reshape(len(y), -1))
        z = torch.tensor(given.reshape(len(given), -1), requires_grad=True)
        (gradient,) = torch.autograd.grad(made(z, y).sum(), z, create_graph=True)
        (hessian,) = torch.autograd.grad(gradient.sum(), z)
        hessian = torch.where(y >= 0, hessian.clamp(min=least_hessian), 0.0)
        return gradient.detach().numpy().reshape(given.shape), hessian.numpy().reshape(given.shape)

    return objective
