"""Hinges on the CPU against all pairs, for few and many positives."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from manyhot.errors import InputError
from manyhot.kernels import pool
from manyhot.kernels.cells import SparseCells
from manyhot.kernels.hinges import Hinges
from manyhot.kernels.pointwise import use_engine
from manyhot.labels import Targets
from manyhot.losses import WARP, MultiLabelMargin, PairwiseHinge

ROWS, LABELS = 12, 2100  # more than a chunk, and no multiple of a vector


def batch(dtype=torch.float64, positives=5):
    draw = torch.Generator().manual_seed(positives)
    logits = 2 * torch.randn(ROWS, LABELS, generator=draw, dtype=torch.float64)
    targets = (torch.rand(ROWS, LABELS, generator=draw) < positives / LABELS).double()
    targets[0], targets[1], targets[2, 7], targets[2, 8] = 0, 1, 1, 0
    logits[2, 7] = logits[2, 8] = 0.5  # ties
    return logits.to(dtype), targets


def all_pairs(z, y, margin, weight):
    """(rows, labels) of every positive, by a matrix of pairs; 0 elsewhere. NaN targets are in no pair."""
    mass = torch.where(y == 0, weight, 0.0)
    hinges = (margin - z[:, :, None] + z[:, None, :]).clamp(min=0) * mass[:, None, :]
    number = (z[:, None, :] > z[:, :, None] - margin).double() * mass[:, None, :]
    return hinges.sum(2), number.sum(2)


@pytest.mark.parametrize("positives", [5, 300], ids=["few", "many"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["plain", "weighted", "unknown"])
def test_sums_and_gradient_are_those_of_all_pairs(positives, dtype, case):
    logits, targets = batch(torch.float64, positives)
    logits, targets = logits[:, :600], targets[:, :600]
    weight = torch.linspace(0, 2, 600, dtype=torch.float64) if case == "weighted" else None
    if case == "unknown":
        targets[torch.rand(targets.shape, generator=torch.Generator().manual_seed(1)) < 0.2] = torch.nan
    exact = logits.clone().requires_grad_()
    expected = all_pairs(exact, targets, 1.0, torch.ones(600).double() if weight is None else weight)
    cells = SparseCells.of(Targets.from_dense(targets.numpy()), torch.device("cpu"))
    here = cells.positive_index
    pull = torch.rand(len(here[0]), generator=torch.Generator().manual_seed(2)).double()
    (gradient,) = torch.autograd.grad((expected[0][here] * pull).sum(), exact)
    z = logits.to(dtype)
    z[targets.isnan()] = torch.nan
    z.requires_grad_()
    hinges, number, _ = Hinges.apply(z, cells, 1.0, weight)
    loose = {"rtol": 1e-5, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-10}
    torch.testing.assert_close(hinges, expected[0][here].detach(), **loose)
    if dtype == torch.float64:  # in float32 a tie may fall on the other side
        torch.testing.assert_close(number, expected[1][here], **loose)
        (found,) = torch.autograd.grad((hinges * pull).sum(), z)
        torch.testing.assert_close(found, torch.where(targets.isnan(), 0.0, gradient), **loose)


@pytest.mark.parametrize("positives", [5, 300], ids=["few", "many"])
def test_margin_is_that_of_torch(positives):
    logits, targets = batch(torch.float32, positives)
    logits.requires_grad_()
    padded = torch.tensor(Targets.from_dense(targets.numpy()).to_padded())
    padded = functional.pad(padded, (0, LABELS - padded.shape[1]), value=-1)
    expected = functional.multilabel_margin_loss(logits.double(), padded)
    (gradient,) = torch.autograd.grad(expected, logits)
    for form in (targets, targets.bool(), Targets.from_dense(targets.numpy())):
        with use_engine("numba"):
            value = MultiLabelMargin()(logits, form)
        torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=0)
        torch.testing.assert_close(torch.autograd.grad(value, logits)[0], gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("loss", [MultiLabelMargin(), PairwiseHinge(margin=0.3), WARP()], ids=repr)
def test_both_engines_and_any_number_of_threads_agree(loss, monkeypatch):
    monkeypatch.setattr(pool, "SHARE", 1)
    logits, targets = batch(positives=40)
    logits.requires_grad_()
    answers, before = [], torch.get_num_threads()
    try:
        for engine, threads in (("torch", 1), ("numba", 1), ("numba", 3)):
            torch.set_num_threads(threads)
            with use_engine(engine):
                value = loss(logits, targets)
            answers.append((value.detach(), torch.autograd.grad(value, logits)[0]))
    finally:
        torch.set_num_threads(before)
    for value, gradient in answers[1:]:
        torch.testing.assert_close(value, answers[0][0], rtol=1e-12, atol=0)
        torch.testing.assert_close(gradient, answers[0][1], rtol=1e-9, atol=1e-12)
    assert torch.equal(answers[1][1], answers[2][1])


def test_gradients_can_be_taken_twice():
    logits, targets = batch()
    logits.requires_grad_()
    with use_engine("numba"):
        value = PairwiseHinge()(logits, targets)
    (first,) = torch.autograd.grad(value, logits, retain_graph=True)
    (again,) = torch.autograd.grad(value.square(), logits, create_graph=True)
    torch.testing.assert_close(again.detach(), 2 * value.detach() * first)
    (second,) = torch.autograd.grad(again.sum(), logits)  # of the square: 2 g sum(g)
    torch.testing.assert_close(second, 2 * first * first.sum(), rtol=1e-6, atol=1e-10)


def test_what_is_not_finite_shows():
    logits, targets = batch()
    with use_engine("numba"):
        assert np.isfinite(
            MultiLabelMargin()(
                logits.index_put((torch.tensor(3), torch.tensor(9)), torch.tensor(torch.inf).double()),
                targets,
            ).item()
        )
        logits[3, 9] = torch.nan
        with pytest.raises(InputError, match=r"1 of .* logits are NaN: rows 3, labels 9"):
            MultiLabelMargin()(logits, targets)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (3, 1)])
def test_empty_batches_cost_nothing(shape):
    logits = torch.zeros(shape, requires_grad=True)
    with use_engine("numba"):
        value = MultiLabelMargin()(logits, torch.ones(shape))
    value.backward()
    assert value == 0
    assert not logits.grad.any()
