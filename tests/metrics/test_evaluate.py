"""evaluate: equal to scikit-learn where it defines a metric, blind to unknown cells, clear at the door."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_array

from manyhot.metrics import evaluate

SHAPES = st.tuples(st.integers(1, 12), st.integers(2, 6))
# Few distinct values, so that ties are common; 0.1 keeps a matrix from being all 0 and 1 only by chance.
LEVELS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])


@st.composite
def problems(draw):
    """Targets, scores with ties, decisions and row weights; empty rows and labels are likely."""
    shape = draw(SHAPES)
    targets = draw(hnp.arrays(bool, shape, elements=st.booleans()))
    decisions = draw(hnp.arrays(bool, shape, elements=st.booleans()))
    scores = draw(hnp.arrays(np.float64, shape, elements=LEVELS))
    scores[0, 0] = 0.3
    weight = draw(hnp.arrays(np.float64, shape[0], elements=st.sampled_from([0.5, 1.0, 2.0])))
    return targets, scores, decisions, weight


def quiet(metric, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return metric(*arguments, **options)


def by_label(metric, targets, scores, weight, needs_negatives):
    """The mean of scikit-learn's binary metric over the labels where it is defined."""
    values = [
        quiet(metric, targets[:, j], scores[:, j], sample_weight=weight)
        for j in range(targets.shape[1])
        if targets[:, j].any() and not (needs_negatives and targets[:, j].all())
    ]
    return np.mean(values) if values else np.nan


@settings(max_examples=60, deadline=None)
@given(problems())
def test_set_metrics_equal_scikit_learn(problem):
    targets, _, decisions, weight = problem
    result = evaluate(targets, decisions=decisions, row_weight=weight, metrics="all")
    for average in ("micro", "macro", "weighted", "samples"):
        options = {"average": average, "zero_division": np.nan, "sample_weight": weight}
        for name in ("f1", "precision", "recall"):
            expected = quiet(getattr(sk, f"{name}_score"), targets, decisions, **options)
            if average == "weighted" and np.isnan(result[f"{name}_weighted"]):
                continue  # no defined label has positives: scikit-learn averages with weights of 0
            np.testing.assert_allclose(result[f"{name}_{average}"], expected, atol=1e-9, err_msg=name)
    common = {"sample_weight": weight}
    assert result["hamming"] == pytest.approx(1 - sk.hamming_loss(targets, decisions, **common))
    assert result["exact"] == pytest.approx(sk.accuracy_score(targets, decisions, **common))
    assert result["zero_one"] == pytest.approx(sk.zero_one_loss(targets, decisions, **common))


@settings(max_examples=60, deadline=None)
@given(problems())
def test_undefined_enters_averages_as_scikit_learns_zero_division(problem):
    targets, _, decisions, weight = problem
    kinds = ("macro", "samples", "micro", "weighted")
    names = [f"{m}_{a}" for m in ("f1", "f2", "precision", "recall", "jaccard") for a in kinds]
    for value in (0.0, 1.0):
        result = evaluate(targets, decisions=decisions, row_weight=weight, metrics=names, undefined=value)
        for name in names:
            metric, average = name.split("_")
            options = {"average": average, "zero_division": value, "sample_weight": weight}
            if metric == "f2":
                expected = quiet(sk.fbeta_score, targets, decisions, beta=2.0, **options)
            else:
                expected = quiet(getattr(sk, f"{metric}_score"), targets, decisions, **options)
            assert result[name] == pytest.approx(expected), name


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from([np.float32, np.float64]))
def test_threshold_free_metrics_equal_scikit_learn(problem, dtype):
    targets, scores, _, weight = problem
    result = evaluate(targets, scores.astype(dtype), row_weight=weight, metrics="all")
    scores = scores.astype(dtype)
    expected = by_label(sk.average_precision_score, targets, scores, weight, False)
    np.testing.assert_allclose(result["ap_macro"], expected)
    expected = by_label(sk.roc_auc_score, targets, scores, weight, True)
    np.testing.assert_allclose(result["auc_macro"], expected)
    if targets.any() and not targets.all():
        cells = (targets.ravel(), scores.ravel())
        weights = np.repeat(weight, targets.shape[1])
        pooled = sk.average_precision_score(*cells, sample_weight=weights)
        assert result["ap_micro"] == pytest.approx(pooled)
        assert result["auc_micro"] == pytest.approx(sk.roc_auc_score(*cells, sample_weight=weights))
    rows = targets.any(axis=1)
    if rows.any():
        options = {"average": "samples", "sample_weight": weight[rows]}
        expected = sk.average_precision_score(targets[rows], scores[rows], **options)
        assert result["ap_samples"] == pytest.approx(expected)
        ap = [
            quiet(sk.average_precision_score, targets[:, j], scores[:, j], sample_weight=weight)
            for j in range(targets.shape[1])
        ]
        mass = weight @ targets
        assert result["ap_weighted"] == pytest.approx(np.average(ap, weights=mass))


