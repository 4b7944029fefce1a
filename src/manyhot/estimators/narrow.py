"""Linear models of few features by Newton's method, exact, with leave-one-out scores for nothing more.

One Cholesky factor of the Hessian a label gives the step, and at the end each row's leverage, from which its
score had it been left out follows in closed form.

Sources: finite Newton method, Keerthi and DeCoste, JMLR 6, 2005; leave-one-out, Rad and Maleki, "A scalable
estimate of the extra-sample prediction error", J. R. Stat. Soc. B 82, 2020.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

STEPS = 100
HALVINGS = 40


@dataclass(frozen=True)
class NarrowSolution:
    """Solution of one label.

    Attributes:
        weights: (features,), the last belongs to the constant column.
        left_out: (rows,) score of each row without it, or None when not asked for.
        steps: of Newton's method.
    """

    weights: NDArray[np.float64]
    left_out: NDArray[np.float64] | None
    steps: int


def solve_narrow(
    features: NDArray[np.float64],
    sign: NDArray[np.float64],
    strength: NDArray[np.float64],
    *,
    loss: str,
    start: NDArray[np.float64],
    leave_out: bool,
) -> NarrowSolution:
    """Minimise w.w / 2 + sum of strength * loss(sign * (features w)) to rounding error.

    Args:
        features: (rows, features), a constant column included.
        sign: (rows,) +1 or -1.
        strength: (rows,) >= 0; rows with 0 take part in nothing but are scored.
        loss: "squared_hinge", "logistic" or "squared".
        start: (features,) where to begin.
        leave_out: whether leave-one-out scores are wanted.
    """
    weights, margin = start, sign * (features @ start)
    value = _value(weights, margin, strength, loss)
    steps, hessian = 0, None
    while steps < STEPS:
        steps += 1
        slope, curve = _derivatives(margin, strength, loss)
        gradient = weights + features.T @ (sign * slope)
        hessian = cho_factor(_hessian(features, curve), lower=True, check_finite=False)
        step = cho_solve(hessian, gradient, check_finite=False)
        moved = sign * (features @ step)
        size = 1.0
        for _ in range(HALVINGS):
            reached = _value(weights - size * step, margin - size * moved, strength, loss)
            if reached <= value:
                break
            size /= 2
        else:
            break  # no smaller value within rounding: this is the minimum
        weights, margin = weights - size * step, margin - size * moved
        gain, value = value - reached, reached
        if gain <= 1e-15 * abs(value) and np.abs(step).max() <= 1e-10 * max(np.abs(weights).max(), 1e-30):
            break
    left_out = None
    if leave_out:
        slope, curve = _derivatives(margin, strength, loss)
        factor = cho_factor(_hessian(features, curve), lower=True, check_finite=False)
        leverage = np.einsum("ij,ji->i", features, cho_solve(factor, features.T, check_finite=False))
        away = 1.0 - np.minimum(leverage * curve, 1.0 - 1e-9)
        left_out = sign * (margin + leverage * slope / away)
    return NarrowSolution(weights, left_out, steps)


def _value(
    weights: NDArray[np.float64], margin: NDArray[np.float64], strength: NDArray[np.float64], loss: str
) -> float:
    losses = np.logaddexp(0.0, -margin) if loss == "logistic" else np.square(_short(margin, loss))
    return float(weights @ weights / 2 + strength @ losses)


def _derivatives(
    margin: NDArray[np.float64], strength: NDArray[np.float64], loss: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and second derivative of the rows' losses by their margin."""
    if loss == "logistic":
        chance = expit(-margin)
        return -strength * chance, strength * chance * (1 - chance)
    short = _short(margin, loss)
    return -2 * strength * short, 2 * strength * (short != 0 if loss == "squared_hinge" else 1.0)


def _short(margin: NDArray[np.float64], loss: str) -> NDArray[np.float64]:
    """What margins lack of 1; the hinge does not mind what is beyond."""
    return 1.0 - margin if loss == "squared" else np.maximum(1.0 - margin, 0.0)


def _hessian(features: NDArray[np.float64], curve: NDArray[np.float64]) -> NDArray[np.float64]:
    used = curve > 0
    rows = features[used]
    matrix = (rows * curve[used, None]).T @ rows
    matrix.flat[:: len(matrix) + 1] += 1.0
    return matrix
