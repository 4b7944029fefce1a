"""The non-negative risk of positives and unlabelled cells, label by label in NumPy."""

import numpy as np
import pytest
import torch

from manyhot.errors import OptionError
from manyhot.labels import Targets
from manyhot.losses import NonNegativePU

DRAW = np.random.default_rng(5)
Z = DRAW.normal(0, 2, (30, 4))
Y = (DRAW.random((30, 4)) < [0.5, 0.1, 0.3, 0.0]).astype(float)
PRIOR = np.array([0.6, 0.2, 0.99, 0.3])
COSTS = {
    "bce": (np.log1p(np.exp(-Z)), np.log1p(np.exp(Z))),
    "sigmoid": (1 / (1 + np.exp(Z)), 1 / (1 + np.exp(-Z))),
}


def risks(base):
    found = []
    for j in range(4):
        missed, taken = (cost[:, j] for cost in COSTS[base])
        own = Y[:, j] == 1
        seen = own.any()
        of_positives = PRIOR[j] * missed[own].mean() if seen else 0.0
        doubtful = taken[~own].mean() - (PRIOR[j] * taken[own].mean() if seen else 0.0)
        found.append(of_positives + max(doubtful, 0.0))
    return np.array(found)


@pytest.mark.parametrize("base", COSTS)
def test_risks_by_their_definition(base):
    z = torch.as_tensor(Z)
    for form in (Y, np.where(Y == 1, 1, np.nan), Targets.from_dense(Y)):
        loss = NonNegativePU(PRIOR, base=base, reduction="none")
        np.testing.assert_allclose(loss(z, form), risks(base), rtol=1e-6)
        assert NonNegativePU(PRIOR, base=base)(z, form).item() == pytest.approx(risks(base).mean(), rel=1e-6)


def test_a_negative_risk_is_cut_at_zero_and_has_no_gradient():
    z = torch.tensor([[3.0], [-4.0]], dtype=torch.float64, requires_grad=True)
    value = NonNegativePU(0.9)(z, torch.tensor([[1.0], [0.0]]))
    value.backward()
    assert value.item() == pytest.approx(0.9 * np.log1p(np.exp(-3.0)))
    assert z.grad[1].item() == 0
    assert z.grad[0].item() == pytest.approx(-0.9 / (1 + np.exp(3.0)))


def test_the_share_of_the_training_positives_stands_in_for_the_prior():
    loss = NonNegativePU(label_counts=[10, 30], num_rows=40)
    assert loss.prior.tolist() == [0.25, 0.75]
    with pytest.raises(OptionError, match="give prior"):
        NonNegativePU()
    with pytest.raises(OptionError, match=r"prior must be in \[0, 1\], got 1.5"):
        NonNegativePU(1.5)
