"""The k highest labels of each row, above a floor; and at least one label where another rule gives none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot import _check
from manyhot.decide.goals import Cost, Floor, Goal
from manyhot.decide.points import label_masses
from manyhot.decide.rule import Decision, GoalLike, Rule, TuningData, single_goal
from manyhot.decide.scores import ScoreMatrix, absent_lowest, cell_numbers, row_numbers, shape_of
from manyhot.decide.tuning import PerLabelCut
from manyhot.labels import LabelSpace, Targets, TunedRows

LARGEST = 50  # k that is tried when k is tuned


@dataclass(frozen=True)
class TopK:
    """The k labels with the highest scores, those below the floor left out.

    Args:
        k: how many; None takes the k, of up to 50, that is best for the goal.
        floor: a label needs this score; None is no floor.
        goal: what k is tuned for; costs and floors count over all cells together.
    """

    k: int | None = None
    floor: float | None = None
    goal: GoalLike = "f1_samples"

    def __post_init__(self) -> None:
        if self.k is not None:
            _check.at_least("k", self.k, 1)

    @property
    def takes_goal(self) -> bool:
        """True where k is tuned."""
        return self.k is None

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "Highest":
        """See `Rule.fit`; with k given, only the labels are taken from the data, and no goal plays a part."""
        data = TuningData.of(scores, targets, space, rows, row_weight)
        floor = -np.inf if self.floor is None else self.floor
        if self.k is not None:
            return Highest(data.space, self.k, floor)
        k = _best_k(data, floor, single_goal(goal or self.goal))
        return Highest(data.space, k, floor, tuned_on=data.tuned_on)


@dataclass(frozen=True)
class Highest(Decision):
    """The fitted `TopK`: of equal scores the label further left wins."""

    kind: ClassVar[str] = "top_k"

    k: int
    floor: float = -np.inf

    @property
    def least_scores(self) -> int:
        """k."""
        return self.k

    def _decide(self, scores: ScoreMatrix) -> Targets:
        return highest(scores, self.k, self.floor)

    def _content(self) -> dict[str, Any]:
        return {"k": self.k, "floor": None if self.floor == -np.inf else self.floor}

    @classmethod
    def _read(cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None) -> "Highest":
        floor = content["floor"]
        return cls(space, int(content["k"]), -np.inf if floor is None else float(floor), tuned_on=tuned_on)


@dataclass(frozen=True)
class AtLeastOne:
    """Another rule, and where it gives a row no label, the one with the highest score.

    Args:
        rule: the other rule.
    """

    rule: Rule = field(default_factory=PerLabelCut)

    @property
    def takes_goal(self) -> bool:
        """As the other rule."""
        return self.rule.takes_goal

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> "NeverEmpty":
        """See `Rule.fit`."""
        fitted = self.rule.fit(scores, targets, goal, space=space, rows=rows, row_weight=row_weight)
        return NeverEmpty(fitted.space, fitted.without_rows(), tuned_on=fitted.tuned_on)


@dataclass(frozen=True)
class NeverEmpty(Decision):
    """The fitted `AtLeastOne`. A row without any score above -inf stays empty."""

    kind: ClassVar[str] = "at_least_one"

    rule: Decision

    @property
    def least_scores(self) -> int:
        """As many as the other rule."""
        return self.rule.least_scores

    def _decide(self, scores: ScoreMatrix) -> Targets:
        decided = self.rule.decide(scores)
        bare = np.flatnonzero(decided.row_counts() == 0)
        if not len(bare):
            return decided
        added = highest(scores[bare], 1, -np.inf).positives
        cells = (added.data, (bare[row_numbers(added)], added.indices))
        extra = csr_array(cells, shape=decided.shape)
        unknown = decided.unknown
        if unknown is not None:  # what is assigned is in doubt no longer
            unknown = unknown.astype(np.float32)
            unknown = unknown - unknown.multiply(extra)
        return Targets(decided.positives + extra, unknown)

    def _content(self) -> dict[str, Any]:
        return {"of": self.rule.to_dict()}

    @classmethod
    def _read(cls, content: Mapping[str, Any], space: LabelSpace, tuned_on: TunedRows | None) -> "NeverEmpty":
        from manyhot.decide import read_rule

        return cls(space, read_rule(content["of"], space), tuned_on=tuned_on)


def highest(scores: ScoreMatrix, k: int, floor: float) -> Targets:
    """Targets of the k highest cells of each row that reach the floor; -inf and absent cells never do."""
    rows, width = shape_of(scores)
    columns, values = ranked(scores, k)
    keep = (values >= floor) & (values > -np.inf)
    starts = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
    indices = columns[keep]
    return Targets(csr_array((np.ones(len(indices), np.float32), indices, starts), shape=(rows, width)))


def ranked(scores: ScoreMatrix, k: int) -> tuple[NDArray[np.int64], NDArray[np.floating[Any]]]:
    """Columns and scores (rows, k) of each row's highest cells, falling; filled up with score -inf."""
    rows, width = shape_of(scores)
    if isinstance(scores, csr_array):
        order = np.lexsort((scores.indices, np.negative(scores.data), row_numbers(scores)))
        rank = np.arange(len(order)) - np.repeat(scores.indptr[:-1], np.diff(scores.indptr))
        kept = rank < k
        columns = np.zeros((rows, k), np.int64)
        values = np.full((rows, k), -np.inf, scores.dtype)
        columns[row_numbers(scores)[kept], rank[kept]] = scores.indices[order][kept]
        values[row_numbers(scores)[kept], rank[kept]] = scores.data[order][kept]
        return columns, values
    k = min(k, width)
    dense = absent_lowest(scores)
    order = np.argsort(-dense, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(dense, order, axis=1)


def _best_k(data: TuningData, floor: float, goal: Goal) -> int:
    """The k with the highest figure; of equals the smallest."""
    targets = data.targets.harden()
    weight = np.ones(len(targets)) if data.weight is None else data.weight
    columns, values = ranked(data.scores, min(LARGEST, targets.width))
    cells = np.arange(len(targets))[:, None] * targets.width + columns
    kept = (values >= floor) & (values > -np.inf)
    if targets.unknown is not None:
        kept &= ~np.isin(cells, cell_numbers(targets.unknown))
    hits = np.isin(cells, cell_numbers(targets.positives)) & kept
    if goal.average == "samples":
        tp, fp = np.cumsum(hits, axis=1), np.cumsum(kept & ~hits, axis=1)
        hidden = 0 if targets.unknown is None else np.diff(targets.unknown.indptr)
        known, positives = np.full(len(targets), targets.width) - hidden, targets.row_counts()
    else:
        tp, fp = (_label_totals(columns, each, targets.width, weight) for each in (hits, kept & ~hits))
        positives, known = label_masses(targets, weight)
    if goal.average == "micro" or isinstance(goal, (Cost, Floor)):
        tp, fp, known, positives = (each.sum(axis=0, keepdims=True) for each in (tp, fp, known, positives))
    value = goal.value(tp, fp, positives[:, None], (known - positives)[:, None])
    if goal.average == "samples":
        value = value * weight[:, None]
    return 1 + int(np.argmax(value.sum(axis=0)))


def _label_totals(
    columns: NDArray[np.int64], chosen: NDArray[np.bool_], width: int, weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(labels, k) weight of the rows that have each label among their first 1, 2 .. k chosen cells."""
    places = columns * chosen.shape[1] + np.arange(chosen.shape[1])
    mass = np.broadcast_to(weight[:, None], chosen.shape)[chosen]
    counts = np.bincount(places[chosen], mass, minlength=width * chosen.shape[1]).astype(np.float64)
    return np.cumsum(counts.reshape(width, -1), axis=1)
