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
from manyhot.kernels.cells import Cells
from manyhot.kernels.curves import Curves
from manyhot.kernels.reduction import reduce_units, scale_of

LOG = logging.getLogger("manyhot.kernels")
WORTHWHILE = 1 << 13  # cells from which a kernel's compilation pays; below, torch takes microseconds

OLDEST_GPU = (8, 0)  # Ampere, the first with bfloat16; torch computes on older ones

Engine: TypeAlias = Literal["auto", "torch", "numba", "triton"]
ENGINES = ("auto", "torch", "numba", "triton")
_engine: ContextVar[str | None] = ContextVar("engine", default=None)


@contextmanager
def use_engine(name: Engine) -> Iterator[None]:
    """Choose the engine inside a `with`.

    "auto" takes Triton for CUDA batches and Numba for CPU batches that are worth its start, where they are
    installed; "torch" is torch everywhere; "numba" takes Numba for CPU batches of any size; "triton" takes
    Triton for CUDA batches, and also for CPU batches where TRITON_INTERPRET=1 stood when Triton was imported.
    Every engine leaves to torch what it does not run on. The environment variable MANYHOT_ENGINE chooses for
    a whole process.

    Raises:
        OptionError: none of these names; one in MANYHOT_ENGINE is told by the first batch.
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
    engine = _chosen_engine()
    wanted = engine == "numba" or (engine == "auto" and logits.numel() >= WORTHWHILE)
    return wanted and _numba_is_there()


def suits_triton(logits: Tensor) -> bool:
    """True for a batch that the GPU engine should cost."""
    if not plain(logits) or not logits.numel() or _chosen_engine() not in ("auto", "triton"):
        return False
    if logits.device.type == "cuda":
        return _triton_runs_on(logits.device.index or 0)
    interpreted = logits.device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"
    return interpreted and _chosen_engine() == "triton" and _triton_is_there()


def _chosen_engine() -> str:
    chosen = _engine.get()
    return chosen or _check.one_of("MANYHOT_ENGINE", os.environ.get("MANYHOT_ENGINE", "auto"), ENGINES)


@cache
def _numba_is_there() -> bool:
    try:
        import numba  # noqa: F401  # imported when there is work for it
    except ImportError as error:
        LOG.warning("the CPU engine is off, torch is used instead: %s", error)
        return False
    return True


@cache
def _triton_is_there() -> bool:
    try:
        import triton  # noqa: F401  # imported when there is work for it
    except ImportError as error:
        LOG.warning("the GPU engine is off, torch is used instead: %s; pip install manyhot[triton]", error)
        return False
    return True


@cache
def _triton_runs_on(device: int) -> bool:
    capability = torch.cuda.get_device_capability(device)
    if capability >= OLDEST_GPU:
        return _triton_is_there()
    LOG.warning(
        "the GPU engine is off, torch is used instead: GPU %d has compute capability %d.%d, %d.%d is needed",
        device, *capability, *OLDEST_GPU,
    )  # fmt: skip
    return False


class Total(torch.autograd.Function):
    """A summed cost whose forward pass writes the gradient, so that the backward pass only scales it."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, cells: Cells, curves: Curves, reduction: str) -> Tensor:
        """Sum the costs and keep the slopes, both scaled by the reduction."""
        # Slopes scaled for a large batch are 0 in float16 unless the factor of a gradient scaler comes first.
        want_slopes = ctx.needs_input_grad[0] and logits.dtype != torch.float16
        cost, ctx.scale, ctx.slopes = _total(logits, cells, curves, reduction, want_slopes)
        ctx.save_for_backward(logits)
        ctx.cells, ctx.curves = cells, curves
        name, engine = _compiling_engine(logits)
        ctx.engine = None if (name, *curves.all_formulas()) in _REFUSED else engine
        ctx.by_triton = ctx.engine is not None and name == "triton"
        return cost.to(torch_engine.computed(logits[:0]).dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Hand the slopes over; compute them again if that has happened before."""
        slopes, ctx.slopes = ctx.slopes, None
        (logits,) = ctx.saved_tensors
        differentiable = torch.is_grad_enabled()
        if slopes is not None and not differentiable:
            return _multiplied(slopes, gradient, ctx.by_triton), None, None, None
        if ctx.engine is not None and not differentiable:
            return ctx.engine.slopes_of(logits, ctx.cells, ctx.curves, gradient * ctx.scale), None, None, None
        slopes = torch_engine.cell_slopes(logits, ctx.cells, ctx.curves)
        return (slopes * (gradient * ctx.scale)).to(logits.dtype), None, None, None


def _multiplied(slopes: Tensor, gradient: Tensor, by_triton: bool) -> Tensor:
    """Handed over, not kept or copied: autograd then takes the memory as the leaf's .grad."""
    if by_triton:
        from manyhot.kernels import triton_engine

        return triton_engine.multiply(slopes, gradient)
    return slopes if _is_one(gradient) else slopes.mul_(gradient)


def _total(
    logits: Tensor, cells: Cells, curves: Curves, reduction: str, want_slopes: bool
) -> tuple[Tensor, Tensor | float, Tensor | None]:
    """Reduced cost, its scale, and the scaled slopes."""
    name, engine = _compiling_engine(logits)
    if engine is not None and (name, *curves.all_formulas()) not in _REFUSED:
        try:
            cost, scale, slopes = engine.total(logits, cells, curves, reduction, want_slopes)
            return torch.as_tensor(cost, dtype=torch.float64), scale, slopes
        except engine.CANNOT_COMPILE as error:
            _REFUSED.add((name, *curves.all_formulas()))
            loss = curves.positive.__qualname__
            LOG.warning("%s runs on torch, the engine %s cannot compile it: %s", loss, name, error)
    scale = scale_of(reduction, logits.shape[0], cells.known_count() if reduction == "mean" else 0)
    summed, slopes = torch_engine.total(logits, cells, curves, want_slopes)
    return summed * scale, scale, None if slopes is None else slopes.mul_(scale)


def _compiling_engine(logits: Tensor) -> tuple[str, Any]:
    """Name and module of the engine that compiles kernels for such a batch; its module is None for torch."""
    if suits_triton(logits):
        from manyhot.kernels import triton_engine

        return "triton", triton_engine
    if suits_numba(logits):
        from manyhot.kernels import numba_engine

        return "numba", numba_engine
    return "torch", None


_REFUSED: set[Any] = set()  # engines and formulas that they could not compile


def _is_one(gradient: Tensor) -> bool:
    return gradient.device.type == "cpu" and gradient.item() == 1.0
