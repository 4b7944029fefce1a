"""The CPU kernel of `TwoWay`: the exponential of a plain negative serves its row and its label alike.

One pass writes the exponentials and adds them up by rows and by labels; what follows of the sums is small; a
second pass scales each exponential by a number of its row and one of its label. No batch is transposed. This
holds while no logit is far from 0, so that nothing need be taken off before the exponential.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyhot.kernels.both_ways import Ways
from manyhot.kernels.cells import SparseCells
from manyhot.kernels.memory import room_like
from manyhot.kernels.numba_engine import integers
from manyhot.kernels.numba_source import CHUNK, NEAR, SEEN, SIZE, hide, load
from manyhot.kernels.pool import over_rows
from manyhot.kernels.reduction import scale_of

GROUP = 64  # rows whose exponentials are added up in single precision, by label

Array = NDArray[Any]


def total(
    z: Tensor, cells: SparseCells, ways: Ways, reduction: str, want_slopes: bool
) -> tuple[Tensor, Tensor | None] | None:
    """Reduced cost and its derivative by every logit; None where a logit is far from 0 or not finite.

    Args:
        z: (rows, labels) float32 or float64, contiguous.
        cells: hard targets, without weights of cells.
        ways: temperatures and weights.
        reduction: mean (over sets with positives), batchmean or sum.
        want_slopes: also write the derivative.
    """
    work = _Work(z, cells, ways)
    if not work.add_up():
        return None
    rows, labels = work.row_costs(reduction), work.label_costs(reduction)
    cost = torch.tensor(rows.cost + labels.cost, dtype=z.dtype)
    return cost, work.slopes(rows, labels) if want_slopes else None


@dataclass(frozen=True)
class _Sets:
    """Costs of the rows, or of the labels.

    Args:
        cost: of all, reduced.
        of_negatives: (sets,) what an exponential of a negative is multiplied with in the gradient.
        of_positives: (sets,) the same of a positive.
    """

    cost: float
    of_negatives: Array
    of_positives: Array


class _Work:
    def __init__(self, z: Tensor, cells: SparseCells, ways: Ways) -> None:
        self.kind: Any = np.float64 if z.dtype == torch.float64 else np.float32
        self.z, self.ways, self.size = z.numpy(), ways, z.shape
        self.starts, self.labels = integers(cells.starts), integers(cells.labels)
        self.hidden_starts, self.hidden_labels = np.zeros(len(z) + 1, np.int32), np.empty(0, np.int32)
        if cells.unknown_starts is not None:
            self.hidden_starts = integers(cells.unknown_starts)
            self.hidden_labels = integers(cells.unknown_labels)
        width = z.shape[1]
        self.row_weight = _reals(cells.row_weight, len(z))
        self.up, self.down = _reals(ways.positive_weight, width), _reals(ways.negative_weight, width)
        self.exponentials = room_like(z)
        self.positive_rows = np.repeat(np.arange(len(z)), np.diff(self.starts))
        own = self.z[self.positive_rows, self.labels].astype(np.float64)
        self.far = bool((np.abs(own) > NEAR * ways.temperature_pos).any() or not np.isfinite(own).all())
        self.own = np.exp(-np.clip(own, -1e300, 1e300) / ways.temperature_pos) if not self.far else own

    def add_up(self) -> bool:
        """Sums of rows and labels; False where a logit is far from 0."""
        if self.far:
            return False
        rows, width = self.size
        groups = -(-rows // GROUP)
        self.row_sums, by_group = np.zeros(rows), np.zeros((groups, width))
        kernel, out = _kernels(np.dtype(self.kind).name).add_up, self.exponentials.numpy()
        sharp, near = self.kind(1 / self.ways.temperature_neg), self.kind(NEAR * self.ways.temperature_neg)
        down, weight = self.down.astype(self.kind), self.row_weight.astype(self.kind)

        def run(first: int, last: int) -> bool:
            part, ends = slice(first, last), slice(first, last + 1)
            return kernel(
                self.z[part], out[part], self.starts[ends], self.labels, self.hidden_starts[ends],
                self.hidden_labels, weight[part], down, sharp, near, self.row_sums[part],
                by_group[first // GROUP : -(-last // GROUP)],
            )  # fmt: skip

        if not all(over_rows(run, rows, self.z.size, GROUP)):
            return False
        self.label_sums = by_group.sum(axis=0)
        return True

    def row_costs(self, reduction: str) -> _Sets:
        """Each row's positives against its negatives."""
        mass = np.bincount(self.positive_rows, self.up[self.labels], minlength=self.size[0])
        positives = np.bincount(self.positive_rows, self.up[self.labels] * self.own, minlength=self.size[0])
        return self._sets(positives, self.row_sums, mass > 0, self.row_weight, reduction)

    def label_costs(self, reduction: str) -> _Sets:
        """Each label's positives against its negatives, over the batch."""
        weight = self.row_weight[self.positive_rows]
        mass = np.bincount(self.labels, weight, minlength=self.size[1])
        positives = np.bincount(self.labels, weight * self.own, minlength=self.size[1])
        return self._sets(positives, self.label_sums, mass > 0, self.up, reduction)

    def slopes(self, rows: _Sets, labels: _Sets) -> Tensor:
        """The exponentials, scaled; the positives apart."""
        out = self.exponentials.numpy()
        scale = _kernels(np.dtype(self.kind).name).scale
        by_row = np.stack([rows.of_negatives, self.row_weight], axis=1).astype(self.kind)
        by_label = np.stack([self.down, labels.of_negatives]).astype(self.kind)
        over_rows(lambda first, last: scale(out[first:last], by_row[first:last], by_label), *self.size_of())
        weight = self.row_weight[self.positive_rows]
        pulled = self.up[self.labels] * rows.of_positives[self.positive_rows]
        pulled += weight * labels.of_positives[self.labels]
        out[self.positive_rows, self.labels] = -self.own * pulled
        return self.exponentials

    def size_of(self) -> tuple[int, int]:
        """Rows and cells."""
        return self.size[0], self.z.size

    def _sets(
        self, positives: Array, negatives: Array, counted: Array, weight: Array, reduction: str
    ) -> _Sets:
        hot, cold = self.ways.temperature_pos, self.ways.temperature_neg
        some = counted & (positives > 0) & (negatives > 0)
        inside = np.full(len(counted), -np.inf)
        inside[some] = hot * np.log(positives[some]) + cold * np.log(negatives[some])
        scale = float(scale_of(reduction, self.size[0], int(counted.sum())))
        share = np.where(some, weight, 0.0) * scale / (1 + np.exp(-np.where(some, inside, 0.0)))
        safe = np.where(some, [positives, negatives], 1.0)
        cost = float((weight * np.logaddexp(0, inside)).sum()) * scale
        return _Sets(cost, of_negatives=share / safe[1], of_positives=share / safe[0])


