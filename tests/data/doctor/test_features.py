import numpy as np
import polars as pl
from scipy import sparse

from manyhot.data.doctor.features import Features, feature_gaps
from manyhot.data.inputs import Columns, SparseColumns, Texts


def test_constant_and_missing_columns():
    frame = pl.DataFrame(
        {
            "same": [1, 1, 1, 1],
            "gone": [None, None, None, None],
            "nan": [1.0, float("nan"), 2.0, None],
            "word": ["x", "y", None, "x"],
            "fine": [1, 2, 3, 4],
        }
    )
    assert feature_gaps(Columns(frame)) == Features(
        5, ("same", "gone"), {"gone": 1.0, "nan": 0.5, "word": 0.25}
    )


def test_sparse_columns():
    nan = np.nan
    matrix = sparse.csr_array(np.float32([[0, 2, 1, nan], [0, 2, 0, 3], [0, 2, 0, 0], [0, 2, 0, 0]]))
    found = feature_gaps(SparseColumns(matrix, ("zero", "two", "one", "part")))
    assert found == Features(4, ("zero", "two"), {"part": 0.25})


def test_texts_have_no_columns():
    assert feature_gaps(Texts(["a"])) == Features(0, (), {})
