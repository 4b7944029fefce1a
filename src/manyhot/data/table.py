"""What `read` returns: inputs, targets and how the file was understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from manyhot.data.images import Images
from manyhot.data.index import count, positions
from manyhot.data.inputs import Columns, Inputs, Kind, Mixed, SparseColumns
from manyhot.data.markup import html_table
from manyhot.errors import ShapeError
from manyhot.labels import LabelSpace, Targets

if TYPE_CHECKING:
    from collections.abc import Sequence

Layout: TypeAlias = Literal[
    "delimited", "jsonl", "parquet", "text", "arff", "libsvm", "fasttext", "xmc", "images", "memory"
]
TABULAR: tuple[Layout, ...] = ("delimited", "jsonl", "parquet")
"""Layouts whose columns have names of their own."""

ColumnRole: TypeAlias = Literal["number", "category"]
PARTS = ("train", "valid", "test")
SHOWN = 5
"""Rows of a table that a notebook shows."""


class LabelColumns(msgspec.Struct, frozen=True, kw_only=True):
    """How the labels of a table stand in its columns.

    form: "delimited" (one string column), "json" (one column of JSON lists), "list" (one list column) or
    "columns" (one column of 0, 1, blank a label).
    """

    form: Literal["delimited", "json", "list", "columns"]
    columns: tuple[str, ...]
    separator: str = ""
    unknown: str | None = None


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """How a file was understood: enough to read a new file in the same way. Saved as JSON.

    layout: the format of the file. kind: which inputs it gives. features: (name, "number" | "category") of
    each input column; names: names of the sparse columns, empty when they are their numbers. first: lowest
    feature number of libsvm and extreme-classification files (0 or 1). separator: what joins labels in folder
    names. split: the column that parts the rows; None where none was found, "" where there was to be none.
    """

    layout: Layout
    kind: Kind
    labels: LabelColumns | None = None
    text: tuple[str, ...] = ()
    image: str | None = None
    features: tuple[tuple[str, ColumnRole], ...] = ()
    names: tuple[str, ...] = ()
    width: int = 0
    first: int = 0
    split: str | None = None
    group: str | None = None
    id: str | None = None
    separator: str = ""
    delimiter: str | None = None
    header: bool = True

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the sparse columns: their numbers when the file gave no names."""
        return self.names or tuple(map(str, range(self.first, self.first + self.width)))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts and strings."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Schema":
        """The schema that `to_dict` wrote."""
        return msgspec.convert(record, cls)

    def to_json(self) -> str:
        """One JSON object."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Schema":
        """The schema that `to_json` wrote."""
        return msgspec.json.decode(text, type=cls)


NO_IMAGE = "not an image"
"""Why a file among images was left out that is no row at all."""


@dataclass(frozen=True)
class BadRow:
    """A row that was left out: where it stands ("train.csv:17" or a file name) and why."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


@dataclass(frozen=True)
class Notes:
    """What reading found: the one-line sentence, rows left out, and what was repaired or assumed.

    strange: labels that the given label space lacks, and in how many rows each was left out.
    """

    sentence: str = ""
    skipped: tuple[BadRow, ...] = ()
    warnings: tuple[str, ...] = ()
    strange: Mapping[str, int] = field(default_factory=dict)

    def lines(self, most: int = 5) -> list[str]:
        """Everything to print: the sentence, warnings, and the first `most` rows left out.

        A single row left out is in the sentence already.
        """
        lines = [self.sentence, *(f"note: {warning}" for warning in self.warnings)]
        lines += [f"note: {line}" for line in self._strange(most)]
        if len(self.skipped) > 1:
            lines += [f"skipped {row}" for row in self.skipped[:most]]
        if len(self.skipped) > most:
            lines.append(f"skipped {len(self.skipped) - most:,} more rows")
        return lines

    def lost(self, most: int = 3) -> list[str]:
        """What was in the data and is not in the table: rows and labels, counted and named."""
        rows = "; ".join(map(str, self.skipped[:most]))
        more = f"; and {len(self.skipped) - most:,} more" if len(self.skipped) > most else ""
        noun = "row" if len(self.skipped) == 1 else "rows"
        told = [f"{len(self.skipped):,} {noun} left out: {rows}{more}"] if self.skipped else []
        return told + self._strange(most)

    def _strange(self, most: int) -> list[str]:
        if not self.strange:
            return []
        ordered = sorted(self.strange.items(), key=lambda pair: (-pair[1], pair[0]))
        shown = ", ".join(f"'{name}' ({count:,})" for name, count in ordered[:most])
        more = f" and {len(ordered) - most:,} more" if len(ordered) > most else ""
        return [f"labels that the label space lacks were left out: {shown}{more}"]


