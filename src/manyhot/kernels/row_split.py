"""The wide part of a row-wise loss on the CPU: a row's plain negatives become one number.

Most cells of a row are negatives, and row-wise losses know them only through the logarithm of their summed
exponentials. `Split` gives that number for every row, beside the logits of the positives; all that follows
is small and left to torch. The forward pass keeps the exponentials, which the backward pass only scales: they
are the gradient.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manyhot.kernels.cells import SparseCells
from manyhot.kernels.memory import room_like

EMPTY = -1e30  # logarithm of a sum over no cell: its exponential is 0, yet it is finite


class Split(torch.autograd.Function):
    """(rows,) log of the summed weight exp(z / temperature) of plain negatives; and the positives' logits."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, cells: SparseCells, temperature: float, weight: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Exponentials less the highest of their row, and their sums."""
        logits = z.detach().contiguous()
        exponentials = room_like(logits)
        highest, summed = _exponentials(logits, exponentials, cells, temperature, weight)
        some = summed > 0
        logarithm = torch.where(
            summed == 0, EMPTY, highest / temperature + torch.log(torch.where(some, summed, 1.0))
        )
        ctx.save_for_backward(z)
        ctx.cells, ctx.temperature, ctx.weight = cells, temperature, weight
        ctx.exponentials, ctx.shares = exponentials, torch.where(some, 1 / (summed * temperature), 0.0)
        return torch.where(summed.isnan(), torch.nan, logarithm).to(z.dtype), logits[cells.positive_index]

    @staticmethod
    def backward(ctx: Any, of_sums: Tensor, of_positives: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Scale the exponentials; compute all again if they are gone, or for a second derivative."""
        slopes, ctx.exponentials = ctx.exponentials, None
        if slopes is None or torch.is_grad_enabled():
            (z,) = ctx.saved_tensors
            with torch.enable_grad():
                outputs = plain_split(z, ctx.cells, ctx.temperature, ctx.weight)
                gradients = torch.autograd.grad(
                    outputs, z, (of_sums, of_positives), create_graph=True, allow_unused=True
                )
            return gradients[0], None, None, None
        slopes.mul_((of_sums * ctx.shares).to(slopes.dtype)[:, None])
        slopes[ctx.cells.positive_index] = of_positives
        return slopes, None, None, None


def plain_split(
    z: Tensor, cells: SparseCells, temperature: float, weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The same in differentiable torch, on any device."""
    exponents = z / temperature
    if weight is not None:
        exponents = exponents + torch.log(weight.to(z.dtype))
    never = z.new_tensor(-torch.inf)
    exponents = exponents.index_put(cells.positive_index, never)
    if cells.unknown_index is not None:
        exponents = exponents.index_put(cells.unknown_index, never)
    return log_sum_exp(exponents), z[cells.positive_index]


def log_sum_exp(exponents: Tensor) -> Tensor:
    """(rows,) as torch.logsumexp, but `EMPTY` with gradient 0, not NaN, where every exponent is -inf."""
    if not exponents.shape[1]:
        return exponents.sum(1) + EMPTY
    highest = exponents.detach().amax(1)
    shift = torch.where(highest.isinf(), 0.0, highest)
    return log_or_empty(torch.exp(exponents - shift[:, None]).sum(1), shift)


def log_or_empty(summed: Tensor, shift: Tensor) -> Tensor:
    """shift + log(summed), `EMPTY` where nothing was summed."""
    empty = summed == 0  # not "> 0" the other way round: a NaN has to show
    return torch.where(empty, EMPTY, shift + torch.log(torch.where(empty, 1.0, summed)))


def _exponentials(
    z: Tensor, out: Tensor, cells: SparseCells, temperature: float, weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Highest logit of every row's plain negatives that weigh, float64; summed exponentials less it."""
    from manyhot.kernels.numba_engine import INFINITE, integers  # Numba is imported when there is work for it
    from manyhot.kernels.pool import over_rows

    kind: Any = np.float64 if z.dtype == torch.float64 else np.float32
    starts, labels = integers(cells.starts), integers(cells.labels)
    hidden_starts, hidden_labels = np.zeros(len(starts), np.int32), np.empty(0, np.int32)
    if cells.unknown_starts is not None:
        hidden_starts, hidden_labels = integers(cells.unknown_starts), integers(cells.unknown_labels)
    weights = np.empty(0, kind) if weight is None else np.ascontiguousarray(weight.numpy(), kind)
    highest, summed = np.empty(len(z)), np.empty(len(z))
    kernel = _kernel(np.dtype(kind).name)
    matrix, written = z.numpy(), out.numpy()

    def run(first: int, last: int) -> bool:
        rows, ends = slice(first, last), slice(first, last + 1)
        largest = kernel(
            matrix[rows], written[rows], starts[ends], labels, hidden_starts[ends], hidden_labels,
            weights, kind(1 / temperature), highest[rows], summed[rows],
        )  # fmt: skip
        return bool(largest < INFINITE[kind])

    if not all(over_rows(run, len(z), z.numel())):
        summed[:] = np.nan
    return torch.from_numpy(highest), torch.from_numpy(summed)


@cache
def _kernel(kind: str) -> Any:
    from manyhot.kernels.numba_source import load

    return load(SOURCE, kind).exponentials


SOURCE = """
size_of = np.int32 if real is np.float32 else np.int64
without_sign = size_of(2**31 - 1 if real is np.float32 else 2**63 - 1)
never = real(-1e30)
chunk = 4096


@part
def size(x):
    return size_of(bits(x) & without_sign)


@part
def put(row, labels, first, last, value):
    for k in range(first, last):
        row[labels[k]] = value


@whole
def exponentials(z, out, starts, labels, hidden_starts, hidden_labels, weights, factor, highest, summed):
    largest = size_of(0)
    for i in range(z.shape[0]):
        given, row = z[i], out[i]
        for j in range(row.shape[0]):
            row[j] = given[j]
        put(row, labels, starts[i], starts[i + 1], never)
        put(row, hidden_labels, hidden_starts[i], hidden_starts[i + 1], never)
        top = never
        if weights.shape[0]:
            for j in range(row.shape[0]):
                top = max(top, row[j] if weights[j] > real(0) else never)
                largest = max(largest, size(row[j]))
        else:
            for j in range(row.shape[0]):
                top = max(top, row[j])
                largest = max(largest, size(row[j]))
        total = 0.0
        for c in range(0, row.shape[0], chunk):
            own = row[c : c + chunk]
            part_sum = real(0)
            if weights.shape[0]:
                weight = weights[c : c + chunk]
                for j in range(own.shape[0]):
                    e = weight[j] * exp(min((own[j] - top) * factor, real(0)))  # above 0 where it weighs 0
                    part_sum += e
                    own[j] = e
            else:
                for j in range(own.shape[0]):
                    e = exp((own[j] - top) * factor)
                    part_sum += e
                    own[j] = e
            total += part_sum
        if top == never:
            total = 0.0
        put(row, labels, starts[i], starts[i + 1], real(0))
        put(row, hidden_labels, hidden_starts[i], hidden_starts[i + 1], real(0))
        highest[i], summed[i] = top, total
    return largest
"""
