"""Rows and labels in one visit, against differentiable torch in float64."""

import pytest
import torch

from manyhot.kernels import numba_both_ways, pool
from manyhot.kernels.pointwise import use_engine
from manyhot.labels import Targets
from manyhot.losses import TwoWay

ROWS, LABELS = 150, 700  # three groups of rows, two chunks of labels


def batch(scale=3.0):
    draw = torch.Generator().manual_seed(1)
    logits = scale * torch.randn(ROWS, LABELS, generator=draw)
    targets = (torch.rand(ROWS, LABELS, generator=draw) < 0.01).float()
    targets[0], targets[1], targets[:, 0], targets[:, 1] = 0, 1, 0, 1
    unknown = torch.rand(ROWS, LABELS, generator=draw) < 0.02
    return logits, torch.where(unknown, torch.nan, targets)


def answer(engine, loss, logits, targets, **beside):
    logits = logits.clone().requires_grad_()
    with use_engine(engine):
        value = loss(logits, targets, **beside)
        (gradient,) = torch.autograd.grad(value, logits)
    return value.detach().double(), gradient.double()


def assert_agrees(loss, logits, targets, **beside):
    value, gradient = answer("numba", loss, logits, targets, **beside)
    expected = answer("torch", loss, logits.double(), targets, **beside)
    torch.testing.assert_close(value, expected[0], rtol=1e-6, atol=0)
    top = expected[1].abs().max()
    torch.testing.assert_close(gradient / top, expected[1] / top, rtol=1e-5, atol=1e-6)


@pytest.fixture
def written(monkeypatch):
    """What the engine has found for each batch; None where it left the batch to torch."""
    found, total = [], numba_both_ways.total

    def counting(*arguments):
        found.append(total(*arguments))
        return found[-1]

    monkeypatch.setattr(numba_both_ways, "total", counting)
    return found


@pytest.mark.parametrize("reduction", ["mean", "batchmean", "sum"])
@pytest.mark.parametrize("temperatures", [(4.0, 1.0), (0.7, 2.5)])
def test_reductions_temperatures_and_forms(reduction, temperatures, written):
    logits, targets = batch()
    loss = TwoWay(*temperatures, reduction=reduction)
    for form in (targets, targets.nan_to_num(0), Targets.from_dense(targets.numpy())):
        assert_agrees(loss, logits, form)
    assert all(pair is not None for pair in written)
    assert len(written) == 3


def test_weights_of_rows_and_of_both_sides(written):
    logits, targets = batch()
    loss = TwoWay(pos_weight=3.0, label_weight=torch.linspace(0.0, 2, LABELS))
    assert_agrees(loss, logits, targets, row_weight=torch.linspace(0, 2, ROWS))
    assert written[0] is not None


@pytest.mark.parametrize("scale", [100.0, 1e4])
def test_logits_far_from_0_are_left_to_torch(scale, written):
    logits, targets = batch(scale)
    assert_agrees(TwoWay(), logits, targets)
    assert written == [None]


def test_hidden_logits_may_be_nan_and_others_may_not(written):
    logits, targets = batch()
    expected = answer("numba", TwoWay(), logits, targets)
    poisoned = torch.where(targets.isnan(), torch.nan, logits)
    value, gradient = answer("numba", TwoWay(), poisoned, targets)
    assert value == expected[0]
    assert torch.equal(gradient, expected[1])
    assert all(pair is not None for pair in written)
    for place in ((1, 5), (5, 1), (9, 9)):
        spoiled = logits.clone()
        spoiled[place] = torch.nan
        with pytest.raises(ValueError, match="logits are NaN"):
            answer("numba", TwoWay(), spoiled, targets.nan_to_num(0))


def test_the_answer_does_not_depend_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(pool, "SHARE", 1)
    logits, targets = batch()
    expected = answer("numba", TwoWay(), logits, targets)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    value, gradient = answer("numba", TwoWay(), logits, targets)
    assert value == expected[0]
    assert torch.equal(gradient, expected[1])


def test_soft_targets_and_costs_of_each_set_are_left_to_torch(written):
    logits, targets = batch()
    assert_agrees(TwoWay(), logits, torch.where(targets > 0, 0.7, targets))
    with use_engine("numba"):
        each = TwoWay(reduction="none")(logits, targets)
    assert each.shape == (ROWS + LABELS,)
    assert not written
