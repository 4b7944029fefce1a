"""The two rules everybody starts with: one cut for all labels, and a cut for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyhot.decide.cuts import Cuts
from manyhot.decide.goals import Goal, as_goal
from manyhot.decide.optimum import best_global_cut, best_points
from manyhot.decide.points import operating_points
from manyhot.decide.rule import GoalLike, TuningData
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace


@dataclass(frozen=True)
class GlobalCut:
    """One cut for all labels, the exact best of all that there are.

    Args:
        goal: any goal or its name; costs and floors count over all cells together.
    """

    goal: GoalLike = "f1_micro"

    def fit(
        self,
        scores: Any,
        targets: Any,
        *,
        space: LabelSpace | None = None,
        goal: GoalLike | None = None,
        rows: Iterable[Any] | None = None,
    ) -> Cuts:
        """See `Rule.fit`."""
        data = TuningData.of(scores, targets, space, rows)
        cut = best_global_cut(data.scores, data.targets, single_goal(goal or self.goal))
        return Cuts(data.space, np.full(len(data.space), cut), tuned_on=data.tuned_on)


@dataclass(frozen=True)
class PerLabelCut:
    """A cut for each label, by an exact sweep; micro goals are optimised over all labels jointly.

    A label without a positive is never assigned.

    Args:
        goal: a goal or its name, or a mapping from label names (and "*" for the rest) to goals.
    """

    goal: GoalLike = "f1_macro"

    def fit(
        self,
        scores: Any,
        targets: Any,
        *,
        space: LabelSpace | None = None,
        goal: GoalLike | None = None,
        rows: Iterable[Any] | None = None,
    ) -> Cuts:
        """See `Rule.fit`."""
        data = TuningData.of(scores, targets, space, rows)
        points = operating_points(data.scores, data.targets)
        cuts = points.middle(best_points(points, single_goal(goal or self.goal)))
        return Cuts(data.space, cuts, tuned_on=data.tuned_on)


def single_goal(goal: GoalLike) -> Goal:
    """The goal that all labels have."""
    if isinstance(goal, (str, Goal)):
        return as_goal(goal)
    if set(goal) == {"*"}:
        return as_goal(goal["*"])
    raise OptionError(f"expected one goal for all labels, got goals for {', '.join(map(repr, goal))}")
