"""The labels of some rows as they were found in a file: names first, columns of a label space later.

Nothing here is ever dense: a row costs its positive and its unknown cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from manyhot.data.frames import Batch, short
from manyhot.data.index import shape_of
from manyhot.data.table import LabelColumns
from manyhot.errors import InputError
from manyhot.labels import LabelSpace, Targets
from manyhot.labels.unicode_forms import composed, lookalikes

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = "|;,"
MOST_UNKNOWN_CELLS = 500_000_000
YES = ("1", "1.0", "yes", "true", "y", "t")
NO = ("0", "0.0", "no", "false", "n", "f")


@dataclass
class Marks:
    """Positive and unknown cells of some rows.

    names: labels in column order. positives: CSR (rows, names), values in (0, 1]. unknown: CSR of the same
    shape or None. blank_rows: rows of which no label is known. fixed: the file itself orders its labels (one
    column a label, a header), so a label without any positive is still a label. bad: row -> why its labels
    could not be read. lookalikes: names that were written in two Unicode forms and were read as one label.
    """

    names: tuple[str, ...]
    positives: sparse.csr_array
    unknown: sparse.csr_array | None = None
    blank_rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    fixed: bool = False
    bad: dict[int, str] = field(default_factory=dict)
    lookalikes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return shape_of(self.positives)[0]

    def take(self, rows: NDArray[np.int64]) -> "Marks":
        """Some of the rows, in the given order."""
        place = np.full(len(self), -1, np.int64)
        place[rows] = np.arange(len(rows))
        blank = place[self.blank_rows]
        unknown = None if self.unknown is None else self.unknown[rows]
        return Marks(
            self.names,
            self.positives[rows],
            unknown,
            blank[blank >= 0],
            self.fixed,
            lookalikes=self.lookalikes,
        )

    def onto(self, space: LabelSpace) -> tuple[Targets, dict[str, int]]:
        """Targets in the columns of a space, and how often each name that the space lacks was met.

        Raises:
            InputError: so many rows are without annotation that their cells would not fit in memory.
        """
        if len(self.blank_rows) * len(space) > MOST_UNKNOWN_CELLS:
            raise InputError(
                f"{len(self.blank_rows):,} rows are without annotation, of {len(space):,} labels each: "
                "leave these rows out, nothing can be learnt from them"
            )
        column = _columns_in(space, self.names)
        positives, strange = _moved(self.positives, column, len(space))
        unknown = None if self.unknown is None else _moved(self.unknown, column, len(space))[0]
        if len(self.blank_rows):
            all_unknown = _full_rows(self.blank_rows, len(self), len(space))
            unknown = all_unknown if unknown is None else sparse.csr_array(unknown + all_unknown).astype(bool)
            positives = _without_rows(positives, self.blank_rows)
        return Targets(positives, unknown), {self.names[place]: count for place, count in strange.items()}


def of_lists(
    names: Sequence[str],
    rows: NDArray[np.int64],
    codes: NDArray[np.int64],
    height: int,
    *,
    fixed: bool = False,
) -> Marks:
    """Marks from parallel arrays of row numbers and label numbers; a label twice in a row counts once.

    Names that differ in their Unicode form only become one label, unless the file itself fixes its labels.
    """
    alike = [] if fixed else lookalikes(names)
    if alike:
        names, codes = _merged(names, codes)
    shape = (height, len(names))
    matrix = sparse.csr_array((np.ones(len(rows), np.float32), (rows, codes)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return Marks(tuple(names), matrix, fixed=fixed, lookalikes=tuple(composed(group[0]) for group in alike))


def _merged(names: Sequence[str], codes: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """The names in one Unicode form, and codes that count in these."""
    forms = [composed(name) for name in names]
    kept = in_order(list(set(forms)))
    place = {name: code for code, name in enumerate(kept)}
    return kept, np.array([place[form] for form in forms], np.int64)[codes]


def _columns_in(space: LabelSpace, names: Sequence[str]) -> NDArray[np.int64]:
    """Column of each name, whichever Unicode form it is in; -1 where the space lacks it.

    Raises:
        InputError: two names are one label of the space.
    """
    place = {name: column for column, name in enumerate(space.names)}
    if any(name not in place and not name.isascii() for name in names):
        place |= {composed(name): column for column, name in enumerate(space.names)}
    columns = [place.get(name, place.get(composed(name), -1)) for name in names]
    for one, other in ((group[0], group[1]) for group in lookalikes(names)):
        if columns[names.index(one)] == columns[names.index(other)] >= 0:
            raise InputError(
                f"columns {one!r} and {other!r} look the same, with accents composed in two ways ({one!a}, "
                f"{other!a}), and are one label of the space: leave one of them out, or rename it"
            )
    return np.array(columns, np.int64)


def read_marks(batch: Batch, labels: LabelColumns) -> Marks:
    """The labels of a batch of table rows, in the form that the schema says.

    Raises:
        InputError: a 0/1 column holds something else, with its place and the mend.
    """
    if labels.form == "columns":
        return _of_columns(batch, labels)
    column = batch.frame[labels.columns[0]]
    if labels.form == "json":
        return _of_json(column, labels)
    if labels.form == "list":
        return _of_lists(column, labels.unknown)
    return _of_delimited(column, labels.separator, labels.unknown)


def _of_delimited(column: "pl.Series", separator: str, unknown: str | None) -> Marks:
    """Cells such as "red|dress"; a blank one is a row without labels, the code a row without annotation."""
    import polars as pl

    cells = column.cast(pl.String).str.strip_chars().fill_null("")
    if not separator:
        return _of_list_column(cells.to_frame().select(pl.concat_list(pl.first())).to_series(), unknown)
    return _of_list_column(cells.str.split(separator), unknown)


def _of_lists(column: "pl.Series", unknown: str | None) -> Marks:
    """Lists of names; one that holds a list or an object, which is JSON by now, makes its row a bad one."""
    import polars as pl

    column = column.cast(pl.List(pl.String))  # a block without any list has no type of its own
    doubtful = column.list.eval(pl.element().str.contains(r"^[\[{].*[\]}]$")).list.any().fill_null(False)
    bad = {
        row: f"'{column.name}' holds {short(next(filter(_is_nested, column[row])))}, not a list of names"
        for row in doubtful.arg_true().to_list()
        if any(map(_is_nested, column[row]))
    }
    if bad:
        fine = pl.Series(~np.isin(np.arange(len(column)), list(bad)))
        column = column.zip_with(fine, pl.repeat(None, len(column), dtype=column.dtype, eager=True))
    marks = _of_list_column(column, unknown)
    marks.bad = bad
    return marks


def _is_nested(name: str | None) -> bool:
    """Whether a label is the JSON of a list or an object."""
    try:
        return isinstance(msgspec.json.decode(name or "0"), list | dict)
    except msgspec.DecodeError:
        return False


def _of_list_column(column: "pl.Series", unknown: str | None) -> Marks:
    """Lists of names; a null, or a list that holds the unknown code only, is a row without annotation."""
    import polars as pl

    height = len(column)
    column = column.cast(pl.List(pl.String))  # a block without any list has no type of its own
    blank = column.is_null().to_numpy()
    lengths = column.list.len().fill_null(0).to_numpy().astype(np.int64)
    rows = np.repeat(np.arange(height), lengths)
    flat = column.filter(pl.Series(lengths > 0)).explode().cast(pl.String).str.strip_chars()
    if unknown is not None:
        code = (flat == unknown).fill_null(False).to_numpy()
        blank = blank.copy()
        blank[rows[code]] = True
        rows, flat = rows[~code], flat.filter(pl.Series(~code))
    kept = (flat.is_not_null() & (flat != "")).to_numpy()
    rows, flat = rows[kept], flat.filter(pl.Series(kept))
    names = in_order(flat.unique().to_list())
    codes = (
        flat.cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int64)
        if names
        else np.zeros(0, np.int64)
    )
    marks = of_lists(names, rows, codes, height)
    marks.blank_rows = np.flatnonzero(blank)
    return marks


def _of_json(column: "pl.Series", labels: LabelColumns) -> Marks:
    """Cells such as '["red", "dress"]'; a cell that is no JSON list makes its row a bad one."""
    import polars as pl

    lists: list[list[str] | None] = []
    bad: dict[int, str] = {}
    for row, cell in enumerate(column.to_list()):
        value: Any = []
        if cell is not None and cell.strip() and cell.strip() != labels.unknown:
            try:
                value = msgspec.json.decode(_json_quotes(cell))
            except msgspec.DecodeError:
                bad[row] = f"'{column.name}' holds {short(cell)}, not a JSON list of labels"
        elif cell is not None and labels.unknown is not None and cell.strip() == labels.unknown:
            value = None
        if not isinstance(value, list | None) or any(isinstance(item, list | dict) for item in value or ()):
            bad[row] = f"'{column.name}' holds {short(cell)}, not a JSON list of labels"
            value = []
        lists.append(None if value is None else [str(item) for item in value])
    marks = _of_list_column(pl.Series(column.name, lists, dtype=pl.List(pl.String)), labels.unknown)
    marks.bad = bad
    return marks


def _json_quotes(cell: str) -> str:
    """Python's way of printing a list of strings, which pandas writes into CSV files, as JSON."""
    return cell if '"' in cell else cell.replace("'", '"')


