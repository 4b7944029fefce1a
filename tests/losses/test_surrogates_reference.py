"""Metric surrogates against scikit-learn's metrics in their limits, and against their definitions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from manyhot.labels import Targets
from manyhot.losses import LovaszHinge, PairwiseAUC, SigmoidF1, SmoothAP, SoftF1, SoftJaccard

DRAW = np.random.default_rng(4)
LOGITS = DRAW.normal(0, 2, (30, 5))
TARGETS = (DRAW.random((30, 5)) < 0.35).astype(float)
TARGETS[0], TARGETS[1] = 0, 1
SURE = 200 * np.sign(LOGITS)  # as good as a decision
AVERAGES = ["macro", "micro", "samples"]


def value(loss, logits, targets, **given_beside):
    return loss(torch.as_tensor(logits), targets, **given_beside).item()


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_soft_f_of_decisions_is_the_f_measure(average, beta):
    expected = metrics.fbeta_score(TARGETS, SURE > 0, beta=beta, average=average, zero_division=0)
    assert value(SoftF1(average, beta), SURE, TARGETS) == pytest.approx(1 - expected)


@pytest.mark.parametrize("average", AVERAGES)
def test_soft_jaccard_of_decisions_is_the_jaccard_index(average):
    expected = metrics.jaccard_score(TARGETS, SURE > 0, average=average, zero_division=0)
    assert value(SoftJaccard(average), SURE, TARGETS) == pytest.approx(1 - expected)


def f_of(member, y, average):
    if average == "micro":
        member, y = member.reshape(-1, 1), y.reshape(-1, 1)
    if average == "samples":
        member, y = member.T, y.T
    hits, false, missed = (member * y).sum(0), (member * (1 - y)).sum(0), ((1 - member) * y).sum(0)
    return np.mean(1 - 2 * hits / (2 * hits + false + missed + 1e-16))


@pytest.mark.parametrize("average", AVERAGES)
def test_soft_and_sigmoid_f1(average):
    p = 1 / (1 + np.exp(-LOGITS))
    assert value(SoftF1(average), LOGITS, TARGETS) == pytest.approx(f_of(p, TARGETS, average))
    steep = 1 / (1 + np.exp(-3 * (LOGITS + 0.4)))
    loss = SigmoidF1(average, beta=3.0, eta=0.4)
    assert value(loss, LOGITS, TARGETS) == pytest.approx(f_of(steep, TARGETS, average))
    flat = 1 / (1 + np.exp(-p))
    loss = SigmoidF1(average, variant="code")
    assert value(loss, LOGITS, TARGETS) == pytest.approx(f_of(flat, TARGETS, average))
    assert value(SigmoidF1(average), LOGITS, TARGETS) == pytest.approx(f_of(p, TARGETS, average))


@pytest.mark.parametrize("average", AVERAGES)
def test_double_soft_f1_is_the_mean_over_both_answers(average):
    p = 1 / (1 + np.exp(-LOGITS))
    expected = (f_of(p, TARGETS, average) + f_of(1 - p, 1 - TARGETS, average)) / 2
    assert value(SoftF1(average, both_sides=True), LOGITS, TARGETS) == pytest.approx(expected)
    rows = np.array([1, 1, 2, 4] + [1] * 26)
    if average != "samples":
        copies = np.repeat(p, rows, 0), np.repeat(TARGETS, rows, 0)
        expected = (f_of(*copies, average) + f_of(1 - copies[0], 1 - copies[1], average)) / 2
        loss = SoftF1(average, both_sides=True)
        assert value(loss, LOGITS, TARGETS, row_weight=rows.astype(float)) == pytest.approx(expected)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("kind", [SoftF1, SoftJaccard, SigmoidF1])
def test_weights_count_copies(kind, average):
    labels, rows = np.array([1, 3, 1, 2, 1]), np.array([1, 1, 2, 4] + [1] * 26)
    z, y = (np.repeat(np.repeat(a, rows, 0), labels, 1) for a in (LOGITS, TARGETS))
    loss = kind(average, label_weight=labels.astype(float), reduction="sum")
    found = value(loss, LOGITS, TARGETS, row_weight=rows.astype(float))
    expected = value(kind(average, reduction="sum"), z, y)
    if average == "samples":  # a row's weight cancels within it; here it is deleted or not
        expected = value(kind(average, reduction="sum"), z[np.cumsum(rows) - 1], y[np.cumsum(rows) - 1])
    assert found == pytest.approx(expected, rel=1e-6)


def test_pos_weight_is_for_missed_and_found_positives():
    p = 1 / (1 + np.exp(-LOGITS))
    hits, false, missed = (p * TARGETS).sum(), (p * (1 - TARGETS)).sum(), ((1 - p) * TARGETS).sum()
    expected = 1 - 2 * 3 * hits / (2 * 3 * hits + false + 3 * missed)
    assert value(SoftF1("micro", pos_weight=3.0), LOGITS, TARGETS) == pytest.approx(expected)


def test_a_label_without_positives_costs_one_or_is_left_out():
    y = TARGETS.copy()
    y[:, 2] = 0
    rest = [0, 1, 3, 4]
    without = value(SoftF1(), LOGITS[:, rest], y[:, rest])
    assert value(SoftF1(), LOGITS, y) == pytest.approx((4 * without + 1) / 5)
    assert value(SoftF1(skip_empty=True), LOGITS, y) == pytest.approx(without)


@pytest.mark.parametrize("average", ["samples", "macro"])
def test_lovasz_hinge_at_unit_logits_is_twice_the_jaccard_loss(average):
    # Right cells have the hinge 0, wrong ones 2; the extension is linear in between.
    z = np.sign(LOGITS)
    rows = slice(1, None) if average == "samples" else slice(None)  # a row without positives is an own case
    expected = metrics.jaccard_score(TARGETS[rows], z[rows] > 0, average=average)
    assert value(LovaszHinge(average), z[rows], TARGETS[rows]) == pytest.approx(2 * (1 - expected))


def lovasz_by_definition(z, y):
    errors = 1 - z * (2 * y - 1)
    order = sorted(range(len(z)), key=lambda j: -errors[j])
    cost, before, wrong = 0.0, 0.0, set()
    for j in order:
        wrong.add(j)
        right = sum(y) - sum(y[i] for i in wrong)
        after = 1 - right / (sum(y) + sum(1 - y[i] for i in wrong))
        cost += max(errors[j], 0) * (after - before)
        before = after
    return cost


def test_lovasz_hinge_by_its_definition():
    by_row = [lovasz_by_definition(z, y) for z, y in zip(LOGITS, TARGETS, strict=True)]
    by_label = [lovasz_by_definition(z, y) for z, y in zip(LOGITS.T, TARGETS.T, strict=True)]
    assert value(LovaszHinge(), LOGITS, TARGETS) == pytest.approx(np.mean(by_row))
    assert value(LovaszHinge("macro"), LOGITS, TARGETS) == pytest.approx(np.mean(by_label))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_lovasz_hinge_is_convex(seed):
    draw = np.random.default_rng(seed)
    one, other = draw.normal(0, 2, (2, 4, 6))
    y = (draw.random((4, 6)) < 0.5).astype(float)
    middle = value(LovaszHinge(), (one + other) / 2, y)
    assert middle <= (value(LovaszHinge(), one, y) + value(LovaszHinge(), other, y)) / 2 + 1e-9


def test_smooth_ap_at_a_low_temperature_is_average_precision():
    expected = metrics.average_precision_score(TARGETS, LOGITS, average="macro")
    assert value(SmoothAP(1e-5), LOGITS, TARGETS) == pytest.approx(1 - expected, abs=1e-6)


def test_smooth_ap_by_its_definition():
    def s(x):
        return 1 / (1 + np.exp(-x / 0.5))

    costs = []
    for z, y in zip(LOGITS.T, TARGETS.T, strict=True):
        members, precisions = np.flatnonzero(y), []
        for i in members:
            better = sum(s(z[j] - z[i]) for j in members if j != i)
            precisions.append((1 + better) / (1 + sum(s(z[j] - z[i]) for j in range(len(z)) if j != i)))
        costs.append(1 - np.mean(precisions))
    assert value(SmoothAP(0.5), LOGITS, TARGETS) == pytest.approx(np.mean(costs))


SURROGATES = {
    "squared-hinge": lambda d: np.maximum(0, 1 - d) ** 2,
    "hinge": lambda d: np.maximum(0, 1 - d),
    "logistic": lambda d: np.log1p(np.exp(-d)),
}


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_pairwise_auc_by_its_definition(surrogate):
    costs = [
        SURROGATES[surrogate](z[y == 1][:, None] - z[y == 0][None]).mean()
        for z, y in zip(LOGITS.T, TARGETS.T, strict=True)
    ]
    assert value(PairwiseAUC(surrogate), LOGITS, TARGETS) == pytest.approx(np.mean(costs))


def test_hinges_of_far_logits_without_a_margin_order_as_auc_does():
    # With logits of which only the order matters, here 0 and 1, a hinge without margin is 1 - AUC less ties.
    y = TARGETS[:, :1]
    z = (DRAW.random(y.shape) < 0.5).astype(float)
    loss = PairwiseAUC("hinge", margin=0.0)
    ties = np.mean([a == b for a in z[y == 1] for b in z[y == 0]])
    assert value(loss, z, y) == pytest.approx(1 - metrics.roc_auc_score(y, z) - ties / 2)


@pytest.mark.parametrize("loss", [SmoothAP(), PairwiseAUC(), PairwiseAUC("logistic")], ids=repr)
def test_labels_that_cannot_be_ranked_are_left_out(loss):
    y = TARGETS.copy()
    y[:, 2] = 0
    rest = [0, 1, 3, 4]
    assert value(loss, LOGITS, y) == pytest.approx(value(loss, LOGITS[:, rest], y[:, rest]))
    assert value(loss, LOGITS, np.zeros_like(y)) == 0


ALL = [SoftF1(), SoftJaccard("samples"), SigmoidF1("micro"), LovaszHinge("macro"), SmoothAP(), PairwiseAUC()]


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_an_unknown_row_of_a_label_is_a_row_less_for_it(loss):
    coded = TARGETS.copy()
    coded[3:9, 1], coded[20, :] = np.nan, np.nan
    z = np.where(np.isnan(coded), np.nan, LOGITS)
    found = value(loss, z, coded)
    assert value(loss, z, Targets.from_dense(coded)) == pytest.approx(found)
    if getattr(loss, "average", "macro") != "macro":
        return
    costs = [
        value(loss, column[~np.isnan(y)][:, None], y[~np.isnan(y)][:, None])
        for column, y in zip(z.T, coded.T, strict=True)
    ]
    assert found == pytest.approx(np.mean(costs))
