"""TopK and AtLeastOne by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import f1_score

from manyhot.decide import AtLeastOne, GlobalCut, TopK
from manyhot.errors import OptionError

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