def _reals(tensor: Tensor | None, size: int) -> Array:
    return np.ones(size) if tensor is None else tensor.detach().numpy().astype(np.float64)


@cache
def _kernels(kind: str) -> Any:
    source = SOURCE.format(group=GROUP, chunk=CHUNK, hide=hide(16))
    return load("\n\n".join([SIZE, SEEN, source]), kind)


SOURCE = """
@whole
def add_up(z, out, starts, labels, hidden_starts, hidden_labels, row_weight, down, sharp, near,
           row_sums, by_group):
    wide_vectors()
    rows, width = z.shape
    largest, of_labels = sign_bit, np.empty(width, real)
    mask, hiding = np.empty({chunk}, size_of), True
    for a in range(0, rows, {group}):
        for j in range(width):
            of_labels[j] = real(0)
        for i in range(a, min(a + {group}, rows)):
            line, out_line, weight, total = z[i], out[i], row_weight[i], 0.0
            k, h = starts[i], hidden_starts[i]
            for c in range(0, width, {chunk}):
                given = line[c : c + {chunk}]
                last = c + given.shape[0]
                own, w, by_label = out_line[c:last], down[c:last], of_labels[c:last]{hide}
                summed = real(0)
                for j in range(own.shape[0]):
                    largest = max(largest, size(of_bits(bits(given[j]) & mask[j])))
                    e = exp(seen(given[j], mask[j]) * sharp)
                    summed += w[j] * e
                    by_label[j] += weight * e
                    own[j] = e
                total += summed
            row_sums[i] = total
        for j in range(width):
            by_group[a // {group}, j] = of_labels[j]
    return largest <= size(near)


@whole
def scale(out, by_row, by_label):
    wide_vectors()
    for i in range(out.shape[0]):
        line, row, weight = out[i], by_row[i, 0], by_row[i, 1]
        own, other = by_label[0], by_label[1]
        for j in range(line.shape[0]):
            line[j] *= row * own[j] + weight * other[j]
"""
