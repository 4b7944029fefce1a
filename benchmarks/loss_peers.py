"""What benchmarks/losses.py compares with: torch's own losses, timm's, and formulas of papers in eager torch.

A peer takes logits and dense float targets and gives one number. timm (its folder `timm.loss` is enough) is
compared with where it is installed; torchvision's focal loss is written out here as its formula, in eager
torch, which is what it is.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Peer = Callable[[Tensor, Tensor], Tensor]
TIMM = "1.0.31"


def bce(z: Tensor, y: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(z, y)


def asl(z: Tensor, y: Tensor) -> Tensor:
    p = torch.sigmoid(z)
    kept = (1 - p + 0.05).clamp(max=1)
    cost = y * torch.log(p.clamp(min=1e-8)) + (1 - y) * torch.log(kept.clamp(min=1e-8))
    right = p * y + kept * (1 - y)
    return -(cost * torch.pow(1 - right, 1 * y + 4 * (1 - y))).mean()


def focal(z: Tensor, y: Tensor) -> Tensor:
    p = torch.sigmoid(z)
    cost = functional.binary_cross_entropy_with_logits(z, y, reduction="none")
    right = p * y + (1 - p) * (1 - y)
    share = 0.25 * y + 0.75 * (1 - y)
    return (share * cost * (1 - right) ** 2).mean()


def margin(z: Tensor, y: Tensor) -> Tensor:
    rows, labels = torch.nonzero(y, as_tuple=True)
    ids = torch.full(z.shape, -1)
    place = torch.arange(len(rows)) - torch.searchsorted(rows, rows)
    ids[rows, place] = labels
    return functional.multilabel_margin_loss(z, ids)


def soft_margin(z: Tensor, y: Tensor) -> Tensor:
    return functional.multilabel_soft_margin_loss(z, y)


def peers(loss: str, y: Tensor, compiled: bool) -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers of a loss by name, and why others are left out.

    Args:
        loss: name of our loss.
        y: targets of the batch, for losses that count labels.
        compiled: also compile one with torch.compile, which takes half a minute.
    """
    eager: dict[str, dict[str, Peer]] = {
        "bce": {"torch BCEWithLogitsLoss": bce},
        "asl": {"paper's formula, eager": asl},
        "focal": {"torchvision's formula, eager": focal},
        "margin": {"torch MultiLabelMarginLoss": margin},
        "soft-margin": {"torch MultiLabelSoftMarginLoss": soft_margin},
    }
    found, left_out = dict(eager.get(loss, {})), {}
    if loss in ("asl", "zlpr", "two-way", "db"):
        try:
            found["timm"] = _of_timm(loss, y)
        except ImportError as error:
            left_out["timm"] = f"{error}; pip install timm=={TIMM}"
    if compiled and loss in ("bce", "asl"):
        name = "timm" if "timm" in found else next(iter(found))
        found[f"{name}, compiled"] = torch.compile(found[name], dynamic=False)
    return found, left_out


def _of_timm(loss: str, y: Tensor) -> Any:
    from timm import loss as timm

    if loss == "db":
        return timm.DistributionBalancedLoss(y.sum(0), max(2, len(y)))
    return {
        "asl": timm.AsymmetricLossMultiLabel,
        "zlpr": timm.ZlprLoss,
        "two-way": timm.TwoWayLoss,
    }[loss]()
