"""Review budgets and costs."""

import itertools

import numpy as np
import pytest

from manyhot.decide import CostCut, ReviewBudget
from manyhot.errors import OptionError
from manyhot.labels import LabelSpace


@pytest.mark.parametrize("per", ["rows", "labels"])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.6])
def test_the_budget_holds_and_is_spent(per, share):
    rng = np.random.default_rng(0)
    scores = rng.random((400, 5))
    truth = rng.random((400, 5)) < scores**3
    chosen = ReviewBudget(share, per).fit(scores, truth).decide(scores).to_dense() > 0
    spent = chosen.any(1).sum() if per == "rows" else chosen.sum()
    assert 0.9 * share * 400 <= spent <= share * 400


def test_it_finds_nearly_as_much_as_any_cuts():
    rng = np.random.default_rng(1)
    scores = rng.random((30, 2))
    truth = rng.random((30, 2)) < scores
    found = (truth & (ReviewBudget(0.5, "labels").fit(scores, truth).decide(scores).to_dense() > 0)).sum()
    best = max(
        (truth & chosen).sum()
        for cuts in itertools.product(*(np.append(scores[:, j], 2.0) for j in range(2)))
        if (chosen := scores >= np.array(cuts)).sum() <= 15
    )
    assert found >= best - 1


def test_the_budget_is_the_goal():
    with pytest.raises(OptionError, match="ReviewBudget maximises recall within its budget"):
        ReviewBudget().fit(np.eye(2), np.eye(2, dtype=bool), goal="f1_macro")


def test_costs_are_the_least_of_all_cuts():
    rng = np.random.default_rng(0)
    scores, truth = rng.random((60, 2)), rng.random((60, 2)) < 0.4
    space = LabelSpace(("threat", "spam"))
    costs = {"threat": (20.0, 1.0), "*": (1.0, 5.0)}
    decided = CostCut(costs, strength=0).fit(scores, truth, space=space).decide(scores).to_dense() > 0
    for j, (miss, alarm) in enumerate([(20, 1), (1, 5)]):
        paid = lambda chosen: miss * (truth[:, j] & ~chosen).sum() + alarm * (~truth[:, j] & chosen).sum()  # noqa: B023, E731
        assert paid(decided[:, j]) == min(paid(scores[:, j] >= cut) for cut in [*scores[:, j], 2.0])


def test_probabilities_are_cut_where_both_errors_cost_the_same():
    rule = CostCut({"*": (3.0, 1.0)}, calibrated=True).fit(np.array([[0.3]]), np.array([[True]]))
    assert rule.cuts[0] == 0.25
