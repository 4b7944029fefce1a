"""Normalised discounted cumulative gain of a row made smooth."""

from typing import Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels.cells import Cells
from manyhot.kernels.pairs import pair_sums
from manyhot.kernels.positives import Positives, positives, visible
from manyhot.losses.base import Options
from manyhot.losses.rowwise import RowCosts


class ApproxNDCG(RowCosts):
    """1 - nDCG of a row, ranks counted by sigmoids of logit differences.

    A positive p has the rank 1 + sum over the row's other labels j of sigmoid((z_j - z_p) / T) and gains
    y / log2(1 + rank); the sum is divided by that of the best order. Rows without positives cost 0. Takes
    time in proportion to positives times labels.

    Formula: 1 - sum over P of y / log2(1 + r) / its best, r = 1 + sum of sigmoid((z_j - z_p) / T)
    Use: The top of a row's list, graded relevance.
    Trap: Takes time in proportion to positives times labels; gives no cut.

    Args:
        temperature: T, > 0; small ones count ranks exactly and give few labels a gradient.

    Source:
        Qin, Liu and Li, "A General Approximation Framework for Direct Optimization of Information Retrieval
        Measures", Information Retrieval 2010.
    """

    def __init__(self, temperature: float = 1.0, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("temperature", temperature, 1e-6)
        self.temperature = temperature

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """What the order of the logits falls short of."""
        seen, known = visible(z, cells), cells.known()
        own = positives(seen, cells, self.reading(cells), paired=True)
        members = z.new_ones(()).expand(z.shape) if known is None else known.to(z.dtype)
        # A label ties with itself, which sigmoid(0) = 1/2 counts half.
        ranks = 0.5 + pair_sums(self._share, seen, members, own.rows, own.z)
        best = own.added(own.mass / torch.log2(1 + _best_ranks(own)))
        gained = own.added(own.mass / torch.log2(1 + ranks))
        return torch.where(best > 0, 1 - gained / best.where(best > 0, 1.0), 0.0)

    def _share(self, difference: Tensor) -> Tensor:
        return torch.sigmoid(difference / self.temperature)


def _best_ranks(own: Positives) -> Tensor:
    """(positives,) rank of each positive where those with the largest mass come first."""
    order = torch.argsort(own.mass, descending=True, stable=True)
    order = order[torch.argsort(own.rows[order], stable=True)]
    first = torch.zeros(own.size + 1, dtype=torch.int64, device=own.rows.device)
    first[1:] = torch.bincount(own.rows, minlength=own.size).cumsum(0)
    ranks = torch.empty_like(own.mass)
    place = torch.arange(len(order), device=order.device) - first[own.rows[order]]
    ranks[order] = (place + 1).to(ranks.dtype)
    return ranks
