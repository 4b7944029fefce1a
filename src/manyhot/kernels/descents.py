"""The way down a label: its known cells from the highest score to the lowest, each with what it is.

One int32 says all that a walk needs: the row, whether the cell is positive, and whether it is the last of
those that share its score. Scores are not needed any more, so a walk can be repeated with other row weights.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from manyhot.kernels.sorting import Sparse, descending_key, passes_for, score_bits, sign_of, sort_keys
from manyhot.kernels.threads import spread

POSITIVE, END = 2, 1  # bits of a code; the row stands above them
BLOCK = 16  # labels transposed at a time: one cache line of float32


@dataclass(frozen=True)
class Descents:
    """The ways down all labels: label j owns the codes starts[j]:starts[j + 1].

    Attributes:
        starts: (labels + 1,).
        codes: (cells,) int32, row * 4 + 2 (positive) + 1 (last of its score); unknown cells are left out.
    """

    starts: NDArray[np.int64]
    codes: NDArray[np.int32]


@dataclass(frozen=True)
class Columns:
    """Scores and targets label by label, ready for kernels.

    Attributes:
        bits: dense (rows, labels) or, when sparse, (stored cells,) in label order.
        starts, rows: where each label's stored cells are; empty when dense.
        positive_starts, positive_rows, unknown_starts, unknown_rows: cells of each label.
    """

    bits: NDArray[Any]
    starts: NDArray[Any]
    rows: NDArray[Any]
    positive_starts: NDArray[Any]
    positive_rows: NDArray[Any]
    unknown_starts: NDArray[Any]
    unknown_rows: NDArray[Any]

    @classmethod
    def of(cls, scores: Any, positives: Sparse, unknown: Sparse | None) -> "Columns":
        """Lay out dense scores or CSR ones."""
        hidden = (csr_array(positives.shape, dtype=bool) if unknown is None else unknown).tocsc()
        known = positives.tocsc()
        cells = (known.indptr, known.indices, hidden.indptr, hidden.indices)
        if not issparse(scores):
            none = np.zeros(0, np.int32)
            return cls(score_bits(scores), none, none, *cells)
        stored = scores.tocsc()
        return cls(score_bits(stored.data), stored.indptr, stored.indices, *cells)

    @property
    def labels(self) -> int:
        """Number of labels."""
        return len(self.positive_starts) - 1

    def stored(self) -> NDArray[np.int64]:
        """Number of stored cells of each label, unknown ones among them."""
        if self.bits.ndim == 2:
            return np.full(self.labels, len(self.bits))
        return np.diff(self.starts).astype(np.int64)

    def arguments(self) -> Any:
        """What the kernels take, in their order."""
        dense = self.bits if self.bits.ndim == 2 else self.bits.reshape(1, -1)
        cells = (self.positive_starts, self.positive_rows, self.unknown_starts, self.unknown_rows)
        return dense, self.bits.ndim == 2, self.starts, self.rows, *cells, sign_of(dense), passes_for(dense)


def descents(columns: Columns) -> Descents:
    """Sort every label once."""
    room = np.concatenate([[0], np.cumsum(columns.stored())])
    codes = np.empty(room[-1], np.int32)
    sizes = np.zeros(columns.labels, np.int64)
    arguments = columns.arguments()
    spread(
        lambda first, last: _descend_all(first, last, room, codes, sizes, *arguments), columns.labels, BLOCK
    )
    if sizes.sum() < len(codes):  # unknown cells left gaps
        kept = np.arange(len(codes)) - np.repeat(room[:-1], np.diff(room)) < np.repeat(sizes, np.diff(room))
        codes = codes[kept]
    return Descents(np.concatenate([[0], np.cumsum(sizes)]), codes)


def pooled_descent(scores: Any, positives: Sparse, unknown: Sparse | None) -> Descents:
    """All known (stored) cells as one way down."""
    values = scores.data if issparse(scores) else scores.reshape(-1)
    rows, labels = positives.shape
    dense_starts = np.arange(rows + 1, dtype=np.int64) * labels
    starts = scores.indptr if issparse(scores) else dense_starts
    columns = scores.indices if issparse(scores) else np.zeros(0, np.int32)
    bits = score_bits(values)
    keys, codes = np.empty(len(bits), bits.dtype), np.empty(len(bits), np.int32)
    hidden = csr_array(positives.shape, dtype=bool) if unknown is None else unknown
    cells = (positives.indptr, positives.indices, hidden.indptr, hidden.indices)
    size = _pool(bits, starts, columns, *cells, sign_of(bits), keys, codes)
    keys, codes = keys[:size], codes[:size]
    _finish(keys, codes, np.empty_like(keys), np.empty_like(codes), passes_for(bits))
    return Descents(np.array([0, size]), codes)


@njit(nogil=True, cache=True, error_model="numpy")
def _finish(keys, codes, spare_keys, spare_codes, passes):
    """Sort one label's keys and codes, and mark the last code of each score."""
    size = len(keys)
    if size == 0:
        return
    sort_keys(keys, codes, spare_keys, spare_codes, passes)
    for i in range(size - 1):
        if keys[i] != keys[i + 1]:
            codes[i] |= END
    codes[size - 1] |= END