def _of_columns(batch: Batch, labels: LabelColumns) -> Marks:
    """One column a label: 0, 1, a likelihood between them; blank, NaN or the unknown code = unknown."""
    height = batch.frame.height
    positive: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    hidden: list[NDArray[np.int64]] = []
    for name in labels.columns:
        values = cell_values(batch.frame[name], labels.unknown, batch)
        rows = np.flatnonzero(values > 0)
        positive.append((rows, values[rows].astype(np.float32)))
        hidden.append(np.flatnonzero(np.isnan(values)))
    shape = (height, len(labels.columns))
    ends = np.cumsum([0, *(len(rows) for rows, _ in positive)])
    matrix = sparse.csc_array(
        (
            _joined([data for _, data in positive], np.float32),
            _joined([rows for rows, _ in positive], np.int64),
            ends,
        ),
        shape=shape,
    )
    unknown = None
    if any(len(rows) for rows in hidden):
        ends = np.cumsum([0, *map(len, hidden)])
        rows = _joined(hidden, np.int64)
        unknown = sparse.csc_array((np.ones(len(rows), np.bool_), rows, ends), shape=shape).tocsr()
    return Marks(labels.columns, matrix.tocsr(), unknown, fixed=True)


def cell_values(column: "pl.Series", unknown: str | None, batch: Batch) -> NDArray[np.float64]:
    """A 0/1 column as float64 with NaN where unknown.

    Raises:
        InputError: a cell outside [0, 1] that is not the unknown code.
    """
    import polars as pl

    if column.dtype == pl.Boolean:
        column = column.cast(pl.Int8)
    if column.dtype == pl.String:
        cells = column.str.strip_chars().str.to_lowercase()
        if unknown is not None:
            cells = cells.set(cells == unknown.lower(), None)
        cells = cells.replace_strict(
            [*YES, *NO, "", "nan", "na", "null", "none"],
            [*["1"] * len(YES), *["0"] * len(NO), *[None] * 5],
            default=cells,
        )
        numbers = cells.cast(pl.Float64, strict=False)
        failed = (numbers.is_null() & cells.is_not_null()).to_numpy()
    else:
        numbers = column.cast(pl.Float64)
        if unknown is not None and _is_number(unknown):
            numbers = numbers.set(numbers == float(unknown), None)
        failed = np.zeros(len(column), np.bool_)
    values = numbers.fill_null(np.nan).to_numpy()
    outside = failed | (values < 0) | (values > 1)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        no = " (or, since there is no 0 beside it, write 0 for -1 if it means no)"
        no = no if values[row] == -1 and not (values == 0).any() else ""
        raise InputError(
            f"{batch.where(row)}: label column '{column.name}' holds {short(column[row])} "
            f"(and {int(outside.sum()) - 1:,} more like it); wanted 0, 1 or blank for unknown: "
            f"say unknown={column[row]!r} if that stands for not annotated{no}, or name the label columns "
            "with labels="
        )
    return values


