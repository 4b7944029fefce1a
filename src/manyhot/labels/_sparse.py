"""Compressed sparse rows in one canonical form: sorted columns, no zeros, no duplicates, float32 or bool."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def shape_of(matrix: Any) -> tuple[int, int]:
    """(rows, columns); SciPy's own annotation of `shape` is too wide for a type checker."""
    return matrix.shape


def compressed(
    columns: NDArray[Any], starts: NDArray[Any], width: int, values: NDArray[Any] | None = None
) -> csr_array:
    """CSR of cells already sorted by row and column; values are ones when absent."""
    size = np.int32 if max(len(columns), width) < 2**31 else np.int64
    if values is None:
        values = np.ones(len(columns), np.float32)
    parts = (values, columns.astype(size, copy=False), starts.astype(size, copy=False))
    matrix = csr_array(parts, shape=(len(starts) - 1, width))
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix


def starts_of(row_sizes: NDArray[Any]) -> NDArray[np.int64]:
    """Row pointer of rows with the given numbers of cells."""
    return np.concatenate([[0], np.cumsum(row_sizes, dtype=np.int64)])


def row_numbers(matrix: csr_array) -> NDArray[np.int64]:
    """Row of every stored cell."""
    return np.repeat(np.arange(len(matrix.indptr) - 1), np.diff(matrix.indptr))


def gathered(
    rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any], shape: tuple[int, int]
) -> csr_array:
    """CSR of cells in any order; of several values for one cell the largest stays."""
    order = np.lexsort((values, columns, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    last = np.ones(len(rows), bool)
    last[:-1] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
    sizes = np.bincount(rows[last], minlength=shape[0])
    return compressed(columns[last], starts_of(sizes), shape[1], values[last])


def masked(matrix: csr_array, keep: NDArray[np.bool_]) -> csr_array:
    """The stored cells where `keep` (one flag per stored cell) holds."""
    starts = starts_of(keep)[matrix.indptr]
    return compressed(matrix.indices[keep], starts, shape_of(matrix)[1], matrix.data[keep])


def from_mask(mask: NDArray[np.bool_], values: NDArray[Any] | None = None) -> csr_array:
    """CSR of the True cells of a dense mask, with the values of a dense matrix or ones."""
    columns = np.nonzero(mask)[1]
    kept = None if values is None else values[mask]
    return compressed(columns, starts_of(np.count_nonzero(mask, axis=1)), mask.shape[1], kept)


def as_flags(matrix: csr_array) -> csr_array:
    """The same cells with the value True."""
    return compressed(matrix.indices, matrix.indptr, shape_of(matrix)[1], np.ones(matrix.nnz, bool))


def cell_keys(matrix: csr_array) -> NDArray[np.int64]:
    """row * width + column of every stored cell: sorted, unique."""
    return row_numbers(matrix) * shape_of(matrix)[1] + matrix.indices


def same_cells(left: csr_array, right: csr_array) -> bool:
    """Equality of two canonical matrices, values included."""
    return (
        left.shape == right.shape
        and left.nnz == right.nnz
        and np.array_equal(left.indptr, right.indptr)
        and np.array_equal(left.indices, right.indices)
        and np.array_equal(left.data, right.data)
    )
