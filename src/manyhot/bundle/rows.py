"""Rows that a user holds in memory, or as files, made the inputs that a model reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from manyhot.data.images import SUFFIXES, Images
from manyhot.data.inputs import Columns, Inputs, Kind, Mixed, SparseColumns, Texts
from manyhot.data.roles import text_columns
from manyhot.errors import InputError

if TYPE_CHECKING:
    import polars as pl


def inputs_of(rows: Any, kind: Kind | None = None) -> Inputs:
    """Inputs of rows in any common form.

    Args:
        rows: manyhot's own inputs; a list of strings (texts, or paths of images); a DataFrame of pandas or
            polars, a mapping of columns, or a list of records (columns); a numeric matrix, NumPy or torch
            (columns named "0", "1", ...); SciPy sparse; uint8 images (rows, height, width, 3).
        kind: what the model reads: "columns", "sparse", "text", "mixed" or "image". None: what the rows look
            like; columns that hold texts make them "mixed".

    Raises:
        InputError: no such form, or another kind than the model reads.
    """
    inputs = _inputs_of(rows, kind)
    if kind is not None and inputs.kind != kind:
        raise InputError(f"the model reads {_KINDS[kind]}, got {_KINDS[inputs.kind]} ({type(rows).__name__})")
    return inputs


_KINDS = {
    "columns": "columns",
    "sparse": "a sparse matrix",
    "text": "texts",
    "mixed": "columns with texts among them",
    "image": "images",
}


def _inputs_of(rows: Any, kind: Kind | None) -> Inputs:
    if isinstance(rows, (Columns, SparseColumns, Texts, Mixed, Images)):
        return rows
    if isinstance(rows, (str, bytes, Path)):
        raise InputError(
            f"expected a list of rows, got {type(rows).__name__} {str(rows)!r:.60}: write [{str(rows)!r:.60}]"
        )
    if issparse(rows):
        return _sparse(rows)
    if isinstance(rows, Mapping) or hasattr(rows, "columns"):
        return _of_frame(_frame(rows), kind)
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu().numpy()
    if isinstance(rows, np.ndarray) and rows.dtype.kind not in "OUT":
        return _array(rows, kind)
    if isinstance(rows, Sequence) or hasattr(rows, "__iter__"):
        return _list(list(rows), kind)
    raise InputError(f"expected rows as a list, a matrix or a DataFrame, got {type(rows).__name__}")


def _list(rows: list[Any], kind: Kind | None) -> Inputs:
    if not rows:
        raise InputError("expected rows, got an empty list")
    first = rows[0]
    if isinstance(first, (str, Path)):
        odd = next((place for place, row in enumerate(rows) if not isinstance(row, (str, Path))), None)
        if odd is not None:
            raise InputError(
                f"row {odd} is {type(rows[odd]).__name__} {rows[odd]!r:.60}, row 0 is a string: "
                "give strings only"
            )
        return _strings(rows, kind)
    if isinstance(first, Mapping):
        return _of_frame(_records(rows), kind)
    try:
        matrix = np.asarray(rows, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"expected rows of equally many numbers, texts or records, got {first!r:.60} ({error})"
        ) from error
    return _array(matrix, kind)


def _strings(rows: list[str | Path], kind: Kind | None) -> Inputs:
    looks_like_paths = all(isinstance(row, Path) or Path(row).suffix.lower() in SUFFIXES for row in rows)
    if kind == "image" or (kind is None and looks_like_paths):
        missing = next((row for row in rows if not Path(row).is_file()), None)
        if missing is not None:
            raise InputError(f"{missing}: no such image file")
        return Images.of_paths(rows)
    return Texts([str(row) for row in rows])


def _of_frame(frame: "pl.DataFrame", kind: Kind | None) -> Columns | Mixed:
    if kind == "columns":
        return Columns(frame)
    text = text_columns(frame)
    return Mixed(frame, text) if text or kind == "mixed" else Columns(frame)


def _array(matrix: np.ndarray, kind: Kind | None) -> Inputs:
    import polars as pl

    if matrix.dtype == np.uint8 and matrix.ndim == 4:
        return Images.of_array(matrix)
    if matrix.ndim != 2:
        raise InputError(
            f"expected a matrix (rows, columns), got shape {matrix.shape}; one row is a matrix too: [row]"
        )
    if kind == "sparse":
        return _sparse(matrix)
    return Columns(
        pl.DataFrame(matrix, schema=[str(column) for column in range(matrix.shape[1])], orient="row")
    )


def _sparse(matrix: Any) -> SparseColumns:
    compressed: Any = csr_array(matrix, dtype=np.float32)
    return SparseColumns(compressed, tuple(str(column) for column in range(compressed.shape[1])))


def _frame(columns: Any) -> "pl.DataFrame":
    import polars as pl

    if isinstance(columns, pl.DataFrame):
        return columns
    names = list(columns.keys() if isinstance(columns, Mapping) else columns.columns)
    return pl.DataFrame({str(name): _column(columns[name]) for name in names})


def _column(values: Any) -> Any:
    """A column as plain numbers or as strings; what pandas marks as missing becomes null."""
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if array.dtype.kind in "biuf":
        return array
    return [
        None if value is None or value != value else str(value) for value in array
    ]  # NaN differs from itself


def _records(rows: list[Mapping[str, Any]]) -> "pl.DataFrame":
    import polars as pl

    try:
        return pl.DataFrame(rows, infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise InputError(f"the records do not make a table: {error}") from error
