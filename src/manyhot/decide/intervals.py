"""How sure a cut is: the cuts that the same sweep would have chosen on other rows of the same source."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manyhot.decide.points import OperatingPoints
from manyhot.decide.shrinkage import Counts

LEVEL = 0.9


def cut_intervals(
    points: OperatingPoints,
    counts: Counts,
    choose: Callable[[OperatingPoints, Counts], NDArray[np.int64]],
    replicates: int,
    seed: int = 0,
) -> NDArray[np.float64]:
    """(labels, 2) the 90 % percentile interval of each label's cut under the Poisson bootstrap.

    Each cell is drawn a Poisson number of times, once on average and as often as its row weighs, so the
    counts between two points are Poisson; borrowed counts stay as they are.

    Source: Hanley and MacGibbon, Computer Methods and Programs in Biomedicine 83(1), 2006.
    """
    rng = np.random.default_rng(seed)
    spread = points.labels
    borrowed = counts.tp - points.tp, counts.fp - points.fp
    extra = counts.positives - points.positives[spread], counts.negatives - points.negatives[spread]
    last = points.starts[1:] - 1
    chosen = np.empty((replicates, len(points.positives)))
    for k in range(replicates):
        tp, fp = (_redrawn(each, points, rng) for each in (points.tp, points.fp))
        positives = tp[last] + rng.poisson(points.positives - points.tp[last])
        negatives = fp[last] + rng.poisson(points.negatives - points.fp[last])
        drawn = Counts(
            tp + borrowed[0], fp + borrowed[1], positives[spread] + extra[0], negatives[spread] + extra[1]
        )
        redrawn = replace(points, tp=tp, fp=fp, positives=positives, negatives=negatives)
        chosen[k] = points.middle(choose(redrawn, drawn))
    # the infinities are ranks like others, so no interpolation between them
    sides = np.quantile(chosen, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0, method="inverted_cdf")
    return sides.T


def _redrawn(
    counts: NDArray[np.float64], points: OperatingPoints, rng: np.random.Generator
) -> NDArray[np.float64]:
    steps = np.diff(counts, prepend=0)
    steps[points.starts[:-1]] = 0
    total = np.cumsum(rng.poisson(steps)).astype(np.float64)
    return total - total[points.starts[:-1]][points.labels]
