"""The four counts that every set metric is a function of."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.labels import Targets

Numbers: TypeAlias = NDArray[np.float64]
Sparse: TypeAlias = Any  # csr_array, whose annotations know neither its shape nor its arrays


@dataclass(frozen=True)
class Counts:
    """True and false positives and negatives: float64 arrays of one shape.

    Shape (labels,) for a label's cells, (rows,) for a row's, () when pooled; bootstrap replicates add a
    trailing axis. Numbers of cells, or sums of row weights. Two of one shape add up, which joins batches.
    """

    tp: Numbers
    fp: Numbers
    fn: Numbers
    tn: Numbers

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    def pooled(self) -> "Counts":
        """One cell population out of all labels: a metric of this is the micro average."""
        return Counts(self.tp.sum(0), self.fp.sum(0), self.fn.sum(0), self.tn.sum(0))

    def columns(self, index: Any) -> "Counts":
        """Counts of some labels only."""
        return Counts(self.tp[index], self.fp[index], self.fn[index], self.tn[index])

    @property
    def positive(self) -> Numbers:
        """Cells that are positive."""
        return self.tp + self.fn

    @property
    def known(self) -> Numbers:
        """Cells that are known."""
        return self.tp + self.fp + self.fn + self.tn

    @classmethod
    def from_sums(cls, hits: Numbers, predicted: Numbers, positive: Numbers, known: Numbers) -> "Counts":
        """Counts from what is easy to sum: hits, decided cells, positive cells, known cells."""
        fp, fn = predicted - hits, positive - hits
        return cls(hits, fp, fn, known - hits - fp - fn)


@dataclass(frozen=True)
class Overlap:
    """Decisions laid over targets, as sparse patterns from which all counts are sums.

    Attributes:
        hits: cells decided and positive.
        decided: known cells decided.
        positive: positive cells.
        unknown: unknown cells, None if there are none.
    """

    hits: Sparse
    decided: Sparse
    positive: Sparse
    unknown: Sparse | None

    @classmethod
    def of(cls, targets: Targets, decisions: Targets) -> "Overlap":
        """Lay decisions over hard targets of the same shape."""
        positive, decided = _ones(targets.positives), _ones(decisions.positives)
        unknown = None if targets.unknown is None else _ones(targets.unknown)
        if unknown is not None:
            decided = csr_array(decided - decided.multiply(unknown))
            decided.eliminate_zeros()
        return cls(csr_array(positive.multiply(decided)), decided, positive, unknown)

    def by_label(self, weight: Numbers) -> Counts:
        """Counts (labels,), or (labels, replicates) for row weights (rows, replicates)."""
        return Counts.from_sums(
            column_sums(self.hits, weight),
            column_sums(self.decided, weight),
            column_sums(self.positive, weight),
            _label_known(self.positive.shape[1], self.unknown, weight),
        )

    def by_row(self) -> Counts:
        """Counts (rows,), unweighted."""
        parts = (self.hits, self.decided, self.positive)
        known = _row_known(self.positive.shape, self.unknown)
        hits, decided, positive = (np.diff(part.indptr).astype(np.float64) for part in parts)
        return Counts.from_sums(hits, decided, positive, known)


def _ones(matrix: Sparse) -> Sparse:
    return csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)


def column_sums(pattern: Sparse, weight: Numbers) -> Numbers:
    """Sum of the weights of the rows stored in each column."""
    if weight.ndim == 1:
        rows = np.repeat(weight, np.diff(pattern.indptr))
        return np.bincount(pattern.indices, rows, minlength=pattern.shape[1]).astype(np.float64)
    return pattern.T @ weight


def row_sums(values: Numbers, starts: NDArray[Any]) -> Numbers:
    """Sum of every row's values, (rows,), where row i owns values[starts[i]:starts[i + 1]]."""
    upto = np.concatenate([[0.0], np.cumsum(values)])
    return upto[starts[1:]] - upto[starts[:-1]]


def label_known(targets: Targets, weight: Numbers) -> Numbers:
    """Known mass of every label, (labels,) or (labels, replicates)."""
    return _label_known(targets.width, targets.unknown, weight)


def _label_known(labels: int, unknown: Sparse | None, weight: Numbers) -> Numbers:
    everything = np.broadcast_to(weight.sum(0), (labels, *weight.shape[1:]))
    return everything.copy() if unknown is None else everything - column_sums(unknown, weight)


def row_known(targets: Targets) -> Numbers:
    """Known cells of every row, (rows,)."""
    return _row_known(targets.shape, targets.unknown)


def _row_known(shape: tuple[int, int], unknown: Sparse | None) -> Numbers:
    rows, labels = shape
    hidden = 0 if unknown is None else np.diff(unknown.indptr)
    return np.full(rows, labels, np.float64) - hidden
