"""Count losses against torch, SciPy and the factorisation of Poisson counts."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.losses import AbsKL, CountDistribution, GeneralizedKL, LabelDistributionKL, Mixed

DRAW = np.random.default_rng(2)
LOGITS = torch.tensor(DRAW.normal(-1, 1.5, (12, 5)))
TARGETS = torch.tensor((DRAW.random((12, 5)) < 0.4).astype(float))
TARGETS[0], TARGETS[1] = 0, 1
SOFT = TARGETS * torch.tensor(DRAW.random((12, 5)))


def row_costs(loss, targets=TARGETS, logits=LOGITS):
    loss.reduction = "none"
    return loss(logits, targets)


def test_generalised_kl_is_torch_s_poisson_likelihood():
    constant = torch.special.xlogy(SOFT, SOFT) - SOFT
    for targets, rest in ((TARGETS, -TARGETS), (SOFT, constant)):
        expected = functional.poisson_nll_loss(LOGITS, targets, log_input=True, reduction="none") + rest
        torch.testing.assert_close(row_costs(GeneralizedKL(), targets), expected.sum(1))


def test_generalised_kl_is_a_poisson_count_times_a_distribution():
    for targets in (TARGETS, SOFT):
        whole = CountDistribution(z_weighting=True)
        torch.testing.assert_close(row_costs(whole, targets), row_costs(GeneralizedKL(), targets))


def test_generalised_kl_is_zero_where_the_rates_are_the_targets():
    z = torch.where(SOFT > 0, SOFT.clamp(min=1e-300).log(), -800.0)
    torch.testing.assert_close(
        row_costs(GeneralizedKL(), SOFT, z), torch.zeros(12).double(), atol=1e-12, rtol=0
    )


def test_a_rate_beyond_its_limit_goes_on_as_a_straight_line():
    z = torch.tensor([[9.0], [10.0], [11.0], [5000.0]], dtype=torch.float64, requires_grad=True)
    values = row_costs(GeneralizedKL(), torch.zeros(4, 1), z)
    top = math.exp(10)
    expected = torch.tensor([math.exp(9), top, 2 * top, 4991 * top], dtype=torch.float64)
    torch.testing.assert_close(values, expected)
    values.sum().backward()
    torch.testing.assert_close(z.grad[1:], torch.full((3, 1), top, dtype=torch.float64))


def counts_of(kind, rate, total):
    """By the definitions of the likelihoods, less what they are at their best rate."""
    if kind == "poisson":
        return stats.poisson.logpmf(total, np.maximum(total, 1e-300)) - stats.poisson.logpmf(total, rate)
    if kind == "negbin":
        n = 1 / 0.7
        best = stats.nbinom.logpmf(total, n, n / (n + total))
        return best - stats.nbinom.logpmf(total, n, n / (n + rate))
    if kind == "mse":
        return (rate - total) ** 2
    if kind == "mse_log":
        return (np.log1p(rate) - np.log1p(total)) ** 2
    shares = stats.poisson.pmf(np.arange(4)[None], rate[:, None])
    return -np.log(shares[np.arange(len(total)), np.minimum(total, 3).astype(int)] / shares.sum(1))


@pytest.mark.parametrize("count", ["poisson", "mse", "mse_log", "negbin", "categorical"])
@pytest.mark.parametrize("source", ["lse", "head", "sum_sigmoid"])
def test_count_and_distribution(count, source):
    log_rate = torch.linspace(-2, 2, 12, dtype=torch.float64)
    rate = {"lse": LOGITS.exp().sum(1), "head": log_rate.exp(), "sum_sigmoid": LOGITS.sigmoid().sum(1)}[
        source
    ]
    loss = CountDistribution(count, source, weight=0.3, dispersion=0.7, max_count=3, reduction="none")
    logits = (LOGITS, log_rate) if source == "head" else LOGITS
    count_costs = counts_of(count, rate.numpy(), TARGETS.sum(1).numpy())
    expected = row_costs(LabelDistributionKL()).numpy() + 0.3 * count_costs
    np.testing.assert_allclose(loss(logits, TARGETS).detach(), expected, rtol=1e-6, atol=1e-9)
    counted = loss.expected_counts(logits).detach().numpy()
    if count == "categorical":
        shares = stats.poisson.pmf(np.arange(4)[None], rate.numpy()[:, None])
        np.testing.assert_allclose(counted, shares @ np.arange(4) / shares.sum(1), rtol=1e-6)
    else:
        np.testing.assert_allclose(counted, rate, rtol=1e-6)


def test_a_head_is_answerable_for_the_known_part_of_a_row_only():
    # Half of the probability mass is hidden, so half of the expected labels are.
    loss = CountDistribution("mse", "head", reduction="none")
    logits = (torch.zeros(1, 4, dtype=torch.float64), torch.tensor([math.log(6.0)], dtype=torch.float64))
    value = loss(logits, torch.tensor([[1.0, 1.0, math.nan, math.nan]]))
    assert value.item() == pytest.approx((3 - 2) ** 2)


def test_a_head_needs_the_pair():
    with pytest.raises(OptionError, match="the pair"):
        CountDistribution(count_source="head")(LOGITS, TARGETS)


def test_the_bias_of_a_categorical_count_learns():
    loss = CountDistribution("categorical", max_count=5)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.2)
    always_two = torch.tensor([[1, 1, 0, 0]]).expand(20, 4)
    z = torch.zeros(20, 4)
    for _ in range(100):
        optimizer.zero_grad()
        loss(z, always_two).backward()
        optimizer.step()
    assert loss.expected_counts(z)[0].item() == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("count", ["poisson", "mse", "mse_log", "negbin", "categorical"])
@pytest.mark.parametrize("source", ["lse", "sum_sigmoid"])
@pytest.mark.parametrize("size", [30.0, 1e4])
def test_counts_are_finite_at_any_logit(count, source, size):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        z = (size * LOGITS.sign()).to(dtype).requires_grad_()
        value = CountDistribution(count, source)(z, TARGETS)
        value.backward()
        assert value.isfinite()
        assert z.grad.isfinite().all()


@pytest.mark.parametrize("epsilon", [1e-7, 1e-3])
def test_abs_kl_clips_target_and_probability(epsilon):
    q, t = LOGITS.sigmoid().clamp(min=epsilon), TARGETS.clamp(min=epsilon)
    torch.testing.assert_close(row_costs(AbsKL(epsilon)), ((t - q) * (t / q).log()).abs())


def test_abs_kl_of_a_negative_at_one_half():
    assert AbsKL()(torch.zeros(1, 1), torch.zeros(1, 1)).item() == pytest.approx(7.7, abs=0.02)


def test_an_infinite_logit_in_a_row_without_positives_has_a_finite_gradient():
    z = torch.tensor([[torch.inf, 0.0, 0.0, 100.0]], requires_grad=True)
    CountDistribution(count_source="sum_sigmoid")(z, torch.zeros(1, 4)).backward()
    p = torch.tensor([1.0, 0.5, 0.5, 1.0])
    torch.testing.assert_close(z.grad, (p * (1 - p))[None])


# ------------------------------------------------------------------ a head of its own for the count

HEAD = torch.tensor(DRAW.normal(size=(12, 5)))


def by_head(**options):
    return CountDistribution("categorical", "count_logits", max_count=4, **options)


@pytest.mark.parametrize(
    "form", [lambda y: y, lambda y: Targets.from_dense(y.numpy())], ids=["dense", "sparse"]
)
def test_a_head_of_counts_is_a_cross_entropy_beside_the_distribution(form):
    counts = TARGETS.sum(1).clamp(max=4).long()  # five labels in a row count as four
    expected = functional.cross_entropy(HEAD, counts, reduction="none")
    distribution = LabelDistributionKL(reduction="none")(LOGITS, TARGETS)
    found = by_head(reduction="none")((LOGITS, HEAD), form(TARGETS))
    torch.testing.assert_close(found, distribution + expected)
    weighted = by_head(weight=0.3, z_weighting=True)((LOGITS, HEAD), form(TARGETS))
    torch.testing.assert_close(weighted, (TARGETS.sum(1) * distribution + 0.3 * expected).mean())
    assert list(by_head().parameters()) == []


def test_both_outputs_get_their_gradient():
    z, head = LOGITS.clone().requires_grad_(), HEAD.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z, h: by_head()((z, h), TARGETS), (z, head))
    by_head(reduction="sum")((z, head), TARGETS).backward()
    share = torch.softmax(HEAD, dim=1) - functional.one_hot(TARGETS.sum(1).clamp(max=4).long(), 5)
    torch.testing.assert_close(head.grad, share)


def test_unknown_rows_and_weights_reach_the_count():
    coded, weight = TARGETS.clone(), torch.linspace(0, 2, 12)
    coded[3] = torch.nan
    each = by_head(reduction="none")((LOGITS, HEAD), coded)
    assert each[3] == 0
    whole = by_head(reduction="sum")((LOGITS, HEAD), coded, row_weight=weight)
    torch.testing.assert_close(whole, (each * weight).sum())


def test_the_expected_count_is_that_of_the_head():
    expected = torch.softmax(HEAD, dim=1) @ torch.arange(5.0, dtype=torch.float64)
    torch.testing.assert_close(by_head().expected_counts((LOGITS, HEAD)), expected)


def test_what_a_head_cannot_be():
    with pytest.raises(ShapeError, match=r"logits of the counts must have shape \(12, 5\), got \(12, 3\)"):
        by_head()((LOGITS, HEAD[:, :3]), TARGETS)
    with pytest.raises(OptionError, match=r"called with the pair \(logits, logits of the counts\)"):
        by_head()(LOGITS, TARGETS)
    with pytest.raises(OptionError, match="is for count='categorical', got count='mse'"):
        CountDistribution("mse", "count_logits")
    space = LabelSpace(tuple("abcde"), groups=(Group("g", ("a", "b")),))
    with pytest.raises(OptionError, match="not for a part"):
        Mixed(space, {"independent": by_head()})(LOGITS, [[0]] * 12)
    broken = HEAD.clone()
    broken[2, 1] = torch.nan
    with pytest.raises(InputError, match="1 of 60 outputs beside the logits are NaN: rows 2, columns 1"):
        by_head()((LOGITS, broken), TARGETS)
