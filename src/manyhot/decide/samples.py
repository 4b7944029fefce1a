"""Cuts for a samples goal: a label's gain in a row depends on the others there, so all are tuned jointly."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from manyhot.decide.global_cut import best_global_cut
from manyhot.decide.goals import Goal
from manyhot.decide.points import rows_of
from manyhot.decide.scores import ScoreMatrix
from manyhot.labels import Targets

PASSES = 20  # over all labels; four or five are usual
ENOUGH = 1e-5  # of the mean over rows: a pass that raises it by less is the last
GAIN = 1e-9  # of the summed goal, below which a move is rounding


def best_sample_cuts(scores: ScoreMatrix, targets: Targets, goal: Goal) -> NDArray[np.float64]:
    """A cut for each label, (labels,): coordinate ascent on the mean over rows, from the best global cut.

    Each step is an exact sweep of one label with the others held, so the result is never below the one best
    cut. Every label is sorted once; the sorted cells take up to twice the memory of the scores.
    """
    targets = targets.harden(0.5) if targets.is_soft else targets
    start = best_global_cut(scores, targets, goal)
    rows = _Rows(targets, goal)
    ladders = [_Ladder.of(*cells) for cells in _cells(scores, targets)]
    taken = [ladder.reaching(start) for ladder in ladders]
    for ladder, count in zip(ladders, taken, strict=True):
        rows.move(ladder, 0, count)
    moved = [ladder.cuts_short(start) for ladder in ladders]
    for _ in range(PASSES):
        gained = 0.0
        for label, ladder in enumerate(ladders):
            count, gain = rows.best_count(ladder, taken[label])
            if gain > GAIN:
                rows.move(ladder, taken[label], count)
                taken[label], moved[label] = count, True
                gained += gain
        if gained < ENOUGH * len(targets):
            break
    chosen = zip(ladders, taken, moved, strict=True)
    return np.array([ladder.cut(count) if each else start for ladder, count, each in chosen])


@dataclass(frozen=True)
class _Ladder:
    """One label's known cells by falling score, no deeper than its lowest positive: below, a cut only costs.

    Attributes:
        rows, scores, hits: (cells,) row, score and truth.
        ends: numbers of cells that a cut can take, ties together; starts with 0.
        below: the next lower score, the last one itself where there is none.
    """

    rows: NDArray[np.intp]
    scores: NDArray[np.float64]
    hits: NDArray[np.float64]
    ends: NDArray[np.int64]
    below: float

    @classmethod
    def of(cls, rows: NDArray, scores: NDArray, hits: NDArray[np.bool_]) -> "_Ladder":
        order = np.argsort(-scores, kind="stable")
        rows, scores, hits = rows[order], scores[order].astype(np.float64), hits[order]
        lowest = scores[np.flatnonzero(hits)[-1]] if hits.any() else np.inf
        size = int(np.searchsorted(-scores, -lowest, side="right"))
        below = scores[min(size, len(scores) - 1)] if size else -np.inf
        kept = scores[:size]
        last = np.append(kept[1:] != kept[:-1], True) if size else np.zeros(0, bool)
        ends = np.concatenate([[0], 1 + np.flatnonzero(last)])
        return cls(rows[:size], kept, hits[:size].astype(np.float64), ends, float(below))

    def reaching(self, cut: float) -> int:
        """How many of the cells a cut takes."""
        return int(np.searchsorted(-self.scores, -cut, side="right"))

    def cuts_short(self, cut: float) -> bool:
        """Whether the cut would take cells below the lowest positive."""
        return self.below >= cut if len(self.scores) else True

    def cut(self, count: int) -> float:
        """The cut half way between the last cell taken and the next."""
        if count == 0:
            return np.inf
        low = self.scores[count] if count < len(self.scores) else self.below
        return float(low + (self.scores[count - 1] - low) / 2)


class _Rows:
    """True and false positives of every row under the present cuts."""

    def __init__(self, targets: Targets, goal: Goal) -> None:
        self.goal = goal
        self.tp = np.zeros(len(targets))
        self.fp = np.zeros(len(targets))
        self.positives = targets.row_counts()
        unknown = 0 if targets.unknown is None else np.diff(targets.unknown.indptr)
        self.negatives = targets.width - unknown - self.positives

    def move(self, ladder: _Ladder, old: int, new: int) -> None:
        """Take `new` of the label's cells in place of `old`."""
        cells = slice(min(old, new), max(old, new))
        sign = 1.0 if new > old else -1.0
        self.tp[ladder.rows[cells]] += sign * ladder.hits[cells]
        self.fp[ladder.rows[cells]] += sign * (1 - ladder.hits[cells])

    def best_count(self, ladder: _Ladder, present: int) -> tuple[int, float]:
        """How many of the label's cells are best taken with the others held, and what that gains."""
        rows, hits = ladder.rows, ladder.hits
        tp, fp = self.tp[rows], self.fp[rows]
        tp[:present] -= hits[:present]
        fp[:present] -= 1 - hits[:present]
        given = self.positives[rows], self.negatives[rows]
        gain = self.goal.value(tp + hits, fp + 1 - hits, *given) - self.goal.value(tp, fp, *given)
        total = np.concatenate([[0.0], np.cumsum(gain)])
        best = int(ladder.ends[np.argmax(total[ladder.ends])])
        return best, float(total[best] - total[present])


def _cells(scores: ScoreMatrix, targets: Targets) -> Iterator[tuple[NDArray, NDArray, NDArray[np.bool_]]]:
    """Of each label: row, score and truth of its known cells with a finite score."""
    columns = csc_array(scores) if isinstance(scores, csr_array) else None
    positives = csc_array(targets.positives)
    unknown = None if targets.unknown is None else csc_array(targets.unknown)
    kind = np.zeros(len(targets), np.int8)
    for label in range(targets.width):
        if columns is None:
            rows, values = np.arange(len(targets)), scores[:, label]
        else:
            own = slice(columns.indptr[label], columns.indptr[label + 1])
            rows, values = columns.indices[own], columns.data[own]
        kind[:] = 0
        kind[rows_of(positives, label)] = 1
        if unknown is not None:
            kind[rows_of(unknown, label)] = 2
        keep = (values > -np.inf) & (kind[rows] < 2)
        yield rows[keep], values[keep], kind[rows[keep]] == 1
