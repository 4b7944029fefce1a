"""Tables larger than memory: the roles from the first rows, then batch after batch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from manyhot._check import at_least
from manyhot.data import tabular
from manyhot.data.even_batches import even
from manyhot.data.files import Encoding, existing, head_of, layout_of
from manyhot.data.label_columns import Wishes
from manyhot.data.marks import in_order, read_marks
from manyhot.data.piece import Piece
from manyhot.data.roles import Roles, assign
from manyhot.data.table import TABULAR, Layout, Notes, Schema, Table
from manyhot.errors import InputError
from manyhot.labels import LabelSpace
from manyhot.labels.unicode_forms import composed, lookalikes

SNIFFED_ROWS = 50_000


def sniff(path: str | Path, **wishes: Any) -> Schema:
    """How a CSV, JSONL or Parquet file would be understood, from its first rows (about 8 MB).

    Args:
        path: of the file.
        wishes: `labels`, `text`, `image`, `features`, `separator`, `unknown`, `split`, `group`, `space` as in
        `read`.

    Raises:
        InputError: no label column is found, or the file is of another layout.
    """
    path = existing(path)
    layout = _layout(path)
    for batch in tabular.batches(path, layout, Encoding(), rows=SNIFFED_ROWS):
        if batch.frame.height:
            return assign(batch.frame, Wishes(**wishes), layout, path).schema
    raise InputError(f"{path.name} holds no row: only a header or blank lines: check how it was written")


def stream(
    path: str | Path,
    schema: Schema,
    batch_rows: int = 50_000,
    *,
    space: LabelSpace | None = None,
    images: str | Path | None = None,
) -> Iterator[Table]:
    """A CSV, JSONL or Parquet file as tables of `batch_rows` rows (the last one shorter), in bounded memory.

    Args:
        path: of the file.
        schema: from `sniff`, or of another table with the same columns.
        batch_rows: rows in a table, >= 1.
        space: the labels; without it the label cells are read once before, to collect the names.
        images: folder or zip with the images that the table names.

    Raises:
        InputError: a column of the schema is missing, the schema has no labels, no row can be read, or the
            file is of another layout.
    """
    at_least("batch_rows", batch_rows, 1)
    path = existing(path)
    layout = _layout(path)
    if schema.labels is None:
        raise InputError(
            f"{path.name}: the schema names no label column: make it with sniff(path, labels=...)"
        )
    space = space or _space(path, layout, schema)
    roles = Roles(schema, "", [])
    encoding = Encoding()
    for batch in even(tabular.batches(path, layout, encoding, rows=batch_rows), batch_rows, layout):
        piece = tabular.piece_of(batch, roles, path, images)
        yield _table(piece, space, len(encoding.repaired))
        encoding.repaired.clear()


def _table(piece: Piece, space: LabelSpace, repaired: int) -> Table:
    targets, strange = piece.marks.onto(space)
    warnings = list(piece.warnings)
    if repaired:
        warnings.append(f"{repaired:,} lines are not UTF-8 and were read as Windows-1252 (Latin-1)")
    sentence = f"{len(piece.inputs):,} rows of {piece.name}"
    notes = Notes(sentence, tuple(piece.skipped), tuple(warnings), strange)
    return Table(piece.inputs, targets, space, piece.part, piece.group, piece.row_ids, piece.schema, notes)


def _layout(path: Path) -> Layout:
    layout, _ = layout_of(path, head_of(path))
    if layout not in TABULAR:
        raise InputError(
            f"{path.name} holds {layout}; only CSV, TSV, JSONL and Parquet can be read in batches: use read"
        )
    return cast("Layout", layout)


def _space(path: Path, layout: Layout, schema: Schema) -> LabelSpace:
    assert schema.labels is not None
    if schema.labels.form == "columns":
        return LabelSpace(schema.labels.columns)
    names: dict[str, None] = {}
    for batch in tabular.batches(path, layout, Encoding(), rows=SNIFFED_ROWS):
        if schema.labels.columns[0] in batch.frame.columns:
            names.update(dict.fromkeys(read_marks(batch, schema.labels).names))
    if not names:
        raise InputError(f"{path.name}: no row has a label in '{schema.labels.columns[0]}'")
    if lookalikes(names):
        names = dict.fromkeys(map(composed, names))
    return LabelSpace(tuple(in_order(list(names))))
