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

from manyhot.decide.scores import RowWeight, ScoreMatrix, shape_of
from manyhot.errors import ShapeError
from manyhot.kernels.threads import spread
from manyhot.labels import Targets
from manyhot.metrics.counts import column_sums, label_known

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
        tp, fp: (points,) float64, what the cut assigns rightly and wrongly, over known cells, each by its
            row's weight.
        starts: (labels + 1,).
        positives, negatives: (labels,) float64, known cells of each kind, by weight.
    """

    cuts: NDArray[np.float64]
    below: NDArray[np.float64]
    tp: NDArray[np.float64]
    fp: NDArray[np.float64]
    starts: NDArray[np.int64]
    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]

    @property
    def labels(self) -> NDArray[np.int64]:
        """(points,) the label that each point belongs to."""
        return np.repeat(np.arange(len(self.positives)), np.diff(self.starts))

    def best(self, value: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of each label's highest value (points,); of equals the one that assigns least."""
        top = np.maximum.reduceat(value, self.starts[:-1])
        places = np.where(value == np.repeat(top, np.diff(self.starts)), np.arange(len(value)), len(value))
        return np.minimum.reduceat(places, self.starts[:-1])

    def central(self, value: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of the middle one of each label's points whose value (points,) comes near the highest.

        On a few positives the highest value lies where chance put a gap, and many points are as good but for
        noise. Each counts by exp(-distance / error), the distance being that of its value from the highest,
        and of the points so weighed the median is taken. So the choice does not depend on the scores' scale.

        Args:
            value: (points,).
            error: (labels,) > 0, how far a value is off by chance.
        """
        best, label = self.best(value), self.labels
        near = np.exp((value - value[best][label]) / error[label])
        reached = np.cumsum(near)
        before = reached[self.starts[:-1]] - near[self.starts[:-1]]
        half = before + (reached[self.starts[1:] - 1] - before) / 2
        middle = np.clip(np.searchsorted(reached, half), self.starts[:-1], self.starts[1:] - 1)
        return np.where(np.isinf(self.cuts[best]), best, middle)  # never to assign is no cut among others

    def middle(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """The cut half way between a point's score and the next lower one, which counts the same."""
        cuts, below = self.cuts[index], self.below[index]
        middle = cuts.copy()
        gap = np.isfinite(cuts) & np.isfinite(below)
        middle[gap] = below[gap] + (cuts[gap] - below[gap]) / 2
        return middle


@dataclass(frozen=True)
class SortedLabel:
    """One label's known finite scores, and those of its positives, ascending.

    Attributes:
        known, positive: (cells,).
        known_mass, positive_mass: (cells + 1,) weight of the rows of all cells before each; None where rows
            count once.
    """

    known: NDArray
    positive: NDArray
    known_mass: NDArray[np.float64] | None = None
    positive_mass: NDArray[np.float64] | None = None

    def counts_at(self, cuts: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """The next lower known score of each cut, and what the cut assigns rightly and wrongly."""
        first = np.searchsorted(self.known, cuts)
        tp = _from_place(np.searchsorted(self.positive, cuts), self.positive, self.positive_mass)
        lower = np.concatenate([[-np.inf], self.known], dtype=self.known.dtype)[first]
        return lower, tp, _from_place(first, self.known, self.known_mass) - tp


def operating_points(
    scores: ScoreMatrix,
    targets: Targets,
    grid: NDArray[np.float64] | None = None,
    weight: RowWeight = None,
) -> OperatingPoints:
    """Sort every label once and count at the score of each positive. O(cells log rows).

    Args:
        scores: (rows, labels).
        targets: of the same shape.
        grid: further cuts, (cuts,), that every label gets a point at.
        weight: (rows,).

    Soft targets count as positive from 0.5. A positive that is absent from CSR scores, or has score -inf,
    can never be assigned; it stays in `positives`.

    Raises:
        ShapeError: scores and targets differ in shape.
    """
    if scores.shape != targets.shape:
        raise ShapeError(
            f"expected equal shapes (rows, labels), got scores {scores.shape}, targets {targets.shape}"
        )
    targets = targets.harden()
    extra = NONE if grid is None else grid
    parts = [_label_points(label, extra) for label in sorted_labels(scores, targets, weight)]
    sizes = np.array([len(part[0]) for part in parts], np.int64)
    cuts, below, tp, fp = (
        np.concatenate([part[k] for part in parts]).astype(np.float64) if parts else np.zeros(0)
        for k in range(4)
    )
    positives, known = label_masses(targets, weight)
    return OperatingPoints(
        cuts, below, tp, fp, np.concatenate([[0], np.cumsum(sizes)]), positives, known - positives
    )


def label_masses(targets: Targets, weight: RowWeight) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight of the rows where each label is positive, and where it is known, (labels,) each."""
    rows = np.ones(len(targets)) if weight is None else weight
    return column_sums(targets.positives, rows), label_known(targets, rows)


def positive_scores(
    scores: ScoreMatrix, targets: Targets, weight: RowWeight = None
) -> tuple[NDArray[np.floating[Any]], RowWeight]:
    """The finite scores of all positives (of soft targets: at least 0.5), in no order, and their weights."""
    from manyhot.kernels.pooled import cell_values

    cells = targets.harden().positives
    values, found = cell_values(scores, cells)
    kept = found & (values > -np.inf)
    return values[kept], None if weight is None else np.repeat(weight, np.diff(cells.indptr))[kept]


def quantiles(values: NDArray, weight: RowWeight, levels: NDArray[np.float64]) -> NDArray:
    """The least value that each share of the mass does not exceed; every one is a value that there is."""
    if weight is None:
        return np.quantile(values, levels, method="inverted_cdf")
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weight[order])
    return values[order][np.minimum(np.searchsorted(mass, levels * mass[-1]), len(values) - 1)]


def _label_points(label: SortedLabel, extra: NDArray) -> tuple[NDArray, ...]:
    cuts = candidate_cuts([label.positive], extra)
    lower, tp, fp = label.counts_at(cuts)
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


def _from_place(first: NDArray[np.intp], values: NDArray, mass: NDArray[np.float64] | None) -> NDArray:
    """Mass of the values from each place to the end."""
    return len(values) - first if mass is None else mass[-1] - mass[first]


def sorted_labels(scores: ScoreMatrix, targets: Targets, weight: RowWeight = None) -> Iterator[SortedLabel]:
    """Every label's known finite scores, and those of its positives."""
    positives = csc_array(targets.positives)
    unknown = None if targets.unknown is None else csc_array(targets.unknown)
    if isinstance(scores, csr_array):
        return _sparse_columns(scores, positives, unknown, weight)
    return _dense_columns(scores, positives, unknown, weight)


def _dense_columns(
    scores: NDArray, positives: csc_array, unknown: csc_array | None, weight: RowWeight
) -> Iterator[SortedLabel]:
    rows, width = scores.shape
    step = max(1, BLOCK_CELLS // max(rows, 1))
    for begin in range(0, width, step):
        block = np.array(scores[:, begin : begin + step].T, order="C")
        own = [_ascending(block[j], rows_of(positives, begin + j), weight) for j in range(len(block))]
        if unknown is not None:
            for j in range(len(block)):
                block[j, rows_of(unknown, begin + j)] = -np.inf
        if weight is not None:
            everything = np.arange(rows)
            for line, positive in zip(block, own, strict=True):
                yield _sorted_label(_ascending(line, everything, weight), positive)
            continue
        spread(lambda low, high, block=block: block[low:high].sort(axis=1), len(block))
        for known, (positive, _) in zip(block, own, strict=True):
            yield SortedLabel(known[np.searchsorted(known, -np.inf, side="right") :], positive)


def _sparse_columns(
    scores: csr_array, positives: csc_array, unknown: csc_array | None, weight: RowWeight
) -> Iterator[SortedLabel]:
    columns = csc_array(scores)
    height, width = shape_of(scores)
    mark = np.zeros(height, np.int8)
    everywhere = np.zeros(height, columns.dtype)
    for j in range(width):
        rows = rows_of(columns, j)
        everywhere[rows] = columns.data[columns.indptr[j] : columns.indptr[j + 1]]
        mark[rows_of(positives, j)] = 1
        if unknown is not None:
            mark[rows_of(unknown, j)] = 2
        kind = mark[rows]
        mark[:] = 0
        yield _sorted_label(*(_ascending(everywhere, rows[kept], weight) for kept in (kind < 2, kind == 1)))


def _ascending(line: NDArray, rows: NDArray, weight: RowWeight) -> tuple[NDArray, NDArray[np.float64] | None]:
    """The finite scores of some rows in order, and the weight of all before each."""
    values = line[rows]
    if weight is None:
        return np.sort(values[values > -np.inf]), None
    rows, values = rows[values > -np.inf], values[values > -np.inf]
    order = np.argsort(values, kind="stable")
    return values[order], np.concatenate([[0.0], np.cumsum(weight[rows[order]])])


def _sorted_label(
    known: tuple[NDArray, NDArray[np.float64] | None], positive: tuple[NDArray, NDArray[np.float64] | None]
) -> SortedLabel:
    return SortedLabel(known[0], positive[0], known[1], positive[1])


def rows_of(matrix: csc_array, label: int) -> NDArray:
    """The rows stored in one label's column."""
    return matrix.indices[matrix.indptr[label] : matrix.indptr[label + 1]]
