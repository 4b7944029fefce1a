"""The value of a pointwise loss, by the engine that suits the logits."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from manyhot import _check
from manyhot.kernels import torch_engine
from manyhot.kernels.cells import Cells, DenseCells, SparseCells
from manyhot.kernels.curves import Curves
from manyhot.kernels.reduction import reduce_units, scale_of

LOG = logging.getLogger("manyhot.kernels")
WORTHWHILE = 1 << 13  # cells from which a kernel's compilation pays; below, torch takes microseconds

Engine: TypeAlias = Literal["auto", "torch", "numba"]
ENGINES = ("auto", "torch", "numba")
_engine: ContextVar[str | None] = ContextVar("engine", default=None)


@contextmanager
def use_engine(name: Engine) -> Iterator[None]:
    """Choose the engine inside a `with`: "torch" everywhere, "numba" for CPU batches of any size, or "auto".

    The environment variable MANYHOT_ENGINE chooses for a whole process.
    """
    token = _engine.set(_check.one_of("engine", name, ENGINES))
    try:
        yield
    finally:
        _engine.reset(token)


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


def suits_numba(logits: Tensor) -> bool:
    """True for a batch that the CPU engine should cost."""
    if not plain(logits) or logits.device.type != "cpu" or not logits.numel():
        return False
    engine = _engine.get() or os.environ.get("MANYHOT_ENGINE", "auto")
    wanted = engine == "numba" or (engine == "auto" and logits.numel() >= WORTHWHILE)
    return wanted and _numba_is_there()


@cache
def _numba_is_there() -> bool:
    try:
        import numba  # noqa: F401  # imported when there is work for it
    except ImportError as error:
        LOG.warning("the CPU engine is off, torch is used instead: %s", error)
        return False
    return True


class Total(torch.autograd.Function):
    """A summed cost whose forward pass writes the gradient, so that the backward pass only scales it."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, cells: Cells, curves: Curves, reduction: str) -> Tensor:
        """Sum the costs and keep the slopes, both scaled by the reduction."""
        cost, ctx.scale, ctx.slopes = _total(logits, cells, curves, reduction, ctx.needs_input_grad[0])
        ctx.save_for_backward(logits)
        ctx.cells, ctx.curves = cells, curves
        return cost.to(torch_engine.computed(logits[:0]).dtype)

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


def _total(
    logits: Tensor, cells: Cells, curves: Curves, reduction: str, want_slopes: bool
) -> tuple[Tensor, Tensor | float, Tensor | None]:
    """Reduced cost, its scale, and the scaled slopes."""
    if suits_numba(logits) and curves.formulas() not in _REFUSED:
        from manyhot.kernels import numba_engine

        listed = numba_engine.compressed(cells) if isinstance(cells, DenseCells) else cells
        if not _has_soft_cells(listed, curves):
            try:
                cost, scale, slopes = numba_engine.total(logits, listed, curves, reduction, want_slopes)
                return torch.tensor(cost, dtype=torch.float64), scale, slopes
            except numba_engine.CANNOT_COMPILE as error:
                _REFUSED.add(curves.formulas())
                name = curves.positive.__qualname__
                LOG.warning("%s runs on torch, the CPU engine cannot compile it: %s", name, error)
    scale = scale_of(reduction, logits.shape[0], cells.known_count() if reduction == "mean" else 0)
    summed, slopes = torch_engine.total(logits, cells, curves, want_slopes)
    return summed * scale, scale, None if slopes is None else slopes.mul_(scale)


def _has_soft_cells(cells: Cells, curves: Curves) -> bool:
    """True where a target lies between 0 and 1 and the loss has a formula for it, which only torch reads."""
    soft = isinstance(cells, SparseCells) and cells.values is not None
    return curves.soft is not None and (soft or any(curves.smoothing))


_REFUSED: set[Any] = set()  # formulas that could not be compiled


def _is_one(gradient: Tensor) -> bool:
    return gradient.device.type == "cpu" and gradient.item() == 1.0
