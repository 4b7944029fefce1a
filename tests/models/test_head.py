"""The head: its activation, and that it starts at the prior."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from manyhot.labels import Group, LabelSpace, Targets
from manyhot.models.head import Head, prior_logits
from manyhot.models.prepared import SparseBatch

SPACE = LabelSpace(
    ("red", "striped", "blue", "dress", "shirt", "black"),
    groups=(Group("colour", ("red", "blue", "black")), Group("garment", ("dress", "shirt"), allow_none=True)),
)
COLOUR, GARMENT = [0, 2, 5], [3, 4]


def scores_by_definition(logits):
    scores = expit(logits)
    scores[:, COLOUR] = softmax(logits[:, COLOUR], axis=1)
    scores[:, GARMENT] = softmax(np.pad(logits[:, GARMENT], ((0, 0), (0, 1))), axis=1)[:, :2]
    return scores


def test_sigmoid_alone_and_softmax_inside_a_group():
    logits = np.random.default_rng(0).normal(0, 3, (20, 6))
    ours = Head(SPACE, 4).scores(torch.from_numpy(logits)).numpy()
    np.testing.assert_allclose(ours, scores_by_definition(logits), atol=1e-6)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=6, max_size=6))
def test_scores_are_probabilities_at_any_logit(logits):
    scores = Head(SPACE, 1).scores(torch.tensor([logits]))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert float(scores[0, COLOUR].sum()) == pytest.approx(1, abs=1e-5)
    assert float(scores[0, GARMENT].sum()) <= 1 + 1e-5


def test_half_precision_logits_give_float32_scores():
    logits = torch.randn(3, 6)
    scores = Head(SPACE, 1).scores(logits.bfloat16())
    assert scores.dtype == torch.float32


def test_scores_can_be_differentiated():
    logits = torch.randn(3, 6, requires_grad=True)
    Head(SPACE, 1).scores(logits).square().sum().backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_a_fresh_head_scores_the_share_of_each_label(sparse):
    colours = np.eye(3)[[0] * 50 + [1] * 30 + [2] * 20]
    garments = np.eye(3)[[0] * 10 + [1] * 60 + [2] * 30][:, :2]
    dense = np.zeros((100, 6))
    dense[:, COLOUR], dense[:, GARMENT], dense[:5, 1] = colours, garments, 1
    head = Head(SPACE, 8, sparse=sparse)
    head.start_at_prior(SPACE, Targets.from_dense(dense))
    empty = torch.zeros(0, dtype=torch.int64)
    nothing = (
        SparseBatch(torch.zeros(2, dtype=torch.int64), empty, torch.zeros(0), 8)
        if sparse
        else torch.zeros(1, 8)
    )
    scores = head.scores(head(nothing)).detach().numpy()[0]
    np.testing.assert_allclose(scores, dense.mean(0), atol=0.01)


def test_unknown_cells_do_not_count_in_the_prior():
    dense = np.array([[1, np.nan], [1, np.nan], [0, 1], [0, np.nan]])
    ours = prior_logits(LabelSpace(("a", "b")), Targets.from_dense(dense))
    np.testing.assert_allclose(ours, [np.log(2.5 / 2.5), np.log(1.5 / 0.5)])


def test_labels_in_no_row_or_in_all_rows_have_finite_logits():
    ours = prior_logits(LabelSpace(("none", "all")), Targets.from_dense(np.array([[0, 1]] * 9)))
    np.testing.assert_allclose(ours, [np.log(0.5 / 9.5), np.log(9.5 / 0.5)])


def test_soft_targets_count_by_their_value():
    ours = prior_logits(LabelSpace(("a",)), Targets.from_dense(np.array([[0.5], [0.25], [0.25]])))
    np.testing.assert_allclose(ours, [np.log(1.5 / 2.5)])


def test_targets_without_a_row_give_even_odds():
    ours = prior_logits(SPACE, Targets.from_dense(np.zeros((0, 6))))
    np.testing.assert_allclose(expit(ours[1]), 0.5)
    np.testing.assert_allclose(softmax(ours[COLOUR]), [1 / 3] * 3)
