"""A loss over groups and independent labels is the weighted sum of its parts."""

import math

import pytest
import torch

from manyhot.errors import InputError, ManyhotWarning, OptionError, ShapeError
from manyhot.labels import Group, LabelSpace
from manyhot.losses import BCE, GHM, Asymmetric, GroupSoftmax, Mixed, losses_for

SPACE = LabelSpace(
    ["red", "dress", "blue", "new", "jeans", "wool"],
    groups=[Group("colour", ("red", "blue")), Group("kind", ("dress", "jeans"), allow_none=True)],
)
ROWS = [["red", "dress", "new"], ["blue", "wool"], ["red", "jeans"]]


@pytest.fixture
def logits():
    return torch.randn(3, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()


def parts(logits, **options):
    targets = SPACE.encode(ROWS)
    colour = GroupSoftmax([[0, 1]], **options)(logits[:, [0, 2]], targets.columns([0, 2]))
    kind = GroupSoftmax([[0, 1]], True, **options)(logits[:, [1, 4]], targets.columns([1, 4]))
    alone = BCE(**options)(logits[:, [3, 5]], targets.columns([3, 5]))
    return torch.stack([colour, kind, alone])


def mixed(**options):
    return Mixed(SPACE, {"independent": BCE()}, **options)


def test_by_default_every_decision_of_a_row_counts_the_same(logits):
    expected = parts(logits) @ torch.tensor([0.25, 0.25, 0.5])
    torch.testing.assert_close(mixed()(logits, SPACE.encode(ROWS)), expected)
    total = parts(logits, reduction="sum").sum()
    torch.testing.assert_close(mixed(reduction="sum")(logits, SPACE.encode(ROWS)), total)


def test_given_weights(logits):
    loss = mixed(weights={"colour": 3.0, "independent": 0.5})
    torch.testing.assert_close(
        loss(logits, SPACE.encode(ROWS)), parts(logits) @ torch.tensor([3.0, 1.0, 0.5])
    )


def test_learned_weights_are_parameters_with_the_right_gradient(logits):
    loss = mixed(weights="learned")
    assert [tuple(p.shape) for p in loss.parameters()] == [(3,)]
    with torch.no_grad():
        loss.log_variance.copy_(torch.tensor([0.3, -0.2, 1.0]))
    loss(logits, SPACE.encode(ROWS)).backward()
    # d/ds (exp(-s) L + s / 2)
    expected = -torch.exp(-loss.log_variance) * parts(logits) + 0.5
    torch.testing.assert_close(loss.log_variance.grad, expected.detach())


def test_heads_by_name_are_one_matrix(logits):
    heads = {"independent": logits[:, [3, 5]], "colour": logits[:, [0, 2]], "kind": logits[:, [1, 4]]}
    loss = mixed()
    torch.testing.assert_close(loss(heads, SPACE.encode(ROWS)), loss(logits, SPACE.encode(ROWS)))
    with pytest.raises(InputError, match="expected heads colour, kind, independent, got colour"):
        loss({"colour": heads["colour"]}, SPACE.encode(ROWS))


def test_dense_targets_with_unknown_cells(logits):
    dense = torch.tensor(SPACE.encode(ROWS).to_dense())
    dense[0, 3] = torch.nan
    value = mixed()(logits, dense)
    value.backward()
    assert value.isfinite()
    assert logits.grad[0, 3] == 0


def test_parts_are_reached_by_name_and_told_the_epoch():
    loss = Mixed(SPACE, {"independent": Asymmetric()})
    loss.set_epoch(4)
    assert isinstance(loss.part("independent"), Asymmetric)
    assert loss.part("colour").epoch == 4
    with pytest.raises(OptionError, match="did you mean colour"):
        loss.part("color")


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(OptionError, match="must give a loss for the 2 independent labels"):
        Mixed(SPACE, {})
    with pytest.raises(OptionError, match="no unit in common"):
        mixed(reduction="none")
    with pytest.raises(OptionError, match="'learned' or None, got 'auto'"):
        mixed(weights="auto")


@pytest.mark.parametrize(
    "options", [{"smoothing": 0.3}, {"pos_weight": 2.0}, {"label_weight": torch.ones(6)}], ids=str
)
def test_options_of_the_parts_are_refused_instead_of_ignored(options):
    with pytest.raises(OptionError, match=f"{next(iter(options))} belongs to the parts of a mixed loss"):
        mixed(**options)


def test_several_labels_of_a_group_are_warned_of_or_refused(logits):
    dense = torch.tensor(SPACE.encode(ROWS).to_dense())
    dense[1, [0, 2]] = 1
    message = r"several labels of one exclusive group in rows 1: labels 0 \('red'\), 1 \('blue'\)"
    with pytest.warns(ManyhotWarning, match=message):
        mixed()(logits, dense)
    for loss in (mixed(strict=True), losses_for(SPACE, "bce", strict=True)):
        with pytest.raises(InputError, match=message):
            loss(logits, dense)


def test_a_head_of_another_width_is_named(logits):
    heads = {"independent": logits[:, [3, 5]], "colour": logits[:, [0]], "kind": logits[:, [1, 4]]}
    with pytest.raises(ShapeError, match=r"the head colour must have shape \(rows, 2\), got \(3, 1\)"):
        mixed()(heads, SPACE.encode(ROWS))


def test_the_caller_s_parts_stay_as_they_are_and_share_their_state(logits):
    part = GHM(reduction="sum")
    loss = Mixed(SPACE, {"independent": part})
    loss(logits, SPACE.encode(ROWS))
    assert part.reduction == "sum"
    assert loss.part("independent").reduction == "mean"
    assert part.counts.sum() > 0
    assert loss.training_state()
    assert not mixed().training_state()


def test_losses_for_chooses_by_the_label_space(logits):
    targets = SPACE.encode(ROWS)
    loss = losses_for(SPACE, "asl(gamma_neg=2)", targets, pos_weight="balanced")
    assert isinstance(loss, Mixed)
    assert loss.part("independent").gamma_neg == 2
    torch.testing.assert_close(
        loss.part("independent").pos_weight, torch.tensor([2.0, 2.0], dtype=torch.float64)
    )
    assert isinstance(losses_for(LabelSpace(["a", "b"]), "bce"), BCE)
    groups_only = LabelSpace(["a", "b"], groups=[Group("g", ("a", "b"))])
    assert isinstance(losses_for(groups_only, "bce"), GroupSoftmax)
    value = losses_for(groups_only)(torch.zeros(1, 2), [[0]])
    assert value.item() == pytest.approx(math.log(2))


def test_losses_for_hands_on_frequencies_and_weights_by_name():
    space = LabelSpace(["a", "b", "c"])
    targets = space.encode([["a"], ["a", "b"], []])
    loss = losses_for(space, "logit-adjusted", targets)
    prior = torch.tensor([2 / 3, 1 / 3, 1 / 3], dtype=torch.float64)
    torch.testing.assert_close(loss.shift, torch.logit(prior))
    weighted = losses_for(space, "bce", targets, pos_weight={"c": 5.0})
    assert weighted.pos_weight.tolist() == [1.0, 1.0, 5.0]
    with pytest.raises(OptionError, match="needs the training targets"):
        losses_for(space, "bce", pos_weight="balanced")


def test_losses_for_refuses_what_it_cannot_hand_on():
    space = LabelSpace(["a", "b", "c"])
    targets = space.encode([["a"], ["a", "b"], []])
    with pytest.raises(OptionError, match=r"an argument of Asymmetric 'gama_neg' .* did you mean gamma_neg"):
        losses_for(space, "asl", targets, gama_neg=3)
    with pytest.raises(OptionError, match=r"an argument of BCE must be one of .*'gamma_neg'"):
        losses_for(space, "bce", targets, gamma_neg=3)
    for given in ({"pos_weight": "balanced"}, {"smoothing": 0.1}):
        with pytest.raises(OptionError, match="comes too late for a loss that is made already"):
            losses_for(space, BCE(), targets, **given)
    groups_only = LabelSpace(["a", "b"], groups=[Group("g", ("a", "b"))])
    with pytest.raises(OptionError, match="smoothing= is for independent labels"):
        losses_for(groups_only, "bce", smoothing=0.1)
    with pytest.raises(ShapeError, match=r"pos_weight must have shape \(3,\), one per label, got \(2,\)"):
        losses_for(space, "bce", pos_weight=[1.0, 2.0])
