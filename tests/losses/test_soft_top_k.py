"""The soft top k against a root search of SciPy and the limits of its definition."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit, log_expit, logsumexp

from manyhot.losses import SoftTopK

DRAW = np.random.default_rng(9)
Z = DRAW.normal(0, 2, (12, 9))
Y = (DRAW.random((12, 9)) < 0.3).astype(float)
Y[0] = 0


def row(z, y, k, alpha):
    if not y.any():
        return 0.0
    k = min(k, len(z) / 2)
    t = brentq(lambda t: expit(alpha * (z + t)).sum() - k, -100, 100, xtol=1e-13)
    return -np.log(expit(alpha * (z[y == 1] + t))).mean()


@pytest.mark.parametrize(("k", "alpha"), [(3, 1.0), (1, 2.5), (2.5, 0.3), (20, 1.0)])
def test_by_its_definition(k, alpha):
    expected = [row(z, y, k, alpha) for z, y in zip(Z, Y, strict=True)]
    loss = SoftTopK(k, alpha, reduction="none")
    np.testing.assert_allclose(loss(torch.as_tensor(Z), Y), expected, rtol=1e-8, atol=1e-12)
    known = DRAW.random(Y.shape) < 0.8
    coded = np.where(known, Y, np.nan)
    expected = [row(z[m], y[m], k, alpha) for z, y, m in zip(Z, Y, known, strict=True)]
    np.testing.assert_allclose(loss(torch.as_tensor(Z), coded), expected, rtol=1e-8, atol=1e-12)


def test_first_and_second_derivatives_pass_through_the_threshold():
    z = torch.tensor(Z[1:3], requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: SoftTopK(3)(z, Y[1:3]), z)
    assert torch.autograd.gradgradcheck(lambda z: SoftTopK(3)(z, Y[1:3]), z)


def test_a_shift_of_a_row_changes_nothing_and_only_the_first_k_count():
    z = torch.as_tensor(Z)
    loss = SoftTopK(3, reduction="none")
    torch.testing.assert_close(loss(z + 17, Y), loss(z, Y))
    far = torch.tensor([[9.0, 8.0, -9.0, -9.5, -10.0, -11.0]], dtype=torch.float64)
    inside, outside = (SoftTopK(2, alpha=4.0)(far, [[j]]).item() for j in (1, 2))
    assert inside < 1e-6
    assert outside > 10


def at_a_plateau(z, k, positive):
    """Cost where k logits lie far above the others: what these have equals what the first lack."""
    first, others = np.sort(z)[::-1][:k], np.sort(z)[::-1][k:]
    t = brentq(
        lambda t: logsumexp(log_expit(others + t)) - logsumexp(log_expit(-first - t)),
        -first[-1],
        -others[0],
        xtol=1e-12,
    )
    return -log_expit(z[positive] + t)


PLATEAUS = [
    [10.0, 8, 6, -20, -25, -30, -40],
    [20.0, 18, 16, -20, -25, -30, -40],
    [300.0, 299, 290, -200, -201, -230, -400],
    [1e4, 1e4, 1e4, -1e4, -2e4, -3e4, -4e4],
]


@pytest.mark.parametrize("z", PLATEAUS, ids=["10", "20", "300", "10,000"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("positive", [1, 3, 5])
def test_what_rounds_away_in_a_sum_of_memberships_still_counts(z, dtype, positive):
    expected = at_a_plateau(np.array(z), 3, positive)
    value = SoftTopK(3)(torch.tensor([z], dtype=dtype), [[positive]])
    np.testing.assert_allclose(value, expected, rtol=1e-6 if dtype == torch.float32 else 1e-10, atol=1e-40)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # torch's own, of forward mode
def test_the_gradient_on_a_plateau_is_that_of_the_exact_value():
    z = torch.tensor([PLATEAUS[1]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: SoftTopK(3)(z, [[3]]), z)
    assert torch.autograd.gradgradcheck(lambda z: SoftTopK(3)(z, [[3]]), z)
    value = SoftTopK(3)(z, [[3]])
    (gradient,) = torch.autograd.grad(value, z)
    assert value.item() == pytest.approx(17.93, abs=0.005)
    expected = torch.tensor([0.0079, 0.0587, 0.4334, -0.5034, 0.0033, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(gradient[0], expected, rtol=0, atol=6e-5)
    single = z.detach().float().requires_grad_()
    SoftTopK(3)(single, [[3]]).backward()
    torch.testing.assert_close(single.grad.double(), gradient, rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(
        torch.func.jacfwd(lambda z: SoftTopK(3)(z, [[3]]))(z.detach()), gradient, rtol=1e-9, atol=1e-12
    )


def test_few_and_many_rows_have_the_same_thresholds():
    draw = np.random.default_rng(1)
    z, y = torch.tensor(draw.normal(0, 9, (40, 3000))), draw.random((40, 3000)) < 0.001
    y[:, 0] = True
    whole = SoftTopK(3, reduction="none")(z, y)
    one = torch.cat([SoftTopK(3, reduction="none")(z[i : i + 1], y[i : i + 1]) for i in range(40)])
    torch.testing.assert_close(whole, one, rtol=1e-12, atol=0)
