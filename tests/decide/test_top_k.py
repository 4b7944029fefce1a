"""TopK and AtLeastOne by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import f1_score

from manyhot.decide import AbstainBand, AtLeastOne, GlobalCut, GroupArgmax, TopK
from manyhot.errors import OptionError
from manyhot.labels import Group, LabelSpace

SCORES = np.array([[0.9, 0.8, 0.1], [0.2, 0.2, 0.3], [0.0, 0.5, 0.5]])
NONE = np.zeros((3, 3), bool)


def test_the_k_highest_of_ties_the_left_one():
    decided = TopK(k=2).fit(SCORES, NONE).decide(SCORES)
    assert decided.to_index_lists() == [[0, 1], [0, 2], [1, 2]]


def test_the_floor_leaves_out_what_is_below():
    decided = TopK(k=2, floor=0.3).fit(SCORES, NONE).decide(SCORES)
    assert decided.to_index_lists() == [[0, 1], [2], [1, 2]]


def test_k_is_tuned_for_the_goal():
    rng = np.random.default_rng(0)
    scores, truth = rng.random((50, 6)), np.zeros((50, 6), bool)
    truth[np.arange(50)[:, None], np.argsort(-scores, axis=1)[:, :3]] = True
    truth ^= rng.random((50, 6)) < 0.1
    for average in ("samples", "micro"):
        rule = TopK(goal=f"f1_{average}").fit(scores, truth)
        by_k = [
            f1_score(
                truth,
                TopK(k=k).fit(scores, truth).decide(scores).to_dense(),
                average=average,
                zero_division=0,
            )
            for k in range(1, 7)
        ]
        assert rule.k == 1 + int(np.argmax(by_k))


def test_at_least_one_only_adds_where_nothing_is():
    truth = np.array([[True, True, False], [False, False, True], [False, False, False]])
    plain = GlobalCut().fit(SCORES, truth)
    filled = AtLeastOne(GlobalCut()).fit(SCORES, truth)
    scores = np.array([[0.9, 0.8, 0.1], [0.01, 0.02, 0.0]])
    assert plain.decide(scores).to_index_lists() == [[0, 1], []]
    assert filled.decide(scores).to_index_lists() == [[0, 1], [1]]
    assert filled.decide(csr_array(scores)).to_index_lists() == [[0, 1], [1]]


def test_a_sparse_row_without_scores_stays_empty():
    rule = AtLeastOne(GlobalCut()).fit(SCORES, SCORES > 0.5)
    assert rule.decide(csr_array((2, 3), dtype=np.float32)).to_index_lists() == [[], []]


def test_k_below_one_is_refused():
    with pytest.raises(OptionError, match="k must be >= 1, got 0"):
        TopK(k=0)


def test_k_for_a_macro_goal_is_best_for_macro():
    rng = np.random.default_rng(3)
    scores = rng.random((60, 5)) * [1, 0.5, 0.4, 0.3, 0.2]  # the first label crowds the others out
    truth = rng.random((60, 5)) < scores
    by_k = [
        f1_score(
            truth, TopK(k=k).fit(scores, truth).decide(scores).to_dense(), average="macro", zero_division=0
        )
        for k in range(1, 6)
    ]
    micro = TopK(goal="f1_micro").fit(scores, truth).k
    assert TopK(goal="f1_macro").fit(scores, truth).k == 1 + int(np.argmax(by_k)) != micro


def test_unknown_cells_play_no_part_in_k():
    targets = np.array([[1, 0, np.nan], [1, 1, np.nan]])
    scores = np.array([[0.9, 0.1, 0.8], [0.9, 0.5, 0.7]])
    assert TopK(goal="f1_samples").fit(scores, targets).k == 1  # 2 and 3 give .83 at k = 3 and .83 at 1


def test_what_is_in_doubt_stays_in_doubt_unless_it_is_assigned():
    truth = np.array([[1, 0], [0, 1]] * 3)  # six rows: too few for any promise at 1 %
    scores = np.array([[0.9, 0.1], [0.2, 0.8]] * 3)
    band = AbstainBand(miss=0.01, false_alarm=0.01)
    assert np.isnan(band.fit(scores, truth).decide(scores).to_dense()).all()
    filled = AtLeastOne(band).fit(scores, truth).decide(scores)
    np.testing.assert_array_equal(filled.to_dense()[:2], [[1, np.nan], [np.nan, 1]])
    space = LabelSpace(["a", "b", "x", "y"], groups=[Group("g", ("x", "y"))])
    both = np.hstack([truth, truth])
    grouped = GroupArgmax(band).fit(np.hstack([scores, scores]), both, space=space)
    dense = grouped.decide(np.hstack([scores, scores])).to_dense()
    assert np.isnan(dense[:, :2]).all()
    np.testing.assert_array_equal(dense[:, 2:], truth)
