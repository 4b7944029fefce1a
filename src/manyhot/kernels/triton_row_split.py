"""The wide part of a row-wise loss on the GPU: a row's plain negatives become one number.

As `row_split` on the CPU, but that the exponentials are not kept: the forward pass reads the logits once, the
backward pass reads them again and writes the gradient. A program has a piece of one row and writes what it
found to its own place, so that no answer depends on the order of programs.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from manyhot.kernels.cells import DenseCells, SparseCells
from manyhot.kernels.row_split import EMPTY, plain_split
from manyhot.kernels.torch_engine import computed
from manyhot.kernels.triton_engine import on
from manyhot.kernels.triton_source import load

PIECE = 4096  # cells of a row that one program has: 16 KB of float32, read by 8 warps in 64 bytes a thread


class Split(torch.autograd.Function):
    """(rows,) log of the summed weight exp(z / temperature) of plain negatives; and the positives' logits."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, cells: SparseCells, temperature: float, weight: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Highest exponent and summed exponentials of every piece, put together in float64."""
        work = _Work(z, cells, temperature, weight)
        tops, totals = (z.new_empty(len(z), work.pieces, dtype=work.kind) for _ in range(2))
        work.launch("sums", tops, totals)
        highest = tops.amax(1).double()
        summed = (totals * torch.exp(tops.double() - highest[:, None])).sum(1)
        none = summed == 0
        logarithm = torch.where(none, EMPTY, highest + torch.log(torch.where(none, 1.0, summed))).to(
            work.kind
        )
        ctx.save_for_backward(z, logarithm)
        ctx.work = work
        return logarithm, z.detach()[cells.positive_index].to(work.kind)

    @staticmethod
    def backward(ctx: Any, of_sums: Tensor, of_positives: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Every negative's share of its row's sum; by torch for a second derivative."""
        z, logarithm = ctx.saved_tensors
        work = ctx.work
        if torch.is_grad_enabled():
            outputs = plain_split(computed(z), work.cells, work.temperature, work.given_weight)
            gradients = torch.autograd.grad(
                outputs, z, (of_sums, of_positives), create_graph=True, allow_unused=True
            )
            return gradients[0], None, None, None
        slopes = torch.empty_like(work.z)
        work.launch("shares", slopes, logarithm, of_sums.contiguous())
        slopes[work.cells.positive_index] = of_positives.to(slopes.dtype)
        return slopes, None, None, None


class _Work:
    """The arguments that both kernels take."""

    def __init__(self, z: Tensor, cells: SparseCells, temperature: float, weight: Tensor | None) -> None:
        self.cells, self.temperature, self.given_weight = cells, temperature, weight
        self.z = z.detach().contiguous()
        self.kind = torch.promote_types(z.dtype, torch.float32)
        rows, self.width = z.shape
        self.block = min(PIECE, max(32, 1 << (self.width - 1).bit_length()))
        self.pieces = -(-self.width // self.block)
        self.weight = None if weight is None else weight.detach().to(z.device, self.kind).contiguous()
        starts = torch.arange(rows, device=z.device)[:, None] * self.width
        starts = (starts + torch.arange(self.pieces, device=z.device) * self.block).flatten()
        ends = torch.cat([starts, starts.new_full((1,), rows * self.width)])
        self.listed: list[Tensor | None] = []
        for index in (cells.positive_index, cells.unknown_index):
            places = None if index is None else index[0] * self.width + index[1]
            self.listed += [places, None if places is None else torch.searchsorted(places, ends)]

    def launch(self, name: str, *own: Tensor) -> None:
        """Run a kernel, one program a piece."""
        kernel = getattr(kernels(str(self.kind).removeprefix("torch.")), name)
        with on(self.z.device):
            kernel[(len(self.z) * self.pieces,)](
                self.z, *own, self.width, self.pieces, *self.listed, self.weight, float(self.temperature),
                BLOCK=self.block, num_warps=8 if self.block == PIECE else 4,
            )  # fmt: skip


def compressed(cells: DenseCells) -> SparseCells:
    """The cells of a dense batch that are not plain negatives; their number is waited for."""
    known = cells.known()
    positive = cells.values > 0
    hidden: dict[str, Tensor] = {}
    if known is not None:
        positive &= known
        unknown_starts, unknown_index = _rows_of(~known)
        hidden = {"unknown_starts": unknown_starts, "unknown_labels": unknown_index[1]}
    starts, index = _rows_of(positive)
    values = cells.values[index]
    soft = values.is_floating_point() and bool((values != 1).any())
    return SparseCells(
        width=cells.shape[1],
        starts=starts,
        labels=index[1],
        values=values if soft else None,
        **hidden,
        row_weight=cells.row_weight,
        cell_weight=cells.cell_weight,
        row_ids=cells.row_ids,
    )


def _rows_of(mask: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    counts = mask.sum(1)
    rows, labels = torch.nonzero(mask, as_tuple=True)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]), (rows, labels)


@cache
def kernels(kind: str) -> Any:
    """The module with the kernels `sums` and `shares`."""
    return load(SOURCE, kind)


SOURCE = """
@part
def piece(z, width, pieces, positives, positive_edges, unknown, unknown_edges, BLOCK: tl.constexpr):
    program = tl.program_id(0)
    row = (program // pieces).to(tl.int64)
    label = (program % pieces) * BLOCK + tl.arange(0, BLOCK)
    first = row * width
    there = label < width
    plain = there
    for k in range(tl.load(positive_edges + program), tl.load(positive_edges + program + 1)):
        plain = plain & (label != (tl.load(positives + k) - first).to(tl.int32))
    if unknown is not None:
        for k in range(tl.load(unknown_edges + program), tl.load(unknown_edges + program + 1)):
            plain = plain & (label != (tl.load(unknown + k) - first).to(tl.int32))
    x = tl.load(z + first + label, mask=there, other=0.0).to(KIND)
    return row, label, tl.where(plain, x, 0.0), plain, there


@whole
def sums(
    z, tops, totals, width, pieces, positives, positive_edges, unknown, unknown_edges, weight,
    temperature: "fp64", BLOCK: tl.constexpr,
):
    _, label, x, plain, _ = piece(z, width, pieces, positives, positive_edges, unknown, unknown_edges, BLOCK)
    mass = plain.to(KIND)
    if weight is not None:
        mass = tl.load(weight + label, mask=plain, other=0.0)
    exponent = tl.where(mass > 0, x / real(temperature), -1e30)  # infinite times no weight would be NaN
    top = tl.max(exponent, 0)
    tl.store(tops + tl.program_id(0), top)
    tl.store(totals + tl.program_id(0), tl.sum(mass * tl.exp(exponent - top), 0))


@whole
def shares(
    z, slopes, logarithm, of_sums, width, pieces, positives, positive_edges, unknown, unknown_edges, weight,
    temperature: "fp64", BLOCK: tl.constexpr,
):
    row, label, x, plain, there = piece(
        z, width, pieces, positives, positive_edges, unknown, unknown_edges, BLOCK
    )
    per_nat = 1.0 / real(temperature)
    exponent = x * per_nat - tl.load(logarithm + row)
    mass = plain.to(KIND)
    if weight is not None:
        mass = tl.load(weight + label, mask=plain, other=0.0)
    share = tl.where((mass > 0) & (exponent < 1e29), mass * tl.exp(exponent), 0.0)  # nothing of an empty sum
    tl.store(slopes + row * width + label, share * (per_nat * tl.load(of_sums + row)), mask=there)
"""
