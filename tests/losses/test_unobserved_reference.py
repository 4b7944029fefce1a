"""Losses for incompletely observed labels against their definitions, their schedules and their traps."""

import copy
import math

import numpy as np
import pytest
import torch

from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import Targets
from manyhot.losses import (
    BCE,
    GHM,
    ROLE,
    SPLC,
    ClassAwareSelective,
    EntropyMaximization,
    EQLv2,
    ExpectedPositives,
    GeneralizedRobust,
    LargeLoss,
    PartialBCE,
)

DRAW = np.random.default_rng(6)
Z = torch.tensor(DRAW.normal(0, 2.5, (10, 6)))
Y = torch.tensor(np.where(DRAW.random((10, 6)) < 0.4, np.nan, DRAW.random((10, 6)) < 0.4))
Y[0], Y[1] = torch.nan, 1
KNOWN = ~Y.isnan()
ZERO_ONE = Y.nan_to_num(0)
POSITIVE = ZERO_ONE == 1
P = Z.sigmoid()
NEG_LOG_P, NEG_LOG_REST = -P.log(), -(-P).log1p()


def known_bce():
    return torch.where(KNOWN, torch.where(POSITIVE, NEG_LOG_P, NEG_LOG_REST), 0.0)


def assert_value(loss, expected, targets=Y, **beside):
    torch.testing.assert_close(loss(Z, targets, **beside).detach(), expected)


def at_epoch(loss, epoch):
    loss.set_epoch(epoch)
    return loss


def losses():
    """One of each kind, at an epoch in which they do what they are for."""
    return [
        PartialBCE(),
        EntropyMaximization(),
        EntropyMaximization(zeros="negative"),
        ExpectedPositives(1.5),
        ClassAwareSelective(likelihood_topk=1),
        ClassAwareSelective(mode="ignore_normalize"),
        at_epoch(SPLC(), 1),
        at_epoch(SPLC(zeros="negative"), 1),
        at_epoch(LargeLoss(0.05), 2),
        at_epoch(LargeLoss(0.05, "correct", zeros="negative"), 2),
        at_epoch(GeneralizedRobust(5, detach_weights=False), 2),
        GHM(),
        EQLv2([3, 1, 4, 1, 5, 9]),
        ROLE(10, [3, 1, 4, 1, 5, 9]),
    ]


@pytest.mark.parametrize("place", range(len(losses())))
def test_sparse_targets_with_unknown_cells_mean_what_dense_ones_do(place):
    values = []
    for form in (Y, torch.where(KNOWN, Y, -1.0), Targets.from_dense(Y.numpy())):
        z = Z.clone().requires_grad_()
        value = losses()[place](z, form, row_ids=torch.arange(10))
        value.backward()
        values.append((value.detach(), z.grad))
    for value, gradient in values[1:]:
        torch.testing.assert_close(value, values[0][0])
        torch.testing.assert_close(gradient, values[0][1])


@pytest.mark.parametrize("place", range(len(losses())))
def test_the_gradient_with_unknown_cells_is_the_derivative(place):
    def fresh():
        loss = losses()[place]
        if isinstance(loss, ClassAwareSelective):
            loss.flow = 1.0
        return loss

    z = Z.clone().requires_grad_()
    fresh()(z, Y, row_ids=torch.arange(10)).backward()
    for cell in [(0, 0), (2, 1), (3, 5), (7, 2), (9, 4)]:
        step = torch.zeros_like(Z)
        step[cell] = 1e-6
        up, down = (fresh()(Z + sign * step, Y, row_ids=torch.arange(10)).item() for sign in (1, -1))
        assert z.grad[cell].item() == pytest.approx((up - down) / 2e-6, abs=1e-7)


# ---------------------------------------------------------------- partial labels


def test_partial_bce_multiplies_by_the_known_share():
    share = KNOWN.double().mean(1)
    factor = -4.45 * share + 5.45
    rows = factor * known_bce().sum(1) / 6
    assert_value(PartialBCE(), rows[share > 0].mean())
    assert_value(PartialBCE(reduction="sum"), 6 * rows.sum())


def test_partial_bce_weighs_a_row_known_to_a_tenth_five_times():
    y = torch.full((2, 10), torch.nan)
    y[0, 0], y[1] = 1, 1
    costs = PartialBCE(reduction="none")(torch.zeros(2, 10), y) / math.log(2)
    assert costs[0, 0].item() == pytest.approx(5.005, abs=1e-4)
    assert costs[1, 0].item() == pytest.approx(1)
    with pytest.raises(OptionError, match="negative weight"):
        PartialBCE(alpha=-7.0)


