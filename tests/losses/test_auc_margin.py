"""The AUC margin loss against its formula, and that an ordinary optimiser finds its saddle point."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from manyhot.errors import OptionError
from manyhot.losses import AUCM

DRAW = np.random.default_rng(3)
Z = DRAW.normal(0, 2, (40, 3))
Y = (DRAW.random((40, 3)) < [0.5, 0.2, 0.1]).astype(float)
COUNTS, ROWS = [50, 20, 10], 100


def definition(z, y, a, b, alpha, r, margin):
    s = 1 / (1 + np.exp(-z))
    spread = (1 - r) * np.mean((s - a) ** 2 * y) + r * np.mean((s - b) ** 2 * (1 - y))
    lead = r * (1 - r) * margin + np.mean(r * s * (1 - y) - (1 - r) * s * y)
    return spread + 2 * alpha * lead - r * (1 - r) * alpha**2


def test_by_its_definition():
    loss = AUCM(COUNTS, ROWS, margin=0.8, reduction="none")
    own = DRAW.random((3, 3))
    with torch.no_grad():
        for parameter, values in zip((loss.a, loss.b, loss.alpha), own, strict=True):
            parameter.copy_(torch.as_tensor(values))
    expected = [
        definition(Z[:, j], Y[:, j], *own.astype(np.float32)[:, j], COUNTS[j] / ROWS, 0.8) for j in range(3)
    ]
    np.testing.assert_allclose(loss(torch.as_tensor(Z), Y).detach(), expected, rtol=1e-6)
    coded = Y.copy()
    coded[5:20, 1] = np.nan
    rest = np.r_[0:5, 20:40]
    expected[1] = definition(Z[rest, 1], Y[rest, 1], *own.astype(np.float32)[:, 1], 0.2, 0.8)
    np.testing.assert_allclose(loss(torch.as_tensor(Z), coded).detach(), expected, rtol=1e-6)


def test_alpha_climbs_where_the_rest_descends_and_stays_at_least_zero():
    loss = AUCM(COUNTS, ROWS)
    loss(torch.as_tensor(Z), Y).backward()
    # At alpha = 0 the formula's derivative by alpha is 2 lead / labels; the optimiser is given its negative.
    s = 1 / (1 + np.exp(-Z))
    r = np.array(COUNTS) / ROWS
    lead = r * (1 - r) + np.mean(r * s * (1 - Y) - (1 - r) * s * Y, axis=0)
    np.testing.assert_allclose(loss.alpha.grad, -2 * lead / 3, rtol=1e-5)
    with torch.no_grad():
        loss.alpha.fill_(-0.5)
    loss(torch.as_tensor(Z), Y)
    assert loss.alpha.min() == 0


def test_any_optimiser_ranks_with_it():
    features = torch.as_tensor(DRAW.normal(size=(200, 6)), dtype=torch.float32)
    truth = (features @ torch.ones(6) + torch.as_tensor(DRAW.normal(size=200)) > 2.5).float()[:, None]
    layer, loss = torch.nn.Linear(6, 1), AUCM([int(truth.sum())], 200)
    optimiser = torch.optim.Adam([*layer.parameters(), *loss.parameters()], lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        loss(layer(features), truth).backward()
        optimiser.step()
    assert roc_auc_score(truth, layer(features).detach()) > 0.9


def test_counts_have_to_fit():
    with pytest.raises(OptionError, match="do not fit num_rows=5"):
        AUCM([7], 5)