@settings(max_examples=60, deadline=None)
@given(problems())
def test_ranking_metrics_equal_scikit_learn(problem):
    targets, scores, _, weight = problem
    result = evaluate(targets, scores, row_weight=weight, metrics="all")
    common = {"sample_weight": weight}
    lrap = sk.label_ranking_average_precision_score(targets, scores, **common)
    assert result["lrap"] == pytest.approx(lrap)
    assert result["coverage_error"] == pytest.approx(sk.coverage_error(targets, scores, **common))
    assert result["ranking_loss"] == pytest.approx(sk.label_ranking_loss(targets, scores, **common))
    for k in (1, 3, 5):
        expected = sk.ndcg_score(targets, scores, k=k, **common)
        assert result[f"ndcg@{k}"] == pytest.approx(expected)
    rows = targets.any(axis=1)
    if rows.any():  # of tied first labels the share that is wrong
        first = scores == scores.max(axis=1, keepdims=True)
        wrong = (first & ~targets).sum(axis=1) / first.sum(axis=1)
        assert result["one_error"] == pytest.approx(np.average(wrong[rows], weights=weight[rows]))


@settings(max_examples=40, deadline=None)
@given(problems())
def test_probability_metrics_equal_scikit_learn(problem):
    targets, scores, _, weight = problem
    result = evaluate(targets, scores, row_weight=weight, metrics=["log_loss", "brier"])
    weights = np.repeat(weight, targets.shape[1])
    cells = (targets.ravel(), scores.ravel())
    assert result["log_loss"] == pytest.approx(sk.log_loss(*cells, sample_weight=weights, labels=[0, 1]))
    assert result["brier"] == pytest.approx(np.average((cells[0] - cells[1]) ** 2, weights=weights))


