"""Label weights by hand, and that a weight is taken back exactly."""

import numpy as np
import pytest
import torch

from manyhot.errors import OptionError, ShapeError
from manyhot.labels import LabelSpace, Targets
from manyhot.losses import BCE, debias, label_weights, losses_for
from manyhot.losses.weighting import effective_number, summary

DENSE = np.array([[1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0, np.nan, 0, 1]])
TARGETS = Targets.from_dense(DENSE)  # 2, 1, 0 and 4 positives; three known cells of the second


def test_balanced_is_negatives_over_positives_among_the_known():
    weights = label_weights(TARGETS, "balanced")
    np.testing.assert_allclose(weights[:3], [1.0, 2.0, 3.0])
    assert 0 < weights[3] <= 1
    np.testing.assert_allclose(label_weights(TARGETS, "sqrt")[:3], np.sqrt([1.0, 2.0, 3.0]))


def test_inverse_is_known_rows_over_positives():
    weights = label_weights(TARGETS, "inverse")
    np.testing.assert_allclose(weights, [2.0, 3.0, 4.0, 1.0])
    np.testing.assert_allclose(label_weights(TARGETS, "sqrt_inverse"), np.sqrt(weights))


def test_effective_number_by_the_geometric_series():
    counts = np.array([1.0, 2.0, 5.0])
    np.testing.assert_allclose(effective_number(counts, 0.9), [1, 1.9, sum(0.9**k for k in range(5))])
    np.testing.assert_allclose(effective_number(counts, 0.0), 1.0)
    weights = label_weights(TARGETS, "effective", beta=0.9)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[0] / weights[1] == pytest.approx(1 / 1.9)


def test_weights_are_capped_and_finite():
    wide = Targets.from_dense(np.eye(1, 3) * np.ones((1000, 1)))
    weights = label_weights(wide, "balanced", cap=20)
    assert np.isfinite(weights).all()
    assert weights.tolist()[1:] == [20.0, 20.0]
    assert summary(weights, wide, cap=20) == (
        "weights of 3 labels: 0.001 to 20, median 20; 2 capped at 20; 2 without a positive"
    )


def test_given_weights_and_names():
    space = LabelSpace(["a", "b", "c", "d"])
    assert label_weights(TARGETS, {"b": 3.0}, space).tolist() == [1.0, 3.0, 1.0, 1.0]
    assert label_weights(TARGETS, [1, 2, 3, 4]).tolist() == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(OptionError, match="must be one of a, b, c, d, got 'A'"):
        label_weights(TARGETS, {"A": 1.0}, space)
    with pytest.raises(OptionError, match="needs the label names"):
        label_weights(TARGETS, {"a": 1.0})
    with pytest.raises(ShapeError, match="expected 4 label weights"):
        label_weights(TARGETS, [1.0, 2.0])
    with pytest.raises(OptionError, match="finite and >= 0"):
        label_weights(TARGETS, [1, 2, 3, -4])
    with pytest.raises(OptionError, match="scheme must be one of"):
        label_weights(TARGETS, "balance")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_debias_gives_back_the_probability(share):
    """The logit that minimises weighted BCE under a probability is found by Newton's method."""
    weight = torch.tensor([7.0], dtype=torch.float64)
    loss = BCE(pos_weight=weight)
    z = torch.zeros(1, 1, dtype=torch.float64)
    for _ in range(60):
        z.requires_grad_()
        (slope,) = torch.autograd.grad(loss(z, torch.full((1, 1), share)), z, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), z)
        z = (z - 0.5 * slope / curvature).detach()
    assert torch.sigmoid(debias(z, weight)).item() == pytest.approx(share, abs=1e-6)
    assert torch.sigmoid(torch.tensor(debias(z.numpy(), [7.0]))).item() == pytest.approx(share, abs=1e-6)


def test_debias_refuses_a_weight_of_zero():
    with pytest.raises(OptionError, match="must be > 0"):
        debias(np.zeros((1, 1)), [0.0])


def test_debias_makes_floats_of_integers_and_keeps_other_dtypes():
    logits = np.array([[1, 2]])
    expected = logits - np.log([7, 0.3])
    np.testing.assert_allclose(debias(logits, [7, 0.3]), expected)
    torch.testing.assert_close(debias(torch.tensor(logits), [7, 0.3]), torch.tensor(expected))
    assert debias(logits.astype(np.float32), [7, 0.3]).dtype == np.float32


def test_debias_says_which_weights_it_takes():
    with pytest.raises(OptionError, match=r"in label order, got them by name; .*label_weights\(targets"):
        debias(np.zeros((1, 2)), {"a": 2.0})
    with pytest.raises(ShapeError, match=r"expected 3 weights, one per label, got shape \(2,\)"):
        debias(np.zeros((1, 3)), [1.0, 2.0])


@pytest.mark.parametrize("form", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_minus_one_among_floats_means_unknown_as_for_a_loss(form):
    coded = form([[1.0, -1.0], [0.0, 1.0], [1.0, 0.0], [0.0, -1.0]])
    assert label_weights(coded).tolist() == [1.0, 1.0]
    holes = np.where(np.asarray(coded) < 0, np.nan, np.asarray(coded))
    assert label_weights(coded, "inverse").tolist() == label_weights(holes, "inverse").tolist() == [2.0, 2.0]
    loss = losses_for(LabelSpace(["a", "b"]), "bce", coded, pos_weight="inverse")
    assert loss.pos_weight.tolist() == [2.0, 2.0]
