"""The one cut for all labels that is best for a goal, exactly."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.decide.goals import Cost, Floor, Goal
from manyhot.decide.points import pooled_points
from manyhot.decide.scores import ScoreMatrix, cell_numbers, row_numbers, shape_of
from manyhot.labels import Targets


def best_global_cut(scores: ScoreMatrix, targets: Targets, goal: Goal) -> float:
    """The one cut for all labels that is best for the goal; +inf if assigning nothing is.

    Floors and costs are taken over all cells together.
    """
    if goal.average == "micro" or isinstance(goal, (Cost, Floor)):
        points = pooled_points(scores, targets)
        value = goal.value(points.tp, points.fp, points.positives[0], points.negatives[0])
        return float(points.middle(points.best(value))[0])
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
    falling = np.argsort(-values, kind="stable")
    values, units, hits = values[falling], units[falling], hits[falling]
    by_unit = np.argsort(units.astype(np.min_scalar_type(count)), kind="stable")  # a radix sort if it can be
    units, hits = units[by_unit], hits[by_unit]
    first = np.searchsorted(units, np.arange(count))
    tp = _running(hits, first, units)
    fp = _running(~hits, first, units)
    value = goal.value(tp, fp, totals[units], (known - totals)[units])
    before = np.concatenate([[0.0], value[:-1]])
    start = first[first < len(units)]
    start = start[np.concatenate([[True], start[1:] != start[:-1]])] if len(start) else start
    before[start] = goal.value(0, 0, totals[units[start]], (known - totals)[units[start]])
    gain = np.empty(len(values))
    gain[by_unit] = value - before
    return _best_prefix(values, np.cumsum(gain))


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
    number = row * width + column if isinstance(scores, csr_array) else None
    hits = _holds(targets.positives, number)
    keep = values > -np.inf
    if targets.unknown is not None:
        keep &= ~_holds(targets.unknown, number)
    return (row[keep], column[keep]), values[keep], hits[keep]


def _holds(matrix: csr_array, number: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """Which of the cells with these numbers, of all cells when None, are stored."""
    if number is not None:
        return np.isin(number, cell_numbers(matrix), assume_unique=True)
    held = np.zeros(int(np.prod(shape_of(matrix))), bool)
    held[cell_numbers(matrix)] = True
    return held
