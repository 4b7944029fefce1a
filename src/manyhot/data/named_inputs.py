"""The columns of a table that a model knows by name, as the inputs that it reads; of files and of frames."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from manyhot.data.frames import fixed, listed
from manyhot.data.inputs import Columns, Inputs, Mixed, SparseColumns, Texts, joined_text
from manyhot.data.table import Schema
from manyhot.errors import InputError

if TYPE_CHECKING:
    import polars as pl


class NamedInputs(NamedTuple):
    """Inputs, why some of their rows cannot be used, and what to tell the user."""

    inputs: Inputs
    faults: dict[int, str]
    notes: list[str]


def named_inputs(frame: "pl.DataFrame", schema: Schema, where: str) -> NamedInputs:
    """Texts, columns, both, or sparse columns, each with the role that it had when the schema was made.

    Of several texts that are joined one is enough; the others count as blank.

    Args:
        frame: the rows; cells may be strings.
        schema: of any kind but images.
        where: the table's name, for errors.

    Raises:
        InputError: columns that the schema names are missing, by name.
    """
    if schema.kind == "sparse":
        return _sparse(frame, schema, where)
    if schema.kind == "columns":
        read, faults = fixed(frame, dict(schema.features), where)
        return NamedInputs(Columns(read), faults, [])
    frame, notes = _with_all_texts(frame, schema.text, where)
    read, faults = fixed(frame, {**dict.fromkeys(schema.text, "category"), **dict(schema.features)}, where)
    inputs = Mixed(read, schema.text) if schema.kind == "mixed" else Texts(joined_text(read))
    return NamedInputs(inputs, faults, notes)


def _with_all_texts(
    frame: "pl.DataFrame", names: tuple[str, ...], where: str
) -> "tuple[pl.DataFrame, list[str]]":
    import polars as pl

    absent = [name for name in names if name not in frame.columns]
    if not absent or len(absent) == len(names):
        return frame, []
    there = [name for name in names if name not in absent]
    note = f"{where} has no {listed(absent)}, which the model reads beside {listed(there)}: taken as blank"
    return frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent), [note]


def _sparse(frame: "pl.DataFrame", schema: Schema, where: str) -> NamedInputs:
    """Columns that bear the names of sparse features; features that the table lacks are zero."""
    names = schema.column_names
    known = [name for name in frame.columns if name in set(names)]
    if not known:
        raise InputError(
            f"{where} has none of the {len(names):,} feature columns that the model reads "
            f"({listed(names, 3)}, ...); it has {listed(frame.columns)}"
        )
    numbers, faults = fixed(frame, dict.fromkeys(known, "number"), where)
    blocks = [
        sparse.csc_array(column.cast(float).fill_null(0).fill_nan(0).to_numpy()[:, None])
        for column in numbers.iter_columns()
    ]
    matrix = sparse.csr_array(sparse.hstack(blocks, format="csr"), dtype=np.float32)
    return NamedInputs(SparseColumns(matrix, tuple(known)).with_names(names), faults, [])
