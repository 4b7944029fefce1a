"""Pairs of a positive and a negative of a row, each with a cost of its own.

Hinges are summed by one sort, of the row or of its positives, logistic costs by a walk through the positives,
exponential ones by their factorisation; nowhere is there a matrix of all pairs. Weights multiply the mass of
a cell, a pair has the product of both. Rows without positives or without negatives cost 0.
"""

from dataclasses import replace
from typing import Literal, Unpack

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels.cells import Cells
from manyhot.kernels.curves import Curves
from manyhot.kernels.hinges import Hinges
from manyhot.kernels.logistic_pairs import LogisticPairs
from manyhot.kernels.pairs import pair_sums, softplus, violations
from manyhot.kernels.pointwise import listed, pointwise, suits_numba
from manyhot.kernels.positives import Positives, positives, visible
from manyhot.kernels.reduction import scale_of
from manyhot.kernels.row_sums import is_split, masses, row_sums
from manyhot.kernels.torch_engine import cell_costs, computed
from manyhot.losses.base import Options, Traits
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.pointwise import side_weights
from manyhot.losses.rowwise import RowCosts
from manyhot.losses.unobserved import row_scaled

EULER = 0.5772156649015329  # the r-th harmonic number is digamma(r + 1) + EULER


class MultiLabelMargin(RowCosts):
    """Sum over pairs of max(0, margin - (z_p - z_n)), divided by the number of known labels, per row.

    torch's `MultiLabelMarginLoss` for 0/1 targets, where torch wants padded class numbers. Not divided by the
    number of pairs; `PairwiseHinge` is.

    Formula: sum over pairs of max(0, margin - z_p + z_n) / labels
    Use: The values of torch's MultiLabelMarginLoss from 0/1 targets.
    Trap: Divided by labels, not by pairs: rows with many positives weigh more.

    Args:
        margin: by which a positive has to lead, >= 0.

    Source:
        torch.nn.MultiLabelMarginLoss; Crammer and Singer, "A Family of Additive Online Algorithms for
        Category Ranking", JMLR 2003.
    """

    traits = Traits(sparse="kept on the CPU")

    shows_nan = True

    def __init__(self, margin: float = 1.0, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("margin", margin, 0.0)
        self.margin = margin

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Summed hinges by the width of the row."""
        own, hinges, _, seen = _hinges(self, z, cells, self.margin)
        known = cells.known_per_row().to(hinges.dtype)
        return (own.added(own.mass * hinges) / known.clamp(min=1) + seen).to(z.dtype)


class PairwiseHinge(RowCosts):
    """Mean over pairs of a positive and a negative of max(0, margin - (z_p - z_n)), per row.

    Formula: mean over pairs of max(0, margin - z_p + z_n)
    Use: Order of labels in a row, without caring about pairs that are apart.
    Trap: Gives no cut.

    Args:
        margin: by which a positive has to lead, >= 0.

    Source:
        Ranking SVM: Elisseeff and Weston, "A kernel method for multi-labelled classification", NIPS 2001.
    """

    traits = Traits(sparse="kept on the CPU")

    shows_nan = True

    def __init__(self, margin: float = 1.0, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("margin", margin, 0.0)
        self.margin = margin

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Summed hinges by the mass of all pairs."""
        own, hinges, _, seen = _hinges(self, z, cells, self.margin)
        return (own.added(own.mass * hinges) / _pairs(self, z, cells) + seen).to(z.dtype)


class RankNet(RowCosts):
    """Mean over pairs of a positive and a negative of log(1 + exp(z_n - z_p)), per row.

    Formula: mean over pairs of sp(z_n - z_p)
    Use: Order of labels in a row, every pair alike.
    Trap: Takes time in proportion to positives times labels.

    Source:
        Burges et al., "Learning to Rank using Gradient Descent", ICML 2005.
    """

    traits = Traits(sparse="kept on the CPU")

    shows_nan = True

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Summed logistic costs by the mass of all pairs."""
        reading = self.reading(cells)
        if is_split(cells, reading) and suits_numba(z):
            own = positives(z.detach(), cells, reading)
            costs, seen = LogisticPairs.apply(z, cells, reading.negative_weight)  # type: ignore[misc]
            return (own.added(own.mass * costs) / _pairs(self, z, cells) + seen).to(z.dtype)
        z = visible(z, cells)
        own = positives(z, cells, reading, paired=True)
        costs = pair_sums(softplus, z, masses(cells, reading, z.dtype)[1], own.rows, own.z)
        return own.added(own.mass * costs) / _pairs(self, z, cells) + _seen(z)


class WARP(RowCosts):
    """Hinges of the negatives that a positive does not lead by the margin, weighted by how many there are.

    A positive with r such negatives costs H(r) / r times the sum of their hinges, H(r) = 1 + 1/2 + ... + 1/r:
    the first places weigh most. Ranks are exact, not sampled; no gradient passes through them. The sum over
    the row's positives.

    Formula: sum over P of H(r) / r times the sum of hinges, r the negatives within the margin
    Use: The top of the list: precision@k.
    Trap: The value jumps where a rank changes; one bad positive weighs most.

    Args:
        margin: by which a positive has to lead, >= 0.
        per_violation: False multiplies by H(r) instead of H(r) / r.

    Source:
        Weston, Bengio and Usunier, "WSABIE: Scaling Up To Large Vocabulary Image Annotation", IJCAI 2011;
        per_violation=False: Gong et al., "Deep Convolutional Ranking for Multilabel Image Annotation", 2014,
        arXiv:1312.4894.
    """

    traits = Traits(sparse="kept on the CPU")

    shows_nan = True

    def __init__(self, margin: float = 1.0, per_violation: bool = True, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("margin", margin, 0.0)
        self.margin, self.per_violation = margin, per_violation

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Summed hinges, each positive's by its rank."""
        own, hinges, rank, seen = _hinges(self, z, cells, self.margin)
        weight = torch.digamma(rank + 1) + EULER
        if self.per_violation:
            weight = weight / rank.where(rank > 0, 1.0)
        return (own.added(own.mass * weight * hinges) + seen).to(z.dtype)


class BPMLL(RowCosts):
    """Mean over pairs of a positive and a negative of exp(c_n - c_p), with outputs c = tanh(z), per row.

    Bounded: each pair costs between exp(-2) and exp(2). Both means are taken separately, which is the same.

    Formula: mean over pairs of exp(tanh z_n - tanh z_p)
    Use: The classic baseline of neural multi-label papers.
    Trap: tanh fades: keep logits small at the start.

    Args:
        activation: "tanh" (default, as published) or "sigmoid".

    Source:
        Zhang and Zhou, "Multilabel Neural Networks with Applications to Functional Genomics and Text
        Categorization", IEEE TKDE 2006.
    """

    shows_nan = True

    def __init__(self, activation: Literal["tanh", "sigmoid"] = "tanh", **options: Unpack[Options]) -> None:
        super().__init__(**options)
        self.activation = _check.one_of("activation", activation, ("tanh", "sigmoid"))

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """The product of two means."""
        seen = visible(z, cells)
        outputs = seen.tanh() if self.activation == "tanh" else seen.sigmoid()
        sums = row_sums(outputs, cells, self.reading(cells), ("lse_pos", "lse_neg"))
        return torch.exp(sums["lse_pos"] + sums["lse_neg"]) / _pairs(self, z, cells)


class MultiLabelSoftMargin(RowCosts):
    """Binary cross-entropy averaged over the known labels of a row; its unit is the row, not the cell.

    torch's `MultiLabelSoftMarginLoss`; its `weight` is `label_weight` here. Where cells are unknown, a row
    with few known ones weighs as much as any other, unlike in `BCE`.

    Formula: mean over labels of BCE
    Use: The values of torch's MultiLabelSoftMarginLoss.
    Trap: Its unit is the row; sum is not the sum of bce.

    Source:
        torch.nn.MultiLabelSoftMarginLoss.
    """

    shows_nan = True

    def rows(self, z: Tensor, cells: Cells) -> Tensor:
        """Mean cross-entropy."""
        costs = cell_costs(z, replace(cells, row_weight=None), self._curves(cells))
        return costs.sum(1) / cells.known_per_row().to(z.dtype).clamp(min=1)

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """As for every row-wise loss; what is summed over rows is summed over cells at once."""
        if self.reduction == "none":
            return RowCosts.evaluate(self, logits, cells)
        cells = listed(logits, cells)
        known = cells.known_per_row().to(computed(logits[:0]).dtype)
        scale = scale_of(self.reduction, logits.shape[0], (known > 0).sum())
        shared = row_scaled(cells, (scale / known.clamp(min=1)).to(known.dtype))
        return pointwise(logits, shared, self._curves(cells), "sum")

    def _curves(self, cells: Cells) -> Curves:
        weights = side_weights(self, cells)
        return Curves(BCE.positive, BCE.negative, None, {}, *weights, smoothing=self.smoothing)


def _hinges(
    loss: RowCosts, z: Tensor, cells: Cells, margin: float
) -> tuple[Positives, Tensor, Tensor, Tensor]:
    """The positives, the summed hinges of each (positives,), the mass of the negatives in them; `_seen`."""
    reading = loss.reading(cells)
    if is_split(cells, reading) and suits_numba(z):
        own = positives(z.detach(), cells, reading)
        return own, *Hinges.apply(z, cells, margin, reading.negative_weight)  # type: ignore[misc]
    z = visible(z, cells)
    own = positives(z, cells, reading)
    negative = masses(cells, reading, z.dtype)[1]
    number, summed = violations(z, negative, own.rows, own.z - margin)
    return own, number * (margin - own.z) + summed, number.detach(), _seen(z)


def _seen(z: Tensor) -> Tensor:
    """(rows,) 0, or NaN where a logit is not finite, which no pair may show."""
    return 0.0 * z.detach().sum(1)


def _pairs(loss: RowCosts, z: Tensor, cells: Cells) -> Tensor:
    """(rows,) mass of all pairs of a positive and a negative; 1 where there is none."""
    sums = row_sums(z.detach(), cells, loss.reading(cells), ("n_pos", "n_neg"))
    pairs = sums["n_pos"] * sums["n_neg"]
    return pairs.where(pairs > 0, 1.0)
