"""One label's cells from the highest score down, for rules whose labels are tuned together, row by row."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from manyhot.decide.points import rows_of
from manyhot.decide.scores import ScoreMatrix
from manyhot.labels import Targets


@dataclass(frozen=True)
class Ladder:
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
    def of(cls, rows: NDArray, scores: NDArray, hits: NDArray[np.bool_]) -> "Ladder":
        """Sort some cells of a label."""
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

    def shortened(self, ends: int) -> "Ladder":
        """The ladder with its first ends only."""
        if ends >= len(self.ends):
            return self
        size = int(self.ends[ends - 1])
        kept = self.rows[:size], self.scores[:size], self.hits[:size]
        return Ladder(*kept, self.ends[:ends], float(self.scores[size]))

    def cuts_short(self, cut: float) -> bool:
        """Whether the cut would take cells below the lowest positive."""
        return self.below >= cut if len(self.scores) else True

    def cut(self, count: int) -> float:
        """The cut half way between the last cell taken and the next."""
        if count == 0:
            return np.inf
        low = self.scores[count] if count < len(self.scores) else self.below
        return float(low + (self.scores[count - 1] - low) / 2)


def ladders_of(scores: ScoreMatrix, targets: Targets) -> Iterator[Ladder]:
    """The ladder of each label, of hard targets; cells without a finite score are on none."""
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
        yield Ladder.of(rows[keep], values[keep], kind[rows[keep]] == 1)
