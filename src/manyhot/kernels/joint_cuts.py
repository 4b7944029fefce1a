"""Cuts that are chosen for all labels together: what they count, and which are best."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def best_points(base, gain, cost, price, starts, chosen):  # pragma: no cover - compiled
    """Index of each label's point with the largest base + gain - price * cost; of equals the first.

    Args:
        base, gain, cost: (points,) float64.
        price: of a unit of cost.
        starts: (labels + 1,), label j owns the points starts[j]:starts[j + 1], at least one.
        chosen: (labels,) int64, written.
    """
    for j in range(len(starts) - 1):
        most = -np.inf
        chosen[j] = starts[j]
        for p in range(starts[j], starts[j + 1]):
            value = base[p] + (gain[p] - price * cost[p])
            if value > most:
                most = value
                chosen[j] = p


@njit(nogil=True, cache=True, error_model="numpy")
def count_reached(values, units, mass, falling, counts):  # pragma: no cover - compiled
    """Count each cell at the first of the falling cuts that it reaches, last where it reaches none.

    Args:
        values, units, mass: (rows, columns), score, unit and weight of the cells.
        falling: (cuts,).
        counts: (units, cuts + 1) float64, added to.
    """
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            value = values[i, j]
            low, high = 0, len(falling)
            while low < high:
                middle = (low + high) >> 1
                if value >= falling[middle]:
                    high = middle
                else:
                    low = middle + 1
            counts[units[i, j], low] += mass[i, j]
