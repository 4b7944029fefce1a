"""Layers: PyTorch's own dense layers are the oracle, in value and gradient."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, random_array

from manyhot.models.layers import ColumnEmbedding, SparseLinear
from manyhot.models.prepared import SparseBatch


def dense_twin(layer):
    twin = torch.nn.Linear(*layer.weight.shape)
    with torch.no_grad():
        twin.weight.copy_(layer.weight.T)
        twin.bias.copy_(layer.bias)
    return twin


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_sparse_linear_equals_linear_in_value_and_gradient(rows):
    torch.manual_seed(0)
    matrix = random_array(
        (rows, 50), density=0.1, rng=np.random.default_rng(1), format="csr", dtype=np.float32
    )
    layer = SparseLinear(50, 6)
    twin = dense_twin(layer)
    ours, theirs = layer(SparseBatch.of(matrix)), twin(torch.from_numpy(matrix.toarray()))
    torch.testing.assert_close(ours, theirs)
    pull = torch.randn(rows, 6)
    (ours * pull).sum().backward()
    (theirs * pull).sum().backward()
    torch.testing.assert_close(layer.weight.grad, twin.weight.grad.T)
    torch.testing.assert_close(layer.bias.grad, twin.bias.grad)


def test_gradients_add_up_over_batches():
    layer = SparseLinear(3, 2)
    batch = SparseBatch.of(csr_array([[1.0, 0, 2.0], [0, 0, 0]]))
    for _ in range(3):
        layer(batch).sum().backward()
    expected = torch.tensor([[3.0, 3.0], [0, 0], [6.0, 6.0]])
    torch.testing.assert_close(layer.weight.grad, expected)


def test_a_row_without_features_gives_the_bias():
    layer = SparseLinear(4, 2)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, -2.0]))
    torch.testing.assert_close(layer(SparseBatch.of(csr_array((1, 4), dtype=np.float32)))[0], layer.bias)


def test_column_embedding_replaces_the_codes_behind():
    layer = ColumnEmbedding(3, (5, 40))
    out = layer(torch.tensor([[0.5, 2, 0], [1.5, 0, 39]]))
    first, second = layer.tables
    assert layer.width == out.shape[1] == 1 + first.embedding_dim + second.embedding_dim
    torch.testing.assert_close(out[0], torch.cat([torch.tensor([0.5]), first.weight[2], second.weight[0]]))
    torch.testing.assert_close(second.weight[0], torch.zeros(second.embedding_dim))
