"""A cost whose forward pass has written the gradient already, so that the backward pass only scales it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from manyhot.kernels.torch_engine import multiply

Write: TypeAlias = Callable[[Tensor, bool], tuple[Tensor, Tensor | None]]


class Written(torch.autograd.Function):
    """A 0-d cost of logits, by `write`.

    `write(z, want_slopes)` gives the cost, and its derivative by every logit if wanted. `plain(z)` gives the
    same cost in differentiable torch, for a second backward pass and for second derivatives.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, write: Write, plain: Callable[[Tensor], Tensor]) -> Tensor:
        """Write the slopes, if anybody will ask."""
        cost, ctx.slopes = write(z.detach().contiguous(), ctx.needs_input_grad[0])
        ctx.save_for_backward(z)
        ctx.plain = plain
        return cost

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Hand the slopes over; derive them if that has happened before."""
        slopes, ctx.slopes = ctx.slopes, None
        if slopes is not None and not torch.is_grad_enabled():
            return multiply(slopes, gradient), None, None
        (z,) = ctx.saved_tensors
        with torch.enable_grad():
            (found,) = torch.autograd.grad(ctx.plain(z), z, gradient, create_graph=True)
        return found, None, None
