"""The k highest labels of each row, above a floor; and at least one label where another rule gives none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from manyhot import _check
from manyhot.decide.goals import Goal
from manyhot.decide.rule import Decision, GoalLike, Rule, TuningData, single_goal
from manyhot.decide.scores import ScoreMatrix, absent_lowest, row_numbers, shape_of
from manyhot.decide.tuned_rows import TunedRows
from manyhot.decide.tuning import PerLabelCut
from manyhot.labels import LabelSpace, Targets

LARGEST = 50  # k that is tried when k is tuned


@dataclass(frozen=True)
class TopK:
    """The k labels with the highest scores, those below the floor left out.

    Args:
        k: how many; None takes the k, of up to 50, that is best for the goal.
        floor: a label needs this score; None is no floor.
        goal: what k is tuned for, micro or samples.
    """

    k: int | None = None
    floor: float | None = None
    goal: GoalLike = "f1_samples"

    def __post_init__(self) -> None:
        if self.k is not None:
            _check.at_least("k", self.k, 1)

    def fit(
        self,
        scores: Any,
        targets: Any,
        *,
        space: LabelSpace | None = None,
        goal: GoalLike | None = None,
        rows: Iterable[Any] | None = None,
    ) -> "Highest":
        """See `Rule.fit`; with k given, only the labels are taken from the data."""
        data = TuningData.of(scores, targets, space, rows)
        floor = -np.inf if self.floor is None else self.floor
        k = self.k or _best_k(data.scores, data.targets, floor, single_goal(goal or self.goal))
        return Highest(data.space, k, floor, tuned_on=data.tuned_on)


@dataclass(frozen=True)
class Highest(Decision):
    """The fitted `TopK`: of equal scores the label further left wins."""

    kind: ClassVar[str] = "top_k"

    k: int
    floor: float = -np.inf

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

    def fit(
        self,
        scores: Any,
        targets: Any,
        *,
        space: LabelSpace | None = None,
        goal: GoalLike | None = None,
        rows: Iterable[Any] | None = None,
    ) -> "NeverEmpty":
        """See `Rule.fit`."""
        fitted = self.rule.fit(scores, targets, space=space, goal=goal, rows=rows)
        return NeverEmpty(fitted.space, fitted, tuned_on=fitted.tuned_on)


@dataclass(frozen=True)
class NeverEmpty(Decision):
    """The fitted `AtLeastOne`. A row without any score above -inf stays empty."""

    kind: ClassVar[str] = "at_least_one"

    rule: Decision

    def _decide(self, scores: ScoreMatrix) -> Targets:
        decided = self.rule.decide(scores)
        bare = np.flatnonzero(decided.row_counts() == 0)
        if not len(bare):
            return decided
        added = highest(scores[bare], 1, -np.inf).positives
        place = np.zeros(len(decided), np.int64)
        place[bare] = np.diff(added.indptr)
        counts = decided.row_counts() + place
        indices = np.empty(counts.sum(), np.int64)
        starts = np.concatenate([[0], np.cumsum(counts)])
        new = np.zeros(len(indices), bool)
        new[starts[:-1][place > 0]] = True
        indices[new], indices[~new] = added.indices, decided.positives.indices
        return Targets(csr_array((np.ones(len(indices), np.float32), indices, starts), shape=decided.shape))

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


def _best_k(scores: ScoreMatrix, targets: Targets, floor: float, goal: Goal) -> int:
    """The k with the highest micro or samples figure; of equals the smallest."""
    targets = targets.harden(0.5) if targets.is_soft else targets
    columns, values = ranked(scores, min(LARGEST, targets.width))
    cells = np.arange(len(targets))[:, None] * targets.width + columns
    truth = (
        np.repeat(np.arange(len(targets)), targets.row_counts()) * targets.width + targets.positives.indices
    )
    kept = (values >= floor) & (values > -np.inf)
    if targets.unknown is not None:
        hidden = row_numbers(targets.unknown) * targets.width + targets.unknown.indices
        kept &= ~np.isin(cells, hidden)
    hits = np.isin(cells, truth) & kept
    tp, assigned = np.cumsum(hits, axis=1), np.cumsum(kept, axis=1)
    positives = targets.row_counts()[:, None]
    negatives = targets.width - positives
    if goal.average != "samples":
        tp, assigned = tp.sum(axis=0), assigned.sum(axis=0)
        positives, negatives = positives.sum(), negatives.sum()
    value = goal.value(tp, assigned - tp, positives, negatives)
    return 1 + int(np.argmax(value if value.ndim == 1 else value.sum(axis=0)))
