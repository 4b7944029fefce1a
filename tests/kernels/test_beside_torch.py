"""The CPU engine among others: torch's threads, forked data loaders, threads of Python, no Numba at all."""

import logging
import sys
import threading

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from manyhot.kernels import pointwise as chooser
from manyhot.kernels import pool
from manyhot.kernels.pointwise import use_engine
from manyhot.losses import BCE, LSEP

ROWS, LABELS = 32, 1024


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(pool, "SHARE", 1)  # so that these small batches are shared out
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def batch(seed):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(ROWS, LABELS, generator=draw), (
        torch.rand(ROWS, LABELS, generator=draw) < 0.01
    ).float()


def cost_and_gradient(loss, seed):
    logits, targets = batch(seed)
    logits.requires_grad_()
    with use_engine("numba"):
        value = loss(logits, targets)
    value.backward()
    return value.detach(), logits.grad


class Costs(Dataset):
    """Rows that a worker process makes with a loss."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        value, gradient = cost_and_gradient(BCE(), index)
        return torch.cat([value[None], gradient.sum(1)])


@pytest.mark.skipif(sys.platform == "win32", reason="no fork on this system")
def test_forked_data_loaders_run_losses_after_their_parent_did(two_threads):
    expected = torch.stack([Costs()[index] for index in range(4)])  # the parent's threads now exist
    loader = DataLoader(Costs(), batch_size=2, num_workers=2, multiprocessing_context="fork")
    assert torch.equal(torch.cat(list(loader)), expected)


def test_torch_ours_torch_in_turn_disturb_no_answer(two_threads):
    left = torch.randn(300, 300, generator=torch.Generator().manual_seed(0))
    product, cost = left @ left, cost_and_gradient(BCE(), 1)
    for _ in range(20):
        assert torch.equal(left @ left, product)
        again = cost_and_gradient(BCE(), 1)
        assert torch.equal(again[0], cost[0])
        assert torch.equal(again[1], cost[1])


@pytest.mark.parametrize("loss", [BCE(), LSEP()], ids=repr)
def test_threads_of_python_beside_torch_s_own(two_threads, loss):
    expected = [cost_and_gradient(loss, seed) for seed in range(4)]
    wrong = []

    def work(seed):
        for _ in range(10):
            torch.randn(200, 200) @ torch.randn(200, 200)
            value, gradient = cost_and_gradient(loss, seed)
            if value != expected[seed][0] or not torch.equal(gradient, expected[seed][1]):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_without_numba_torch_costs_and_one_line_says_so(monkeypatch, caplog):
    expected = cost_and_gradient(BCE(), 0)[0]
    monkeypatch.setitem(sys.modules, "numba", None)
    chooser._numba_is_there.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="manyhot.kernels"):
            values = [cost_and_gradient(BCE(), 0)[0] for _ in range(3)]
    finally:
        chooser._numba_is_there.cache_clear()
    assert len([line for line in caplog.messages if "torch is used instead" in line]) == 1
    torch.testing.assert_close(torch.stack(values), expected.expand(3), rtol=1e-6, atol=0)


def test_a_long_sum_loses_no_digits():
    logits = torch.full((4, 1 << 19), -12.0)
    with use_engine("numba"):
        value = BCE(reduction="sum")(logits, torch.zeros(4, 1 << 19, dtype=torch.bool))
    exact = torch.nn.functional.softplus(torch.tensor(-12.0, dtype=torch.float64)) * 4 * (1 << 19)
    torch.testing.assert_close(value.double(), exact, rtol=3e-7, atol=0)
