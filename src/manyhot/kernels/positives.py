"""The positive cells of a batch as one flat list, for costs that are summed over positives."""

from dataclasses import dataclass

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.row_sums import RowReading


@dataclass(frozen=True, eq=False)
class Positives:
    """Every cell with a positive value, one entry each.

    Args:
        size: rows of the batch.
        rows: (positives,) int64, ascending.
        labels: (positives,) int64.
        z: (positives,) logits, differentiable.
        values: (positives,) target values in (0, 1], smoothed.
        mass: (positives,) values times weights.
    """

    size: int
    rows: Tensor
    labels: Tensor
    z: Tensor
    values: Tensor
    mass: Tensor

    def added(self, amounts: Tensor) -> Tensor:
        """(rows,) sum of an amount per positive (positives,)."""
        return amounts.new_zeros(self.size).index_add(0, self.rows, amounts)


def positives(z: Tensor, cells: Cells, reading: RowReading) -> Positives:
    """The positive cells of a batch; dense targets are built only where they are smoothed.

    Args:
        z: (rows, labels) logits in float32 or float64.
        cells: the targets.
        reading: weights and smoothing.
    """
    if isinstance(cells, SparseCells) and not any(reading.smoothing):
        rows, labels = cells.positive_index
        own = z[rows, labels]
        values = torch.ones_like(own) if cells.values is None else cells.values.to(z.dtype)
    else:
        whole = _values(cells, reading, z.dtype)
        rows, labels = torch.nonzero(whole > 0, as_tuple=True)
        own, values = z[rows, labels], whole[rows, labels]
    mass = values
    if reading.positive_weight is not None:
        mass = mass * reading.positive_weight.to(z.dtype)[labels]
    if cells.cell_weight is not None:
        mass = mass * cells.cell_weight.to(z.dtype)[rows, labels]
    return Positives(z.shape[0], rows, labels, own, values, mass)


def visible(z: Tensor, cells: Cells) -> Tensor:
    """The logits, 0 where the target is unknown: what is there may be NaN and must not reach a gradient."""
    known = cells.known()
    return z if known is None else torch.where(known, z, 0.0)


def _values(cells: Cells, reading: RowReading, dtype: torch.dtype) -> Tensor:
    dense = cells.dense()
    known, values = dense.known(), dense.mass(dtype)
    of_positives, of_negatives = reading.smoothing
    if of_positives or of_negatives:
        values = values * (1 - of_positives - of_negatives) + of_negatives
    return values if known is None else torch.where(known, values, 0.0)
