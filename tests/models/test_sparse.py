"""Sparse matrices: scikit-learn's MaxAbsScaler is the oracle."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from sklearn.preprocessing import MaxAbsScaler

from manyhot.data.inputs import SparseColumns
from manyhot.errors import InputError, OptionError
from manyhot.models.sparse import SparsePreparation


def columns(matrix, names=None):
    matrix = csr_array(matrix, dtype=np.float32)
    return SparseColumns(matrix, names or tuple(f"f{i}" for i in range(matrix.shape[1])))


@pytest.fixture
def matrix():
    made = random_array((30, 12), density=0.2, rng=np.random.default_rng(0), format="csr", dtype=np.float32)
    made.data *= 7
    return made


def test_equals_max_abs_scaler(matrix):
    ours = SparsePreparation.fit(columns(matrix)).prepare(columns(matrix)).matrix
    np.testing.assert_allclose(ours.toarray(), MaxAbsScaler().fit_transform(matrix).toarray(), rtol=1e-6)


def test_none_leaves_the_values(matrix):
    ours = SparsePreparation.fit(columns(matrix), scale="none").prepare(columns(matrix)).matrix
    np.testing.assert_array_equal(ours.toarray(), matrix.toarray())


def test_a_column_without_values_stays_zero():
    ours = SparsePreparation.fit(columns([[0, 2], [0, 4]])).prepare(columns([[3, 2]])).matrix
    np.testing.assert_array_equal(ours.toarray(), [[3, 0.5]])


def test_columns_are_matched_by_name(matrix):
    preparation = SparsePreparation.fit(columns([[2, 4, 8]], ("a", "b", "c")))
    ours = preparation.prepare(columns([[8, 9, 2]], ("c", "new", "a"))).matrix
    np.testing.assert_array_equal(ours.toarray(), [[1, 0, 1]])


def test_a_stored_nan_is_a_missing_cell_and_counts_as_zero():
    ours = SparsePreparation.fit(columns([[np.nan, 2]])).prepare(columns([[np.nan, 1]])).matrix
    np.testing.assert_array_equal(ours.toarray(), [[0, 0.5]])


def test_restored_from_its_state_it_is_the_same(matrix):
    preparation = SparsePreparation.fit(columns(matrix))
    config, arrays = preparation.to_state()
    restored = SparsePreparation.from_state(json.loads(json.dumps(config)), arrays)
    assert restored.names == preparation.names
    again = restored.prepare(columns(matrix)).matrix
    np.testing.assert_array_equal(again.toarray(), preparation.prepare(columns(matrix)).matrix.toarray())


def test_an_infinite_cell_is_named():
    with pytest.raises(InputError, match="row 1, column 0 of the sparse matrix is infinite"):
        SparsePreparation.fit(columns([[0, 1], [np.inf, 0]]))


def test_no_known_column_is_an_error():
    with pytest.raises(
        InputError, match="none of the 1 columns was there in training; wanted names such as a, b"
    ):
        SparsePreparation.fit(columns([[1, 2]], ("a", "b"))).prepare(columns([[1]], ("z",)))


def test_an_unknown_scale_lists_the_known():
    with pytest.raises(OptionError, match="scale must be one of maxabs, none, got 'max'"):
        SparsePreparation.fit(columns([[1]]), scale="max")
