"""Review budgets and costs."""

import itertools
import time

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


def tiny(seed):
    """Scores with many ties, truth and a share; small enough to try all cuts."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(3, 9), rng.integers(1, 4)
    scores = np.round(rng.random(shape), rng.integers(1, 3))
    return scores, rng.random(shape) < rng.random(), rng.choice([0.2, 0.3, 0.5, 0.7])


def most(scores, truth, share, spent, cuts):
    """Positives that the best of these cuts finds within the share of the rows."""
    chosen = (scores >= np.array(cut) for cut in cuts)
    return max((truth & each).sum() for each in chosen if spent(each) <= share * len(scores) + 1e-9)


def by_label(chosen):
    return chosen.sum()


def by_row(chosen):
    return chosen.any(1).sum()


@pytest.mark.parametrize("seed", range(240))
def test_labels_are_cut_where_most_positives_are_found(seed):
    scores, truth, share = tiny(seed)
    decided = ReviewBudget(share, "labels").fit(scores, truth).decide(scores).to_dense() > 0
    assert by_label(decided) <= share * len(scores) + 1e-9
    cuts = itertools.product(*(np.append(np.unique(column), 2.0) for column in scores.T))
    assert (truth & decided).sum() == most(scores, truth, share, by_label, cuts)


def test_rows_are_cut_no_worse_than_by_one_cut_and_mostly_best():
    missed = 0
    for seed in range(240):
        scores, truth, share = tiny(seed)
        decided = ReviewBudget(share).fit(scores, truth).decide(scores).to_dense() > 0
        assert by_row(decided) <= share * len(scores) + 1e-9
        found = (truth & decided).sum()
        assert found >= most(scores, truth, share, by_row, np.append(np.unique(scores), 2.0)), seed
        cuts = itertools.product(*(np.append(np.unique(column), 2.0) for column in scores.T))
        missed += most(scores, truth, share, by_row, cuts) - found
    assert missed <= 2


@pytest.mark.parametrize("per", ["rows", "labels"])
def test_cells_of_unknown_truth_are_reviewed_too(per):
    scores = np.array([[0.9, 0.0], [0.8, 0.0], [0.7, 0.0], [0.1, 0.6]])
    truth = np.array([[np.nan, 0], [np.nan, 0], [1, 0], [0, 1.0]])
    decided = ReviewBudget(0.5, per).fit(scores, truth).decide(scores).to_dense()
    assert decided.tolist() == [[0, 0], [0, 0], [0, 0], [0, 1]]  # the other positive costs three reviews


def test_a_share_that_is_no_round_number_pays_all_it_should():
    scores, truth = np.linspace(1, 0, 100)[:, None], np.ones((100, 1), bool)
    assert ReviewBudget(0.29).fit(scores, truth).decide(scores).row_counts().sum() == 29  # 0.29 * 100 < 29


@pytest.mark.parametrize("per", ["rows", "labels"])
def test_a_thousand_labels_take_seconds(per):
    rng = np.random.default_rng(0)
    truth = rng.random((5000, 1000)) < 0.02
    scores = rng.normal(1.5 * truth, 1).astype(np.float32)
    begin = time.perf_counter()
    ReviewBudget(0.02, per).fit(scores, truth)
    assert time.perf_counter() - begin < 20  # 1 to 3 s on one idle core


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


def test_cuts_of_costs_have_intervals_when_asked():
    rng = np.random.default_rng(0)
    truth = rng.random((500, 2)) < 0.3
    scores = rng.normal(2.0 * truth, 1.0)
    rule = CostCut({"*": (3.0, 1.0)}, replicates=50).fit(scores, truth)
    low, high = rule.interval.T
    assert ((low <= rule.cuts) & (rule.cuts <= high) & (low < high)).all()
    assert CostCut().fit(scores, truth).interval is None


def test_probabilities_are_cut_where_both_errors_cost_the_same():
    rule = CostCut({"*": (3.0, 1.0)}, calibrated=True).fit(np.array([[0.3]]), np.array([[True]]))
    assert rule.cuts[0] == 0.25