def test_partial_bce_has_no_gradient_at_unknown_cells_even_if_nan():
    z = torch.where(KNOWN, Z, torch.nan).requires_grad_()
    PartialBCE()(z, Y).backward()
    assert not z.grad[~KNOWN].any()
    assert z.grad[KNOWN].isfinite().all()


def selective_costs(unknown_weight):
    positive = NEG_LOG_P
    negative = P**2 * NEG_LOG_REST
    unknown = 0.7 * P**4 * NEG_LOG_REST
    return torch.where(KNOWN, torch.where(POSITIVE, positive, negative), unknown * unknown_weight)


def test_class_aware_selective_has_three_curves():
    loss = ClassAwareSelective(gamma_neg=2, alpha_unknown=0.7, mode="negative", reduction="sum")
    assert_value(loss, selective_costs(1.0).sum())
    loss = ClassAwareSelective(gamma_neg=2, mode="ignore", reduction="sum")
    assert_value(loss, selective_costs(0.0).sum())
    factor = 1 + 1 / (1 + KNOWN.sum(1, keepdim=True))
    loss = ClassAwareSelective(gamma_neg=2, mode="ignore_normalize", reduction="sum")
    assert_value(loss, (factor * selective_costs(0.0)).sum())


def test_class_aware_selective_leaves_out_the_likeliest_and_the_frequent():
    kept = (~KNOWN).double()
    order = torch.where(KNOWN, -torch.inf, Z).flatten().argsort(descending=True)
    kept.view(-1)[order[:10]] = 0  # one for each row of the batch, wherever they are
    options = {"gamma_neg": 2, "alpha_unknown": 0.7, "likelihood_topk": 1}
    assert_value(ClassAwareSelective(**options), selective_costs(kept).mean())
    kept[:, [1, 4]] = 0
    prior = [0.01, 0.2, 0.03, 0.05, 0.06, 0.0]
    assert_value(ClassAwareSelective(**options, label_prior=prior), selective_costs(kept).mean())


def test_class_aware_selective_with_a_clip():
    q = (P - 0.05).clamp(min=0)
    unknown, negative = (q**g * -(1 - q).log() for g in (4, 1))
    costs = torch.where(KNOWN, torch.where(POSITIVE, NEG_LOG_P, negative), unknown)
    assert_value(ClassAwareSelective(mode="negative", clip=0.05), costs.mean())


# ---------------------------------------------------------------- single positives


def test_entropy_maximization():
    entropy = P * NEG_LOG_P + (1 - P) * NEG_LOG_REST
    costs = torch.where(KNOWN, known_bce(), -0.2 * entropy)
    assert_value(EntropyMaximization(0.2, zeros="negative"), costs.mean())
    alone = torch.where(POSITIVE, NEG_LOG_P, -0.1 * entropy)
    assert_value(EntropyMaximization(), alone.mean())
    assert_value(EntropyMaximization(), alone.mean(), targets=ZERO_ONE)


def test_entropy_maximization_holds_unknown_cells_at_one_half():
    z = torch.tensor([[0.0, 1.0, -1.0]], requires_grad=True)
    EntropyMaximization()(z, torch.full((1, 3), torch.nan)).backward()
    assert z.grad[0].sign().tolist() == [0, 1, -1]


def test_expected_positives():
    penalty = ((P.sum(1).mean() - 1.5) / 6) ** 2
    costs = torch.where(POSITIVE, NEG_LOG_P, 0.0)
    expected = costs.mean() + penalty
    assert_value(ExpectedPositives(1.5), expected)
    trusted = ExpectedPositives(1.5, zeros="negative")
    assert_value(trusted, known_bce().mean() + penalty)
    spread = ExpectedPositives(1.5, reduction="none")(Z, Y)
    torch.testing.assert_close(spread.mean(), expected)


def test_expected_positives_come_from_the_counts():
    assert ExpectedPositives(label_counts=[10, 30], num_rows=20).expected_positives == 2
    with pytest.raises(OptionError, match="give expected_positives"):
        ExpectedPositives()


def cross(towards, q):
    return -(towards * q.log() + (1 - towards) * torch.log1p(-q))


def test_role_and_its_two_gradients():
    ids = torch.tensor([4, 0, 11, 7, 2, 1, 9, 8, 3, 5])
    loss = ROLE(12, [1] * 6, 1.5)
    with torch.no_grad():
        loss.label_logits.copy_(torch.tensor(DRAW.normal(size=(12, 6))))
    table = loss.label_logits.detach().double()
    z, theta = Z.clone().requires_grad_(), table.clone().requires_grad_()
    p, s = z.sigmoid(), theta[ids].sigmoid()
    expected = torch.where(POSITIVE, -p.log() - s.log(), 0.0).sum() / 2 / 60
    expected = expected + (cross(s.detach(), p) + cross(p.detach(), s)).sum() / 2 / 60
    for q in (p, s):
        expected = expected + ((q.sum(1).mean() - 1.5) / 6) ** 2 / 2
    expected.backward()
    own = Z.clone().requires_grad_()
    value = loss(own, Y, row_ids=ids)
    value.backward()
    torch.testing.assert_close(value.detach(), expected.detach())
    torch.testing.assert_close(own.grad, z.grad)
    torch.testing.assert_close(loss.label_logits.grad.double(), theta.grad, rtol=1e-5, atol=1e-8)
    assert not loss.label_logits.grad[[6, 10]].any()


