"""Weights from the gradients themselves: what many cells or a label's negatives push is pushed less.

Both remember earlier batches of the training in buffers; in evaluation (`loss.eval()`) they are read, not
changed. With several processes each keeps its own.
"""

from dataclasses import replace
from typing import Unpack

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.kernels.cells import Cells
from manyhot.kernels.formula import Curve, Scalar
from manyhot.kernels.positives import positives
from manyhot.kernels.row_sums import RowReading
from manyhot.kernels.words import sigmoid, softplus
from manyhot.losses.base import Options, Traits
from manyhot.losses.cross_entropy import BCE
from manyhot.losses.long_tail import checked_counts
from manyhot.losses.pointwise import Pointwise


class GHM(Pointwise):
    """BCE of cells weighted by how rare the size of their gradient |p - y| is (GHM-C).

    The sizes are counted in equal bins over [0, 1]; a cell of a bin with c of all t cells weighs
    t / (c number of non-empty bins). Counts are averaged over batches.

    Formula: BCE times cells / (cells with a gradient of that size)
    Use: Many easy cells and some outliers.
    Trap: Weights depend on the batch and on those before.

    Args:
        bins: number of bins, >= 1.
        momentum: share of the past in the averaged counts, in [0, 1); 0 counts each batch alone.

    Source:
        Li, Liu and Wang, "Gradient Harmonized Single-stage Detector", AAAI 2019, arXiv:1811.05181. Published
        code averages from 0 and so over-weighs the first steps; here the average is one of the batches seen.
    """

    traits = Traits(batch=True)

    shows_nan = False  # it has to be found before it is remembered

    counts: Tensor
    seen: Tensor

    def __init__(self, bins: int = 10, momentum: float = 0.75, **options: Unpack[Options]) -> None:
        super().__init__(**options)
        _check.at_least("bins", bins, 1)
        _check.between("momentum", momentum, 0.0, 1.0 - 1e-9)
        self.bins, self.momentum = bins, momentum
        self.register_buffer("counts", torch.zeros(bins, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))

    positive = staticmethod(BCE.positive)
    negative = staticmethod(BCE.negative)

    @torch.no_grad()
    def select(self, logits: Tensor, cells: Cells) -> Cells:
        """The weights of this batch, as weights of cells."""
        wide = torch.promote_types(logits.dtype, torch.float32)
        p, known = torch.sigmoid(logits.to(wide)), cells.known()
        own = positives(p, cells, RowReading())
        size = p.index_put((own.rows, own.labels), (own.z - own.values).abs())
        known = torch.ones_like(size, dtype=torch.bool) if known is None else known
        place = (torch.where(known, size, 0.0) * self.bins).long().clamp(0, self.bins - 1)
        here = torch.zeros_like(self.counts)
        here = here.index_add(0, place.reshape(-1), known.reshape(-1).to(here.dtype))
        weight = self._weights(here).to(wide)[place]
        if cells.cell_weight is not None:
            weight = weight * cells.cell_weight
        return replace(cells, cell_weight=torch.where(known, weight, 0.0))

    def _weights(self, here: Tensor) -> Tensor:
        """(bins,) weights from the counts of this batch and earlier ones."""
        keep = self.momentum
        counts = keep * self.counts + (1 - keep) * here
        seen = keep * self.seen + (1 - keep)
        if self.training:
            self.counts.copy_(counts)
            self.seen.copy_(seen)
        occupied = (here > 0).sum().clamp(min=1)
        return here.sum() * seen / (counts.where(counts > 0, 1.0) * occupied)

    def training_state(self) -> bool:
        """True where counts are averaged over batches."""
        return self.momentum > 0


