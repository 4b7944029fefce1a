"""The most of one rate that any cut of a label reaches while another does not fall below a floor."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from manyhot.kernels.descents import END, POSITIVE, Descents
from manyhot.kernels.threads import spread

KINDS = ("recall@precision", "recall@specificity", "precision@recall")
SLACK = 1e-12  # of a ratio that should equal the floor


def best_under_floor(
    kind: str,
    floor: float,
    ways: Descents,
    weight: NDArray[Any],
    positive: NDArray[np.float64],
    known: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The rate named first, at its best, (labels, replicates).

    Args:
        kind: one of `KINDS`: the rate that is wanted, and the one that is held.
        floor: of the one that is held.
        ways: of the stored cells; what is not stored ties below all stored cells.
        weight: (rows, replicates).
        positive, known: (labels, replicates), mass of all positive and of all known cells.

    Returns:
        0 where no cut holds the floor; NaN where a label has no positive, or for specificity no negative.
    """
    labels = len(ways.starts) - 1
    result = np.zeros((labels, weight.shape[1]))
    number = KINDS.index(kind)
    spread(
        lambda first, last: _best_under_floor(
            number, floor, ways.starts, ways.codes, first, last, weight, positive, known, result
        ),
        labels,
    )
    lacking = (positive <= 0) | ((known - positive <= 0) & (kind == "recall@specificity"))
    return np.where(lacking, np.nan, result)


def one_tie_under_floor(
    kind: str, floor: float, positive: NDArray[np.float64], known: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same of scores that are all equal, so that all cells are assigned or none, (labels,)."""
    nothing = Descents(np.zeros(len(positive) + 1, np.int64), np.zeros(0, np.int32))
    masses = positive[:, None], known[:, None]
    return best_under_floor(kind, floor, nothing, np.zeros((0, 1)), *masses)[:, 0]


@njit(nogil=True, cache=True, error_model="numpy")
def _rate(kind, floor, tp, fp, positive, negative):  # pragma: no cover - compiled
    """The wanted rate where the floor holds, else 0."""
    if kind == 0:
        return tp / positive if tp >= (floor - SLACK) * (tp + fp) else 0.0
    if kind == 1:
        return tp / positive if fp <= (1.0 - floor + SLACK) * negative else 0.0
    return tp / (tp + fp) if tp >= (floor - SLACK) * positive and tp > 0 else 0.0


@njit(nogil=True, cache=True, error_model="numpy")
def _best_under_floor(
    kind, floor, starts, codes, first, last, weight, all_positive, all_known, result
):  # pragma: no cover - compiled
    width = weight.shape[1]
    tp, fp = np.empty(width), np.empty(width)
    for label in range(first, last):
        tp[:] = 0
        fp[:] = 0
        for i in range(starts[label], starts[label + 1]):
            code = codes[i]
            line = weight[code >> 2]
            into = tp if code & POSITIVE else fp
            for r in range(width):
                into[r] += line[r]
            if code & END:
                for r in range(width):
                    positive = all_positive[label, r]
                    rate = _rate(kind, floor, tp[r], fp[r], positive, all_known[label, r] - positive)
                    result[label, r] = max(result[label, r], rate)
        for r in range(width):
            positive = all_positive[label, r]
            negative = all_known[label, r] - positive
            result[label, r] = max(
                result[label, r], _rate(kind, floor, positive, negative, positive, negative)
            )
