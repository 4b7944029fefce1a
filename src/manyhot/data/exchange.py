"""The second stage of a split: units of equal weight change places while that brings shares closer."""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

# Most exchanges help within the first rounds; the rest is for data with many labels a row.
ROUNDS = 60


def exchange(
    evidence: csr_array,
    part: NDArray[np.int8],
    weights: NDArray[np.int64],
    importance: NDArray[np.float64],
    *,
    fixed: NDArray[np.bool_],
    covered: int,
) -> NDArray[np.int8]:
    """Parts in which every evidence is nearer to its share than in `part`, of the same sizes.

    The distance is the chi-square one: squared deviations from the expected counts over these counts.

    Args:
        evidence: (units, evidence), values >= 0.
        part: (units,), where each unit is.
        weights: (units,), rows of each unit; units change places with units of equal weight.
        importance: (evidence,), weight of each evidence in the distance.
        fixed: (units,), units that stay.
        covered: the first so many evidences are not taken out of a part altogether.
    """
    rows = np.bincount(part, weights, int(part.max()) + 1)
    totals = np.asarray(evidence.sum(axis=0), np.float64)
    wanted = totals[:, None] * (rows / rows.sum())
    worth = np.divide(importance[:, None], wanted, out=np.zeros_like(wanted), where=wanted > 0)
    squared = evidence.multiply(evidence).tocsr() @ worth
    by_evidence = evidence.T.tocsr()
    presence = (evidence[:, :covered] > 0).astype(np.float64)
    part = part.copy()
    counts = _counts(by_evidence, part, len(rows))
    for here, there in combinations(range(len(rows)), 2):
        most = max(1, int(min((part == here).sum(), (part == there).sum())) // 4)
        for _ in range(ROUNDS):
            slope = evidence @ (2 * (counts - wanted) * worth)[:, [here, there]]
            cost = slope[:, 1] - slope[:, 0] + squared[:, here] + squared[:, there]
            back = slope[:, 0] - slope[:, 1] + squared[:, here] + squared[:, there]
            free = ~fixed & ~_last_bearers(presence, part, len(rows))
            chosen = _matched(part, weights, cost, back, free, (here, there), most)
            tried = part.copy()
            tried[chosen] = here + there - part[chosen]
            new = _counts(by_evidence, tried, len(rows))
            lost = ((new == 0) & (counts > 0))[:covered].any()
            if not lost and _distance(new, wanted, worth) < _distance(counts, wanted, worth) - 1e-9:
                part, counts = tried, new
            elif most > 1:
                most //= 2
            else:
                break
    return part


def _matched(
    part: NDArray[np.int8],
    weights: NDArray[np.int64],
    cost: NDArray[np.float64],
    back: NDArray[np.float64],
    free: NDArray[np.bool_],
    pair: tuple[int, int],
    most: int,
) -> NDArray[np.intp]:
    """Units of both parts, at most `most` of each and of each weight, whose exchange seems to help."""
    chosen: list[NDArray[np.intp]] = []
    here, there = (np.flatnonzero(free & (part == side)) for side in pair)
    for weight in np.intersect1d(weights[here], weights[there]):
        leave = here[weights[here] == weight]
        enter = there[weights[there] == weight]
        leave = leave[np.argsort(cost[leave], kind="stable")][:most]
        enter = enter[np.argsort(back[enter], kind="stable")][:most]
        pairs = min(len(leave), len(enter))
        helps = cost[leave[:pairs]] + back[enter[:pairs]] < 0
        chosen += [leave[:pairs][helps], enter[:pairs][helps]]
    return np.concatenate(chosen) if chosen else np.zeros(0, np.intp)


def _last_bearers(presence: Any, part: NDArray[np.int8], parts: int) -> NDArray[np.bool_]:
    """(units,), units that are the only one with a label in their part."""
    alone = _counts(presence.T.tocsr(), part, parts) == 1
    return (presence @ alone.astype(np.float64))[np.arange(len(part)), part] > 0


def _counts(by_evidence: Any, part: NDArray[np.int8], parts: int) -> NDArray[np.float64]:
    return by_evidence @ np.eye(parts)[part]


def _distance(counts: NDArray[np.float64], wanted: NDArray[np.float64], worth: NDArray[np.float64]) -> float:
    return float((np.square(counts - wanted) * worth).sum())
