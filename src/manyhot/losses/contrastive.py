"""A loss of features, not of logits: rows that share a label are to lie near each other."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from manyhot import _check
from manyhot.errors import InputError, ShapeError
from manyhot.kernels.torch_engine import computed
from manyhot.labels import as_targets


class MulSupCon(nn.Module):
    """Supervised contrastive loss, taken once for every label of a row.

    A row i with the label c costs the mean over the other rows p with that label of -log softmax(s_i / T)_p,
    where s_i are the cosines of its features with those of all other rows. A label that no other row has
    costs nothing and is not counted; an unknown cell is no label. For the projected features of an encoder
    that is trained before, or beside, its head; it takes no logits and so is none of `LOSSES`.

    Args:
        temperature: T, > 0.
        average: "label" (default) is the mean over all pairs of a row and a label of it; "row" the mean over
            the labels of a row, then over rows.

    Source:
        Zhang and Wu, "Multi-Label Supervised Contrastive Learning", AAAI 2024.
    """

    def __init__(self, temperature: float = 0.1, average: Literal["label", "row"] = "label") -> None:
        super().__init__()
        _check.at_least("temperature", temperature, 1e-6)
        self.temperature = temperature
        self.average = _check.one_of("average", average, ("label", "row"))

    def forward(
        self, features: Tensor, targets: Any, queue: Tensor | None = None, queue_targets: Any = None
    ) -> Tensor:
        """Cost of a batch, 0-d; 0 where no two rows share a label.

        Args:
            features: (rows, width), of any length; cosines are taken.
            targets: (rows, labels), any form of `manyhot.labels.as_targets`; soft values above 0 are labels.
            queue: (kept, width) features of earlier batches to compare with, as well as with the batch.
            queue_targets: (kept, labels), their targets.

        Raises:
            InputError: NaN among the features, a queue without targets.
            ShapeError: features and targets of different numbers of rows.
        """
        x = functional.normalize(computed(features), dim=1)
        y = _labels(targets, x)
        others, theirs = x, y
        if queue is not None:
            if queue_targets is None:
                raise InputError("a queue of features needs queue_targets")
            kept = functional.normalize(computed(queue), dim=1)
            others, theirs = torch.cat([x, kept]), torch.cat([y, _labels(queue_targets, kept)])
        own = torch.eye(len(x), len(others), dtype=torch.bool, device=x.device)
        shares = torch.log_softmax((x @ others.T / self.temperature).masked_fill(own, -torch.inf), dim=1)
        summed = torch.where(own, 0.0, shares) @ theirs
        number = y * (theirs.sum(0) - 1)  # a row with the label is one of those that have it
        counted = number > 0
        costs = torch.where(counted, -summed / number.where(counted, 1.0), 0.0)
        if torch.isnan(costs.detach()).any():
            raise InputError("features are NaN: lower the learning rate or clip gradients")
        if self.average == "label":
            return costs.sum() / counted.sum().clamp(min=1)
        rows = costs.sum(1) / counted.sum(1).clamp(min=1)
        return rows.sum() / counted.any(1).sum().clamp(min=1)

    def extra_repr(self) -> str:
        """Its parameters."""
        return f"temperature={self.temperature}, average={self.average!r}"


def _labels(targets: Any, x: Tensor) -> Tensor:
    """(rows, labels) 1 where a label applies, else 0."""
    if isinstance(targets, Tensor):
        targets = targets.detach().cpu().numpy()
    found = as_targets(targets).to_dense()
    if len(found) != len(x):
        raise ShapeError(f"features have {len(x)} rows, targets {len(found)}; one row of targets per row")
    return (torch.from_numpy(found).to(x.device) > 0).to(x.dtype)
