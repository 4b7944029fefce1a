"""Macro-at-k: a local optimum that no exchange of a row betters, and close to the best of all choices."""

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import f1_score

from manyhot.decide import MacroAtK, TopK, as_goal, macro_at_k
from manyhot.decide.macro_at_k import _ascend
from manyhot.errors import InputError, OptionError
from manyhot.labels import Targets


def expected(probabilities, chosen, goal):
    tp, assigned, total = (chosen * probabilities).sum(0), chosen.sum(0), probabilities.sum(0)
    if goal == "jaccard_macro":
        return np.mean(tp / (assigned + total - tp))
    square = float(goal[1:].split("_")[0]) ** 2
    return np.mean((1 + square) * tp / (assigned + square * total))


@pytest.mark.parametrize("goal", ["f1_macro", "f2_macro", "jaccard_macro"])
@pytest.mark.parametrize("seed", range(4))
def test_no_row_can_choose_better_and_the_best_of_all_is_near(goal, seed):
    p = np.random.default_rng(seed).random((4, 4)) ** 2
    choice, value = macro_at_k(p, 2, goal)
    chosen = choice.to_dense() > 0
    assert value == pytest.approx(expected(p, chosen, goal))
    sets = [np.isin(np.arange(4), pair) for pair in itertools.combinations(range(4), 2)]
    for row, other in itertools.product(range(4), sets):
        changed = chosen.copy()
        changed[row] = other
        assert expected(p, changed, goal) <= value + 1e-6
    best = max(expected(p, np.array(rows), goal) for rows in itertools.product(sets, repeat=4))
    assert value >= 0.97 * best


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("seed", range(4))
def test_weighted_rows_count_by_their_weight(form, seed):
    rng = np.random.default_rng(seed)
    p, weight = rng.random((5, 4)) ** 2, rng.integers(1, 4, 5).astype(float)
    choice, state = _ascend(form(p), 2, as_goal("f1_macro"), 0, weight)
    twice = np.repeat(np.arange(5), weight.astype(int))

    def value(chosen):
        return expected(p[twice], chosen[twice], "f1_macro")

    chosen = choice.to_dense() > 0
    assert state.value() == pytest.approx(value(chosen))
    sets = [np.isin(np.arange(4), pair) for pair in itertools.combinations(range(4), 2)]
    for row, other in itertools.product(range(5), sets):
        changed = chosen.copy()
        changed[row] = other
        assert value(changed) <= state.value() + 1e-6
    truth = rng.random((5, 4)) < 0.5
    counted = state.counted(choice, Targets.from_dense(truth), weight)
    np.testing.assert_allclose(counted.tp, (truth & chosen)[twice].sum(axis=0))
    np.testing.assert_allclose(counted.total, truth[twice].sum(axis=0))


def test_sparse_and_dense_choose_alike():
    p = np.random.default_rng(0).random((200, 12)).astype(np.float32)
    dense, sparse = macro_at_k(p, 3), macro_at_k(csr_array(p), 3)
    assert dense[0] == sparse[0]
    assert dense[1] == pytest.approx(sparse[1])


def test_sparse_rows_with_fewer_cells_get_fewer_labels():
    choice, _ = macro_at_k(csr_array(np.array([[0.5, 0, 0], [0.1, 0.2, 0.3], [0, 0, 0]])), 2)
    assert choice.row_counts().tolist() == [1, 2, 0]


def test_new_rows_gain_in_macro_f1_over_the_highest_k():
    rng = np.random.default_rng(0)
    odds = rng.normal(np.linspace(0, -4, 30), 1.5, (6000, 30))
    p = 1 / (1 + np.exp(-odds))
    truth = rng.random(p.shape) < p
    rules = MacroAtK(k=3).fit(p[:3000], truth[:3000]), TopK(k=3).fit(p[:3000], truth[:3000])
    ours, top = (
        f1_score(truth[3000:], rule.decide(p[3000:]).to_dense(), average="macro", zero_division=0)
        for rule in rules
    )
    assert ours > top + 0.03


def test_what_is_refused():
    with pytest.raises(OptionError, match="macro-at-k serves f<beta>_macro and jaccard_macro, got mcc"):
        macro_at_k(np.array([[0.5]]), 1, "mcc")
    with pytest.raises(InputError, match=r"expected probabilities in \[0, 1\], got -1"):
        macro_at_k(np.array([[-1.0]]), 1)
