"""Asymmetric pseudo-labels against a re-computation of what is remembered, epoch by epoch."""

import numpy as np
import pytest
import torch
from scipy.special import entr, expit

from manyhot.errors import InputError, OptionError
from manyhot.losses import AsymmetricPseudoLabels, EntropyMaximization

DRAW = np.random.default_rng(1)
Z = DRAW.normal(0, 2, (20, 3))
Y = np.where(DRAW.random((20, 3)) < 0.3, 1.0, np.nan)
IDS = DRAW.permutation(20)


def fresh(**options):
    return AsymmetricPseudoLabels(20, [1] * 3, alpha=0.2, beta=0.5, warmup=2, epochs=5, **options)


def train(loss, z=Z):
    return [
        loss(torch.as_tensor(z[part]), Y[part], row_ids=IDS[part]) for part in (slice(0, 8), slice(8, 20))
    ]


def expected(z, y, soft):
    p = expit(z)
    plain = np.where(y == 1, -np.log(p), -0.2 * (entr(p) + entr(1 - p)))
    pseudo = -0.5 * (soft * np.log(p) + (1 - soft) * np.log1p(-p))
    return np.where(np.isnan(soft), plain, pseudo)


def test_before_the_warmup_ends_it_is_entropy_maximization():
    loss = fresh()
    for epoch in (0, 1):
        loss.set_epoch(epoch)
        for value, part in zip(train(loss), (slice(0, 8), slice(8, 20)), strict=True):
            torch.testing.assert_close(value, EntropyMaximization(0.2)(torch.as_tensor(Z[part]), Y[part]))


def test_the_least_likely_become_soft_negatives():
    loss = fresh(reduction="none")
    train(loss)
    soft = np.full(Y.shape, np.nan)
    scores = expit(Z)
    for epoch in (2, 3):
        loss.set_epoch(epoch)
        for label in range(3):
            unknown = np.isnan(Y[:, label])
            number = int(0.9 * unknown.sum() / 3)
            candidates = np.flatnonzero(unknown & np.isnan(soft[:, label]))
            chosen = candidates[np.argsort(scores[candidates, label])[:number]]
            soft[chosen, label] = scores[chosen, label].astype(np.float32)
        moved = Z + epoch / 10
        found = torch.cat(train(loss, moved))
        np.testing.assert_allclose(found, expected(moved, Y, soft), rtol=1e-6)
        scores = expit(moved)
    assert np.isfinite(soft).sum() == 2 * sum(int(0.9 * n / 3) for n in np.isnan(Y).sum(0))


def test_zeros_may_be_trusted_and_evaluation_asks_no_table():
    zero_one = np.nan_to_num(Y)
    z = torch.as_tensor(Z)
    for zeros in ("unknown", "negative"):
        loss = fresh(zeros=zeros)
        loss(z, zero_one, row_ids=IDS)
        loss.set_epoch(2)
        assert bool(loss.soft.isfinite().any()) is (zeros == "unknown")
        loss.eval()
        torch.testing.assert_close(loss(z, zero_one), EntropyMaximization(0.2, zeros=zeros)(z, zero_one))


def test_it_wants_rows_of_its_table():
    with pytest.raises(InputError, match="call it with row_ids="):
        fresh()(torch.as_tensor(Z), Y)
    with pytest.raises(InputError, match=r"row_ids must be in \[0, 20\), got 1 to 20"):
        fresh()(torch.as_tensor(Z), Y, row_ids=torch.arange(1, 21))
    with pytest.raises(OptionError, match="epochs=2 must be more than warmup=4"):
        AsymmetricPseudoLabels(20, [1], epochs=2)
