"""The sparsemax loss: a projection onto the distributions in place of a softmax."""

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells
from manyhot.kernels.positives import positives
from manyhot.losses.rowwise import RowCosts


class SparsemaxLoss(RowCosts):
    """Fenchel-Young loss of sparsemax(z) against the row's target values, scaled to a distribution q.

    1/2 sum over the support of (z^2 - tau^2) - q z + 1/2 |q|^2, with gradient sparsemax(z) - q: labels far
    enough behind get no gradient at all. 0 where sparsemax(z) = q; costs at most grow with the logits. Rows
    without positives cost 0.

    Formula: 1/2 sum over the support (z^2 - tau^2) - q z + 1/2 |q|^2, q = y / sum y
    Use: Label distributions with true zeros.
    Trap: Labels far behind have no gradient.

    Source:
        Martins and Astudillo, "From Softmax to Sparsemax", ICML 2016, arXiv:1602.02068; several positives as
        in its section on multi-label classification; Blondel et al., "Learning with Fenchel-Young Losses",
        JMLR 2020.
    """

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Shifted by the row's largest logit, which changes nothing but keeps squares below 1."""
        known = cells.known()
        hidden = z if known is None else torch.where(known, z, -torch.inf)
        if not z.shape[1]:
            return z.sum(1)
        own = positives(z, cells, self.reading(cells))
        highest = hidden.detach().amax(1)
        highest = highest.where(highest.isfinite(), 0.0)
        size = own.added(own.mass)
        share = own.mass / size.where(size > 0, 1.0)[own.rows]
        linear = own.added(share * (own.z - highest[own.rows] - share / 2))
        costs = _conjugate(hidden - highest[:, None]) - linear
        return torch.where(size > 0, costs, 0.0)


def _conjugate(z: Tensor) -> Tensor:
    """(rows,) half the sum over the support of z^2 - tau^2, where the largest z of a row is 0.

    What lies 1 or more behind the largest is outside of every support, so that -inf marks what is hidden.
    """
    z = torch.where(z > -1, z, -1.0)
    descending = z.sort(dim=1, descending=True).values
    sums = descending.cumsum(1)
    ranks = torch.arange(1, z.shape[1] + 1, device=z.device, dtype=z.dtype)
    inside = (1 + ranks * descending > sums).detach()
    count = inside.sum(1).clamp(min=1)
    tau = (torch.where(inside, descending, 0.0).sum(1) - 1) / count
    return (torch.where(inside, descending, 0.0).square().sum(1) - count * tau.square()) / 2
