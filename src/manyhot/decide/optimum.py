"""The best cuts for a goal, exactly: label by label, jointly over all cells, or one cut for everything."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.decide.goals import Cost, FBeta, Floor, Goal, Jaccard
from manyhot.decide.points import OperatingPoints, pooled_points
from manyhot.decide.scores import ScoreMatrix, cell_numbers, row_numbers, shape_of
from manyhot.errors import OptionError
from manyhot.labels import Targets

ROUNDS = 100  # Dinkelbach's iteration converges superlinearly; five or six rounds are usual


def best_points(points: OperatingPoints, goal: Goal) -> NDArray[np.int64]:
    """Index of each label's best point, (labels,). A micro goal is optimised over all labels at once."""
    if goal.average == "micro":
        return best_micro(points, goal)
    sizes = np.diff(points.starts)
    positives, negatives = np.repeat(points.positives, sizes), np.repeat(points.negatives, sizes)
    return points.best(goal.value(points.tp, points.fp, positives, negatives))


def best_micro(points: OperatingPoints, goal: Goal) -> NDArray[np.int64]:
    """The points that together have the highest ratio of pooled counts: the exact joint optimum.

    Source: Dinkelbach, Management Science 13(7), 1967.
    """
    # Jaccard is a rising function of F1, so both have the same best cuts.
    square = 1.0 if isinstance(goal, Jaccard) else _beta(goal) ** 2
    positives = points.positives.sum()
    ratio = 0.0
    chosen = points.best((1 + square) * points.tp - ratio * (points.tp + points.fp))
    for _ in range(ROUNDS):
        tp, fp = points.tp[chosen].sum(), points.fp[chosen].sum()
        total = tp + fp + square * positives
        reached = (1 + square) * tp / total if total else 0.0
        if reached <= ratio:
            break
        ratio = reached
        chosen = points.best((1 + square) * points.tp - ratio * (points.tp + points.fp))
    return chosen


def best_global_cut(scores: ScoreMatrix, targets: Targets, goal: Goal) -> float:
    """The one cut for all labels that is best for the goal; +inf if assigning nothing is.

    Floors and costs are taken over all cells together.
    """
    if goal.average == "micro" or isinstance(goal, (Cost, Floor)):
        points = pooled_points(scores, targets)
        return float(
            points.middle(best_points(points, goal if goal.average != "micro" else _as_macro(goal)))[0]
        )
    return _best_mean_cut(scores, targets.harden(0.5) if targets.is_soft else targets, goal)


def _best_mean_cut(scores: ScoreMatrix, targets: Targets, goal: Goal) -> float:
    """Lower one cut through all cells and follow the mean over labels (or rows) of the goal."""
    units, values, hits = _cells(scores, targets)
    if goal.average == "samples":
        units = units[0]
        count, totals = len(targets), targets.row_counts()
        known = targets.width - (0 if targets.unknown is None else np.diff(targets.unknown.indptr))
    else:
        units = units[1]
        count, totals, known = targets.width, targets.label_counts(), targets.known_counts()
    known = np.broadcast_to(known, count)
    order = np.lexsort((-values, units))
    units, hits = units[order], hits[order]
    first = np.searchsorted(units, np.arange(count))
    tp = _running(hits, first, units)
    fp = _running(~hits, first, units)
    value = goal.value(tp, fp, totals[units], (known - totals)[units])
    before = np.concatenate([[0.0], value[:-1]])
    start = first[first < len(units)]
    start = start[np.concatenate([[True], start[1:] != start[:-1]])] if len(start) else start
    before[start] = goal.value(0, 0, totals[units[start]], (known - totals)[units[start]])
    values = values[order]
    descending = np.argsort(-values, kind="stable")
    values, gain = values[descending], np.cumsum((value - before)[descending])
    return _best_prefix(values, gain)


def _best_prefix(values: NDArray, gain: NDArray) -> float:
    """The cut after the prefix of falling values with the most gain; +inf when no prefix gains."""
    ends = np.flatnonzero(np.concatenate([values[1:] != values[:-1], [True]])) if len(values) else []
    if not len(ends):
        return np.inf
    best = ends[int(np.argmax(gain[ends]))]
    if gain[best] <= 0:
        return np.inf
    low = float(values[best + 1]) if best + 1 < len(values) else float(values[best])
    return low + (float(values[best]) - low) / 2


def _running(hits: NDArray[np.bool_], first: NDArray[np.int64], units: NDArray) -> NDArray[np.int64]:
    """Cumulative count within each unit."""
    total = np.concatenate([[0], np.cumsum(hits)])
    return total[1:] - total[first[units]]


def _cells(
    scores: ScoreMatrix, targets: Targets
) -> tuple[tuple[NDArray, NDArray], NDArray, NDArray[np.bool_]]:
    """(rows, labels), score and truth of every known cell with a finite score."""
    rows, width = shape_of(scores)
    if isinstance(scores, csr_array):
        row = row_numbers(scores)
        column, values = scores.indices.astype(np.int64), scores.data
    else:
        row, column = np.repeat(np.arange(rows), width), np.tile(np.arange(width), rows)
        values = np.ascontiguousarray(scores).ravel()
    number = row * width + column
    hits = _holds(targets.positives, number)
    keep = values > -np.inf
    if targets.unknown is not None:
        keep &= ~_holds(targets.unknown, number)
    return (row[keep], column[keep]), values[keep], hits[keep]


def _holds(matrix: csr_array, number: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.isin(number, cell_numbers(matrix), assume_unique=True)


def _beta(goal: Goal) -> float:
    if not isinstance(goal, FBeta):
        raise OptionError(
            f"the micro goal {goal.name!r} has no joint optimum here; use f<beta>_micro or jaccard_micro"
        )
    return goal.beta


def _as_macro(goal: Goal) -> Goal:
    return FBeta(goal.beta) if isinstance(goal, FBeta) else Jaccard()