def sniff_form(
    column: "pl.Series", separator: str | None, unknown: str | None, sample: int = 20_000
) -> LabelColumns:
    """How labels stand in one column: lists, JSON lists, delimited by `|`, `;`, `,` or space, one a row."""
    import polars as pl

    if column.dtype in (pl.List, pl.Array):
        return LabelColumns(form="list", columns=(column.name,), unknown=unknown)
    cells = column.head(sample).cast(pl.String).drop_nulls().str.strip_chars()
    cells = cells.filter(cells != "")
    if separator is not None:
        return LabelColumns(form="delimited", columns=(column.name,), separator=separator, unknown=unknown)
    # polars types a mean as that of any column, dates among them
    if len(cells) and (cells.str.starts_with("{") & cells.str.ends_with("}")).mean() > 0.9:  # type: ignore[operator]
        raise InputError(
            f"label column '{column.name}' holds objects such as {short(cells[0])}; wanted a list of names: "
            "write the names whose value is 1, or one 0/1 column a label"
        )
    if len(cells) and (cells.str.starts_with("[") & cells.str.ends_with("]")).mean() > 0.9:  # type: ignore[operator]
        return LabelColumns(form="json", columns=(column.name,), unknown=unknown)
    return LabelColumns(
        form="delimited", columns=(column.name,), separator=sniff_separator(cells.to_list()), unknown=unknown
    )


