"""Membership of the first k labels made smooth."""

from typing import Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels import words
from manyhot.kernels.cells import Cells
from manyhot.kernels.positives import positives, visible
from manyhot.losses.base import Options
from manyhot.losses.rowwise import RowCosts

HALVINGS = 48
"""Steps of the search for a row's threshold; two of Newton's follow, which also carry the gradient."""


class SoftTopK(RowCosts):
    """Mean over a row's positives of -log of their membership of the first k labels.

    Label j is among them by sigmoid(alpha (z_j + t)), where t makes these memberships of a row sum to k. So a
    row has k to give away: a positive is pushed only while it is not among the first k, and those that push
    it out are pushed down. Rows without positives cost 0.

    Args:
        k: > 0; of a row with fewer than 2 k known labels half their number is taken instead.
        alpha: steepness, > 0.

    Source:
        Gupta et al., "Dual-Encoders for Extreme Multi-Label Classification", ICLR 2024, arXiv:2310.10636.
    """

    def __init__(self, k: float = 5.0, alpha: float = 1.0, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("k", k, 1e-6)
        _check.at_least("alpha", alpha, 1e-6)
        self.k, self.alpha = k, alpha

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Costs of the positives against the row's threshold."""
        if not z.shape[1]:
            return z.sum(1)
        z = visible(z, cells)
        own = positives(z, cells, self.reading(cells))
        threshold = self._threshold(self.alpha * z, cells.known())
        membership = words.softplus(-(self.alpha * own.z + threshold[own.rows]))
        size = own.added(own.values)
        # An infinite logit has to show also in a row without positives, or its gradient would be a NaN.
        return own.added(own.mass * membership) / size.where(size > 0, 1.0) + 0.0 * threshold

    def _threshold(self, x: Tensor, known: Tensor | None) -> Tensor:
        """(rows,) alpha t."""
        shown = torch.ones_like(x, dtype=torch.bool) if known is None else known
        width = shown.sum(1).to(x.dtype)
        wanted = torch.minimum(torch.full_like(width, self.k), width / 2)
        still = x.detach()
        least = torch.where(shown, still, torch.inf).amin(1)
        most = torch.where(shown, still, -torch.inf).amax(1)
        some = width > 0
        reach = torch.log(torch.where(some, width / wanted.where(some, 1.0), 1.0)) + 1
        low, high = torch.where(some, -most - reach, 0.0), torch.where(some, 1 - least, 0.0)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            over = _members(still, shown, middle) > wanted
            low, high = torch.where(over, low, middle), torch.where(over, middle, high)
        threshold = (low + high) / 2
        for _ in range(2):  # two, so that second derivatives are right as well
            share = torch.sigmoid(x + threshold[:, None])
            slope = torch.where(shown, share * torch.sigmoid(-(x + threshold[:, None])), 0.0).sum(1)
            excess = _members(x, shown, threshold) - wanted
            step = excess / slope.where(slope > 1e-6, 1.0)
            threshold = threshold - torch.where(slope > 1e-6, step, 0.0)  # no label is near it: it may rest
        return threshold


def _members(x: Tensor, shown: Tensor, threshold: Tensor) -> Tensor:
    return torch.where(shown, torch.sigmoid(x + threshold[:, None]), 0.0).sum(1)
