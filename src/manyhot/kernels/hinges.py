"""Hinges of a row's positives against its negatives on the CPU, without a sort of the row.

A negative counts for a positive when its logit lies above the positive's bound. For few positives every bound
is held against the whole row, which a vector unit does faster than anything cleverer; for many the bounds are
sorted, and each negative finds its place among them. The time is that of labels times the logarithm of the
positives, and no target is dense.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manyhot.kernels.cells import SparseCells
from manyhot.kernels.pairs import violations


class Hinges(torch.autograd.Function):
    """(positives,) summed weight max(0, z_n - z_p + margin) over plain negatives n of the row; and how many.

    Both are float64, in the order of `SparseCells.positive_index`; no gradient passes the second, a summed
    weight. Third comes (rows,) 0, or NaN where a known logit is not finite.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, cells: SparseCells, margin: float, weight: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sums of every positive."""
        work = _Work(z.detach().contiguous(), cells, margin, weight)
        hinges, number, seen = work.sums()
        ctx.save_for_backward(z)
        ctx.work, ctx.arguments = work, (cells, margin, weight)
        ctx.mark_non_differentiable(number, seen)
        ctx.number = number
        return hinges, number, seen

    @staticmethod
    def backward(ctx: Any, of_hinges: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Every negative gains from the positives that it violates; each of them loses as much."""
        if torch.is_grad_enabled():
            (z,) = ctx.saved_tensors
            with torch.enable_grad():
                hinges = plain_hinges(z, *ctx.arguments)[0]
                (gradient,) = torch.autograd.grad(hinges, z, of_hinges, create_graph=True)
            return gradient, None, None, None
        slopes = ctx.work.slopes(of_hinges)
        slopes[ctx.arguments[0].positive_index] = (-of_hinges * ctx.number).to(slopes.dtype)
        return slopes, None, None, None


