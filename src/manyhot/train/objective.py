"""What is minimised: a loss over the training targets, cut into batches."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from manyhot.labels import LabelSpace, Targets
from manyhot.losses import ROLE, ExpectedPositives, GroupSoftmax, Mixed, MultiLabelLoss, Pointwise

DENSE_CELLS = 2**25
"""Up to so many cells (128 MB) all targets lie on the device as one matrix; above, batches are cut sparse."""


@dataclass(frozen=True, eq=False)
class Objective:
    """A loss, and the targets of all rows in the form that is cut fastest.

    Args:
        loss: called as loss(logits, targets); a `MultiLabelLoss` is told the row numbers too.
        targets: (rows, labels).
        device: of the logits.
    """

    loss: nn.Module
    targets: Targets
    device: torch.device
    _dense: Tensor | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.loss, MultiLabelLoss):
            self.loss.trust_logits()  # a head that starts at the prior may well put all logits into [0, 1]
        if self.targets.shape[0] * self.targets.shape[1] <= DENSE_CELLS:
            object.__setattr__(self, "_dense", torch.from_numpy(self.targets.to_dense()).to(self.device))

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Cost of a batch, in float32 or wider.

        Args:
            logits: (len(rows), labels).
            rows: row numbers, int64 on the CPU.
        """
        targets = (
            self.targets.rows(rows.numpy()) if self._dense is None else self._dense[rows.to(self.device)]
        )
        if isinstance(self.loss, MultiLabelLoss):
            return self.loss(logits.float(), targets, row_ids=rows)
        return self.loss(logits.float(), targets)


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
    return len(space) if isinstance(loss, (Pointwise, ExpectedPositives, ROLE)) else 1
