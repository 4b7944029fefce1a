"""The labels of a batch in chunks: how wide they are, and which of the target cells each of them has."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells, DenseCells, SparseCells

BLOCK = 256  # widths are multiples of it, so that statistics of a block of labels do not depend on the batch
CPU_MATRICES = 3  # of rows x labels that a chunk holds at one time: logits, slopes, what the engine needs
DEVICE_MATRICES = 10  # the same where formulas are evaluated step by step


def chunk_width(rows: int, features: int, memory: int, dtype: torch.dtype, device: torch.device) -> int:
    """Labels whose logits, slopes and weights fit into `memory` bytes: a multiple of `BLOCK`, at least one.

    Args:
        rows: of the batch.
        features: of the hidden vectors.
        memory: bytes.
        dtype: of the products.
        device: where they are computed.
    """
    matrices = CPU_MATRICES if device.type == "cpu" else DEVICE_MATRICES
    size = max(dtype.itemsize, 4)
    label = size * (rows * matrices + features * 2)
    return max(1, memory // max(label, 1) // BLOCK) * BLOCK


@dataclass(frozen=True)
class Chunk:
    """A run of labels of the weight, and its cells.

    Args:
        part: rows of the weight.
        labels: the same labels as the loss counts them.
        cells: the targets of these labels.
    """

    part: slice
    labels: slice
    cells: Cells


class Chunks:
    """All labels of a weight, chunk by chunk, as often as one likes.

    Args:
        cells: targets of all labels of the loss.
        first: where the labels of the weight begin among those of the loss.
        count: labels of the weight.
        width: labels of a chunk; the last may have fewer.
    """

    def __init__(self, cells: Cells, first: int, count: int, width: int) -> None:
        self.cells, self.first, self.count, self.width = cells, first, count, width
        self.number = max(1, -(-count // width))  # also of no labels there is one, empty
        self.lists: tuple[_Lists | None, ...] = ()
        if isinstance(cells, SparseCells):
            hidden = None if cells.unknown_index is None else self._lists(cells.unknown_index, None)
            self.lists = (self._lists(cells.positive_index, cells.values), hidden)

    def __iter__(self) -> Iterator[Chunk]:
        for place in range(self.number):
            start, stop = place * self.width, min((place + 1) * self.width, self.count)
            labels = slice(self.first + start, self.first + stop)
            yield Chunk(slice(start, stop), labels, self._cells(place, labels))

    def _cells(self, place: int, labels: slice) -> Cells:
        weight = self.cells.cell_weight
        beside: dict[str, Any] = {
            "row_weight": self.cells.row_weight,
            "cell_weight": None if weight is None else weight[:, labels],
            "row_ids": self.cells.row_ids,
        }
        if self.lists:
            return self._sparse(place, labels.stop - labels.start, beside)
        dense = self.cells.dense()
        unknown = None if dense.unknown is None else dense.unknown[:, labels]
        return DenseCells(values=dense.values[:, labels], unknown=unknown, **beside)

    def _sparse(self, place: int, width: int, beside: dict[str, Any]) -> SparseCells:
        positives, hidden = self.lists
        assert positives is not None
        starts, labels, values = positives.of(place)
        cells = SparseCells(width=width, starts=starts, labels=labels, values=values, **beside)
        if hidden is None:
            return cells
        starts, labels, _ = hidden.of(place)
        return replace(cells, unknown_starts=starts, unknown_labels=labels)

    def _lists(self, index: tuple[Tensor, Tensor], values: Tensor | None) -> "_Lists":
        """Stored cells sorted once by chunk, within a chunk by row and label."""
        rows, labels = index[0], index[1] - self.first
        if self.first or self.count < self.cells.shape[1]:
            own = torch.nonzero((labels >= 0) & (labels < self.count))[:, 0]
            rows, labels = rows[own], labels[own]
            values = None if values is None else values[own]
        chunk = labels // self.width
        order = torch.argsort(chunk, stable=True)
        size = self.cells.shape[0]
        counts = torch.bincount(chunk * size + rows, minlength=self.number * size)
        counts = counts.reshape(self.number, size)
        starts = torch.cat([counts.new_zeros(self.number, 1), counts.cumsum(1)], 1).to(torch.int32)
        bounds = [0, *counts.sum(1).cumsum(0).tolist()]
        places = (labels % self.width)[order].to(torch.int32)
        return _Lists(starts, bounds, places, None if values is None else values[order])


@dataclass(frozen=True, eq=False)
class _Lists:
    """Stored cells of all chunks.

    Args:
        starts: (chunks, rows + 1), within the chunk.
        bounds: (chunks + 1,), where the cells of each chunk begin.
        labels: (stored cells,), within the chunk.
        values: (stored cells,), or None.
    """

    starts: Tensor
    bounds: list[int]
    labels: Tensor
    values: Tensor | None

    def of(self, place: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Starts, labels and values of one chunk."""
        own = slice(self.bounds[place], self.bounds[place + 1])
        return self.starts[place], self.labels[own], None if self.values is None else self.values[own]
