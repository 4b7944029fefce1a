"""The order of rows: every row once an epoch, and resumable anywhere."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from manyhot.train.order import Order


@given(st.integers(1, 60), st.integers(1, 20))
def test_every_row_comes_once_in_an_epoch_in_steps_of_the_right_size(rows, step_rows):
    order = Order(rows, step_rows, seed=0)
    steps = list(order.remaining())
    assert len(steps) == order.steps
    assert sorted(torch.cat(steps).tolist()) == list(range(rows))
    assert all(len(step) == step_rows for step in steps[:-1])
    assert len(steps[-1]) <= step_rows + 1
    assert len(steps) == 1 or len(steps[-1]) > 1 or step_rows == 1


def test_one_odd_row_joins_the_last_step():
    assert [len(step) for step in Order(9, 4, 0).remaining()] == [4, 5]
    assert [len(step) for step in Order(10, 4, 0).remaining()] == [4, 4, 2]


@pytest.mark.parametrize("done", [0, 1, 3])
def test_taken_up_again_it_goes_on_as_if_nothing_had_happened(done):
    order = Order(14, 4, seed=5)
    order.next_epoch()
    order.done = done
    state = {name: tensor.clone() for name, tensor in order.to_state().items()}
    expected = [order.permutation, *order.remaining()]
    order.next_epoch()
    expected.append(order.permutation)

    again = Order(14, 4, seed=99)
    again.load_state(state)
    got = [again.permutation, *again.remaining()]
    again.next_epoch()
    got.append(again.permutation)
    assert all(torch.equal(one, other) for one, other in zip(expected, got, strict=True))


def test_epochs_and_seeds_differ():
    order = Order(50, 10, seed=1)
    first = order.permutation
    order.next_epoch()
    assert not torch.equal(first, order.permutation)
    assert not torch.equal(first, Order(50, 10, seed=2).permutation)
    assert torch.equal(first, Order(50, 10, seed=1).permutation)
