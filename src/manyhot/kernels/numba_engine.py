"""Pointwise losses on the CPU by Numba: arrays are prepared, a kernel chosen, rows shared over threads."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numba.core.errors import NumbaError
from numpy.typing import NDArray
from torch import Tensor

from manyhot.kernels import torch_engine
from manyhot.kernels.cells import Cells, SparseCells
from manyhot.kernels.curves import Curves
from manyhot.kernels.dense_scan import compressed
from manyhot.kernels.formula import Formula
from manyhot.kernels.memory import room_like
from manyhot.kernels.numba_pointwise import constants, kernel_module, rows_of_run
from manyhot.kernels.numba_source import CHUNK
from manyhot.kernels.pointwise_source import Kind, Variant, constants_of, named_formulas, variant_of
from manyhot.kernels.pool import ROW_GROUP, over_rows
from manyhot.kernels.reduction import scale_of

multiply = torch_engine.multiply
CANNOT_COMPILE = (NumbaError, OSError, SyntaxError)
HALVES = (torch.float16, torch.bfloat16)
HALF_CELLS = 1 << 18  # cells of a half-precision batch that exist in float32 at one time

# Bits of infinity, above which there is only NaN.
INFINITE = {np.float32: 0x7F800000, np.float64: 0x7FF0000000000000}

Array = NDArray[Any]


def total(
    logits: Tensor, cells: Cells, curves: Curves, reduction: str, want_slopes: bool
) -> tuple[Tensor, float, Tensor | None]:
    """Reduced cost, NaN if a known logit is not finite; what the sum was scaled with; slopes, scaled too.

    Raises:
        OSError, SyntaxError, NumbaError: the formulas cannot be compiled.
    """
    sparse = _sparse(cells)
    scale = float(scale_of(reduction, sparse.shape[0], _known(sparse)))
    z = logits.detach().contiguous()
    slopes = room_like(z) if want_slopes else None
    cost = _run(z, sparse, curves, slopes, scale) * scale
    dtype = torch.float64 if z.dtype == torch.float64 else torch.float32
    return torch.tensor(cost, dtype=dtype), scale, slopes


def slopes_of(logits: Tensor, cells: Cells, curves: Curves, factor: Tensor) -> Tensor:
    """Derivative of every cell's cost by its logit, times a 0-d factor, in the dtype of the logits."""
    z = logits.detach().contiguous()
    slopes = room_like(z)
    _run(z, _sparse(cells), curves, slopes, float(factor))
    return slopes


def _sparse(cells: Cells) -> SparseCells:
    return cells if isinstance(cells, SparseCells) else compressed(cells.dense())


def _run(z: Tensor, cells: SparseCells, curves: Curves, slopes: Tensor | None, scale: float) -> float:
    """Summed cost, NaN if a known logit is not finite; the slopes are written, scaled."""
    work = _Work(cells, curves, np.float64 if z.dtype == torch.float64 else np.float32, scale)
    if z.dtype in HALVES:
        finite = _by_halves(work, z, slopes)
    else:
        out = None if slopes is None else slopes.numpy()
        rows = z.numpy()
        finite = over_rows(
            lambda first, last: work.run(rows, out, first, last), len(rows), rows.size, work.group
        )
    return float(work.sums.sum()) if all(finite) else float("nan")


def _known(cells: SparseCells) -> int:
    hidden = 0 if cells.unknown_labels is None else len(cells.unknown_labels)
    return cells.shape[0] * cells.shape[1] - hidden


def _by_halves(work: "_Work", z: Tensor, slopes: Tensor | None) -> list[bool]:
    """The same for half precision, a few rows at a time in float32."""
    step = max(1, HALF_CELLS // (work.group * max(1, z.shape[1]))) * work.group

    def run(first: int, last: int) -> bool:
        finite = True
        for start in range(first, last, step):
            stop = min(start + step, last)
            part = z[start:stop].float()
            out = None if slopes is None else np.empty(part.shape, np.float32)
            finite &= work.run(part.numpy(), out, start, stop, offset=start)
            if slopes is not None and out is not None:
                slopes[start:stop] = torch.from_numpy(out)
        return finite

    return over_rows(run, z.shape[0], z.numel(), work.group)


class _Work:
    """The arrays of one call, whole; `run` takes out its rows."""

    def __init__(self, cells: SparseCells, curves: Curves, kind: type, scale: float) -> None:
        self.kind, self.width, self.rows = kind, cells.shape[1], cells.shape[0]
        self.run_length = rows_of_run(self.width)
        self.group = max(self.run_length, ROW_GROUP)
        self.starts, self.labels = integers(cells.starts), integers(cells.labels)
        self.values = self._reals(cells.values) if cells.values is not None else np.empty(0, kind)
        hidden = cells.unknown_starts is not None and cells.unknown_labels is not None
        self.hidden_starts = integers(cells.unknown_starts) if hidden else np.zeros(self.rows + 1, np.int32)
        self.hidden_labels = integers(cells.unknown_labels) if hidden else np.empty(0, np.int32)
        weight = cells.cell_weight
        self.cell_weight = np.empty((self.rows, 0), kind) if weight is None else self._reals(weight)
        self.sums = np.zeros(self.rows)
        of_positives, of_negatives = curves.smoothing
        self.numbers = (kind(of_negatives), kind(1 - of_positives), kind(scale))
        variant = variant_of(
            curves,
            soft=cells.values is not None,
            row_weighted=cells.row_weight is not None,
            cell_weighted=cells.cell_weight is not None,
            fixing=True,
        )
        values = constants_of(curves, variant)
        if cells.row_weight is not None:
            values.append(cells.row_weight)
        self.constants = [
            (self._constant(value, where), where == "row")
            for value, (_, where) in zip(values, constants(variant), strict=True)
        ]
        self.kernel = _kernel(tuple(named_formulas(curves).items()), variant, kind)

    def run(self, z: Array, slopes: Array | None, first: int, last: int, offset: int = 0) -> bool:
        """Cost rows first to last, which are in z and slopes from first - offset; True if all are finite."""
        rows, own = slice(first, last), slice(first - offset, last - offset)
        return self.kernel(
            z[own].reshape(-1),
            np.empty(CHUNK, self.kind) if slopes is None else slopes[own].reshape(-1),
            self.run_length,
            self.width,
            self.starts[first : last + 1],
            self.labels,
            self.values,
            self.hidden_starts[first : last + 1],
            self.hidden_labels,
            self.cell_weight[rows].reshape(-1),
            self.sums[rows],
            *self.numbers,
            *(value[rows] if per_row else value for value, per_row in self.constants),
        )

    def _constant(self, value: float | Tensor, where: Kind) -> Any:
        if not isinstance(value, Tensor):
            return self.kind(value)
        own = self._reals(value)
        return np.tile(own, self.run_length) if where == "label" and self.run_length > 1 else own

    def _reals(self, tensor: Tensor) -> Array:
        return np.ascontiguousarray(tensor.detach().numpy(), self.kind)


@lru_cache(maxsize=256)
def _kernel(formulas: tuple[tuple[str, Formula], ...], variant: Variant, kind: type) -> Any:
    named: Mapping[str, Formula] = dict(formulas)
    return kernel_module(named, variant, np.dtype(kind).name).kernel


def integers(tensor: Tensor | None) -> Array:
    """Row pointers or labels as the kernels take them."""
    assert tensor is not None
    return np.ascontiguousarray(tensor.numpy(), np.int32)
