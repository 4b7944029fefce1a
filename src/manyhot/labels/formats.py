"""Label formats of other libraries, each turned into canonical cells: (positives, unknown or None)."""

from array import array
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from manyhot.errors import InputError, ShapeError
from manyhot.labels import _sparse

Cells: TypeAlias = tuple[csr_array, csr_array | None]


def is_tensor(value: Any) -> bool:
    """True for a torch tensor; does not import torch."""
    return type(value).__module__.partition(".")[0] == "torch" or (
        hasattr(value, "layout") and hasattr(value, "detach")
    )


def is_frame(value: Any) -> bool:
    """True for a pandas or polars DataFrame; imports neither."""
    return hasattr(value, "columns") and hasattr(value, "to_numpy")


def has_names(frame: Any) -> bool:
    """True unless the columns of a DataFrame are numbered: integers, or `column_0`, `column_1`..."""
    columns = list(frame.columns)
    numbered = [f"column_{place}" for place in range(len(columns))]
    return all(isinstance(name, str) for name in columns) and columns != numbered


def dense_cells(matrix: Any, unknown_code: float | None = None) -> Cells:
    """Cells of a multi-hot matrix: 0/1, bool or soft; NaN, null and `unknown_code` are unknown."""
    values = _matrix_of(matrix)
    if values.ndim != 2:
        raise ShapeError(
            f"expected a multi-hot matrix (rows, labels), got shape {values.shape}; "
            "reshape(-1, 1) for one label, LabelSpace.encode for names, from_index_lists for indices"
        )
    unknown = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if unknown_code is not None:
        unknown |= values == unknown_code
    if values.dtype.kind != "b":
        outside = ~unknown & ~((values >= 0) & (values <= 1))
        if outside.any():
            _raise_outside(values, np.argwhere(outside)[0], matrix)
    values = values.astype(np.float32, copy=False)
    positives = _sparse.from_mask((values > 0) & ~unknown, values)
    return positives, _flags_or_none(_sparse.from_mask(unknown))


def index_cells(rows: Iterable[Iterable[int]], width: int) -> Cells:
    """Cells of ragged lists of label indices, each in [0, width)."""
    columns, sizes = array("q"), array("q")
    for number, row in enumerate(rows):
        before = len(columns)
        try:
            columns.extend(int(index) for index in _indices_of(row))
        except (TypeError, ValueError, OverflowError):
            raise InputError(
                f"row {number}: expected a list of label indices, got {row!r:.80}; "
                "LabelSpace.encode takes names, [] is a row without labels"
            ) from None
        sizes.append(len(columns) - before)
    return _rows_of_indices(np.frombuffer(columns, np.int64), np.frombuffer(sizes, np.int64), width), None


def padded_cells(matrix: Any, width: int, pad: int = -1) -> Cells:
    """Cells of an integer matrix (rows, most labels of a row) of label indices, filled up with `pad`."""
    values = _matrix_of(matrix)
    if values.ndim != 2 or values.dtype.kind not in "iu":
        raise InputError(
            f"expected an integer matrix (rows, indices) filled up with {pad}, "
            f"got {values.dtype} of shape {values.shape}; from_dense takes multi-hot values"
        )
    used = values != pad
    return _rows_of_indices(values[used], np.count_nonzero(used, axis=1), width), None


def csr_cells(matrix: Any, unknown: Any = None) -> Cells:
    """Cells of a SciPy sparse matrix; stored NaN, and the cells of `unknown`, are unknown."""
    if not issparse(matrix):
        raise InputError(
            f"expected a SciPy sparse matrix, got {type(matrix).__name__}; from_dense takes arrays"
        )
    if matrix.ndim != 2:
        raise ShapeError(f"expected a sparse matrix (rows, labels), got shape {matrix.shape}; reshape it")
    positives = _tidy(matrix)
    nan = np.isnan(positives.data) if positives.dtype.kind == "f" else np.zeros(positives.nnz, bool)
    hidden = _sparse.as_flags(_sparse.masked(positives, nan))
    known = positives.data[~nan]
    if known.dtype.kind != "b" and not ((known >= 0) & (known <= 1)).all():
        worst = known[~((known >= 0) & (known <= 1))][0]
        raise InputError(
            f"expected sparse values in [0, 1], got {worst:g}; counts are made 0/1 by (matrix > 0), "
            "a cell stored twice is added up"
        )
    positives = _sparse.masked(positives, ~nan)
    positives.data = positives.data.astype(np.float32)
    positives = _sparse.masked(positives, positives.data > 0)
    if unknown is not None:
        hidden = _joined(hidden, _unknown_flags(unknown, positives))
    return positives, _flags_or_none(hidden)


def torch_sparse_cells(tensor: Any) -> Cells:
    """Cells of a torch sparse COO or CSR tensor; stored NaN is unknown."""
    return csr_cells(csr_of_tensor(tensor))


def csr_of_tensor(tensor: Any) -> csr_array:
    """SciPy CSR of a torch sparse tensor (rows, labels) of any layout."""
    tensor = tensor.detach().cpu()
    if tensor.dim() != 2:
        raise ShapeError(f"expected a sparse tensor (rows, labels), got shape {tuple(tensor.shape)}")
    coo = tensor.to_sparse_coo().coalesce()
    rows, columns = coo.indices().numpy()
    return csr_array((array_of(coo.values()), (rows, columns)), shape=tuple(tensor.shape))


