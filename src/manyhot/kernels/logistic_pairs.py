"""Logistic costs of a row's positives against its negatives on the CPU, a chunk of the row at a time.

Every positive is held against every plain negative of its row, and no pair is kept: beside the gradient there
is one row of memory. The time is that of positives times labels.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manyhot.kernels import words
from manyhot.kernels.cells import SparseCells
from manyhot.kernels.hinges import ROW
from manyhot.kernels.pairs import pair_sums


class LogisticPairs(torch.autograd.Function):
    """(positives,) summed weight log(1 + exp(z_n - z_p)) over the plain negatives n of the row, float64.

    The order is that of `SparseCells.positive_index`. Second comes (rows,) 0, or NaN where a known logit is
    not finite, through which no gradient passes.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, cells: SparseCells, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        """Sums of every positive."""
        ctx.save_for_backward(z)
        ctx.arguments, ctx.work = (cells, weight), _Work(z.detach().contiguous(), cells, weight)
        costs, seen = (torch.from_numpy(found) for found in ctx.work.sums())
        ctx.mark_non_differentiable(seen)
        return costs, seen

    @staticmethod
    def backward(ctx: Any, of_sums: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """A negative gains its share in every pair; the positive loses the shares of all of its pairs."""
        if torch.is_grad_enabled():
            (z,) = ctx.saved_tensors
            with torch.enable_grad():
                (gradient,) = torch.autograd.grad(
                    plain_pairs(z, *ctx.arguments), z, of_sums, create_graph=True
                )
            return gradient, None, None
        slopes, lost = ctx.work.slopes(np.ascontiguousarray(of_sums.numpy(), np.float64))
        gradient, cells = torch.from_numpy(slopes), ctx.arguments[0]
        gradient[cells.positive_index] = torch.from_numpy(lost).to(gradient.dtype)
        if cells.unknown_index is not None:
            gradient[cells.unknown_index] = 0
        return gradient, None, None


def plain_pairs(z: Tensor, cells: SparseCells, weight: Tensor | None) -> Tensor:
    """The sums in differentiable torch."""
    mass = torch.ones_like(z) if weight is None else weight.to(z.dtype).expand(z.shape).clone()
    mass[cells.positive_index] = 0
    if cells.unknown_index is not None:
        mass[cells.unknown_index] = 0
        z = z.index_put(cells.unknown_index, z.new_zeros(()))
    here = cells.positive_index
    return pair_sums(words.softplus, z, mass, here[0], z[here]).double()


class _Work:
    """The arrays of one call."""

    def __init__(self, z: Tensor, cells: SparseCells, weight: Tensor | None) -> None:
        from manyhot.kernels.numba_engine import integers  # Numba is imported when there is work for it

        self.z, self.kind = z.numpy(), np.float64 if z.dtype == torch.float64 else np.float32
        self.starts, self.labels = integers(cells.starts), integers(cells.labels)
        hidden = cells.unknown_starts is not None
        self.hidden_starts = integers(cells.unknown_starts) if hidden else np.zeros_like(self.starts)
        self.hidden_labels = integers(cells.unknown_labels) if hidden else np.empty(0, np.int32)
        self.weights = np.empty(0, self.kind)
        if weight is not None:
            self.weights = np.ascontiguousarray(weight.numpy(), self.kind)

    def sums(self) -> tuple[Any, Any]:
        """(positives,) costs, and (rows,) NaN for every row that holds what is not finite."""
        costs, seen = np.zeros(len(self.labels)), np.empty(len(self.z))
        self._run("sums", lambda rows: (costs, seen[rows]))
        return costs, seen

    def slopes(self, pull: Any) -> tuple[Any, Any]:
        """(rows, labels) gradient of the negatives, and (positives,) of the positives."""
        out, lost = np.zeros_like(self.z), np.zeros(len(self.labels))
        self._run("slopes", lambda rows: (out[rows], pull, lost))
        return out, lost

    def _run(self, kernel: str, results: Any) -> None:
        from manyhot.kernels.pool import over_rows

        function = getattr(_kernels(np.dtype(self.kind).name), kernel)

        def run(first: int, last: int) -> None:
            rows, ends = slice(first, last), slice(first, last + 1)
            function(
                self.z[rows], self.starts[ends], self.labels, self.hidden_starts[ends], self.hidden_labels,
                self.weights, *results(rows),
            )  # fmt: skip

        over_rows(run, len(self.z), self.z.size)


@cache
def _kernels(kind: str) -> Any:
    from manyhot.kernels.numba_source import load

    return load(ROW + SOURCE, kind)


SOURCE = """

@whole
def sums(z, starts, labels, hidden_starts, hidden_labels, weights, costs, seen):
    row = np.empty(z.shape[1], real)
    for i in range(z.shape[0]):
        first, last = starts[i], starts[i + 1]
        h, h_end = hidden_starts[i], hidden_starts[i + 1]
        seen[i] = 0.0 if prepared(row, z[i], labels, first, last, hidden_labels, h, h_end) else np.nan
        if first == last:
            continue
        for c in range(0, row.shape[0], chunk):
            own = row[c : c + chunk]
            for p in range(first, last):
                bound, cost = z[i, labels[p]], real(0)
                if weights.shape[0]:
                    weight = weights[c : c + chunk]
                    for j in range(own.shape[0]):
                        cost += weight[j] * softplus(own[j] - bound)
                else:
                    for j in range(own.shape[0]):
                        cost += softplus(own[j] - bound)
                costs[p] += cost


@whole
def slopes(z, starts, labels, hidden_starts, hidden_labels, weights, out, pull, lost):
    row = np.empty(z.shape[1], real)
    for i in range(z.shape[0]):
        first, last, slope = starts[i], starts[i + 1], out[i]
        if first == last:
            continue
        prepared(row, z[i], labels, first, last, hidden_labels, hidden_starts[i], hidden_starts[i + 1])
        for c in range(0, row.shape[0], chunk):
            own, part_slope = row[c : c + chunk], slope[c : c + chunk]
            for p in range(first, last):
                bound, gain, moved = z[i, labels[p]], real(pull[p]), real(0)
                if weights.shape[0]:
                    weight = weights[c : c + chunk]
                    for j in range(own.shape[0]):
                        share = gain * weight[j] * sigmoid(own[j] - bound)
                        part_slope[j] += share
                        moved += share
                else:
                    for j in range(own.shape[0]):
                        share = gain * sigmoid(own[j] - bound)
                        part_slope[j] += share
                        moved += share
                lost[p] -= moved
"""
