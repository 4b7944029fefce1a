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
BLOCK, FEW = 64, 8  # cells that are passed over together when all are 0
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
    rows, width = matrix.shape
    line = matrix.reshape(-1)
    room = min(max(BLOCK, EXPECTED * rows), line.size) + BLOCK
    places, hidden = np.empty(room, np.int64), np.empty(room, np.int64)
    values = np.empty(room, np.float64 if matrix.dtype == np.float64 else np.float32)
    bits = line.view(BITS[matrix.itemsize])
    cell, number, hidden_number, soft = _scan(bits, line, 0, 0, 0, places, values, hidden)
    while cell < line.size:
        places, values, hidden = (np.concatenate([a, np.empty_like(a)]) for a in (places, values, hidden))
        cell, number, hidden_number, more = _scan(
            bits, line, cell, number, hidden_number, places, values, hidden
        )
        soft |= more
    starts, labels = _by_row(places[:number], rows, width)
    hidden_starts, hidden_labels = _by_row(hidden[:hidden_number], rows, width)
    return _Found(starts, labels, values[:number], hidden_starts, hidden_labels, soft)


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
    bits: Any, line: Any, first: int, k: int, h: int, places: Any, values: Any, hidden: Any
) -> tuple[int, int, int, bool]:
    """List the cells from one on; where the room ends, how many are listed, whether a value is not 1."""
    soft = False
    for c in range(first, line.shape[0], BLOCK):
        if max(k, h) + BLOCK > places.shape[0]:
            return c, k, h, soft
        last = line.shape[0] if c + BLOCK > line.shape[0] else c + BLOCK
        if last == c + BLOCK:
            some = bits[c]
            for j in range(1, BLOCK):
                some = bits.dtype.type(some | bits[c + j])  # Numba alone would widen it
            if some == 0:
                continue
        for a in range(c, last, FEW):
            b = last if a + FEW > last else a + FEW
            if b == a + FEW and (
                bits[a] | bits[a + 1] | bits[a + 2] | bits[a + 3]
                | bits[a + 4] | bits[a + 5] | bits[a + 6] | bits[a + 7]
            ) == 0:  # fmt: skip
                continue
            for j in range(a, b):  # written first and counted then: no branch to guess wrong
                value = line[j]
                places[k], values[k], hidden[h] = j, value, j
                soft |= (value > 0) & (value != 1)
                k += 1 if value > 0 else 0
                h += 0 if value >= 0 else 1
    return line.shape[0], k, h, soft


@njit(nogil=True, cache=True)
def _by_row(places: Any, rows: int, width: int) -> tuple[Any, Any]:
    """Row pointers, and the label of each of these ascending cells."""
    starts, labels = np.zeros(rows + 1, np.int32), np.empty(len(places), np.int32)
    row = 0
    for k in range(len(places)):
        while places[k] >= (row + 1) * width:
            row += 1
            starts[row] = k
        labels[k] = places[k] - row * width
    starts[row + 1 :] = len(places)
    return starts, labels
