"""The learning rate against PyTorch's own schedulers and by hand."""

import math

import pytest
import torch

from manyhot.train.schedule import rate_factor


def test_cosine_without_warmup_equals_pytorch():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    for step in range(50):
        assert rate_factor(step, 50, 0, "cosine") == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_warmup_rises_in_a_straight_line_and_the_cosine_follows():
    rates = [rate_factor(step, 100, 0.1, "cosine") for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[99] < 0.001


def test_constant_stays_at_the_top():
    assert [rate_factor(step, 4, 0.5, "constant") for step in range(4)] == [0.5, 1, 1, 1]


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0, 0.05, 1])
def test_tiny_trainings_have_a_rate_above_zero(steps, warmup):
    rates = [rate_factor(step, steps, warmup, "cosine") for step in range(steps)]
    assert all(0 < rate <= 1 and math.isfinite(rate) for rate in rates)
