"""What is minimised: a loss over the training targets, cut into batches."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from manyhot.errors import OptionError, ShapeError
from manyhot.labels import LabelSpace, Targets
from manyhot.losses import (
    AUCM,
    ROLE,
    AsymmetricPseudoLabels,
    ExpectedPositives,
    GroupSoftmax,
    Mixed,
    MultiLabelLoss,
    MultiLabelSoftMargin,
    NonNegativePU,
    Pointwise,
)
from manyhot.losses.fused import FusedLinearLoss
from manyhot.models import WIDE, Head

DENSE_CELLS = 2**25
"""Up to so many cells (128 MB) all targets lie on the device as one matrix. Above, and in a wide label space
always, batches are cut sparse."""

MEANS_OVER_LABELS = (
    *(Pointwise, ExpectedPositives, ROLE, AsymmetricPseudoLabels),  # of cells
    MultiLabelSoftMargin,  # within a row
    *(AUCM, NonNegativePU),  # of whole labels, like those of the average "macro"
)
"""Losses whose mean divides by the number of labels.

Not those that are means over a label's positives or pairs, such as `PairwiseAUC`: there a rare label pulls as
much as a frequent one, and the sum of all is too much for plain SGD (on Reuters 0.17 instead of 0.60 mAP).
"""


@dataclass(frozen=True, eq=False)
class Objective:
    """A loss, and the targets of all rows in the form that is cut fastest.

    Args:
        loss: called as loss(logits, targets); a `MultiLabelLoss` is told the row numbers too.
        targets: (rows, labels).
        device: of the logits.
        fused: the loss makes the logits itself, some labels at a time.
        row_weight: (rows,), multiplies the cost of a row; of a `MultiLabelLoss` only.
    """

    loss: nn.Module
    targets: Targets
    device: torch.device
    fused: bool = False
    row_weight: Tensor | None = None
    _walk: FusedLinearLoss | None = field(init=False, default=None, repr=False)
    _dense: Tensor | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.loss, MultiLabelLoss):
            if self.loss.reduction == "none":
                raise OptionError("training minimises one number: reduction='mean', 'batchmean' or 'sum'")
            self.loss.trust_logits()  # a head that starts at the prior may well put all logits into [0, 1]
        elif self.row_weight is not None:
            raise OptionError(f"row_weight needs a loss of manyhot.losses, got {type(self.loss).__name__}")
        if self.row_weight is not None and self.row_weight.shape != self.targets.shape[:1]:
            raise ShapeError(
                f"row_weight must have shape ({len(self.targets)},), got {tuple(self.row_weight.shape)}"
            )
        if self.fused:
            assert isinstance(self.loss, MultiLabelLoss), "head_for lets nothing else be fused"
            object.__setattr__(self, "_walk", FusedLinearLoss(self.loss))
        rows, width = self.targets.shape
        if width < WIDE and rows * width <= DENSE_CELLS:
            object.__setattr__(self, "_dense", torch.from_numpy(self.targets.to_dense()).to(self.device))

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Cost of a batch, in float32 or wider.

        Args:
            logits: (len(rows), labels).
            rows: row numbers, int64 on the CPU.
        """
        if isinstance(self.loss, MultiLabelLoss):
            weight = self._weight_of(rows)
            return self.loss(logits.float(), self.targets_of(rows), row_ids=rows, row_weight=weight)
        return self.loss(logits.float(), self.targets_of(rows))

    def of_hidden(self, hidden: Any, head: Head, rows: Tensor) -> Tensor:
        """The same of hidden vectors (len(rows), width) and a head; fused, without all logits at once."""
        if self._walk is None:
            return self(head(hidden), rows)
        beside = {"bias": head.layer.bias, "row_weight": self._weight_of(rows)}
        return self._walk(hidden, head.layer.weight, self.targets_of(rows), **beside)

    def targets_of(self, rows: Tensor) -> Tensor | Targets:
        """Targets of a batch, dense where they lie on the device."""
        return self.targets.rows(rows.numpy()) if self._dense is None else self._dense[rows.to(self.device)]

    def _weight_of(self, rows: Tensor) -> Tensor | None:
        return None if self.row_weight is None else self.row_weight[rows]


def units_per_row(loss: nn.Module, space: LabelSpace) -> int:
    """By what a mean over a row's units has to be multiplied to be their sum.

    The optimiser is given the sum: a mean over 4,000 labels has gradients so small that Adam's eps and
    the usual learning rates of SGD would no longer mean the same as for 10 labels.
    """
    if not isinstance(loss, MultiLabelLoss) or loss.reduction != "mean":
        return 1
    if isinstance(loss, GroupSoftmax):
        return len(loss.has_none)
    if isinstance(loss, Mixed):
        return len(space.independent) + len(space.groups)
    by_label = isinstance(loss, MEANS_OVER_LABELS) or getattr(loss, "average", None) == "macro"
    return len(space) if by_label else 1
