"""Multi-label libsvm / SVMlight: `0,4 1:0.65 7:0.15`, comments after `#`, no label before a leading space."""

from pathlib import Path

import numpy as np

from manyhot.data.inputs import SparseColumns
from manyhot.data.label_columns import Wishes, label_names_in
from manyhot.data.marks import of_lists
from manyhot.data.piece import Piece
from manyhot.data.sparse_text import SparseRows, read_rows
from manyhot.data.table import Schema
from manyhot.errors import InputError


def read_piece(path: Path, wishes: Wishes, like: Schema | None = None) -> Piece:
    """A whole file. Labels are called by their numbers unless `labels=` names a file or list of names.

    Features count from 1, or from 0 when a feature 0 occurs (as `like` says, for a further part of the same
    data).

    Raises:
        InputError: no row can be read, or a label has no name.
    """
    rows = read_rows(path)
    if not len(rows):
        why = f": {rows.skipped[0]}" if rows.skipped else ""
        raise InputError(f"{path.name} holds no row of labels and index:value pairs{why}")
    schema = like or _schema(rows)
    found, codes = np.unique(rows.label_codes, return_inverse=True)
    names = named(found.tolist(), wishes, path)
    marks = of_lists(names, rows.label_rows, codes, len(rows))
    return Piece(
        path.name,
        columns_of(rows, schema),
        marks,
        rows.places.astype(np.str_),
        schema,
        "",
        "by number" if wishes.labels is None else "by name",
        skipped=rows.skipped,
    )


def columns_of(rows: SparseRows, schema: Schema) -> SparseColumns:
    """Features under their numbers, as wide as the schema and these rows need."""
    highest = int(rows.indices.max(initial=schema.first - 1))
    width = max(schema.width, highest - schema.first + 1)
    first = min(schema.first, int(rows.indices.min(initial=schema.first)))
    if first < schema.first:
        raise InputError(
            "feature 0 occurs here, but the data that came first counts features from 1: renumber them"
        )
    names = tuple(map(str, range(schema.first, schema.first + width)))
    return SparseColumns(rows.matrix(schema.first, width), names)


def named(numbers: list[int], wishes: Wishes, path: Path) -> list[str]:
    """Names of label numbers: from `labels=` when given, else the numbers.

    Raises:
        InputError: a number has no name.
    """
    if wishes.labels is None:
        return [str(number) for number in numbers]
    names = label_names_in(Path(wishes.labels)) if isinstance(wishes.labels, str) else list(wishes.labels)
    if numbers and max(numbers) >= len(names):
        raise InputError(
            f"{path.name} has label {max(numbers)}, but labels= gives {len(names)} names (0 to "
            f"{len(names) - 1})"
        )
    return [names[number] for number in numbers]


def _schema(rows: SparseRows) -> Schema:
    first = 0 if len(rows.indices) and not rows.indices.min() else 1
    width = int(rows.indices.max(initial=first - 1)) - first + 1
    return Schema(layout="libsvm", kind="sparse", first=first, width=width)
