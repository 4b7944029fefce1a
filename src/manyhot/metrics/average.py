"""Averages that say how many values they are of: undefined ones are left out, and counted."""

from dataclasses import dataclass

import numpy as np

from manyhot.metrics.counts import Numbers
from manyhot.metrics.from_counts import ratio


@dataclass(frozen=True)
class Counted:
    """How many labels or rows an average is of. `str` gives `931/1000 labels`."""

    used: int
    of: int
    what: str

    def __str__(self) -> str:
        return f"{self.used}/{self.of} {self.what}"


@dataclass(frozen=True)
class Average:
    """A metric's value, NaN when undefined, () or (replicates,); and what it is an average of."""

    value: Numbers
    counted: Counted


def over_labels(values: Numbers, weights: Numbers | None = None, undefined: float | None = None) -> Average:
    """Mean over the labels where the metric is defined.

    Args:
        values: (labels,) or (labels, replicates), NaN where undefined.
        weights: the same shape, >= 0; None = all labels alike (macro).
        undefined: value that undefined labels enter with; a mean whose weights are all 0 is then taken
            without weights. None leaves them out.
    """
    defined = ~np.isnan(values)
    used = int(np.count_nonzero(defined[:, 0] if values.ndim > 1 else defined))
    if undefined is not None:
        values, defined = np.where(defined, values, undefined), np.ones(values.shape, bool)
    shares = defined if weights is None else np.where(defined, weights, 0.0)
    if undefined is not None:
        shares = np.where(shares.sum(0) > 0, shares, 1.0)
    mean = ratio((np.where(defined, values, 0.0) * shares).sum(0), shares.sum(0))
    return Average(mean, Counted(used, len(values), "labels"))


def of_cells(value: Numbers, known: Numbers, undefined: float | None = None) -> Average:
    """A value of all known cells together.

    Args:
        value: () or (replicates,), NaN where undefined.
        known: (labels,) known cells of each label.
        undefined: what it is then; None leaves it NaN.
    """
    cells = int(np.round(known.sum()))
    if undefined is not None:
        value = np.where(np.isnan(value), undefined, value)
    return Average(value, Counted(cells, cells, "cells"))


def over_rows(
    numerator: Numbers, denominator: Numbers, weight: Numbers, undefined: float | None = None
) -> Average:
    """Weighted sum of the numerators over that of the denominators.

    Args:
        numerator, denominator: (rows,); a denominator of 0 leaves the row out. A plain mean has ones.
        weight: row weights, (rows,) or (rows, replicates).
        undefined: value that rows without a denominator enter with, as if their denominator were 1.
    """
    used = denominator > 0
    if undefined is not None:
        numerator = np.where(used, numerator, undefined)
        denominator = np.where(used, denominator, 1.0)
    else:
        numerator = np.where(used, numerator, 0.0)
    mean = ratio(_weighted_sum(numerator, weight), _weighted_sum(denominator, weight))
    return Average(mean, Counted(int(np.count_nonzero(used)), len(used), "rows"))


def _weighted_sum(values: Numbers, weight: Numbers) -> Numbers:
    if weight.ndim == 1:
        return np.asarray(
            np.sum(values * weight)
        )  # not BLAS, whose threads take longer to wake up than this takes
    return values @ weight
