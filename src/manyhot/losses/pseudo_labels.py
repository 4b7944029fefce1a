"""Negatives that the model finds among the unlabelled cells, to be learned from as soft targets."""

from typing import Literal, Unpack

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from manyhot import _check
from manyhot.errors import InputError, OptionError
from manyhot.kernels.cells import Cells
from manyhot.kernels.curves import Curves
from manyhot.kernels.pointwise import plain
from manyhot.kernels.reduction import scale_of
from manyhot.kernels.torch_engine import cell_costs, computed
from manyhot.kernels.words import softplus
from manyhot.losses.base import MultiLabelLoss, Options, Traits
from manyhot.losses.long_tail import checked_counts
from manyhot.losses.pointwise import side_weights
from manyhot.losses.single_positive import EntropyMaximization
from manyhot.losses.unobserved import ZEROS, unobserved, zeros_unknown


class AsymmetricPseudoLabels(MultiLabelLoss):
    """`EntropyMaximization`, whose least likely unknown cells become soft negatives in time (EM+APL).

    From epoch `warmup` on, `set_epoch` takes for every label the unknown cells that the model held for the
    least likely in the epoch before, share / (epochs - warmup) of all of them each time, and keeps the p
    that it gave them as their target: they cost beta times the cross-entropy with it. Needs `row_ids` in
    every call, and `set_epoch`; in evaluation (`loss.eval()`) it is `EntropyMaximization`. "mean" is over all
    cells.

    Formula: EM; the least likely unknown cells cost beta times cross-entropy with the p that they once had
    Use: One known positive a row; negatives are found step by step.
    Trap: Holds two numbers for every cell of the training set; epochs is to be that of the training.

    Args:
        num_rows: rows of the training set; each cell of it is remembered.
        label_counts: (labels,); here for their number.
        alpha: of the entropy of cells that stay unknown, >= 0.
        beta: of the pseudo-labelled cells, >= 0; 0.02 to 0.9 in the paper.
        share: of the unknown cells of a label that are pseudo-labelled in the end, in [0, 1].
        warmup: first epoch, counted from 0, that begins with pseudo-labels, >= 1.
        epochs: of the training, > warmup; later ones add as many.
        zeros: "unknown" (default) or "negative".

    Source:
        Zhou et al., "Acknowledging the Unknown for Multi-label Learning with Single Positive Labels", ECCV
        2022, arXiv:2203.16219. Their program predicts all rows again after an epoch; here the predictions of
        the epoch itself are kept.
    """

    traits = Traits(calls=("row_ids", "set_epoch"), soft="the expected cost")

    ignores_unknown = False
    scores: Tensor
    soft: Tensor

    def __init__(
        self,
        num_rows: int,
        label_counts: ArrayLike,
        alpha: float = 0.1,
        beta: float = 0.2,
        share: float = 0.9,
        warmup: int = 4,
        epochs: int = 10,
        zeros: Literal["unknown", "negative"] = "unknown",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        _check.at_least("num_rows", num_rows, 1)
        for name, value in (("alpha", alpha), ("beta", beta)):
            _check.at_least(name, value, 0.0)
        _check.between("share", share, 0.0, 1.0)
        _check.at_least("warmup", warmup, 1)
        _check.at_least("epochs", epochs, 1)
        if epochs <= warmup:
            raise OptionError(f"epochs={epochs} must be more than warmup={warmup}")
        self.num_rows, self.zeros = num_rows, _check.one_of("zeros", zeros, ZEROS)
        self.alpha, self.beta, self.share, self.warmup, self.epochs = alpha, beta, share, warmup, epochs
        size = (num_rows, len(checked_counts(label_counts)))
        # NaN: of `scores`, never seen unknown; of `soft`, no pseudo-label.
        self.register_buffer("scores", torch.full(size, torch.nan))
        self.register_buffer("soft", torch.full(size, torch.nan))

    @property
    def width(self) -> int:
        """Number of labels remembered."""
        return self.soft.shape[1]

    def set_epoch(self, epoch: int) -> None:
        """Pseudo-label by the predictions of the epoch before."""
        fresh, self.epoch = epoch > self.epoch, epoch
        if not fresh or epoch < self.warmup:
            return
        unknown = ~self.scores.isnan()
        number = (self.share * unknown.sum(0) / (self.epochs - self.warmup)).long()
        open_cells = torch.where(unknown & self.soft.isnan(), self.scores, torch.inf)
        places = open_cells.argsort(dim=0, stable=True).argsort(dim=0)
        taken = (places < number) & open_cells.isfinite()
        self.soft.copy_(torch.where(taken, self.scores, self.soft))

    def evaluate(self, logits: Tensor, cells: Cells) -> Tensor:
        """Reduced cost, or with the reduction "none" the cost of every cell."""
        z, hidden = computed(logits), unobserved(cells, self.zeros)
        kind, zeros_open = EntropyMaximization, self.zeros == "unknown"
        curves = Curves(
            kind.positive,
            kind.unknown_cell if zeros_open else kind.negative,
            kind.unknown_cell,
            {"alpha": self.alpha},
            *side_weights(self, cells),
            smoothing=self.smoothing,
            soft=kind.soft if zeros_open else None,
        )
        # Unknown zeros are marked where smoothing would else reach them, as in `EntropyMaximization`.
        marked = zeros_unknown(cells) if zeros_open and any(self.smoothing) else cells
        costs = cell_costs(z, marked, curves)
        if self.training:
            costs = self._with_pseudo_labels(costs, z, hidden, cells)
        if self.reduction == "none":
            return costs
        return costs.sum() * scale_of(self.reduction, z.shape[0], z.numel())

    def _with_pseudo_labels(self, costs: Tensor, z: Tensor, hidden: Tensor, cells: Cells) -> Tensor:
        rows = self._rows(cells)
        soft = self.soft[rows].to(z.dtype)
        self.scores[rows] = torch.where(hidden, torch.sigmoid(z.detach()), torch.nan).to(self.scores.dtype)
        found = hidden & ~soft.isnan()
        y = soft.nan_to_num(0.0)
        own = self.beta * (y * softplus(-z) + (1 - y) * softplus(z))
        if cells.cell_weight is not None:
            own = own * cells.cell_weight.to(z.dtype)
        if cells.row_weight is not None:
            own = own * cells.row_weight.to(z.dtype)[:, None]
        return torch.where(found, own, costs)

    def _rows(self, cells: Cells) -> Tensor:
        ids = cells.row_ids
        if ids is None:
            raise InputError(
                "em-apl remembers every row: call it with row_ids=, their numbers in the training set"
            )
        if plain(ids) and len(ids) and not (int(ids.min()) >= 0 and int(ids.max()) < self.num_rows):
            raise InputError(
                f"row_ids must be in [0, {self.num_rows}), got {int(ids.min())} to {int(ids.max())}"
            )
        return ids

    def training_state(self) -> bool:
        """Predictions and pseudo-labels."""
        return True
