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
from manyhot.kernels.cells import Cells, SparseCells
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
    if reduction == "none" or not plain(logits) or cells.learned:
        values = torch_engine.cell_costs(logits, cells, curves)
        return reduce_units(values, reduction, logits.shape[0], cells.known_count())
    result: Any = Total.apply(logits, cells, curves, reduction)
    return result


def listed(logits: Tensor, cells: Cells) -> Cells:
    """The targets as the CPU engine reads them, without plain negatives, where it costs this batch.

    Worth a call where more than the engine reads them: dense ones are then gone through once.
    """
    if isinstance(cells, SparseCells) or not suits_numba(logits):
        return cells
    from manyhot.kernels.dense_scan import compressed  # Numba is imported when there is work for it

    return compressed(cells.dense())


def plain(logits: Tensor) -> bool:
    """True where a gradient written in the forward pass is of use: eager mode, ordinary tensors."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return type(logits) in (Tensor, torch.nn.Parameter)


def suits_numba(logits: Tensor) -> bool:
    """True for a batch that the CPU engine should cost."""
    return engine_for(logits) == "numba"


def suits_triton(logits: Tensor) -> bool:
    """True for a batch that the GPU engine should cost."""
    return engine_for(logits) == "triton"


def engine_for(logits: Tensor) -> str:
    """The engine that costs such a batch: "torch", "numba" or "triton"."""
    if not plain(logits) or not logits.numel():
        return "torch"
    kind, chosen = logits.device.type, _chosen_engine()
    if kind == "cuda" and chosen in ("auto", "triton") and _triton_runs_on(logits.device.index or 0):
        return "triton"
    if kind != "cpu":
        return "torch"
    if chosen == "triton":
        interpreted = os.environ.get("TRITON_INTERPRET") == "1"
        return "triton" if interpreted and _triton_is_there() else "torch"
    wanted = chosen == "numba" or (chosen == "auto" and logits.numel() >= WORTHWHILE)
    return "numba" if wanted and _numba_is_there() else "torch"


def _chosen_engine() -> str:
    chosen = _engine.get() or os.environ.get("MANYHOT_ENGINE", "auto")
    return chosen if chosen in ENGINES else _check.one_of("MANYHOT_ENGINE", chosen, ENGINES)


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
        ctx.engine = _compiling_engine(logits, curves)
        found = None
        if ctx.engine is not None:
            found = _compiled_total(ctx.engine, logits, cells, curves, reduction, want_slopes)
        if found is None:
            ctx.engine = None
            found = _torch_total(logits, cells, curves, reduction, want_slopes)
        cost, ctx.scale, ctx.slopes = found
        ctx.save_for_backward(logits)
        ctx.cells, ctx.curves = cells, curves
        return cost

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Hand the slopes over; compute them again if that has happened before."""
        slopes, ctx.slopes = ctx.slopes, None
        (logits,) = ctx.saved_tensors
        differentiable = torch.is_grad_enabled()
        if slopes is not None and not differentiable:
            # Handed over, not kept or copied: autograd then takes the memory as the leaf's .grad.
            return (ctx.engine or torch_engine).multiply(slopes, gradient), None, None, None
        if ctx.engine is not None and not differentiable:
            return ctx.engine.slopes_of(logits, ctx.cells, ctx.curves, gradient * ctx.scale), None, None, None
        slopes = torch_engine.cell_slopes(logits, ctx.cells, ctx.curves)
        return (slopes * (gradient * ctx.scale)).to(logits.dtype), None, None, None


Found: TypeAlias = tuple[Tensor, Tensor | float, Tensor | None]  # reduced cost, its scale, scaled slopes


def _compiled_total(
    engine: Any, logits: Tensor, cells: Cells, curves: Curves, reduction: str, want_slopes: bool
) -> Found | None:
    """None, from now on, where the engine cannot compile the formulas."""
    try:
        return engine.total(logits, cells, curves, reduction, want_slopes)
    except engine.CANNOT_COMPILE as error:
        _REFUSED.add((engine, *curves.all_formulas()))
        name, loss = engine.__name__.rpartition(".")[2], curves.positive.__qualname__
        LOG.warning("%s runs on torch, %s cannot compile it: %s", loss, name, error)
        return None


def _torch_total(logits: Tensor, cells: Cells, curves: Curves, reduction: str, want_slopes: bool) -> Found:
    scale = scale_of(reduction, logits.shape[0], cells.known_count() if reduction == "mean" else 0)
    summed, slopes = torch_engine.total(logits, cells, curves, want_slopes)
    cost = (summed * scale).to(torch_engine.computed(logits[:0]).dtype)
    return cost, scale, None if slopes is None else slopes.mul_(scale)


def _compiling_engine(logits: Tensor, curves: Curves) -> Any:
    """Module of the engine that compiles kernels for such a batch; None for torch."""
    name, engine = engine_for(logits), None
    if name == "triton":
        from manyhot.kernels import triton_engine as engine
    elif name == "numba":
        from manyhot.kernels import numba_engine as engine
    return None if _REFUSED and (engine, *curves.all_formulas()) in _REFUSED else engine


_REFUSED: set[Any] = set()  # engines and formulas that they could not compile
