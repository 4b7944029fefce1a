"""Where a row's positives stand among its known cells: how many score higher, how many the same.

Every ranking and top-k metric is a function of these two numbers, so no row is ever sorted, and scores of
any form - dense, sparse, or one ranking shared by all rows - meet in one record.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from manyhot.kernels.sorting import Sparse

FEW = 48  # up to so many positives, counting against each (vectorised) beats a search


@dataclass(frozen=True)
class RowRanks:
    """Ranks of the positive cells, row after row.

    Attributes:
        starts: (rows + 1,), row i owns the positives starts[i]:starts[i + 1].
        labels: (positives,), their columns.
        above: (positives,), known cells of the row that score higher.
        tied: (positives,), known cells of the row that score the same, itself among them.
        known: (rows,), known cells.
    """

    starts: NDArray[Any]
    labels: NDArray[Any]
    above: NDArray[np.int32]
    tied: NDArray[np.int32]
    known: NDArray[np.int64]


def rank_dense(scores: NDArray[Any], positives: Sparse, unknown: Sparse | None) -> RowRanks:
    """Ranks by dense scores (rows, labels), no NaN."""
    empty = _empty(positives, unknown)
    floats = scores if scores.dtype == np.float64 else np.ascontiguousarray(scores, np.float32)
    _rank_dense(np.ascontiguousarray(floats), *_csr(positives), *_csr(unknown), empty.above, empty.tied)
    return empty


def rank_sparse(scores: Sparse, positives: Sparse, unknown: Sparse | None) -> RowRanks:
    """Ranks by sparse scores with sorted columns; cells that are not stored tie below all stored ones."""
    empty = _empty(positives, unknown)
    data = scores.data if scores.dtype == np.float64 else scores.data.astype(np.float32)
    out = (empty.known, empty.above, empty.tied)
    _rank_sparse(*_csr(scores), data, *_csr(positives), *_csr(unknown), *out)
    return empty


def rank_shared(scores: NDArray[Any], positives: Sparse, unknown: Sparse | None) -> RowRanks:
    """Ranks when all rows have the same scores (labels,), as those of a predictor that ignores its input."""
    empty = _empty(positives, unknown)
    ordered = np.sort(scores)
    above = len(scores) - np.searchsorted(ordered, scores, "right")
    tied = len(scores) - np.searchsorted(ordered, scores, "left") - above
    empty.above[:] = above[positives.indices]
    empty.tied[:] = tied[positives.indices]
    if unknown is not None:
        _forget_unknown(scores.astype(np.float64), *_csr(positives), *_csr(unknown), empty.above, empty.tied)
    return empty


def row_figures(ranks: RowRanks) -> NDArray[np.float64]:
    """Ranking figures of every row.

    Returns:
        (4, rows): mean precision at the positives; rank of the last positive; share of (positive, negative)
        pairs in the wrong order, ties wrong; the same with ties half wrong. NaN where undefined.
    """
    figures = np.empty((4, len(ranks.known)))
    _row_figures(ranks.starts, ranks.above, ranks.tied, ranks.known, figures)
    return figures


def best_sums(
    values: NDArray[np.float64], starts: NDArray[Any], discounts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Discounted sum of each row's largest values, (rows,): the largest times discounts[0], and so on."""
    sums = np.zeros(len(starts) - 1)
    _best_sums(values, starts, discounts, sums)
    return sums


def _empty(positives: Sparse, unknown: Sparse | None) -> RowRanks:
    known = np.full(positives.shape[0], positives.shape[1], np.int64)
    if unknown is not None:
        known -= np.diff(unknown.indptr)
    above, tied = np.zeros(positives.nnz, np.int32), np.zeros(positives.nnz, np.int32)
    return RowRanks(positives.indptr, positives.indices, above, tied, known)


def _csr(matrix: Sparse | None) -> tuple[NDArray[Any], NDArray[Any]]:
    if matrix is None:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    return matrix.indptr, matrix.indices


@njit(nogil=True, cache=True, error_model="numpy")
def _rank_values(values, wanted, above, tied):
    """Above and tied of each wanted value among values."""
    if len(wanted) <= FEW:
        for p in range(len(wanted)):
            value = wanted[p]
            higher = np.int32(0)
            same = np.int32(0)
            for j in range(len(values)):
                higher += np.int32(values[j] > value)
                same += np.int32(values[j] == value)
            above[p] = higher
            tied[p] = same
        return
    ordered = np.sort(values)
    for p in range(len(wanted)):
        upto = np.searchsorted(ordered, wanted[p], side="right")
        above[p] = len(values) - upto
        tied[p] = upto - np.searchsorted(ordered, wanted[p], side="left")


