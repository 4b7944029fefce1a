"""Tables to matrices: expected values from scikit-learn's scalers and encoders, and by hand."""

import json

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from manyhot.data.inputs import Columns
from manyhot.errors import InputError
from manyhot.models.columns import CLIP, ColumnsPreparation


def fitted(**columns):
    return ColumnsPreparation.fit(Columns(pl.DataFrame(columns)))


def matrix(preparation, **columns):
    return preparation.prepare(Columns(pl.DataFrame(columns))).values.numpy()


def test_numbers_are_scaled_as_by_standard_scaler():
    values = np.random.default_rng(0).normal(5, 3, (40, 2))
    ours = matrix(fitted(a=values[:, 0], b=values[:, 1]), a=values[:, 0], b=values[:, 1])
    np.testing.assert_allclose(ours, StandardScaler().fit_transform(values), atol=1e-6)
    assert ours.dtype == np.float32


def test_categories_are_one_hot_as_by_scikit_learn():
    colours = ["red", "blue", "red", "green", "blue"]
    expected = OneHotEncoder(sparse_output=False).fit_transform(np.array(colours)[:, None])
    np.testing.assert_array_equal(matrix(fitted(c=colours), c=colours), expected)


def test_flags_and_booleans_stay_zero_and_one():
    ours = matrix(
        fitted(flag=[0, 0, 0, 1], yes=[True, False, True, True]), flag=[1, 0, 0, 0], yes=[False] * 4
    )
    np.testing.assert_array_equal(ours, [[1, 0], [0, 0], [0, 0], [0, 0]])


def test_a_missing_number_becomes_the_mean_and_is_marked():
    ours = matrix(fitted(a=[1.0, None, 3.0]), a=[None, 2.0, float("nan"), float("inf")])
    np.testing.assert_array_equal(ours, [[0, 1], [0, 0], [0, 1], [0, 1]])


def test_a_number_that_was_never_missing_in_training_has_no_mark():
    ours = matrix(fitted(a=[1.0, 2.0, 3.0]), a=[None, 2.0])
    np.testing.assert_array_equal(ours, [[0], [0]])


def test_numbers_far_outside_are_clipped():
    ours = matrix(fitted(a=[0.0, 1.0, 2.0]), a=[1e30, -1e30])
    np.testing.assert_array_equal(ours, [[CLIP], [-CLIP]])


def test_a_new_or_missing_category_is_none_of_the_known():
    ours = matrix(fitted(c=["u", "v", None]), c=["w", None, "v"])
    np.testing.assert_array_equal(ours, [[0, 0], [0, 0], [0, 1]])


def test_many_categories_become_one_code_behind_all_other_columns():
    names = [f"c{i:02}" for i in range(40)] * 2
    preparation = fitted(c=names, a=np.arange(80.0))
    assert preparation.shape.width == 2
    assert preparation.shape.categories == (41,)
    ours = matrix(preparation, c=["c00", "c39", "new"], a=[0.0, 39.5, 0.0])
    np.testing.assert_array_equal(ours[:, 1], [1, 40, 0])
    assert ours[1, 0] == 0


def test_constant_columns_and_row_ids_are_left_out_and_named():
    preparation = fitted(
        a=[1.0, 2.0] * 15, same=[7] * 30, empty=[None] * 30, word=["x"] * 30, row=[f"r{i}" for i in range(30)]
    )
    assert [column.name for column in preparation.columns] == ["a"]
    assert preparation.notes == (
        "left out, constant: 'same', 'empty', 'word'",
        "left out, every row has its own value: 'row'",
    )


def test_a_constant_that_is_sometimes_missing_is_kept_for_its_mark():
    np.testing.assert_array_equal(matrix(fitted(a=[5.0, None, 5.0]), a=[5.0, None]), [[0, 0], [0, 1]])


def test_large_numbers_that_differ_in_the_last_digits_are_not_constant():
    values = 1e9 + np.arange(10.0)
    ours = matrix(fitted(a=values), a=values)
    np.testing.assert_allclose(ours[:, 0], (np.arange(10) - 4.5) / np.arange(10).std(), atol=1e-5)


def test_restored_from_json_it_gives_the_same_numbers():
    columns = {"a": [0.1, None, 0.3], "c": ["u", "v", "u"], "big": [1e-30, 2e-30, 5e-30]}
    preparation = fitted(**columns)
    config, arrays = preparation.to_state()
    restored = ColumnsPreparation.from_state(json.loads(json.dumps(config)), arrays)
    assert restored == preparation
    np.testing.assert_array_equal(matrix(restored, **columns), matrix(preparation, **columns))


def test_no_useful_column_is_an_error_that_says_which_there_were():
    with pytest.raises(InputError, match=r"no column tells rows apart .*constant: 'a'"):
        fitted(a=[1, 1, 1])


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="missing columns: 'b'; training had them"):
        matrix(fitted(a=[1, 2], b=[3, 4]), a=[1])


def test_text_where_numbers_were_is_named_with_its_row():
    with pytest.raises(InputError, match="column 'a' holds 'oops' in row 1"):
        matrix(fitted(a=[1.0, 2.0]), a=["3.5", "oops"])


def test_numbers_written_as_text_are_read():
    np.testing.assert_array_equal(matrix(fitted(a=[0.0, 1.0, 2.0]), a=["1", None]), [[0], [0]])


def test_other_columns_and_no_rows_are_fine():
    preparation = fitted(a=[1.0, 2.0])
    assert matrix(preparation, b=["x"], a=[1.5]).shape == (1, 1)
    assert preparation.prepare(Columns(pl.DataFrame({"a": []}, schema={"a": pl.Float64}))).values.shape == (
        0,
        1,
    )
