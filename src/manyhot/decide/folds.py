"""Operating points with a part of the rows held out, for every part in turn; each label is sorted once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyhot.decide.points import OperatingPoints, candidate_cuts, label_masses, lie_on, sorted_labels
from manyhot.decide.scores import RowWeight, ScoreMatrix
from manyhot.labels import Targets

Fold = tuple[ScoreMatrix, Targets, RowWeight]


@dataclass(frozen=True)
class FoldedPoints:
    """The candidate cuts of all rows, and what each counts on each fold of the rows.

    Attributes:
        cuts: (points,), highest first, the first of each label being +inf.
        starts: (labels + 1,), label j owns the points starts[j]:starts[j + 1].
        on_grid: (points,) the cuts that every label has.
        below: (folds, points) the fold's next lower known score, -inf where there is none.
        tp, fp: (folds, points) what the cut assigns on the fold, by the rows' weights.
        positives, known: (folds, labels) cells, by weight.
    """

    cuts: NDArray[np.float64]
    starts: NDArray[np.int64]
    on_grid: NDArray[np.bool_]
    below: NDArray[np.floating[Any]]
    tp: NDArray[np.float64]
    fp: NDArray[np.float64]
    positives: NDArray[np.float64]
    known: NDArray[np.float64]

    @classmethod
    def of(cls, folds: Sequence[Fold], grid: NDArray[np.float64]) -> "FoldedPoints":
        """Sort the labels of every fold.

        Args:
            folds: scores, hard targets and row weights of each.
            grid: (cuts,) falling, further cuts for every label.
        """
        cuts, below, tp, fp = [], [], [], []
        for parts in zip(*(sorted_labels(*fold) for fold in folds), strict=True):
            own = candidate_cuts([label.positive for label in parts], grid)
            counted = [label.counts_at(own) for label in parts]
            cuts.append(own)
            for into, values in zip((below, tp, fp), zip(*counted, strict=True), strict=True):
                into.append(np.stack(values))
        joined = np.concatenate(cuts).astype(np.float64)
        starts = np.concatenate([[0], np.cumsum([len(own) for own in cuts])])
        lower = np.concatenate(below, axis=1)
        true, false = (np.concatenate(each, axis=1).astype(np.float64) for each in (tp, fp))
        masses = (label_masses(targets, weight) for _, targets, weight in folds)
        positives, known = (np.stack(each) for each in zip(*masses, strict=True))
        return cls(joined, starts, lie_on(grid, joined), lower, true, false, positives, known)

    def without(self, held: int | None = None) -> OperatingPoints:
        """The points of all folds but one: as if its rows did not exist, apart from where the grid lies."""
        used = [fold for fold in range(len(self.tp)) if fold != held]
        positives, known = self.positives[used].sum(axis=0), self.known[used].sum(axis=0)
        kept = self.on_grid.copy()
        kept[self.starts[:-1]] = True
        for fold in used:  # a cut above which the fold has one positive more than above the last
            kept[1:] |= np.diff(self.tp[fold]) > 0
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        cuts = self.cuts[kept]
        following = np.append(cuts[1:], -np.inf)
        following[starts[1:] - 1] = -np.inf
        lower = self.below[used].max(axis=0)[kept]
        tp, fp = (each[used].sum(axis=0)[kept] for each in (self.tp, self.fp))
        return OperatingPoints(
            cuts, np.maximum(lower, following), tp, fp, starts, positives, known - positives
        )
