"""The dearest choice within a budget, against all choices."""

import itertools

import numpy as np
import pytest

from manyhot.decide.knapsack import Offers, best_within


def offers(rng, whole):
    """Up to four labels of up to four further points each."""
    parts = []
    for _ in range(rng.integers(1, 5)):
        size = rng.integers(0, 5)
        value = rng.integers(1, 3, size) if whole else rng.random(size) + 0.01
        cost = rng.integers(1, 4, size) if whole else rng.random(size) + 0.1
        parts.append(np.concatenate([np.zeros((2, 1)), np.cumsum([cost, value], axis=1)], axis=1))
    cost, value = np.concatenate(parts, axis=1)
    return Offers(cost, value, np.concatenate([[0], np.cumsum([part.shape[1] for part in parts])]))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("seed", range(200))
def test_no_other_choice_is_worth_more(whole, seed):
    rng = np.random.default_rng(seed)
    given, budget = offers(rng, whole), float(rng.integers(0, 12)) * (1 if whole else 0.4)
    chosen = best_within(given, budget)
    assert (given.label[chosen] == np.arange(len(chosen))).all()
    ranges = [range(first, last) for first, last in itertools.pairwise(given.starts)]
    choices = (list(choice) for choice in itertools.product(*ranges))
    payable = [choice for choice in choices if given.cost[choice].sum() <= budget]
    assert given.cost[chosen].sum() <= budget * (1 + 1e-8)
    assert given.value[chosen].sum() == pytest.approx(max(given.value[choice].sum() for choice in payable))


def test_no_budget_buys_nothing():
    one = Offers(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([0, 2]))
    assert best_within(one, 0.0).tolist() == [0]
