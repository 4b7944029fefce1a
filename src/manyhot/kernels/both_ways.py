"""The cost of `TwoWay` with its gradient, where an engine adds up rows and labels in one visit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.pointwise import suits_numba
from manyhot.kernels.written import Written


@dataclass(frozen=True)
class Ways:
    """How both ways weigh cells.

    Args:
        temperature_pos: of positives.
        temperature_neg: of negatives.
        positive_weight: (labels,), multiplies positives in a row, and the cost of a label.
        negative_weight: (labels,), multiplies negatives in a row.
    """

    temperature_pos: float
    temperature_neg: float
    positive_weight: Tensor | None = None
    negative_weight: Tensor | None = None


def goes_both_ways(logits: Tensor, cells: Cells) -> bool:
    """True where `both_ways` can cost this batch: hard sparse targets, no weights of cells."""
    hard = isinstance(cells, SparseCells) and cells.values is None and cells.cell_weight is None
    return hard and suits_numba(logits)


def both_ways(
    z: Tensor, cells: Cells, ways: Ways, reduction: str, plain: Callable[[Tensor, Cells], Tensor]
) -> Tensor:
    """Reduced cost of a batch of which `goes_both_ways` holds.

    Args:
        z: (rows, labels) logits in float32 or float64.
        cells: the targets.
        ways: temperatures and weights.
        reduction: mean, batchmean or sum.
        plain: the same cost in differentiable torch, for second derivatives and logits far from 0.
    """
    from manyhot.kernels import numba_both_ways  # Numba is imported when there is work for it

    assert isinstance(cells, SparseCells)

    def write(logits: Tensor, want_slopes: bool) -> tuple[Tensor, Tensor | None]:
        found = numba_both_ways.total(logits, cells, ways, reduction, want_slopes)
        return _derived(logits, want_slopes) if found is None else found

    def _derived(logits: Tensor, want_slopes: bool) -> tuple[Tensor, Tensor | None]:
        with torch.enable_grad():
            given = logits.clone().requires_grad_(want_slopes)
            cost = plain(given, cells)
        return cost.detach(), torch.autograd.grad(cost, given)[0] if want_slopes else None

    cost: Any = Written.apply(z, write, lambda logits: plain(logits, cells))
    return cost
