"""Set overlaps made smooth: F and Jaccard of memberships in place of decisions.

A unit is a label over the batch ("macro"), a row ("samples") or the whole batch ("micro"). Labels and
batches depend on which rows are together: use large batches. True positives are sums of y m over known cells
with a membership m in (0, 1); predicted ones sums of m, existing ones sums of y. The cost of a unit is
between 0 and 1. One without positives costs 1 whatever the model says, and teaches nothing; `skip_empty`
leaves it out.
"""

from abc import abstractmethod
from typing import Literal, Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels.cells import Cells
from manyhot.kernels.positives import Positives, positives, visible
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.row_sums import RowReading
from manyhot.kernels.torch_engine import computed
from manyhot.losses.base import MultiLabelLoss, Options, Traits
from manyhot.losses.pointwise import side_weights

AVERAGES = ("macro", "micro", "samples")


class Overlap(MultiLabelLoss):
    """1 minus a score of summed memberships; "mean" is over units. Weights multiply cells in the sums.

    Under "macro" the weight of a label multiplies its cost too, as within a label it cancels.
    """

    shows_nan = True

    average: str
    skip_empty: bool
    epsilon: float
    both_sides: bool = False

    @abstractmethod
    def score(self, hits: Tensor, predicted: Tensor, existing: Tensor) -> Tensor:
        """(units,) score in [0, 1] from true, predicted and existing positives."""

    def membership(self, z: Tensor) -> Tensor:
        """How far a label is taken to apply, in (0, 1)."""
        return torch.sigmoid(z)

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Costs of the units, reduced."""
        z = computed(logits)
        up, down = side_weights(self, cells)
        member = self.membership(visible(z, cells))
        own = positives(member, cells, RowReading(positive_weight=up, smoothing=self.smoothing))
        mass, plain = own.mass, own.values  # as positives, and in the sum over all cells
        known = cells.known()
        unit = torch.ones_like(member) if known is None else known.to(z.dtype)
        if down is not None:
            unit, plain = unit * down.to(z.dtype), plain * down.to(z.dtype)[own.labels]
        if cells.cell_weight is not None:
            weight = cells.cell_weight.to(z.dtype)
            unit, plain = unit * weight, plain * weight[own.rows, own.labels]
        if cells.row_weight is not None:
            weight = cells.row_weight.to(z.dtype)
            unit = unit * weight[:, None]
            mass, plain = mass * weight[own.rows], plain * weight[own.rows]
        predicted = self._summed(unit * member) + self._added(own, (mass - plain) * own.z, z.shape[1])
        hits = self._added(own, mass * own.z, z.shape[1])
        existing = self._added(own, mass, z.shape[1])
        counted = existing > 0 if self.skip_empty else self._known_units(cells)
        scores = self.score(hits, predicted, existing)
        if self.both_sides:
            size = self._summed(unit) + self._added(own, mass - plain, z.shape[1])
            rest = self.score(size - predicted - existing + hits, size - predicted, size - existing)
            scores = (scores + rest) / 2
        costs = torch.where(counted, 1 - scores, 0.0 * scores)  # a NaN shows in units left out too
        if down is not None and self.average == "macro":
            costs = costs * down.to(z.dtype)
        return reduce_units(costs, self.reduction, z.shape[0], counted.sum())

    def _summed(self, whole: Tensor) -> Tensor:
        if self.average == "micro":
            return whole.sum()[None]
        return whole.sum(0 if self.average == "macro" else 1)

    def _added(self, own: Positives, amounts: Tensor, labels: int) -> Tensor:
        if self.average == "micro":
            return amounts.sum()[None]
        if self.average == "samples":
            return own.added(amounts)
        return amounts.new_zeros(labels).index_add(0, own.labels, amounts)

    def _known_units(self, cells: Cells) -> Tensor:
        known = cells.known()
        if known is None:
            known = torch.ones((), dtype=torch.bool, device=cells.device).expand(cells.shape)
        if self.average == "micro":
            return known.any()[None]
        return known.any(0 if self.average == "macro" else 1)


class SoftF1(Overlap):
    """1 - F of the probabilities: (1 + beta^2) hits / (predicted + beta^2 existing + epsilon).

    Formula: 1 - 2 sum y p / (sum p + sum y)
    Use: Train on the F measure itself, in large batches.
    Trap: Labels without positives in the batch teach nothing; pretrain with BCE.

    Args:
        average: "macro" (default), "micro" or "samples".
        beta: > 0; above 1 a missed positive costs more than a false one.
        skip_empty: leave units without positives out.
        epsilon: keeps 0 / 0 at 0, > 0.
        both_sides: the mean of this F and of that of not applying, so that units without positives teach too
            (double soft F1).

    Source:
        The soft F of sigmoid outputs in general use; samples and beta = 1: the Dice loss of Milletari et al.,
        "V-Net", 3DV 2016.
    """

    traits = Traits(batch=True)

    def __init__(
        self,
        average: Literal["macro", "micro", "samples"] = "macro",
        beta: float = 1.0,
        skip_empty: bool = False,
        epsilon: float = 1e-16,
        both_sides: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.average = _check.one_of("average", average, AVERAGES)
        _check.at_least("beta", beta, 1e-6)
        _check.at_least("epsilon", epsilon, 1e-30)
        self.beta, self.skip_empty, self.epsilon = beta, skip_empty, epsilon
        self.both_sides = both_sides

    def score(self, hits: Tensor, predicted: Tensor, existing: Tensor) -> Tensor:
        """F-beta."""
        square = self.beta**2
        return (1 + square) * hits / (predicted + square * existing + self.epsilon)


class SigmoidF1(Overlap):
    """Soft F1 of memberships sigmoid(beta (z + eta)): a steeper or shifted sigmoid is nearer to a decision.

    Formula: soft F1 of sigmoid(beta (z + eta))
    Use: Soft F1 nearer to decisions.
    Trap: A steep sigmoid has no gradient far from its middle.

    Args:
        average: "macro" (default), "micro" or "samples".
        beta: steepness, > 0.
        eta: shift of the logit; above 0 labels are taken to apply earlier.
        variant: "paper" (default) reads the logit; "code" reads sigmoid(z) as the authors' program does,
            which keeps memberships within [0.5, 0.73] for beta = 1, eta = 0.
        skip_empty: leave units without positives out.
        epsilon: keeps 0 / 0 at 0, > 0.

    Source:
        Bénédict et al., "sigmoidF1: A Smooth F1 Score Surrogate Loss for Multilabel Classification", TMLR
        2022, arXiv:2108.10566.
    """

    traits = Traits(batch=True)

    def __init__(
        self,
        average: Literal["macro", "micro", "samples"] = "macro",
        beta: float = 1.0,
        eta: float = 0.0,
        variant: Literal["paper", "code"] = "paper",
        skip_empty: bool = False,
        epsilon: float = 1e-16,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.average = _check.one_of("average", average, AVERAGES)
        self.variant = _check.one_of("variant", variant, ("paper", "code"))
        _check.at_least("beta", beta, 1e-6)
        _check.at_least("epsilon", epsilon, 1e-30)
        _check.finite("eta", eta)
        self.beta, self.eta, self.skip_empty, self.epsilon = beta, eta, skip_empty, epsilon

    def membership(self, z: Tensor) -> Tensor:
        """The tuned sigmoid."""
        reading = torch.sigmoid(z) if self.variant == "code" else z
        return torch.sigmoid(self.beta * (reading + self.eta))

    def score(self, hits: Tensor, predicted: Tensor, existing: Tensor) -> Tensor:
        """F1."""
        return 2 * hits / (predicted + existing + self.epsilon)


class SoftJaccard(Overlap):
    """1 - Jaccard of the probabilities: hits / (predicted + existing - hits + epsilon).

    Formula: 1 - sum y p / (sum p + sum y - sum y p)
    Use: Train on the Jaccard index itself, in large batches.
    Trap: As for soft-f1.

    Args:
        average: "macro" (default), "micro" or "samples".
        skip_empty: leave units without positives out.
        epsilon: keeps 0 / 0 at 0, > 0.

    Source:
        Rahman and Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation",
        ISVC 2016.
    """

    traits = Traits(batch=True)

    def __init__(
        self,
        average: Literal["macro", "micro", "samples"] = "macro",
        skip_empty: bool = False,
        epsilon: float = 1e-16,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.average = _check.one_of("average", average, AVERAGES)
        _check.at_least("epsilon", epsilon, 1e-30)
        self.skip_empty, self.epsilon = skip_empty, epsilon

    def score(self, hits: Tensor, predicted: Tensor, existing: Tensor) -> Tensor:
        """Jaccard."""
        return hits / (predicted + existing - hits + self.epsilon)
