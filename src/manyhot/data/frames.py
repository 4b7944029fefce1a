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
    parts = list(batches)
    skipped = [row for part in parts for row in part.skipped]
    warnings = [warning for part in parts for warning in part.warnings]
    parts = [part for part in parts if part.frame.height]
    if not parts:
        raise no_row(name, skipped)
    frame = stacked([part.frame for part in parts])
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


def is_blank(column: "pl.Series") -> bool:
    """Whether no cell holds a value."""
    import polars as pl

    if column.dtype == pl.String:
        column = column.set(column.str.strip_chars().is_in(list(MISSING)), None)
    return column.null_count() + (column.is_nan().sum() if column.dtype.is_float() else 0) == len(column)


def _numbers(cells: "pl.Series") -> "pl.Series":
    import polars as pl

    return cells.str.strip_chars().cast(pl.Float64, strict=False)


def fixed(
    frame: "pl.DataFrame", columns: "dict[str, str]", where: str
) -> "tuple[pl.DataFrame, dict[int, str]]":
    """The named columns with the roles they had when the schema was made, and why some rows do not fit.

    Args:
        frame: the rows; cells may be strings.
        columns: role of each column, "number" or "category".
        where: the table's name, for errors.

    Raises:
        InputError: columns are missing.
    """
    import polars as pl

    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise InputError(
            f"{where} lacks {listed(missing)}, which the model reads; it has {listed(frame.columns)}: "
            "add the missing columns, blank where unknown"
        )
    out: list[pl.Series] = []
    faults: dict[int, str] = {}
    for name, role in columns.items():
        column, lists = single(frame[name])
        faults = dict.fromkeys(lists, f"column '{name}' holds a list; wanted one value") | faults
        if role == "category":
            column = column if column.dtype == pl.String else column.cast(pl.String)
        elif column.dtype == pl.String:
            number = as_number(column)
            column, odd = (number, {}) if number is not None else _numbers_but_for_a_few(column)
            faults = odd | faults
        out.append(column.rename(name))
    return pl.DataFrame(out), faults


def _numbers_but_for_a_few(column: "pl.Series") -> "tuple[pl.Series, dict[int, str]]":
    """A column as numbers where it holds them, and what else it holds, by row."""
    import polars as pl

    odd = _numbers(column).is_null() & ~column.str.strip_chars().is_in(list(MISSING)).fill_null(True)
    number = as_number(column.set(odd, None))
    told = {
        row: f"column '{column.name}' was a number when the model was made, here it holds "
        f"{short(column[row])}: mend the cell, or leave it blank"
        for row in odd.arg_true().to_list()
    }
    return pl.repeat(None, len(column), dtype=pl.Float64, eager=True) if number is None else number, told


def single(column: "pl.Series") -> "tuple[pl.Series, list[int]]":
    """A column in which a list of one stands for what it holds, and the rows whose list holds more."""
    import polars as pl

    if column.dtype not in (pl.List, pl.Array):
        return column, []
    lists = column.cast(pl.List(pl.String))
    several = (lists.list.len() > 1).fill_null(False)
    return lists.list.first().set(several, None), several.arg_true().to_list()


def stacked(frames: "list[pl.DataFrame]") -> "pl.DataFrame":
    """Frames under each other, absent columns null; a column of lists in one of them is so in all."""
    import polars as pl

    lists = {name for frame in frames for name, dtype in frame.schema.items() if dtype == pl.List}
    return pl.concat([_with_lists(frame, lists) for frame in frames], how="diagonal_relaxed", rechunk=True)


def _with_lists(frame: "pl.DataFrame", names: set[str]) -> "pl.DataFrame":
    import polars as pl

    single = [name for name in frame.columns if name in names and frame[name].dtype not in (pl.List, pl.Null)]
    return frame.with_columns(
        pl.when(pl.col(name).is_not_null()).then(pl.concat_list(pl.col(name).cast(pl.String))).alias(name)
        for name in single
    )


def short(cell: Any, most: int = 40) -> str:
    """A cell for a message: quoted and cut."""
    text = str(cell)
    return repr(text if len(text) <= most else text[: most - 1] + "…")


def listed(names: "Any", most: int = WIDEST_COLUMNS) -> str:
    """Column names for a message: quoted, the first few of many."""
    names = list(names)
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown or "no columns"
