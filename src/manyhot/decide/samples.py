"""Cuts for a samples goal: a label's gain in a row depends on the others there, so all are tuned jointly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manyhot.decide.global_cut import best_global_cut
from manyhot.decide.goals import Goal
from manyhot.decide.ladders import Ladder, ladders_of
from manyhot.decide.scores import RowWeight, ScoreMatrix
from manyhot.labels import Targets

PASSES = 20  # over all labels; four or five are usual
ENOUGH = 1e-5  # of the mean over rows: a pass that raises it by less is the last
GAIN = 1e-9  # of the summed goal, below which a move is rounding
FEW_CELLS = 2_000_000  # down to all positives, of which further starts take seconds


def best_sample_cuts(
    scores: ScoreMatrix, targets: Targets, goal: Goal, weight: RowWeight = None
) -> NDArray[np.float64]:
    """A cut for each label, (labels,): coordinate ascent on the mean over rows, from the best global cut.

    Each step is an exact sweep of one label with the others held, so the result is never below the one best
    cut. With few cells it is also begun from "never" and from the lowest positives, and the best end is
    taken. That is no proof that no other cuts are better together: of 600 tiny cases in which all could be
    tried, none were for F1, and for Jaccard in 4, by a sixth at most; from the global cut alone in 1 and in
    18.

    Every label is sorted once; the sorted cells take up to twice the memory of the scores.
    """
    targets = targets.harden()
    shared = best_global_cut(scores, targets, goal, weight)
    ladders = list(ladders_of(scores, targets))
    start = [ladder.reaching(shared) for ladder in ladders]
    starts = [start]
    if sum(len(ladder.rows) for ladder in ladders) <= FEW_CELLS:
        starts += [[0] * len(ladders), [len(ladder.rows) for ladder in ladders]]
    reached, taken = -np.inf, start
    for each in starts:
        rows = _Rows(targets, goal, weight)
        end = _ascended(ladders, rows, each)
        if rows.total() > reached + GAIN * rows.mass:
            reached, taken = rows.total(), end
    return np.array(
        [
            shared if count == before and not ladder.cuts_short(shared) else ladder.cut(count)
            for ladder, count, before in zip(ladders, taken, start, strict=True)
        ]
    )


def _ascended(ladders: Sequence[Ladder], rows: "_Rows", start: Sequence[int]) -> list[int]:
    """The cells of each label that are taken where no label gains any more."""
    taken = list(start)
    for ladder, count in zip(ladders, taken, strict=True):
        rows.move(ladder, 0, count)
    for _ in range(PASSES):
        gained = 0.0
        for label, ladder in enumerate(ladders):
            count, gain = rows.best_count(ladder, taken[label])
            if gain > GAIN:
                rows.move(ladder, taken[label], count)
                taken[label] = count
                gained += gain
        if gained < ENOUGH * rows.mass:
            break
    return taken


class _Rows:
    """True and false positives of every row under the present cuts."""

    def __init__(self, targets: Targets, goal: Goal, weight: RowWeight) -> None:
        self.goal, self.weight = goal, weight
        self.mass = len(targets) if weight is None else weight.sum()
        self.tp = np.zeros(len(targets))
        self.fp = np.zeros(len(targets))
        self.positives = targets.row_counts()
        unknown = 0 if targets.unknown is None else np.diff(targets.unknown.indptr)
        self.negatives = targets.width - unknown - self.positives

    def total(self) -> float:
        """The goal's sum over rows."""
        value = self.goal.value(self.tp, self.fp, self.positives, self.negatives)
        return float(value.sum() if self.weight is None else value @ self.weight)

    def move(self, ladder: Ladder, old: int, new: int) -> None:
        """Take `new` of the label's cells in place of `old`."""
        cells = slice(min(old, new), max(old, new))
        sign = 1.0 if new > old else -1.0
        self.tp[ladder.rows[cells]] += sign * ladder.hits[cells]
        self.fp[ladder.rows[cells]] += sign * (1 - ladder.hits[cells])

    def best_count(self, ladder: Ladder, present: int) -> tuple[int, float]:
        """How many of the label's cells are best taken with the others held, and what that gains."""
        rows, hits = ladder.rows, ladder.hits
        tp, fp = self.tp[rows], self.fp[rows]
        tp[:present] -= hits[:present]
        fp[:present] -= 1 - hits[:present]
        given = self.positives[rows], self.negatives[rows]
        gain = self.goal.value(tp + hits, fp + 1 - hits, *given) - self.goal.value(tp, fp, *given)
        if self.weight is not None:
            gain = gain * self.weight[rows]
        total = np.concatenate([[0.0], np.cumsum(gain)])
        best = int(ladder.ends[np.argmax(total[ladder.ends])])
        return best, float(total[best] - total[present])