def array_of(value: Any) -> NDArray[Any]:
    """NumPy view of a torch tensor or an array-like; half precision that NumPy lacks becomes float32."""
    if is_tensor(value):
        value = value.detach().cpu()
        return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    return np.asarray(value)


def _matrix_of(matrix: Any) -> NDArray[Any]:
    if issparse(matrix):
        raise InputError("expected a dense matrix, got a SciPy sparse one; from_csr takes it as it is")
    names = list(matrix.columns) if is_frame(matrix) else None
    values = np.asarray(matrix.to_numpy()) if names is not None else array_of(matrix)
    if values.dtype.kind == "O":
        values = _numbers(values, names)
    if values.dtype.kind not in "biuf":
        raise InputError(f"expected numbers or booleans, got {values.dtype}; LabelSpace.encode takes names")
    return values


def _numbers(values: NDArray[Any], names: list[Any] | None) -> NDArray[np.float64]:
    """Object cells as numbers, None and NA as NaN; a text cell is an error that names its column."""
    numbers = np.empty(values.shape, np.float64)
    for place, value in np.ndenumerate(values):
        missing = value is None or type(value).__name__ in ("NAType", "NaTType")
        if not missing and not isinstance(value, (bool, int, float, np.bool_, np.number)):
            column = f"column {names[place[1]]!r}" if names is not None else f"cell {place}"
            raise InputError(
                f"{column}: expected 0, 1, a share or a missing value, got {value!r:.80}; "
                "LabelSpace.encode takes names, from_index_lists takes indices"
            )
        numbers[place] = np.nan if missing else value
    return numbers


def _raise_outside(values: NDArray[Any], place: NDArray[Any], matrix: Any) -> None:
    row, column = place
    name = f"column {matrix.columns[column]!r}" if is_frame(matrix) else f"column {column}"
    value = values[row, column]
    code = value if value == int(value if np.isfinite(value) else 0) else -1
    raise InputError(
        f"expected targets in [0, 1], got {value:g} in row {row}, {name}; "
        f"pass unknown_code={code:g} if that means unknown, from_padded if these are label indices"
    )


def _indices_of(row: Any) -> Iterable[Any]:
    if isinstance(row, (str, bytes)) or not hasattr(row, "__iter__"):
        raise TypeError
    for index in row:
        if isinstance(index, (str, bytes, bool, np.bool_)) or index != int(index):
            raise TypeError
        yield index


def _rows_of_indices(columns: NDArray[Any], sizes: NDArray[Any], width: int) -> csr_array:
    """Canonical CSR of label indices listed row by row; out of range or twice in a row is an error."""
    rows = np.repeat(np.arange(len(sizes)), sizes)
    outside = (columns < 0) | (columns >= width)
    if outside.any():
        first = np.flatnonzero(outside)[0]
        raise InputError(
            f"row {rows[first]}: label index {columns[first]} is outside [0, {width}) of {width} labels; "
            "indices start at 0, padding is -1 in from_padded"
        )
    order = np.lexsort((columns, rows))
    columns = columns[order]
    twice = (np.diff(columns) == 0) & (np.diff(rows) == 0)
    if twice.any():
        first = np.flatnonzero(twice)[0]
        raise InputError(
            f"row {rows[first]}: label index {columns[first]} is listed twice; "
            "from_dense takes a 0/1 matrix, set(row) drops repetitions"
        )
    return _sparse.compressed(columns, _sparse.starts_of(sizes), width)


def _tidy(matrix: Any) -> csr_array:
    tidy = csr_array(matrix, copy=True)
    tidy.sum_duplicates()
    return tidy


def _unknown_flags(unknown: Any, positives: csr_array) -> csr_array:
    if not issparse(unknown):
        raise InputError(f"expected unknown as a SciPy sparse matrix, got {type(unknown).__name__}")
    if unknown.shape != positives.shape:
        raise ShapeError(f"expected equal shapes, got positives {positives.shape}, unknown {unknown.shape}")
    flags = _tidy(unknown)
    flags = _sparse.as_flags(_sparse.masked(flags, flags.data != 0))
    both = np.intersect1d(_sparse.cell_keys(flags), _sparse.cell_keys(positives), assume_unique=True)
    if len(both):
        row, column = divmod(int(both[0]), _sparse.shape_of(positives)[1])
        raise InputError(
            f"cell (row {row}, column {column}) is both positive and unknown; remove it from one of the two"
        )
    return flags


def _joined(left: csr_array, right: csr_array) -> csr_array:
    if not left.nnz:
        return right
    rows = np.concatenate([_sparse.row_numbers(left), _sparse.row_numbers(right)])
    columns = np.concatenate([left.indices, right.indices])
    return _sparse.gathered(rows, columns, np.ones(len(rows), bool), _sparse.shape_of(left))


def _flags_or_none(cells: csr_array) -> csr_array | None:
    return _sparse.as_flags(cells) if cells.nnz else None
