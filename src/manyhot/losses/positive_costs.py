"""`PositiveCosts`: losses that read a row through a few sums of it and through each of its positives."""

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor

from manyhot.kernels.cells import Cells
from manyhot.kernels.positives import Positives, positives
from manyhot.kernels.row_sums import row_sums
from manyhot.losses.rowwise import RowCosts


class PositiveCosts(RowCosts):
    """A function of sums of each row and of its positives' logits: negatives are seen through the sums only.

    A subclass names the sums that it reads in `sum_names` (see `manyhot.kernels.row_sums`) and gives
    `of_sums`. So it needs no row at once, and `FusedLinearLoss` takes it.
    """

    shows_nan = True

    sum_names: ClassVar[tuple[str, ...]]

    @abstractmethod
    def of_sums(self, sums: dict[str, Tensor], own: Positives) -> Tensor:
        """Cost of every row, (rows,), differentiable.

        Args:
            sums: the named ones, each (rows,).
            own: the positive cells; their rows need not ascend.
        """

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Cost of every row from its sums and positives."""
        reading = self.reading(cells)
        return self.of_sums(row_sums(z, cells, reading, self.sum_names), positives(z, cells, reading))
