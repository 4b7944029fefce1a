"""What is refused at the door, and what is understood."""

import numpy as np
import pytest
import torch

from manyhot.errors import InputError, ShapeError
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


AMBIGUOUS = torch.tensor([[1, -1], [0, -1]])  # a list of one label a row, or a known cell in each row


def test_integers_are_read_in_later_batches_as_in_those_before():
    logits = torch.tensor([[0.5, -1.0], [2.0, 1.0]])
    with pytest.raises(InputError, match="two ways"):
        BCE()(logits, AMBIGUOUS)
    loss = BCE()
    loss(logits, torch.tensor([[0, -1], [-1, 1]]))  # no list ends before it begins
    torch.testing.assert_close(loss(logits, AMBIGUOUS), BCE()(logits, AMBIGUOUS.float()))


def test_integers_that_contradict_those_before_are_refused():
    ids = torch.tensor([[0, 3, -1, -1], [1, -1, -1, -1], [0, -1, -1, -1]])
    few = torch.tensor([[0, 1, -1, -1], [1, -1, -1, -1], [0, -1, -1, -1]])
    loss = BCE()
    expected = BCE()(LOGITS, Targets.from_padded(few.numpy(), 4))
    loss(LOGITS, ids)
    for _ in range(4):
        torch.testing.assert_close(loss(LOGITS, few), expected)
    with pytest.raises(InputError, match="listed twice; from_dense takes a 0/1 matrix"):
        loss(LOGITS, TARGETS)
    loss = BCE()
    for _ in range(2):
        loss(LOGITS, TARGETS)
    with pytest.raises(
        InputError, match=r"held a value per cell, these hold label indices, up to 3; .*from_p"
    ):
        loss(LOGITS, ids)


def test_integers_are_looked_through_no_more_than_is_due(monkeypatch):
    looked = []
    plain_max = torch.Tensor.max
    monkeypatch.setattr(torch.Tensor, "max", lambda t, *a: looked.append(t.numel()) or plain_max(t, *a))
    loss = BCE()
    for _ in range(32):
        loss(LOGITS, TARGETS)
    assert looked.count(TARGETS.numel()) == 6  # at the calls 1, 2, 4, 8, 16, 32


@pytest.mark.parametrize("targets", [TARGETS.to(torch.complex64), TARGETS.numpy().astype(complex)])
def test_complex_targets_are_refused(targets):
    with pytest.raises(InputError, match="complex"):
        BCE()(LOGITS, targets)


def test_names_for_another_number_of_labels():
    with pytest.raises(ShapeError, match="expected logits for the 2 names, got 4 columns"):
        BCE(names=["red", "blue"])(LOGITS, TARGETS)


def test_nan_targets_and_weights_by_name():
    coded = np.where(np.eye(3, 4) > 0, np.nan, TARGETS.numpy())
    loss = BCE(pos_weight={"blue": 2.0}, names=["red", "blue", "dress", "jeans"], reduction="sum")
    by_cell = BCE(pos_weight=[1.0, 2.0, 1.0, 1.0], reduction="none")(LOGITS, torch.tensor(coded))
    torch.testing.assert_close(loss(LOGITS, coded), by_cell.sum())
