"""Is one result better than another, or was it luck? Both are drawn with the same rows, then subtracted."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from manyhot.errors import InputError
from manyhot.metrics.replicates import interval
from manyhot.metrics.result import Result


@dataclass(frozen=True)
class Difference:
    """One metric of two results.

    Attributes:
        metric: its name. first, second: the two values. difference: second - first.
        low, high: percentile interval of the difference.
        p: two-sided bootstrap p-value of no difference, at least 1 / (replicates + 1).
    """

    metric: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


def paired_test(
    first: Result, second: Result, metrics: Iterable[str] | None = None, *, level: float = 0.95
) -> list[Difference]:
    """Paired bootstrap test of every metric that both results have.

    Both must be evaluated with intervals, on the same targets and with the same draws (replicates, seed,
    groups), so that each replicate compares the two on the same rows.

    Args:
        first, second: of two predictors on the same rows.
        metrics: names; None = all that both have. level: of the intervals of the differences.

    Raises:
        InputError: a result without intervals, or of other rows or draws.

    Source:
        Berg-Kirkpatrick, Burkett, Klein, "An empirical investigation of statistical significance in NLP",
        EMNLP 2012; the add-one p-value is Davison and Hinkley's (1997, section 4.2).
    """
    for result, which in ((first, "first"), (second, "second")):
        if not result.replicates:
            raise InputError(f"the {which} result has no replicates; evaluate it with intervals=True")
    if first.draws_of != second.draws_of:
        raise InputError(
            "the two results are of other rows or other draws; evaluate both on the same targets with the "
            "same intervals="
        )
    names = [name for name in first if name in second] if metrics is None else list(metrics)
    return [_difference(name, first, second, level) for name in names]


def _difference(name: str, first: Result, second: Result, level: float) -> Difference:
    value = second[name] - first[name]
    drawn = second.replicates[name] - first.replicates[name]
    drawn = drawn[~np.isnan(drawn)]
    low, high = interval(drawn, level)
    if math.isnan(value) or not len(drawn):
        return Difference(name, first[name], second[name], value, low, high, math.nan)
    tail = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    p = min(1.0, 2.0 * (tail + 1) / (len(drawn) + 1))
    return Difference(name, first[name], second[name], value, low, high, p)
