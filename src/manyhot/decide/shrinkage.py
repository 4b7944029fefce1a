"""Rare labels lean on labels like them: pseudo-counts from the pooled curves of labels of similar frequency.

A label with five positives cannot say where its cut should be. Labels of about its frequency together can, in
two ways: at which score a cut should lie, and how many rows should be assigned for each positive. Both are
added to the label's own counts as `strength` positives that behave like the pool's. A frequent label has
enough of its own and hardly moves. And of cuts that are equally good but for noise the middle one is taken.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyhot.decide.goals import Goal
from manyhot.decide.points import OperatingPoints, lie_on, operating_points, positive_scores, quantiles
from manyhot.decide.scores import RowWeight, ScoreMatrix
from manyhot.labels import Targets

WIDTH = 0.8  # of the kernel over log(positives): labels within a factor of about two count as alike
FINENESS = 8  # frequencies are told apart to 1/8 of an octave
GRID_SIZE = (32, 300)
GRID_POINTS = 4_000_000  # over all labels: what the grid may cost
UNSEEN = 0.5  # a label without positives is treated as if it had half a one
TOLERANCE = 0.5  # standard errors of a figure by which a cut may stay below the best and still count
RANKS = np.geomspace(0.05, 50.0, 128)  # assigned rows for each positive, at which labels are compared


@dataclass(frozen=True)
class Counts:
    """Counts at each operating point, (points,) float64, own and borrowed together."""

    tp: NDArray[np.float64]
    fp: NDArray[np.float64]
    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]

    def value(self, goal: Goal) -> NDArray[np.float64]:
        """The goal at each point."""
        return goal.value(self.tp, self.fp, self.positives, self.negatives)

    def error(self, goal: Goal, starts: NDArray[np.int64]) -> NDArray[np.float64]:
        """(labels,) standard error of each label's best figure, were it a share of the label's positives."""
        best = np.clip(np.maximum.reduceat(self.value(goal), starts[:-1]), 0.01, 0.99)
        return np.sqrt(best * (1 - best) / np.maximum(self.positives[starts[:-1]], 1.0))


def own_counts(points: OperatingPoints) -> Counts:
    """The counts as they are."""
    spread = points.labels
    return Counts(points.tp, points.fp, points.positives[spread], points.negatives[spread])


def shrunk_points(
    scores: ScoreMatrix, targets: Targets, strength: float, weight: RowWeight = None
) -> tuple[OperatingPoints, Counts]:
    """The operating points of all labels and the counts to choose among them by."""
    if strength == 0:
        points = operating_points(scores, targets, weight=weight)
        return points, own_counts(points)
    grid = common_grid(scores, targets, weight)
    points = operating_points(scores, targets, grid, weight)
    return points, shrunk_counts(points, grid, strength)


def common_grid(scores: ScoreMatrix, targets: Targets, weight: RowWeight = None) -> NDArray[np.float64]:
    """Falling cuts at which labels are compared: quantiles of all positives' scores, each a real score."""
    reached, mass = positive_scores(scores, targets, weight)
    if not len(reached):
        return np.zeros(0)
    size = int(np.clip(GRID_POINTS // max(targets.width, 1), *GRID_SIZE))
    chosen = quantiles(reached, mass, np.linspace(0, 1, size))
    return np.unique(chosen.astype(np.float64))[::-1]


def shrunk_counts(points: OperatingPoints, grid: NDArray[np.float64], strength: float) -> Counts:
    """The counts with `strength` pseudo-positives of similar labels added to each label.

    Args:
        points: of all labels, each with every cut of `grid` among its own.
        grid: (cuts,) falling.
        strength: number of pseudo-positives, half of them read off the pool at the same score, half at the
            same number of assigned rows for each positive.
    """
    own = own_counts(points)
    if strength == 0 or not points.positives.any():
        return own
    frequency = np.maximum(points.positives, UNSEEN)
    pool = _Pool(points, frequency)
    spread = points.labels
    by_score = pool.at_scores(grid)
    by_rank = pool.at_ranks((own.tp + own.fp) / frequency[spread])
    half = strength / 2
    return Counts(
        own.tp + half * (by_score[0] + by_rank[0]),
        own.fp + half * (by_score[1] + by_rank[1]),
        own.positives + strength,
        own.negatives * (1 + strength / frequency[spread]),
    )


class _Pool:
    """Curves of each label, averaged over labels of similar frequency."""

    def __init__(self, points: OperatingPoints, frequency: NDArray[np.float64]) -> None:
        self.points, self.spread = points, points.labels
        levels, self.level = np.unique(np.round(FINENESS * np.log2(frequency)), return_inverse=True)
        seen = (points.positives > 0).astype(np.float64)
        distance = (levels[:, None] - levels) * np.log(2) / FINENESS / WIDTH
        # far from all labels with positives the weights would underflow to 0/0: subtract the nearest first
        exponent = -0.5 * distance**2
        counted = np.bincount(self.level, seen, len(levels))
        exponent[:, counted == 0] = -np.inf
        kernel = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        self.kernel = kernel / (kernel @ counted)[:, None]
        self.weight = seen / frequency

    def mean(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """(labels, n) counts -> (levels, n) pooled counts for each positive."""
        summed = np.zeros((len(self.kernel), curves.shape[1]))
        np.add.at(summed, self.level, curves * self.weight[:, None])
        return self.kernel @ summed

    def at_scores(self, grid: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pooled tp and fp for each positive at every point, by the point's score."""
        points = self.points
        step = np.searchsorted(-grid, -points.cuts, side="right")  # how many grid cuts lie at or above
        on_grid = lie_on(grid, points.cuts)
        shape = (len(points.positives), len(grid))
        tp = self._padded(points.tp[on_grid].reshape(shape))
        fp = self._padded(points.fp[on_grid].reshape(shape))
        return tp[self.level[self.spread], step], fp[self.level[self.spread], step]

    def at_ranks(self, assigned: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pooled tp and fp for each positive at every point, by its assigned rows for each positive."""
        points = self.points
        # tp of label j once x rows a positive are assigned: that of its last point that assigns so few
        step = np.searchsorted(RANKS, assigned)
        reached = np.zeros((len(points.positives), len(RANKS) + 1))
        reached[self.spread, step] = points.tp  # of several points of one step the last one stays
        tp = self.mean(np.maximum.accumulate(reached, axis=1))
        found = tp[self.level[self.spread], step]
        return np.minimum(found, assigned), np.maximum(assigned - found, 0.0)

    def _padded(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        pooled = self.mean(curves)
        return np.concatenate([np.zeros((len(pooled), 1)), pooled], axis=1)
