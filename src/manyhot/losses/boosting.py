"""Pointwise losses as objectives of gradient boosting: value, gradient and hessian from the same formulas."""

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from manyhot import _check
from manyhot.errors import OptionError, ShapeError
from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.make import make_loss
from manyhot.losses.pointwise import Pointwise

Array: TypeAlias = NDArray[np.float64]


class BoostingObjective:
    """The summed cost of one model's cells, as gradient boosting minimises it.

    Args:
        loss: with the reduction "none".
        least_hessian: what the hessian of a cell is raised to.
    """

    def __init__(self, loss: Pointwise, least_hessian: float) -> None:
        self.loss, self.least_hessian = loss, least_hessian

    def __call__(self, targets: ArrayLike, logits: ArrayLike) -> tuple[Array, Array]:
        """Gradient and hessian of the cells, in their shape: (rows,) or (rows, labels).

        Raises:
            ShapeError: targets and logits of two shapes.
        """
        y, z, shape = _cells(targets, logits)
        z.requires_grad_()
        (gradient,) = torch.autograd.grad(self.loss(z, y).sum(), z, create_graph=True)
        (hessian,) = torch.autograd.grad(gradient.sum(), z)
        gradient = gradient.detach()
        read = (
            (y >= 0) | (gradient != 0) | (hessian != 0)
        )  # unknown cells too, where the loss learns from them
        hessian = torch.where(read, hessian.clamp(min=self.least_hessian), 0.0)
        return gradient.numpy().reshape(shape), hessian.numpy().reshape(shape)

    def value(self, targets: ArrayLike, logits: ArrayLike) -> Array:
        """Cost of the cells, in their shape."""
        y, z, shape = _cells(targets, logits)
        return self.loss(z, y).numpy().reshape(shape)


def boosting_objective(
    loss: str | type[MultiLabelLoss] = "bce", *, least_hessian: float = 1e-6, **context: Any
) -> BoostingObjective:
    """A loss as `objective=` of LightGBM's and XGBoost's scikit-learn classes, one model a label.

        objective = boosting_objective("asl(gamma_neg=2)")
        LGBMRegressor(objective=objective).fit(X, targets[:, label])

    The model then predicts logits, which cost `objective.value(targets, logits)`. Targets are (rows,) or
    (rows, labels), 0/1 or soft, -1 or NaN for unknown. The gradient and hessian of an unknown cell are 0,
    unless the loss learns from it, as `AssumeNegative`, `EntropyMaximization` and `GeneralizedRobust` do.

    Args:
        loss: name, name with arguments, or class, of a pointwise loss.
        least_hessian: what the hessian of a cell is raised to where the cost bends down or not at all, > 0; a
            step of Newton's would go the wrong way there.
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
    made.trust_logits()  # those of the first trees may well lie in [0, 1]
    return BoostingObjective(made, least_hessian)


def _cells(targets: ArrayLike, logits: ArrayLike) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Targets and logits as matrices, and the shape that they came in."""
    y, z = np.asarray(targets, np.float64), np.asarray(logits, np.float64)
    if y.shape != z.shape or y.ndim not in (1, 2):
        raise ShapeError(f"expected targets and logits of one shape, got {y.shape} and {z.shape}")
    return torch.tensor(y.reshape(len(y), -1)), torch.tensor(z.reshape(len(z), -1)), z.shape
