"""Percentile intervals of many values at once, in the memory of their tails and not of all replicates."""

import numpy as np
from numpy.typing import NDArray

from manyhot.metrics.counts import Numbers


class Tails:
    """Collects replicates of values and keeps the ends that the interval lies in.

    Args:
        replicates: of each value, in all.
        level: share of them inside an interval.
    """

    def __init__(self, replicates: int, level: float) -> None:
        self.share = 0.5 - level / 2
        self.kept = int(self.share * (replicates - 1)) + 2
        self._lowest: list[Numbers] = []
        self._highest: list[Numbers] = []
        self._defined: NDArray[np.int64] | int = 0

    def add(self, values: Numbers) -> None:
        """Some more replicates, (values, replicates), NaN where undefined."""
        defined = ~np.isnan(values)
        self._defined = self._defined + defined.sum(axis=1)
        self._lowest = [self._least(np.where(defined, values, np.inf), self._lowest)]
        self._highest = [self._least(np.where(defined, -values, np.inf), self._highest)]

    def intervals(self) -> tuple[Numbers, Numbers]:
        """The low and the high end of each value, those undefined left out; NaN where all are."""
        return self._quantile(self._lowest[0]), 0.0 - self._quantile(self._highest[0])

    def _least(self, values: Numbers, before: list[Numbers]) -> Numbers:
        both = np.concatenate([*before, values], axis=1)
        if both.shape[1] <= self.kept:
            return both
        return np.partition(both, self.kept - 1, axis=1)[:, : self.kept]

    def _quantile(self, tail: Numbers) -> Numbers:
        """As `np.quantile` of all that is defined."""
        tail, defined = np.sort(tail, axis=1), np.asarray(self._defined)
        place = self.share * np.maximum(defined - 1, 0)
        below = place.astype(np.int64)
        above = np.minimum(below + 1, np.maximum(defined - 1, 0))
        rows = np.arange(len(tail))
        low, high = tail[rows, below], tail[rows, np.minimum(above, tail.shape[1] - 1)]
        with np.errstate(invalid="ignore"):  # of nothing defined both ends are infinite
            return np.where(defined > 0, low + (place - below) * (high - low), np.nan)
