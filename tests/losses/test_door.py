"""What is refused at the door, and what is understood."""

import numpy as np
import pytest
import torch

from manyhot.errors import InputError, ManyhotWarning, ShapeError
from manyhot.labels import Targets
from manyhot.losses import BCE

LOGITS = torch.linspace(-3, 3, 12).reshape(3, 4)
TARGETS = torch.tensor([[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]])


@pytest.mark.parametrize(
    ("logits", "targets", "error", "message"),
    [
        (LOGITS.numpy(), TARGETS, InputError, "logits must be a torch tensor"),
        (TARGETS, LOGITS, InputError, "are logits and targets swapped"),
        (LOGITS.flatten(), TARGETS.flatten(), ShapeError, r"must have shape \(rows, labels\), got \(12,\)"),
        (LOGITS, TARGETS[:2], ShapeError, "logits have 3 rows, targets 2"),
        (LOGITS, TARGETS[:, :3], ShapeError, "a 0/1 matrix of shape"),
        (LOGITS, torch.tensor([0, 1, 2]), ShapeError, "one class per row"),
        (LOGITS, TARGETS * 2.0, InputError, r"got 2 in row 0, label 0 \('red'\)"),
        (LOGITS, torch.tensor([[0, 9], [1, -1], [2, -1]]), InputError, "9"),
        (LOGITS, [["red"], [], []], InputError, "holds names"),
        (LOGITS, Targets.from_dense(TARGETS[:2].numpy()), ShapeError, "logits have 3 rows, targets 2"),
        (LOGITS, torch.tensor([[0, 1, -1, -1], [1, -1, -1, -1], [0, -1, -1, -1]]), InputError, "two ways"),
    ],
)
def test_what_cannot_be_meant_is_refused(logits, targets, error, message):
    with pytest.raises(error, match=message):
        BCE(names=["red", "blue", "dress", "jeans"])(logits, targets)


def test_weights_of_a_wrong_shape():
    with pytest.raises(ShapeError, match=r"row_weight must have shape \(3,\), got \(4,\)"):
        BCE()(LOGITS, TARGETS, row_weight=torch.ones(4))
    with pytest.raises(ShapeError, match="unknown must have the shape of the logits"):
        BCE()(LOGITS, TARGETS, torch.zeros(3, 3, dtype=torch.bool))
    with pytest.raises(ShapeError, match="expected logits for 3 labels, got 4 columns"):
        BCE(pos_weight=[1.0, 2.0, 3.0])(LOGITS, TARGETS)


def test_a_multi_hot_integer_matrix_may_code_unknown_by_minus_one():
    coded = TARGETS.clone()
    coded[1, 2] = -1
    coded[0, 1] = -1
    expected = BCE()(LOGITS, TARGETS, coded < 0)
    torch.testing.assert_close(BCE()(LOGITS, coded), expected)


def test_a_torch_style_list_of_ids_of_full_width_is_understood():
    ids = torch.tensor([[0, 3, -1, -1], [-1, -1, -1, -1], [1, -1, -1, -1]])
    torch.testing.assert_close(BCE()(LOGITS, ids), BCE()(LOGITS, TARGETS))


def test_a_model_that_ends_in_sigmoid_is_noticed_on_the_smallest_batch():
    logits = torch.sigmoid(torch.zeros(1, 2, requires_grad=True))
    with pytest.warns(ManyhotWarning, match="the model ends in Sigmoid"):
        BCE()(logits, torch.zeros(1, 2))


def test_a_fresh_head_of_equal_logits_is_not_taken_for_probabilities():
    BCE(strict=True)(torch.zeros(10, 10), torch.zeros(10, 10))


def test_nan_targets_and_weights_by_name():
    coded = np.where(np.eye(3, 4) > 0, np.nan, TARGETS.numpy())
    loss = BCE(pos_weight={"blue": 2.0}, names=["red", "blue", "dress", "jeans"], reduction="sum")
    by_cell = BCE(pos_weight=[1.0, 2.0, 1.0, 1.0], reduction="none")(LOGITS, torch.tensor(coded))
    torch.testing.assert_close(loss(LOGITS, coded), by_cell.sum())