def sniff_separator(cells: Sequence[str]) -> str:
    """The first of `|`, `;`, `,` that occurs; space when its pieces recur as labels do; "" for one a cell.

    "Science Fiction", "Live Action" are whole labels: their words seldom recur in other combinations.
    """
    for separator in SEPARATORS:
        if any(separator in cell for cell in cells):
            return separator
    distinct = {cell for cell in cells if cell}
    if not any(" " in cell for cell in distinct):
        return ""
    pieces: dict[str, int] = {}
    for cell in distinct:
        for piece in set(cell.split()):
            pieces[piece] = pieces.get(piece, 0) + 1
    recurring = sum(count > 1 for count in pieces.values())
    return " " if recurring >= 0.8 * len(pieces) and len(pieces) < len(distinct) else ""


def in_order(names: Sequence[str]) -> list[str]:
    """Names sorted; by value when all are whole numbers."""
    if all(name.isdecimal() and name.isascii() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _moved(
    matrix: sparse.csr_array, column: NDArray[np.int64], width: int
) -> tuple[sparse.csr_array, dict[int, int]]:
    if width == len(column) and (column == np.arange(width)).all():
        return matrix, {}
    cells = matrix.tocoo()
    columns = column[cells.col] if len(column) else np.zeros(0, np.int64)
    kept = columns >= 0
    lost = np.bincount(cells.col[~kept], minlength=len(column)) if (~kept).any() else np.zeros(0, np.int64)
    moved = sparse.csr_array(
        (cells.data[kept], (cells.row[kept], columns[kept])),
        shape=(shape_of(matrix)[0], width),
        dtype=matrix.dtype,
    )
    return moved, {int(place): int(lost[place]) for place in np.flatnonzero(lost)}


def _full_rows(rows: NDArray[np.int64], height: int, width: int) -> sparse.csr_array:
    lengths = np.zeros(height + 1, np.int64)
    lengths[rows + 1] = width
    columns = np.tile(np.arange(width, dtype=np.int32), len(rows))
    return sparse.csr_array(
        (np.ones(len(columns), np.bool_), columns, np.cumsum(lengths)), shape=(height, width)
    )


def _without_rows(matrix: sparse.csr_array, rows: NDArray[np.int64]) -> sparse.csr_array:
    keep = np.ones(shape_of(matrix)[0], np.bool_)
    keep[rows] = False
    cells = matrix.tocoo()
    kept = keep[cells.row]
    return sparse.csr_array((cells.data[kept], (cells.row[kept], cells.col[kept])), shape=matrix.shape)


def _joined(arrays: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(arrays).astype(dtype) if arrays else np.zeros(0, dtype)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
