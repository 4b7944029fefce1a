"""Logistic pairs on the CPU against a matrix of all pairs."""

import pytest
import torch
from torch.nn import functional

from manyhot.errors import InputError
from manyhot.kernels import pool
from manyhot.kernels.cells import SparseCells
from manyhot.kernels.logistic_pairs import LogisticPairs
from manyhot.kernels.pointwise import use_engine
from manyhot.labels import Targets
from manyhot.losses import RankNet

ROWS, LABELS = 9, 2100  # more than a chunk


def batch(labels=LABELS):
    draw = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(ROWS, labels, generator=draw, dtype=torch.float64)
    targets = (torch.rand(ROWS, labels, generator=draw) < 5 / labels).double()
    targets[0], targets[1] = 0, 1
    logits[2, :4] = torch.tensor([1e4, -1e4, 50.0, -50.0], dtype=torch.float64)
    return logits, targets


def all_pairs(z, y, weight):
    """(rows, labels) of every positive; NaN targets are in no pair."""
    mass = torch.where(y == 0, weight, 0.0)
    return (functional.softplus(z[:, None, :] - z[:, :, None], threshold=500) * mass[:, None, :]).sum(2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["plain", "weighted", "unknown"])
def test_sums_and_gradient_are_those_of_all_pairs(dtype, case):
    logits, targets = batch(400)
    weight = torch.linspace(0, 2, 400, dtype=torch.float64) if case == "weighted" else None
    if case == "unknown":
        targets[torch.rand(targets.shape, generator=torch.Generator().manual_seed(1)) < 0.2] = torch.nan
    exact = logits.to(dtype).double().clone().requires_grad_()
    expected = all_pairs(exact, targets, torch.ones(400).double() if weight is None else weight)
    cells = SparseCells.of(Targets.from_dense(targets.numpy()), torch.device("cpu"))
    here = cells.positive_index
    pull = torch.rand(len(here[0]), generator=torch.Generator().manual_seed(2)).double()
    (gradient,) = torch.autograd.grad((expected[here] * pull).sum(), exact)
    z = torch.where(targets.isnan(), torch.nan, logits).to(dtype).requires_grad_()
    costs, _ = LogisticPairs.apply(z, cells, weight)
    rtol = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(costs, expected[here].detach(), rtol=rtol, atol=rtol)
    (found,) = torch.autograd.grad((costs * pull).sum(), z)
    expected_gradient = torch.where(targets.isnan(), 0.0, gradient)
    torch.testing.assert_close(found.double(), expected_gradient, rtol=10 * rtol, atol=10 * rtol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_engines_and_any_number_of_threads_agree(dtype, monkeypatch):
    monkeypatch.setattr(pool, "SHARE", 1)
    logits, targets = batch()
    answers = []
    for engine, threads, kind in (("torch", 1, torch.float64), ("numba", 1, dtype), ("numba", 3, dtype)):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        z = logits.to(kind).requires_grad_()
        with use_engine(engine):
            value = RankNet()(z, targets)
        answers.append((value.detach().double(), torch.autograd.grad(value, z)[0].double()))
    for value, gradient in answers[1:]:
        torch.testing.assert_close(value, answers[0][0], rtol=1e-6, atol=0)
        torch.testing.assert_close(gradient, answers[0][1], rtol=1e-4, atol=1e-8)
    assert torch.equal(answers[1][1], answers[2][1])


def test_gradients_can_be_taken_twice():
    logits, targets = batch(300)
    found = []
    for engine in ("numba", "torch"):
        z = logits.clone().requires_grad_()
        with use_engine(engine):
            (first,) = torch.autograd.grad(RankNet()(z, targets), z, create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum(), z)
        found.append((first.detach(), second))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-12)


def test_what_is_not_finite_shows():
    logits, targets = batch()
    logits[3, 9] = torch.nan
    with use_engine("numba"), pytest.raises(InputError, match=r"1 of .* logits are NaN: rows 3, labels 9"):
        RankNet()(logits, targets)