@njit(nogil=True, cache=True, error_model="numpy")
def _rank_dense(scores, starts, labels, unknown_starts, unknown_labels, above, tied):
    rows, width = scores.shape
    values = np.empty(width, scores.dtype)
    wanted = np.empty(width, scores.dtype)
    for i in range(rows):
        first, last = starts[i], starts[i + 1]
        if first == last:
            continue
        for p in range(first, last):
            wanted[p - first] = scores[i, labels[p]]
        found = wanted[: last - first]
        if len(unknown_starts) == 0 or unknown_starts[i] == unknown_starts[i + 1]:
            _rank_values(scores[i], found, above[first:last], tied[first:last])
            continue
        size = 0
        u, end = unknown_starts[i], unknown_starts[i + 1]
        for j in range(width):
            if u < end and unknown_labels[u] == j:
                u += 1
            else:
                values[size] = scores[i, j]
                size += 1
        _rank_values(values[:size], found, above[first:last], tied[first:last])


@njit(nogil=True, cache=True, error_model="numpy")
def _rank_sparse(
    score_starts,
    score_labels,
    scores,
    starts,
    labels,
    unknown_starts,
    unknown_labels,
    known,
    above,
    tied,
):
    widest = 0
    for i in range(len(starts) - 1):
        widest = max(widest, score_starts[i + 1] - score_starts[i])
    values = np.empty(widest, scores.dtype)
    columns = np.empty(widest, np.int64)
    wanted, owners = np.empty(widest, scores.dtype), np.empty(widest, np.int64)
    higher, same = np.empty(widest, np.int32), np.empty(widest, np.int32)
    for i in range(len(starts) - 1):
        if starts[i] == starts[i + 1]:
            continue
        size = 0
        u = unknown_starts[i] if len(unknown_starts) else 0
        end = unknown_starts[i + 1] if len(unknown_starts) else 0
        for s in range(score_starts[i], score_starts[i + 1]):
            while u < end and unknown_labels[u] < score_labels[s]:
                u += 1
            if u < end and unknown_labels[u] == score_labels[s]:
                continue
            values[size] = scores[s]
            columns[size] = score_labels[s]
            size += 1
        place = found = 0
        for p in range(starts[i], starts[i + 1]):
            while place < size and columns[place] < labels[p]:
                place += 1
            if place < size and columns[place] == labels[p]:
                wanted[found] = values[place]
                owners[found] = p
                found += 1
            else:
                above[p] = size
                tied[p] = known[i] - size
        _rank_values(values[:size], wanted[:found], higher[:found], same[:found])
        for f in range(found):
            above[owners[f]] = higher[f]
            tied[owners[f]] = same[f]


@njit(nogil=True, cache=True, error_model="numpy")
def _forget_unknown(scores, starts, labels, unknown_starts, unknown_labels, above, tied):
    for i in range(len(starts) - 1):
        for p in range(starts[i], starts[i + 1]):
            value = scores[labels[p]]
            for u in range(unknown_starts[i], unknown_starts[i + 1]):
                hidden = scores[unknown_labels[u]]
                above[p] -= hidden > value
                tied[p] -= hidden == value


@njit(nogil=True, cache=True, error_model="numpy")
def _row_figures(starts, above, tied, known, figures):
    for i in range(len(starts) - 1):
        first, last = starts[i], starts[i + 1]
        positives = last - first
        figures[:, i] = np.nan
        if positives == 0:
            continue
        ranks = np.sort(above[first:last])
        precision = 0.0
        deepest = 0
        wrong = half = 0
        for p in range(first, last):
            upto = above[p] + tied[p]
            higher = np.searchsorted(ranks, above[p], side="left")
            at_least = np.searchsorted(ranks, above[p], side="right")
            precision += at_least / upto
            deepest = max(deepest, upto)
            wrong += upto - at_least
            half += (upto - at_least) + (above[p] - higher)
        figures[0, i] = precision / positives
        figures[1, i] = deepest
        negatives = known[i] - positives
        if negatives:
            figures[2, i] = wrong / (positives * negatives)
            figures[3, i] = 0.5 * half / (positives * negatives)


@njit(nogil=True, cache=True, error_model="numpy")
def _best_sums(values, starts, discounts, sums):
    k = len(discounts)
    best = np.empty(k)
    for row in range(len(starts) - 1):
        size = 0
        for p in range(starts[row], starts[row + 1]):
            value = values[p]
            if size == k and value <= best[k - 1]:
                continue
            at = min(size, k - 1)
            while at > 0 and best[at - 1] < value:
                best[at] = best[at - 1]
                at -= 1
            best[at] = value
            size = min(size + 1, k)
        for place in range(size):
            sums[row] += best[place] * discounts[place]
