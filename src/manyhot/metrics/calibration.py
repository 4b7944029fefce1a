"""Do probabilities mean what they say? Log loss, Brier score.

Source:
    Brier, Monthly Weather Review 78, 1950 (per cell, the two-class form halved).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from manyhot.labels import Targets
from manyhot.metrics.counts import Numbers, Sparse, row_sums

ROWS = 1024  # rows of dense scores looked at together


def cell_losses(targets: Targets, scores: Any) -> Numbers:
    """Sums over each row's known cells of log loss (nats) and squared error, (2, rows).

    Every cell is taken as negative first, then positive and unknown ones are put right, so no dense target
    is made. Probabilities are kept one machine epsilon away from 0 and 1.

    Args:
        targets: hard.
        scores: dense or CSR, in [0, 1]; absent cells are 0.
    """
    from manyhot.kernels.pooled import cell_values

    losses = _all_negative(scores)
    limit = float(np.finfo(scores.dtype).eps)
    at_positive, _ = cell_values(scores, targets.positives)
    losses += _sums(_positive(at_positive, limit) - _negative(at_positive, limit), targets.positives)
    if targets.unknown is not None:
        at_unknown, _ = cell_values(scores, targets.unknown)
        losses -= _sums(_negative(at_unknown, limit), targets.unknown)
    return losses


def shared_losses(targets: Targets, scores: Numbers) -> Numbers:
    """`cell_losses` when all rows have the same probabilities (labels,)."""
    limit = float(np.finfo(np.float64).eps)
    wrong, right = _negative(scores, limit), _positive(scores, limit)
    losses = np.repeat(wrong.sum(1)[:, None], len(targets), axis=1)
    losses += _sums((right - wrong)[:, targets.positives.indices], targets.positives)
    if targets.unknown is not None:
        losses -= _sums(wrong[:, targets.unknown.indices], targets.unknown)
    return losses


def _all_negative(scores: Any) -> Numbers:
    limit = float(np.finfo(scores.dtype).eps)
    if issparse(scores):
        absent = scores.shape[1] - np.diff(scores.indptr)
        return _sums(_negative(scores.data, limit), scores) + np.outer([-np.log1p(-limit), 0.0], absent)
    losses = np.empty((2, len(scores)))
    for first in range(0, len(scores), ROWS):
        part = _negative(scores[first : first + ROWS], limit)
        losses[:, first : first + ROWS] = part.sum(axis=2, dtype=np.float64)
    return losses


def _negative(scores: NDArray[Any], limit: float) -> NDArray[Any]:
    """Log loss and squared error of scores at negative cells."""
    return np.stack([-np.log1p(-np.clip(scores, limit, 1.0 - limit)), scores * scores])


def _positive(scores: NDArray[Any], limit: float) -> NDArray[Any]:
    return np.stack([-np.log(np.clip(scores, limit, 1.0 - limit)), (1.0 - scores) ** 2])


def _sums(values: NDArray[Any], cells: Sparse) -> Numbers:
    return np.stack([row_sums(part, cells.indptr) for part in values.astype(np.float64)])
