"""Cuts for a samples goal: a label's gain in a row depends on the others there, so all are tuned jointly."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from manyhot.decide.global_cut import best_global_cut
from manyhot.decide.goals import Goal
from manyhot.decide.scores import ScoreMatrix, absent_lowest
from manyhot.labels import Targets

PASSES = 20  # over all labels; four or five are usual until no label gains
GAIN = 1e-9  # of the summed goal, below which a move is rounding


def best_sample_cuts(scores: ScoreMatrix, targets: Targets, goal: Goal) -> NDArray[np.float64]:
    """A cut for each label, (labels,): coordinate ascent on the mean over rows, from the best global cut.

    Each step is an exact sweep of one label with the others held; the result is a local optimum that is never
    below the one best cut.
    """
    targets = targets.harden(0.5) if targets.is_soft else targets
    dense = absent_lowest(scores)
    rows = _Rows(dense, targets, goal)
    cuts = np.full(targets.width, best_global_cut(scores, targets, goal))
    for label in range(targets.width):
        rows.assign(label, dense[:, label] >= cuts[label])
    for _ in range(PASSES):
        moved = 0
        for label in range(targets.width):
            cut = rows.best_cut(label, cuts[label])
            if cut is not None:
                rows.withdraw(label, dense[:, label] >= cuts[label])
                rows.assign(label, dense[:, label] >= cut)
                cuts[label] = cut
                moved += 1
        if not moved:
            break
    return cuts


class _Rows:
    """True and false positives of every row under the present cuts."""

    def __init__(self, scores: NDArray, targets: Targets, goal: Goal) -> None:
        self.scores, self.goal = scores, goal
        self.truth = csc_array(targets.positives)
        self.hidden = None if targets.unknown is None else csc_array(targets.unknown)
        self.tp = np.zeros(len(targets))
        self.fp = np.zeros(len(targets))
        self.positives = targets.row_counts()
        unknown = 0 if targets.unknown is None else np.diff(targets.unknown.indptr)
        self.negatives = targets.width - unknown - self.positives

    def hits(self, label: int) -> NDArray[np.float64]:
        hits = np.zeros(len(self.tp))
        hits[self.truth.indices[self.truth.indptr[label] : self.truth.indptr[label + 1]]] = 1
        return hits

    def known(self, label: int) -> NDArray[np.bool_]:
        known = (self.scores[:, label] > -np.inf).astype(np.bool_)
        if self.hidden is not None:
            known[self.hidden.indices[self.hidden.indptr[label] : self.hidden.indptr[label + 1]]] = False
        return known

    def assign(self, label: int, chosen: NDArray[np.bool_], sign: float = 1.0) -> None:
        hits, change = self.hits(label), sign * (chosen & self.known(label))
        self.tp += change * hits
        self.fp += change * (1 - hits)

    def withdraw(self, label: int, chosen: NDArray[np.bool_]) -> None:
        self.assign(label, chosen, -1.0)

    def best_cut(self, label: int, present: float) -> float | None:
        """The label's best cut with the others held, or None if the present one is as good."""
        hits, known, column = self.hits(label), self.known(label), self.scores[:, label]
        now = (column >= present) & known
        tp, fp = self.tp - now * hits, self.fp - now * (1 - hits)
        with_it = self.goal.value(tp + hits, fp + 1 - hits, self.positives, self.negatives)
        gain = with_it - self.goal.value(tp, fp, self.positives, self.negatives)
        order = np.flatnonzero(known)
        order = order[np.argsort(-column[order], kind="stable")]
        ranked = column[order].astype(np.float64)
        total = np.concatenate([[0.0], np.cumsum(gain[order])])
        ends = np.concatenate([[0], 1 + np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))])
        ends = ends[: len(ranked) + 1] if len(ranked) else ends[:1]
        best = ends[int(np.argmax(total[ends]))]
        if total[best] <= gain[now].sum() + GAIN:
            return None
        if best == 0:
            return np.inf
        low = ranked[best] if best < len(ranked) else ranked[best - 1]
        return float(low + (ranked[best - 1] - low) / 2)
