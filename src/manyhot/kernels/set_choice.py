"""Label sets chosen row by row from probabilities: the best expected F, and the best k for macro goals."""

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def best_expected_f(probabilities, above, below, empty, order, sizes):  # pragma: no cover - compiled
    """How many of each row's labels, from the most probable down, have the best expected F-beta.

    Labels are independent given the row. With beta^2 = above / below the expectation for the first k labels
    is a sum over the number of hits among them; the sum over the rest is carried from k + 1 to k. Quadratic
    in the number of labels of the row.

    Args:
        probabilities: cells in falling order within each row, float64, all rows one after the other.
        above, below: beta^2 as a fraction.
        empty: value of the empty set for a row without labels.
        order: (rows + 1,) where each row's cells start.
        sizes: (rows,) int64, written.

    Source: Ye, Chai, Lee and Chieu, Optimizing F-measures: a tale of two approaches, ICML 2012.
    """
    longest = 0
    for i in range(len(order) - 1):
        longest = max(longest, order[i + 1] - order[i])
    rest = np.empty((above + below) * longest + above + 1)
    hits = np.empty((longest + 1, longest + 2))
    for i in range(len(order) - 1):
        p = probabilities[order[i] : order[i + 1]]
        n = len(p)
        hits[0, 0] = 1.0
        for k in range(n):  # hits[k, a]: probability of a hits among the first k
            hits[k + 1, 0] = hits[k, 0] * (1 - p[k])
            for a in range(1, k + 1):
                hits[k + 1, a] = hits[k, a] * (1 - p[k]) + hits[k, a - 1] * p[k]
            hits[k + 1, k + 1] = hits[k, k] * p[k]
        best, best_value = 0, empty * hits[n, 0]
        for m in range(1, (above + below) * n + 1):
            rest[m] = below / m
        for k in range(n, 0, -1):
            # rest[m]: expectation of 1 / (m / below + beta^2 * hits among the labels after the first k)
            value = 0.0
            for a in range(1, k + 1):
                value += a * hits[k, a] * rest[below * k + above * a]
            value *= 1.0 + above / below
            if value >= best_value:
                best, best_value = k, value
            for m in range(1, (above + below) * (k - 1) + 1):
                rest[m] = p[k - 1] * rest[m + above] + (1 - p[k - 1]) * rest[m]
        sizes[i] = best


@njit(nogil=True, cache=True, error_model="numpy")
def _keep(best, place, count, value, candidate):  # pragma: no cover - compiled
    """Put a candidate among the len(best) highest, in falling order; how many there are then."""
    k = len(best)
    if count == k and value <= best[k - 1]:
        return count
    s = min(count, k - 1)
    while s > 0 and best[s - 1] < value:
        best[s], place[s] = best[s - 1], place[s - 1]
        s -= 1
    best[s], place[s] = value, candidate
    return min(count + 1, k)


@njit(nogil=True, cache=True, error_model="numpy")
def _among(place, count, chosen):  # pragma: no cover - compiled
    """True when each of the first `count` places was chosen before."""
    for s in range(count):
        found = False
        for t in range(len(chosen)):
            found = found or chosen[t] == place[s]
        if not found:
            return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def ascend_at_k(
    cells, columns, starts, mass, chosen, tp, assigned, total, gain, own, other, order
):  # pragma: no cover
    """One pass of block coordinate ascent: give each row the k labels that raise the macro measure most.

    The measure of a label is gain * tp / (own * tp + assigned + other * total), of expected counts.

    Args:
        cells, columns, starts: CSR of probabilities.
        mass: (rows,) float64, what each row counts for.
        chosen: (rows, k) positions of the row's chosen cells within the row, -1 for none; changed.
        tp, assigned, total: (labels,) float64 expected counts; the first two are changed.
        gain, own, other: the measure.
        order: (rows,) in which rows are visited.

    Returns:
        The number of rows whose set changed.

    Source: Schultheis et al., Generalized test utilities for long-tail performance in extreme multi-label
    classification, NeurIPS 2023.
    """
    k = chosen.shape[1]
    best = np.empty(k)
    place = np.empty(k, np.int64)
    moved = 0
    for i in order:
        start, stop = starts[i], starts[i + 1]
        for s in range(k):
            c = chosen[i, s]
            if c >= 0:
                tp[columns[start + c]] -= mass[i] * cells[start + c]
                assigned[columns[start + c]] -= mass[i]
        count = 0
        for c in range(stop - start):
            j = columns[start + c]
            p = mass[i] * cells[start + c]
            before = own * tp[j] + assigned[j] + other * total[j]
            after = before + own * p + mass[i]
            value = gain * (tp[j] + p) / after
            if before > 0:
                value -= gain * tp[j] / before
            count = _keep(best, place, count, value, c)
        moved += not _among(place, count, chosen[i])
        for s in range(k):
            chosen[i, s] = place[s] if s < count else -1
            if s < count:
                tp[columns[start + place[s]]] += mass[i] * cells[start + place[s]]
                assigned[columns[start + place[s]]] += mass[i]
    return moved


@njit(nogil=True, cache=True, error_model="numpy")
def ascend_dense_at_k(
    scores, mass, chosen, tp, assigned, total, gain, own, other, order
):  # pragma: no cover - compiled
    """`ascend_at_k` of a dense matrix: keeping each label's present value saves a division a cell."""
    width = scores.shape[1]
    k = chosen.shape[1]
    best = np.empty(k)
    place = np.empty(k, np.int64)
    values = np.empty(width)
    base = own * tp + assigned + other * total
    present = np.where(base > 0, gain * tp / np.where(base > 0, base, 1.0), 0.0)
    moved = 0
    for i in order:
        weight = mass[i]
        for s in range(k):
            j = chosen[i, s]
            if j >= 0:
                tp[j] -= weight * scores[i, j]
                assigned[j] -= weight
                base[j] = own * tp[j] + assigned[j] + other * total[j]
                present[j] = gain * tp[j] / base[j] if base[j] > 0 else 0.0
        for j in range(width):
            p = weight * scores[i, j]
            values[j] = gain * (tp[j] + p) / (base[j] + own * p + weight) - present[j]
        count = 0
        for j in range(width):
            value = values[j]
            count = _keep(best, place, count, value, j)
        moved += not _among(place, count, chosen[i])
        for s in range(k):
            chosen[i, s] = place[s] if s < count else -1
            if s < count:
                j = place[s]
                tp[j] += weight * scores[i, j]
                assigned[j] += weight
                base[j] = own * tp[j] + assigned[j] + other * total[j]
                present[j] = gain * tp[j] / base[j] if base[j] > 0 else 0.0
    return moved


def first_k(rows: int, k: int) -> Any:
    """No choice yet: (rows, k) of -1."""
    return np.full((rows, k), -1, np.int64)
