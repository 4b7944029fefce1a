"""Scores -> label sets: decision rules, what they are tuned for, calibration."""

from collections.abc import Callable, Mapping
from typing import Any

from manyhot import _check
from manyhot.decide.budget import CostCut, ReviewBudget
from manyhot.decide.calibration import (
    Calibrated,
    CalibratedDecision,
    Calibration,
    Calibrator,
    Reliability,
    reliability,
)
from manyhot.decide.conformal import AbstainBand, Bands, Conformal
from manyhot.decide.cuts import Cuts
from manyhot.decide.expected_f import BestExpectedF, ExpectedF
from manyhot.decide.goals import MCC, BalancedAccuracy, Cost, FBeta, Floor, Goal, Jaccard, as_goal
from manyhot.decide.grouped import GroupArgmax, GroupChoice, at_half
from manyhot.decide.legal import BestLegalSet, Legal
from manyhot.decide.macro_at_k import GainAtK, MacroAtK, macro_at_k
from manyhot.decide.rule import Decision, GoalLike, Rule
from manyhot.decide.top_k import AtLeastOne, Highest, NeverEmpty, TopK
from manyhot.decide.tuning import GlobalCut, PerLabelCut
from manyhot.labels import LabelSpace, TunedRows

# The names a command or a file may use. The contract tests walk both tables.
RULES: dict[str, Callable[..., Rule]] = {
    "global": GlobalCut,
    "per_label": PerLabelCut,
    "top_k": TopK,
    "at_least_one": AtLeastOne,
    "expected_f": ExpectedF,
    "macro_at_k": MacroAtK,
    "cost": CostCut,
    "review_budget": ReviewBudget,
    "group_argmax": GroupArgmax,
    "legal": Legal,
    "conformal": Conformal,
    "abstain": AbstainBand,
    "calibrated": Calibrated,
}
DECISIONS: dict[str, type[Decision]] = {
    each.kind: each
    for each in (
        Cuts,
        Highest,
        NeverEmpty,
        BestExpectedF,
        GainAtK,
        GroupChoice,
        BestLegalSet,
        Bands,
        CalibratedDecision,
    )
}

__all__ = [
    "DECISIONS",
    "MCC",
    "RULES",
    "AbstainBand",
    "AtLeastOne",
    "BalancedAccuracy",
    "Bands",
    "BestExpectedF",
    "BestLegalSet",
    "Calibrated",
    "CalibratedDecision",
    "Calibration",
    "Calibrator",
    "Conformal",
    "Cost",
    "CostCut",
    "Cuts",
    "Decision",
    "ExpectedF",
    "FBeta",
    "Floor",
    "GainAtK",
    "GlobalCut",
    "Goal",
    "GroupArgmax",
    "GroupChoice",
    "Highest",
    "Jaccard",
    "Legal",
    "MacroAtK",
    "NeverEmpty",
    "PerLabelCut",
    "Reliability",
    "ReviewBudget",
    "Rule",
    "TopK",
    "TunedRows",
    "as_goal",
    "at_half",
    "fit_rule",
    "macro_at_k",
    "read_rule",
    "reliability",
    "rule_for",
]


def rule_for(
    space: LabelSpace, goal: GoalLike | None = None, kind: str = "per_label", **options: Any
) -> Rule:
    """The unfitted rule that suits a label space.

    `kind` decides the independent labels. A space with exclusive groups gets the arg-max in each; one with
    parents or rules gets the best legal set, for which `kind` must be one that fits cuts.

    Args:
        space: the labels.
        goal: of the labels that `kind` decides; None is the kind's own.
        kind: a name in `RULES`.
        options: of that rule.

    Raises:
        OptionError: no such kind.
    """
    if goal is not None:
        options = {"goal": goal, **options}
    rule = RULES[_check.one_of("kind", kind, RULES)](**options)
    if kind in ("group_argmax", "legal"):
        return rule
    if space.parents or space.rules:
        return Legal(rule)
    return GroupArgmax(rule) if space.groups else rule


def fit_rule(
    name: str,
    scores: Any,
    targets: Any,
    *,
    space: LabelSpace | None = None,
    rows: Any = None,
    row_weight: Any = None,
    **options: Any,
) -> Decision:
    """Fit the rule of that name in `RULES`, made with these options."""
    rule = RULES[_check.one_of("rule", name, RULES)](**options)
    return rule.fit(scores, targets, space=space, rows=rows, row_weight=row_weight)


def read_rule(content: Mapping[str, Any], space: LabelSpace) -> Decision:
    """The fitted rule that `to_dict` wrote, by label name.

    Raises:
        InputError: the space has other labels than the rule.
        OptionError: a rule of an unknown kind.
    """
    kind = _check.one_of("rule", content.get("rule", ""), DECISIONS)
    return DECISIONS[kind].from_dict(content, space)
