"""Optimisers by name: one step equals PyTorch's own."""

import pytest
import torch
from torch import nn

from manyhot.train.optimizers import OPTIMIZERS, make_optimizer

THEIRS = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.9),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
}


def test_the_table_has_what_users_ask_for():
    assert set(OPTIMIZERS) == set(THEIRS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_three_steps_equal_pytorchs(name):
    torch.manual_seed(0)
    ours, theirs = nn.Linear(4, 3), nn.Linear(4, 3)
    theirs.load_state_dict(ours.state_dict())
    decayless = [{"params": list(theirs.parameters()), "weight_decay": 0.0}]
    pairs = [(ours, make_optimizer(name, [ours], 0.1, 0.0, 0.9)), (theirs, THEIRS[name](decayless))]
    inputs = torch.randn(8, 4)
    for _ in range(3):
        for module, optimizer in pairs:
            optimizer.zero_grad()
            module(inputs).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_only_matrices_decay():
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    optimizer = make_optimizer("adamw", [module], 0.1, 0.5, 0.9)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: decay[id(p)] for name, p in module.named_parameters()} == {
        "0.weight": 0.5, "0.bias": 0.0, "1.weight": 0.0, "1.bias": 0.0,
    }  # fmt: skip


def test_frozen_weights_are_left_out_and_a_loss_may_learn():
    module, loss = nn.Linear(3, 3, bias=False), nn.ParameterList([torch.zeros(2)])
    module.weight.requires_grad_(False)
    optimizer = make_optimizer("adamw", [module, loss], 0.1, 0.5, 0.9)
    assert [p is loss[0] for group in optimizer.param_groups for p in group["params"]] == [True]
