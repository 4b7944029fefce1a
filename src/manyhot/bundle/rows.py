"""Rows that a user holds in memory, or as files, made the inputs that a model reads."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from manyhot.data.frames import listed
from manyhot.data.images import SUFFIXES, Images
from manyhot.data.index import count
from manyhot.data.inputs import Columns, Inputs, Kind, Mixed, SparseColumns, Texts, joined_text
from manyhot.data.named_inputs import named_inputs
from manyhot.data.roles import text_columns
from manyhot.errors import InputError, ManyhotWarning

if TYPE_CHECKING:
    import polars as pl

    from manyhot.data.table import Schema


def inputs_of(rows: Any, kind: Kind | None = None, schema: "Schema | None" = None) -> Inputs:
    """Inputs of rows in any common form.

    Args:
        rows: manyhot's own inputs; a list of strings (texts, or paths of images); a DataFrame of pandas or
            polars, a mapping of columns, a list of records, or one record (columns); a numeric matrix, NumPy
            or torch (columns named "0", "1", ...); SciPy sparse; images as a list of PIL images or as an
            array (rows, height, width, 3), uint8 or fractions of 1.
        kind: what the model reads: "columns", "sparse", "text", "mixed" or "image". None: what the rows look
            like; columns that hold texts make them "mixed".
        schema: which columns the model reads; of a table with these columns it takes texts, images and sparse
            columns too.

    Raises:
        InputError: no such form, or another kind than the model reads.
    """
    if kind == "text" and schema is not None and schema.layout != "memory" and _has_name(rows):
        inputs = _inputs_of(rows.to_frame(), kind)  # one column of a table, which the model knows by name
    else:
        inputs = _inputs_of(rows, kind)
    if kind is not None and schema is not None and isinstance(inputs, (Columns, Mixed)):
        found = _of_named_columns(inputs.frame, kind, schema)
        inputs = inputs if found is None else found
    if kind is not None and inputs.kind != kind:
        raise InputError(
            f"the model reads {_KINDS[kind]}{_wanted(kind, schema)}, got {_KINDS[inputs.kind]} "
            f"({_what_came(rows, inputs)})"
        )
    return inputs


def _of_named_columns(frame: "pl.DataFrame", kind: Kind, schema: "Schema") -> Inputs | None:
    """Columns of a table as what a model reads that knows their names; None where they are not there."""
    there = set(frame.columns)
    if kind == "image":
        name = schema.image
        return _strings(frame[name].cast(str).fill_null("").to_list(), kind) if name in there else None
    if kind == "text" and not set(schema.text) & there:
        return Texts(joined_text(frame)) if frame.width == 1 and schema.layout == "memory" else None
    if kind == "sparse" and not set(schema.column_names) & there:
        return None
    inputs, faults, notes = named_inputs(frame, schema, "the table")
    if faults:
        row = min(faults)
        raise InputError(
            f"row {row} of the table: {faults[row]} ({count(len(faults), 'row', 'rows')} like it)"
        )
    for note in notes:
        warnings.warn(note, ManyhotWarning, stacklevel=4)
    return inputs


def _wanted(kind: Kind, schema: "Schema | None") -> str:
    if schema is None or kind not in ("text", "image"):
        return ""
    names = schema.text if kind == "text" else (schema.image or "",)
    return f" in the column {' and '.join(map(repr, names))}, or as a list"


def _what_came(rows: Any, inputs: Inputs) -> str:
    name = type(rows).__name__
    return f"{name} of {listed(inputs.frame.columns, 5)}" if isinstance(inputs, (Columns, Mixed)) else name


_KINDS = {
    "columns": "columns",
    "sparse": "a sparse matrix",
    "text": "texts",
    "mixed": "text and columns",
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
    if isinstance(rows, Mapping) and rows and not any(map(_is_column, rows.values())):
        return _of_frame(_records([rows]), kind)
    if isinstance(rows, Mapping) or hasattr(rows, "columns"):
        return _of_frame(frame_of(rows), kind)
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
    if _is_picture(first):
        return _pictures(rows)
    if getattr(first, "ndim", 0) == 3:
        return _pixels(np.stack([np.asarray(row) for row in rows]))
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


def _has_name(rows: Any) -> bool:
    """Whether the rows are a Series of pandas or polars that has a name."""
    return hasattr(rows, "to_frame") and bool(getattr(rows, "name", None))


def _is_column(value: Any) -> bool:
    return not isinstance(value, (str, bytes)) and hasattr(value, "__len__")


def _is_picture(row: Any) -> bool:
    return hasattr(row, "convert") and hasattr(row, "getbands")


def _pictures(rows: list[Any]) -> Images:
    odd = next((place for place, row in enumerate(rows) if not _is_picture(row)), None)
    if odd is not None:
        raise InputError(f"row {odd} is {type(rows[odd]).__name__}, row 0 is a PIL image: give images only")
    return Images.of_pictures(rows)


def _pixels(array: np.ndarray) -> Images:
    """An array of images, channels last or first, as bytes.

    Raises:
        InputError: another shape, or values that are neither bytes nor fractions of 1.
    """
    if array.ndim == 4 and array.shape[1] == 3 != array.shape[3]:
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] != 3:
        raise InputError(
            f"expected images (rows, height, width, 3), got shape {array.shape}; one image is a list too: "
            "[image]"
        )
    if array.dtype != np.uint8:
        low, high = (float(f(array)) if array.size else 0.0 for f in (np.min, np.max))
        if not 0 <= low <= high <= 1:
            raise InputError(
                f"expected pixels as uint8, or as fractions in [0, 1], got {array.dtype} in "
                f"[{low:g}, {high:g}]: take them before they are normalised"
            )
        array = np.rint(array * 255).astype(np.uint8)
    return Images.of_array(array)


def _array(matrix: np.ndarray, kind: Kind | None) -> Inputs:
    import polars as pl

    if kind == "image" or (matrix.dtype == np.uint8 and matrix.ndim == 4):
        return _pixels(matrix)
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


def frame_of(columns: Any) -> "pl.DataFrame":
    """A DataFrame of pandas or polars, or a mapping of columns, as one of polars."""
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
