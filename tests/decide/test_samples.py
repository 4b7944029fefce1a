"""Cuts for samples goals: never below the global cut, the same in every form, and done in time."""

import itertools
import time

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import f1_score, jaccard_score

from manyhot.decide import GlobalCut, PerLabelCut
from manyhot.labels import Targets


def drawn(rows, labels, seed=0):
    """Scores that say something, on a scale that differs from label to label."""
    rng = np.random.default_rng(seed)
    truth = rng.random((rows, labels)) < rng.uniform(0.01, 0.3, labels)
    scores = (truth + rng.normal(0, 0.7, truth.shape)) * rng.uniform(0.3, 2, labels)
    return scores.astype(np.float32), truth


@pytest.mark.parametrize(("goal", "measure"), [("f1_samples", f1_score), ("jaccard_samples", jaccard_score)])
@pytest.mark.parametrize("seed", range(3))
def test_better_than_the_one_best_cut(goal, measure, seed):
    scores, truth = drawn(120, 8, seed)
    rules = [rule(goal).fit(scores, truth).decide(scores).to_dense() for rule in (GlobalCut, PerLabelCut)]
    one, each = (measure(truth, decided, average="samples", zero_division=0) for decided in rules)
    assert each > one + 0.01  # the scales differ, so there is something to gain


def test_no_single_cut_can_be_moved_for_more():
    scores, truth = drawn(30, 4)
    cuts = PerLabelCut("f1_samples").fit(scores, truth).cuts
    reached = f1_score(truth, scores >= cuts, average="samples", zero_division=0)
    for label in range(4):
        for cut in [*scores[:, label], np.inf]:
            moved = cuts.copy()
            moved[label] = cut
            assert f1_score(truth, scores >= moved, average="samples", zero_division=0) <= reached + 1e-9


def test_sparse_scores_and_unknown_cells():
    scores, truth = drawn(80, 5)
    scores -= scores.min() - 1  # all stored
    fitted = PerLabelCut("f1_samples").fit(scores, truth)
    np.testing.assert_array_equal(PerLabelCut("f1_samples").fit(csr_array(scores), truth).cuts, fitted.cuts)
    # a label whose cells are all unknown changes nothing for the others, and is never assigned
    wider = np.hstack([truth.astype(float), np.full((80, 1), np.nan)])
    cuts = PerLabelCut("f1_samples").fit(np.hstack([scores, scores[:, :1]]), Targets.from_dense(wider)).cuts
    np.testing.assert_array_equal(cuts[:5], fitted.cuts)
    assert cuts[5] == np.inf


def test_a_thousand_labels_take_seconds():
    scores, truth = drawn(2000, 1000)
    begin = time.perf_counter()
    PerLabelCut("f1_samples").fit(scores, truth)
    assert time.perf_counter() - begin < 30  # about 3 s on one idle core


@pytest.mark.parametrize(("goal", "measure", "short"), [("f1", f1_score, 0), ("jaccard", jaccard_score, 4)])
def test_of_tiny_cases_few_have_better_cuts(goal, measure, short):
    """The figures of the docstring of `best_sample_cuts`, on its cases."""
    missed = 0
    for seed in range(600):
        rng = np.random.default_rng(seed)
        shape = rng.integers(3, 9), rng.integers(2, 5)
        scores, truth = np.round(rng.random(shape), 2), rng.random(shape) < rng.choice([0.2, 0.35, 0.5])
        cuts = np.array(list(itertools.product(*(np.append(np.unique(column), 9.0) for column in scores.T))))
        decided = PerLabelCut(f"{goal}_samples").fit(scores, truth).decide(scores).to_dense() > 0
        every = np.concatenate([decided[None], scores >= cuts[:, None]])
        hits, either = (truth & every).sum(2), (truth | every).sum(2)
        value = hits / np.maximum(either, 1) if goal == "jaccard" else 2 * hits / np.maximum(hits + either, 1)
        missed += value[0].sum() < value.sum(axis=1).max() - 1e-9
        if seed == 0:
            expected = measure(truth, decided, average="samples", zero_division=0)
            assert value[0].mean() == pytest.approx(expected)
    assert missed <= short
