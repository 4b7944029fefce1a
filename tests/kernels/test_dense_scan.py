"""Dense targets made sparse, against NumPy's own search."""

import numpy as np
import pytest
import torch

from manyhot.kernels import pool
from manyhot.kernels.cells import DenseCells
from manyhot.kernels.dense_scan import EXPECTED, compressed

rng = np.random.default_rng(0)


def matrix(rows, width, share, hidden=0.0, soft=False):
    values = (rng.random((rows, width)) < share).astype(np.float64)
    if soft:
        values *= rng.uniform(0.1, 1, values.shape)
    values[rng.random(values.shape) < hidden] = -1
    return values


def listed(starts, labels):
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts)), labels


def assert_finds(values, cells):
    found = compressed(cells)
    rows, labels = listed(found.starts.numpy(), found.labels.numpy())
    expected = np.nonzero(values > 0)
    np.testing.assert_array_equal((rows, labels), expected)
    kept = np.ones(len(rows)) if found.values is None else found.values.numpy()
    np.testing.assert_allclose(kept, values[expected], rtol=1e-7)
    hidden = np.nonzero(~(values >= 0))
    if found.unknown_starts is None:
        assert not len(hidden[0])
    else:
        np.testing.assert_array_equal(
            listed(found.unknown_starts.numpy(), found.unknown_labels.numpy()), hidden
        )


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1), (5, 64), (40, 65), (9, 1000), (0, 7), (7, 0)])
@pytest.mark.parametrize("share", [0.0, 0.01, 1.0])  # of ones: more than there is room for at first, too
def test_finds_what_is_not_zero(shape, share, threads, monkeypatch):
    monkeypatch.setattr(pool, "SHARE", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert share < 1 or shape[1] < 64 or shape[1] > EXPECTED
    values = matrix(*shape, share, hidden=share / 10)
    assert_finds(values, DenseCells(values=torch.from_numpy(values)))


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
)
def test_reads_every_dtype(dtype):
    kind = getattr(torch, dtype)
    values = matrix(13, 200, 0.05, hidden=0.02 if kind.is_signed else 0.0)
    assert_finds(values, DenseCells(values=torch.from_numpy(values).to(kind)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_soft_values_and_all_their_digits(dtype):
    values = torch.from_numpy(matrix(13, 200, 0.05, soft=True)).to(dtype)
    found = compressed(DenseCells(values=values))
    assert found.values.dtype == dtype
    assert torch.equal(found.values, values[values > 0])


def test_unknown_cells_come_from_codes_and_from_a_mask():
    values = np.zeros((3, 70))
    values[0, 3], values[1, 69], values[2, 5] = np.nan, -1, 1
    mask = torch.zeros(3, 70, dtype=torch.bool)
    mask[2, 5] = mask[2, 6] = True
    for dtype in (torch.float32, torch.float64):
        both = np.where(mask.numpy(), np.nan, values)
        assert_finds(both, DenseCells(values=torch.from_numpy(values).to(dtype), unknown=mask))
    ones = torch.ones(3, 70, dtype=torch.bool)
    assert_finds(np.where(mask.numpy(), np.nan, 1.0), DenseCells(values=ones, unknown=mask))


def test_views_are_read_as_they_are():
    values = torch.from_numpy(matrix(30, 40, 0.1))
    assert_finds(values.t().numpy(), DenseCells(values=values.t()))
    assert_finds(values[::2, 1:].numpy(), DenseCells(values=values[::2, 1:]))
