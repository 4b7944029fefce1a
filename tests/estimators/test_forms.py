"""Labels in any form, read and given back: columns are found by name wherever there are names."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array

from manyhot.decide import AbstainBand
from manyhot.errors import InputError, ShapeError
from manyhot.estimators import LinearManyHot, scorer
from manyhot.estimators.forms import read_labels, widened
from manyhot.labels import Group, LabelSpace, Targets


@pytest.fixture(scope="module")
def data():
    X = np.random.default_rng(0).normal(size=(80, 3))
    return X, (X + 0.3 * np.random.default_rng(1).normal(size=X.shape) > 0.2).astype(int)


NAMES = ["c", "a", "b"]


def as_frame(y):
    return pd.DataFrame(y, columns=NAMES)


def as_polars(y):
    return pl.DataFrame(y, schema=NAMES)


def as_names(y):
    return [[name for name, value in zip(NAMES, row, strict=True) if value] for row in y]


@pytest.mark.parametrize("given", [as_frame, as_polars, as_names])
@pytest.mark.parametrize("asked", [as_frame, as_polars, as_names])
def test_labels_are_found_by_name_whatever_form_they_come_in(data, given, asked):
    X, y = data
    model = LinearManyHot().fit(X[:50], given(y[:50]))
    wanted = (LinearManyHot().fit(X[:50], y[:50]).predict(X[50:]) == y[50:]).all(axis=1).mean()
    truth = asked(y[50:])
    turned = truth if asked is as_names else truth[["b", "c", "a"]]
    for each in (truth, turned):
        assert model.score(X[50:], each) == pytest.approx(wanted)
        assert scorer("exact")(model, X[50:], each) == pytest.approx(wanted)


@pytest.mark.parametrize("series", [pd.Series, pl.Series])
def test_a_series_of_lists_is_rows_of_names(data, series):
    X, y = data
    names = as_names(y)
    assert LinearManyHot().fit(X, series(names)).predict(X) == LinearManyHot().fit(X, names).predict(X)


def test_predictions_are_polars_frames_where_y_was_one(data):
    X, y = data
    found = LinearManyHot().fit(X, as_polars(y)).predict(X)
    assert isinstance(found, pl.DataFrame)
    assert found.columns == NAMES
    np.testing.assert_array_equal(found.to_numpy(), LinearManyHot().fit(X, y).predict(X))


def test_a_frame_of_one_label_comes_back_as_a_frame(data):
    X, y = data
    found = LinearManyHot().fit(X, as_frame(y)[["a"]]).predict(X)
    assert found.columns.tolist() == ["a"]


def test_missing_values_make_no_predictions_of_objects(data):
    X, y = data
    holes = as_frame(y).astype("Int64")
    holes.iloc[0, 0] = pd.NA
    assert LinearManyHot().fit(X, holes).predict(X).dtypes.unique().tolist() == [np.dtype(float)]


def test_sparse_and_targets_are_read_as_they_are(data):
    X, y = data
    for given in (csr_array(y), Targets.from_dense(y)):
        model = LinearManyHot().fit(X, given)
        assert model.score(X, given) == pytest.approx(LinearManyHot().fit(X, y).score(X, y))


def test_what_cannot_be_aligned_is_refused(data):
    X, y = data
    with pytest.raises(InputError, match="columns without any; pass a matrix"):
        LinearManyHot().fit(X, y).score(X, as_names(y))
    with pytest.raises(InputError, match="no column for 1 of 3 labels: 'c'"):
        LinearManyHot().fit(X, as_names(y)).score(X, as_frame(y)[["a", "b"]])
    with pytest.raises(ShapeError, match="expected 3 labels"):
        LinearManyHot().fit(X, as_names(y)).score(X, y[:, :2])


SPACE = LabelSpace(["a", "b", "c"], rules=["a -> b"])


def test_a_space_puts_names_into_its_order_and_takes_that_of_a_frame(data):
    _, y = data
    targets, form = read_labels(as_names(y), SPACE)
    assert form.classes.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(targets.to_dense(), y[:, [1, 2, 0]])
    for frame in (as_frame(y), as_polars(y)):
        targets, form = read_labels(frame, SPACE)
        assert form.space.names == tuple(NAMES)
        assert form.space.rules == SPACE.rules
        np.testing.assert_array_equal(targets.to_dense(), y)
    _, form = read_labels(y, SPACE)
    assert form.classes.tolist() == ["a", "b", "c"]


def test_other_labels_than_those_of_a_space_are_refused(data):
    _, y = data
    with pytest.raises(InputError, match="no column for 1 of 3 labels: 'c'"):
        read_labels(as_frame(y)[["a", "b"]], SPACE)
    with pytest.raises(InputError, match="has a column 'd', which is no label"):
        read_labels(as_frame(y).assign(d=0), SPACE)
    with pytest.raises(ShapeError, match="expected targets for 3 labels, got 2"):
        read_labels(y[:, :2], SPACE)
    with pytest.raises(InputError, match="'x'"):
        read_labels([["x"]], SPACE)
    with pytest.raises(InputError, match="vector of classes"):
        read_labels(["a", "b"], LabelSpace(["b", "a"], groups=[Group("all", ("a", "b"))]))


def test_open_cells_are_nan_and_unknown_and_no_list_of_names(data):
    X, y = data
    band = AbstainBand(0.05, 0.05)
    dense = LinearManyHot(rule=band).fit(X, y)
    open_cells = dense.rule_.decide(dense.decision_function(X)).unknown.toarray()
    assert open_cells.any()
    found = dense.predict(X)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(np.isnan(found), open_cells)
    np.testing.assert_array_equal(
        found[~open_cells], (dense.decision_function(X) >= dense.rule_.high)[~open_cells]
    )
    frame = LinearManyHot(rule=band).fit(X, as_frame(y)).predict(X)
    np.testing.assert_array_equal(frame.isna(), open_cells)
    sparse = LinearManyHot(rule=band).fit(X, csr_array(y)).predict(X)
    np.testing.assert_array_equal(np.isnan(sparse.toarray()), open_cells)
    names = LinearManyHot(rule=band).fit(X, as_names(y))
    with pytest.raises(
        InputError, match=r"cells open, which lists of names cannot say; predict_targets\(X\)"
    ):
        names.predict(X)
    assert names.predict_targets(X).unknown.nnz == open_cells.sum()
    assert dense.score(X, y) == pytest.approx((found == y).all(axis=1).mean())


def test_further_labels_are_negative():
    narrow = Targets.from_dense(np.array([[1.0, np.nan], [0, 1]]))
    np.testing.assert_array_equal(widened(narrow, 3).to_dense(), [[1, np.nan, 0], [0, 1, 0]])
    assert widened(narrow, 2) == narrow
