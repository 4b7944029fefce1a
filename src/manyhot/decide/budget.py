"""Cuts by what decisions cost: reviewers' time, misses and false alarms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from manyhot import _check
from manyhot.decide.cuts import Cuts
from manyhot.decide.goals import Cost
from manyhot.decide.knapsack import Offers, best_within
from manyhot.decide.ladders import Ladder, ladders_of
from manyhot.decide.points import operating_points
from manyhot.decide.reviews import best_reviews
from manyhot.decide.rule import GoalLike, TuningData
from manyhot.decide.scores import RowWeight, ScoreMatrix
from manyhot.decide.tuning import PerLabelCut, labels_of_goals
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets

EDGE = 1e-12  # 0.29 * 100 must pay 29 reviews


@dataclass(frozen=True)
class ReviewBudget:
    """The cuts that find most positives while no more than a share of the tuning rows is sent to review.

    `per="labels"` finds the most that any cuts find (see `knapsack`; with more than 100,000 ways left open,
    the best of these). `per="rows"`, where labels share what a row costs, is a search (see `reviews`): it
    finds at least what the best one cut for all labels finds, and no label alone can be cut elsewhere for
    more. Of 1,000 tiny cases in which all cuts could be tried it missed the most in 2, by one positive each.

    Args:
        share: of the rows, > 0. Above 1 only for `per="labels"`.
        per: "rows" counts a row with any assigned label once; "labels" counts every assigned label. Cells
            whose truth is unknown count too.
    """

    share: float = 0.02
    per: Literal["rows", "labels"] = "rows"

    @property
    def takes_goal(self) -> bool:
        """It keeps its own; see `Rule`."""
        return False

    def __post_init__(self) -> None:
        _check.at_least("share", self.share, np.nextafter(0, 1))
        _check.one_of("per", self.per, ("rows", "labels"))

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> Cuts:
        """See `Rule.fit`. The budget is the goal; another is refused."""
        if goal is not None:
            raise OptionError(f"ReviewBudget maximises recall within its budget, got the goal {goal!r}")
        data = TuningData.of(scores, targets, space, rows, row_weight)
        hard = data.targets.harden()
        whole = len(hard) if data.weight is None else float(data.weight.sum())
        best = _most_labels if self.per == "labels" else _most_rows
        cuts = best(data.scores, hard.assume_negative(), data.weight, self.share * whole * (1 + EDGE))
        return Cuts(data.space, cuts, tuned_on=data.tuned_on)


def _most_labels(
    scores: ScoreMatrix, targets: Targets, weight: RowWeight, budget: float
) -> NDArray[np.float64]:
    """Cuts of most positives that assign no more than the budget."""
    points = operating_points(scores, targets, weight=weight)
    return points.middle(best_within(Offers(points.tp + points.fp, points.tp, points.starts), budget))


def _most_rows(
    scores: ScoreMatrix, targets: Targets, weight: RowWeight, budget: float
) -> NDArray[np.float64]:
    """Cuts of many positives that assign anything in rows of no more than the budget."""
    mass = np.ones(len(targets)) if weight is None else weight
    ladders = [_payable(ladder, mass, budget) for ladder in ladders_of(scores, targets)]
    taken = best_reviews(ladders, mass, budget, _one_cut(ladders, mass, budget))
    return np.array([ladder.cut(count) for ladder, count in zip(ladders, taken, strict=True)])


def _payable(ladder: Ladder, mass: NDArray[np.float64], budget: float) -> Ladder:
    """The ladder down to where its own rows are more than the budget."""
    spent = np.concatenate([[0.0], np.cumsum(mass[ladder.rows])])
    return ladder.shortened(int(np.searchsorted(spent[ladder.ends], budget, side="right")))


def _one_cut(ladders: list[Ladder], mass: NDArray[np.float64], budget: float) -> list[int]:
    """Cells of each ladder that the one lowest cut within the budget takes."""
    highest = np.full(len(mass), -np.inf)
    for ladder in ladders:
        np.maximum.at(highest, ladder.rows, ladder.scores)
    order = np.argsort(-highest, kind="stable")
    within = np.cumsum(mass[order]) <= budget
    beyond = highest[order[int(within.sum())]] if not within.all() else -np.inf
    return [int(np.searchsorted(-ladder.scores, -beyond, side="left")) for ladder in ladders]


@dataclass(frozen=True)
class CostCut:
    """The cuts with the least cost of misses and false alarms.

    Args:
        costs: label -> (cost of a miss, cost of a false alarm); "*" for the labels not named.
        calibrated: the scores are probabilities: cut where both errors cost the same, without looking at the
            targets (Elkan, The foundations of cost-sensitive learning, IJCAI 2001).
        strength: of the shrinkage of rare labels, see `PerLabelCut`.
        replicates: bootstrap replicates for the 90 % interval of each cut; 0 is no intervals. Cuts of
            calibrated probabilities follow from the costs alone and have none.
    """

    costs: Mapping[str, tuple[float, float]] = field(default_factory=lambda: {"*": (1.0, 1.0)})
    calibrated: bool = False
    strength: float = 60.0
    replicates: int = 0

    @property
    def takes_goal(self) -> bool:
        """It keeps its own; see `Rule`."""
        return False

    def fit(
        self,
        scores: Any,
        targets: Any,
        goal: GoalLike | None = None,
        *,
        space: LabelSpace | None = None,
        rows: Iterable[Any] | None = None,
        row_weight: Any = None,
    ) -> Cuts:
        """See `Rule.fit`. The costs are the goal; another is refused."""
        if goal is not None:
            raise OptionError(f"CostCut minimises its costs, got the goal {goal!r}")
        goals = {name: Cost(*pair) for name, pair in self.costs.items()}
        if not self.calibrated:
            rule = PerLabelCut(goals, self.strength, replicates=self.replicates)
            return rule.fit(scores, targets, space=space, rows=rows, row_weight=row_weight)
        data = TuningData.of(scores, targets, space, rows, row_weight)
        cuts = np.empty(len(data.space))
        for each, columns in labels_of_goals(goals, data.space):
            assert isinstance(each, Cost)
            both = each.miss + each.false_alarm
            cuts[columns] = each.false_alarm / both if both else 0.5
        return Cuts(data.space, cuts)
