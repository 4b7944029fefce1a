"""Cuts for a macro goal that do not give up the micro one: a joint objective, and how to weigh it.

Tuned label by label, rare labels are assigned so freely that the pooled figure falls below that of one global
cut. The joint objective is (1 - weight) macro + weight micro; the least weight is taken with which
cross-validation shows no such loss.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.decide.global_cut import best_global_cut
from manyhot.decide.goals import FBeta, Goal
from manyhot.decide.points import OperatingPoints
from manyhot.decide.scores import ScoreMatrix, absent_lowest
from manyhot.decide.shrinkage import Counts, shrunk_points
from manyhot.labels import Targets

# Not up to 1: the last tenth buys next to no micro figure, and gives rare labels up altogether.
WEIGHTS = tuple(np.linspace(0.0, 0.9, 10))
FOLDS = 3
ROUNDS = 100  # Dinkelbach's iteration converges superlinearly; five or six rounds are usual


def balanced_points(points: OperatingPoints, counts: Counts, goal: Goal, weight: float) -> NDArray[np.int64]:
    """Index of each label's point, (labels,), together best for the weighted mean of macro and micro.

    The micro part is linear in the counts for a given ratio, so labels separate, and the ratio is iterated
    (Dinkelbach, Management Science 13(7), 1967). With weight 1 and no borrowed counts this is the exact joint
    optimum of micro F-beta, and of micro Jaccard, which is a rising function of F1.
    """
    square = _square(goal)
    spread, positives = points.labels, points.positives.sum()
    # borrowed positives say how a label's own ones behave, they do not add to them
    own = np.maximum(points.positives, 0.5)[spread] / np.maximum(counts.positives, 0.5)
    tp, fp = counts.tp * own, counts.fp * own
    macro = (1 - weight) * counts.value(goal) / len(points.positives)
    scale = weight / max((1 + square) * positives, 1)
    ratio, chosen = -1.0, points.starts[:-1]
    for _ in range(ROUNDS):
        chosen_tp, chosen_fp = tp[chosen].sum(), fp[chosen].sum()
        reached = (1 + square) * chosen_tp / max(chosen_tp + chosen_fp + square * positives, 1)
        if abs(reached - ratio) < 1e-9:
            break
        ratio = reached
        chosen = points.best(macro + scale * ((1 + square) * tp - ratio * (tp + fp)))
        if weight == 0:
            break
    return chosen


def least_weight(scores: ScoreMatrix, targets: Targets, goal: Goal, strength: float) -> float:
    """The least weight whose micro figure on held-out rows is not below that of the global cut.

    The one of `WEIGHTS` with the highest micro figure where none is, and 0 with too few rows to hold any out.
    """
    rows, square = len(targets), _square(goal)
    if rows < 2 * FOLDS:
        return 0.0
    fold = np.random.default_rng(0).permutation(rows) % FOLDS
    counted = np.zeros((len(WEIGHTS) + 1, 2))
    micro = FBeta(np.sqrt(square), "micro")
    for held in range(FOLDS):
        inside, outside = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        part = targets.rows(inside)
        points, counts = shrunk_points(scores[inside], part, strength)
        everywhere = np.full(targets.width, best_global_cut(scores[inside], part, micro))
        cuts = [points.middle(balanced_points(points, counts, goal, weight)) for weight in WEIGHTS]
        counted += count_assigned(scores[outside], targets.rows(outside), [*cuts, everywhere])
    total = counted[:, 0] + counted[:, 1] + square * targets.label_counts().sum()
    figures = (1 + square) * counted[:, 0] / np.maximum(total, 1)
    return _crossing(figures[:-1], figures[-1])


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
    scores: ScoreMatrix, targets: Targets, choices: list[NDArray[np.float64]]
) -> NDArray[np.int64]:
    """(choices, 2): true and false positives of each vector of cuts (labels,), over known cells."""
    if isinstance(scores, csr_array):
        scores = absent_lowest(scores)
    hits = scores[_cells(targets.positives)]
    columns = targets.positives.indices
    hidden = None if targets.unknown is None else (scores[_cells(targets.unknown)], targets.unknown.indices)
    counted = np.zeros((len(choices), 2), np.int64)
    for k, cuts in enumerate(choices):
        tp = np.count_nonzero(hits >= cuts[columns])
        assigned = np.count_nonzero(scores >= cuts.astype(scores.dtype))
        if hidden is not None:
            assigned -= np.count_nonzero(hidden[0] >= cuts[hidden[1]])
        counted[k] = tp, assigned - tp
    return counted


def _cells(matrix: csr_array) -> tuple[NDArray, NDArray]:
    return np.repeat(np.arange(len(matrix.indptr) - 1), np.diff(matrix.indptr)), matrix.indices


def _square(goal: Goal) -> float:
    return goal.beta**2 if isinstance(goal, FBeta) else 1.0
