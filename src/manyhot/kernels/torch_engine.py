"""Pointwise losses in plain torch: any device, any dtype, differentiable any number of times.

Two ways through the same few lines. `fused_total` writes the gradient while it sums, so that the backward
pass only scales it. `cell_costs` is ordinary differentiable code, for unreduced values, second
derivatives, `torch.func` and `torch.compile`.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from manyhot.kernels.cells import Cells, DenseCells, SparseCells, wide
from manyhot.kernels.curves import Curves
from manyhot.kernels.formula import Formula

CHUNK_CELLS = 1 << 21  # cells whose intermediate results exist at one time

Parts: TypeAlias = list[Tensor]  # of every cell: value and slope, or one of them
Call: TypeAlias = Callable[..., Parts]


def cell_costs(logits: Tensor, cells: Cells, curves: Curves) -> Tensor:
    """Cost of every cell (rows, labels), 0 where unknown; differentiable."""
    z = computed(logits)
    return _weighted(z, cells, curves.to(z.device, z.dtype), _value)[0]


def positive_costs(logits: Tensor, cells: SparseCells, curves: Curves) -> Tensor:
    """Cost of every positive cell (positives,), in the order of `positive_index`; differentiable."""
    z, here = computed(logits), cells.positive_index
    (costs,) = _listed(z[here], cells, curves.to(z.device, z.dtype).cells(*here), _value)
    if cells.cell_weight is not None:
        costs = costs * cells.cell_weight.to(z.dtype)[here]
    return costs if cells.row_weight is None else costs * cells.row_weight.to(z.dtype)[here[0]]


def cell_slopes(logits: Tensor, cells: Cells, curves: Curves) -> Tensor:
    """Derivative of every cell's cost by its logit (rows, labels); differentiable."""
    z = computed(logits)
    return _weighted(z, cells, curves.to(z.device, z.dtype), _slope)[0]


