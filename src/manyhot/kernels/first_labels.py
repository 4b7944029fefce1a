"""The k labels of a row that score highest, chosen without sorting the row."""

from typing import Any

import numpy as np
from numba import njit
from scipy.sparse import csr_array, issparse

from manyhot.kernels.sorting import Sparse


def first_labels(scores: Any, unknown: Sparse | None, k: int) -> csr_array:
    """Pattern of the k highest known cells of each row; of equal scores the label further left wins.

    Args:
        scores: dense (rows, labels), or CSR with sorted columns; absent cells tie below all stored ones.
        unknown: cells that are passed over.
        k: >= 1.
    """
    rows, labels = scores.shape
    none = np.zeros(rows + 1, np.int32)
    hidden = (none, none[:0]) if unknown is None else (unknown.indptr, unknown.indices)
    if issparse(scores):
        stored = (scores.data, scores.indptr, scores.indices)
    else:
        stored = (scores.reshape(-1), np.arange(rows + 1, dtype=np.int64) * labels, none[:0])
    k = min(k, labels)
    chosen, sizes = np.empty((rows, k), np.int32), np.empty(rows, np.int64)
    _first_labels(*stored, *hidden, k, chosen, sizes)
    if issparse(scores):
        _fill_up(*stored[1:], *hidden, labels, chosen, sizes)
    kept = chosen[np.arange(k) < sizes[:, None]]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    pattern = csr_array((np.ones(len(kept), np.float32), kept, starts), shape=(rows, labels))
    pattern.sort_indices()
    return pattern


@njit(nogil=True, cache=True, error_model="numpy")
def _first_labels(scores, starts, columns, unknown_starts, unknown_labels, k, chosen, sizes):
    best = np.empty(k, scores.dtype)
    for row in range(len(starts) - 1):
        size = 0
        u, end = unknown_starts[row], unknown_starts[row + 1]
        for place in range(starts[row], starts[row + 1]):
            score = scores[place]
            if size == k and not score > best[k - 1]:
                continue
            label = columns[place] if len(columns) else place - starts[row]
            while u < end and unknown_labels[u] < label:
                u += 1
            if u < end and unknown_labels[u] == label:
                continue
            at = min(size, k - 1)
            while at > 0 and best[at - 1] < score:
                best[at] = best[at - 1]
                chosen[row, at] = chosen[row, at - 1]
                at -= 1
            best[at] = score
            chosen[row, at] = label
            size = min(size + 1, k)
        sizes[row] = size


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_up(starts, columns, unknown_starts, unknown_labels, labels, chosen, sizes):
    for row in range(len(starts) - 1):
        place, u = starts[row], unknown_starts[row]
        for label in range(labels):
            if sizes[row] == chosen.shape[1]:
                break
            if place < starts[row + 1] and columns[place] == label:
                place += 1
                continue
            while u < unknown_starts[row + 1] and unknown_labels[u] < label:
                u += 1
            if u < unknown_starts[row + 1] and unknown_labels[u] == label:
                continue
            chosen[row, sizes[row]] = label
            sizes[row] += 1
