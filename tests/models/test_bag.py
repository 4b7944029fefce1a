"""Columns as sparse as words: scikit-learn's normalize is the oracle, what is held out is counted by hand."""

import json

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import normalize

from manyhot.data.inputs import Columns, Texts
from manyhot.errors import InputError
from manyhot.models import is_bag
from manyhot.models.bag import BagPreparation

RNG = np.random.default_rng(0)
DENSE = (RNG.random((40, 120)) < 0.05).astype(np.float32)


def columns(matrix, **more) -> Columns:
    return Columns(pl.DataFrame(matrix, [f"c{j}" for j in range(matrix.shape[1])], **more))


def test_rows_have_length_1_and_unused_columns_are_left_out():
    dense = DENSE.copy()
    dense[:, 7] = 0
    dense[3] = 0
    ours = BagPreparation.fit(columns(dense))
    kept = dense.any(axis=0)
    assert ours.shape.width == kept.sum() == len(ours.names)
    np.testing.assert_allclose(
        ours.prepare(columns(dense)).matrix.toarray(), normalize(dense[:, kept]), atol=1e-6
    )


def test_missing_cells_are_zero_and_missing_columns_are_named():
    ours = BagPreparation.fit(Columns(pl.DataFrame({"a": [1, 0], "b": [0.0, 2.0], "c": [True, False]})))
    new = Columns(pl.DataFrame({"c": [None, True], "b": [float("nan"), 3.0], "a": [2, None]}))
    np.testing.assert_allclose(
        ours.prepare(new).matrix.toarray(), normalize([[2, 0, 0], [0, 3, 1]]), atol=1e-6
    )
    with pytest.raises(InputError, match="missing columns: 'b', 'c'"):
        ours.prepare(Columns(pl.DataFrame({"a": [1]})))


@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_lengths_are_neither_0_nor_infinite(size):
    ours = BagPreparation.fit(columns(DENSE))
    np.testing.assert_allclose(
        ours.prepare(columns(DENSE * np.float64(size))).matrix.toarray(),
        ours.prepare(columns(DENSE)).matrix.toarray(),
        rtol=1e-6,
    )


def test_an_infinite_cell_is_named():
    dense = DENSE.astype(np.float64)
    dense[2, 5] = np.inf
    with pytest.raises(InputError, match="row 3: column 'c5' is infinite"):
        BagPreparation.fit(columns(dense))
    with pytest.raises(InputError, match="row 3: column 'c5' is infinite"):
        BagPreparation.fit(columns(np.ones_like(DENSE))).prepare(columns(dense))


def test_held_out_rows_lack_the_columns_of_their_fold_alone():
    fold = np.arange(40) % 4
    ours = BagPreparation.fit(columns(DENSE))
    rows = ours.prepare(columns(DENSE))
    used = DENSE.any(axis=0)
    elsewhere = np.stack([DENSE[fold != own].any(axis=0) for own in fold])
    expected = (DENSE * elsewhere)[:, used]
    np.testing.assert_allclose(ours.held_out(rows, fold).matrix.toarray(), normalize(expected), atol=1e-6)


def test_it_survives_its_state():
    ours = BagPreparation.fit(columns(DENSE))
    config, arrays = ours.to_state()
    again = BagPreparation.from_state(json.loads(json.dumps(config)), arrays)
    assert (ours.prepare(columns(DENSE)).matrix != again.prepare(columns(DENSE)).matrix).nnz == 0


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"a": [1], "b": ["x"]}), "the preparation bag reads numbers, column 'b' holds words"),
        (pl.DataFrame({"a": [0], "b": [0.0]}), "all columns are zero in every row"),
    ],
)
def test_what_is_no_bag_is_refused(frame, message):
    with pytest.raises(InputError, match=message):
        BagPreparation.fit(Columns(frame))


def test_a_bag_is_many_numbers_mostly_zero_and_none_missing():
    assert is_bag(columns(DENSE))
    assert not is_bag(columns(DENSE[:, :99]))
    assert not is_bag(columns((RNG.random((40, 120)) < 0.2).astype(np.float32)))
    assert not is_bag(Columns(columns(DENSE).frame.with_columns(c3=pl.lit("word"))))
    assert not is_bag(Columns(columns(DENSE).frame.with_columns(c3=pl.lit(None, pl.Float32))))
    assert not is_bag(Texts(["a", "b"]))
