"""Values of the pointwise losses against independent float64 formulas, written out cell by cell."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from manyhot.errors import OptionError
from manyhot.losses import (
    BCE,
    GCE,
    LDAM,
    MAE,
    Asymmetric,
    AsymmetricPolynomial,
    Brier,
    ClassBalanced,
    DistributionBalanced,
    Focal,
    Hill,
    LogitAdjusted,
    Poly1,
    PropensityScored,
    RobustAsymmetric,
    SquaredHinge,
    Unbiased,
    propensities,
)

LOGITS = torch.linspace(-9, 9, 60, dtype=torch.float64).reshape(12, 5).flip(1).roll(3, 0)
TARGETS = (torch.arange(60).reshape(12, 5) % 7 < 3).double()
COUNTS = np.array([5.0, 40.0, 1.0, 12.0, 99.0])
ROWS = 100
p = torch.sigmoid(LOGITS)
y = TARGETS


def cells(loss):
    loss.reduction = "none"
    return loss(LOGITS, TARGETS)


def assert_cells(loss, expected):
    torch.testing.assert_close(cells(loss), expected, rtol=1e-9, atol=1e-12)


def ce(prob, target):
    return -(target * prob.log() + (1 - target) * torch.log1p(-prob))


def test_bce_is_torch_s():
    torch.testing.assert_close(
        BCE()(LOGITS, TARGETS), functional.binary_cross_entropy_with_logits(LOGITS, TARGETS)
    )
    weight = torch.tensor([1.0, 5.0, 0.2, 3.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(
        BCE(pos_weight=weight, reduction="sum")(LOGITS, TARGETS),
        functional.binary_cross_entropy_with_logits(LOGITS, TARGETS, pos_weight=weight, reduction="sum"),
    )


def test_bce_of_soft_targets_is_torch_s():
    soft = torch.rand(12, 5, dtype=torch.float64)
    torch.testing.assert_close(
        BCE()(LOGITS, soft), functional.binary_cross_entropy_with_logits(LOGITS, soft), rtol=1e-12, atol=0
    )


def test_smoothing_moves_targets_towards_one_half():
    moved = TARGETS * 0.8 + 0.1
    expected = functional.binary_cross_entropy_with_logits(LOGITS, moved)
    torch.testing.assert_close(BCE(smoothing=0.2)(LOGITS, TARGETS), expected)
    uneven = TARGETS * (1 - 0.3) + (1 - TARGETS) * 0.05
    expected = functional.binary_cross_entropy_with_logits(LOGITS, uneven)
    torch.testing.assert_close(BCE(smoothing=(0.3, 0.05))(LOGITS, TARGETS), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_focal(gamma, alpha):
    right = torch.where(y == 1, p, 1 - p)
    share = 1.0 if alpha is None else torch.where(y == 1, alpha, 1 - alpha)
    assert_cells(Focal(gamma, alpha), share * (1 - right) ** gamma * ce(p, y))


@pytest.mark.parametrize("clip", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("gammas", [(4, 1), (4, 0), (2, 2), (0, 0), (0.5, 0.5)])
def test_asymmetric(clip, gammas):
    negative, positive = gammas
    kept = (1 - p + clip).clamp(max=1)
    right = p * y + kept * (1 - y)
    power = torch.where(y == 1, float(positive), float(negative))
    expected = -((1 - right) ** power) * (y * p.log() + (1 - y) * kept.log())
    assert_cells(Asymmetric(negative, positive, clip), expected)


def test_asymmetric_holds_its_focus_constant_unless_told_otherwise():
    def slopes(detach):
        z = LOGITS.clone().requires_grad_()
        kept = (1 - torch.sigmoid(z) + 0.05).clamp(max=1)
        right = torch.sigmoid(z) * y + kept * (1 - y)
        focus = (1 - right) ** torch.where(y == 1, 1.0, 4.0)
        cost = -(y * torch.sigmoid(z).log() + (1 - y) * kept.log())
        ((focus.detach() if detach else focus) * cost).sum().backward()
        return z.grad

    for detach in (True, False):
        z = LOGITS.clone().requires_grad_()
        Asymmetric(detach_focus=detach, reduction="sum")(z, TARGETS).backward()
        torch.testing.assert_close(z.grad, slopes(detach), rtol=1e-9, atol=1e-12)


def test_asymmetric_still_teaches_the_worst_positive():
    z = torch.tensor([[-30.0]], requires_grad=True)
    Asymmetric(reduction="sum")(z, torch.ones(1, 1)).backward()
    assert z.grad.item() == pytest.approx(-1.0)


@pytest.mark.parametrize("gamma_neg", [0.0, 4.0])
@pytest.mark.parametrize("epsilon_neg", [0.0, 0.7])
def test_asymmetric_polynomial(gamma_neg, epsilon_neg):
    kept = (1 - p + 0.05).clamp(max=1)
    q = 1 - kept
    positive = (1 - p) ** 0.5 * (-p.log() - (1 - p) + 1.25 * (1 - p) ** 2)
    negative = q**gamma_neg * (-kept.log() - epsilon_neg * kept)
    loss = AsymmetricPolynomial(gamma_neg, 0.5, 0.05, 1.0, -2.5, epsilon_neg)
    assert_cells(loss, torch.where(y == 1, positive, negative))


def test_robust_asymmetric():
    kept = (1 - p + 0.05).clamp(max=1)
    positive = -p.log() - (1 - p) + 1.25 * (1 - p) ** 2
    base = (1 - kept) ** 4 * -kept.log()
    by_code = base * (1.5 - p) * p**2 * (1.5 - kept)
    assert_cells(RobustAsymmetric(), torch.where(y == 1, positive, by_code))
    assert_cells(RobustAsymmetric(variant="paper"), torch.where(y == 1, positive, base * (1.5 - p)))


def test_hill():
    shifted = torch.sigmoid(LOGITS - 1)
    expected = torch.where(y == 1, (1 - shifted) ** 2 * -shifted.log(), (1.5 - p) * p**2)
    assert_cells(Hill(), expected)


def test_poly1_and_the_bounded_ones():
    right = torch.where(y == 1, p, 1 - p)
    assert_cells(Poly1(2.0), ce(p, y) + 2 * (1 - right))
    assert_cells(GCE(0.7), (1 - right**0.7) / 0.7)
    assert_cells(Brier(), (p - y) ** 2)
    assert_cells(MAE(), (p - y).abs())
    assert_cells(SquaredHinge(), (1 - LOGITS * (2 * y - 1)).clamp(min=0) ** 2)


def test_gce_lies_between_cross_entropy_and_absolute_error():
    torch.testing.assert_close(cells(GCE(1e-6)), cells(BCE()), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(cells(GCE(1.0)), cells(MAE()), rtol=1e-9, atol=1e-12)


def test_logit_adjusted():
    prior = torch.tensor(np.clip(COUNTS / ROWS, 1 / ROWS, 1 - 1 / ROWS))
    assert_cells(LogitAdjusted(COUNTS, ROWS, 0.7), ce(torch.sigmoid(LOGITS + 0.7 * torch.logit(prior)), y))


def test_ldam():
    margins = torch.tensor(0.5 * (COUNTS / COUNTS.min()) ** -0.25)
    x = 3 * torch.where(y == 1, LOGITS - margins, LOGITS)
    assert_cells(LDAM(COUNTS, 0.5, 3.0), functional.binary_cross_entropy_with_logits(x, y, reduction="none"))
    x = 30 * torch.where(y == 1, LOGITS - margins, LOGITS)
    assert_cells(LDAM(COUNTS), functional.binary_cross_entropy_with_logits(x, y, reduction="none"))


@pytest.mark.parametrize("mode", ["by_class", "average_w", "average_n", "min_n"])
def test_class_balanced(mode):
    def weigh(n):
        return (1 - 0.99) / (1 - 0.99**n)

    by_label = weigh(torch.tensor(COUNTS))
    weights = by_label.expand(12, 5).clone()
    for row in range(12):
        members = y[row] == 1
        counts = torch.tensor(COUNTS)[members]
        if mode == "average_w":
            weights[row] = by_label[members].mean()
        elif mode == "average_n":
            weights[row] = weigh(counts.mean())
        elif mode == "min_n":
            weights[row] = weigh(counts.min())
    loss = ClassBalanced(COUNTS, 0.99, gamma=2.0, mode=mode, normalize=False)
    right = torch.where(y == 1, p, 1 - p)
    assert_cells(loss, weights * (1 - right) ** 2 * ce(p, y))


def test_class_balanced_weights_have_a_mean_of_one():
    assert float(ClassBalanced(COUNTS, 0.99).balance.mean()) == pytest.approx(1.0)


@pytest.mark.parametrize("variant", ["code", "paper"])
def test_distribution_balanced(variant):
    lam, rarity = 5.0, torch.tensor(1 / COUNTS)
    nu = 0.05 * torch.log(ROWS / torch.tensor(COUNTS) - 1)
    x = LOGITS - (nu / lam if variant == "code" else nu)
    share = rarity / (y * rarity).sum(1, keepdim=True)
    weight = 0.1 + torch.sigmoid(10 * (share - 0.3))
    x = torch.where(y == 1, x, lam * x)
    cost = functional.binary_cross_entropy_with_logits(x, y, reduction="none")
    focus = (1 - torch.exp(-cost)) ** 2
    expected = 2 * weight * focus * cost * torch.where(y == 1, y, 1 / lam)
    assert_cells(DistributionBalanced(COUNTS, ROWS, variant=variant), expected)


def test_distribution_balanced_row_without_positives_has_the_largest_weight():
    loss = DistributionBalanced([5, 5], 100, gamma=0, kappa=0, lam=1, balance=1, reduction="none")
    value = loss(torch.zeros(1, 2), torch.zeros(1, 2))
    torch.testing.assert_close(value, torch.full((1, 2), 1.1 * math.log(2)))


def test_propensities_by_hand():
    # n = 1, N = e^2: C = (b + 1)^a, so 1 / p = 1 + ((b + 1) / (n + b))^a = 2.
    assert propensities([1.0], 7.38905609893065)[0] == pytest.approx(0.5)
    grown = propensities(np.arange(0, 1000), 10_000)
    assert (np.diff(grown) > 0).all()
    assert grown[-1] < 1


def test_propensity_losses():
    t = torch.tensor(propensities(COUNTS, ROWS))
    assert_cells(PropensityScored(t), y * -p.log() / t - (1 - y) * torch.log1p(-p))
    positive, negative = -p.log(), -torch.log1p(-p)
    assert_cells(Unbiased(t), torch.where(y == 1, (positive - negative) / t + negative, negative))
    assert_cells(Unbiased(t, form="upper-bound"), torch.where(y == 1, (2 / t - 1) * positive, negative))
    short, over = (1 - LOGITS).clamp(min=0) ** 2, (1 + LOGITS).clamp(min=0) ** 2
    assert_cells(Unbiased(t, base="squared-hinge"), torch.where(y == 1, (short - over) / t + over, over))
    bound = Unbiased(t, base="squared-hinge", form="upper-bound")
    assert_cells(bound, torch.where(y == 1, (2 / t - 1) * short, over))


def test_propensity_weights_of_the_convex_bound_are_scaled_to_a_mean_of_one():
    t = propensities(COUNTS, ROWS, 0.6, 2.6)
    plain = 2 / t - 1
    rare = plain * (1 - 0.9) / (1 - 0.9**COUNTS)
    for weighting, weights in (("pw", plain), ("pw-cb", rare)):
        weights = torch.tensor(weights / weights.sum() * 5)
        loss = PropensityScored(label_counts=COUNTS, num_rows=ROWS, a=0.6, b=2.6, weighting=weighting)
        assert_cells(loss, y * weights * -p.log() - (1 - y) * torch.log1p(-p))
    with pytest.raises(OptionError, match="needs label_counts"):
        PropensityScored(t, weighting="pw-cb")
    given = Unbiased(label_counts=COUNTS, num_rows=ROWS, a=0.6, b=2.6, form="upper-bound")
    assert_cells(given, cells(Unbiased(t, form="upper-bound")))


def test_unbiased_has_the_mean_of_the_complete_labels():
    truth, t = torch.tensor([[1.0, 0.0]]), torch.tensor([0.4, 0.7])
    z = torch.tensor([[0.3, -1.2]])
    loss = Unbiased(t, reduction="none")
    seen, hidden = loss(z, truth), loss(z, torch.zeros(1, 2))
    mean = torch.where(truth == 1, t * seen + (1 - t) * hidden, hidden)
    torch.testing.assert_close(mean, BCE(reduction="none")(z, truth))


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_costs_rise_with_the_error(low, high):
    low, high = sorted((low, high))
    z = torch.tensor([[low], [high]], dtype=torch.float64)
    for loss in (BCE(), Focal(), Asymmetric(), GCE(), Brier(), MAE(), SquaredHinge(), Poly1(), Hill()):
        loss.reduction = "none"
        falling = loss(z, torch.ones(2, 1))[:, 0]
        rising = loss(z, torch.zeros(2, 1))[:, 0]
        assert falling[0] >= falling[1] - 1e-12
        assert rising[0] <= rising[1] + 1e-12
        assert (falling >= 0).all()
        assert (rising >= 0).all()
