"""Weights and masks of labels that follow from what the model did in the epoch before.

What was seen is counted in the training, in buffers; `set_epoch` draws the conclusion. In evaluation
(`loss.eval()`) nothing is counted. With several processes each keeps its own.
"""

from typing import Literal, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from manyhot import _check
from manyhot.errors import OptionError, ShapeError
from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.formula import Curve, Scalar
from manyhot.kernels.words import sigmoid, softplus
from manyhot.losses.base import Options, Traits
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.long_tail import checked_counts
from manyhot.losses.pointwise import Pointwise
from manyhot.losses.unobserved import hidden

LEAST_SHARE = 1e-4
"""What an empty bin counts as, so that a divergence is finite."""


class ClassDifficultyBalanced(Pointwise):
    """BCE with labels weighted by how badly the model does on them, d^tau scaled to a mean of 1 (CDB).

    d is 1 - F1 of the label at p = 0.5 in the training rows of the last epoch, or 1 - what `set_scores` was
    given; 1 in the first epoch. Needs `set_epoch`.

    Formula: BCE times d^tau, d = 1 - F1 of the label in the epoch before
    Use: Some labels are harder than others, whatever their frequency.
    Trap: Without set_epoch it is BCE. set_scores takes validation scores instead of training ones.

    Args:
        label_counts: (labels,); here for their number.
        tau: strength, >= 0, or "dynamic" (default): sigmoid((1 - min d) / (1 - max d + 0.01)).

    Source:
        Sinha, Ohashi and Nakamura, "Class-Wise Difficulty-Balanced Loss for Solving Class-Imbalance", ACCV
        2020, arXiv:2010.01824: accuracies of single labels on validation rows there.
    """

    traits = Traits(calls=("set_epoch",))

    balance: Tensor
    counted: Tensor

    def __init__(
        self, label_counts: ArrayLike, tau: float | Literal["dynamic"] = "dynamic", **options: Unpack[Options]
    ) -> None:
        super().__init__(**options)
        if isinstance(tau, str):
            _check.one_of("tau", tau, ("dynamic",))
        else:
            _check.at_least("tau", tau, 0.0)
        self.tau = tau
        size = _labels(label_counts)
        self.register_buffer("balance", torch.ones(size, dtype=torch.float64))
        self.register_buffer("counted", torch.zeros(3, size, dtype=torch.float64))

    @property
    def width(self) -> int:
        """Number of labels remembered."""
        return len(self.balance)

    def set_scores(self, scores: ArrayLike | Tensor) -> None:
        """Weigh by these scores (labels,) in [0, 1], such as validation F1, from now to the next epoch."""
        given = torch.as_tensor(np.asarray(scores, np.float64), device=self.balance.device)
        if given.shape != self.balance.shape:
            raise ShapeError(f"expected scores of {self.width} labels, got shape {tuple(given.shape)}")
        if not bool(((given >= 0) & (given <= 1)).all()):
            raise OptionError(
                f"scores must be in [0, 1], got {float(given.min()):g} to {float(given.max()):g}"
            )
        self.balance.copy_(self._weights(1 - given))

    def set_epoch(self, epoch: int) -> None:
        """Weigh by what was counted since the last call."""
        self.epoch = epoch
        hits, predicted, existing = self.counted
        if not predicted.any() and not existing.any():
            return
        total = predicted + existing
        self.set_scores(torch.where(total > 0, 2 * hits / total.clamp(min=1), 1.0).cpu())
        self.counted.zero_()

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost, or with the reduction "none" the cost of every cell; decisions are counted then."""
        cost = super().evaluate(logits, cells)
        if self.training:
            self._count(logits.detach(), cells, cost.detach().sum().isfinite())
        return cost

    @torch.no_grad()
    def _count(self, logits: Tensor, cells: Cells, good: Tensor) -> None:
        """Count what the model decides, at p = 0.5, if the batch is good: NaN decides nothing."""
        known = cells.known()
        decided = (logits > 0) if known is None else (logits > 0) & known
        seen = torch.stack([cells.label_sums(decided), decided.sum(0), cells.label_sums()])
        self.counted += seen * good

    def _weights(self, difficulty: Tensor) -> Tensor:
        tau = self.tau
        if isinstance(tau, str):
            gap = (1 - difficulty.min()) / (1 - difficulty.max() + 0.01)
            tau = float(torch.sigmoid(gap))
        weights = difficulty**tau
        mean = weights.mean()
        return weights / mean if mean > 0 else torch.ones_like(weights)

    @staticmethod
    def positive(z: Scalar, balance: Scalar) -> Curve:
        """-weight log p."""
        return balance * softplus(-z), -balance * sigmoid(-z)

    @staticmethod
    def negative(z: Scalar, balance: Scalar) -> Curve:
        """-weight log(1 - p)."""
        return balance * softplus(z), balance * sigmoid(z)

    def training_state(self) -> bool:
        """Counts and weights."""
        return True


class PartialLabelMasking(Pointwise):
    """BCE that leaves cells out by chance, so that each label has the share of positives that suits it (PLM).

    With r positives for each negative of a label and an ideal ratio q: a positive is kept with the
    probability min(1, q / r), a negative with min(1, r / q). It starts with q = r, where all are kept. After
    every epoch q is multiplied by exp(rate (D+ - D-)), where D+ is the Kullback-Leibler divergence of the
    histogram of p over the label's positives from that of their targets, D- the same of its negatives: a
    label whose positives are missed loses negatives. The chance is torch's, of the logits' device. In
    evaluation nothing is left out. Needs `set_epoch`.

    Formula: BCE of the cells that are kept: a positive with probability q / r, a negative with r / q
    Use: Long tails: drops negatives of labels that are missed, positives of those seen everywhere.
    Trap: Without set_epoch it is BCE. Draws at random: the same seed draws the same.

    Args:
        label_counts: (labels,) positives of each label in the training set; 0 counts as 1.
        num_rows: rows of the training set, >= 2.
        rate: of the change of q, >= 0.
        bins: of the histograms, >= 2.

    Source:
        Duarte, Rawat and Shah, "PLM: Partial Label Masking for Imbalanced Multi-label Classification", CVPR-W
        2021, arXiv:2105.10782. No program of the authors is known.
    """

    traits = Traits(calls=("set_epoch",))

    shows_nan = False  # it has to be found before it is remembered

    ratio: Tensor
    ideal: Tensor
    seen: Tensor

    def __init__(
        self,
        label_counts: ArrayLike,
        num_rows: int,
        rate: float = 0.1,
        bins: int = 10,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("num_rows", num_rows, 2)
        _check.at_least("rate", rate, 0.0)
        _check.at_least("bins", bins, 2)
        self.rate, self.bins = rate, bins
        size = _labels(label_counts)
        counts = torch.tensor(checked_counts(label_counts)).clamp(1, num_rows - 1)
        self.register_buffer("ratio", counts / (num_rows - counts))
        self.register_buffer("ideal", self.ratio.clone())
        # Positives in the last bin and in all, negatives in the first bin and in all.
        self.register_buffer("seen", torch.zeros(4, size, dtype=torch.float64))

    @property
    def width(self) -> int:
        """Number of labels remembered."""
        return len(self.ratio)

    def set_epoch(self, epoch: int) -> None:
        """Move the ideal ratios by what was seen since the last call."""
        self.epoch = epoch
        right, positives, calm, negatives = self.seen
        both = (positives > 0) & (negatives > 0)
        # All targets of a side lie in one bin: the divergence is -log of the predictions' share in it.
        missed = -torch.log((right / positives.clamp(min=1)).clamp(min=LEAST_SHARE))
        alarmed = -torch.log((calm / negatives.clamp(min=1)).clamp(min=LEAST_SHARE))
        self.ideal.mul_(torch.where(both, torch.exp(self.rate * (missed - alarmed)), 1.0))
        self.seen.zero_()

    def select(self, logits: Tensor, cells: Cells) -> Cells:
        """Count predictions, then draw which cells stay."""
        if not self.training:
            return cells
        known = cells.known()
        known = torch.ones_like(logits, dtype=torch.bool) if known is None else known
        p, applies = torch.sigmoid(logits.double()), _likely(cells)
        sides = known & applies, known & ~applies
        ends = p >= 1 - 1 / self.bins, p < 1 / self.bins
        self.seen += torch.stack(
            [(sides[0] & ends[0]).sum(0), sides[0].sum(0), (sides[1] & ends[1]).sum(0), sides[1].sum(0)]
        )
        kept = torch.where(applies, self.ideal / self.ratio, self.ratio / self.ideal)
        return hidden(cells, ~known | (torch.rand_like(kept) >= kept))

    positive = staticmethod(BCE.positive)
    negative = staticmethod(BCE.negative)

    def training_state(self) -> bool:
        """Ideal ratios and counts."""
        return True


def _likely(cells: Cells) -> Tensor:
    """(rows, labels) bool, True where the target is above one half."""
    if not isinstance(cells, SparseCells):
        return cells.dense().mass() > 0.5
    none = torch.zeros(cells.shape, dtype=torch.bool, device=cells.device)
    likely = none.new_ones(1) if cells.values is None else cells.values > 0.5
    return none.index_put(cells.positive_index, likely)


def _labels(label_counts: ArrayLike) -> int:
    size = len(checked_counts(label_counts))
    if not size:
        raise OptionError("label_counts has no label")
    return size