@dataclass(frozen=True, repr=False)
class Table:
    """Rows with labels, as one file, folder or pair of files gave them.

    Args:
        inputs: what a model reads (rows).
        targets: (rows, labels).
        space: the labels.
        part: "train", "valid" or "test" of each row where the data said so, else None.
        group: rows with the same value must not be separated by a split; None without groups.
        row_ids: a name for each row, for predictions and messages.
        schema: how the file was understood.
        notes: what to tell the user.

    Raises:
        ShapeError: the pieces have different numbers of rows or labels.
    """

    inputs: Inputs
    targets: Targets
    space: LabelSpace
    part: NDArray[np.str_] | None
    group: NDArray[Any] | None
    row_ids: NDArray[np.str_]
    schema: Schema
    notes: Notes = field(default_factory=Notes)

    def __post_init__(self) -> None:
        rows = len(self.inputs)
        for name, value in (("targets", self.targets), ("row_ids", self.row_ids), ("part", self.part)):
            if value is not None and len(value) != rows:
                raise ShapeError(f"{rows} input rows, but {len(value)} in {name}")
        if self.targets.width != len(self.space):
            raise ShapeError(
                f"targets of width {self.targets.width}, but {len(self.space)} labels in the space"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        a_row = self.targets.row_counts().mean() if len(self) else 0.0
        parts = {part: len(self.where(part)) for part in PARTS if self.part is not None}
        told = "".join(f", {part} {rows:,}" for part, rows in parts.items() if rows)
        return f"Table({self.inputs!r}, {count(len(self.space), 'label', 'labels')}, {a_row:.2f} a row{told})"

    def _repr_html_(self) -> str:
        """The first rows with their labels, for notebooks."""
        some = self.take(slice(0, SHOWN))
        labels = (", ".join(names) or "-" for names in self.space.decode(some.targets))
        rows = zip(some.row_ids, some.inputs.glance(), labels, strict=True)
        return html_table(repr(self), ["row", "input", "labels"], rows)

    def take(self, rows: "NDArray[Any] | slice | Sequence[int]") -> "Table":
        """The given rows, in the given order; label space, schema and notes stay."""
        index = positions(rows, len(self))
        return Table(
            self.inputs.take(index),
            self.targets.rows(index),
            self.space,
            None if self.part is None else self.part[index],
            None if self.group is None else self.group[index],
            self.row_ids[index],
            self.schema,
            self.notes,
        )

    def where(self, part: str) -> NDArray[np.int64]:
        """Row numbers of one part; empty when the data named no parts."""
        return np.flatnonzero(self.part == part) if self.part is not None else np.zeros(0, dtype=np.int64)

    @classmethod
    def of(
        cls,
        inputs: Inputs,
        targets: Targets,
        space: LabelSpace,
        *,
        part: NDArray[np.str_] | None = None,
        group: NDArray[Any] | None = None,
        row_ids: "Sequence[str] | NDArray[np.str_] | None" = None,
        sentence: str = "",
    ) -> "Table":
        """A table from what is in memory; rows are named by their number when `row_ids` is not given."""
        named = (
            np.arange(1, len(inputs) + 1).astype(np.str_) if row_ids is None else np.asarray(row_ids, np.str_)
        )
        return cls(inputs, targets, space, part, group, named, schema_of(inputs), Notes(sentence))


def schema_of(inputs: Inputs) -> Schema:
    """The schema of inputs in memory, so that new files with the same columns can be read."""
    if isinstance(inputs, Columns):
        return Schema(layout="memory", kind="columns", features=_roles(inputs))
    if isinstance(inputs, Mixed):
        return Schema(layout="memory", kind="mixed", text=inputs.text, features=_roles(inputs.columns))
    if isinstance(inputs, SparseColumns):
        return Schema(layout="memory", kind="sparse", names=inputs.names, width=len(inputs.names))
    if isinstance(inputs, Images):
        return Schema(layout="memory", kind="image", image="file")
    return Schema(layout="memory", kind="text", text=("text",))


def _roles(inputs: Columns) -> tuple[tuple[str, ColumnRole], ...]:
    return tuple((name, column_role(dtype)) for name, dtype in inputs.frame.schema.items())


def column_role(dtype: Any) -> ColumnRole:
    """Whether a polars column is a number (booleans are) or a category."""
    return "number" if dtype.is_numeric() or str(dtype) == "Boolean" else "category"
