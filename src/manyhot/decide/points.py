"""Where a label can be cut, and what each cut would count: the exact sweep that all cut rules share.

A measure that falls with every further false positive is best just below a positive, so the cuts worth
trying are the scores of the positives. There are as many of them as positives, not as cells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from manyhot.decide.scores import ScoreMatrix, shape_of
from manyhot.errors import ShapeError
from manyhot.kernels.threads import spread
from manyhot.labels import Targets

NONE = np.zeros(0)
BLOCK_CELLS = 4_000_000  # cells that are transposed and sorted at a time: 16 MB of float32


@dataclass(frozen=True)
class OperatingPoints:
    """All labels' candidate cuts, highest first, the first of each label being "never" (+inf).

    Label j owns the points starts[j]:starts[j + 1]; a cut assigns where score >= cut.

    Attributes:
        cuts: (points,) float64, strictly falling within a label.
        below: (points,) the next lower known score or candidate cut; any cut in (below, cuts] counts the
            same. -inf where there is none.
        tp, fp: (points,) int64, what the cut assigns rightly and wrongly, over known cells.
        starts: (labels + 1,).
        positives, negatives: (labels,) known cells of each kind.
    """

    cuts: NDArray[np.float64]
    below: NDArray[np.float64]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    starts: NDArray[np.int64]
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]

    @property
    def labels(self) -> NDArray[np.int64]:
        """(points,) the label that each point belongs to."""
        return np.repeat(np.arange(len(self.positives)), np.diff(self.starts))

    def best(self, value: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of each label's highest value (points,); of equals the one that assigns least."""
        top = np.maximum.reduceat(value, self.starts[:-1])
        places = np.where(value == np.repeat(top, np.diff(self.starts)), np.arange(len(value)), len(value))
        return np.minimum.reduceat(places, self.starts[:-1])

    def middle(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """The cut half way between a point's score and the next lower one, which counts the same."""
        cuts, below = self.cuts[index], self.below[index]
        middle = cuts.copy()
        gap = np.isfinite(cuts) & np.isfinite(below)
        middle[gap] = below[gap] + (cuts[gap] - below[gap]) / 2
        return middle


def operating_points(
    scores: ScoreMatrix, targets: Targets, grid: NDArray[np.float64] | None = None
) -> OperatingPoints:
    """Sort every label once and count at the score of each positive. O(cells log rows).

    Args:
        scores: (rows, labels).
        targets: of the same shape.
        grid: further cuts, (cuts,), that every label gets a point at.

    Soft targets count as positive from 0.5. A positive that is absent from CSR scores, or has score -inf,
    can never be assigned; it stays in `positives`.

    Raises:
        ShapeError: scores and targets differ in shape.
    """
    if scores.shape != targets.shape:
        raise ShapeError(
            f"expected equal shapes (rows, labels), got scores {scores.shape}, targets {targets.shape}"
        )
    if targets.is_soft:
        targets = targets.harden(0.5)
    extra = NONE if grid is None else grid
    parts = [_label_points(known, positive, extra) for known, positive in sorted_labels(scores, targets)]
    sizes = np.array([len(part[0]) for part in parts], np.int64)
    cuts, below, tp, fp = (
        np.concatenate([part[k] for part in parts]) if parts else np.zeros(0) for k in range(4)
    )
    positives = targets.label_counts().astype(np.int64)
    return OperatingPoints(
        cuts.astype(np.float64),
        below.astype(np.float64),
        tp.astype(np.int64),
        fp.astype(np.int64),
        np.concatenate([[0], np.cumsum(sizes)]),
        positives,
        targets.known_counts() - positives,
    )


def positive_scores(scores: ScoreMatrix, targets: Targets) -> NDArray[np.floating[Any]]:
    """The finite scores of all positives (of soft targets: at least 0.5), in no order."""
    from manyhot.kernels.pooled import cell_values

    cells = targets.harden(0.5).positives if targets.is_soft else targets.positives
    values, found = cell_values(scores, cells)
    return values[found & (values > -np.inf)]


def _label_points(known: NDArray, positive: NDArray, extra: NDArray) -> tuple[NDArray, ...]:
    """Points of one label from its sorted known scores and its sorted positive scores (both ascending)."""
    cuts = candidate_cuts([positive], extra)
    lower, tp, fp = counts_at(cuts, known, positive)
    following = np.append(cuts[1:], -np.inf)[: len(cuts)]
    return cuts, np.maximum(lower, following), tp, fp


def candidate_cuts(positives: Sequence[NDArray], extra: NDArray) -> NDArray:
    """Falling distinct cuts, the first +inf: the scores of positives, and further ones."""
    cuts = np.concatenate([*positives, extra.astype(positives[0].dtype), [np.inf]], dtype=positives[0].dtype)
    cuts.sort()
    return cuts[np.concatenate([cuts[1:] != cuts[:-1], [True]])][::-1]


def lie_on(grid: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the cuts are cuts of the grid, which falls."""
    if not len(grid):
        return np.zeros(len(cuts), bool)
    place = np.searchsorted(-grid, -cuts)
    return grid[np.minimum(place, len(grid) - 1)] == cuts


def counts_at(cuts: NDArray, known: NDArray, positive: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """The next lower known score of each cut, and what the cut assigns rightly and wrongly."""
    first = np.searchsorted(known, cuts)
    tp = len(positive) - np.searchsorted(positive, cuts)
    lower = np.concatenate([[-np.inf], known], dtype=known.dtype)[first]
    return lower, tp, len(known) - first - tp


def sorted_labels(scores: ScoreMatrix, targets: Targets) -> Iterator[tuple[NDArray, NDArray]]:
    """Of each label: all known finite scores, and those of its positives, ascending."""
    positives = csc_array(targets.positives)
    unknown = None if targets.unknown is None else csc_array(targets.unknown)
    if isinstance(scores, csr_array):
        return _sparse_columns(scores, positives, unknown)
    return _dense_columns(scores, positives, unknown)


def _dense_columns(
    scores: NDArray, positives: csc_array, unknown: csc_array | None
) -> Iterator[tuple[NDArray, NDArray]]:
    rows, width = scores.shape
    step = max(1, BLOCK_CELLS // max(rows, 1))
    for begin in range(0, width, step):
        block = np.array(scores[:, begin : begin + step].T, order="C")
        own = [block[j, rows_of(positives, begin + j)] for j in range(len(block))]
        if unknown is not None:
            for j in range(len(block)):
                block[j, rows_of(unknown, begin + j)] = -np.inf
        spread(lambda low, high, block=block: block[low:high].sort(axis=1), len(block))
        for known, positive in zip(block, own, strict=True):
            finite = np.searchsorted(known, -np.inf, side="right")
            yield known[finite:], np.sort(positive[positive > -np.inf])


def _sparse_columns(
    scores: csr_array, positives: csc_array, unknown: csc_array | None
) -> Iterator[tuple[NDArray, NDArray]]:
    columns = csc_array(scores)
    height, width = shape_of(scores)
    mark = np.zeros(height, np.int8)
    for j in range(width):
        rows = rows_of(columns, j)
        values = columns.data[columns.indptr[j] : columns.indptr[j + 1]]
        mark[rows_of(positives, j)] = 1
        if unknown is not None:
            mark[rows_of(unknown, j)] = 2
        kind = np.where(values > -np.inf, mark[rows], 2)
        mark[:] = 0
        yield np.sort(values[kind < 2]), np.sort(values[kind == 1])


def rows_of(matrix: csc_array, label: int) -> NDArray:
    """The rows stored in one label's column."""
    return matrix.indices[matrix.indptr[label] : matrix.indptr[label + 1]]
