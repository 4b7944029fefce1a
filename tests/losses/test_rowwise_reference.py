"""Values of the row-wise losses against their definitions, written out pair by pair in NumPy float64."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.metrics import ndcg_score
from torch.nn import functional

from manyhot.kernels import pairs
from manyhot.labels import Targets
from manyhot.losses import (
    BPMLL,
    LSEP,
    WARP,
    ZLPR,
    AdaptiveThreshold,
    ApproxNDCG,
    DecoupledSoftmax,
    LabelDistributionKL,
    MultiLabelMargin,
    MultiLabelSoftMargin,
    PairwiseHinge,
    PickAllLabels,
    RankNet,
    SoftmaxMultiHot,
    SparsemaxLoss,
    TwoWay,
)

DRAW = np.random.default_rng(3)
LOGITS = DRAW.normal(0, 2.5, (14, 6))
TARGETS = (DRAW.random((14, 6)) < 0.4).astype(float)
TARGETS[0], TARGETS[1] = 0, 1


def split(z, y):
    return z[y == 1], z[y == 0]


def log_softmax(z):
    return z - np.log(np.exp(z).sum())


def lsep(z, y):
    p, n = split(z, y)
    return math.log(1 + sum(math.exp(b - a) for a in p for b in n))


def zlpr(z, y):
    p, n = split(z, y)
    return math.log1p(np.exp(n).sum()) + math.log1p(np.exp(-p).sum())


def softmax(z, y):
    return -(y * log_softmax(z)).sum() / y.sum() if y.any() else 0.0


def pick_all(z, y):
    return -(y * log_softmax(z)).sum()


def kl(z, y):
    q = y[y > 0] / y.sum() if y.any() else y[:0]
    return (q * (np.log(q) - log_softmax(z)[y > 0])).sum()


def decoupled(z, y):
    p, n = split(z, y)
    return np.mean([math.log(math.exp(a) + np.exp(n).sum()) - a for a in p]) if len(p) else 0.0


def atl(z, y):
    p, n = split(z, y)
    first = sum(math.log(np.exp(p).sum() + 1) - a for a in p)
    return first + math.log(np.exp(n).sum() + 1)


def afl(z, y):
    p, n = split(z, y)
    first = sum((1 + 1 / (1 + math.exp(a))) * math.log1p(math.exp(-a)) for a in p)
    return first + math.log(np.exp(n).sum() + 1)


def hinges(z, y):
    p, n = split(z, y)
    return [[max(0.0, 1 - a + b) for b in n] for a in p]


def margin(z, y):
    return float(np.sum(hinges(z, y))) / len(z)


def pairwise_hinge(z, y):
    found = list(itertools.chain(*hinges(z, y)))
    return float(np.mean(found)) if found else 0.0


def warp(z, y):
    cost = 0.0
    for row in hinges(z, y):
        rank = sum(h > 0 for h in row)
        cost += sum(1 / i for i in range(1, rank + 1)) * sum(row) / max(rank, 1)
    return cost


def warp_gong(z, y):
    return sum(sum(1 / i for i in range(1, sum(h > 0 for h in r) + 1)) * sum(r) for r in hinges(z, y))


def ranknet(z, y):
    p, n = split(z, y)
    return float(np.mean([math.log1p(math.exp(b - a)) for a in p for b in n])) if len(p) and len(n) else 0.0


def bp_mll(z, y):
    p, n = split(np.tanh(z), y)
    return float(np.mean([math.exp(b - a) for a in p for b in n])) if len(p) and len(n) else 0.0


def ndcg(z, y):
    if not y.any():
        return 0.0
    ranks = [
        1 + sum(1 / (1 + math.exp(-(z[j] - z[p]))) for j in range(len(z)) if j != p) for p in range(len(z))
    ]
    best = sum(1 / math.log2(1 + i) for i in range(1, int(y.sum()) + 1))
    return 1 - sum(1 / math.log2(1 + r) for r, t in zip(ranks, y, strict=True) if t) / best


def soft_margin(z, y):
    return float(np.mean(np.log1p(np.exp(-z)) * y + np.log1p(np.exp(z)) * (1 - y)))


def sparsemax(z, y):
    """As a Fenchel-Young loss: max over distributions p of p z - |p|^2 / 2, less the same of q."""
    if not y.any():
        return 0.0
    q = y / y.sum()
    found = minimize(
        lambda p: 0.5 * p @ p - p @ z,
        np.full(len(z), 1 / len(z)),
        jac=lambda p: p - z,
        bounds=[(0, 1)] * len(z),
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return -found.fun + 0.5 * q @ q - q @ z


DEFINITIONS = {
    "lsep": (LSEP(), lsep),
    "zlpr": (ZLPR(), zlpr),
    "softmax": (SoftmaxMultiHot(), softmax),
    "softmax T=2": (SoftmaxMultiHot(2.0), lambda z, y: softmax(z / 2, y)),
    "pal": (PickAllLabels(), pick_all),
    "pal T=2": (PickAllLabels(2.0), lambda z, y: pick_all(z / 2, y)),
    "kl": (LabelDistributionKL(), kl),
    "kl T=2": (LabelDistributionKL(2.0), lambda z, y: kl(z / 2, y)),
    "dsm": (DecoupledSoftmax(), decoupled),
    "dsm T=2": (DecoupledSoftmax(2.0), lambda z, y: decoupled(z / 2, y)),
    "atl": (AdaptiveThreshold(), atl),
    "afl": (AdaptiveThreshold("afl"), afl),
    "margin": (MultiLabelMargin(), margin),
    "pairwise-hinge": (PairwiseHinge(), pairwise_hinge),
    "warp": (WARP(), warp),
    "warp, Gong": (WARP(per_violation=False), warp_gong),
    "ranknet": (RankNet(), ranknet),
    "bp-mll": (BPMLL(), bp_mll),
    "approx-ndcg": (ApproxNDCG(), ndcg),
    "soft-margin": (MultiLabelSoftMargin(), soft_margin),
    "sparsemax": (SparsemaxLoss(), sparsemax),
}


def row_costs(loss, logits, targets):
    loss.reduction = "none"
    return loss(torch.as_tensor(logits), targets)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_row_costs_what_the_definition_says(name):
    loss, definition = DEFINITIONS[name]
    expected = [definition(z, y) for z, y in zip(LOGITS, TARGETS, strict=True)]
    tolerance = 1e-6 if name == "sparsemax" else 1e-10  # that of the solver
    np.testing.assert_allclose(row_costs(loss, LOGITS, TARGETS), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_an_unknown_cell_is_a_cell_less(name):
    loss, definition = DEFINITIONS[name]
    known = np.random.default_rng(8).random(TARGETS.shape) < 0.7
    known[2], known[3, 1:], known[3, 0] = False, False, True
    coded = np.where(known, TARGETS, np.nan)
    expected = [
        definition(z[k], y[k]) if k.any() else 0.0 for z, y, k in zip(LOGITS, TARGETS, known, strict=True)
    ]
    tolerance = 1e-6 if name == "sparsemax" else 1e-10
    for given_as in (coded, Targets.from_dense(coded)):
        np.testing.assert_allclose(
            row_costs(loss, np.where(known, LOGITS, np.nan), given_as),
            expected,
            rtol=tolerance,
            atol=tolerance,
        )


@pytest.mark.parametrize(
    "name", ["lsep", "zlpr", "atl", "afl", "pal", "pairwise-hinge", "warp", "warp, Gong", "ranknet", "bp-mll"]
)
def test_the_weight_of_a_label_is_a_number_of_copies(name):
    loss, definition = DEFINITIONS[name]
    copies = [1, 2, 1, 3, 1, 1]
    weight = torch.tensor(copies, dtype=torch.float64)
    again = [
        definition(np.repeat(z, copies), np.repeat(y, copies)) for z, y in zip(LOGITS, TARGETS, strict=True)
    ]
    weighted = loss(torch.as_tensor(LOGITS), TARGETS, cell_weight=weight.expand(LOGITS.shape))
    np.testing.assert_allclose(weighted, again, rtol=1e-9, atol=1e-12)


def test_torch_has_the_same_margin_loss_with_padded_class_numbers():
    padded = torch.full(TARGETS.shape, -1)
    for row, y in enumerate(TARGETS):
        members = np.flatnonzero(y)
        padded[row, : len(members)] = torch.tensor(members)
    z = torch.as_tensor(LOGITS)
    torch.testing.assert_close(MultiLabelMargin()(z, TARGETS), functional.multilabel_margin_loss(z, padded))


def test_torch_has_the_same_soft_margin_loss():
    z, y = torch.as_tensor(LOGITS), torch.as_tensor(TARGETS)
    weight = torch.tensor([1.0, 0.5, 2.0, 1.0, 0.0, 3.0], dtype=torch.float64)
    expected = functional.multilabel_soft_margin_loss(z, y, weight)
    torch.testing.assert_close(MultiLabelSoftMargin(label_weight=weight)(z, y), expected)


def test_softmax_is_torch_s_cross_entropy_where_one_label_applies():
    z, label = torch.as_tensor(LOGITS), torch.arange(14) % 6
    expected = functional.cross_entropy(z, label)
    for kind in (SoftmaxMultiHot, PickAllLabels, LabelDistributionKL, DecoupledSoftmax):
        torch.testing.assert_close(kind()(z, functional.one_hot(label, 6)), expected)


def test_kl_of_label_distributions_is_torch_s():
    shares = torch.tensor(np.random.default_rng(0).dirichlet(np.ones(6), 14))
    z = torch.as_tensor(LOGITS)
    expected = functional.kl_div(torch.log_softmax(z, 1), shares, reduction="batchmean")
    torch.testing.assert_close(LabelDistributionKL()(z, shares), expected)
    torch.testing.assert_close(
        LabelDistributionKL()(shares.log(), shares), torch.zeros((), dtype=torch.float64), rtol=0, atol=1e-14
    )


def test_sparsemax_has_the_projection_less_the_target_as_gradient():
    z = torch.tensor([[0.4, 0.2, -3.0]], dtype=torch.float64, requires_grad=True)
    SparsemaxLoss()(z, torch.tensor([[1, 1, 0]])).backward()
    # The projection of (0.4, 0.2, -3) by hand: tau = (0.6 - 1) / 2.
    torch.testing.assert_close(z.grad, torch.tensor([[0.6 - 0.5, 0.4 - 0.5, 0.0]], dtype=torch.float64))


def test_sparsemax_loss_is_zero_where_its_projection_is_the_target():
    z = torch.tensor([[7.25, 7.25, 7.25, -2.0]], dtype=torch.float64)
    assert SparsemaxLoss()(z, torch.tensor([[1, 1, 1, 0]])).item() == pytest.approx(0, abs=1e-12)


def two_way_of_sets(sets):
    costs = []
    for z, y in sets:
        p, n = split(z, y)
        if len(p):
            inner = np.log(np.exp(n).sum()) + 4 * np.log(np.exp(-p / 4).sum()) if len(n) else -np.inf
            costs.append(np.logaddexp(0, inner))
    return costs


def test_two_way_takes_rows_and_columns():
    by_row = two_way_of_sets(zip(LOGITS, TARGETS, strict=True))
    by_label = two_way_of_sets(zip(LOGITS.T, TARGETS.T, strict=True))
    z = torch.as_tensor(LOGITS)
    for form in (TARGETS, Targets.from_dense(TARGETS)):
        assert TwoWay()(z, form).item() == pytest.approx(np.mean(by_row) + np.mean(by_label))
        assert TwoWay(reduction="sum")(z, form).item() == pytest.approx(np.sum(by_row) + np.sum(by_label))
        assert TwoWay(reduction="none")(z, form).shape == (20,)


def test_two_way_of_sparse_targets_with_unknown_cells_is_that_of_dense_ones():
    coded = np.where(np.random.default_rng(5).random(TARGETS.shape) < 0.2, np.nan, TARGETS)
    z = torch.as_tensor(LOGITS)
    torch.testing.assert_close(TwoWay()(z, Targets.from_dense(coded)), TwoWay()(z, coded))


def test_two_way_weights_count_copies_of_rows_and_labels():
    rows, labels = [1, 3] + [1] * 12, [2, 1, 1, 1, 4, 1]
    z = np.repeat(np.repeat(LOGITS, rows, 0), labels, 1)
    y = np.repeat(np.repeat(TARGETS, rows, 0), labels, 1)
    plain = TwoWay(reduction="none")(torch.as_tensor(z), y).numpy()
    weighted = TwoWay(reduction="none", label_weight=np.array(labels, float))(
        torch.as_tensor(LOGITS), TARGETS, row_weight=np.array(rows, float)
    ).numpy()
    first_row, first_label = np.cumsum(rows) - rows, len(z) + np.cumsum(labels) - labels
    np.testing.assert_allclose(weighted[:14], plain[first_row] * rows, rtol=1e-5)
    np.testing.assert_allclose(weighted[14:], plain[first_label] * labels, rtol=1e-5)


def test_two_way_hides_cells_of_any_size():
    # Published code adds -100 to the logits of hidden cells, which a negative at -450 does not survive.
    z = torch.tensor([[-450.0, -460.0]], dtype=torch.float64)
    expected = two_way_of_sets([(z[0].numpy(), np.array([1.0, 0.0]))])[0] + math.log1p(0)
    assert TwoWay()(z, torch.tensor([[1, 0]])).item() == pytest.approx(expected, abs=1e-12)


def test_wlsep_averages_over_all_positives_of_the_batch():
    terms, weights = [], np.array([1.0, 0.5, 2.0, 1.0, 1.5, 3.0])
    for z, y in zip(LOGITS, TARGETS, strict=True):
        n = z[y == 0]
        terms += [w * math.log1p(np.exp(n - a).sum()) for a, w, t in zip(z, weights, y, strict=True) if t]
    loss = DecoupledSoftmax(average="positive")
    z = torch.as_tensor(LOGITS)
    value = DecoupledSoftmax(average="positive", pos_weight=weights)(z, TARGETS)
    assert value.item() == pytest.approx(np.mean(terms))
    assert loss(z, np.zeros((14, 6))).item() == 0


def test_a_threshold_logit_is_a_label_of_its_own():
    threshold = np.random.default_rng(1).normal(size=14)
    expected = []
    for z, y, t in zip(LOGITS, TARGETS, threshold, strict=True):
        p, n = split(z, y)
        first = sum(math.log(np.exp(p).sum() + math.exp(t)) - a for a in p)
        expected.append(first + math.log(np.exp(n).sum() + math.exp(t)) - t)
    logits = torch.as_tensor(LOGITS), torch.as_tensor(threshold).requires_grad_()
    costs = AdaptiveThreshold(reduction="none")(logits, TARGETS)
    np.testing.assert_allclose(costs.detach(), expected)
    costs.sum().backward()
    assert logits[1].grad.abs().min() > 0


RANKING = [
    LSEP(),
    PairwiseHinge(),
    MultiLabelMargin(),
    RankNet(),
    WARP(),
    SoftmaxMultiHot(),
    DecoupledSoftmax(),
]


@pytest.mark.parametrize("loss", RANKING, ids=lambda loss: type(loss).__name__)
def test_a_ranking_loss_does_not_see_a_shift_of_a_row(loss):
    shift = torch.linspace(-30, 30, 14, dtype=torch.float64)[:, None]
    loss.reduction = "none"
    z = torch.as_tensor(LOGITS)
    torch.testing.assert_close(loss(z + shift, TARGETS), loss(z, TARGETS))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-20, 20), min_size=2, max_size=7), st.integers(0, 127))
def test_rowwise_costs_are_never_negative(values, members):
    z = torch.tensor([values], dtype=torch.float64)
    y = torch.tensor([[(members >> j) & 1 for j in range(len(values))]])
    for loss, _ in DEFINITIONS.values():
        loss.reduction = "sum"
        loss.eval()
        assert loss(z, y) >= -1e-9


def test_approx_ndcg_of_sharp_ranks_is_scikit_learn_s_ndcg():
    relevance = np.random.default_rng(0).integers(0, 5, (14, 6)) / 4
    relevance[:, 0] = 1
    expected = ndcg_score(relevance, LOGITS)
    value = ApproxNDCG(temperature=1e-4)(torch.as_tensor(LOGITS), relevance)
    assert value.item() == pytest.approx(1 - expected, abs=1e-6)


def test_perfect_rankings_cost_nothing():
    z, y = torch.tensor([[60.0, 55.0, -60.0, -70.0]], dtype=torch.float64), torch.tensor([[1, 1, 0, 0]])
    for loss in (
        LSEP(),
        PairwiseHinge(),
        MultiLabelMargin(),
        RankNet(),
        WARP(),
        DecoupledSoftmax(),
        ZLPR(),
    ):
        assert loss(z, y).item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("loss", [RankNet(), PairwiseHinge(), WARP()], ids=lambda loss: type(loss).__name__)
def test_walking_through_the_pairs_in_short_runs_changes_nothing(loss, monkeypatch):
    def answer():
        z = torch.as_tensor(LOGITS).requires_grad_()
        value = loss(z, TARGETS).sum()
        value.backward()
        return value.detach(), z.grad

    expected = answer()
    monkeypatch.setattr(pairs, "PAIR_CELLS", 20)
    for one, other in zip(answer(), expected, strict=True):
        torch.testing.assert_close(one, other)


def test_violations_are_counted_strictly_and_ties_are_members():
    z = torch.tensor([[3.0, 1.0, 1.0, -2.0], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    mass = torch.tensor([[1.0, 2.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0]], dtype=torch.float64)
    units, bounds = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([5.0, 1.0, 0.5, -9.0, 0.0, -1.0])
    number, summed, squares = pairs.violations(z, mass, units, bounds, powers=2)
    assert number.tolist() == [0, 1, 4, 5, 0, 3]
    assert summed.tolist() == [0, 3, 6, 4, 0, 0]
    assert squares.tolist() == [0, 9, 12, 16, 0, 0]


def test_a_row_of_ten_thousand_labels_with_half_of_them_positive_needs_no_matrix_of_pairs():
    z = torch.linspace(-3, 3, 10_000).reshape(1, -1).requires_grad_()
    value = PairwiseHinge()(z, (torch.arange(10_000) % 2)[None])
    value.backward()
    # Neighbours in a straight line: the difference of two uniform variables over a width of 6.
    assert value.item() == pytest.approx(1 + (6 - 1) ** 3 / (6 * 36), rel=1e-3)
    assert z.grad.isfinite().all()
