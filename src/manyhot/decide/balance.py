"""Cuts for a macro goal that do not give up the micro one: a joint objective, and how to weigh it.

Tuned label by label, rare labels are assigned so freely that the pooled figure falls below that of one global
cut. The joint objective is (1 - weight) macro + weight micro; the least weight is taken with which
cross-validation shows no such loss.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.decide.folds import Fold, FoldedPoints
from manyhot.decide.goals import FBeta, Goal
from manyhot.decide.points import OperatingPoints, label_masses, lie_on
from manyhot.decide.scores import RowWeight, ScoreMatrix, row_numbers
from manyhot.decide.shrinkage import Counts, common_grid, shrunk_counts
from manyhot.labels import Targets

# Not up to 1: the last tenth buys next to no micro figure, and gives rare labels up altogether.
WEIGHTS = tuple(np.linspace(0.0, 0.9, 10))
FOLDS = 3
ROUNDS = 100  # Dinkelbach's iteration converges superlinearly; five or six rounds are usual


def balanced_points(
    points: OperatingPoints, counts: Counts, goal: Goal, weight: float, tolerance: float = 0.0
) -> NDArray[np.int64]:
    """Index of each label's point, (labels,), together best for the weighted mean of macro and micro.

    The micro part is linear in the counts for a given ratio, so labels separate, and the ratio is iterated
    (Dinkelbach, Management Science 13(7), 1967). With weight 1 and no borrowed counts this is the exact joint
    optimum of micro F-beta, and of micro Jaccard, which is a rising function of F1.

    Args:
        points: of all labels.
        counts: to choose by.
        goal: macro or micro F-beta or Jaccard.
        weight: of the micro figure, in [0, 1].
        tolerance: standard errors within which the middle of the points is taken (`OperatingPoints.central`);
            0 is the best point.
    """
    from manyhot.kernels.joint_cuts import best_points

    square = _square(goal)
    spread, positives = points.labels, points.positives.sum()
    # borrowed positives say how a label's own ones behave, they do not add to them
    own = (np.maximum(points.positives, 0.5) / np.maximum(counts.positives[points.starts[:-1]], 0.5))[spread]
    tp, assigned = counts.tp * own, (counts.tp + counts.fp) * own
    macro = (1 - weight) * counts.value(goal) / len(points.positives)
    scale = weight / max((1 + square) * positives, 1)
    gain, cost = scale * (1 + square) * tp, scale * assigned
    ratio, chosen = -1.0, points.starts[:-1].copy()
    for _ in range(ROUNDS):
        reached = (1 + square) * tp[chosen].sum() / max(assigned[chosen].sum() + square * positives, 1)
        if abs(reached - ratio) < 1e-9:
            break
        ratio = reached
        best_points(macro, gain, cost, ratio, points.starts, chosen)
        if weight == 0:
            break
    if not tolerance:
        return chosen
    # an error of the figure is so many of the label's positives found or missed
    error = counts.error(goal, points.starts)
    error *= (1 - weight) / len(error) + scale * (1 + square) * np.maximum(points.positives, 0.5)
    return points.central(macro + gain - ratio * cost, tolerance * error)


def weighed_points(
    scores: ScoreMatrix,
    targets: Targets,
    goal: Goal,
    strength: float,
    tolerance: float,
    row_weight: RowWeight = None,
) -> tuple[OperatingPoints, Counts, float]:
    """The operating points of all rows, the counts to choose among them by, and the least weight that holds.

    The least weight is that whose micro figure on held-out rows is not below that of one cut for all labels;
    the one of `WEIGHTS` with the highest micro figure where none is, and 0 with too few rows to hold any out.
    Equal score rows share a fold: so a row that is there twice is as good as one of weight 2.
    The one cut is the best of those that labels are compared at, the quantiles of all positives' scores.

    Args:
        scores: (rows, labels).
        targets: of the same shape.
        goal: macro F-beta or Jaccard.
        strength: of the shrinkage, see `shrunk_counts`.
        tolerance: that the cuts will be chosen with, see `balanced_points`.
        row_weight: (rows,).
    """
    targets = targets.harden()
    grid = common_grid(scores, targets, row_weight)
    rows, fold = _fold_of_rows(scores)
    folds: list[Fold] = [
        (scores[index], targets.rows(index), None if row_weight is None else row_weight[index])
        for index in (np.flatnonzero(fold == k) for k in range(FOLDS))
    ]
    folded = FoldedPoints.of(folds, grid)
    points = folded.without()
    counts = shrunk_counts(points, grid, strength)
    if rows < 2 * FOLDS:
        return points, counts, 0.0
    square = _square(goal)
    counted = np.zeros((len(WEIGHTS) + 1, 2))
    for held, outside in enumerate(folds):
        inside = folded.without(held)
        borrowed = shrunk_counts(inside, grid, strength)
        cuts = [
            inside.middle(balanced_points(inside, borrowed, goal, weight, tolerance)) for weight in WEIGHTS
        ]
        everywhere = np.full(targets.width, _best_on_grid(inside, grid, square))
        counted += count_assigned(*outside[:2], [*cuts, everywhere], outside[2])
    total = counted[:, 0] + counted[:, 1] + square * label_masses(targets, row_weight)[0].sum()
    figures = (1 + square) * counted[:, 0] / np.maximum(total, 1)
    return points, counts, _crossing(figures[:-1], figures[-1])


def _fold_of_rows(scores: ScoreMatrix) -> tuple[int, NDArray[np.int64]]:
    """Number of different score rows, and the fold of each row."""
    from manyhot.kernels.row_digests import row_digests

    _, first, row = np.unique(row_digests(scores), return_index=True, return_inverse=True)
    in_order = np.argsort(np.argsort(first))[row]
    return len(first), np.random.default_rng(0).permutation(len(first))[in_order] % FOLDS


def _best_on_grid(points: OperatingPoints, grid: NDArray[np.float64], square: float) -> float:
    """The one cut of the grid, for all labels, with the best micro F-beta."""
    if not len(grid):
        return np.inf
    place = np.flatnonzero(lie_on(grid, points.cuts)).reshape(-1, len(grid))
    tp, fp = (counts[place].sum(axis=0) for counts in (points.tp, points.fp))
    return float(grid[np.argmax(tp / np.maximum(tp + fp + square * points.positives.sum(), 1))])


def _crossing(figures: NDArray[np.float64], wanted: float) -> float:
    """Where the figures (weights,) first reach what is wanted, between two weights by a straight line."""
    enough = np.flatnonzero(figures >= wanted)
    if not len(enough):
        return WEIGHTS[int(np.argmax(figures))]
    k = int(enough[0])
    if k == 0:
        return WEIGHTS[0]
    part = (wanted - figures[k - 1]) / (figures[k] - figures[k - 1])
    return float(WEIGHTS[k - 1] + part * (WEIGHTS[k] - WEIGHTS[k - 1]))


def count_assigned(
    scores: ScoreMatrix, targets: Targets, choices: list[NDArray[np.float64]], weight: RowWeight = None
) -> NDArray[np.float64]:
    """(choices, 2): true and false positives of each vector of cuts (labels,), over known cells."""
    hits = _stored(scores, targets.positives, weight)
    hidden = None if targets.unknown is None else _stored(scores, targets.unknown, weight)
    everything = None
    if isinstance(scores, csr_array):
        everything = (scores.data, scores.indices, None if weight is None else weight[row_numbers(scores)])
    counted = np.zeros((len(choices), 2))
    for k, cuts in enumerate(choices):
        tp = _reached(*hits, cuts)
        near = cuts.astype(scores.dtype)
        if everything is not None:
            assigned = _reached(*everything, near)
        elif weight is None:
            assigned = np.count_nonzero(scores >= near)
        else:
            assigned = np.count_nonzero(scores >= near, axis=1) @ weight
        if hidden is not None:
            assigned -= _reached(*hidden, cuts)
        counted[k] = tp, assigned - tp
    return counted


def _reached(values: NDArray, columns: NDArray, mass: RowWeight, cuts: NDArray) -> float:
    """Number of the cells whose score reaches their label's cut, or their weight."""
    reached = values >= cuts[columns]
    return float(np.count_nonzero(reached) if mass is None else mass[reached].sum())


def _stored(scores: ScoreMatrix, cells: csr_array, weight: RowWeight) -> tuple[NDArray, NDArray, RowWeight]:
    """Scores, labels and weights of those of the cells that have a score."""
    from manyhot.kernels.pooled import cell_values

    values, found = cell_values(scores, cells)
    mass = None if weight is None else np.repeat(weight, np.diff(cells.indptr))[found]
    return values[found], cells.indices[found], mass


def _square(goal: Goal) -> float:
    return goal.beta**2 if isinstance(goal, FBeta) else 1.0
