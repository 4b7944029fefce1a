"""Which head a training has: logits of all labels at once, or a loss that walks the labels in chunks."""

from torch import nn

from manyhot import _check
from manyhot.errors import OptionError
from manyhot.losses import MultiLabelLoss
from manyhot.losses.fused import refusal
from manyhot.models import Model, SparseLinear

HEADS = ("auto", "fused", "plain")


def head_for(wanted: str, model: Model, loss: nn.Module) -> tuple[str, str | None]:
    """("fused" or "plain", why a wide label space has to be plain).

    "auto" fuses head and loss in a wide label space where they can be.

    Args:
        wanted: a name in `HEADS`.
        model: whose head it is.
        loss: that is minimised.

    Raises:
        OptionError: "fused", and it cannot be.
    """
    _check.one_of("head", wanted, HEADS)
    if wanted == "plain" or (wanted == "auto" and not model.is_wide):
        return "plain", None
    reason = why_plain(model, loss)
    if reason is None:
        return "fused", None
    if wanted == "fused":
        raise OptionError(f"the head cannot be fused: {reason}; train with head=plain")
    return "plain", reason


def why_plain(model: Model, loss: nn.Module) -> str | None:
    """Why head and loss cannot be fused; None where they can."""
    if isinstance(model.head.layer, SparseLinear):
        return "a linear model of compressed rows has no hidden vectors"
    if not isinstance(loss, MultiLabelLoss):
        return f"{type(loss).__name__} is no loss of manyhot, and is given all logits"
    reason = refusal(loss)
    return None if reason is None else reason.split(";")[0]
