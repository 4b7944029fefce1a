"""Batches as they come from a file, made into batches of one size."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from manyhot.data.frames import Batch, no_row, stacked
from manyhot.data.table import Layout

if TYPE_CHECKING:
    import polars as pl


def even(batches: Iterator[Batch], rows: int, layout: Layout) -> Iterator[Batch]:
    """Batches of exactly `rows` rows, but for the last. Skipped rows go with the next batch, or the last.

    Raises:
        InputError: no row could be read.
    """
    ready = held = None
    columns: list[str] = []
    for batch in batches:
        if layout == "jsonl":  # a key that no object of this block has is null, as it is in single objects
            columns = list(dict.fromkeys([*columns, *batch.frame.columns]))
            batch.frame = _widened(batch.frame, columns)
        held = batch if held is None else _joined(held, batch)
        while held.frame.height >= rows:
            if ready is not None:
                yield ready
            ready, held = _cut(held, rows)
    if held is not None and held.frame.height:
        if ready is not None:
            yield ready
        ready = held
    elif held is not None and ready is not None:
        ready.skipped += held.skipped
        ready.warnings += held.warnings
    if ready is None:
        raise no_row("the file", []) if held is None else no_row(held.name, held.skipped)
    yield ready


def _cut(batch: Batch, rows: int) -> tuple[Batch, Batch]:
    first = Batch(batch.frame[:rows], batch.places[:rows], batch.name, batch.skipped, batch.warnings)
    return first, Batch(batch.frame[rows:], batch.places[rows:], batch.name)


def _joined(one: Batch, other: Batch) -> Batch:
    frame = stacked([one.frame, other.frame]) if one.frame.height else other.frame
    places = np.concatenate([one.places, other.places])
    return Batch(frame, places, one.name, [*one.skipped, *other.skipped], [*one.warnings, *other.warnings])


def _widened(frame: "pl.DataFrame", columns: list[str]) -> "pl.DataFrame":
    import polars as pl

    missing = [pl.lit(None).alias(name) for name in columns if name not in frame.columns]
    return frame.with_columns(missing) if missing else frame
