"""Single metrics against scikit-learn and against their definitions written out."""

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy.sparse import csr_array

from manyhot.errors import InputError, OptionError
from manyhot.metrics import Stream, Training, evaluate, find_metric

RNG = np.random.default_rng(11)
TRUTH = RNG.random((60, 7)) < [0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.6]
TRUTH[0], TRUTH[0, 5] = False, True  # label 5 is defined, and some rows are short
SCORES = (TRUTH + RNG.normal(0, 0.6, TRUTH.shape)).round(1)  # ties
DECIDED = SCORES > 0.5
WEIGHT = RNG.choice([0.5, 1.0, 3.0], 60)


def value(name, **options):
    return evaluate(TRUTH, metrics=name, baseline=False, **options)[name]


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("mcc", sk.matthews_corrcoef),
        ("kappa", sk.cohen_kappa_score),
        ("balanced_accuracy", sk.balanced_accuracy_score),
        ("specificity", lambda truth, decided, **w: sk.recall_score(~truth, ~decided, **w)),
        ("npv", lambda truth, decided, **w: sk.precision_score(~truth, ~decided, **w)),
    ],
)
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_set_metrics_that_scikit_learn_has_for_one_label(name, peer, weight):
    by_label = [peer(TRUTH[:, j], DECIDED[:, j], sample_weight=weight) for j in range(7)]
    macro, mass = np.mean(by_label), (np.ones(60) if weight is None else weight) @ TRUTH
    micro = peer(TRUTH.ravel(), DECIDED.ravel(), sample_weight=None if weight is None else weight.repeat(7))
    options = {"decisions": DECIDED, "row_weight": weight}
    assert value(f"{name}_macro", **options) == pytest.approx(macro, abs=1e-12)
    assert value(f"{name}_micro", **options) == pytest.approx(micro, abs=1e-12)
    weighted = np.average(by_label, weights=mass)
    assert value(f"{name}_weighted", **options) == pytest.approx(weighted, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "decided"),
    [("mcc", False), ("mcc", True), ("kappa", None), ("balanced_accuracy", None), ("specificity", None)],
)
def test_undefined_is_left_out_and_counted(name, decided):
    # label 0 is plain; label 1 has positives only, and is decided so (or constantly)
    truth = np.array([[1, 1], [0, 1], [1, 1], [0, 1]])
    decisions = np.array([[1, 1], [0, 1], [1, 1], [0, 1]])
    if decided is not None:
        truth[:, 1], decisions[:, 1] = [0, 1, 0, 1], decided
    result = evaluate(truth, decisions=decisions, metrics=f"{name}_macro")
    assert result[f"{name}_macro"] == pytest.approx(1)
    assert str(result.counted[f"{name}_macro"]) == "1/2 labels"


def test_area_under_the_roc_curve_of_rows():
    rows = [row for row in range(60) if 0 < TRUTH[row].sum() < 7]
    expected = np.average([sk.roc_auc_score(TRUTH[r], SCORES[r]) for r in rows], weights=WEIGHT[rows])
    assert value("auc_samples", scores=SCORES, row_weight=WEIGHT) == pytest.approx(expected, abs=1e-12)
    result = evaluate(TRUTH, SCORES, metrics="auc_samples")
    assert result.counted["auc_samples"].used == len(rows)


UNTIED = SCORES + RNG.random(TRUTH.shape) * 0.05  # no ties: the first k are what argsort says


@pytest.mark.parametrize("k", [1, 3, 5, 7])
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_precision_and_recall_at_k(k, form):
    first = np.argsort(-UNTIED, axis=1)[:, :k]
    hits = np.take_along_axis(TRUTH, first, axis=1).sum(1)
    positives = TRUTH.sum(1)
    assert value(f"p@{k}", scores=form(UNTIED)) == pytest.approx(np.mean(hits / k), abs=1e-12)
    expected = np.mean(hits[positives > 0] / positives[positives > 0])
    assert value(f"r@{k}", scores=form(UNTIED)) == pytest.approx(expected, abs=1e-12)