@settings(max_examples=60, deadline=None)
@given(problems())
def test_sparse_scores_give_what_dense_ones_give(problem):
    targets, scores, decisions, weight = problem
    dense = evaluate(targets, scores, decisions, metrics="all", row_weight=weight, train=targets)
    sparse = evaluate(
        csr_array(targets),
        csr_array(scores),
        csr_array(decisions),
        metrics="all",
        row_weight=weight,
        train=targets,
    )
    # macro-F1@k never decides a label without a stored score, where dense zeros fill up the k
    names = [name for name in dense if "@" not in name or "macro" not in name]
    np.testing.assert_allclose([dense[n] for n in names], [sparse[n] for n in names], atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(problems(), st.data())
def test_an_unknown_label_is_as_if_deleted(problem, data):
    targets, scores, decisions, weight = problem
    gone = data.draw(st.integers(0, targets.shape[1] - 1))
    cells = targets.astype(float)
    cells[:, gone] = np.nan
    kept = [j for j in range(targets.shape[1]) if j != gone]
    if set(np.unique(scores[:, kept])) <= {0.0, 1.0}:
        return
    options = {"metrics": "all", "row_weight": weight, "train": targets[:, kept]}
    for form in (np.asarray, csr_array):
        options["train"] = targets[:, kept]
        deleted = evaluate(targets[:, kept], form(scores[:, kept]), decisions[:, kept], **options)
        options["train"] = targets
        masked = evaluate(cells, form(scores), decisions, **options)
        np.testing.assert_allclose(list(masked.values.values()), list(deleted.values.values()), atol=1e-9)


PEERS = {
    "precision": lambda y, p, w: sk.precision_score(y, p, sample_weight=w, zero_division=np.nan),
    "recall": lambda y, p, w: sk.recall_score(y, p, sample_weight=w, zero_division=np.nan),
    "f1": lambda y, p, w: sk.f1_score(y, p, sample_weight=w, zero_division=np.nan),
    "jaccard": lambda y, p, w: sk.jaccard_score(y, p, sample_weight=w) if (y | p).any() else np.nan,
    "specificity": lambda y, p, w: sk.recall_score(~y, ~p, sample_weight=w, zero_division=np.nan),
    "balanced_accuracy": lambda y, p, w: (
        sk.balanced_accuracy_score(y, p, sample_weight=w) if 0 < y.mean() < 1 else np.nan
    ),
    "mcc": lambda y, p, w: (
        sk.matthews_corrcoef(y, p, sample_weight=w) if 0 < y.mean() < 1 and 0 < p.mean() < 1 else np.nan
    ),
}
RANKED = {
    "ap": lambda y, s, w: sk.average_precision_score(y, s, sample_weight=w) if y.any() else np.nan,
    "auc": lambda y, s, w: sk.roc_auc_score(y, s, sample_weight=w) if 0 < y.mean() < 1 else np.nan,
}


@pytest.mark.parametrize("seed", range(300))
def test_weights_that_are_no_round_numbers_leave_undefined_what_is(seed):
    rng = np.random.default_rng(seed)
    targets = rng.random((30, 5)) < [0.0, 0.05, 0.4, 0.95, 1.0]
    decisions = rng.random((30, 5)) < [0.4, 0.0, 0.5, 1.0, 0.9]
    scores, weight = rng.random((30, 5)), rng.random(30) * 10.0 ** rng.integers(-5, 5)
    names = [f"{name}_macro" for name in (*PEERS, *RANKED)]
    result = evaluate(targets, scores, decisions, metrics=names, row_weight=weight, intervals=2)
    for name, peer in (PEERS | RANKED).items():
        given = scores if name in RANKED else decisions
        expected = [quiet(peer, targets[:, j], given[:, j], weight) for j in range(5)]
        np.testing.assert_allclose(result.per_label[name], expected, atol=1e-6, err_msg=name)
        assert result.counted[f"{name}_macro"].used == np.count_nonzero(~np.isnan(expected))


def test_a_row_of_weight_zero_is_as_if_deleted():
    rng = np.random.default_rng(3)
    targets, scores = rng.random((30, 5)) < 0.3, rng.random((30, 5))
    weight = np.ones(30)
    weight[20:] = 0
    weighted = evaluate(targets, scores, scores > 0.6, metrics="all", row_weight=weight)
    deleted = evaluate(targets[:20], scores[:20], scores[:20] > 0.6, metrics="all")
    np.testing.assert_allclose(list(weighted.values.values()), list(deleted.values.values()))
    np.testing.assert_allclose(list(weighted.baseline.values()), list(deleted.baseline.values()))


@settings(max_examples=40, deadline=None)
@given(problems())
def test_the_baseline_is_what_its_own_predictions_score(problem):
    targets, _, _, weight = problem
    train = np.vstack([targets, ~targets[:1]])
    scores = np.tile(train.mean(0), (len(targets), 1))
    if set(np.unique(scores)) <= {0.0, 1.0}:
        return
    nothing = np.zeros_like(targets)
    result = evaluate(targets, scores, nothing, metrics="all", row_weight=weight, train=train)
    np.testing.assert_allclose(list(result.values.values()), list(result.baseline.values()), atol=1e-9)
