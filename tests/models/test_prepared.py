"""Rows that can be sliced: any order, with repetition, none."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, random_array

from manyhot.models.prepared import DenseRows, SparseBatch, SparseRows

MATRIX = random_array((9, 6), density=0.4, rng=np.random.default_rng(0), format="csr", dtype=np.float32)


@pytest.mark.parametrize("rows", [[0], [8, 0, 0, 3], [], list(range(9))])
def test_sparse_and_dense_rows_give_the_same_cells(rows):
    index = torch.tensor(rows, dtype=torch.int64)
    sparse = SparseRows(csr_array(MATRIX)).batch(index)
    dense = DenseRows(torch.from_numpy(MATRIX.toarray())).batch(index)
    assert len(sparse) == len(rows)
    np.testing.assert_array_equal(sparse.to_scipy().toarray(), dense.numpy())


def test_batches_follow_the_plan():
    plan = [torch.tensor([3]), torch.tensor([1, 2])]
    got = list(SparseRows(csr_array(MATRIX)).batches(plan))
    np.testing.assert_array_equal(got[1].to_scipy().toarray(), MATRIX.toarray()[[1, 2]])
    assert [len(b) for b in got] == [1, 2]
    assert len(list(DenseRows(torch.zeros(4, 2)).batches(plan))) == 2


def test_moving_a_batch_keeps_it():
    batch = SparseBatch.of(MATRIX)
    assert batch.to("cpu").width == 6
    assert batch.device.type == "cpu"
