"""Unobserved cells as negatives, against NumPy."""

import numpy as np
import pytest
import torch

from manyhot.labels import Targets
from manyhot.losses import BCE, AssumeNegative, WeakAssumeNegative

DRAW = np.random.default_rng(2)
Z = DRAW.normal(0, 2, (8, 5))
CODED = np.where(DRAW.random((8, 5)) < 0.4, -1.0, DRAW.random((8, 5)) < 0.4)
POSITIVE, ZERO, UNKNOWN = CODED == 1, CODED == 0, CODED == -1
MISSED, TAKEN = np.log1p(np.exp(-Z)), np.log1p(np.exp(Z))
FORMS = [CODED, np.where(UNKNOWN, np.nan, CODED), Targets.from_dense(np.where(UNKNOWN, np.nan, CODED))]


def value(loss, targets):
    return loss(torch.as_tensor(Z), targets).item()


@pytest.mark.parametrize("form", range(3))
def test_all_but_positives_are_negatives_of_the_weight(form):
    targets = FORMS[form]
    plain = np.where(POSITIVE, MISSED, TAKEN).mean()
    assert value(AssumeNegative(), targets) == pytest.approx(plain)
    assert value(BCE(unknown="negative"), targets) == pytest.approx(plain)
    assert value(WeakAssumeNegative(), targets) == pytest.approx(np.where(POSITIVE, MISSED, TAKEN / 4).mean())
    assert value(AssumeNegative(0.3), targets) == pytest.approx(
        np.where(POSITIVE, MISSED, 0.3 * TAKEN).mean()
    )


@pytest.mark.parametrize("form", range(3))
def test_trusted_zeros_have_the_weight_one(form):
    expected = np.where(POSITIVE, MISSED, np.where(ZERO, TAKEN, TAKEN / 4)).mean()
    assert value(WeakAssumeNegative(zeros="negative"), FORMS[form]) == pytest.approx(expected)


@pytest.mark.parametrize("form", range(3))
def test_smoothing_reaches_unknown_cells(form):
    expected = np.where(POSITIVE, 0.9 * MISSED + 0.1 * TAKEN, 0.9 * TAKEN + 0.1 * MISSED).mean()
    assert value(AssumeNegative(smoothing=(0.1, 0.1)), FORMS[form]) == pytest.approx(expected)


def test_a_single_label_is_no_division_by_zero():
    loss = WeakAssumeNegative()
    assert loss(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]])).item() == pytest.approx(np.log(2))
