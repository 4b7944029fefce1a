"""The running average against its recurrence in float64."""

import torch
from torch import nn

from manyhot.train.average import WeightAverage


def test_follows_the_recurrence():
    module = nn.BatchNorm1d(3)
    average = WeightAverage(module, 0.9)
    expected = module.weight.detach().double()
    for update in range(1, 200):
        with torch.no_grad():
            module.weight.normal_()
            module.num_batches_tracked += 1
        average.update(module)
        decay = min(0.9, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * module.weight.detach().double()
    torch.testing.assert_close(average.values["weight"].double(), expected, atol=1e-5, rtol=0)
    assert int(average.values["num_batches_tracked"]) == 199


def test_applied_it_is_the_module_and_afterwards_not():
    module = nn.Linear(2, 2)
    average = WeightAverage(module, 0.5)
    start = module.weight.detach().clone()
    with torch.no_grad():
        module.weight.add_(1)
    with average.applied(module):
        assert torch.equal(module.weight, start)
    torch.testing.assert_close(module.weight, start + 1)
