"""Pairs of a positive and a negative, all at once: the two log-sum-exps that factorise exp(z_n - z_p)."""

from dataclasses import replace
from typing import Any, Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels.both_ways import Ways, both_ways, goes_both_ways
from manyhot.kernels.cells import Cells
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.row_sums import RowReading, compacted, row_sums
from manyhot.kernels.torch_engine import computed
from manyhot.kernels.transposed import transposed
from manyhot.kernels.words import sigmoid, softplus
from manyhot.losses.base import MultiLabelLoss, Options, Traits
from manyhot.losses.pointwise import side_weights
from manyhot.losses.rowwise import Rowwise


class LSEP(Rowwise):
    """log(1 + sum over pairs of a positive p and a negative n of exp(z_n - z_p)), per row.

    A smooth ranking loss over all pairs in the time of one pass. It says nothing about where to cut: shifting
    a row's logits changes nothing. Rows without positives or without negatives cost 0.

    Formula: sp(LSE over N of z + LSE over P of -z)
    Use: The order of labels in a row is all that counts.
    Trap: Gives no cut: a shift of a row is not seen.

    Source:
        Li, Song and Luo, "Improving Pairwise Ranking for Multi-label Image Classification", CVPR 2017,
        arXiv:1704.03135; all pairs here, where the paper samples up to 1,000 of them.
    """

    @staticmethod
    def row(lse_pos: Any, lse_neg: Any) -> tuple[Any, tuple[Any, ...]]:
        """The sum over pairs is a product of two sums."""
        slope = sigmoid(lse_pos + lse_neg)
        return softplus(lse_pos + lse_neg), (slope, slope)


class TwoWay(MultiLabelLoss):
    """The pairs of every row and the pairs of every label: a positive outranks the negatives both ways.

    A set of cells, a row or a column of the batch, costs
    log(1 + exp(T_n LSE over negatives of z / T_n + T_p LSE over positives of -z / T_p)). Sets without
    positives are left out. "mean" is the mean over rows plus the mean over labels; "sum" and "batchmean" add
    both; "none" gives the costs of the rows, then those of the labels. The cost of a label depends on which
    rows are in the batch: use large ones. Weights of labels weigh cells in a row, and multiply the cost of
    the label itself.

    Formula: sp(T_n LSE over N of z / T_n + T_p LSE over P of -z / T_p), over rows and over labels
    Use: Order of labels within rows and of rows within labels, in large batches.
    Trap: Small batches give the label part little to compare.

    Args:
        temperature_pos: T_p, > 0.
        temperature_neg: T_n, > 0.

    Source:
        Kobayashi, "Two-way Multi-Label Loss", CVPR 2023. The authors' code hides cells by adding -100 to
        their logits, which shows once logits are of that size; here they are left out.
    """

    traits = Traits(batch=True)

    def __init__(
        self, temperature_pos: float = 4.0, temperature_neg: float = 1.0, **options: Unpack[Options]
    ) -> None:
        super().__init__(**options)
        _check.at_least("temperature_pos", temperature_pos, 1e-6)
        _check.at_least("temperature_neg", temperature_neg, 1e-6)
        self.temperature_pos, self.temperature_neg = temperature_pos, temperature_neg

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Both ways, each reduced by its own count."""
        weights = side_weights(self, cells)
        if not any(self.smoothing) and self.reduction != "none":
            ways = Ways(self.temperature_pos, self.temperature_neg, *weights)
            cells = compacted(logits, cells, RowReading())
            if goes_both_ways(logits, cells):
                return both_ways(computed(logits), cells, ways, self.reduction, self._plain)
        return self._plain(logits, cells)

    def _plain(self, logits: Tensor, cells: Cells) -> Tensor:
        """The same in differentiable torch."""
        z, weights = computed(logits), side_weights(self, cells)
        plain = RowReading(
            temperature_pos=self.temperature_pos,
            temperature_neg=self.temperature_neg,
            smoothing=self.smoothing,
        )
        weighted = replace(plain, positive_weight=weights[0], negative_weight=weights[1])
        by_row, rows = self._costs(z, cells, weighted)
        if cells.row_weight is not None:
            by_row = by_row * cells.row_weight.to(z.dtype)
        by_label, labels = self._costs(z.t(), transposed(cells), plain)
        if weights[0] is not None:
            by_label = by_label * weights[0].to(z.dtype)
        if self.reduction == "none":
            return torch.cat([by_row, by_label])
        size = z.shape[0]
        return reduce_units(by_row, self.reduction, size, rows) + reduce_units(
            by_label, self.reduction, size, labels
        )

    def _costs(self, z: Tensor, cells: Cells, reading: RowReading) -> tuple[Tensor, Tensor]:
        """Cost of every set, and how many sets have positives."""
        sums = row_sums(z, cells, reading, ("lse_pos", "lse_neg", "n_pos"))
        counted = sums["n_pos"] > 0
        inside = self.temperature_pos * sums["lse_pos"] + self.temperature_neg * sums["lse_neg"]
        return softplus(inside) * counted, counted.sum()  # not where: what is not finite has to show
