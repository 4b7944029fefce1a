"""Sums over pairs of a positive and a negative of the same unit, without a matrix of all pairs.

A unit is a row, whose members are labels, or a label, whose members are rows. Costs that are piecewise
polynomials in the difference need one sort; any other walks through the positives in runs.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from manyhot.kernels import words
from manyhot.kernels.cells import wide

PAIR_CELLS = 1 << 21  # pairs whose intermediate results exist at one time


def violations(z: Tensor, mass: Tensor, units: Tensor, bounds: Tensor, powers: int = 1) -> tuple[Tensor, ...]:
    """For each positive, sums over the negatives of its unit that lie above its bound.

    Args:
        z: (units, members) logits, finite.
        mass: (units, members) negative mass.
        units: (positives,) int64, unit of each positive.
        bounds: (positives,) what a member has to exceed to count; no gradient passes.
        powers: highest power of the logits that is summed.

    Returns:
        (positives,) each, in the device's widest float: summed mass, summed mass times z, times z^2, ...
    """
    z, mass = z.to(wide(z.device)), mass.to(wide(z.device))
    order = torch.argsort(z.detach(), dim=1, descending=True)
    z, mass = z.gather(1, order), mass.gather(1, order)
    count = _count_above(z.detach(), units, bounds.detach().to(z.dtype))
    summed, weighted = [], mass
    for power in range(powers + 1):
        weighted = weighted * z if power else mass
        sums = torch.cat([weighted.new_zeros(len(weighted), 1), weighted.cumsum(1)], dim=1)
        summed.append(sums[units, count])
    return tuple(summed)


def pair_sums(
    cost: Callable[[Tensor], Tensor], z: Tensor, mass: Tensor, units: Tensor, own: Tensor
) -> Tensor:
    """For each positive, the sum over the members n of its unit of mass_n cost(z_n - own).

    Intermediate results of one run of positives exist at a time, in the backward pass too.

    Args:
        cost: elementwise, differentiable.
        z: (units, members) logits, finite.
        mass: (units, members).
        units: (positives,) int64, unit of each positive.
        own: (positives,) logit of each positive.
    """
    step = max(1, PAIR_CELLS // max(1, z.shape[1]))
    if len(units) <= step or torch._C._are_functorch_transforms_active():
        return _run(cost, z, mass, units, own)
    runs = [
        checkpoint(_run, cost, z, mass, unit, logit, use_reentrant=False, preserve_rng_state=False)
        for unit, logit in zip(units.split(step), own.split(step), strict=True)
    ]
    return torch.cat(runs)  # type: ignore[arg-type]


def softplus(difference: Tensor) -> Tensor:
    """log(1 + exp(difference))."""
    if torch.compiler.is_compiling():  # which takes no logsigmoid of a number of pairs that no shape tells
        return torch.logaddexp(difference, difference.new_zeros(()))
    return words.softplus(difference)


def _run(cost: Callable[[Tensor], Tensor], z: Tensor, mass: Tensor, units: Tensor, own: Tensor) -> Tensor:
    return (cost(z[units] - own[:, None]) * mass[units]).sum(1)


def _count_above(descending: Tensor, units: Tensor, bounds: Tensor) -> Tensor:
    """(positives,) how many members of its unit, sorted descending, exceed each bound: a bisection."""
    low = torch.zeros_like(units)
    high = torch.full_like(units, descending.shape[1])
    for _ in range(descending.shape[1].bit_length()):
        middle = (low + high) // 2
        # Where the search is over, middle may lie one behind the end; low == high then keeps it there.
        exceeds = (low < high) & (descending[units, middle.clamp(max=descending.shape[1] - 1)] > bounds)
        low, high = torch.where(exceeds, middle + 1, low), torch.where(exceeds, high, middle)
    return low
