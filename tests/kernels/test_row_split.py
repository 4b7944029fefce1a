"""Row sums with a gradient of their own on the CPU, as for a cost per row, against torch in float64."""

import pytest
import torch

from manyhot.kernels.pointwise import use_engine
from manyhot.labels import Targets
from manyhot.losses import LOSSES, Rowwise, make_loss

ROWS, LABELS = 20, 5003
ROWWISE = [name for name, kind in LOSSES.items() if issubclass(kind, Rowwise)]


def batch():
    draw = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(ROWS, LABELS, generator=draw)
    targets = (torch.rand(ROWS, LABELS, generator=draw) < 0.01).float()
    targets[0], targets[1] = 0, 1
    logits[2, :4] = torch.tensor([1e4, -1e4, 100.0, -100.0])
    return logits, targets


def answer(engine, loss, logits, targets):
    logits = logits.clone().requires_grad_()
    with use_engine(engine):
        value = loss(logits, targets)
        value.sum().backward()
    return value.detach().double(), logits.grad.double()


def assert_agrees(loss, logits, targets):
    value, gradient = answer("numba", loss, logits, targets)
    expected = answer("torch", loss, logits.double(), targets)
    torch.testing.assert_close(value, expected[0], rtol=1e-5, atol=1e-6)
    top = expected[1].abs().max()
    torch.testing.assert_close(gradient / top, expected[1] / top, rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("name", ROWWISE)
def test_every_row_wise_loss(name):
    logits, targets = batch()
    unknown = torch.rand(ROWS, LABELS, generator=torch.Generator().manual_seed(2)) < 0.02
    unknown[3] = True
    coded = torch.where(unknown, torch.nan, targets)
    weights = torch.linspace(0.1, 2, LABELS)
    soft = torch.where(coded > 0, 0.7, coded)
    for options in ({}, {"pos_weight": 3.0, "label_weight": weights}):
        loss = make_loss(name, reduction="none", **options)
        for form in (targets, coded, soft, Targets.from_dense(coded.numpy())):
            assert_agrees(loss, logits, form)


@pytest.mark.parametrize("name", ["zlpr", "softmax"])
def test_a_label_without_weight_hides_no_other_however_high(name):
    logits, targets = batch()
    logits[:, 7], targets[:, 7] = 300.0, 0
    weights = torch.ones(LABELS)
    weights[7] = 0
    assert_agrees(make_loss(name, label_weight=weights, reduction="none"), logits, targets)


def test_hidden_logits_may_be_nan_and_others_may_not():
    logits, targets = batch()
    unknown = torch.zeros(ROWS, LABELS, dtype=torch.bool)
    unknown[5, 7] = True
    loss = make_loss("zlpr", reduction="none")
    expected = answer("numba", loss, logits, torch.where(unknown, torch.nan, targets))
    poisoned = torch.where(unknown, torch.nan, logits)
    value, gradient = answer("numba", loss, poisoned, torch.where(unknown, torch.nan, targets))
    assert torch.equal(value, expected[0])
    assert torch.equal(gradient, expected[1])
    with pytest.raises(ValueError, match="1 of 100060 logits are NaN: rows 5, labels 7"):
        answer("numba", loss, poisoned, targets)


def test_second_derivatives():
    logits, targets = batch()
    logits = logits.double().requires_grad_()
    found = []
    for engine in ("numba", "torch"):
        with use_engine(engine):
            costs = make_loss("zlpr", reduction="none")(logits, targets)
            (first,) = torch.autograd.grad(costs.sum(), logits, create_graph=True)
            (second,) = torch.autograd.grad((first**2).sum(), logits)
        found.append((first.detach(), second))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-12)
