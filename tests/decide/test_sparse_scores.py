"""CSR scores: absent cells are the lowest, and no rule makes a dense matrix of them."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from manyhot.decide import AbstainBand, Conformal, GlobalCut, Legal, PerLabelCut, ReviewBudget, fit_rule
from manyhot.decide.conformal import lower_quantile

RULES = {
    "global": {},
    "per_label": {},
    "review_budget": {"share": 0.3},
    "legal": {},
    "conformal": {"coverage": 0.7},
    "abstain": {"miss": 0.5, "false_alarm": 0.02},
}


def half_stored(rows=300, labels=5):
    rng = np.random.default_rng(0)
    truth = (rng.random((rows, labels)) < 0.3).astype(float)
    scores = rng.normal(1.5 * truth, 1.0)
    stored = rng.random((rows, labels)) < 0.6 + 0.35 * truth
    truth[rng.random((rows, labels)) < 0.05] = np.nan
    return np.where(stored, scores, -np.inf), csr_array(np.where(stored, scores, 0.0)), truth


@pytest.mark.parametrize("name", RULES)
def test_absent_cells_are_lower_than_all_others(name):
    dense, sparse, truth = half_stored()
    fitted = fit_rule(name, dense, truth, **RULES[name])
    from_sparse = fit_rule(name, sparse, truth, **RULES[name])
    assert from_sparse.to_dict() == fitted.to_dict()
    assert from_sparse.decide(sparse) == fitted.decide(dense)


def test_a_label_that_nothing_can_be_promised_for_is_in_doubt_in_every_row():
    dense, sparse, truth = half_stored()
    truth[:, 2] = 0.0
    fitted = fit_rule("abstain", sparse, truth)
    assert fitted.decide(sparse).known_counts()[2] < 30  # but for the few that reach the upper cut
    assert fitted.decide(sparse) == fitted.decide(dense)


def test_values_that_are_not_listed_lie_above():
    listed = np.arange(4.0)
    for share in (0.05, 0.2, 0.5, 0.9):
        expected = lower_quantile(np.concatenate([listed, np.full(6, np.inf)]), share)
        assert lower_quantile(listed, share, above=6) == expected


def test_a_band_whose_negatives_are_mostly_absent_lies_at_the_positives():
    scores, truth = np.zeros((100, 1)), np.zeros((100, 1))
    truth[:19] = 1
    scores[:19, 0] = np.linspace(0.5, 0.95, 19)
    scores[19:22, 0] = 0.1, 0.2, 0.3  # 3 of 81 negatives: all could be assigned at a false alarm of 0.1
    band = AbstainBand(miss=0.1, false_alarm=0.1).fit(csr_array(scores), truth)
    assert band.low.tolist() == band.high.tolist() == [pytest.approx(0.525)]  # the 2nd of 19: 0.1 * (19 + 1)


@pytest.mark.parametrize(
    "rule",
    [
        GlobalCut("f1_macro"),
        GlobalCut("f1_samples"),
        PerLabelCut(strength=0, balance=0),
        ReviewBudget(0.3),
        Conformal(0.7),
        Conformal(0.7, per="labels"),
        AbstainBand(0.5, 0.02),
        Legal(GlobalCut()),
    ],
)
def test_no_dense_matrix_is_made(rule):
    rng = np.random.default_rng(0)
    shape = (40_000, 1_000)  # 160 MB of float32
    scores = csr_array(random_array(shape, density=0.001, rng=rng, dtype=np.float32))
    truth = scores.copy()
    truth.data = (rng.random(truth.nnz) < truth.data).astype(np.float32)
    truth.eliminate_zeros()
    tracemalloc.start()
    rule.fit(scores, truth).decide(scores)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
