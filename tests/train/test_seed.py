"""Random states: set inside, given back outside."""

import random

import numpy as np
import torch

from manyhot.train.seed import random_states, seeded, set_random_states


def draw():
    return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random(), np.random.normal()


def test_inside_the_seed_decides():
    with seeded(7):
        one = draw()
    draw()
    with seeded(7):
        other = draw()
    assert one == other


def test_outside_nothing_has_been_drawn():
    states = random_states()
    expected = draw()
    set_random_states(*states)
    with seeded(1):
        draw()
    assert draw() == expected


def test_states_come_back_after_an_odd_number_of_normal_draws():
    np.random.normal()
    random.gauss(0, 1)
    states = random_states()
    expected = (*draw(), random.gauss(0, 1))
    set_random_states(*states)
    assert (*draw(), random.gauss(0, 1)) == expected
