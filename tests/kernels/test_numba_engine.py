"""The CPU engine against the torch engine in float64, for every layout, dtype and weight."""

import copy
import logging
import os
import threading

import numpy as np
import pytest
import torch

from manyhot.errors import OptionError
from manyhot.kernels import numba_engine, pool
from manyhot.kernels import pointwise as chooser
from manyhot.kernels.cells import DenseCells
from manyhot.kernels.pointwise import use_engine
from manyhot.kernels.pointwise_source import variant_of
from manyhot.kernels.words import sigmoid, softplus
from manyhot.labels import Targets
from manyhot.losses import BCE, LOSSES, Asymmetric, DistributionBalanced, Pointwise, make_loss

ROWS, LABELS = 24, 5003  # more than a chunk, and no multiple of a vector


def batch(dtype=torch.float32, density=0.01):
    draw = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(ROWS, LABELS, generator=draw)
    targets = (torch.rand(ROWS, LABELS, generator=draw) < density).float()
    targets[0], targets[1] = 0, 1
    logits[2, :6] = torch.tensor([1e4, -1e4, 100.0, -100.0, 30.0, 0.0])
    return logits.to(dtype), targets


def answer(engine, loss, logits, targets, **beside):
    logits = logits.clone().requires_grad_()
    with use_engine(engine):
        value = loss(logits, targets, **beside)
    value.backward()
    return value.detach().double(), logits.grad.double()


def assert_agrees(loss, logits, targets, rtol=3e-6, **beside):
    # Copies, because some losses remember the batches that they have seen.
    value, gradient = answer("numba", copy.deepcopy(loss), logits, targets, **beside)
    expected = answer("torch", copy.deepcopy(loss), logits.double(), targets, **beside)
    torch.testing.assert_close(value, expected[0], rtol=rtol, atol=1e-9)
    top = expected[1].abs().max()
    torch.testing.assert_close(gradient / top, expected[1] / top, rtol=10 * rtol, atol=rtol)


@pytest.fixture
def unknown():
    return torch.rand(ROWS, LABELS, generator=torch.Generator().manual_seed(2)) < 0.02


@pytest.mark.parametrize("reduction", ["mean", "batchmean", "sum"])
def test_dense_and_sparse_targets(reduction, unknown):
    logits, targets = batch()
    loss = BCE(reduction=reduction)
    coded = torch.where(unknown, torch.nan, targets)
    forms = (targets, targets.bool(), targets.long(), coded, torch.where(unknown, -1.0, targets))
    for form in (*forms, Targets.from_dense(targets.numpy()), Targets.from_dense(coded.numpy())):
        assert_agrees(loss, logits, form)
    assert_agrees(loss, torch.where(unknown, torch.nan, logits), targets, unknown=unknown)


