"""The one cut for all labels that is best for a goal, exactly.

Goals rise with true and fall with false positives, so the best cut is the score of a positive; and between
two cuts no figure is above that of the lower one's true and the upper one's false positives. So a few hundred
cuts are counted, and cells are walked one by one only where that bound says that a better cut could lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot.decide.goals import Cost, Floor, Goal
from manyhot.decide.intervals import LEVEL
from manyhot.decide.points import label_masses, positive_scores, quantiles
from manyhot.decide.scores import RowWeight, ScoreMatrix, cell_numbers, row_numbers, shape_of
from manyhot.labels import Targets

COARSE = (16, 1024)  # cuts that are counted first, at least and at most
COARSE_CELLS = 2_000_000  # cuts times labels (or rows), as far as the least number allows
BLOCK_CELLS = 4_000_000
INTERVAL_CUTS = 128


def best_global_cut(scores: ScoreMatrix, targets: Targets, goal: Goal, weight: RowWeight = None) -> float:
    """The one cut for all labels that is best for the goal; +inf if assigning nothing is.

    Floors and costs are taken over all cells together. Of equal cuts the one that assigns least.
    """
    targets = targets.harden()
    candidates = np.unique(positive_scores(scores, targets)[0])
    if not len(candidates):
        return np.inf
    cells = _Cells(scores, targets, goal, np.ones(len(targets)) if weight is None else weight)
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
    scores: ScoreMatrix,
    targets: Targets,
    goal: Goal,
    cut: float,
    replicates: int,
    weight: RowWeight = None,
    seed: int = 0,
) -> tuple[float, float]:
    """The 90 % percentile interval of the one best cut under the Poisson bootstrap, widened to hold `cut`.

    Among `INTERVAL_CUTS` quantiles of the positives' scores. Cells are drawn, for a samples goal rows, on
    average as often as their row weighs.

    Source: Hanley and MacGibbon, Computer Methods and Programs in Biomedicine 83(1), 2006.
    """
    targets = targets.harden()
    candidates, mass = positive_scores(scores, targets, weight)
    if not len(candidates):
        return cut, cut
    coarse = np.unique(quantiles(candidates, mass, np.linspace(0, 1, INTERVAL_CUTS)))[::-1]
    coarse = np.concatenate([[np.inf], coarse], dtype=candidates.dtype)
    cells = _Cells(scores, targets, goal, np.ones(len(targets)) if weight is None else weight)
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
    weight: NDArray[np.float64]

    @property
    def average(self) -> str:
        """ "macro", "micro" or "samples"."""
        return "micro" if isinstance(self.goal, (Cost, Floor)) else self.goal.average

    @cached_property
    def positives(self) -> NDArray[np.float64]:
        """(units,) positive cells: of labels by their rows' weights."""
        return self._known[0]

    @cached_property
    def negatives(self) -> NDArray[np.float64]:
        """(units,) known cells that are not positive."""
        return self._known[1] - self._known[0]

    @cached_property
    def _known(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(units,) positive and known cells."""
        if self.average == "samples":
            hidden = 0 if self.targets.unknown is None else np.diff(self.targets.unknown.indptr)
            positives = self.targets.row_counts().astype(np.float64)
            return positives, np.full(len(positives), self.targets.width - hidden, np.float64)
        positives, known = label_masses(self.targets, self.weight)
        if self.average == "macro":
            return positives, known
        return positives.sum(keepdims=True), known.sum(keepdims=True)

    @property
    def shares(self) -> NDArray[np.float64]:
        """What each unit's figure is worth: rows count by their weight, labels alike."""
        return self.weight if self.average == "samples" else np.ones(len(self.positives))

    def figure(self, tp: NDArray[np.float64], fp: NDArray[np.float64]) -> NDArray[np.float64]:
        """The goal's sum over units, (cuts,), of counts (units, cuts)."""
        value = self.goal.value(tp, fp, self.positives[:, None], self.negatives[:, None])
        return (value * self.shares[:, None]).sum(axis=0)

    def counts(self, cuts: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """True and false positives of every unit at falling cuts, (units, cuts) each."""
        from manyhot.kernels.joint_cuts import count_reached

        found = np.zeros((2, len(self.positives), len(cuts) + 1))
        for values, units, mass, hits in self._blocks():
            units, mass = np.broadcast_to(units, values.shape), np.broadcast_to(mass, values.shape)
            everything = np.atleast_2d(values), np.atleast_2d(units), np.atleast_2d(mass)
            count_reached(*everything, cuts, found[1])
            count_reached(values[hits][None], units[hits][None], mass[hits][None], cuts, found[0])
        found[1] -= found[0]
        tp, fp = np.cumsum(found, axis=2)[:, :, :-1]
        return tp, fp

    def walk(
        self, above: float, lowest: float, tp: NDArray[np.float64], fp: NDArray[np.float64]
    ) -> tuple[float, float]:
        """The best figure of the cuts in [lowest, above), and its cut; counts are those at `above`."""
        values, units, true, false = self._between(lowest, above)
        falling = np.argsort(-values, kind="stable")
        values, units = values[falling], units[falling]
        by_unit = np.argsort(
            units.astype(np.min_scalar_type(len(tp))), kind="stable"
        )  # a radix sort if it can
        units, true, false = units[by_unit], true[falling][by_unit], false[falling][by_unit]
        first = np.searchsorted(units, np.arange(len(tp)))
        given, shares = (self.positives, self.negatives), self.shares
        value = self.goal.value(
            tp[units] + _running(true, first, units), fp[units] + _running(false, first, units),
            *(each[units] for each in given),
        ) * shares[units]  # fmt: skip
        start = self.goal.value(tp, fp, *given) * shares
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
        self, tp: NDArray[np.float64], fp: NDArray[np.float64], replicates: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """(replicates,) place of the best of the cuts that tp and fp, (units, cuts), are counted at."""
        given = self.positives[:, None], self.negatives[:, None]
        if self.average == "samples":
            rows = self.goal.value(tp, fp, *given)
            return np.array([np.argmax(rng.poisson(self.weight) @ rows) for _ in range(replicates)])
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
        lower = max(float(values[values < cut].max(initial=-np.inf)) for values, *_ in self._blocks())
        return cut if lower == -np.inf else lower + (cut - lower) / 2

    def _between(
        self, lowest: float, above: float
    ) -> tuple[NDArray, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Score, unit, and mass as a true and as a false positive of the cells in [lowest, above)."""
        parts = []
        for values, units, mass, hits in self._blocks():
            kept = (values >= lowest) & (values < above)
            own = np.broadcast_to(mass, values.shape)[kept]
            true = np.where(hits[kept], own, 0.0)
            parts.append((values[kept], np.broadcast_to(units, values.shape)[kept], true, own - true))
        values, units, true, false = (np.concatenate(each) for each in zip(*parts, strict=True))
        return values, units, true, false

    def _blocks(self) -> Iterator[tuple[NDArray, NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]]:
        """Score, unit and mass (to be broadcast), truth of some cells at a time; unknown ones are -inf."""
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
            mass = self._mass[begin : begin + len(values), None]
            yield values, across.get(self.average, np.zeros(1, np.int64)), mass, hits

    @property
    def _mass(self) -> NDArray[np.float64]:
        """(rows,) what a cell of each row counts for in its unit."""
        return np.ones(len(self.weight)) if self.average == "samples" else self.weight

    def _stored(self) -> tuple[NDArray, NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        scores, cells = self.scores, cell_numbers(self.scores)
        hits = np.isin(cells, cell_numbers(self.targets.positives), assume_unique=True)
        values = scores.data
        if self.targets.unknown is not None:
            hidden = np.isin(cells, cell_numbers(self.targets.unknown), assume_unique=True)
            values = np.where(hidden, values.dtype.type(-np.inf), values)
        rows = row_numbers(scores)
        across = {"macro": scores.indices.astype(np.int64), "samples": rows}
        return values, across.get(self.average, np.zeros(1, np.int64)), self._mass[rows], hits


def _running(mass: NDArray[np.float64], first: NDArray[np.int64], units: NDArray) -> NDArray[np.float64]:
    """Cumulative mass within each unit."""
    total = np.concatenate([[0.0], np.cumsum(mass)])
    return total[1:] - total[first[units]]
