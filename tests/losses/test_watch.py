"""What is looked for in every number: probabilities in place of logits, numbers that are no targets."""

import warnings

import pytest
import torch

from manyhot.errors import InputError, ManyhotWarning
from manyhot.losses import BCE, Asymmetric, MultiLabelMargin, functional

DRAW = torch.Generator().manual_seed(0)
PROBABILITIES = torch.rand(8, 5, generator=DRAW)
LOGITS = 3 * torch.randn(8, 5, generator=DRAW)
TARGETS = (torch.rand(8, 5, generator=DRAW) < 0.3).float()


def test_a_model_that_ends_in_sigmoid_is_noticed_on_the_smallest_batch():
    logits = torch.sigmoid(torch.zeros(1, 2, requires_grad=True))
    with pytest.warns(ManyhotWarning, match="the model ends in Sigmoid"):
        BCE()(logits, torch.zeros(1, 2))


def test_a_fresh_head_of_equal_logits_is_not_taken_for_probabilities():
    loss = BCE(strict=True)
    for _ in range(5):
        loss(torch.zeros(10, 10), torch.zeros(10, 10))


def test_strict_looks_at_every_batch():
    loss = BCE(strict=True)
    for _ in range(2):
        loss(LOGITS, TARGETS)
    with pytest.raises(InputError, match="look like probabilities: all 40 lie in"):
        loss(PROBABILITIES, TARGETS)  # the third


def test_small_batches_are_noticed_together():
    loss = Asymmetric(strict=True)
    for row in range(6):
        loss(PROBABILITIES[row : row + 1], TARGETS[row : row + 1])
    with pytest.raises(InputError, match="all 35 lie in"):
        loss(PROBABILITIES[6:7], TARGETS[6:7])


def test_a_logit_outside_clears_what_came_before():
    loss = Asymmetric(strict=True)
    for _ in range(3):
        loss(PROBABILITIES[:6], TARGETS[:6])  # 30 cells
        loss(torch.tensor([[0.5, 1.5]]), torch.zeros(1, 2))


def test_the_warning_points_at_the_line_that_called():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        BCE()(PROBABILITIES, TARGETS)
        functional.gce(PROBABILITIES, TARGETS, q=0.61)
    assert [one.filename for one in found] == [__file__, __file__]


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_weights_that_are_none_are_refused(wrong):
    rows, cells = torch.ones(8), torch.ones(8, 5)
    rows[3], cells[2, 4] = wrong, wrong
    loss = MultiLabelMargin()
    for _ in range(2):
        loss(LOGITS, TARGETS, row_weight=torch.ones(8))
    with pytest.raises(InputError, match=rf"row_weight must be finite and >= 0, got {wrong:g} at 3"):
        loss(LOGITS, TARGETS, row_weight=rows)
    with pytest.raises(InputError, match=rf"cell_weight must be finite and >= 0, got {wrong:g} at 2, 4"):
        MultiLabelMargin()(LOGITS, TARGETS, cell_weight=cells)
