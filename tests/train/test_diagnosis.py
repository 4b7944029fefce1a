"""Diagnoses: each is found where it is so, and a healthy model has none."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from manyhot.labels import Targets
from manyhot.train import diagnose
from manyhot.train.diagnosis import MOST_CELLS

RNG = np.random.default_rng(0)
TRUTH = (RNG.random((400, 10)) < 0.1).astype(np.float32)
TARGETS = Targets.from_dense(TRUTH)
GOOD = np.clip(TRUTH * 0.6 + 0.1 + RNG.normal(0, 0.1, TRUTH.shape), 0.001, 0.999).astype(np.float32)


def names(scores, targets=TARGETS):
    return [finding.name for finding in diagnose(scores.astype(np.float32), targets)]


def test_a_healthy_model_has_none():
    assert names(GOOD) == []


def test_a_perfect_and_certain_model_has_none():
    assert names(TRUTH) == []


def test_good_ranks_under_the_cut():
    (finding,) = diagnose(GOOD * 0.4, TARGETS)
    assert finding.name == "under_the_cut"
    assert "micro-F1 0.00 there" in finding.finding
    assert "tune the cuts" in finding.mend


def test_the_prior_in_every_row():
    assert "prior" in names(np.full_like(TRUTH, 0.1))
    assert "prior" in names(np.tile(TRUTH.mean(0), (400, 1)) + RNG.normal(0, 1e-3, TRUTH.shape))


def test_nearly_everything_decided():
    assert names(GOOD * 0.4 + 0.55) == ["all_ones"]


def test_labels_that_nearly_always_apply_are_not_all_ones():
    assert names(1 - GOOD, Targets.from_dense(1 - TRUTH)) == []


def test_certain_and_wrong():
    wrong = TRUTH.copy()
    flipped = RNG.random(TRUTH.shape) < 0.1
    wrong[flipped] = 1 - wrong[flipped]
    assert "saturated" in names(wrong)


def test_unknown_cells_take_no_part():
    truth = TRUTH.copy()
    scores = GOOD.copy()
    hidden = RNG.random(TRUTH.shape) < 0.5
    truth[hidden], scores[hidden] = np.nan, 1.0
    assert names(scores, Targets.from_dense(truth)) == []


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_targets_without_any_positive_or_any_known_cell_are_no_trouble(value):
    assert "under_the_cut" not in names(GOOD, Targets.from_dense(np.full_like(TRUTH, value)))


@pytest.mark.parametrize("rows", [0, 1])
def test_almost_no_rows_are_no_trouble(rows):
    assert names(GOOD[:rows], TARGETS.rows(np.arange(rows))) == []


def test_wide_scores_are_looked_at_in_part(monkeypatch):
    monkeypatch.setattr("manyhot.train.diagnosis.MOST_CELLS", 500)
    assert names(GOOD * 0.4) == ["under_the_cut"]
    assert MOST_CELLS > 500


def test_scores_that_rank_nothing_are_found_however_they_vary():
    (finding,) = diagnose(RNG.random(TRUTH.shape).astype(np.float32) * 0.4, TARGETS)
    assert finding.name == "unranked"
    assert "(AUC 0.5" in finding.finding or "(AUC 0.4" in finding.finding


def test_a_weak_ranking_is_one_and_few_rows_tell_nothing():
    weak = np.clip(TRUTH * 0.05 + RNG.normal(0.3, 0.1, TRUTH.shape), 0, 0.49)
    assert "unranked" not in names(weak)
    assert "unranked" not in names(RNG.random((12, 10)), TARGETS.rows(np.arange(12)))


def test_nothing_learned_is_not_called_a_good_ranking():
    # each label at its share: ranked over all labels together that looks like a ranking
    truth = (RNG.random((2000, 4)) < [0.02, 0.05, 0.1, 0.45]).astype(np.float32)
    prior = np.tile(truth.mean(0), (2000, 1)) + RNG.normal(0, 1e-3, truth.shape)
    assert names(prior, Targets.from_dense(truth)) == ["prior"]


def test_sparse_scores_are_those_of_the_stored_cells():
    kept = np.where(GOOD * 0.4 > 0.1, GOOD * 0.4, 0).astype(np.float32)
    assert [f.name for f in diagnose(csr_array(kept), TARGETS)] == names(kept) == ["under_the_cut"]


def test_of_findings_with_contrary_mends_there_is_one():
    constant = np.tile((np.arange(10) < 5).astype(np.float32), (400, 1))  # sure, often wrong, and all alike
    (finding,) = diagnose(constant, TARGETS)
    assert (finding.name, finding.mend.startswith("lower the learning rate")) == ("saturated", True)
    assert names(np.full_like(TRUTH, 0.9)) == ["prior"]  # and not that everything is decided


@pytest.mark.parametrize("weighted", [True, False])
def test_weights_are_lowered_only_where_there_are_any(weighted):
    (finding,) = diagnose((GOOD * 0.4 + 0.55).astype(np.float32), TARGETS, weighted=weighted)
    assert finding.name == "all_ones"
    assert ("pos_weight" in finding.mend) is weighted
    assert "tune the cuts" in finding.mend
