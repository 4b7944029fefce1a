"""Targets turned over, labels as rows, for losses that look at a label across the batch."""

from typing import Any

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells, DenseCells, SparseCells


def transposed(cells: Cells) -> Cells:
    """Cells of shape (labels, rows), sparse if they were; row weights become weights of cells."""
    weight = cells.cell_weight
    if cells.row_weight is not None:
        by_row = cells.row_weight[:, None].expand(cells.shape)
        weight = by_row if weight is None else weight * by_row
    weight = None if weight is None else weight.t()
    if not isinstance(cells, SparseCells):
        dense = cells.dense()
        unknown = None if dense.unknown is None else dense.unknown.t()
        return DenseCells(values=dense.values.t(), unknown=unknown, cell_weight=weight)
    starts, labels, order = _turned(cells.positive_index, cells.width)
    hidden: dict[str, Any] = {}
    if cells.unknown_index is not None:
        unknown_starts, unknown_labels, _ = _turned(cells.unknown_index, cells.width)
        hidden = {"unknown_starts": unknown_starts, "unknown_labels": unknown_labels}
    values = None if cells.values is None else cells.values[order]
    return SparseCells(
        width=cells.shape[0], starts=starts, labels=labels, values=values, cell_weight=weight, **hidden
    )


def _turned(index: tuple[Tensor, Tensor], labels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Starts and rows of the stored cells by label, and the order that makes it so."""
    rows, columns = index
    order = torch.argsort(columns, stable=True)
    counts = torch.bincount(columns, minlength=labels)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]), rows[order], order