def total(logits: Tensor, cells: Cells, curves: Curves, want_slopes: bool) -> tuple[Tensor, Tensor | None]:
    """Sum of all costs, in the device's widest float, and all slopes in the dtype of the logits."""
    curves = curves.to(logits.device, computed(logits[:0]).dtype)
    summed = torch.zeros((), dtype=wide(logits.device), device=logits.device)
    slopes = torch.empty_like(logits) if want_slopes else None
    step = max(1, CHUNK_CELLS // max(1, logits.shape[1]))
    for start in range(0, logits.shape[0], step):
        part = slice(start, start + step)
        whole = step >= logits.shape[0]
        z = computed(logits[part])
        chosen = (cells, curves) if whole else (cells.rows(part), curves.rows(part))
        found = _weighted(z, *chosen, _both if want_slopes else _value_only)
        summed += found[0].sum(dtype=summed.dtype)
        if slopes is not None:
            slopes[part] = found[1]
    return summed, slopes


def multiply(slopes: Tensor, factor: Tensor) -> Tensor:
    """The slopes times a 0-d factor, in place."""
    is_one = factor.device.type == "cpu" and factor.item() == 1.0
    return slopes if is_one else slopes.mul_(factor)


def computed(logits: Tensor) -> Tensor:
    """The logits in the dtype that costs are computed in: float32 for halves, else their own."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _weighted(z: Tensor, cells: Cells, curves: Curves, call: Call) -> Parts:
    if isinstance(cells, SparseCells):
        parts = _sparse(z, cells, curves, call)
    else:
        parts = _dense(z, cells.dense(), curves, call)
    if cells.cell_weight is not None:
        parts = [part * cells.cell_weight.to(z.dtype) for part in parts]
    if cells.row_weight is not None:
        parts = [part * cells.row_weight.to(z.dtype)[:, None] for part in parts]
    return parts


def _dense(z: Tensor, cells: DenseCells, curves: Curves, call: Call) -> Parts:
    known = cells.known()
    hidden = z
    if known is not None:
        z = torch.where(known, z, 0.0)  # so that not even a NaN comes out of an unknown cell
    hard = cells.values.dtype == torch.bool
    parts = _mixed(z, cells.values if hard else cells.mass(z.dtype), curves, call)
    if known is None:
        return parts
    if curves.unknown is None:
        return [torch.where(known, part, 0.0) for part in parts]
    unknown = call(curves.unknown, hidden, *curves.arguments(curves.unknown))
    return [torch.where(known, part, other) for part, other in zip(parts, unknown, strict=True)]


def _sparse(z: Tensor, cells: SparseCells, curves: Curves, call: Call) -> Parts:
    here, hidden = cells.positive_index, cells.unknown_index
    # Every cell is costed as a negative. Those that are not are put to 0 first: a NaN or a huge value
    # there must not reach the sum, not even to be taken out again.
    background = z.index_put(here, z.new_zeros(()))
    if hidden is not None:
        background = background.index_put(hidden, z.new_zeros(()))
    parts = _negatives(background, curves, call)
    found = _listed(z[here], cells, curves.cells(*here), call)
    parts = [part.index_put(here, value) for part, value in zip(parts, found, strict=True)]
    if hidden is None:
        return parts
    if curves.unknown is None:
        return [part.index_put(hidden, part.new_zeros(())) for part in parts]
    local = curves.cells(*hidden)
    found = call(curves.unknown, z[hidden], *local.arguments(curves.unknown))
    return [part.index_put(hidden, value) for part, value in zip(parts, found, strict=True)]


def _listed(z: Tensor, cells: SparseCells, curves: Curves, call: Call) -> Parts:
    """Of the positives alone, from their logits and curves (positives,)."""
    if cells.values is None:
        return _positives(z, curves, call)
    return _mixed(z, cells.values.to(z.dtype), curves, call)


def _mixed(z: Tensor, values: Tensor, curves: Curves, call: Call) -> Parts:
    """Both sides, each by the share that the target value gives it, or what the loss has for soft targets."""
    if curves.soft is not None and values.dtype != torch.bool:
        of_positives, of_negatives = curves.smoothing
        return _soft(z, of_negatives + values * (1 - of_positives - of_negatives), curves, call)
    positives, negatives = _positives(z, curves, call), _negatives(z, curves, call)
    if values.dtype == torch.bool:
        return [torch.where(values, p, n) for p, n in zip(positives, negatives, strict=True)]
    return [torch.lerp(n, p, values) for p, n in zip(positives, negatives, strict=True)]


def _positives(z: Tensor, curves: Curves, call: Call) -> Parts:
    share = curves.smoothing[0]
    if share and curves.soft is not None:
        return _soft(z, torch.full_like(z, 1 - share), curves, call)
    own = _side(curves.positive, curves.positive_weight, z, curves, call)
    if not share:
        return own
    other = _side(curves.negative, curves.negative_weight, z, curves, call)
    return [(1 - share) * p + share * n for p, n in zip(own, other, strict=True)]


def _negatives(z: Tensor, curves: Curves, call: Call) -> Parts:
    share = curves.smoothing[1]
    if share and curves.soft is not None:
        return _soft(z, torch.full_like(z, share), curves, call)
    own = _side(curves.negative, curves.negative_weight, z, curves, call)
    if not share:
        return own
    other = _side(curves.positive, curves.positive_weight, z, curves, call)
    return [(1 - share) * n + share * p for n, p in zip(own, other, strict=True)]


def _soft(z: Tensor, y: Tensor, curves: Curves, call: Call) -> Parts:
    """Costs of targets y by the formula for them; the weights of the sides are mixed by y."""
    assert curves.soft is not None
    parts = call(curves.soft, z, y, *curves.arguments(curves.soft))
    if curves.positive_weight is None and curves.negative_weight is None:
        return parts
    ones = z.new_ones(())
    up, down = (ones if w is None else w for w in (curves.positive_weight, curves.negative_weight))
    return [part * torch.lerp(down.expand_as(z), up.expand_as(z), y) for part in parts]


def _side(formula: Formula, weight: Tensor | None, z: Tensor, curves: Curves, call: Call) -> Parts:
    parts = call(formula, z, *curves.arguments(formula))
    return parts if weight is None else [part * weight for part in parts]


# ------------------------------------------------------------------ what is asked of a formula


def _both(formula: Formula, z: Tensor, *constants: Any) -> Parts:
    value, slope = formula(z, *constants)
    return [_shown(value, z), _like(slope, z)]


def _value_only(formula: Formula, z: Tensor, *constants: Any) -> Parts:
    return [_shown(formula(z, *constants)[0], z)]


def _slope(formula: Formula, z: Tensor, *constants: Any) -> Parts:
    return [_like(formula(z, *constants)[1], z)]


def _value(formula: Formula, z: Tensor, *constants: Any) -> Parts:
    kind = Cost if torch.compiler.is_compiling() else ForwardCost  # dynamo refuses a class that has a jvp
    cost: Any = kind.apply(z, formula, *constants)
    if any(isinstance(c, Tensor) and c.requires_grad for c in constants):  # targets that are learned
        value = _like(formula(z.detach(), *constants)[0], z)
        cost = cost + (value - value.detach())
    return [cost]


def _shown(value: Any, z: Tensor) -> Tensor:
    """A formula's value; NaN where the logit is not finite, which a `where` of the formula may hide."""
    return torch.add(_like(value, z), z, alpha=0)


def _like(part: Any, z: Tensor) -> Tensor:
    """A formula's result with the shape and dtype of its logits, also where it is a mere number."""
    if isinstance(part, Tensor) and part.shape == z.shape and part.dtype == z.dtype:
        return part
    return torch.as_tensor(part, dtype=z.dtype, device=z.device).expand(z.shape)


class Cost(torch.autograd.Function):
    """A formula's value, with the formula's own slope as derivative instead of autograd's.

    The two differ where it matters: autograd gives exp(-|z|) the slope 0 at z = 0, and a power no slope at 0.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, formula: Formula, *constants: Any) -> Tensor:
        """The value."""
        return _shown(formula(z, *constants)[0], z)

    @staticmethod
    def setup_context(ctx: Any, inputs: Sequence[Any], output: Tensor) -> None:  # noqa: ARG004
        """Keep the arguments; the slope is computed again from them."""
        z, ctx.formula, *constants = inputs
        tensors = [c for c in constants if isinstance(c, Tensor)]
        ctx.save_for_backward(z, *tensors)
        ctx.numbers = [None if isinstance(c, Tensor) else c for c in constants]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Scale by the slope."""
        return gradient * _own_slope(ctx), None, *(None for _ in ctx.numbers)


class ForwardCost(Cost):
    """The same with forward-mode derivatives, as `torch.func.hessian` takes them."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Sequence[Any], output: Tensor) -> None:
        """Keep the arguments for both directions."""
        Cost.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*(c for c in inputs if isinstance(c, Tensor)))

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:  # type: ignore[override]
        """Scale by the slope."""
        return tangent * _own_slope(ctx)


def _own_slope(ctx: Any) -> Tensor:
    z, *tensors = ctx.saved_tensors
    rest = iter(tensors)
    constants = [next(rest) if number is None else number for number in ctx.numbers]
    return _like(ctx.formula(z, *constants)[1], z)
