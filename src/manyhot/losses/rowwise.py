"""Losses whose unit is a row: `RowCosts`, and `Rowwise` for those that are a function of shared row sums."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.row_sums import ROW_SUMS, RowReading, compacted, row_sums, takes_halves
from manyhot.kernels.row_totals import row_constants, row_total, writes_rows
from manyhot.kernels.torch_engine import computed
from manyhot.losses.base import MultiLabelLoss
from manyhot.losses.pointwise import side_weights


class RowCosts(MultiLabelLoss):
    """A loss that gives one number per row; "mean" is over the rows of which something is known.

    A subclass gives `rows`. Row weights and the reduction are applied here.
    """

    @abstractmethod
    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Cost of every row, finite also where the row has no positive, no negative, nothing known.

        Args:
            z: (rows, labels) logits in float32 or float64.
            cells: the targets.

        Returns:
            (rows,), differentiable.
        """

    def read(self, logits: Tensor, cells: Cells) -> Tensor:  # noqa: ARG002
        """The logits as `rows` takes them, in the dtype that costs are computed in."""
        return computed(logits)

    def counted(self, cells: Cells) -> Tensor:
        """(rows,) bool: which rows "mean" divides by; the others cost 0."""
        return cells.known_per_row() > 0

    def reading(self, cells: Cells) -> RowReading:
        """Weights and temperatures for `manyhot.kernels.row_sums`."""
        positive, negative = side_weights(self, cells)
        return RowReading(
            temperature=getattr(self, "temperature", 1.0),
            temperature_pos=getattr(self, "temperature_pos", 1.0),
            temperature_neg=getattr(self, "temperature_neg", 1.0),
            positive_weight=positive,
            negative_weight=negative,
            smoothing=self.smoothing,
        )

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost, or with the reduction "none" the cost of every row."""
        cells = compacted(logits, cells, self.reading(cells))
        z = self.read(logits, cells)
        counted = self.counted(cells)
        costs = torch.where(counted, self.rows(z, cells), 0.0)
        if cells.row_weight is not None:
            costs = costs * cells.row_weight.to(costs.dtype)
        return reduce_units(costs, self.reduction, z.shape[0], counted.sum())


class Rowwise(RowCosts):
    """A loss that is a function of a few sums of each row.

    A subclass gives one static formula `row`, written with the words of `manyhot.kernels.words`. Its
    arguments are named after the sums that it reads (see `manyhot.kernels.row_sums`) or after attributes; it
    returns (value, slopes), one slope for each sum that depends on the logits, in the order of the
    arguments. The logarithm of a sum over no cell is a number so low that its exponential is 0.

    Weights of labels and cells multiply the mass of a cell inside the sums; a soft target splits its cell
    between both sides. Attributes `temperature`, `temperature_pos`, `temperature_neg` divide the logits.
    """

    shows_nan = True
    by_triton = True

    row: ClassVar[Callable[..., tuple[Any, tuple[Any, ...]]]]

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost; with its gradient in one pass where a compiling engine does the whole row."""
        reading = self.reading(cells)
        cells = compacted(logits, cells, reading)
        if self.reduction == "none" or not writes_rows(logits, cells, reading, type(self).row):
            return super().evaluate(logits, cells)
        constants = tuple(getattr(self, name) for name in row_constants(type(self).row))
        return row_total(
            computed(logits), cells, reading, type(self).row, constants, self.reduction, super().evaluate
        )

    def read(self, logits: Tensor, cells: Cells) -> Tensor:
        """As they are where only row sums are made of them, which the GPU engine reads in half precision."""
        return logits if takes_halves(logits, cells, self.reading(cells)) else computed(logits)

    @final
    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Cost of every row by the formula."""
        code = type(self).row.__code__
        names = code.co_varnames[: code.co_argcount]
        sums = row_sums(z, cells, self.reading(cells), [name for name in names if name in ROW_SUMS])
        value, _ = type(self).row(*(sums[name] if name in sums else getattr(self, name) for name in names))
        return value
