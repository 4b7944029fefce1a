"""The one cut for all labels that is best for a goal, exactly.

Goals rise with true and fall with false positives, so the best cut is the score of a positive; and between
two cuts no figure is above that of the lower one's true and the upper one's false positives. So a few hundred
cuts are counted, and cells are walked one by one only where that bound says that a better cut could lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.decide.goals import Cost, Floor, Goal
from manyhot.decide.intervals import LEVEL
from manyhot.decide.points import positive_scores
from manyhot.decide.scores import ScoreMatrix, cell_numbers, row_numbers, shape_of
from manyhot.labels import Targets

COARSE = (16, 1024)  # cuts that are counted first, at least and at most
COARSE_CELLS = 2_000_000  # cuts times labels (or rows), as far as the least number allows
BLOCK_CELLS = 4_000_000
INTERVAL_CUTS = 128


def best_global_cut(scores: ScoreMatrix, targets: Targets, goal: Goal) -> float:
    """The one cut for all labels that is best for the goal; +inf if assigning nothing is.

    Floors and costs are taken over all cells together. Of equal cuts the one that assigns least.
    """
    targets = targets.harden(0.5) if targets.is_soft else targets
    candidates = np.unique(positive_scores(scores, targets))
    if not len(candidates):
        return np.inf
    cells = _Cells(scores, targets, goal)
    size = int(np.clip(COARSE_CELLS // max(len(cells.positives), 1), *COARSE))
    coarse = candidates[np.unique(np.linspace(0, len(candidates) - 1, size).astype(np.int64))][::-1]
    coarse = np.concatenate([[np.inf], coarse], dtype=candidates.dtype)
    tp, fp = cells.counts(coarse)
    reached = cells.figure(tp, fp)
    best, cut = float(reached.max()), float(coarse[np.argmax(reached)])
    hopeful = np.flatnonzero(cells.figure(tp[:, 1:], fp[:, :-1]) > best + 1e-12 * abs(best))
    if len(hopeful) and len(coarse) <= len(candidates):
        first, last = hopeful[0], hopeful[-1] + 1
        higher, found = cells.walk(float(coarse[first]), float(coarse[last]), tp[:, first], fp[:, first])
        if higher > best + 1e-12 * abs(best):
            cut = found
    return cells.middle(cut)


def global_interval(
    scores: ScoreMatrix, targets: Targets, goal: Goal, cut: float, replicates: int, seed: int = 0
) -> tuple[float, float]:
    """The 90 % percentile interval of the one best cut under the Poisson bootstrap, widened to hold `cut`.

    Among `INTERVAL_CUTS` quantiles of the positives' scores. Cells are drawn, for a samples goal rows.

    Source: Hanley and MacGibbon, Computer Methods and Programs in Biomedicine 83(1), 2006.
    """
    targets = targets.harden(0.5) if targets.is_soft else targets
    candidates = positive_scores(scores, targets)
    if not len(candidates):
        return cut, cut
    levels = np.linspace(0, 1, INTERVAL_CUTS)
    coarse = np.unique(np.quantile(candidates, levels, method="inverted_cdf"))[::-1]
    coarse = np.concatenate([[np.inf], coarse], dtype=candidates.dtype)
    cells = _Cells(scores, targets, goal)
    tp, fp = cells.counts(coarse)
    chosen = cells.redrawn_best(tp, fp, replicates, np.random.default_rng(seed))
    # the infinities are ranks like others, so no interpolation between them
    sides = np.quantile(coarse[chosen], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return min(float(sides[0]), cut), max(float(sides[1]), cut)


@dataclass(frozen=True)
class _Cells:
    """Known cells with a finite score, and the units that the goal is a mean over: labels, rows, or one."""

    scores: ScoreMatrix
    targets: Targets
    goal: Goal

    @property
    def average(self) -> str:
        """ "macro", "micro" or "samples"."""
        return "micro" if isinstance(self.goal, (Cost, Floor)) else self.goal.average

    @property
    def positives(self) -> NDArray[np.int64]:
        """(units,) positive cells."""
        if self.average == "samples":
            return self.targets.row_counts().astype(np.int64)
        labels = self.targets.label_counts().astype(np.int64)
        return labels if self.average == "macro" else labels.sum(keepdims=True)

    @property
    def negatives(self) -> NDArray[np.int64]:
        """(units,) known cells that are not positive."""
        if self.average == "samples":
            hidden = 0 if self.targets.unknown is None else np.diff(self.targets.unknown.indptr)
            return self.targets.width - hidden - self.positives
        known = self.targets.known_counts()
        return (known if self.average == "macro" else known.sum(keepdims=True)) - self.positives

    def figure(self, tp: NDArray[np.int64], fp: NDArray[np.int64]) -> NDArray[np.float64]:
        """The goal's sum over units, (cuts,), of counts (units, cuts)."""
        return self.goal.value(tp, fp, self.positives[:, None], self.negatives[:, None]).sum(axis=0)

    def counts(self, cuts: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """True and false positives of every unit at falling cuts, (units, cuts) each."""
        from manyhot.kernels.joint_cuts import count_reached

        found = np.zeros((2, len(self.positives), len(cuts) + 1), np.int64)
        for values, units, hits in self._blocks():
            everywhere = np.broadcast_to(units, values.shape)
            count_reached(np.atleast_2d(values), np.atleast_2d(everywhere), cuts, found[1])
            count_reached(values[hits][None], everywhere[hits][None], cuts, found[0])
        found[1] -= found[0]
        tp, fp = np.cumsum(found, axis=2)[:, :, :-1]
        return tp, fp

    def walk(
        self, above: float, lowest: float, tp: NDArray[np.int64], fp: NDArray[np.int64]
    ) -> tuple[float, float]:
        """The best figure of the cuts in [lowest, above), and its cut; counts are those at `above`."""
        values, units, hits = self._between(lowest, above)
        falling = np.argsort(-values, kind="stable")
        values, units, hits = values[falling], units[falling], hits[falling]
        by_unit = np.argsort(
            units.astype(np.min_scalar_type(len(tp))), kind="stable"
        )  # a radix sort if it can
        units, hits = units[by_unit], hits[by_unit]
        first = np.searchsorted(units, np.arange(len(tp)))
        given = self.positives, self.negatives
        value = self.goal.value(
            tp[units] + _running(hits, first, units), fp[units] + _running(~hits, first, units),
            *(each[units] for each in given),
        )  # fmt: skip
        start = self.goal.value(tp, fp, *given)
        before = np.concatenate([[0.0], value[:-1]])
        opening = np.concatenate([[True], units[1:] != units[:-1]])
        before[opening] = start[units[opening]]
        gain = np.empty(len(values))
        gain[by_unit] = value - before
        total = start.sum() + np.cumsum(gain)
        ends = np.flatnonzero(np.concatenate([values[1:] != values[:-1], [True]]))
        best = ends[int(np.argmax(total[ends]))]
        return float(total[best]), float(values[best])

    def redrawn_best(
        self, tp: NDArray[np.int64], fp: NDArray[np.int64], replicates: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """(replicates,) place of the best of the cuts that tp and fp, (units, cuts), are counted at."""
        given = self.positives[:, None], self.negatives[:, None]
        if self.average == "samples":
            rows = self.goal.value(tp, fp, *given)
            return np.array([np.argmax(rng.poisson(1.0, len(rows)) @ rows) for _ in range(replicates)])
        chosen = np.empty(replicates, np.int64)
        steps = [
            np.diff(each, axis=1, prepend=0, append=total) for each, total in ((tp, given[0]), (fp, given[1]))
        ]
        for k in range(replicates):
            true, false = (np.cumsum(rng.poisson(each), axis=1) for each in steps)
            totals = true[:, -1:], false[:, -1:]
            chosen[k] = np.argmax(self.goal.value(true[:, :-1], false[:, :-1], *totals).sum(axis=0))
        return chosen

    def middle(self, cut: float) -> float:
        """The cut half way down to the next lower score, the same where there is none."""
        if not np.isfinite(cut):
            return cut
        lower = max(float(values[values < cut].max(initial=-np.inf)) for values, _, _ in self._blocks())
        return cut if lower == -np.inf else lower + (cut - lower) / 2

    def _between(self, lowest: float, above: float) -> tuple[NDArray, NDArray, NDArray[np.bool_]]:
        parts = []
        for values, units, hits in self._blocks():
            kept = (values >= lowest) & (values < above)
            parts.append((values[kept], np.broadcast_to(units, values.shape)[kept], hits[kept]))
        values, units, hits = (np.concatenate(each) for each in zip(*parts, strict=True))
        return values, units, hits

    def _blocks(self) -> Iterator[tuple[NDArray, NDArray[np.int64], NDArray[np.bool_]]]:
        """Score, unit (to be broadcast) and truth of some cells at a time; unknown ones have score -inf."""
        if isinstance(self.scores, csr_array):
            yield self._stored()
            return
        rows, width = shape_of(self.scores)
        step = max(1, BLOCK_CELLS // max(width, 1))
        for begin in range(0, rows, step):
            part = self.targets.rows(slice(begin, begin + step))
            values = self.scores[begin : begin + step]
            hits = np.zeros(values.shape, bool)
            hits[row_numbers(part.positives), part.positives.indices] = True
            if part.unknown is not None:
                values = values.copy()
                values[row_numbers(part.unknown), part.unknown.indices] = -np.inf
            across = {"macro": np.arange(width), "samples": np.arange(begin, begin + len(values))[:, None]}
            yield values, across.get(self.average, np.zeros(1, np.int64)), hits

    def _stored(self) -> tuple[NDArray, NDArray[np.int64], NDArray[np.bool_]]:
        scores, cells = self.scores, cell_numbers(self.scores)
        hits = np.isin(cells, cell_numbers(self.targets.positives), assume_unique=True)
        values = scores.data
        if self.targets.unknown is not None:
            hidden = np.isin(cells, cell_numbers(self.targets.unknown), assume_unique=True)
            values = np.where(hidden, values.dtype.type(-np.inf), values)
        across = {"macro": scores.indices.astype(np.int64), "samples": row_numbers(scores)}
        return values, across.get(self.average, np.zeros(1, np.int64)), hits


def _running(hits: NDArray[np.bool_], first: NDArray[np.int64], units: NDArray) -> NDArray[np.int64]:
    """Cumulative count within each unit."""
    total = np.concatenate([[0], np.cumsum(hits)])
    return total[1:] - total[first[units]]
