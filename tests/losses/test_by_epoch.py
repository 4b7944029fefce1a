"""Weights and masks by epoch, against hand computation and their statistics."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from manyhot.errors import OptionError, ShapeError
from manyhot.losses import BCE, ClassDifficultyBalanced, PartialLabelMasking

DRAW = np.random.default_rng(7)
Z = torch.tensor(DRAW.normal(0, 2, (60, 4)))
Y = (DRAW.random((60, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(float)


def cells():
    p = Z.numpy()
    return np.where(Y == 1, np.log1p(np.exp(-p)), np.log1p(np.exp(p)))


def test_difficulty_is_one_less_the_f1_of_the_epoch_before():
    loss = ClassDifficultyBalanced([1] * 4, tau=1.5)
    loss.set_epoch(0)
    first = [loss(Z[part], Y[part]) for part in (slice(0, 25), slice(25, 60))]
    torch.testing.assert_close(first[0], BCE()(Z[:25], Y[:25]))
    loss.eval()
    loss(Z, 1 - Y)  # validation rows are not counted
    loss.train()
    loss.set_epoch(1)
    weights = (1 - f1_score(Y, Z > 0, average=None)) ** 1.5
    weights /= weights.mean()
    np.testing.assert_allclose(loss.balance, weights)
    assert loss(Z, Y).item() == pytest.approx((cells() * weights).mean())


def test_dynamic_strength_and_given_scores():
    scores = np.array([0.9, 0.5, 0.4, 0.1])
    loss = ClassDifficultyBalanced([1] * 4)
    loss.set_scores(scores)
    difficulty = 1 - scores
    tau = 1 / (1 + np.exp(-(1 - difficulty.min()) / (1 - difficulty.max() + 0.01)))
    expected = difficulty**tau
    np.testing.assert_allclose(loss.balance, expected / expected.sum() * 4)
    loss.set_scores(np.ones(4))  # nothing is difficult any more
    assert loss.balance.tolist() == [1] * 4
    with pytest.raises(ShapeError, match="expected scores of 4 labels"):
        loss.set_scores([0.5])
    with pytest.raises(OptionError, match=r"scores must be in \[0, 1\]"):
        loss.set_scores([0.5, 0.5, 0.5, 1.5])


def test_nothing_is_masked_at_first():
    loss = PartialLabelMasking([30, 18, 12, 6], 60)
    torch.testing.assert_close(loss(Z, Y), BCE()(Z, Y))


def test_cells_are_kept_by_the_ratio_of_ratios():
    loss = PartialLabelMasking([30, 18, 12, 6], 60, reduction="none")
    factor = torch.tensor([0.5, 2.0, 1.0, 4.0], dtype=torch.float64)
    loss.ideal.copy_(loss.ratio * factor)
    kept = torch.stack([loss(Z, Y) > 0 for _ in range(400)]).double().mean(0).numpy()
    for label, (positive, negative) in enumerate([(0.5, 1), (1, 0.5), (1, 1), (1, 0.25)]):
        own = Y[:, label] == 1
        assert kept[own, label].mean() == pytest.approx(positive, abs=0.02)
        assert kept[~own, label].mean() == pytest.approx(negative, abs=0.02)
    loss.eval()
    np.testing.assert_allclose(loss(Z, Y), cells())


def test_ideal_ratios_follow_the_divergence_of_the_histograms():
    loss = PartialLabelMasking([30, 18, 12, 6], 60, rate=0.2)
    before = loss.ideal.clone().numpy()
    loss(Z[:20], Y[:20])
    loss(Z[20:], Y[20:])
    loss.set_epoch(1)
    p, expected = torch.sigmoid(Z).numpy(), []
    for label in range(4):
        own = Y[:, label] == 1
        divergences = []
        for side, truth in ((own, 1.0), (~own, 0.0)):
            predicted = np.histogram(p[side, label], 10, (0, 1))[0] / side.sum()
            wanted = np.histogram(np.full(side.sum(), truth), 10, (0, 1))[0] / side.sum()
            seen = wanted > 0
            divergences.append(
                (wanted[seen] * np.log(wanted[seen] / np.maximum(predicted[seen], 1e-4))).sum()
            )
        expected.append(np.exp(0.2 * (divergences[0] - divergences[1])))
    np.testing.assert_allclose(loss.ideal.numpy() / before, expected)
    assert not loss.seen.any()


def test_the_same_seed_masks_the_same():
    loss, found = PartialLabelMasking([30, 18, 12, 6], 60), []
    loss.ideal.mul_(3)
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(loss(Z, Y))
    assert found[0] == found[1] != found[2]
