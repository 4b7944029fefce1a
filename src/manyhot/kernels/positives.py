"""The positive cells of a batch as one flat list, for costs that are summed over positives."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch._C._functorch import get_unwrapped, is_batchedtensor, is_functorch_wrapped_tensor

from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.pointwise import plain
from manyhot.kernels.row_sums import RowReading


@dataclass(frozen=True, eq=False)
class Positives:
    """Every cell with a positive value, one entry each.

    Where shapes must not depend on numbers all cells are listed, those that are not positive by the value 0.

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


def positives(z: Tensor, cells: Cells, reading: RowReading, *, paired: bool = False) -> Positives:
    """The positive cells of a batch; dense targets are built only where they are smoothed.

    Args:
        z: (rows, labels) logits in float32 or float64.
        cells: the targets.
        reading: weights and smoothing.
        paired: each will be held against its whole row, so that all cells are listed for torch.vmap only,
            which cannot do without, and not for torch.compile.
    """
    if isinstance(cells, SparseCells) and not any(reading.smoothing):
        rows, labels = cells.positive_index
        own = z[rows, labels]
        values = torch.ones_like(own) if cells.values is None else cells.values.to(z.dtype)
    else:
        whole = _values(cells, reading, z.dtype)
        if _is_mapped(whole) or not (paired or plain(z)):
            rows = torch.arange(len(z), device=z.device).repeat_interleave(z.shape[1])
            labels = torch.arange(z.shape[1], device=z.device).repeat(len(z))
            own, values = visible(z, cells).reshape(-1), whole.reshape(-1)
        else:
            rows, labels = torch.nonzero(whole > 0, as_tuple=True)
            own, values = z[rows, labels], whole[rows, labels]
    mass = values
    if reading.positive_weight is not None:
        mass = mass * reading.positive_weight.to(z.dtype)[labels]
    if cells.cell_weight is not None:
        mass = mass * cells.cell_weight.to(z.dtype)[rows, labels]
    return Positives(z.shape[0], rows, labels, own, values, mass)


class Sides:
    """How far each cell is a positive of its label and how far not, for sums over both by label.

    Args:
        cells: the targets; unknown ones are negative here.
        smoothing: as in `RowReading`.
        weight: (rows, labels) of cells; None where all weigh 1.
        dtype: of the sums.
    """

    def __init__(
        self, cells: Cells, smoothing: tuple[float, float], weight: Tensor | None, dtype: torch.dtype
    ) -> None:
        lost, self.won = smoothing
        self.weight, self.width = weight, cells.shape[1]
        self.here = cells.positive_index if isinstance(cells, SparseCells) else None
        if isinstance(cells, SparseCells):
            ones = torch.ones(len(cells.labels), dtype=dtype, device=cells.device)
            values = ones if cells.values is None else cells.values.to(dtype)
        else:
            values = cells.dense().mass(dtype)
        self.positive = values * (1 - lost - self.won) + self.won
        self.negative = 1 - self.positive
        if weight is not None:
            own = weight if self.here is None else weight[self.here]
            self.positive, self.negative = self.positive * own, self.negative * own

    def sums(self, of_positives: Tensor, of_negatives: Tensor) -> tuple[Tensor, Tensor]:
        """(labels,) one amount (rows, labels) summed over positives, another over all other cells."""
        if self.here is None:
            return (self.positive * of_positives).sum(0), (self.negative * of_negatives).sum(0)
        none, labels = of_positives.new_zeros(self.width), self.here[1]
        positive = none.index_add(0, labels, self.positive * of_positives[self.here])
        negative = none.index_add(0, labels, self.negative * of_negatives[self.here])
        if self.won:
            positive = positive + self.won * self._others(of_positives)
        return positive, negative + (1 - self.won) * self._others(of_negatives)

    def _others(self, amounts: Tensor) -> Tensor:
        assert self.here is not None
        weighted = amounts if self.weight is None else amounts * self.weight
        return weighted.index_put(self.here, weighted.new_zeros(())).sum(0)


def product(*weights: Tensor | None) -> Tensor | None:
    """Of those that are not None; None of none."""
    found = None
    for weight in weights:
        if weight is not None:
            found = weight if found is None else found * weight
    return found


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


def _is_mapped(tensor: Tensor) -> bool:
    """True for what `torch.vmap` maps over."""
    if torch.compiler.is_compiling():
        return False
    while is_functorch_wrapped_tensor(tensor):
        if is_batchedtensor(tensor):
            return True
        tensor = get_unwrapped(tensor)
    return False
