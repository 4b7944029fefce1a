"""Pointwise losses on the GPU by Triton: targets become places, a kernel is chosen, blocks run it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from triton.compiler.errors import CompilationError

from manyhot.kernels.cells import Cells, DenseCells, SparseCells
from manyhot.kernels.curves import Curves
from manyhot.kernels.formula import Formula
from manyhot.kernels.pointwise_source import Variant, constants_of, named_formulas, variant_of
from manyhot.kernels.reduction import scale_of
from manyhot.kernels.torch_engine import computed
from manyhot.kernels.triton_pointwise import BLOCK, WARPS, kernel_module, multiply_kernel

CANNOT_COMPILE = (CompilationError, OSError, SyntaxError)
LISTED_BLOCK = 256  # listed cells that one program costs; they are few, so many programs share them
MANY = 64  # one listed cell in so many: a block of plain negatives then compares with 16 of them, or is dense


def total(
    logits: Tensor, cells: Cells, curves: Curves, reduction: str, want_slopes: bool
) -> tuple[Tensor, Tensor | float, Tensor | None]:
    """Reduced cost; what the sum was scaled with; slopes, scaled too. Nothing waits for the GPU.

    Raises:
        OSError, SyntaxError, CompilationError: the formulas cannot be compiled.
    """
    scale = scale_of(reduction, logits.shape[0], _known(cells) if reduction == "mean" else 0)
    z = logits.detach().contiguous()
    slopes = torch.empty_like(z) if want_slopes else None
    cost = _run(z, cells, curves, slopes, scale).sum(dtype=torch.float64) * scale
    return cost.to(computed(z[:0]).dtype), scale, slopes


def slopes_of(logits: Tensor, cells: Cells, curves: Curves, factor: Tensor) -> Tensor:
    """Derivative of every cell's cost by its logit, times a 0-d factor, in the dtype of the logits."""
    z = logits.detach().contiguous()
    slopes = torch.empty_like(z)
    _run(z, cells, curves, slopes, factor)
    return slopes


def multiply(slopes: Tensor, factor: Tensor) -> Tensor:
    """The slopes times a 0-d factor, in place; a factor of 1 is seen on the GPU, and no memory touched."""
    blocks = _blocks(slopes.numel(), BLOCK)
    with on(slopes.device):
        multiply_kernel()[(blocks,)](slopes, factor, slopes.numel(), BLOCK=BLOCK, num_warps=WARPS)
    return slopes


