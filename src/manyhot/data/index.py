"""Row numbers, shapes and counts, as all kinds of inputs understand them."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from manyhot.errors import ShapeError


def shape_of(matrix: sparse.csr_array) -> tuple[int, int]:
    """Rows and columns; SciPy's own annotation of `shape` admits None."""
    return cast("tuple[int, int]", matrix.shape)


def positions(rows: "NDArray[Any] | slice | Sequence[int]", length: int) -> NDArray[np.int64]:
    """Row numbers named by an index array, a boolean mask (length,) or a slice."""
    if isinstance(rows, slice):
        return np.arange(length, dtype=np.int64)[rows]
    index = np.asarray(rows)
    if index.dtype == np.bool_:
        if index.shape != (length,):
            raise ShapeError(f"a row mask must have {length} cells, got shape {index.shape}")
        return np.flatnonzero(index)
    index = index.astype(np.int64)
    outside = (index < -length) | (index >= length)
    if outside.any():
        raise ShapeError(f"row {int(index[outside][0])} asked for, there are {length}")
    return np.where(index < 0, index + length, index)


def count(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"
