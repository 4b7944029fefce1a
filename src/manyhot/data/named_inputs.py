"""The columns of a table that a model knows by name, as the inputs that it reads; of files and of frames."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from manyhot.data.frames import fixed, listed
from manyhot.data.inputs import Columns, Inputs, Mixed, SparseColumns, Texts, joined_text
from manyhot.data.table import Schema
from manyhot.errors import InputError

if TYPE_CHECKING:
    import polars as pl


def named_inputs(frame: "pl.DataFrame", schema: Schema, where: str) -> Inputs:
    """Texts, columns, both, or sparse columns, each with the role that it had when the schema was made.

    Args:
        frame: the rows; cells may be strings.
        schema: of any kind but images.
        where: the table's name, for errors.

    Raises:
        InputError: columns that the schema names are missing, by name, or a number column holds other cells.
    """
    if schema.kind == "sparse":
        return _sparse(frame, schema, where)
    if schema.kind == "columns":
        return Columns(fixed(frame, dict(schema.features), where))
    read = fixed(frame, {**dict.fromkeys(schema.text, "category"), **dict(schema.features)}, where)
    return Mixed(read, schema.text) if schema.kind == "mixed" else Texts(joined_text(read))


def _sparse(frame: "pl.DataFrame", schema: Schema, where: str) -> SparseColumns:
    """Columns that bear the names of sparse features; features that the table lacks are zero."""
    names = schema.column_names
    known = [name for name in frame.columns if name in set(names)]
    if not known:
        raise InputError(
            f"{where} has none of the {len(names):,} feature columns that the model reads "
            f"({listed(names, 3)}, ...); it has {listed(frame.columns)}"
        )
    numbers = fixed(frame, dict.fromkeys(known, "number"), where)
    blocks = [
        sparse.csc_array(column.cast(float).fill_null(0).fill_nan(0).to_numpy()[:, None])
        for column in numbers.iter_columns()
    ]
    matrix = sparse.csr_array(sparse.hstack(blocks, format="csr"), dtype=np.float32)
    return SparseColumns(matrix, tuple(known)).with_names(names)