def test_many_positives():
    assert_agrees(BCE(), *batch(density=0.6))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype, monkeypatch):
    monkeypatch.setattr(numba_engine, "HALF_CELLS", 5 * LABELS)
    logits, targets = batch(dtype)
    value, gradient = answer("numba", BCE(reduction="sum"), logits, targets)
    expected = answer("torch", BCE(reduction="sum"), logits.double(), targets)
    torch.testing.assert_close(value, expected[0], rtol=3e-6, atol=0)
    torch.testing.assert_close(gradient, expected[1], rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("engine", ["torch", "numba"])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_gradient_scaler_saves_what_float16_would_lose(engine, sparse):
    logits = torch.full((64, 1024), -9.0, dtype=torch.float16, requires_grad=True)
    targets = torch.zeros(64, 1024)
    with use_engine(engine):
        value = BCE()(logits, Targets.from_dense(targets.numpy()) if sparse else targets)
    (2.0**16 * value).backward()
    expected = torch.full((), -9.0, dtype=torch.float64).sigmoid()  # 2^16 cells, whose mean takes 2^16 away
    torch.testing.assert_close(logits.grad.double(), expected.expand(64, 1024), rtol=1e-3, atol=0)


def test_constants_per_label_and_per_row():
    counts = torch.randint(0, 50, (LABELS,), generator=torch.Generator().manual_seed(3))
    assert_agrees(DistributionBalanced(counts, 100), *batch())


@pytest.mark.parametrize("shape", [(5, 1), (3000, 7), (700, 33), (40, 1000)])
def test_rows_that_are_costed_as_one_line(shape):
    draw = torch.Generator().manual_seed(4)
    logits = 3 * torch.randn(shape, generator=draw)
    targets = (torch.rand(shape, generator=draw) < 0.2).float()
    targets[torch.rand(shape, generator=draw) < 0.1] = torch.nan
    row_weight = torch.linspace(0.5, 2, shape[0])
    for loss in (BCE(), BCE(pos_weight=np.linspace(0.1, 3, shape[1])), Asymmetric(gamma_neg=2.5)):
        assert_agrees(loss, logits, targets)
        assert_agrees(loss, logits, targets, row_weight=row_weight, cell_weight=torch.rand(shape))
    counts = torch.randint(1, 50, shape[1:], generator=draw)
    assert_agrees(DistributionBalanced(counts, 100), logits, targets)


def test_small_whole_constants_are_part_of_the_code_and_others_are_not():
    curves = Asymmetric(gamma_neg=4, gamma_pos=0.5, clip=0.1).curves(DenseCells(values=torch.zeros(1, 1)))
    variant = variant_of(curves, soft=False, cell_weighted=False, fixing=True)
    assert dict(variant.fixed) == {"gamma_neg": 4.0, "flow": 0.0}
    assert [name for name, _ in variant.kinds] == ["gamma_pos", "clip"]
    logits, targets = batch()
    for gamma in (0, 1, 2, 2.5, 3, 4, 5):
        assert_agrees(Asymmetric(gamma_neg=gamma, gamma_pos=gamma, detach_focus=False), logits, targets)


def test_asymmetric():
    assert_agrees(Asymmetric(), *batch())


def test_weights_smoothing_and_soft_targets(unknown):
    logits, targets = batch()
    weights = np.linspace(0.1, 3, LABELS)
    soft = torch.where(unknown, torch.nan, targets * 0.7)
    beside = {"row_weight": torch.linspace(0, 2, ROWS), "cell_weight": torch.rand(ROWS, LABELS)}
    loss = BCE(pos_weight=weights, label_weight=2.0, smoothing=(0.1, 0.2))
    assert_agrees(loss, logits, soft, **beside)


def test_the_answer_does_not_depend_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(pool, "SHARE", 1)
    logits, targets = batch()
    before = torch.get_num_threads()
    try:
        answers = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            answers.append(answer("numba", BCE(), logits, targets))
            with use_engine("numba"), torch.no_grad():
                assert BCE()(logits, targets).double() == answers[0][0]
    finally:
        torch.set_num_threads(before)
    for value, gradient in answers[1:]:
        assert value == answers[0][0]
        assert torch.equal(gradient, answers[0][1])


def test_several_python_threads_at_once():
    logits, targets = batch()
    expected = answer("numba", BCE(), logits, targets)
    found = [None] * 4

    def work(place):
        found[place] = answer("numba", BCE(), logits, targets)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(value == expected[0] and torch.equal(gradient, expected[1]) for value, gradient in found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(pool, "SHARE", 1)
    pool.over_rows(lambda *_: None, 16, 16)
    child = os.fork()
    if child == 0:
        torch.set_num_threads(2)
        os._exit(0 if pool.over_rows(lambda first, last: last - first, 16, 16) == [8, 8] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_two_backward_passes_and_second_derivatives():
    logits, targets = batch()
    logits.requires_grad_()
    with use_engine("numba"):
        value = BCE(reduction="sum")(logits, targets)
    (first,) = torch.autograd.grad(value, logits, retain_graph=True)
    (again,) = torch.autograd.grad(3 * value, logits, create_graph=True)
    torch.testing.assert_close(again.detach(), 3 * first, rtol=1e-5, atol=1e-6)
    (second,) = torch.autograd.grad(again.sum(), logits)
    p = torch.sigmoid(logits.detach().double())
    torch.testing.assert_close(second.double(), 3 * p * (1 - p), rtol=1e-4, atol=1e-6)


def test_the_leaf_s_grad_is_the_kernel_s_memory():
    logits, targets = batch()
    logits.requires_grad_()
    with use_engine("numba"):
        value = BCE()(logits, targets)
    written = value.grad_fn.slopes.data_ptr()
    value.backward()
    assert logits.grad.data_ptr() == written


def test_small_batches_are_left_to_torch():
    assert not chooser.suits_numba(torch.zeros(8, 8))
    assert chooser.suits_numba(torch.zeros(128, 128))
    assert not chooser.suits_numba(torch.zeros(128, 128, device="meta"))


def test_an_unknown_engine_in_the_environment_is_an_error(monkeypatch):
    monkeypatch.setenv("MANYHOT_ENGINE", "Numba")
    with pytest.raises(OptionError, match=r"MANYHOT_ENGINE must be one of .+, got 'Numba'; did you mean"):
        BCE()(torch.zeros(2, 3), torch.zeros(2, 3))


def test_a_formula_without_source_runs_on_torch_and_says_so_once(caplog):
    names = {"softplus": softplus, "sigmoid": sigmoid, "Pointwise": Pointwise}
    exec(
        "class Typed(Pointwise):\n"
        "    @staticmethod\n"
        "    def positive(z): return softplus(-z), -sigmoid(-z)\n"
        "    @staticmethod\n"
        "    def negative(z): return softplus(z), sigmoid(z)\n",
        names,
    )
    logits, targets = batch()
    with caplog.at_level(logging.WARNING, logger="manyhot.kernels"):
        for _ in range(2):
            value, _ = answer("numba", names["Typed"](), logits, targets)
    assert value == pytest.approx(answer("torch", BCE(), logits, targets)[0].item(), rel=1e-6)
    assert len([record for record in caplog.records if "runs on torch" in record.message]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", [name for name, kind in LOSSES.items() if issubclass(kind, Pointwise)])
def test_every_pointwise_loss(name, dtype, unknown):
    counts = torch.randint(0, 50, (LABELS,), generator=torch.Generator().manual_seed(3))
    loss = make_loss(name, label_counts=counts, num_rows=100)
    logits, targets = batch(dtype)
    coded = torch.where(unknown, torch.nan, targets)
    assert_agrees(loss, logits, coded, rtol=3e-6 if dtype == torch.float32 else 1e-11)
