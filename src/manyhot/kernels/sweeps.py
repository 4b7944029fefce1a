"""One walk down a label: average precision and the area under the ROC curve, ties as one step.

The walk counts masses: sums of row weights. A row of weight zero takes part in nothing. Bootstrap replicates
walk together: the weights of a row in all of them are one contiguous line, so the walk is vectorised across
replicates and the sort is done once.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from manyhot.kernels.descents import (
    BLOCK,
    END,
    POSITIVE,
    Columns,
    Descents,
    dense_codes,
    fill_keys,
    sparse_codes,
)
from manyhot.kernels.threads import spread


def sweep_labels(
    columns: Columns, weight: NDArray[np.float64], positive: NDArray[Any], known: NDArray[Any]
) -> NDArray[np.float64]:
    """Average precision and ROC area of every label.

    Args:
        columns: scores and targets; stored cells only when sparse.
        weight: (rows,), >= 0.
        positive, known: (labels,), mass of all positive and of all known cells. What is not stored ties below
            all stored cells.

    Returns:
        (2, labels): average precision, ROC area; NaN where a label lacks positives (or negatives, for ROC).
    """
    result = np.empty((2, columns.labels))
    arguments, stored = columns.arguments(), columns.stored()
    spread(
        lambda first, last: _sweep_labels(first, last, stored, weight, positive, known, result, *arguments),
        columns.labels,
        BLOCK,
    )
    return result


def sweep_replicates(
    ways: Descents, weight: NDArray[Any], positive: NDArray[Any], known: NDArray[Any]
) -> NDArray[np.float64]:
    """The same for many weightings of the rows at once.

    Args:
        ways: of the stored cells.
        weight: (rows, replicates): uint8 draws, or float64.
        positive, known: (labels, replicates).

    Returns:
        (2, labels, replicates).
    """
    labels = len(ways.starts) - 1
    result = np.empty((2, labels, weight.shape[1]))
    zero = np.zeros(1, np.int32 if weight.dtype == np.uint8 else np.float64)
    spread(
        lambda first, last: _sweep_replicates(
            ways.starts, ways.codes, first, last, weight, positive, known, zero, result
        ),
        labels,
    )
    return result


def sweep_blocks(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average precision and ROC area of blocks of equal scores in descending order, by their masses."""
    seen_positive, seen_negative = np.cumsum(positive), np.cumsum(negative)
    all_positive, all_negative = positive.sum(), negative.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.where(positive > 0, positive * seen_positive / (seen_positive + seen_negative), 0.0)
        wrong = (positive * (seen_negative - 0.5 * negative)).sum()
        return np.array([steps.sum() / all_positive, 1.0 - wrong / (all_positive * all_negative)])


@njit(nogil=True, cache=True, error_model="numpy")
def _sweep_labels(
    first,
    last,
    stored,
    weight,
    all_positive,
    all_known,
    result,
    bits,
    dense,
    starts,
    stored_rows,
    positive_starts,
    positive_rows,
    unknown_starts,
    unknown_rows,
    sign,
    passes,
):
    longest = stored[first:last].max()
    spare_keys, spare_codes = np.empty(longest, bits.dtype), np.empty(longest, np.int32)
    keys, codes = np.empty((BLOCK if dense else 1, longest), bits.dtype), np.empty(longest, np.int32)
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        if dense:
            fill_keys(bits, sign, begin, end, keys)
        for label in range(begin, end):
            positive = positive_rows[positive_starts[label] : positive_starts[label + 1]]
            unknown = unknown_rows[unknown_starts[label] : unknown_starts[label + 1]]
            if dense:
                line = keys[label - begin]
                size = dense_codes(line, codes, positive, unknown, spare_keys, spare_codes, passes)
            else:
                own = bits[0, starts[label] : starts[label + 1]]
                rows = stored_rows[starts[label] : starts[label + 1]]
                size = sparse_codes(
                    own, rows, keys[0], codes, positive, unknown, sign, spare_keys, spare_codes, passes
                )
            found = _walk(codes[:size], weight, all_positive[label], all_known[label])
            result[0, label], result[1, label] = found


@njit(nogil=True, cache=True, error_model="numpy")
def _walk(codes, weight, all_positive, all_known):
    seen_positive = seen_negative = positive = negative = precision = wrong = 0.0
    for i in range(len(codes)):
        code = codes[i]
        if code & POSITIVE:
            positive += weight[code >> 2]
        else:
            negative += weight[code >> 2]
        if code & END:
            if positive > 0:
                seen_positive += positive
                precision += positive * seen_positive / (seen_positive + seen_negative + negative)
                wrong += positive * (seen_negative + 0.5 * negative)
                positive = 0.0
            seen_negative += negative
            negative = 0.0
    slack = 1e-12 * all_known  # what rounding leaves of weights that cancel
    positive = all_positive - seen_positive
    negative = all_known - all_positive - seen_negative
    if positive > slack:
        negative = max(negative, 0.0)
        precision += positive * all_positive / all_known
        wrong += positive * (seen_negative + 0.5 * negative)
    return precision / all_positive, 1.0 - wrong / (all_positive * (all_known - all_positive))


@njit(nogil=True, cache=True, error_model="numpy")
def _sweep_replicates(starts, codes, first, last, weight, all_positive, all_known, zero, result):
    width = weight.shape[1]
    seen, above, below = np.empty(width, zero.dtype), np.empty(width, zero.dtype), np.empty(width, zero.dtype)
    block = np.empty(width, zero.dtype)
    precision, wrong = np.empty(width), np.empty(width)
    for label in range(first, last):
        seen[:] = 0
        below[:] = 0
        precision[:] = 0
        wrong[:] = 0
        i, end = starts[label], starts[label + 1]
        while i < end:
            code = codes[i]
            line = weight[code >> 2]
            i += 1
            if code & END and not code & POSITIVE:  # by far the most: a negative with a score of its own
                for r in range(width):
                    below[r] += line[r]
                continue
            above[:] = below
            if code & END:
                block[:] = line
            else:
                block[:] = 0
                i -= 1
                hit = False
                while True:
                    code = codes[i]
                    line = weight[code >> 2]
                    i += 1
                    if code & POSITIVE:
                        hit = True
                        for r in range(width):
                            block[r] += line[r]
                    else:
                        for r in range(width):
                            below[r] += line[r]
                    if code & END:
                        break
                if not hit:
                    continue
            for r in range(width):
                seen[r] += block[r]
                mass = np.float64(block[r])
                reached = np.float64(seen[r])
                precision[r] += mass * reached / max(reached + np.float64(below[r]), 1e-300)
                wrong[r] += mass * 0.5 * (np.float64(above[r]) + np.float64(below[r]))
        for r in range(width):
            whole, known = all_positive[label, r], all_known[label, r]
            rest = whole - seen[r]
            if rest > 1e-12 * known:  # positives that are not stored tie below all stored cells
                precision[r] += rest * whole / known
                wrong[r] += rest * 0.5 * (below[r] + (known - whole))
            result[0, label, r] = precision[r] / whole
            result[1, label, r] = 1.0 - wrong[r] / (whole * (known - whole))