def plain_hinges(
    z: Tensor, cells: SparseCells, margin: float, weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Hinges and numbers in differentiable torch."""
    negative = torch.ones_like(z) if weight is None else weight.to(z.dtype).expand(z.shape).clone()
    negative[cells.positive_index] = 0
    if cells.unknown_index is not None:
        negative[cells.unknown_index] = 0
        z = z.index_put(cells.unknown_index, z.new_zeros(()))
    own = z[cells.positive_index]
    number, summed = violations(z, negative, cells.positive_index[0], own - margin)
    return number * (margin - own) + summed, number.detach()


class _Work:
    """The arrays of one call, the bounds of each row ascending."""

    def __init__(self, z: Tensor, cells: SparseCells, margin: float, weight: Tensor | None) -> None:
        from manyhot.kernels.numba_engine import integers  # Numba is imported when there is work for it

        self.z, self.kind = z.numpy(), np.float64 if z.dtype == torch.float64 else np.float32
        self.starts, self.labels = integers(cells.starts), integers(cells.labels)
        hidden = cells.unknown_starts is not None
        self.hidden_starts = integers(cells.unknown_starts) if hidden else np.zeros_like(self.starts)
        self.hidden_labels = integers(cells.unknown_labels) if hidden else np.empty(0, np.int32)
        self.weights = np.empty(0, self.kind)
        if weight is not None:
            self.weights = np.ascontiguousarray(weight.numpy(), self.kind)
        rows = cells.positive_index[0].numpy()
        bounds = self.z[rows, self.labels] - self.kind(margin)
        self.order = np.lexsort((bounds, rows))
        self.bounds = bounds[self.order]

    def sums(self) -> tuple[Tensor, Tensor, Tensor]:
        """Hinges and numbers of the positives, and NaN for every row that holds what is not finite."""
        hinges, number, seen = np.empty(len(self.bounds)), np.empty(len(self.bounds)), np.empty(len(self.z))
        self._run("sums", lambda rows: (hinges, number, seen[rows]))
        back = np.empty_like(self.order)
        back[self.order] = np.arange(len(back))
        return torch.from_numpy(hinges[back]), torch.from_numpy(number[back]), torch.from_numpy(seen)

    def slopes(self, of_hinges: Tensor) -> Tensor:
        """(rows, labels) gradient of the negatives, 0 elsewhere."""
        out = np.empty_like(self.z)
        pull = np.ascontiguousarray(of_hinges.numpy(), np.float64)[self.order].astype(self.kind)
        self._run("slopes", lambda rows: (out[rows], pull))
        return torch.from_numpy(out)

    def _run(self, kernel: str, results: Any) -> None:
        from manyhot.kernels.pool import over_rows

        function = getattr(_kernels(np.dtype(self.kind).name), kernel)

        def run(first: int, last: int) -> None:
            rows, ends = slice(first, last), slice(first, last + 1)
            function(
                self.z[rows], self.starts[ends], self.labels, self.hidden_starts[ends], self.hidden_labels,
                self.weights, self.bounds, *results(rows),
            )  # fmt: skip

        over_rows(run, len(self.z), self.z.size)


@cache
def _kernels(kind: str) -> Any:
    from manyhot.kernels.numba_source import load

    return load(SOURCE, kind)


ROW = """
size_of = np.int32 if real is np.float32 else np.int64
without_sign = size_of(2**31 - 1 if real is np.float32 else 2**63 - 1)
infinite = size_of(0x7F800000 if real is np.float32 else 0x7FF0000000000000)
never = real(-1e30)
chunk = 2048
few = 24


@part
def size(x):
    return size_of(bits(x) & without_sign)


@part
def prepared(row, given, labels, first, last, hidden_labels, h, h_end):
    largest = size_of(0)
    for j in range(row.shape[0]):
        row[j] = given[j]
    for k in range(h, h_end):
        row[hidden_labels[k]] = never
    for j in range(row.shape[0]):
        largest = max(largest, size(row[j]))
    for k in range(first, last):
        row[labels[k]] = never
    return largest < infinite
"""

SOURCE = (
    ROW
    + """
@part
def below(bounds, first, last, value):
    low, count = first, last - first
    while count > 0:
        half = count // 2
        if bounds[low + half] < value:
            low += half + 1
            count -= half + 1
        else:
            count = half
    return low - first


@whole
def sums(z, starts, labels, hidden_starts, hidden_labels, weights, bounds, hinges, number, seen):
    row = np.empty(z.shape[1], real)
    for i in range(z.shape[0]):
        first, last = starts[i], starts[i + 1]
        h, h_end = hidden_starts[i], hidden_starts[i + 1]
        seen[i] = 0.0 if prepared(row, z[i], labels, first, last, hidden_labels, h, h_end) else np.nan
        if first == last:
            continue
        for p in range(first, last):
            hinges[p] = number[p] = 0.0
        if last - first <= few:
            for c in range(0, row.shape[0], chunk):
                own = row[c : c + chunk]
                for p in range(first, last):
                    bound, cost, count = bounds[p], real(0), real(0)
                    if weights.shape[0]:
                        weight = weights[c : c + chunk]
                        for j in range(own.shape[0]):
                            cost += weight[j] * max(own[j] - bound, real(0))
                            count += weight[j] if own[j] > bound else real(0)
                    else:
                        for j in range(own.shape[0]):
                            cost += max(own[j] - bound, real(0))
                            count += real(1) if own[j] > bound else real(0)
                    hinges[p] += cost
                    number[p] += count
        else:
            mass, total = np.zeros(last - first + 1), np.zeros(last - first + 1)
            lowest = bounds[first]
            for j in range(row.shape[0]):
                if row[j] > lowest:
                    place = below(bounds, first, last, row[j])
                    weight = np.float64(weights[j] if weights.shape[0] else real(1))
                    mass[place] += weight
                    total[place] += weight * (np.float64(row[j]) - np.float64(lowest))
            count, summed = 0.0, 0.0
            for place in range(last - first, 0, -1):
                count += mass[place]
                summed += total[place]
                p = first + place - 1
                number[p] = count
                hinges[p] = summed - count * (np.float64(bounds[p]) - np.float64(lowest))


@whole
def slopes(z, starts, labels, hidden_starts, hidden_labels, weights, bounds, out, pull):
    row = np.empty(z.shape[1], real)
    for i in range(z.shape[0]):
        first, last, slope = starts[i], starts[i + 1], out[i]
        for j in range(slope.shape[0]):
            slope[j] = real(0)
        if first == last:
            continue
        prepared(row, z[i], labels, first, last, hidden_labels, hidden_starts[i], hidden_starts[i + 1])
        if last - first <= few:
            for c in range(0, row.shape[0], chunk):
                own, part_slope = row[c : c + chunk], slope[c : c + chunk]
                for p in range(first, last):
                    bound, gain = bounds[p], pull[p]
                    for j in range(own.shape[0]):
                        part_slope[j] += gain if own[j] > bound else real(0)
        else:
            gains = np.zeros(last - first + 1)
            for p in range(first, last):
                gains[p - first + 1] = gains[p - first] + pull[p]
            lowest = bounds[first]
            for j in range(row.shape[0]):
                if row[j] > lowest:
                    slope[j] = real(gains[below(bounds, first, last, row[j])])
        if weights.shape[0]:
            for j in range(slope.shape[0]):
                slope[j] *= weights[j]
"""
)
