"""One digest a row: the same in every form, another for other scores."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from manyhot.kernels import row_digests as module
from manyhot.kernels.row_digests import mixed, row_digests

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(5000, 6)).astype(np.float32)


@pytest.fixture(params=[module.FEW_CELLS, -1], ids=["numpy", "compiled"], autouse=True)
def few_cells(request, monkeypatch):
    """Each test in both ways."""
    monkeypatch.setattr(module, "FEW_CELLS", request.param)


@pytest.mark.parametrize("form", [lambda scores: scores, csr_array])
def test_both_ways_are_one(form, monkeypatch):
    own = row_digests(form(SCORES))
    monkeypatch.setattr(module, "FEW_CELLS", 10**9 if module.FEW_CELLS < 0 else -1)
    np.testing.assert_array_equal(row_digests(form(SCORES)), own)


@pytest.mark.parametrize(
    "form", [csr_array, np.float64, np.asfortranarray, lambda scores: scores[:, ::-1][:, ::-1]]
)
def test_all_forms_of_a_row_have_one_digest(form):
    np.testing.assert_array_equal(row_digests(form(SCORES)), row_digests(SCORES))


def test_a_row_keeps_its_digest_in_any_batch():
    parts = [row_digests(SCORES[begin : begin + 17]) for begin in range(0, 5000, 17)]
    np.testing.assert_array_equal(np.concatenate(parts), row_digests(SCORES))


def test_other_rows_have_other_digests():
    moved = np.concatenate([SCORES, SCORES[:, [1, 0, 2, 3, 4, 5]], -SCORES, np.nextafter(SCORES, 9)])
    assert len(np.unique(row_digests(moved))) == len(moved)


def test_cells_that_csr_may_leave_out_count_nothing():
    lowest = np.array([[0.5, -np.inf], [0.5, 0.0], [0.5, -0.0]])
    stored = csr_array((np.array([0.5]), np.array([0]), np.array([0, 1])), shape=(1, 2))
    assert set(row_digests(lowest)) == set(row_digests(stored))
    assert row_digests(np.zeros((2, 0))).tolist() == [0, 0]


def test_the_mix_is_that_of_splitmix64():
    state = np.uint64(0x9E3779B97F4A7C15) * np.arange(1, 4, dtype=np.uint64)
    # the first outputs of the published generator, whose state grows by a constant, from the seed 0
    assert mixed(state).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
