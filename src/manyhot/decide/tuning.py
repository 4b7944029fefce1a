"""The two rules everybody starts with: one cut for all labels, and a cut for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from manyhot import _check
from manyhot.decide.balance import balanced_points, weighed_points
from manyhot.decide.cuts import Cuts
from manyhot.decide.global_cut import best_global_cut, global_interval
from manyhot.decide.goals import Cost, FBeta, Floor, Goal, Jaccard, as_goal
from manyhot.decide.intervals import cut_intervals
from manyhot.decide.points import OperatingPoints
from manyhot.decide.rule import GoalLike, TuningData, single_goal
from manyhot.decide.samples import best_sample_cuts
from manyhot.decide.scores import RowWeight, ScoreMatrix
from manyhot.decide.shrinkage import TOLERANCE, Counts, shrunk_points
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace, Targets


@dataclass(frozen=True)
class GlobalCut:
    """One cut for all labels, the exact best of all that there are.

    Args:
        goal: any goal or its name; costs and floors count over all cells together.
        replicates: bootstrap replicates for the 90 % interval of the cut; 0 is no interval.
    """

    goal: GoalLike = "f1_micro"
    replicates: int = 0

    @property
    def takes_goal(self) -> bool:
        """Any goal; see `Rule`."""
        return True

    def __post_init__(self) -> None:
        _check.at_least("replicates", self.replicates, 0)

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
        """See `Rule.fit`."""
        data = TuningData.of(scores, targets, space, rows, row_weight)
        wanted, interval = single_goal(goal or self.goal), None
        cut = best_global_cut(data.scores, data.targets, wanted, data.weight)
        if self.replicates:
            sides = global_interval(data.scores, data.targets, wanted, cut, self.replicates, data.weight)
            interval = np.tile(sides, (len(data.space), 1))
        return Cuts(data.space, np.full(len(data.space), cut), interval=interval, tuned_on=data.tuned_on)


@dataclass(frozen=True)
class PerLabelCut:
    """A cut for each label, by an exact sweep.

    Micro and samples goals are optimised over all labels jointly, samples ones by ascent from several starts
    (see `samples` for how far that is from the best). Rare labels lean on labels of similar frequency, of
    cuts as good but for noise the middle one is taken, and for a macro goal the cuts are held from costing
    micro-F. With `strength=0, balance=0` there is nothing of this: the cuts are the exact best on these rows,
    for a micro goal all together, which overfits rare labels.

    Args:
        goal: a goal or its name, or a mapping from label names (and "*" for the rest) to goals.
        strength: of the shrinkage, in pseudo-positives (see `shrinkage`); 0 is none, and no middle cuts
            either. Floors and samples goals have neither, costs are shrunk but have no middle cuts.
        balance: weight of the micro figure beside a macro F-beta or Jaccard goal, in [0, 1]; "auto" takes the
            least with which micro-F, cross-validated on these rows, is not below that of the one best cut.
        replicates: bootstrap replicates for the 90 % interval of each cut; 0 is no intervals. Samples goals
            have none.
    """

    goal: GoalLike = "f1_macro"
    strength: float = 60.0
    balance: float | Literal["auto"] = "auto"
    replicates: int = 0

    @property
    def takes_goal(self) -> bool:
        """Any goal; see `Rule`."""
        return True

    def __post_init__(self) -> None:
        _check.at_least("strength", self.strength, 0.0)
        _check.at_least("replicates", self.replicates, 0)
        if not isinstance(self.balance, str):
            _check.between("balance", self.balance, 0.0, 1.0)
        else:
            _check.one_of("balance", self.balance, ("auto",))

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
        """See `Rule.fit`."""
        data = TuningData.of(scores, targets, space, rows, row_weight)
        cuts = np.full(len(data.space), np.inf)
        interval = np.full((len(data.space), 2), np.nan)
        goals = labels_of_goals(goal or self.goal, data.space)
        for each, columns in goals:
            alone = len(goals) == 1  # no need to copy all scores
            scores = data.scores if alone else data.scores[:, columns]
            part = data.targets if alone else data.targets.columns(columns)
            cuts[columns], interval[columns] = self._best(scores, part, each, data.weight)
        return Cuts(data.space, cuts, interval=interval if self.replicates else None, tuned_on=data.tuned_on)

    def _best(
        self, scores: ScoreMatrix, targets: Targets, goal: Goal, row_weight: RowWeight
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | float]:
        """Cuts and their intervals for labels that share a goal."""
        if goal.average == "samples":
            return best_sample_cuts(scores, targets, goal, row_weight), np.nan
        tolerance = TOLERANCE if self.strength and not isinstance(goal, (Cost, Floor)) else 0.0
        if isinstance(self.balance, str) and _has_micro_twin(goal):
            points, counts, weight = weighed_points(
                scores, targets, goal, self.strength, tolerance, row_weight
            )
        else:
            strength = 0 if isinstance(goal, Floor) else self.strength
            points, counts = shrunk_points(scores, targets, strength, row_weight)
            weight = self._weight(goal)

        def choose(points: OperatingPoints, counts: Counts) -> NDArray[np.int64]:
            if weight is not None:
                return balanced_points(points, counts, goal, weight, tolerance)
            value = counts.value(goal)
            if not tolerance:
                return points.best(value)
            return points.central(value, tolerance * counts.error(goal, points.starts))

        cuts = points.middle(choose(points, counts))
        if not self.replicates:
            return cuts, np.nan
        return cuts, cut_intervals(points, counts, choose, self.replicates)

    def _weight(self, goal: Goal) -> float | None:
        """Weight of the micro figure; None for goals that have no micro twin."""
        if isinstance(goal, (FBeta, Jaccard)) and goal.average == "micro":
            return 1.0
        return float(self.balance) if _has_micro_twin(goal) else None


def _has_micro_twin(goal: Goal) -> bool:
    return isinstance(goal, (FBeta, Jaccard)) and goal.average == "macro"


def labels_of_goals(goal: GoalLike, space: LabelSpace) -> list[tuple[Goal, NDArray[np.intp]]]:
    """Each goal with the columns of its labels.

    Raises:
        InputError: a goal for a label that is not in the space.
        OptionError: a label without a goal, where there is no "*".
    """
    if isinstance(goal, (str, Goal)):
        return [(as_goal(goal), np.arange(len(space)))]
    space.columns([name for name in goal if name != "*"])
    rest = [name for name in space.names if name not in goal]
    if rest and "*" not in goal:
        raise OptionError(f"no goal for label {rest[0]!r} and {len(rest) - 1} more; add a goal for '*'")
    wanted: dict[Goal, list[str]] = {}
    for name in space.names:
        wanted.setdefault(as_goal(goal.get(name, goal.get("*", ""))), []).append(name)
    return [(each, space.columns(names)) for each, names in wanted.items()]
