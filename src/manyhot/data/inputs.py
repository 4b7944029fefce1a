"""What a model reads: five kinds of rows, none of which knows labels.

Each kind has `.kind`, a length, `.take(rows)` and `.joined(others)`; nothing is decoded, hashed or scaled
here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from manyhot.data.images import Images
from manyhot.data.index import count, positions, shape_of
from manyhot.errors import InputError, ShapeError

if TYPE_CHECKING:
    import polars as pl

Kind: TypeAlias = Literal["columns", "sparse", "text", "mixed", "image"]


@dataclass(frozen=True, repr=False)
class Columns:
    """A table of numeric, boolean and categorical (string) columns; null is a missing value.

    Args:
        frame: polars DataFrame (rows, columns).

    Raises:
        InputError: a column holds lists, dates or other things that are neither number nor category.
    """

    frame: "pl.DataFrame"
    kind: ClassVar[Kind] = "columns"

    def __post_init__(self) -> None:
        import polars as pl

        for name, dtype in self.frame.schema.items():
            if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.String, pl.Categorical, pl.Enum, pl.Null)):
                raise InputError(
                    f"column '{name}' holds {dtype}; wanted numbers, booleans or strings: "
                    "convert it, or leave it out with features=[...]"
                )

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        return f"{count(len(self), 'row', 'rows')} of {count(len(self.names), 'column', 'columns')}"

    def glance(self) -> list[str]:
        """A few cells of each row, to be looked at."""
        return _cells(self.frame)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.frame.columns)

    def take(self, rows: "NDArray[Any] | slice | Sequence[int]") -> "Columns":
        """The given rows, in the given order."""
        return Columns(self.frame[positions(rows, len(self))])

    def joined(self, others: "Sequence[Columns]") -> "Columns":
        """These rows, then those of the others; int and float columns meet in the wider type.

        Raises:
            ShapeError: the column names differ.
        """
        import polars as pl

        for other in others:
            if other.names != self.names:
                missing = sorted(set(self.names) ^ set(other.names)) or ["the order"]
                raise ShapeError(f"the parts have different columns, differing in {', '.join(missing[:5])}")
        return Columns(pl.concat([self.frame, *(other.frame for other in others)], how="vertical_relaxed"))


@dataclass(frozen=True, repr=False)
class SparseColumns:
    """Named numeric columns of which most cells are zero.

    Args:
        matrix: CSR float32 (rows, columns); a stored NaN is a missing value.
        names: one name per column.
    """

    matrix: sparse.csr_array
    names: tuple[str, ...]
    kind: ClassVar[Kind] = "sparse"

    def __post_init__(self) -> None:
        width = shape_of(self.matrix)[1]
        if width != len(self.names):
            raise ShapeError(f"{width} sparse columns, but {len(self.names)} names")

    def __len__(self) -> int:
        return shape_of(self.matrix)[0]

    def __repr__(self) -> str:
        names = count(len(self.names), "sparse column", "sparse columns")
        return f"{count(len(self), 'row', 'rows')} of {names}"

    def glance(self) -> list[str]:
        """How many columns each row has, to be looked at."""
        return [f"{count:,} of {len(self.names):,} columns" for count in np.diff(self.matrix.indptr)]

    def take(self, rows: "NDArray[Any] | slice | Sequence[int]") -> "SparseColumns":
        """The given rows, in the given order."""
        return SparseColumns(self.matrix[positions(rows, len(self))], self.names)

    def joined(self, others: "Sequence[SparseColumns]") -> "SparseColumns":
        """These rows, then those of the others; columns are matched by name, absent ones are zero."""
        parts = [self, *others]
        if all(part.names == self.names for part in parts):
            names = self.names
        else:
            names = tuple(dict.fromkeys(name for part in parts for name in part.names))
        matrices = [part.with_names(names).matrix for part in parts]
        return SparseColumns(sparse.csr_array(sparse.vstack(matrices, format="csr")), names)

    def with_names(self, names: tuple[str, ...]) -> "SparseColumns":
        """The columns of these names, in this order; columns that are not named are left out."""
        if names == self.names:
            return self
        place = {name: position for position, name in enumerate(names)}
        target = np.array([place.get(name, -1) for name in self.names], dtype=np.int64)
        cells = self.matrix.tocoo()
        columns = target[cells.col] if len(target) else np.zeros(0, dtype=np.int64)
        kept = columns >= 0
        matrix = sparse.csr_array(
            (cells.data[kept], (cells.row[kept], columns[kept])),
            shape=(len(self), len(names)),
            dtype=np.float32,
        )
        return SparseColumns(matrix, names)


@dataclass(frozen=True, repr=False)
class Texts:
    """One string a row.

    Args:
        values: the texts; an empty string is a row without text.
    """

    values: list[str]
    kind: ClassVar[Kind] = "text"

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return count(len(self), "text", "texts")

    def glance(self) -> list[str]:
        """The beginning of each text, to be looked at."""
        return [_beginning(value) for value in self.values]

    def take(self, rows: "NDArray[Any] | slice | Sequence[int]") -> "Texts":
        """The given rows, in the given order."""
        return Texts([self.values[row] for row in positions(rows, len(self)).tolist()])

    def joined(self, others: "Sequence[Texts]") -> "Texts":
        """These rows, then those of the others."""
        return Texts([value for part in (self, *others) for value in part.values])


@dataclass(frozen=True, repr=False)
class Mixed:
    """Texts with further columns beside them.

    Args:
        frame: polars DataFrame (rows, columns): the text columns, and columns as `Columns` takes them.
        text: names of the text columns, to be joined; the model knows its own.

    Raises:
        InputError: a column holds lists, dates or other things that are neither number nor category; no such
            text column.
    """

    frame: "pl.DataFrame"
    text: tuple[str, ...] = ()
    kind: ClassVar[Kind] = "mixed"

    def __post_init__(self) -> None:
        Columns(self.frame)
        absent = [name for name in self.text if name not in self.frame.columns]
        if absent:
            raise InputError(f"no text column {absent[0]!r}; the frame has {', '.join(self.names[:8])}")

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        beside = count(len(self.names) - len(self.text), "column", "columns")
        return f"{count(len(self), 'text', 'texts')} with {beside}"

    def glance(self) -> list[str]:
        """The beginning of each text, to be looked at."""
        return self.texts.glance()

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.frame.columns)

    def with_text(self, names: tuple[str, ...]) -> "Mixed":
        """The same rows, of which these columns are the text."""
        return Mixed(self.frame, names)

    @property
    def texts(self) -> Texts:
        """The texts, several columns under each other."""
        return Texts(joined_text(self.frame.select(self.text)))

    @property
    def columns(self) -> Columns:
        """The columns that are no text."""
        return Columns(self.frame.drop(self.text))

    def take(self, rows: "NDArray[Any] | slice | Sequence[int]") -> "Mixed":
        """The given rows, in the given order."""
        return Mixed(self.frame[positions(rows, len(self))], self.text)

    def joined(self, others: "Sequence[Mixed]") -> "Mixed":
        """These rows, then those of the others.

        Raises:
            ShapeError: the column names differ.
        """
        whole = Columns(self.frame).joined([Columns(other.frame) for other in others])
        return Mixed(whole.frame, self.text)


def _beginning(text: str, width: int = 80) -> str:
    line = " ".join(text[: 4 * width].split())
    return line if len(line) <= width else f"{line[: width - 3]}..."


def _cells(frame: "pl.DataFrame", most: int = 5) -> list[str]:
    some = frame[frame.columns[:most]]
    more = [f"and {frame.width - most:,} more"] if frame.width > most else []
    rows = some.iter_rows(named=True)
    return [", ".join([*(f"{name} {value}" for name, value in row.items()), *more]) for row in rows]


def joined_text(frame: "pl.DataFrame") -> list[str]:
    """The text of each row; several columns are put under each other."""
    import polars as pl

    if frame.width == 1:
        return frame.to_series().cast(pl.String).fill_null("").to_list()
    return frame.select(pl.concat_str(pl.all(), separator="\n", ignore_nulls=True)).to_series().to_list()


def in_words(kind: Kind) -> str:
    """A kind of inputs for a message."""
    return "text and columns" if kind == "mixed" else f"{kind} inputs"


Inputs: TypeAlias = Columns | SparseColumns | Texts | Mixed | Images
