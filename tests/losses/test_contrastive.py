"""The contrastive loss against its definition, pair by pair in NumPy."""

import numpy as np
import pytest
import torch

from manyhot.errors import InputError, OptionError, ShapeError
from manyhot.losses import MulSupCon

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(9, 4))
Y = (DRAW.random((9, 5)) < [0.5, 0.3, 0.3, 0.0, 0.0]).astype(float)
Y[2, 4] = 1  # a label that no other row has
Y[7] = 0
QUEUE, QUEUE_Y = DRAW.normal(size=(6, 4)), (DRAW.random((6, 5)) < 0.4).astype(float)


def definition(x, y, others, labels, temperature, average):
    unit, far = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, others))
    by_row = []
    for i in range(len(x)):
        rest = [j for j in range(len(others)) if j != i]
        s = far[rest] @ unit[i] / temperature
        log_shares = s - np.log(np.exp(s).sum())
        costs = []
        for label in np.flatnonzero(y[i]):
            shared = labels[rest, label] == 1
            if shared.any():
                costs.append(-log_shares[shared].mean())
        by_row.append(costs)
    if average == "label":
        return np.mean([cost for costs in by_row for cost in costs])
    return np.mean([np.mean(costs) for costs in by_row if costs])


@pytest.mark.parametrize("average", ["label", "row"])
def test_by_its_definition(average):
    loss = MulSupCon(0.5, average)
    x = torch.as_tensor(X)
    assert loss(x, Y).item() == pytest.approx(definition(X, Y, X, Y, 0.5, average))
    assert loss(3 * x, torch.as_tensor(Y)).item() == pytest.approx(loss(x, Y).item())
    both, labels = np.concatenate([X, QUEUE]), np.concatenate([Y, QUEUE_Y])
    found = loss(x, Y, torch.as_tensor(QUEUE), QUEUE_Y).item()
    assert found == pytest.approx(definition(X, Y, both, labels, 0.5, average))
    coded = np.where(Y == 0, np.nan, Y)
    assert loss(x, coded).item() == loss(x, Y).item()


def test_its_gradient_is_the_derivative_and_finite_for_far_apart_features():
    x = torch.tensor(X, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: MulSupCon(0.5)(x, Y), x)
    sharp = torch.tensor([[1.0, 0], [-1, 0], [0, 1]], requires_grad=True)
    value = MulSupCon(1e-3)(
        sharp, torch.tensor([[1], [1], [0]])
    )  # log of a softmax that rounds to 0 in published code
    value.backward()
    assert value.item() == pytest.approx(1000)  # each lies 1 / T further from the other than from the third
    assert sharp.grad.isfinite().all()


def test_nothing_in_common_costs_nothing():
    x = torch.tensor(X, requires_grad=True)
    value = MulSupCon()(x, np.eye(9))
    value.backward()
    assert value.item() == 0
    assert not x.grad.any()


def test_wrong_use_says_the_mend():
    x = torch.as_tensor(X)
    with pytest.raises(ShapeError, match="features have 9 rows, targets 5"):
        MulSupCon()(x, Y[:5])
    with pytest.raises(InputError, match="needs queue_targets"):
        MulSupCon()(x, Y, torch.as_tensor(QUEUE))
    with pytest.raises(InputError, match="features are NaN"):
        MulSupCon()(x * torch.nan, Y)
    with pytest.raises(OptionError, match="did you mean"):
        MulSupCon(average="rows")
