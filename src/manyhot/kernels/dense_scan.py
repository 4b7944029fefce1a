"""Dense targets read once: the cells that are not plain negatives, found without a copy of the matrix."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from manyhot.kernels.cells import DenseCells, SparseCells
from manyhot.kernels.pool import over_rows

Array = NDArray[Any]
BLOCK = 64  # cells that are passed over together when all are 0
EXPECTED = 16  # cells of a row that there is room for at first
READ_AS_THEY_ARE = (torch.float32, torch.float64, torch.uint8, torch.int64)
BITS = {1: np.uint8, 4: np.uint32, 8: np.uint64}


def compressed(cells: DenseCells) -> SparseCells:
    """The same targets without their plain negatives."""
    values = cells.values
    if values.dtype == torch.bool:
        values = values.view(torch.uint8)
    elif values.dtype not in READ_AS_THEY_ARE:
        values = values.float()
    if cells.unknown is not None:
        values = torch.where(cells.unknown, -1, values if values.dtype.is_signed else values.float())
    matrix = values.detach().contiguous().numpy()
    found = _joined(over_rows(lambda first, last: _scanned(matrix[first:last]), len(matrix), matrix.size))
    hidden = len(found.hidden_labels) > 0
    return SparseCells(
        width=matrix.shape[1],
        starts=torch.from_numpy(found.starts),
        labels=torch.from_numpy(found.labels),
        values=torch.from_numpy(found.values) if found.soft else None,
        unknown_starts=torch.from_numpy(found.hidden_starts) if hidden else None,
        unknown_labels=torch.from_numpy(found.hidden_labels) if hidden else None,
        row_weight=cells.row_weight,
        cell_weight=cells.cell_weight,
        row_ids=cells.row_ids,
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """Positives and unknown cells of some rows, compressed; soft if a value is not 1."""

    starts: Array
    labels: Array
    values: Array
    hidden_starts: Array
    hidden_labels: Array
    soft: bool


def _scanned(matrix: Array) -> _Found:
    rows, room = len(matrix), max(BLOCK, EXPECTED * len(matrix))
    starts = np.zeros((2, rows + 1), np.int32)
    labels, hidden = np.empty(room, np.int32), np.empty(room, np.int32)
    values = np.empty(room, np.float64 if matrix.dtype == np.float64 else np.float32)
    bits = matrix.view(BITS[matrix.itemsize])
    row, soft = _scan(bits, matrix, 0, starts, labels, values, hidden)
    while row < rows:
        labels, values, hidden = (np.concatenate([a, np.empty_like(a)]) for a in (labels, values, hidden))
        row, more = _scan(bits, matrix, row, starts, labels, values, hidden)
        soft |= more
    number, hidden_number = starts[:, -1]
    return _Found(starts[0], labels[:number], values[:number], starts[1], hidden[:hidden_number], soft)


def _joined(parts: list[_Found]) -> _Found:
    if len(parts) == 1:
        return parts[0]
    return _Found(
        _follow_on([part.starts for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.values for part in parts]),
        _follow_on([part.hidden_starts for part in parts]),
        np.concatenate([part.hidden_labels for part in parts]),
        any(part.soft for part in parts),
    )


def _follow_on(starts: list[Array]) -> Array:
    """Row pointers of runs of rows as those of all rows."""
    counts = np.concatenate([np.diff(run) for run in starts])
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


@njit(nogil=True, cache=True)
def _scan(
    bits: Any, matrix: Any, first: int, starts: Any, labels: Any, values: Any, hidden: Any
) -> tuple[int, bool]:
    """List the cells from a row on; the row at which the room ends, and whether a value is not 1."""
    soft, k, h = False, starts[0, first], starts[1, first]
    for i in range(first, matrix.shape[0]):
        row = bits[i]
        for c in range(0, row.shape[0], BLOCK):
            block = row[c : c + BLOCK]
            some = bits.dtype.type(0)
            for j in range(block.shape[0]):
                some = bits.dtype.type(some | block[j])  # Numba alone would widen it
            if some == 0:
                continue
            if max(k, h) + block.shape[0] > labels.shape[0]:
                return i, soft
            for j in range(block.shape[0]):
                if block[j] == 0:
                    continue
                value = matrix[i, c + j]
                if value > 0:
                    labels[k], values[k] = c + j, value
                    soft |= value != 1
                    k += 1
                elif not value >= 0:
                    hidden[h] = c + j
                    h += 1
        starts[0, i + 1], starts[1, i + 1] = k, h
    return matrix.shape[0], soft
