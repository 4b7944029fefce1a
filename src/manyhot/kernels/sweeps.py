"""One walk down a sorted label: average precision and the area under the ROC curve, ties as one step.

Mass is a cell's weight: what counts as positive or negative. A cell of mass zero (unknown, or of a row of
weight zero) takes part in nothing, as if it had been deleted.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.kernels.sorting import Sparse, descending_key, passes_for, score_bits, sign_of, sort_keys

BLOCK = 16  # labels transposed at a time: one cache line of float32


def sweep_dense(
    scores: NDArray[Any], positives: Sparse, unknown: Sparse | None, weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average precision and ROC area of every label of dense scores.

    Args:
        scores: (rows, labels), no NaN.
        positives, unknown: (rows, labels), the cells stored in them.
        weight: (rows,), >= 0.

    Returns:
        (2, labels): average precision, ROC area; NaN where a label lacks positives (or negatives, for ROC).
    """
    bits = score_bits(scores)
    result = np.empty((2, bits.shape[1]))
    _sweep_dense(bits, sign_of(bits), passes_for(bits), *_cells(positives, unknown), weight, result)
    return result


def sweep_sparse(
    scores: Sparse, positives: Sparse, unknown: Sparse | None, weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same for sparse scores; cells that are not stored tie below all stored ones."""
    by_label = scores.tocsc()
    bits = score_bits(by_label.data)
    result = np.empty((2, scores.shape[1]))
    stored = (by_label.indptr, by_label.indices)
    _sweep_sparse(bits, sign_of(bits), passes_for(bits), *stored, *_cells(positives, unknown), weight, result)
    return result


def sweep_blocks(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average precision and ROC area of blocks of equal scores in descending order, by their masses."""
    seen_positive, seen_negative = np.cumsum(positive), np.cumsum(negative)
    all_positive, all_negative = positive.sum(), negative.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.where(positive > 0, positive * seen_positive / (seen_positive + seen_negative), 0.0)
        wrong = (positive * (seen_negative - 0.5 * negative)).sum()
        return np.array(
            [steps.sum() / all_positive, 1.0 - wrong / (all_positive * all_negative)], dtype=np.float64
        )


def _cells(positives: Sparse, unknown: Sparse | None) -> tuple[Any, Any, Any, Any]:
    """Row numbers of positive and unknown cells, label by label: two starts, two row arrays."""
    if unknown is None:
        unknown = csr_array(positives.shape, dtype=bool)
    known, hidden = positives.tocsc(), unknown.tocsc()
    return known.indptr, known.indices, hidden.indptr, hidden.indices


@njit(nogil=True, cache=True, error_model="numpy")
def _sweep_dense(
    bits, sign, passes, positive_starts, positive_rows, unknown_starts, unknown_rows, weight, result
):
    rows, labels = bits.shape
    keys = np.empty((BLOCK, rows), bits.dtype)
    order, spare_rows = np.empty(rows, np.int32), np.empty(rows, np.int32)
    spare_keys = np.empty(rows, bits.dtype)
    mass = -weight
    for first in range(0, labels, BLOCK):
        last = min(first + BLOCK, labels)
        for i in range(rows):
            for label in range(first, last):
                keys[label - first, i] = descending_key(bits[i, label], sign)
        for label in range(first, last):
            for i in range(rows):
                order[i] = i
            if rows:
                sort_keys(keys[label - first], order, spare_keys, spare_rows, passes)
            at_positive = positive_rows[positive_starts[label] : positive_starts[label + 1]]
            at_unknown = unknown_rows[unknown_starts[label] : unknown_starts[label + 1]]
            mass[at_positive] = weight[at_positive]
            mass[at_unknown] = 0.0
            result[0, label], result[1, label] = _walk(keys[label - first], order, mass, 0.0, 0.0)
            mass[at_positive] = -weight[at_positive]
            mass[at_unknown] = -weight[at_unknown]


@njit(nogil=True, cache=True, error_model="numpy")
def _sweep_sparse(
    bits,
    sign,
    passes,
    starts,
    stored_rows,
    positive_starts,
    positive_rows,
    unknown_starts,
    unknown_rows,
    weight,
    result,
):
    mass = -weight
    total = weight.sum()
    for label in range(len(starts) - 1):
        size = starts[label + 1] - starts[label]
        keys, spare_keys = np.empty(size, bits.dtype), np.empty(size, bits.dtype)
        order, spare_rows = np.empty(size, np.int32), np.empty(size, np.int32)
        at_positive = positive_rows[positive_starts[label] : positive_starts[label + 1]]
        at_unknown = unknown_rows[unknown_starts[label] : unknown_starts[label + 1]]
        mass[at_positive] = weight[at_positive]
        mass[at_unknown] = 0.0
        absent_positive = weight[at_positive].sum()
        absent_negative = total - absent_positive - weight[at_unknown].sum()
        for i in range(size):
            place = starts[label] + i
            keys[i] = descending_key(bits[place], sign)
            order[i] = stored_rows[place]
            stored = mass[order[i]]
            absent_positive -= max(stored, 0.0)
            absent_negative -= max(-stored, 0.0)
        if size:
            sort_keys(keys, order, spare_keys, spare_rows, passes)
        slack = 1e-12 * total  # what rounding leaves of weights that cancel
        absent_positive = absent_positive if absent_positive > slack else 0.0
        absent_negative = absent_negative if absent_negative > slack else 0.0
        result[0, label], result[1, label] = _walk(keys, order, mass, absent_positive, absent_negative)
        mass[at_positive] = -weight[at_positive]
        mass[at_unknown] = -weight[at_unknown]


@njit(nogil=True, cache=True, error_model="numpy")
def _walk(keys, order, mass, last_positive, last_negative):
    """Average precision and ROC area of sorted keys, then one more tied block with the given masses."""
    seen_positive = seen_negative = precision = wrong = 0.0
    size = len(keys)
    i = 0
    while i < size:
        positive = negative = 0.0
        key = keys[i]
        while i < size and keys[i] == key:
            value = mass[order[i]]
            if value > 0:
                positive += value
            else:
                negative -= value
            i += 1
        seen_positive += positive
        if positive > 0:
            precision += positive * seen_positive / (seen_positive + seen_negative + negative)
            wrong += positive * (seen_negative + 0.5 * negative)
        seen_negative += negative
    seen_positive += last_positive
    if last_positive > 0:
        precision += last_positive * seen_positive / (seen_positive + seen_negative + last_negative)
        wrong += last_positive * (seen_negative + 0.5 * last_negative)
    seen_negative += last_negative
    return precision / seen_positive, 1.0 - wrong / (seen_positive * seen_negative)
