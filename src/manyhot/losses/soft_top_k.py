"""Membership of the first k labels made smooth."""

from collections.abc import Sequence
from typing import Any, Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels import words
from manyhot.kernels.cells import Cells, wide
from manyhot.kernels.pointwise import plain
from manyhot.kernels.positives import positives, visible
from manyhot.losses.base import Options
from manyhot.losses.rowwise import RowCosts

STEPS = 32
"""Of the search for a row's threshold, at most; logits of any size up to 1e45 took no more than 24."""
CLOSE = 1e-7
"""A step of so many sizes of the threshold is the last: the error is then about its square."""
CHUNK_CELLS = 1 << 16


class SoftTopK(RowCosts):
    """Mean over a row's positives of -log of their membership of the first k labels.

    Label j is among them by sigmoid(alpha (z_j + t)), where t makes these memberships of a row sum to k. So a
    row has k to give away: a positive is pushed only while it is not among the first k, and those that push
    it out are pushed down. Rows without positives cost 0.

    Formula: mean over P of sp(-alpha (z + t)), t such that the memberships sigmoid(alpha (z + t)) sum to k
    Use: The first k of very many labels, k fixed in advance: precision@k, recall@k.
    Trap: k goes with what is shown; gives no cut.

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
        known = cells.known()
        shown = torch.ones_like(z, dtype=torch.bool) if known is None else known
        x = self.alpha * z.to(wide(z.device))
        width = shown.sum(1).to(x.dtype)
        threshold = thresholds(x, shown, torch.minimum(torch.full_like(width, self.k), width / 2))
        membership = words.softplus(-(self.alpha * own.z.to(x.dtype) + threshold[own.rows])).to(z.dtype)
        size = own.added(own.values)
        return own.added(own.mass * membership) / size.where(size > 0, 1.0)


def thresholds(x: Tensor, shown: Tensor, wanted: Tensor) -> Tensor:
    """(rows,) t that makes sigmoid(x + t) sum to what is wanted over a row's shown cells; 0 without any.

    Args:
        x: (rows, labels) float64, finite.
        shown: (rows, labels) bool.
        wanted: (rows,), above 0 and at most half of the shown cells.
    """
    kind = Threshold if torch.compiler.is_compiling() else ForwardThreshold  # as for torch_engine.Cost
    return kind.apply(x, shown, wanted)  # type: ignore[return-value]


class Threshold(torch.autograd.Function):
    """The threshold, which moves against the mean of its row's logits, weighted by sigmoid'(x + t)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, shown: Tensor, wanted: Tensor) -> Tensor:
        """The search, for a few rows at a time where the memory of all matters."""
        if not plain(x):
            return _solved(x, shown, wanted)
        step = max(1, CHUNK_CELLS // x.shape[1])
        runs = zip(x.split(step), shown.split(step), wanted.split(step), strict=True)
        return torch.cat([_solved(*run) for run in runs])

    @staticmethod
    def setup_context(ctx: Any, inputs: Sequence[Any], output: Tensor) -> None:
        """Keep the threshold with what it was found for."""
        x, shown, _ = inputs
        ctx.save_for_backward(x, shown, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Against the weights."""
        x, shown, threshold = ctx.saved_tensors
        return -gradient[:, None] * _weights(x + threshold[:, None], shown), None, None


class ForwardThreshold(Threshold):
    """The same with forward-mode derivatives."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Sequence[Any], output: Tensor) -> None:
        """Keep the threshold for both directions."""
        Threshold.setup_context(ctx, inputs, output)
        x, shown, _ = inputs
        ctx.save_for_forward(x, shown, output)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:  # type: ignore[override]
        """Against the weighted mean."""
        x, shown, threshold = ctx.saved_tensors
        return -(tangent * _weights(x + threshold[:, None], shown)).sum(1)


def _solved(x: Tensor, shown: Tensor, wanted: Tensor) -> Tensor:
    """Newton's steps while each is half of the one before and within the bracket, else halvings of it."""
    low, high = _bracket(x, shown, wanted)
    threshold, last = (low + high) / 2, high - low
    done = torch.zeros_like(threshold, dtype=torch.bool)
    for _ in range(STEPS):
        excess, slope = _excess(x + threshold[:, None], shown, wanted)
        low, high = torch.where(excess > 0, low, threshold), torch.where(excess > 0, threshold, high)
        step = -excess / slope
        good = (threshold + step >= low) & (threshold + step <= high) & (2 * step.abs() <= last)
        step = torch.where(done, 0.0, torch.where(good, step, (low + high) / 2 - threshold))
        threshold, last = threshold + step, step.abs()
        done = last <= CLOSE * (1 + threshold.abs())
        if plain(x) and bool(done.all()):
            break
    return threshold


def _bracket(x: Tensor, shown: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """A threshold that is too low and one that is too high."""
    least = torch.where(shown, x, torch.inf).amin(1)
    most = torch.where(shown, x, -torch.inf).amax(1)
    number = shown.sum(1)
    some = number > 0
    reach = torch.log(torch.where(some, number / wanted.where(some, 1.0), 1.0)) + 1
    return torch.where(some, -most - reach, 0.0), torch.where(some, 1 - least, 0.0)


def _excess(x: Tensor, shown: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """(rows,) log of what the memberships sigmoid(x) have too much by what they lack, and its derivative.

    With the n cells above 0 as whole members, the memberships of the others and n - wanted are too much, what
    the n lack is too little. Both may be far below the precision of their sum, so they stay logarithms.
    """
    inside, size = x > 0, torch.where(shown, x.abs(), torch.inf)
    number = (inside & shown).sum(1) - wanted
    nearest = [_finite(torch.where(side, size, torch.inf).amin(1)) for side in (inside, ~inside)]
    rest = torch.sigmoid(size)
    share = torch.exp(torch.where(inside, nearest[0][:, None], nearest[1][:, None]) - size) * rest
    lacking = torch.where(inside, share, 0.0)
    under, of_under = _log_sum(lacking, rest, nearest[0], -number)
    over, of_over = _log_sum(share - lacking, rest, nearest[1], number)
    some = shown.any(1)
    return torch.where(some, over - under, 0.0), torch.where(some, of_over + of_under, 1.0)


def _log_sum(share: Tensor, rest: Tensor, nearest: Tensor, more: Tensor) -> tuple[Tensor, Tensor]:
    """(rows,) log of the summed shares, in units of exp(-nearest), and `more` if above 0; and its slope."""
    logs = torch.logaddexp(torch.log(share.sum(1)) - nearest, torch.log(more.clamp(min=0)))
    return logs, (share * rest).sum(1) * torch.exp(-nearest - logs)


def _finite(numbers: Tensor) -> Tensor:
    return numbers.where(numbers.isfinite(), 0.0)


def _weights(x: Tensor, shown: Tensor) -> Tensor:
    """(rows, labels) sigmoid'(x) by its sum over the row, also where all of it rounds to 0."""
    logs = torch.where(shown, -words.softplus(x) - words.softplus(-x), -1e30)
    return torch.where(shown, torch.softmax(logs, dim=1), 0.0)
