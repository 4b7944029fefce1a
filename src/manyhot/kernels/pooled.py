"""All cells as one population: how much mass lies at and between the positives' distinct scores.

Average precision and ROC area over all cells need no sort of all cells: the positives are few, so their
distinct scores are sorted, and every other cell is counted into the gap where it falls. A table over the
leading bits makes that search short.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import issparse

from manyhot.kernels.sorting import Sparse, descending_key, score_bits, sign_of

TABLE_BITS = 20  # at most a million entries, 4 MB


def pooled_blocks(
    scores: Any, positives: Sparse, unknown: Sparse | None, weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Masses of blocks of cells in descending order of score, exact wherever a block holds positives.

    Args:
        scores: dense (rows, labels) or CSR with sorted columns, whose absent cells tie below all stored ones.
        positives, unknown: the cells stored in them.
        weight: (rows,), >= 0.

    Returns:
        positive and negative mass, (blocks,): blocks with positives are one tie each, blocks without hold
        everything between two of them.
    """
    values, found = cell_values(scores, positives)
    positive_weight = np.repeat(weight, np.diff(positives.indptr))
    keys, places = np.unique(_keys(values[found]), return_inverse=True)
    positive = np.bincount(places, positive_weight[found], minlength=len(keys))
    at, between = np.zeros(len(keys)), np.zeros(len(keys) + 1)
    _count(*_stored(scores), sign_of(keys), *_table(keys), keys, weight, at, between)
    at -= positive
    absent_positive = positive_weight[~found].sum()
    absent = weight.sum() * positives.shape[1] - positive.sum() - absent_positive
    if unknown is not None:
        values, found = cell_values(scores, unknown)
        hidden = np.repeat(weight, np.diff(unknown.indptr))
        absent -= hidden.sum()
        _forget(_keys(values[found]), hidden[found], keys, at, between)
    absent -= at.sum() + between.sum()
    slack = 1e-12 * weight.sum() * positives.shape[1]  # what rounding leaves of weights that cancel
    blocks = np.zeros((2, 2 * len(keys) + 2))
    blocks[0, 1:-2:2], blocks[0, -1] = positive, absent_positive
    blocks[1, 0:-1:2], blocks[1, 1:-2:2], blocks[1, -1] = between, at, absent
    blocks[blocks < slack] = 0.0
    return blocks[0], blocks[1]


def cell_values(scores: Any, cells: Sparse) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Scores at the cells stored in `cells`, and whether the score is stored; absent ones read 0."""
    if not issparse(scores):
        rows = np.repeat(np.arange(cells.shape[0]), np.diff(cells.indptr))
        return scores[rows, cells.indices], np.ones(cells.nnz, bool)
    values, found = np.zeros(cells.nnz, scores.dtype), np.zeros(cells.nnz, bool)
    _look_up(scores.indptr, scores.indices, scores.data, cells.indptr, cells.indices, values, found)
    return values, found


def _stored(scores: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    if issparse(scores):
        return score_bits(scores.data), scores.indptr
    rows, labels = scores.shape
    return score_bits(scores).reshape(-1), np.arange(rows + 1) * labels


def _keys(values: NDArray[Any]) -> NDArray[Any]:
    bits = score_bits(values)
    keys = np.empty_like(bits)
    _fill_keys(bits, sign_of(bits), keys)
    return keys


def _table(keys: NDArray[Any]) -> tuple[NDArray[np.int32], Any]:
    """First place in sorted keys of each stretch of their range, and a stretch's width in bits.

    About four stretches a key, so that a search within one is a step or none.
    """
    span = int(keys[-1]) - int(keys[0]) if len(keys) else 0
    bits = min(TABLE_BITS, max(4, (4 * len(keys)).bit_length()))
    shift = max(0, span.bit_length() - bits)
    stretches = (keys - keys[:1]) >> keys.dtype.type(shift)
    size = (span >> shift) + 1
    return np.searchsorted(stretches, np.arange(size + 1, dtype=keys.dtype), "left").astype(
        np.int32
    ), np.uint64(shift)


def _forget(
    found: NDArray[Any], mass: NDArray[Any], keys: NDArray[Any], at: NDArray[Any], between: NDArray[Any]
) -> None:
    places = np.searchsorted(keys, found, "left")
    same = np.zeros(len(found), bool)
    inside = places < len(keys)
    same[inside] = keys[places[inside]] == found[inside]
    np.subtract.at(at, places[same], mass[same])
    np.subtract.at(between, places[~same], mass[~same])


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_keys(bits, sign, keys):
    for i in range(len(bits)):
        keys[i] = descending_key(bits[i], sign)


@njit(nogil=True, cache=True, error_model="numpy")
def _count(bits, starts, sign, table, shift, keys, weight, at, between):
    size = len(keys)
    if size == 0:
        for row in range(len(starts) - 1):
            between[0] += weight[row] * (starts[row + 1] - starts[row])
        return
    low, high = keys[0], keys[size - 1]
    holder = np.empty(1, bits.dtype)  # keeps the key in its own width; plain arithmetic would widen it
    for row in range(len(starts) - 1):
        mass = weight[row]
        lowest = 0.0  # what scores below all positives, most cells of a good model, needs no memory
        for i in range(starts[row], starts[row + 1]):
            holder[0] = descending_key(bits[i], sign)
            key = holder[0]
            if key > high:
                lowest += mass
                continue
            if key < low:
                between[0] += mass
                continue
            stretch = np.int64((key - low) >> shift)
            place, stop = table[stretch], table[stretch + 1]
            while place < stop and keys[place] < key:
                place += 1
            if keys[place] == key:
                at[place] += mass
            else:
                between[place] += mass
        between[size] += lowest


@njit(nogil=True, cache=True, error_model="numpy")
def _look_up(starts, columns, scores, cell_starts, cell_columns, values, found):
    for row in range(len(starts) - 1):
        place, end = starts[row], starts[row + 1]
        for c in range(cell_starts[row], cell_starts[row + 1]):
            while place < end and columns[place] < cell_columns[c]:
                place += 1
            if place < end and columns[place] == cell_columns[c]:
                values[c] = scores[place]
                found[c] = True
