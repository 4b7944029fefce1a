"""The second stage of a split: units of equal weight change places while that brings shares closer."""

from dataclasses import dataclass
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
    problem = _Problem.of(evidence, weights, rows / rows.sum(), importance, fixed, covered)
    for pair in combinations(range(len(rows)), 2):
        part = _exchanged_between(problem, part, pair)
    return part


@dataclass(frozen=True)
class _Problem:
    """What stays the same while units change places. Counts are (evidence, parts) or (labels, parts)."""

    evidence: Any
    by_evidence: Any  # its transpose
    presence: Any  # (units, covered labels), 1 where the unit has the label
    by_label: Any  # its transpose
    weights: NDArray[np.int64]
    fixed: NDArray[np.bool_]
    wanted: NDArray[np.float64]
    worth: NDArray[np.float64]  # of a squared deviation from `wanted`
    squared: NDArray[np.float64]  # (units, parts), the part of a move's cost that no other move changes

    @classmethod
    def of(
        cls,
        evidence: csr_array,
        weights: NDArray[np.int64],
        shares: NDArray[np.float64],
        importance: NDArray[np.float64],
        fixed: NDArray[np.bool_],
        covered: int,
    ) -> "_Problem":
        wanted = np.asarray(evidence.sum(axis=0), np.float64)[:, None] * shares
        worth = np.divide(importance[:, None], wanted, out=np.zeros_like(wanted), where=wanted > 0)
        presence = (evidence[:, :covered] > 0).astype(np.float64)
        squared = evidence.multiply(evidence).tocsr() @ worth
        by_evidence, by_label = evidence.T.tocsr(), presence.T.tocsr()
        return cls(evidence, by_evidence, presence, by_label, weights, fixed, wanted, worth, squared)

    def distance(self, counts: NDArray[np.float64]) -> float:
        return float((np.square(counts - self.wanted) * self.worth).sum())


def _exchanged_between(problem: _Problem, part: NDArray[np.int8], pair: tuple[int, int]) -> NDArray[np.int8]:
    """Exchange many units at once while that helps, then half as many, down to single ones."""
    parts = problem.wanted.shape[1]
    most = max(1, min(int((part == side).sum()) for side in pair) // 4)
    counts, bearers = _counts(problem.by_evidence, part, parts), _counts(problem.by_label, part, parts)
    for _ in range(ROUNDS):
        leaving, entering = _costs(problem, counts, pair)
        # the last unit with a label does not leave its part
        last = (problem.presence @ (bearers == 1).astype(np.float64))[np.arange(len(part)), part] > 0
        free = ~problem.fixed & ~last
        while True:
            chosen = _matched(part, problem.weights, leaving, entering, free, pair, most)
            tried = part.copy()
            tried[chosen] = sum(pair) - part[chosen]
            new, new_bearers = (
                _counts(problem.by_evidence, tried, parts),
                _counts(problem.by_label, tried, parts),
            )
            lost = ((new_bearers == 0) & (bearers > 0)).any()
            if not lost and problem.distance(new) < problem.distance(counts) - 1e-9:
                part, counts, bearers = tried, new, new_bearers
                break
            most //= 2
            if most == 0:
                return part
    return part


def _costs(
    problem: _Problem, counts: NDArray[np.float64], pair: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(units,) change of the distance if a unit of the first part went to the second, and the reverse."""
    here, there = pair
    slope = problem.evidence @ (2 * (counts - problem.wanted) * problem.worth)[:, [here, there]]
    rise, own = slope[:, 1] - slope[:, 0], problem.squared[:, here] + problem.squared[:, there]
    return own + rise, own - rise


def _matched(
    part: NDArray[np.int8],
    weights: NDArray[np.int64],
    leaving: NDArray[np.float64],
    entering: NDArray[np.float64],
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
        leave = leave[np.argsort(leaving[leave], kind="stable")][:most]
        enter = enter[np.argsort(entering[enter], kind="stable")][:most]
        pairs = min(len(leave), len(enter))
        helps = leaving[leave[:pairs]] + entering[enter[:pairs]] < 0
        chosen += [leave[:pairs][helps], enter[:pairs][helps]]
    return np.concatenate(chosen) if chosen else np.zeros(0, np.intp)


def _counts(by_evidence: Any, part: NDArray[np.int8], parts: int) -> NDArray[np.float64]:
    return by_evidence @ np.eye(parts)[part]