class EQLv2(Pointwise):
    """BCE whose sides are weighted by the ratio of a label's positive to its negative gradient so far.

    With r that ratio: negatives weigh sigmoid(gamma (r - mu)), positives 1 + alpha (1 - that). Labels whose
    negatives have pushed far more than their positives are pushed down less and pulled up more. It starts at
    r = 100, where both weights are 1.

    Formula: y w+ sp(-z) + (1 - y) w- sp(z), w from the label's summed gradients
    Use: Long tails, when negatives drown rare labels.
    Trap: Remembers the whole training: save it with the model to go on.

    Args:
        label_counts: (labels,); here for their number.
        gamma: steepness, > 0.
        mu: ratio at which negatives weigh one half.
        alpha: how much positives can gain, >= 0.

    Source:
        Tan et al., "Equalization Loss v2: A New Gradient Balance Approach for Long-tailed Object Detection",
        CVPR 2021, arXiv:2012.08548.
    """

    pushed_up: Tensor
    pushed_down: Tensor
    weight_pos: Tensor
    weight_neg: Tensor

    def __init__(
        self,
        label_counts: ArrayLike,
        gamma: float = 12.0,
        mu: float = 0.8,
        alpha: float = 4.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("gamma", gamma, 0.0)
        _check.at_least("alpha", alpha, 0.0)
        _check.finite("mu", mu)
        self.gamma, self.mu, self.alpha = gamma, mu, alpha
        size = len(checked_counts(label_counts))
        if not size:
            raise OptionError("label_counts has no label")
        self.register_buffer("pushed_up", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("pushed_down", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("weight_pos", torch.ones(size), persistent=False)
        self.register_buffer("weight_neg", torch.ones(size), persistent=False)

    @property
    def width(self) -> int:
        """Number of labels remembered."""
        return len(self.pushed_up)

    def ratio(self) -> Tensor:
        """(labels,) summed gradient of positives by that of negatives; 100 where there was none."""
        some = self.pushed_up + self.pushed_down > 0
        return torch.where(some, self.pushed_up / (self.pushed_down + 1e-10), 100.0)

    @torch.no_grad()
    def select(self, logits: Tensor, cells: Cells) -> Cells:  # noqa: ARG002
        """Weigh by the batches before this one."""
        self.weight_neg = torch.sigmoid(self.gamma * (self.ratio() - self.mu))
        self.weight_pos = 1 + self.alpha * (1 - self.weight_neg)
        return cells

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost, or with the reduction "none" the cost of every cell; then the batch is remembered."""
        cost = super().evaluate(logits, cells)
        if self.training:
            self._remember(logits.detach(), cells, cost.detach().sum().isfinite())
        return cost

    @torch.no_grad()
    def _remember(self, logits: Tensor, cells: Cells, good: Tensor) -> None:
        """Add the batch's gradients, if it is good; NaN would stay."""
        up, down = (
            torch.where(good, pushes, 0.0).to(self.pushed_up.dtype) for pushes in _pushes(logits, cells)
        )
        self.pushed_up += up * self.weight_pos
        self.pushed_down += down * self.weight_neg

    @staticmethod
    def positive(z: Scalar, weight_pos: Scalar) -> Curve:
        """-weight log p."""
        return weight_pos * softplus(-z), -weight_pos * sigmoid(-z)

    @staticmethod
    def negative(z: Scalar, weight_neg: Scalar) -> Curve:
        """-weight log(1 - p)."""
        return weight_neg * softplus(z), weight_neg * sigmoid(z)

    def training_state(self) -> bool:
        """The sums of gradients."""
        return True


def _pushes(logits: Tensor, cells: Cells) -> tuple[Tensor, Tensor]:
    """(labels,) summed |p - y| of the positive and of the negative side."""
    p, known = torch.sigmoid(logits.to(torch.promote_types(logits.dtype, torch.float32))), cells.known()
    own = positives(p, cells, RowReading())
    none = p.new_zeros(p.shape[1])
    taken = none.index_add(0, own.labels, own.values * own.z)
    up = none.index_add(0, own.labels, own.values * (1 - own.z))
    return up, (p if known is None else torch.where(known, p, 0.0)).sum(0) - taken