def test_role_starts_from_what_is_known():
    known = torch.tensor([[1.0, 0.0, torch.nan], [0.0, 0.0, 1.0]])
    loss = ROLE(2, [1, 1, 1], train_targets=known, zeros="negative")
    expected = torch.tensor([[0.995, 0.005, 0.5], [0.005, 0.005, 0.995]])
    torch.testing.assert_close(loss.label_logits.sigmoid(), expected)
    loss = ROLE(2, [1, 1, 1], train_targets=known)
    expected = torch.tensor([[0.995, 0.5, 0.5], [0.5, 0.5, 0.995]])
    torch.testing.assert_close(loss.label_logits.sigmoid(), expected)


def test_role_in_evaluation_asks_no_table():
    loss = ROLE(12, [1] * 6, 1.5).eval()
    assert_value(loss, ExpectedPositives(1.5)(Z, Y))


def test_role_wants_rows_of_its_table():
    loss = ROLE(4, [1] * 6)
    with pytest.raises(InputError, match="call it with row_ids="):
        loss(Z, Y)
    with pytest.raises(InputError, match=r"must be in \[0, 4\), got 0 to 9"):
        loss(Z, Y, row_ids=range(10))
    with pytest.raises(ShapeError, match="expected logits for 6 labels"):
        loss(Z[:, :5], Y[:, :5], row_ids=range(10))
    with pytest.raises(ShapeError, match="train_targets must have shape"):
        ROLE(4, [1] * 6, train_targets=torch.zeros(3, 6))


# ---------------------------------------------------------------- correction


def splc(corrected):
    shifted = torch.where(POSITIVE, Z - 1, Z)
    p, y = shifted.sigmoid(), POSITIVE | corrected
    return torch.where(y, (1 - p) ** 2 * -p.log(), p**2 * -(-p).log1p()).mean()


def test_splc_corrects_from_the_second_epoch_on():
    nothing = torch.zeros_like(POSITIVE)
    likely = ~POSITIVE & (P > 0.6)
    assert likely[KNOWN].any()
    assert likely[~KNOWN].any()
    for epoch, corrected in ((0, nothing), (1, likely), (5, likely)):
        assert_value(at_epoch(SPLC(), epoch), splc(corrected))
        assert_value(at_epoch(SPLC(), epoch), splc(corrected), targets=ZERO_ONE)
    assert_value(at_epoch(SPLC(zeros="negative"), 1), splc(likely & ~KNOWN))


def bce(y):
    return torch.where(y, NEG_LOG_P, NEG_LOG_REST)


def largest(among, number):
    order = torch.where(among, Z, -torch.inf).flatten().argsort(descending=True)[:number]
    chosen = torch.zeros(60, dtype=torch.bool)
    chosen[order] = True
    return chosen.reshape(10, 6)


@pytest.mark.parametrize("epoch", [0, 1, 2, 3])
def test_large_loss_rejects_or_corrects_more_in_every_epoch(epoch):
    chosen = largest(~POSITIVE, math.ceil(epoch * 0.07 * 60))
    assert_value(at_epoch(LargeLoss(0.07), epoch), torch.where(chosen, 0.0, bce(POSITIVE)).mean())
    assert_value(at_epoch(LargeLoss(0.07, "correct"), epoch), bce(POSITIVE | chosen).mean())
    trusted = at_epoch(LargeLoss(0.07, "correct", zeros="negative"), epoch)
    chosen = largest(~KNOWN, math.ceil(epoch * 0.07 * 60))
    assert_value(trusted, bce(POSITIVE | chosen).mean())


def test_large_loss_never_touches_a_positive():
    # Published code flips positives once it has run out of unobserved cells.
    for mode in ("reject", "correct"):
        loss = at_epoch(LargeLoss(1.0, mode), 5)
        assert_value(loss, bce(torch.ones_like(POSITIVE)).mean(), targets=torch.ones(10, 6))
    assert_value(at_epoch(LargeLoss(1.0), 5), torch.where(POSITIVE, NEG_LOG_P, 0.0).mean())


