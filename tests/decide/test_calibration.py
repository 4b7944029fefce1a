"""Calibration against scikit-learn and known maps."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from manyhot.decide import Calibrated, Calibration, Calibrator, ExpectedF, reliability
from manyhot.decide.maps import fit_map
from manyhot.errors import InputError
from manyhot.labels import LabelSpace

METHODS = ("platt", "beta", "isotonic", "temperature")


def overconfident(rows=4000, labels=3, seed=0):
    rng = np.random.default_rng(seed)
    odds = rng.normal(-1, 1.5, (rows, labels))
    return expit(3 * odds), rng.random((rows, labels)) < expit(odds)


def log_loss(p, truth):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return -np.mean(np.where(truth, np.log(p), np.log1p(-p)))


@pytest.mark.parametrize("method", METHODS)
def test_overconfident_scores_are_mended_on_new_rows(method):
    scores, truth = overconfident()
    new, new_truth = overconfident(seed=1)
    p = Calibration(method).fit(scores, truth).probabilities(new)
    perfect = log_loss(expit(np.log(new / (1 - new)) / 3), new_truth)
    assert log_loss(p, new_truth) < perfect + 0.01 < log_loss(new, new_truth) - 0.1


def test_platt_is_logistic_regression_on_smoothed_targets():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=200)
    truth = (rng.random(200) < expit(2 * scores - 1)).astype(float)
    ours = fit_map("platt", scores, truth, "a").parameters
    positives = truth.sum()
    soft = np.where(truth > 0, (positives + 1) / (positives + 2), 1 / (200 - positives + 2))
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        np.tile(scores, 2)[:, None], np.repeat([1, 0], 200), sample_weight=np.concatenate([soft, 1 - soft])
    )
    np.testing.assert_allclose(ours, [peer.coef_[0, 0], peer.intercept_[0]], rtol=1e-4)


def test_isotonic_is_scikit_learns():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 30, 200) / 30
    truth = (rng.random(200) < scores).astype(float)
    peer = IsotonicRegression(out_of_bounds="clip").fit(scores, truth)
    np.testing.assert_allclose(
        fit_map("isotonic", scores, truth, "a")(scores), peer.predict(scores), atol=1e-12
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_labels_of_one_kind_and_constant_scores_stay_finite(method, fill):
    p = (
        Calibration(method, pool_below=1)
        .fit(np.full((20, 2), 0.5), np.full((20, 2), fill > 0))
        .probabilities(np.array([[0.0, 1.0]]))
    )
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize("method", METHODS)
def test_maps_never_fall(method):
    rng = np.random.default_rng(0)
    scores = rng.random((300, 2))
    truth = rng.random((300, 2)) < 1 - scores  # backwards
    p = (
        Calibration(method)
        .fit(scores, truth)
        .probabilities(np.repeat(np.linspace(0, 1, 50)[:, None], 2, axis=1))
    )
    assert (np.diff(p, axis=0) >= -1e-7).all()


def test_rare_labels_share_a_map():
    scores, truth = overconfident(400, 4)
    truth[8:, 2:] = False
    maps = Calibration(pool_below=20).fit(scores, truth).maps
    assert maps[2] is maps[3]
    assert maps[0] is not maps[1]


def test_json_by_label_name():
    space = LabelSpace(("a", "b", "c"))
    calibrator = Calibration("isotonic").fit(*overconfident(200), space=space)
    again = Calibrator.from_dict(json.loads(json.dumps(calibrator.to_dict())), LabelSpace(("c", "a", "b")))
    scores = overconfident(10, seed=3)[0]
    np.testing.assert_array_equal(
        again.probabilities(scores[:, [2, 0, 1]]), calibrator.probabilities(scores)[:, [2, 0, 1]]
    )


def test_beta_needs_probabilities():
    with pytest.raises(InputError, match=r"label '0': beta calibration needs scores in \[0, 1\]"):
        Calibration("beta", pool_below=1).fit(np.array([[-1.0], [2.0]]), np.array([[False], [True]]))


def test_any_scores_reach_a_rule_that_needs_probabilities():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(200, 4))
    truth = rng.random((200, 4)) < expit(logits)
    rule = Calibrated(ExpectedF()).fit(5 * logits, truth)
    assert rule.decide(5 * logits).shape == (200, 4)


def test_reliability_counts_and_averages():
    scores = np.array([[0.1], [0.2], [0.8], [0.9]])
    table = reliability(scores, np.array([[0.0], [1.0], [1.0], [np.nan]]), bins=3)
    np.testing.assert_array_equal(table.count, [[1, 1, 1]])
    np.testing.assert_allclose(table.score, [[0.1, 0.2, 0.8]])
    np.testing.assert_allclose(table.share, [[0, 1, 1]])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_a_weight_of_two_is_a_row_that_is_there_twice(method, form):
    scores, truth = overconfident(300)
    weight = np.random.default_rng(0).integers(0, 3, 300)
    twice = np.repeat(np.arange(300), weight)
    calibration = Calibration(method, pool_below=30)
    weighted = calibration.fit(form(scores), truth, row_weight=weight)
    repeated = calibration.fit(form(scores[twice]), truth[twice])
    for one, other in zip(weighted.maps, repeated.maps, strict=True):
        np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-6)


def test_weighted_isotonic_is_that_of_scikit_learn():
    scores, truth = overconfident(300, 1)
    weight = np.random.default_rng(0).random(300)
    ours = Calibration("isotonic").fit(scores, truth, row_weight=weight).probabilities(scores)
    peer = IsotonicRegression(out_of_bounds="clip")
    expected = peer.fit(scores[:, 0], truth[:, 0], sample_weight=weight).predict(scores[:, 0])
    np.testing.assert_allclose(ours[:, 0], expected, atol=1e-6)


def test_a_frame_comes_back_as_a_frame_whose_columns_keep_their_names():
    scores, truth = overconfident(200, 2)
    frame = pd.DataFrame(scores, columns=["a", "b"], index=np.arange(200) + 7)
    calibrator = Calibration().fit(frame[["b", "a"]], pd.DataFrame(truth, columns=["a", "b"]))
    plain = Calibration().fit(scores, truth).probabilities(scores)
    found = calibrator.probabilities(frame)
    assert (found.index == frame.index).all()
    np.testing.assert_allclose(found[["a", "b"]].to_numpy(), plain, rtol=1e-6)
    other = calibrator.probabilities(pl.from_pandas(frame))
    np.testing.assert_allclose(other.select("a", "b").to_numpy(), plain, rtol=1e-6)
