"""The Lovász hinge: the convex closure of the Jaccard loss over sets of wrong cells."""

from typing import Literal, Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels.cells import Cells
from manyhot.kernels.positives import visible
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.row_sums import RowReading, masses
from manyhot.kernels.torch_engine import computed
from manyhot.losses.base import MultiLabelLoss, Options, Traits
from manyhot.losses.pointwise import side_weights


class LovaszHinge(MultiLabelLoss):
    """Hinges max(0, 1 - z) of positives and max(0, 1 + z) of negatives, each by what it adds to Jaccard.

    The hinges of a unit are sorted; the i-th is multiplied by the Jaccard loss of the i worst cells being
    wrong less that of the i - 1 worst. At hinges 0 and 1 it is the Jaccard loss itself. A unit without
    positives costs its worst hinge.

    Formula: sum over sorted hinges of max(0, 1 -+ z) times the step of the Jaccard loss
    Use: Jaccard index of a row or label, convex in the logits.
    Trap: Scores are margins; works best after a start with BCE.

    Args:
        average: a unit is a row ("samples", default) or a label over the batch ("macro").

    Source:
        Berman, Rannen Triki and Blaschko, "The Lovász-Softmax loss", CVPR 2018, arXiv:1705.08790.
    """

    traits = Traits(sparse="made dense")

    def __init__(self, average: Literal["samples", "macro"] = "samples", **options: Unpack[Options]) -> None:
        super().__init__(**options)
        self.average = _check.one_of("average", average, ("samples", "macro"))

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Costs of the units, reduced."""
        z = visible(computed(logits), cells)
        up, down = side_weights(self, cells)
        positive, negative = masses(cells, RowReading(smoothing=self.smoothing), z.dtype)
        total = positive + negative
        direction = (positive - negative) / total.where(total > 0, 1.0)  # 1, -1, between for soft targets
        if up is not None and down is not None:
            positive, negative = positive * up.to(z.dtype), negative * down.to(z.dtype)
        elif up is not None:
            positive = positive * up.to(z.dtype)
        known = cells.known()
        errors = 1 - z * direction
        errors = errors if known is None else torch.where(known, errors, -torch.inf)
        by_row = self.average == "samples"
        weight = None if cells.row_weight is None else cells.row_weight.to(z.dtype)
        if not by_row:
            if weight is not None:
                positive, negative = positive * weight[:, None], negative * weight[:, None]
            errors, positive, negative = errors.t(), positive.t(), negative.t()
        costs = _extension(errors, positive, negative)
        if by_row and weight is not None:
            costs = costs * weight
        if not by_row and down is not None:
            costs = costs * down.to(z.dtype)
        return reduce_units(costs, self.reduction, z.shape[0], (errors > -torch.inf).any(1).sum())


def _extension(errors: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """(units,) the sum of sorted hinges times the steps of the Jaccard loss."""
    order = torch.argsort(errors.detach(), dim=1, descending=True, stable=True)
    missed, added = positive.gather(1, order).cumsum(1), negative.gather(1, order).cumsum(1)
    existing = positive.sum(1, keepdim=True)
    union = existing + added
    jaccard = 1 - (existing - missed) / union.where(union > 0, 1.0)
    steps = torch.diff(jaccard, dim=1, prepend=torch.zeros_like(existing))
    return (errors.gather(1, order).clamp(min=0) * steps).sum(1)
