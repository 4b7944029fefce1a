"""JSON lines: one object a line; a line that is none is left out and named. Also one JSON list of objects."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from manyhot.data.files import BLOCK, Encoding, Lines, lines_of
from manyhot.data.frames import Batch
from manyhot.data.table import BadRow
from manyhot.errors import InputError

if TYPE_CHECKING:
    import polars as pl

UNIT_SEPARATOR = "\x1f"
_decoder = msgspec.json.Decoder()


def batches(path: Path | None, encoding: Encoding, block: int = BLOCK) -> Iterator[Batch]:
    """The rows of a file, or of standard input when `path` is None, in blocks of about `block` bytes."""
    name = "standard input" if path is None else path.name
    blocks = lines_of(path, encoding, block)
    for lines in blocks:
        if lines.first == 1 and lines.data.lstrip()[:1] == b"[":
            yield _whole_list(lines, blocks, name)
            return
        yield _parse(lines, name)


def frame_of(rows: list[dict[str, Any]]) -> "pl.DataFrame":
    """Objects as a frame; a key that an object lacks is null.

    A column of numbers and booleans is numeric, one that holds any list is a list of strings, any other is a
    string column (objects inside are written as JSON).
    """
    import polars as pl

    names = list(dict.fromkeys(key for row in rows for key in row))
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])


def _parse(lines: Lines, name: str) -> Batch:
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    skipped: list[BadRow] = []
    for place, line in enumerate(lines.data.split(b"\n"), lines.first):
        if not line.strip():
            continue
        try:
            row = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            skipped.append(BadRow(f"{name}:{place}", f"not JSON ({error})"))
            continue
        if isinstance(row, dict):
            rows.append(row)
            places.append(place)
        else:
            skipped.append(
                BadRow(f"{name}:{place}", f"a JSON {type(row).__name__}; wanted an object {{...}}")
            )
    return Batch(frame_of(rows), np.asarray(places, np.int64), name, skipped)


def _whole_list(lines: Lines, blocks: Iterator[Lines], name: str) -> Batch:
    try:
        rows = _decoder.decode(b"".join([lines.data, *(more.data for more in blocks)]))
    except msgspec.DecodeError as error:
        raise InputError(
            f"{name} starts as a JSON list but is none ({error}): write one object a line"
        ) from error
    good = [(place, row) for place, row in enumerate(rows, 1) if isinstance(row, dict)]
    skipped = [
        BadRow(f"{name}:item {place}", f"a JSON {type(row).__name__}; wanted an object {{...}}")
        for place, row in enumerate(rows, 1)
        if not isinstance(row, dict)
    ]
    return Batch(
        frame_of([row for _, row in good]), np.asarray([place for place, _ in good], np.int64), name, skipped
    )


def _column(name: str, values: list[Any]) -> "pl.Series":
    import polars as pl

    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds <= {int, bool} and all(-(2**63) <= value < 2**63 for value in values if value is not None):
        return pl.Series(name, values, dtype=pl.Int64, strict=False)
    if kinds <= {int, float, bool}:
        return pl.Series(
            name, [None if value is None else float(value) for value in values], dtype=pl.Float64
        )
    if list in kinds:
        return _lists(name, [_strings(value) for value in values])
    return pl.Series(name, [None if value is None else _string(value) for value in values], dtype=pl.String)


def _lists(name: str, values: list[list[str] | None]) -> "pl.Series":
    """Lists of strings as a column: joined here and split by polars, several times as fast as row by row."""
    import polars as pl

    joined = [None if value is None else UNIT_SEPARATOR.join(value) for value in values]
    breaks = sum(len(value) - 1 for value in values if value)
    if sum(cell.count(UNIT_SEPARATOR) for cell in joined if cell) != breaks:
        return pl.Series(name, values, dtype=pl.List(pl.String))
    cells = pl.Series(name, joined, dtype=pl.String)
    empty = pl.lit([], dtype=pl.List(pl.String))
    lists = pl.when(pl.col(name) == "").then(empty).otherwise(pl.col(name).str.split(UNIT_SEPARATOR))
    return cells.to_frame().select(lists.alias(name)).to_series()


def _strings(value: Any) -> list[str] | None:
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    return [item if type(item) is str else _string(item) for item in items if item is not None]


def _string(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
