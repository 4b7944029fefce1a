"""Top-k by chunks is torch.topk of the full product."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from manyhot.errors import OptionError, ShapeError
from manyhot.losses import top_k_labels


def layer(labels=700, dtype=torch.float64):
    draw = torch.Generator().manual_seed(0)
    return [
        torch.randn(s, generator=draw, dtype=torch.float64).to(dtype) for s in ((5, 4), (labels, 4), labels)
    ]


@pytest.mark.parametrize("k", [1, 7, 300, 700])
@pytest.mark.parametrize("with_bias", [True, False])
def test_it_is_topk_of_the_product(k, with_bias):
    hidden, weight, bias = layer()
    bias = bias if with_bias else None
    scores, columns = top_k_labels(hidden, weight, bias, k, memory=1)
    expected = functional.linear(hidden, weight, bias).topk(k, dim=1)
    torch.testing.assert_close(scores, expected.values)
    assert torch.equal(columns, expected.indices)


def test_bfloat16_weights_are_widened():
    hidden, weight, bias = layer(dtype=torch.float32)
    scores, columns = top_k_labels(hidden, weight.bfloat16(), bias, 5, memory=1)
    expected = functional.linear(hidden, weight.bfloat16().float(), bias).topk(5, dim=1)
    torch.testing.assert_close(scores, expected.values)
    assert torch.equal(columns, expected.indices)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 600), st.data())
def test_equal_logits_are_each_taken_once(labels, data):
    k = data.draw(st.integers(1, labels))
    weight = torch.tensor(data.draw(st.lists(st.integers(-1, 1), min_size=labels, max_size=labels)))
    hidden = torch.tensor([[1.0], [-1.0], [float("inf")]])
    z = hidden @ weight.float()[None]
    scores, columns = top_k_labels(hidden, weight.float()[:, None], None, k, memory=1)
    torch.testing.assert_close(scores, z.topk(k, dim=1).values, equal_nan=True)
    assert all(len(set(row)) == k for row in columns.tolist())
    torch.testing.assert_close(z.gather(1, columns), scores, equal_nan=True)


def test_it_has_no_gradient_and_says_what_does_not_fit():
    hidden, weight, bias = layer()
    assert not top_k_labels(hidden.requires_grad_(), weight, bias, 2)[0].requires_grad
    with pytest.raises(OptionError, match="k must be at most the number of labels, got 701 of 700"):
        top_k_labels(hidden, weight, bias, 701)
    with pytest.raises(OptionError, match="k must be >= 1, got 0"):
        top_k_labels(hidden, weight, bias, 0)
    with pytest.raises(ShapeError, match="hidden must be"):
        top_k_labels(hidden, weight[:, :2], bias, 1)


def test_no_rows():
    hidden, weight, bias = layer()
    scores, columns = top_k_labels(hidden[:0], weight, bias, 3)
    assert scores.shape == columns.shape == (0, 3)
