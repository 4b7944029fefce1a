"""GlobalCut and PerLabelCut against every cut there is."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from manyhot.decide import Cost, Floor, GlobalCut, PerLabelCut, as_goal
from manyhot.labels import Targets

GRID = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], np.float32)  # few values, so that ties are common


@st.composite
def problems(draw, most_rows=7, most_labels=3):
    rows, labels = draw(st.integers(1, most_rows)), draw(st.integers(1, most_labels))
    scores = draw(st.lists(st.sampled_from(GRID), min_size=rows * labels, max_size=rows * labels))
    truth = draw(st.lists(st.booleans(), min_size=rows * labels, max_size=rows * labels))
    return np.array(scores, np.float32).reshape(rows, labels), np.array(truth).reshape(rows, labels)


def f1(tp, assigned, positives):
    return 2 * tp / np.maximum(assigned + positives, 1)


def jaccard(tp, assigned, positives):
    return tp / np.maximum(assigned + positives - tp, 1)


def measured(truth, decisions, average, measure=f1):
    """The mean over units; one with nothing to find and nothing assigned counts 0."""
    axis = {"macro": 0, "micro": None, "samples": 1}[average]
    counts = [np.sum(cells, axis=axis) for cells in (truth & decisions, decisions, truth)]
    return float(np.mean(measure(*counts)))


MEASURES = {"f1": f1, "jaccard": jaccard}


def brute_force(scores, truth, average, measure, per_label):
    cuts = np.append(np.unique(scores), np.inf)
    choices = itertools.product(cuts, repeat=scores.shape[1]) if per_label else ((cut,) for cut in cuts)
    return max(measured(truth, scores >= np.array(choice), average, measure) for choice in choices)


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from(["macro", "micro", "samples"]))
def test_one_cut_is_the_best_of_all(problem, average):
    scores, truth = problem
    rule = GlobalCut(f"f1_{average}").fit(scores, Targets.from_dense(truth))
    reached = measured(truth, rule.decide(scores).to_dense() > 0, average)
    assert reached == pytest.approx(brute_force(scores, truth, average, f1, per_label=False))


@settings(max_examples=100, deadline=None)
@given(
    problems(),
    st.sampled_from(["f1", "jaccard"]),
    st.sampled_from(["macro", "micro"]),
)
def test_cuts_per_label_are_jointly_the_best_of_all(problem, measure, average):
    scores, truth = problem
    rule = PerLabelCut(f"{measure}_{average}", strength=0, balance=0).fit(scores, Targets.from_dense(truth))
    reached = measured(truth, rule.decide(scores).to_dense() > 0, average, MEASURES[measure])
    assert reached == pytest.approx(brute_force(scores, truth, average, MEASURES[measure], per_label=True))


@pytest.mark.parametrize("name", ["mcc", "balanced_accuracy", "f2_macro", "cost(miss=3, false_alarm=1)"])
def test_every_macro_goal_is_the_best_of_all_cuts(name):
    rng = np.random.default_rng(0)
    scores, truth = rng.random((60, 4)), rng.random((60, 4)) < 0.3
    rule = PerLabelCut(name, strength=0, balance=0).fit(scores, truth)
    goal = as_goal(name)
    for j in range(4):
        by_cut = []
        for cut in np.append(scores[:, j], np.inf):
            chosen = scores[:, j] >= cut
            by_cut.append(
                goal.value(
                    (chosen & truth[:, j]).sum(),
                    (chosen & ~truth[:, j]).sum(),
                    truth[:, j].sum(),
                    (~truth[:, j]).sum(),
                )
            )
        chosen = rule.decide(scores).to_dense()[:, j] > 0
        reached = goal.value(
            (chosen & truth[:, j]).sum(),
            (chosen & ~truth[:, j]).sum(),
            truth[:, j].sum(),
            (~truth[:, j]).sum(),
        )
        assert reached == pytest.approx(max(by_cut))


GOALS = (
    *(f"{stem}_{average}" for stem in ("f1", "f0.5", "jaccard") for average in ("macro", "micro", "samples")),
    "mcc", "balanced_accuracy", "hamming", "cost(miss=3, false_alarm=1)", "precision >= 0.7", "recall >= 0.7",
    "specificity >= 0.7",
)  # fmt: skip


@pytest.mark.parametrize("name", GOALS)
@pytest.mark.parametrize("sparse", [False, True])
def test_one_cut_of_many_rows_is_the_best_of_all_with_unknown_cells(name, sparse):
    """More distinct scores than are counted first, so stretches between those must be walked."""
    rng = np.random.default_rng(0)
    truth = (rng.random((500, 8)) < 0.4).astype(float)
    scores = rng.normal(truth + rng.normal(0, 0.5, 8), 1.0)
    truth[rng.random(truth.shape) < 0.1] = np.nan
    stored = scores > -1.2 if sparse else np.ones(scores.shape, bool)
    given = csr_array(np.where(stored, scores, 0.0)) if sparse else scores
    cut = GlobalCut(name).fit(given, truth).cuts[0]
    known, positive = ~np.isnan(truth), truth == 1
    goal = as_goal(name)
    axis = {"macro": 0, "samples": 1}.get(goal.average)
    axis = None if isinstance(goal, (Cost, Floor)) else axis

    def figure(cut):
        chosen = (scores >= cut) & stored
        cells = (chosen & positive, chosen & ~positive & known, positive, ~positive & known)
        return float(np.sum(goal.value(*(np.sum(each, axis=axis) for each in cells))))

    assert figure(cut) == pytest.approx(max(figure(each) for each in [np.inf, *scores[positive & stored]]))


@pytest.mark.parametrize("name", GOALS)
def test_goals_rise_with_hits_and_fall_with_false_alarms(name):
    goal, (tp, fp) = as_goal(name), np.meshgrid(np.arange(8), np.arange(10), indexing="ij")
    value = goal.value(tp, fp, 7, 9)
    assert (np.diff(value, axis=0) >= -1e-12).all()
    assert (np.diff(value, axis=1) <= 1e-12).all()
