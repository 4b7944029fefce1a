"""The soft top k against a root search of SciPy and the limits of its definition."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit

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
