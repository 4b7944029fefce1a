"""Scores -> label sets: decision rules, what they are tuned for, calibration."""

from collections.abc import Mapping
from typing import Any

from manyhot import _check
from manyhot.decide.cuts import Cuts
from manyhot.decide.goals import MCC, BalancedAccuracy, Cost, FBeta, Floor, Goal, Jaccard, as_goal
from manyhot.decide.grouped import GroupArgmax, GroupChoice
from manyhot.decide.rule import Decision, GoalLike, Rule
from manyhot.decide.tuned_rows import TunedRows
from manyhot.decide.tuning import GlobalCut, PerLabelCut
from manyhot.labels import LabelSpace

# The names a command or a file may use. The contract tests walk both tables.
RULES: dict[str, type[Rule]] = {
    "global": GlobalCut,
    "per_label": PerLabelCut,
    "group_argmax": GroupArgmax,
}
DECISIONS: dict[str, type[Decision]] = {
    "cuts": Cuts,
    "group_argmax": GroupChoice,
}

__all__ = [
    "DECISIONS",
    "MCC",
    "RULES",
    "BalancedAccuracy",
    "Cost",
    "Cuts",
    "Decision",
    "FBeta",
    "Floor",
    "GlobalCut",
    "Goal",
    "GroupArgmax",
    "GroupChoice",
    "Jaccard",
    "PerLabelCut",
    "Rule",
    "TunedRows",
    "as_goal",
    "fit_rule",
    "read_rule",
    "rule_for",
]


def rule_for(space: LabelSpace, goal: GoalLike = "f1_macro", kind: str = "per_label", **options: Any) -> Rule:
    """The unfitted rule that suits a label space: `kind` for independent labels, arg-max in exclusive groups.

    Args:
        space: the labels.
        goal: of the independent labels.
        kind: a name in `RULES`.
        options: of that rule.

    Raises:
        OptionError: no such kind.
    """
    rule = (
        RULES[_check.one_of("kind", kind, RULES)](**options)
        if kind == "group_argmax"
        else _made(kind, goal, options)
    )
    return GroupArgmax(rule) if space.groups and kind != "group_argmax" else rule


def fit_rule(
    name: str, scores: Any, targets: Any, *, space: LabelSpace | None = None, rows: Any = None, **options: Any
) -> Decision:
    """Fit the rule of that name in `RULES`, made with these options."""
    rule = RULES[_check.one_of("rule", name, RULES)](**options)
    return rule.fit(scores, targets, space=space, rows=rows)


def read_rule(content: Mapping[str, Any], space: LabelSpace) -> Decision:
    """The fitted rule that `to_dict` wrote, by label name.

    Raises:
        InputError: the space has other labels than the rule.
        OptionError: a rule of an unknown kind.
    """
    kind = _check.one_of("rule", content.get("rule", ""), DECISIONS)
    return DECISIONS[kind].from_dict(content, space)


def _made(kind: str, goal: GoalLike, options: Mapping[str, Any]) -> Rule:
    return RULES[_check.one_of("kind", kind, RULES)](goal=goal, **options)  # type: ignore[call-arg]