def on(device: torch.device) -> AbstractContextManager[Any]:
    """Triton starts kernels on the current device, which need not be that of the tensors."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _blocks(cells: int, size: int) -> int:
    return -(-cells // size)


def _known(cells: Cells) -> Tensor | float:
    if isinstance(cells, SparseCells):
        hidden = 0 if cells.unknown_labels is None else len(cells.unknown_labels)
        return cells.shape[0] * cells.shape[1] - hidden
    if isinstance(cells, DenseCells) and cells.unknown is None and not cells.values.dtype.is_signed:
        return cells.shape[0] * cells.shape[1]
    return cells.known_count()


def _run(z: Tensor, cells: Cells, curves: Curves, slopes: Tensor | None, scale: Tensor | float) -> Tensor:
    """Sums of the costs of all blocks, in float32 or float64; the slopes are written."""
    work = _Work(z, cells, curves, slopes, scale)
    with on(z.device):
        if isinstance(cells, SparseCells) and few_listed(cells):
            return work.listed(cells)
        return work.dense(cells.dense() if isinstance(cells, DenseCells) else _spread(cells))


def few_listed(cells: SparseCells) -> bool:
    """True where comparing every cell with the listed ones of its block is faster than reading a matrix."""
    listed = len(cells.labels) + (0 if cells.unknown_labels is None else len(cells.unknown_labels))
    return MANY * listed <= cells.shape[0] * cells.shape[1]


class _Work:
    """The arguments of one call that all kernels take."""

    def __init__(
        self, z: Tensor, cells: Cells, curves: Curves, slopes: Tensor | None, scale: Tensor | float
    ) -> None:
        self.z, self.slopes, self.curves = z, slopes, curves
        self.kind = torch.float64 if z.dtype == torch.float64 else torch.float32
        self.width, self.blocks = z.shape[1], _blocks(z.numel(), BLOCK)
        self.row_weight, self.cell_weight = _line(cells.row_weight), _line(cells.cell_weight)
        of_positives, of_negatives = curves.smoothing
        number, factor = (1.0, scale) if isinstance(scale, Tensor) else (scale, None)
        self.numbers = (of_negatives, 1.0 - of_positives, number, factor)

    def listed(self, cells: SparseCells) -> Tensor:
        """Plain negatives first, then what is listed."""
        kernels, constants = self._kernels(cells.values is not None)
        positives, positive_edges = self._places(cells.positive_index)
        unknown, unknown_edges = self._places(cells.unknown_index) if cells.unknown_index else (None, None)
        costly = unknown is not None and self.curves.unknown is not None
        counts = [len(positives), len(unknown) if unknown is not None and costly else 0]
        blocks = [self.blocks, *(_blocks(count, LISTED_BLOCK) for count in counts)]
        sums = self.z.new_empty(sum(blocks), dtype=self.kind)
        wide, *few = sums.split(blocks)
        beside = (self.row_weight, self.cell_weight, *self.numbers, *constants)
        kernels.wide[(self.blocks,)](
            self.z, self.slopes, wide, self.z.numel(), self.width, positives, positive_edges, unknown,
            unknown_edges, *beside, BLOCK=BLOCK, LONG=self.width >= BLOCK, num_warps=WARPS,
        )  # fmt: skip
        values = None if cells.values is None else cells.values.contiguous()
        for hidden, places, own, part in ((False, positives, values, few[0]), (True, unknown, None, few[1])):
            if places is not None and len(part):
                kernels.listed[(len(part),)](
                    self.z, self.slopes, part, len(places), self.width, places, own, *beside,
                    BLOCK=LISTED_BLOCK, UNKNOWN=hidden, num_warps=WARPS,
                )  # fmt: skip
        return sums

    def dense(self, cells: DenseCells) -> Tensor:
        """Every cell by what the matrix says."""
        values = cells.values
        kernels, constants = self._kernels(values.is_floating_point())
        sums = self.z.new_empty(self.blocks, dtype=self.kind)
        kernels.dense[(self.blocks,)](
            self.z, self.slopes, sums, self.z.numel(), self.width, _bytes(values), _bytes(cells.unknown),
            self.row_weight, self.cell_weight, *self.numbers, *constants, BLOCK=BLOCK,
            LONG=self.width >= BLOCK, CODED=values.dtype.is_signed,
            COSTLY=self.curves.unknown is not None, num_warps=WARPS,
        )  # fmt: skip
        return sums

    def _kernels(self, soft: bool) -> tuple[Any, list[Any]]:
        curves = self.curves.to(self.z.device, self.kind)
        variant = variant_of(curves, soft=soft, cell_weighted=self.cell_weight is not None)
        constants = [_line(c) if isinstance(c, Tensor) else float(c) for c in constants_of(curves, variant)]
        formulas = tuple(named_formulas(curves).items())
        return _module(formulas, variant, str(self.kind).removeprefix("torch.")), constants

    def _places(self, index: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Where listed cells are in the line of all, ascending; and the first of every block among them."""
        rows, labels = index
        places = rows * self.width + labels
        starts = torch.arange(self.blocks + 1, device=self.z.device) * BLOCK
        return places, torch.searchsorted(places, starts)


@lru_cache(maxsize=256)
def _module(formulas: tuple[tuple[str, Formula], ...], variant: Variant, kind: str) -> Any:
    named: Mapping[str, Formula] = dict(formulas)
    return kernel_module(named, variant, kind)


def _line(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().contiguous()


def _bytes(tensor: Tensor | None) -> Tensor | None:
    line = _line(tensor)
    return line.view(torch.uint8) if line is not None and line.dtype == torch.bool else line


def _spread(cells: Cells) -> DenseCells:
    """Sparse targets as a matrix, of bytes where they are hard."""
    assert isinstance(cells, SparseCells)
    hard = cells.values is None
    values = torch.zeros(cells.shape, dtype=torch.uint8 if hard else torch.float32, device=cells.device)
    values[cells.positive_index] = 1 if cells.values is None else cells.values.float()
    known = cells.known()
    return cells.with_values(values, None if known is None else ~known)
