"""Columns that carry nothing, and cells that are missing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from manyhot.data.inputs import Columns, Inputs, Mixed, SparseColumns

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Features:
    """What the input columns lack.

    Attributes:
        columns: number of columns; 0 for texts and images.
        constant: names of columns with one value in all rows, or none.
        missing: column name -> share of rows without a value, only where some are.
    """

    columns: int
    constant: tuple[str, ...]
    missing: dict[str, float]


def feature_gaps(inputs: Inputs) -> Features:
    """Look at every column once."""
    if isinstance(inputs, Columns):
        return _of_frame(inputs.frame)
    if isinstance(inputs, Mixed):
        return _of_frame(inputs.columns.frame)
    if isinstance(inputs, SparseColumns):
        return _of_sparse(inputs)
    return Features(0, (), {})


def _of_frame(frame: "pl.DataFrame") -> Features:
    constant, missing = [], {}
    for column in frame:
        known = column.drop_nulls()
        if column.dtype.is_float():
            known = known.drop_nans()
        if known.n_unique() <= 1:
            constant.append(column.name)
        if len(known) < frame.height:
            missing[column.name] = 1 - len(known) / frame.height
    return Features(frame.width, tuple(constant), missing)


def _of_sparse(inputs: SparseColumns) -> Features:
    matrix, rows = inputs.matrix.tocsc(), max(len(inputs), 1)
    constant, missing = [], {}
    for name, start, stop in zip(inputs.names, matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        cells = matrix.data[start:stop]
        unknown = int(np.isnan(cells).sum())
        values = np.unique(cells[~np.isnan(cells)])
        if stop - start < len(inputs):
            values = np.union1d(values, [0])
        if len(values) <= 1:
            constant.append(name)
        if unknown:
            missing[name] = unknown / rows
    return Features(len(inputs.names), tuple(constant), missing)
