"""Least squares of many labels at once, with exact leave-one-out scores: one Cholesky factor serves all.

The Hessian of the squared loss does not know the label, so that a thousand labels cost little more than one;
the score that a row would have had without itself follows from its leverage.

Sources: Rifkin and Klautau, "In defense of one-vs-all classification", JMLR 5, 2004; leave-one-out, Allen,
"The relationship between variable selection and data augmentation and a method for prediction", 1974.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.sparse import csr_array

from manyhot.decide.scores import shape_of

BLOCK = 2048  # rows multiplied at a time; their sums are kept in double


@dataclass(frozen=True)
class SquaredSolution:
    """Solution of all labels.

    Attributes:
        weights: (labels, features), the last belongs to the constant column.
        left_out: (rows, labels) score of each row without it, or None when not asked for.
    """

    weights: NDArray[np.float64]
    left_out: NDArray[Any] | None


def solve_squared(
    features: NDArray[Any],
    positive: csr_array,
    row_weight: NDArray[np.float64],
    strengths: Sequence[float],
    *,
    leave_out: bool,
) -> list[SquaredSolution]:
    """Minimise w.w / 2 + C * sum of row_weight * (1 - sign * (features w))^2 for every label and every C.

    Args:
        features: (rows, features) of float32 or float64, a constant column included.
        positive: CSR (rows, labels), its stored cells have sign +1, all others -1.
        row_weight: (rows,) >= 0; rows with 0 take part in nothing but are scored.
        strengths: values of C.
        leave_out: whether leave-one-out scores are wanted.

    Returns:
        A solution for each C.
    """
    gram, wanted = _normal_equations(features, positive, row_weight)
    found = []
    for strength in strengths:
        matrix = gram.copy()
        matrix.flat[:: len(matrix) + 1] += 1 / (2 * strength)
        factor = cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
        weights = cho_solve((factor, True), wanted, check_finite=False)
        left_out = _left_out(features, positive, row_weight, factor, weights) if leave_out else None
        found.append(SquaredSolution(weights.T, left_out))
    return found


def _normal_equations(
    features: NDArray[Any], positive: csr_array, row_weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gram matrix (features, features) and right-hand side (features, labels)."""
    rows, width = features.shape
    gram, wanted = np.zeros((width, width)), np.zeros((width, shape_of(positive)[1]))
    for begin in range(0, rows, BLOCK):
        block = features[begin : begin + BLOCK]
        weighted = block * row_weight[begin : begin + BLOCK, None].astype(features.dtype)
        gram += weighted.T @ block
        wanted += 2 * (csr_array(positive[begin : begin + BLOCK]).T @ weighted).T
        wanted -= weighted.sum(axis=0, dtype=np.float64)[:, None]
    return gram, wanted


def _left_out(
    features: NDArray[Any],
    positive: csr_array,
    row_weight: NDArray[np.float64],
    factor: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[Any]:
    """(rows, labels): (score - leverage * sign) / (1 - leverage), in the type of the features."""
    kind = features.dtype
    factor, weights = factor.astype(kind), weights.astype(kind)
    scores = np.empty((len(features), weights.shape[1]), kind)
    leverage = np.empty(len(features), kind)
    for begin in range(0, len(features), BLOCK):
        block = features[begin : begin + BLOCK]
        np.matmul(block, weights, out=scores[begin : begin + BLOCK])
        spread = solve_triangular(factor, block.T, lower=True, check_finite=False)
        leverage[begin : begin + BLOCK] = np.einsum("ij,ij->j", spread, spread)
    leverage *= row_weight.astype(kind)
    np.minimum(leverage, 1 - 1e-6, out=leverage)
    scores += leverage[:, None]
    row = np.repeat(np.arange(len(scores)), np.diff(positive.indptr))
    scores[row, positive.indices] -= 2 * leverage[row]
    scores /= (1 - leverage)[:, None]
    return scores
