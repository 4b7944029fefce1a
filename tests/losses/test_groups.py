"""Exclusive groups against torch's cross-entropy, and the marginal likelihood where answers are unknown."""

import pytest
import torch
from torch.nn import functional

from manyhot.errors import InputError, ManyhotWarning, OptionError
from manyhot.labels import Group, LabelSpace, Targets
from manyhot.losses import GroupSoftmax

SPACE = LabelSpace(
    ["red", "dress", "blue", "new", "jeans", "green"],
    groups=[Group("colour", ("red", "blue", "green")), Group("kind", ("dress", "jeans"), allow_none=True)],
)
COLOUR, KIND = [0, 2, 5], [1, 4]


@pytest.fixture
def logits():
    return torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.fixture
def targets():
    rows = [["red", "dress"], ["blue"], ["green", "jeans", "new"], ["red"], ["blue", "dress"], ["green"]]
    return SPACE.encode(rows)


def by_torch(logits):
    colour = functional.cross_entropy(logits[:, COLOUR], torch.tensor([0, 1, 2, 0, 1, 2]), reduction="none")
    kind = torch.cat([logits[:, KIND], torch.zeros(6, 1)], 1)
    return torch.stack(
        [colour, functional.cross_entropy(kind, torch.tensor([0, 2, 1, 2, 0, 2]), reduction="none")], 1
    )


def test_equals_cross_entropy_of_every_group(logits, targets):
    loss = GroupSoftmax.of(SPACE, reduction="none")
    torch.testing.assert_close(loss(logits, targets), by_torch(logits))
    for reduction, scale in (("mean", 1 / 12), ("batchmean", 1 / 6), ("sum", 1.0)):
        value = GroupSoftmax.of(SPACE, reduction=reduction)(logits, targets.to_dense())
        torch.testing.assert_close(value, by_torch(logits).sum() * scale)


def test_the_gradient_is_that_of_torch(logits, targets):
    (ours,) = torch.autograd.grad(GroupSoftmax.of(SPACE, reduction="sum")(logits, targets), logits)
    (theirs,) = torch.autograd.grad(by_torch(logits).sum(), logits)
    torch.testing.assert_close(ours, theirs)
    assert not ours[:, 3].any()  # "new" is in no group


def test_without_a_positive_the_unknown_labels_share_the_answer(logits, targets):
    dense = torch.tensor(targets.to_dense())
    dense[0, [0, 2]] = torch.nan  # red or blue, not green
    dense[2, [1, 4]] = torch.nan  # dress or jeans or none: nothing known
    dense[1, 4] = torch.nan  # not dress: jeans or none
    value = GroupSoftmax.of(SPACE, reduction="none")(logits, dense)
    p = torch.softmax(logits[:, COLOUR], 1)
    kind = torch.softmax(torch.cat([logits[:, KIND], torch.zeros(6, 1)], 1), 1)
    torch.testing.assert_close(value[0, 0], -torch.log(p[0, 0] + p[0, 1]))
    torch.testing.assert_close(value[1, 1], -torch.log(kind[1, 1] + kind[1, 2]))
    assert value[2, 1] == 0
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert not gradient[2, KIND].any()


def test_unknown_cells_beside_a_positive_are_negative(logits, targets):
    dense = torch.tensor(targets.to_dense())
    coded = dense.clone()
    coded[0, 2] = torch.nan
    loss = GroupSoftmax.of(SPACE)
    torch.testing.assert_close(loss(logits, coded), loss(logits, dense))


def test_a_group_that_needs_an_answer_and_has_none_does_not_count(logits, targets):
    dense = torch.tensor(targets.to_dense())
    dense[3, COLOUR] = 0
    loss = GroupSoftmax.of(SPACE)
    kept = by_torch(logits).flatten()[[i for i in range(12) if i != 6]]
    torch.testing.assert_close(loss(logits, dense), kept.mean())


def test_several_positives_share_and_are_an_error_when_strict(logits, targets):
    dense = torch.tensor(targets.to_dense())
    dense[0, 2] = 1  # red and blue
    loss = GroupSoftmax.of(SPACE, reduction="none")
    message = r"several labels of one exclusive group in rows 0: labels 0 \('red'\), 2 \('blue'\)"
    with pytest.warns(ManyhotWarning, match=message):
        value = loss(logits, dense)
    loss(logits, dense)  # once is enough
    log_p = torch.log_softmax(logits[0, COLOUR], 0)
    torch.testing.assert_close(value[0, 0], -(log_p[0] + log_p[1]) / 2)
    with pytest.raises(InputError, match=message):
        GroupSoftmax.of(SPACE, strict=True)(logits, dense)


def test_soft_targets_and_smoothing(logits):
    share = torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64)
    loss = GroupSoftmax([[0, 1, 2]], reduction="none")
    torch.testing.assert_close(
        loss(logits[:1, :3], share)[0], functional.cross_entropy(logits[:1, :3], share, reduction="none")
    )
    hard = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    smooth = GroupSoftmax([[0, 1, 2]], smoothing=0.1)(logits[:1, :3], hard)
    expected = functional.cross_entropy(logits[:1, :3], torch.tensor([1]), label_smoothing=0.1)
    torch.testing.assert_close(smooth, expected)


def test_label_weights_weigh_the_answer(logits, targets):
    weights = torch.tensor([2.0, 1, 3, 1, 5, 7], dtype=torch.float64)
    value = GroupSoftmax.of(SPACE, reduction="none", label_weight=weights)(logits, targets)
    factor = torch.tensor([[2, 1], [3, 1], [7, 5], [2, 1], [3, 1], [7, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(value, by_torch(logits) * factor)


@pytest.mark.parametrize("size", [1e4, -1e4, 100.0])
def test_large_logits_are_finite(size, targets):
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        logits = torch.full((6, 6), size, dtype=dtype)
        logits[:, ::2] *= -1
        logits.requires_grad_()
        value = GroupSoftmax.of(SPACE)(logits, targets)
        value.backward()
        assert value.isfinite()
        assert logits.grad.isfinite().all()


def test_nothing_known_and_no_rows_cost_nothing(logits):
    loss = GroupSoftmax.of(SPACE)
    assert loss(logits, torch.full((6, 6), torch.nan)) == 0
    assert loss(logits[:0], Targets.negative(0, 6)) == 0


def test_positive_weights_are_refused():
    with pytest.raises(OptionError, match="no meaning in an exclusive group"):
        GroupSoftmax([[0, 1]], pos_weight=2.0)