def test_large_loss_remembers_what_it_corrected_for_good():
    loss = LargeLoss(0.1, "permanent", num_rows=20, label_counts=[1] * 6)
    ids = torch.arange(10) + 5
    assert_value(loss, bce(POSITIVE).mean(), row_ids=ids)
    loss.set_epoch(1)
    first = largest(~POSITIVE, 6)
    assert_value(loss, bce(POSITIVE | first).mean(), row_ids=ids)
    state = copy.deepcopy(loss.state_dict())
    second = largest(~POSITIVE, 12)
    assert_value(loss, bce(POSITIVE | second).mean(), row_ids=ids)
    loss.load_state_dict(state)
    loss.eval()  # other rows, that are not in its table
    assert_value(loss, bce(POSITIVE).mean())
    loss.train()
    assert loss.training_state()
    with pytest.raises(InputError, match="remembers rows"):
        loss(Z, Y)
    with pytest.raises(OptionError, match="give num_rows and label_counts"):
        LargeLoss(mode="permanent")


@pytest.mark.parametrize("epoch", [0, 3, 9, 20])
def test_generalised_robust(epoch):
    done = min(epoch / 9, 1)
    k = torch.sigmoid(2 * done * P - 2)
    v = torch.exp(-((P - 0.5 - 0.3 * done) ** 2) / (2 * (2 - 1.5 * done) ** 2))
    doubtful = v * (k * (1 - P**0.01) / 0.01 + (1 - k) * P)
    loss = at_epoch(GeneralizedRobust(), epoch)
    assert_value(loss, torch.where(POSITIVE, NEG_LOG_P, doubtful).mean())
    assert_value(loss, torch.where(POSITIVE, NEG_LOG_P, doubtful).mean(), targets=ZERO_ONE)
    trusted = at_epoch(GeneralizedRobust(zeros="negative"), epoch)
    assert_value(trusted, torch.where(KNOWN, known_bce(), doubtful).mean())


def test_generalised_robust_holds_its_weights_constant():
    z = torch.tensor([[0.3]], dtype=torch.float64, requires_grad=True)
    at_epoch(GeneralizedRobust(), 5)(z, torch.zeros(1, 1)).backward()
    q = z.detach().clone().requires_grad_()
    p = q.sigmoid()
    k, v = torch.sigmoid(10 / 9 * p - 2), torch.exp(-((p - 2 / 3) ** 2) / 2 / (7 / 6) ** 2)
    (v.detach() * (k.detach() * (1 - p**0.01) / 0.01 + (1 - k.detach()) * p)).backward()
    torch.testing.assert_close(z.grad, q.grad)


# ---------------------------------------------------------------- gradients as weights


def test_ghm_by_its_definition_and_over_batches():
    size = torch.where(POSITIVE, 1 - P, P)
    place = (size * 10).floor().long()

    def counted(known):
        return np.array([int(((place == b) & known).sum()) for b in range(10)], float)

    def expected(average, known):
        weight = torch.tensor(known.sum().item() / np.maximum(average, 1e-300) / (counted(known) > 0).sum())
        return (weight[place] * bce(POSITIVE))[known].sum() / known.sum()

    loss = GHM(momentum=0.75)
    first, second = counted(KNOWN), counted(torch.ones_like(KNOWN))
    assert_value(loss, expected(first, KNOWN))
    mixed = (0.75 * 0.25 * first + 0.25 * second) / (0.75 * 0.25 + 0.25)
    assert_value(loss, expected(mixed, torch.ones_like(KNOWN)), targets=ZERO_ONE)
    kept = loss.counts.clone()
    loss.eval()
    loss(Z, Y)
    assert torch.equal(loss.counts, kept)


def test_ghm_with_one_bin_is_bce():
    assert_value(GHM(bins=1), BCE()(Z, Y))


def test_eqlv2_weighs_by_the_gradients_of_the_batches_before():
    loss = EQLv2([1] * 6)
    assert_value(loss, BCE()(Z, Y))  # nothing to go by yet
    up = torch.where(POSITIVE, 1 - P, 0.0).sum(0)
    down = torch.where(KNOWN & ~POSITIVE, P, 0.0).sum(0)
    torch.testing.assert_close(loss.ratio(), up / (down + 1e-10))
    negative = 1 / (1 + torch.exp(-12 * (up / (down + 1e-10) - 0.8)))
    positive = 1 + 4 * (1 - negative)
    costs = torch.where(POSITIVE, positive, negative) * bce(POSITIVE)
    assert_value(loss, costs[KNOWN].mean())
    up, down = up + positive * up, down + negative * down
    torch.testing.assert_close(loss.ratio(), up / (down + 1e-10))
    with pytest.raises(ShapeError, match="expected logits for 6 labels"):
        loss(Z[:, :5], Y[:, :5])
