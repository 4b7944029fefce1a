"""Threshold-free metrics of a label made smooth: average precision and area under the ROC curve.

The unit is a label, looked at over the rows of the batch: use large batches. Labels that lack what the metric
needs are left out. Weights of rows and cells multiply the mass of a cell; weights of labels multiply the cost
of the label, `pos_weight` too, because every term has a positive in it.
"""

from typing import Literal, Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels.cells import Cells, wide
from manyhot.kernels.pairs import pair_sums, softplus, violations
from manyhot.kernels.positives import Positives, positives, visible
from manyhot.kernels.reduction import reduce_units
from manyhot.kernels.row_sums import RowReading, masses
from manyhot.kernels.torch_engine import computed
from manyhot.kernels.transposed import transposed
from manyhot.losses.base import MultiLabelLoss, Options, Traits
from manyhot.losses.pointwise import side_weights
from manyhot.losses.watch import INFINITE

SURROGATES = ("squared-hinge", "hinge", "logistic")


class SmoothAP(MultiLabelLoss):
    """1 - average precision of a label, ranks counted by sigmoids of logit differences.

    A positive i has the precision (1 + sum over other positives of s) / (1 + sum over other rows of s) with
    s = sigmoid((z_j - z_i) / T); their mean is the average precision. Labels without positives in the batch
    are left out. Takes time in proportion to positives times rows. Soft targets count by their value.

    Formula: 1 - mean over positive rows of (1 + sum over P of s) / (1 + sum of s), s = sigmoid(dz / T)
    Use: Train on average precision, in large batches.
    Trap: At T = 0.01 most pairs have no gradient: start with a larger T or another loss.

    Args:
        temperature: T, > 0; only rows within a few T of each other have a gradient.

    Source:
        Brown et al., "Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval", ECCV 2020,
        arXiv:2007.12163; a query there is a label here.
    """

    traits = Traits(sparse="made dense", batch=True)

    def __init__(self, temperature: float = 0.01, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("temperature", temperature, 1e-6)
        self.temperature = temperature

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Costs of the labels, reduced."""
        z, own, (positive, negative) = _by_label(self, logits, cells)
        whole = positive + negative
        ahead = [
            pair_sums(self._share, z, mass, own.rows, own.z) + mass[own.rows, own.labels] / 2
            for mass in (positive, whole)
        ]  # a row ties with itself, which sigmoid(0) = 1/2 counts half
        precision = ahead[0] / ahead[1].where(own.mass > 0, 1.0)
        total = own.added(own.mass)
        average = own.added(own.mass * precision) / total.where(total > 0, 1.0)
        return _reduced(self, logits, cells, 1 - average, total > 0)

    def _share(self, difference: Tensor) -> Tensor:
        return torch.sigmoid(difference / self.temperature)


class PairwiseAUC(MultiLabelLoss):
    """Mean over pairs of a positive and a negative row of a label of a surrogate of z_p < z_n.

    The mean of the step function itself is 1 - AUC. Labels that lack positives or negatives in the batch are
    left out. Hinges take one sort, the logistic surrogate time in proportion to positives times rows.

    Formula: mean over pairs of rows of max(0, margin - z_p + z_n)^2
    Use: Train on the area under the ROC curve of each label.
    Trap: Labels without positives in the batch teach nothing; gives no cut.

    Args:
        surrogate: of d = z_p - z_n: "squared-hinge" (default) max(0, margin - d)^2, "hinge"
            max(0, margin - d), "logistic" log(1 + exp(-d)).
        margin: of the hinges, >= 0.

    Source:
        Gao and Zhou, "On the Consistency of AUC Pairwise Optimization", IJCAI 2015.
    """

    traits = Traits(bounded=False, sparse="made dense", batch=True)

    def __init__(
        self,
        surrogate: Literal["squared-hinge", "hinge", "logistic"] = "squared-hinge",
        margin: float = 1.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self.surrogate = _check.one_of("surrogate", surrogate, SURROGATES)
        _check.at_least("margin", margin, 0.0)
        self.margin = margin

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Costs of the labels, reduced."""
        z, own, (_, negative) = _by_label(self, logits, cells)
        pairs = own.added(own.mass) * negative.sum(1)
        costs = own.added(own.mass * self._against(z, own, negative)) / pairs.where(pairs > 0, 1.0)
        return _reduced(self, logits, cells, costs, pairs > 0)

    def _against(self, z: Tensor, own: Positives, negative: Tensor) -> Tensor:
        """(positives,) summed surrogate against the negatives of the label."""
        if self.surrogate == "logistic":
            return pair_sums(softplus, z, negative, own.rows, own.z)
        short = self.margin - own.z
        if self.surrogate == "hinge":
            number, summed = violations(z, negative, own.rows, -short)
            return number * short + summed
        number, summed, squares = violations(z, negative, own.rows, -short, powers=2)
        return number * short.square() + 2 * short * summed + squares


def _by_label(
    loss: MultiLabelLoss, logits: Tensor, cells: Cells
) -> tuple[Tensor, Positives, tuple[Tensor, Tensor]]:
    """Logits (labels, rows) in the widest float, the positives by label, and positive and negative mass."""
    z = visible(computed(logits), cells).to(wide(logits.device)).clamp(-INFINITE, INFINITE).t()
    turned, reading = transposed(cells), RowReading(smoothing=loss.smoothing)
    return z, positives(z, turned, reading, paired=True), masses(turned, reading, z.dtype)


def _reduced(loss: MultiLabelLoss, logits: Tensor, cells: Cells, costs: Tensor, counted: Tensor) -> Tensor:
    weight = side_weights(loss, cells)[0]
    costs = torch.where(counted, costs, 0.0).to(computed(logits[:0]).dtype)
    if weight is not None:
        costs = costs * weight.to(costs.dtype)
    return reduce_units(costs, loss.reduction, logits.shape[0], counted.sum())