@njit(nogil=True, cache=True, error_model="numpy")
def dense_codes(keys, codes, positive, unknown, spare_keys, spare_codes, passes):
    """Finished codes of a dense label, first in `codes`; returns their number."""
    size = len(keys)
    for i in range(size):
        codes[i] = i << 2
    for p in range(len(positive)):
        codes[positive[p]] |= POSITIVE
    if len(unknown):
        u = kept = 0
        for i in range(size):
            if u < len(unknown) and unknown[u] == i:
                u += 1
                continue
            keys[kept] = keys[i]
            codes[kept] = codes[i]
            kept += 1
        size = kept
    _finish(keys[:size], codes[:size], spare_keys, spare_codes, passes)
    return size


@njit(nogil=True, cache=True, error_model="numpy")
def sparse_codes(bits, rows, keys, codes, positive, unknown, sign, spare_keys, spare_codes, passes):
    """Finished codes of a label's stored cells (rows ascending), first in `codes`; returns their number."""
    p = u = size = 0
    for i in range(len(rows)):
        row = rows[i]
        while u < len(unknown) and unknown[u] < row:
            u += 1
        if u < len(unknown) and unknown[u] == row:
            continue
        while p < len(positive) and positive[p] < row:
            p += 1
        keys[size] = descending_key(bits[i], sign)
        codes[size] = row << 2
        if p < len(positive) and positive[p] == row:
            codes[size] |= POSITIVE
        size += 1
    _finish(keys[:size], codes[:size], spare_keys, spare_codes, passes)
    return size


@njit(nogil=True, cache=True, error_model="numpy")
def _descend_all(
    first,
    last,
    room,
    codes,
    sizes,
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
    longest = 0
    for label in range(first, last):
        longest = max(longest, room[label + 1] - room[label])
    spare_keys, spare_codes = np.empty(longest, bits.dtype), np.empty(longest, np.int32)
    keys = np.empty((BLOCK if dense else 1, longest), bits.dtype)
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        if dense:
            fill_keys(bits, sign, begin, end, keys)
        for label in range(begin, end):
            own = codes[room[label] : room[label + 1]]
            positive = positive_rows[positive_starts[label] : positive_starts[label + 1]]
            unknown = unknown_rows[unknown_starts[label] : unknown_starts[label + 1]]
            if dense:
                line = keys[label - begin]
                sizes[label] = dense_codes(line, own, positive, unknown, spare_keys, spare_codes, passes)
            else:
                stored = bits[0, starts[label] : starts[label + 1]]
                rows = stored_rows[starts[label] : starts[label + 1]]
                sizes[label] = sparse_codes(
                    stored, rows, keys[0], own, positive, unknown, sign, spare_keys, spare_codes, passes
                )


@njit(nogil=True, cache=True, error_model="numpy")
def fill_keys(bits, sign, begin, end, keys):
    """Keys of the labels begin:end, transposed."""
    for i in range(len(bits)):
        for label in range(begin, end):
            keys[label - begin, i] = descending_key(bits[i, label], sign)


@njit(nogil=True, cache=True, error_model="numpy")
def _pool(
    bits,
    starts,
    columns,
    positive_starts,
    positive_labels,
    unknown_starts,
    unknown_labels,
    sign,
    keys,
    codes,
):
    dense = len(columns) == 0
    size = 0
    for row in range(len(starts) - 1):
        p, u = positive_starts[row], unknown_starts[row]
        for place in range(starts[row], starts[row + 1]):
            label = place - starts[row] if dense else columns[place]
            while u < unknown_starts[row + 1] and unknown_labels[u] < label:
                u += 1
            if u < unknown_starts[row + 1] and unknown_labels[u] == label:
                continue
            while p < positive_starts[row + 1] and positive_labels[p] < label:
                p += 1
            keys[size] = descending_key(bits[place], sign)
            codes[size] = row << 2
            if p < positive_starts[row + 1] and positive_labels[p] == label:
                codes[size] |= POSITIVE
            size += 1
    return size
