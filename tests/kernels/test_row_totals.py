"""Whole rows on the CPU engine, with their gradient in one pass, against differentiable torch in float64."""

import logging

import pytest
import torch

from manyhot.kernels import numba_rows, pool, row_totals
from manyhot.kernels.pointwise import use_engine
from manyhot.kernels.row_sums import RowReading
from manyhot.labels import Targets
from manyhot.losses import LOSSES, ZLPR, Rowwise, make_loss

ROWS, LABELS = 21, 1500  # more than two chunks, and no multiple of a vector
ROWWISE = [name for name, kind in LOSSES.items() if issubclass(kind, Rowwise)]


def batch(scale=3.0):
    draw = torch.Generator().manual_seed(1)
    logits = scale * torch.randn(ROWS, LABELS, generator=draw)
    targets = (torch.rand(ROWS, LABELS, generator=draw) < 0.01).float()
    targets[0], targets[1] = 0, 1
    unknown = torch.rand(ROWS, LABELS, generator=draw) < 0.02
    unknown[3] = True
    return logits, torch.where(unknown, torch.nan, targets)


def answer(engine, loss, logits, targets, **beside):
    logits = logits.clone().requires_grad_()
    with use_engine(engine):
        value = loss(logits, targets, **beside)
        (gradient,) = torch.autograd.grad(value, logits)
    return value.detach().double(), gradient.double()


def assert_agrees(loss, logits, targets, rtol=3e-6, **beside):
    value, gradient = answer("numba", loss, logits, targets, **beside)
    expected = answer("torch", loss, logits.double(), targets, **beside)
    torch.testing.assert_close(value, expected[0], rtol=rtol, atol=1e-9)
    top = expected[1].abs().max()
    torch.testing.assert_close(gradient / top, expected[1] / top, rtol=10 * rtol, atol=rtol)


@pytest.fixture
def written(monkeypatch):
    """The costs that the engine has written."""
    costs, total = [], numba_rows.total

    def counting(*arguments):
        costs.append(total(*arguments))
        return costs[-1]

    monkeypatch.setattr(numba_rows, "total", counting)
    return costs


@pytest.mark.parametrize("name", ROWWISE)
@pytest.mark.parametrize("reduction", ["mean", "batchmean", "sum"])
def test_every_loss_and_reduction(name, reduction, written):
    logits, targets = batch()
    soft = torch.where(targets > 0, 0.7, targets)
    for form in (targets, soft, Targets.from_dense(targets.numpy())):
        assert_agrees(make_loss(name, reduction=reduction), logits, form)
    assert len(written) == 3


@pytest.mark.parametrize("name", ROWWISE)
def test_weights_of_rows_and_of_both_sides(name, written):
    logits, targets = batch()
    weights = torch.linspace(0.0, 2, LABELS)
    loss = make_loss(name, pos_weight=3.0, label_weight=weights)
    for form in (targets, torch.where(targets > 0, 0.7, targets)):
        assert_agrees(loss, logits, form, row_weight=torch.linspace(0, 2, ROWS))
    assert len(written) == 2


@pytest.mark.parametrize("name", ROWWISE)
@pytest.mark.parametrize("scale", [100.0, 1e4])
def test_logits_whose_exponentials_are_no_floats(name, scale):
    logits, targets = batch(scale)
    logits[5] = -scale  # nothing of the row is near 0
    logits[6, 600:] = scale
    assert_agrees(make_loss(name), logits, targets)


def test_a_temperature_moves_what_is_far():
    logits, targets = batch(100.0)
    assert_agrees(make_loss("softmax", temperature=50.0), logits, targets)
    assert_agrees(make_loss("softmax", temperature=0.01), logits / 100, targets)


def test_a_label_without_weight_hides_no_other_however_high():
    logits, targets = batch()
    logits[:, 7], targets[:, 7] = 300.0, 0
    weights = torch.ones(LABELS)
    weights[7] = 0
    assert_agrees(make_loss("zlpr", label_weight=weights), logits, targets)


def test_the_answer_does_not_depend_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(pool, "SHARE", 1)
    logits, targets = batch()
    expected = answer("numba", ZLPR(), logits, targets)
    for threads in (2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        value, gradient = answer("numba", ZLPR(), logits, targets)
        assert value == expected[0]
        assert torch.equal(gradient, expected[1])


def test_a_second_backward_pass_and_second_derivatives():
    logits, targets = batch()
    logits = logits.double().requires_grad_()
    found = []
    for engine in ("numba", "torch"):
        with use_engine(engine):
            value = ZLPR()(logits, targets)
            torch.autograd.grad(value, logits, retain_graph=True)
            (first,) = torch.autograd.grad(3 * value, logits, create_graph=True)
            (second,) = torch.autograd.grad((first**2).sum(), logits)
        found.append((first.detach(), second))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-12)


def test_sums_of_two_temperatures_are_left_to_torch():
    logits, targets = batch()
    cells = Targets.from_dense(targets.numpy())
    both = RowReading(temperature=1.0, temperature_neg=2.0)

    def formula(lse_neg, lse_all):
        return lse_neg + lse_all, (1.0, 1.0)

    from manyhot.losses.door import read_cells

    assert not row_totals.writes_rows(logits, read_cells(logits, cells), both, formula)
    assert row_totals.writes_rows(logits, read_cells(logits, cells), RowReading(), formula)


def test_a_formula_without_source_runs_on_torch_and_says_so_once(caplog):
    names = {"Rowwise": Rowwise}
    exec(
        "class Typed(Rowwise):\n"
        "    @staticmethod\n"
        "    def row(lse_all, dot_pos, n_pos):\n"
        "        return n_pos * lse_all - dot_pos, (n_pos, -1.0)\n",
        names,
    )
    logits, targets = batch()
    with caplog.at_level(logging.WARNING, logger="manyhot.kernels"):
        for _ in range(2):
            value, _ = answer("numba", names["Typed"](), logits, targets)
    assert value == pytest.approx(answer("torch", make_loss("pal"), logits, targets)[0].item(), rel=1e-6)
    assert len([record for record in caplog.records if "runs on torch" in record.message]) == 1
