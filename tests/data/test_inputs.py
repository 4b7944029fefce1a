"""The kinds of inputs: slicing, joining, and what they refuse."""

import datetime

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from manyhot.data import Columns, SparseColumns, Texts
from manyhot.data.index import positions
from manyhot.errors import InputError, ShapeError


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([2, 0, 2], [2, 0, 2]),
        ([-1], [3]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, -2), [3, 1]),
        (np.array([True, False, False, True]), [0, 3]),
        ([], []),
    ],
)
def test_rows_are_named_as_numpy_names_them(rows, expected):
    assert positions(rows, 4).tolist() == expected
    assert Texts(list("abcd")).take(rows).values == [list("abcd")[place] for place in expected]


def test_rows_that_are_not_there_are_refused():
    with pytest.raises(ShapeError, match=r"row 4 asked for, there are 4"):
        positions([0, 4], 4)
    with pytest.raises(ShapeError, match=r"a row mask must have 4 cells, got shape \(3,\)"):
        positions(np.ones(3, bool), 4)


def test_columns_take_and_join_by_the_wider_type():
    one = Columns(pl.DataFrame({"a": [1, 2], "b": ["x", None]}))
    two = Columns(pl.DataFrame({"a": [0.5], "b": ["y"]}))
    joined = one.joined([two])
    assert joined.frame.rows() == [(1.0, "x"), (2.0, None), (0.5, "y")]
    assert joined.take([2, 0]).frame.rows() == [(0.5, "y"), (1.0, "x")]
    with pytest.raises(ShapeError, match=r"the parts have different columns, differing in b, c"):
        one.joined([Columns(pl.DataFrame({"a": [1], "c": ["x"]}))])


@pytest.mark.parametrize(
    ("values", "kind"), [([[1], [2]], "List"), ([datetime.date(2020, 1, 1), None], "Date")]
)
def test_columns_of_lists_and_dates_are_refused_by_name(values, kind):
    with pytest.raises(InputError, match=rf"column 'when' holds {kind}"):
        Columns(pl.DataFrame({"when": values}))


def test_sparse_columns_are_matched_by_name():
    one = SparseColumns(sparse.csr_array(np.array([[1, 0], [0, 2]], np.float32)), ("a", "b"))
    two = SparseColumns(sparse.csr_array(np.array([[3, 4]], np.float32)), ("c", "a"))
    joined = one.joined([two])
    assert joined.names == ("a", "b", "c")
    assert joined.matrix.toarray().tolist() == [[1, 0, 0], [0, 2, 0], [4, 0, 3]]
    assert joined.with_names(("c", "z")).matrix.toarray().tolist() == [[0, 0], [0, 0], [3, 0]]
    assert joined.take([2]).matrix.toarray().tolist() == [[4, 0, 3]]
    assert len(joined) == 3
    with pytest.raises(ShapeError, match=r"2 sparse columns, but 1 names"):
        SparseColumns(one.matrix, ("a",))
