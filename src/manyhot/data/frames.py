"""Tables as they come out of CSV, JSONL and Parquet: typed frames in batches of bounded memory.

A batch is a polars frame, the place of each of its rows in the file, and the rows that had to be left out.
CSV cells arrive as strings; `typed` decides what they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manyhot.data.table import BadRow
from manyhot.errors import InputError

if TYPE_CHECKING:
    import polars as pl

# cells that mean "no value" in a column that otherwise holds numbers
MISSING = (
    "",
    "NA",
    "N/A",
    "na",
    "n/a",
    "NaN",
    "nan",
    "NAN",
    "null",
    "NULL",
    "None",
    "none",
    "?",
    "-",
    "#N/A",
)
WIDEST_COLUMNS = 8


@dataclass
class Batch:
    """Some rows of one file.

    places: for each row the number of the line (CSV, JSONL) or row (Parquet) it stands in, counted from 1.
    """

    frame: "pl.DataFrame"
    places: NDArray[np.int64]
    name: str
    skipped: list[BadRow] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def where(self, row: int) -> str:
        """The place of a row, as `train.csv:17`."""
        return f"{self.name}:{int(self.places[row])}"

    def take(self, rows: NDArray[np.int64]) -> "Batch":
        """Some of the rows; what was skipped stays with the whole."""
        return Batch(self.frame[rows], self.places[rows], self.name)


def together(batches: Iterator[Batch], name: str) -> Batch:
    """All batches of a file as one, with columns that are absent in some filled with null.

    Raises:
        InputError: no row could be read.
    """
    import polars as pl

    parts = list(batches)
    skipped = [row for part in parts for row in part.skipped]
    warnings = [warning for part in parts for warning in part.warnings]
    parts = [part for part in parts if part.frame.height]
    if not parts:
        raise no_row(name, skipped)
    frame = pl.concat([part.frame for part in parts], how="diagonal_relaxed", rechunk=True)
    return Batch(frame, np.concatenate([part.places for part in parts]), name, skipped, warnings)


def no_row(name: str, skipped: list[BadRow]) -> InputError:
    """The error of a file without a row that can be read."""
    why = f"; all {len(skipped):,} rows are bad, the first: {skipped[0]}" if skipped else ""
    return InputError(
        f"{name} holds no row{why or ': only a header or blank lines: check how it was written'}"
    )


def typed(frame: "pl.DataFrame") -> "pl.DataFrame":
    """String columns that hold only numbers and missing codes become numbers; all others stay as they are."""
    import polars as pl

    columns = []
    for column in frame.iter_columns():
        if column.dtype == pl.String:
            number = as_number(column)
            column = column if number is None else number
        columns.append(column)
    return pl.DataFrame(columns)


def as_number(column: "pl.Series") -> "pl.Series | None":
    """The column as Int64 or Float64; None when a cell is neither number nor missing.

    A column of missing codes only is no number column.
    """
    import polars as pl

    sample = column.head(64).drop_nulls()
    if len(sample) and not _numbers(sample).is_not_null().any() and not sample.is_in(list(MISSING)).any():
        return None
    cells, values = column, column.cast(pl.Float64, strict=False)
    if values.null_count() != cells.null_count():  # spaces, or codes for missing cells
        cells = column.str.strip_chars()
        cells = cells.set(cells.is_in(list(MISSING)), None)
        values = cells.cast(pl.Float64, strict=False)
    if values.null_count() != cells.null_count():
        return None
    values = values.fill_nan(None)
    if values.null_count() == len(values):
        return None
    whole = (values % 1 == 0) & (values.abs() < 2**53)
    return values.cast(pl.Int64) if whole.all() else values


def _numbers(cells: "pl.Series") -> "pl.Series":
    import polars as pl

    return cells.str.strip_chars().cast(pl.Float64, strict=False)


def fixed(frame: "pl.DataFrame", columns: "dict[str, str]", where: str) -> "pl.DataFrame":
    """The named columns with the roles they had when the schema was made ("number" or "category").

    Raises:
        InputError: columns are missing, or a number column holds something else.
    """
    import polars as pl

    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise InputError(
            f"{where} lacks {listed(missing)}, which the model reads; it has {listed(frame.columns)}: "
            "add the missing columns, blank where unknown"
        )
    out: list[pl.Series] = []
    for name, role in columns.items():
        column = frame[name]
        if role == "category":
            column = column if column.dtype == pl.String else column.cast(pl.String)
        elif column.dtype == pl.String:
            number = as_number(column)
            if number is None and column.str.strip_chars().is_in(list(MISSING)).fill_null(True).all():
                number = pl.Series(name, [None] * len(column), dtype=pl.Float64)
            if number is None:
                bad = _numbers(column).is_null() & ~column.str.strip_chars().is_in(list(MISSING)).fill_null(
                    True
                )
                cell = column.filter(bad)[0]
                raise InputError(
                    f"{where}: column '{name}' was a number when the model was made, here it holds "
                    f"{short(cell)}: "
                    "mend the cell, or leave it blank"
                )
            column = number
        out.append(column.rename(name))
    return pl.DataFrame(out)


def short(cell: Any, most: int = 40) -> str:
    """A cell for a message: quoted and cut."""
    text = str(cell)
    return repr(text if len(text) <= most else text[: most - 1] + "…")


def listed(names: "Any", most: int = WIDEST_COLUMNS) -> str:
    """Column names for a message: quoted, the first few of many."""
    names = list(names)
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown or "no columns"
