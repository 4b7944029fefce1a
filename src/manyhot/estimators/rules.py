"""How an estimator fits a rule of `manyhot.decide` to its own rows, and what a goal says of decided rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from manyhot.decide import (
    AtLeastOne,
    CostCut,
    Decision,
    ExpectedF,
    GlobalCut,
    Goal,
    GroupArgmax,
    Legal,
    MacroAtK,
    PerLabelCut,
    Rule,
    rule_for,
)
from manyhot.decide.tuning import labels_of_goals
from manyhot.estimators.strongest import strongest
from manyhot.labels import LabelSpace, Targets


def fitted_rule(
    rule: Rule | None,
    scores: NDArray[Any],
    targets: Targets,
    space: LabelSpace,
    *,
    goal: Any = None,
    weight: NDArray[np.float64] | None = None,
    rows: NDArray[Any] | None = None,
) -> Decision:
    """The rule, tuned on rows that the scores' model has not seen.

    Args:
        rule: None is a cut for each label, and what the space's groups, parents and rules ask for.
        scores: (rows, labels).
        targets: of the same rows.
        space: the labels.
        goal: what is tuned for; None is the rule's own goal.
        weight: (rows,) > 0, None where all are alike.
        rows: (rows,) ids that the rule remembers.

    Raises:
        OptionError: a goal for a rule that has its own.
    """
    rule = rule_for(space) if rule is None else rule
    options = {} if weight is None or (weight == 1).all() else {"row_weight": weight}
    kept = strongest(scores, targets) if isinstance(rule, (GlobalCut, PerLabelCut)) else scores
    return rule.fit(kept, targets, space=space, goal=goal, rows=rows, **options)


def wants_probabilities(rule: Rule | None) -> bool:
    """Whether a rule, or the rule inside it, takes scores for probabilities."""
    if isinstance(rule, CostCut):
        return rule.calibrated
    if isinstance(rule, (AtLeastOne, Legal)):
        return wants_probabilities(rule.rule)
    if isinstance(rule, GroupArgmax):
        return wants_probabilities(rule.independent)
    return isinstance(rule, (ExpectedF, MacroAtK))


def row_ids(X: Any) -> NDArray[Any]:
    """(rows,) what a rule remembers rows by: the index of a DataFrame, else the number of the row."""
    index = getattr(X, "index", None)
    if index is not None and not callable(index):
        return np.asarray(index)
    return np.arange(_num_samples(X))


def goal_value(
    goal: Any, decided: Targets, targets: Targets, space: LabelSpace, weight: NDArray[np.float64]
) -> float:
    """Mean over the labels of what their goal says of decided rows, higher is better.

    Counts are shares of the rows, so that goals that grow with counts, such as costs, go with ratios.

    Args:
        goal: one, or one for each label.
        decided: label sets.
        targets: the truth; unknown cells count for nothing.
        space: the labels.
        weight: (rows,) >= 0.
    """
    share = weight / weight.sum()
    parts = [
        len(columns) * _value(each, decided.columns(columns), targets.columns(columns), share)
        for each, columns in labels_of_goals(goal, space)
    ]
    return sum(parts) / len(space)


def _value(goal: Goal, decided: Targets, targets: Targets, share: NDArray[np.float64]) -> float:
    truth, assigned, unknown = targets.positives, decided.positives, targets.unknown
    if unknown is not None:
        assigned = assigned - assigned.multiply(unknown)
    by_row = goal.average == "samples"

    def total(cells: Any) -> NDArray[np.float64]:
        return np.asarray(cells.sum(axis=1)).ravel() if by_row else share @ cells

    tp, taken, positives = total(assigned.multiply(truth).tocsr()), total(assigned), total(truth)
    known = (float(targets.width) if by_row else 1.0) - (0 if unknown is None else total(unknown))
    if goal.average == "micro":
        known = np.broadcast_to(known, tp.shape)
        tp, taken, positives, known = (side.sum(keepdims=True) for side in (tp, taken, positives, known))
    values = goal.value(tp, taken - tp, positives, known - positives)
    return float(share @ values if by_row else values.mean())
