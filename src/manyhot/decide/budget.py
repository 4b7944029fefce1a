"""Cuts by what decisions cost: reviewers' time, misses and false alarms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from manyhot import _check
from manyhot.decide.cuts import Cuts, assigned
from manyhot.decide.goals import Cost
from manyhot.decide.points import OperatingPoints, operating_points, rows_of
from manyhot.decide.rule import GoalLike, TuningData
from manyhot.decide.scores import ScoreMatrix
from manyhot.decide.tuning import PerLabelCut, labels_of_goals
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets

HALVINGS = 60


@dataclass(frozen=True)
class ReviewBudget:
    """The cuts that find most positives while no more than a share of the tuning rows is sent to review.

    All cuts stop at one price: the positives found by one more review. What is left of the budget is then
    spent on the labels' next steps, the richest first, so that less remains than any of them costs.

    Args:
        share: of the rows, > 0. Above 1 only for `per="labels"`.
        per: "rows" counts a row with any assigned label once; "labels" counts every assigned label.
    """

    share: float = 0.02
    per: Literal["rows", "labels"] = "rows"

    def __post_init__(self) -> None:
        _check.at_least("share", self.share, np.nextafter(0, 1))
        _check.one_of("per", self.per, ("rows", "labels"))

    def fit(
        self,
        scores: Any,
        targets: Any,
        *,
        space: LabelSpace | None = None,
        goal: GoalLike | None = None,
        rows: Iterable[Any] | None = None,
    ) -> Cuts:
        """See `Rule.fit`. The budget is the goal; another is refused."""
        if goal is not None:
            raise OptionError(f"ReviewBudget maximises recall within its budget, got the goal {goal!r}")
        data = TuningData.of(scores, targets, space, rows)
        points = operating_points(data.scores, data.targets)
        allowed = self.share * len(data.targets)
        kept, over = points.starts[:-1], points.starts[1:] - 1
        # price 1: a review must find a positive; price 0: every cut down to the last positive
        low, high = -1e-9, 1.0
        for _ in range(HALVINGS):
            price = (low + high) / 2
            index = points.best(points.tp - price * (points.tp + points.fp))
            if self._reviews(assigned(data.scores, points.middle(index))) <= allowed:
                kept, high = index, price
            else:
                over, low = index, price
        return Cuts(data.space, self._spend(data.scores, points, kept, over, allowed), tuned_on=data.tuned_on)

    def _reviews(self, decided: Targets) -> int:
        return int(np.count_nonzero(decided.row_counts()) if self.per == "rows" else decided.positives.nnz)

    def _spend(
        self,
        scores: ScoreMatrix,
        points: OperatingPoints,
        kept: NDArray[np.int64],
        over: NDArray[np.int64],
        allowed: float,
    ) -> NDArray[np.float64]:
        """Cuts: label by label the deepest point, no deeper than `over`, that what is left can pay."""
        cuts = points.middle(kept)
        decided = assigned(scores, cuts)
        left = allowed - self._reviews(decided)
        reviewed = (decided.row_counts() > 0) & (self.per == "rows")
        columns = csc_array(scores) if isinstance(scores, csr_array) else None
        found = points.tp[over] - points.tp[kept]
        rate = found / np.maximum(found + points.fp[over] - points.fp[kept], 1)
        for label in np.argsort(-rate, kind="stable"):
            if columns is None:
                rows, column = np.arange(len(reviewed)), scores[:, label]
            else:
                rows = rows_of(columns, label)
                column = columns.data[columns.indptr[label] : columns.indptr[label + 1]]
            fresh = np.sort(column[~reviewed[rows] & (column < cuts[label])])
            deeper = points.middle(np.arange(int(kept[label]), int(over[label]) + 1))
            price = len(fresh) - np.searchsorted(fresh, deeper)
            step = np.flatnonzero(price <= left)
            if len(step) and step[-1]:
                cuts[label] = deeper[step[-1]]
                left -= price[step[-1]]
                reviewed[rows] |= (column >= cuts[label]) & (self.per == "rows")
        return cuts


@dataclass(frozen=True)
class CostCut:
    """The cuts with the least cost of misses and false alarms.

    Args:
        costs: label -> (cost of a miss, cost of a false alarm); "*" for the labels not named.
        calibrated: the scores are probabilities: cut where both errors cost the same, without looking at the
            targets (Elkan, The foundations of cost-sensitive learning, IJCAI 2001).
        strength: of the shrinkage of rare labels, see `PerLabelCut`.
    """

    costs: Mapping[str, tuple[float, float]] = field(default_factory=lambda: {"*": (1.0, 1.0)})
    calibrated: bool = False
    strength: float = 60.0

    def fit(
        self,
        scores: Any,
        targets: Any,
        *,
        space: LabelSpace | None = None,
        goal: GoalLike | None = None,
        rows: Iterable[Any] | None = None,
    ) -> Cuts:
        """See `Rule.fit`. The costs are the goal; another is refused."""
        if goal is not None:
            raise OptionError(f"CostCut minimises its costs, got the goal {goal!r}")
        goals = {name: Cost(*pair) for name, pair in self.costs.items()}
        if not self.calibrated:
            return PerLabelCut(goals, self.strength).fit(scores, targets, space=space, rows=rows)
        data = TuningData.of(scores, targets, space, rows)
        cuts = np.empty(len(data.space))
        for each, columns in labels_of_goals(goals, data.space):
            assert isinstance(each, Cost)
            both = each.miss + each.false_alarm
            cuts[columns] = each.false_alarm / both if both else 0.5
        return Cuts(data.space, cuts, tuned_on=data.tuned_on)
