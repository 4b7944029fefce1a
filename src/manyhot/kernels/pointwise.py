"""The value of a pointwise loss, by the engine that suits the logits."""

from typing import Any

import torch
from torch import Tensor

from manyhot.kernels import torch_engine
from manyhot.kernels.cells import Cells
from manyhot.kernels.curves import Curves
from manyhot.kernels.reduction import reduce_units, scale_of


def pointwise(logits: Tensor, cells: Cells, curves: Curves, reduction: str) -> Tensor:
    """Reduced cost of a batch, or the cost of every cell where the reduction is "none".

    Args:
        logits: (rows, labels), any float dtype.
        cells: the targets, on the same device.
        curves: the loss.
        reduction: mean (over known cells), batchmean, sum or none.

    Returns:
        0-d, or (rows, labels); float32 for half-precision logits, else of their dtype.
    """
    if reduction == "none" or not plain(logits):
        values = torch_engine.cell_costs(logits, cells, curves)
        return reduce_units(values, reduction, logits.shape[0], cells.known_count())
    result: Any = Total.apply(logits, cells, curves, reduction)
    return result


def plain(logits: Tensor) -> bool:
    """True where a gradient written in the forward pass is of use: eager mode, ordinary tensors."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return type(logits) in (Tensor, torch.nn.Parameter)


class Total(torch.autograd.Function):
    """A summed cost whose forward pass writes the gradient, so that the backward pass only scales it."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, cells: Cells, curves: Curves, reduction: str) -> Tensor:
        """Sum the costs and keep the slopes, scaled by the reduction."""
        scale = scale_of(reduction, logits.shape[0], cells.known_count() if reduction == "mean" else 0)
        summed, slopes = torch_engine.total(logits, cells, curves, ctx.needs_input_grad[0])
        ctx.save_for_backward(logits)
        ctx.cells, ctx.curves, ctx.scale = cells, curves, scale
        ctx.slopes = None if slopes is None else slopes.mul_(scale)
        return (summed * scale).to(torch_engine.computed(logits[:0]).dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Hand the slopes over; compute them again if that has happened before."""
        slopes, ctx.slopes = ctx.slopes, None
        if slopes is None or torch.is_grad_enabled():  # a second pass, or one that will be differentiated
            (logits,) = ctx.saved_tensors
            slopes = torch_engine.cell_slopes(logits, ctx.cells, ctx.curves)
            return (slopes * (gradient * ctx.scale)).to(logits.dtype), None, None, None
        # Handed over, not kept: autograd then takes the memory as the leaf's .grad without a copy.
        return (slopes if _is_one(gradient) else slopes.mul_(gradient)), None, None, None


def _is_one(gradient: Tensor) -> bool:
    return gradient.device.type == "cpu" and gradient.item() == 1.0