def test_ties_across_the_border_take_their_expected_place():
    # three labels tie for the last of two places, one of them positive: a third of a hit
    truth, scores = np.array([[1, 1, 0, 0]]), np.array([[0.9, 0.5, 0.5, 0.5]])
    result = evaluate(truth, scores, metrics=["p@2", "r@2"])
    assert result["p@2"] == pytest.approx((1 + 1 / 3) / 2)
    assert result["r@2"] == pytest.approx((1 + 1 / 3) / 2)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_propensity_scored_metrics_are_those_of_jain(k):
    """KDD 2016, section 3 and table 1: 1/p = 1 + C exp(-A log(N_l + B)), C = (log N - 1)(B + 1)^A."""
    counts, rows = np.array([500, 120, 60, 30, 9, 2, 0]), 1500
    a, b = 0.55, 1.5
    inverse = 1 + (np.log(rows) - 1) * (b + 1) ** a * np.exp(-a * np.log(counts + b))
    train = Training(counts.astype(float), np.full(7, 1500.0), rows)
    order = np.argsort(-UNTIED, axis=1)[:, :k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    gained, best, gained_dcg, best_dcg = 0.0, 0.0, 0.0, 0.0
    for row in range(60):
        got = (TRUTH[row] * inverse)[order[row]]
        most = np.sort(TRUTH[row] * inverse)[::-1][:k]
        ideal = discount[: TRUTH[row].sum()].sum() or 1.0
        gained, best = gained + got.sum(), best + most.sum()
        gained_dcg += (got * discount).sum() / ideal
        best_dcg += (most * discount).sum() / ideal
    assert value(f"psp@{k}", scores=UNTIED, train=train) == pytest.approx(gained / best, abs=1e-12)
    assert value(f"psndcg@{k}", scores=UNTIED, train=train) == pytest.approx(gained_dcg / best_dcg, abs=1e-12)


def calibration_error(truth, scores, weight, bins=15):
    """Equal scores go together to the bin in which the middle of their mass lies."""
    place = np.unique(scores, return_inverse=True)[1]
    mass = np.bincount(place, weight)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    bin_of = np.minimum((middle * bins).astype(int), bins - 1)[place]
    gaps = [abs((weight * (scores - truth))[bin_of == b].sum()) for b in range(bins)]
    return sum(gaps) / weight.sum()


def test_calibration_error_of_all_cells_and_of_each_label():
    scores = RNG.choice([0.125, 0.25, 0.5, 0.75, 1.0], TRUTH.shape)  # levels that no bucket mixes
    weight = WEIGHT.repeat(7)
    expected = calibration_error(TRUTH.ravel(), scores.ravel(), weight)
    options = {"scores": scores, "row_weight": WEIGHT}
    assert value("ece", **options) == pytest.approx(expected, abs=1e-12)
    by_label = [calibration_error(TRUTH[:, j], scores[:, j], WEIGHT) for j in range(7)]
    assert value("ece_macro", **options) == pytest.approx(np.mean(by_label), abs=1e-12)
    assert value("ece", scores=csr_array(scores), row_weight=WEIGHT) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_losses_of_each_label(form, weight):
    scores = RNG.choice([0.0, 0.125, 0.5, 0.75], TRUTH.shape)
    holes = TRUTH.astype(float)
    holes[RNG.random(TRUTH.shape) < 0.1] = np.nan
    result = evaluate(holes, form(scores), metrics=["log_loss_macro", "brier_macro"], row_weight=weight)
    mass = np.ones(60) if weight is None else weight
    for label in range(7):
        known = ~np.isnan(holes[:, label])
        own = holes[known, label].astype(int), scores[known, label]
        options = {"sample_weight": mass[known], "labels": [0, 1]}
        assert result.per_label["log_loss"][label] == pytest.approx(sk.log_loss(*own, **options))
        brier = np.average((own[0] - own[1]) ** 2, weights=mass[known])
        assert result.per_label["brier"][label] == pytest.approx(brier)
    assert result["log_loss_macro"] == pytest.approx(np.mean(result.per_label["log_loss"]))
    assert result["brier_macro"] == pytest.approx(np.mean(result.per_label["brier"]))


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("floor", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_a_rate_while_another_holds_is_the_best_point_of_the_curve(form, floor):
    scores = np.where(SCORES > 0, SCORES, 0.0)  # what CSR leaves out ties at the end
    names = [f"{kind}={floor:g}" for kind in ("recall@precision", "recall@specificity", "precision@recall")]
    result = evaluate(TRUTH, form(scores), metrics=names, row_weight=WEIGHT)
    for label in range(7):
        own = (TRUTH[:, label], scores[:, label])
        precision, recall, _ = sk.precision_recall_curve(*own, sample_weight=WEIGHT)
        fpr, tpr, _ = sk.roc_curve(*own, sample_weight=WEIGHT, drop_intermediate=False)
        expected = [
            recall[precision >= floor - 1e-9].max(),
            tpr[1 - fpr >= floor - 1e-9].max(),
            precision[:-1][recall[:-1] >= floor - 1e-9].max(),
        ]
        found = [result.per_label[name][label] for name in names]
        np.testing.assert_allclose(found, expected, atol=1e-12)
    for name in names:
        assert result[name] == pytest.approx(np.mean(result.per_label[name]))


def test_a_floor_without_meaning_is_undefined():
    truth, scores = np.array([[1, 0, 1], [1, 0, 0]]), np.array([[0.5, 0.1, 0.2], [0.3, 0.2, 0.4]])
    result = evaluate(truth, scores, metrics=["recall@specificity=0.9", "recall@precision=0.9"])
    assert str(result.counted["recall@specificity=0.9"]) == "1/3 labels"
    np.testing.assert_array_equal(result.per_label["recall@precision=0.9"], [1, np.nan, 0])
    with pytest.raises(OptionError, match=r"floor of recall@precision=1.5 must be in \[0.0, 1.0\]"):
        find_metric("recall@precision=1.5")


def test_constants_of_the_propensity_model_can_be_set():
    train = Training(np.array([500.0, 120, 60, 30, 9, 2, 0]), np.full(7, 1500.0), 1500)
    a, b = 0.6, 2.6
    inverse = 1 + (np.log(1500) - 1) * (b + 1) ** a * (train.positive + b) ** -a
    first = np.argmax(UNTIED, axis=1)
    gained = (TRUTH * inverse)[np.arange(60), first].sum()
    expected = gained / (TRUTH * inverse).max(axis=1).sum()
    found = value("psp@1", scores=UNTIED, train=train, propensity=(a, b))
    assert found == pytest.approx(expected)
    stream = Stream(7, ["psp@1"], train=train, propensity=(a, b))
    stream.update(TRUTH, UNTIED)
    assert stream.values()["psp@1"] == pytest.approx(expected)
    with pytest.raises(InputError, match=r"expected propensity=\(A, B\), two numbers > 0"):
        value("psp@1", scores=UNTIED, train=train, propensity=(0.5,))


def test_calibration_error_by_hand():
    # 30 cells at .25 of which 15 are positive, 30 at .75 all positive: both off by .25
    truth = np.r_[np.tile([1, 0], 15), np.ones(30)][:, None]
    scores = np.r_[np.full(30, 0.25), np.full(30, 0.75)][:, None]
    for name in ("ece", "ece_macro"):
        assert evaluate(truth, scores, metrics=name)[name] == pytest.approx(0.25)
    exact = np.r_[np.full(30, 0.5), np.ones(30)][:, None]
    assert evaluate(truth, exact, metrics="ece")["ece"] == pytest.approx(0, abs=1e-12)


def test_calibration_error_leaves_unknown_cells_out():
    scores = RNG.random(TRUTH.shape)
    holes = TRUTH.astype(float)
    holes[:, 2] = np.nan
    kept = [j for j in range(7) if j != 2]
    for name in ("ece", "ece_macro"):
        whole = evaluate(holes, scores, metrics=name)[name]
        assert whole == pytest.approx(
            evaluate(TRUTH[:, kept], scores[:, kept], metrics=name)[name], abs=1e-12
        )
